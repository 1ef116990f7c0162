"""Networks, model packages and two-stage inference; torch and openvino are imported only where a network runs."""

from autocontour.models.inference.infer import Segmentation, segment_structures
from autocontour.models.package.history import check_history
from autocontour.models.package.library import available_packages, check_library, find_package, is_about_package
from autocontour.models.package.package import ModelPackage, read_package, write_package

__all__ = [
    "ModelPackage",
    "Segmentation",
    "available_packages",
    "check_history",
    "check_library",
    "find_package",
    "is_about_package",
    "read_package",
    "segment_structures",
    "write_package",
]
