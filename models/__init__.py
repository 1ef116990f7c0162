"""Networks, model packages and two-stage inference. torch and openvino are imported only where a network runs."""

from autocontour.models.library import available_packages, find_package
from autocontour.models.package import ModelPackage, read_package, write_package

__all__ = ["ModelPackage", "available_packages", "find_package", "read_package", "write_package"]
