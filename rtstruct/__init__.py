"""DICOM RT Structure Sets: reading, writing, checking."""

from autocontour.rtstruct.check.validate import check_structure_set, validate_structure_set
from autocontour.rtstruct.read.reader import read_structure_set
from autocontour.rtstruct.write.append import append_structures, check_appendable
from autocontour.rtstruct.write.modules import are_approved
from autocontour.rtstruct.write.options import HoleStyle, WriteOptions
from autocontour.rtstruct.write.writer import write_structure_set

__all__ = [
    "HoleStyle",
    "WriteOptions",
    "append_structures",
    "are_approved",
    "check_appendable",
    "check_structure_set",
    "read_structure_set",
    "validate_structure_set",
    "write_structure_set",
]
