"""Reading DICOM: series of a folder, checks, and CT voxels."""

from autocontour.dicom.ct import read_ct, with_value_findings
from autocontour.dicom.image import read_image
from autocontour.dicom.read import guarded, read_dataset
from autocontour.dicom.scan import Series, planning_cts, scan_folder

__all__ = [
    "Series",
    "guarded",
    "planning_cts",
    "read_ct",
    "read_dataset",
    "read_image",
    "scan_folder",
    "with_value_findings",
]
