"""DICOM RT Structure Sets: reading, writing, checking."""

from autocontour.rtstruct.append import append_structures
from autocontour.rtstruct.options import HoleStyle, WriteOptions
from autocontour.rtstruct.reader import read_structure_set
from autocontour.rtstruct.validate import check_structure_set, validate_structure_set
from autocontour.rtstruct.writer import write_structure_set

__all__ = [
    "HoleStyle",
    "WriteOptions",
    "append_structures",
    "check_structure_set",
    "read_structure_set",
    "validate_structure_set",
    "write_structure_set",
]
