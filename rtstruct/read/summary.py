"""Summary of a structure set and the series it is drawn on, without its contours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.tag import Tag

from autocontour.base.errors import StructureSetError
from autocontour.dicom.read import guarded, read_bytes, read_dataset
from autocontour.rtstruct.read.nesting import CANNOT_OPEN, DAMAGED, check_nesting
from autocontour.rtstruct.references import frames_of_reference, referenced_series
from autocontour.rtstruct.text import as_line, encodings_of, shown_text

_KEYWORDS = (
    *("SpecificCharacterSet", "StructureSetLabel", "StructureSetName", "StructureSetDate", "ApprovalStatus"),
    *("FrameOfReferenceUID", "ReferencedFrameOfReferenceSequence", "StructureSetROISequence", "SOPInstanceUID"),
)
MAX_NAME = 64
_TAGS = [int(Tag(keyword)) for keyword in _KEYWORDS]


@dataclass(frozen=True)
class StructureSetSummary:
    """Main attributes of a structure set's file.

    Attributes
    ----------
    label, date
        Structure Set Label (or Name) and Date as in the file.
    structures
        Number of structures.
    is_approved
        Whether its Approval Status is APPROVED.
    frames_of_reference, series
        Referenced UIDs.
    sop_instance_uid
        Its own UID, empty if absent.
    names
        ROI names in the order of the file, as `read_structure_set` returns them, but not made unique.
    """

    path: Path
    label: str
    date: str
    structures: int
    is_approved: bool
    frames_of_reference: frozenset[str]
    series: frozenset[str]
    sop_instance_uid: str = ""
    names: tuple[str, ...] = ()

    def belongs_to(self, series_instance_uid: str, frame_of_reference_uid: str) -> bool:
        """Whether it is drawn on this series: it references the series and its frame of reference."""
        return frame_of_reference_uid in self.frames_of_reference and series_instance_uid in self.series


def read_summary(path: Path) -> StructureSetSummary:
    """Read the summary of a structure set.

    Raises
    ------
    StructureSetError
        ``AC-RS-001``, ``AC-RS-006`` or ``AC-RS-007`` if the file is damaged, ``AC-RS-009`` if it cannot be opened.
    """
    data = read_bytes(path, StructureSetError, CANNOT_OPEN)
    with guarded(StructureSetError, DAMAGED, path.name):
        dataset = read_dataset(check_nesting(data), error=StructureSetError, code=DAMAGED, specific_tags=_TAGS)
        encodings = encodings_of(dataset.get("SpecificCharacterSet") or None)
        stated = {name: as_line(shown_text(dataset, name, encodings), MAX_NAME) for name in _KEYWORDS[1:5]}
        return StructureSetSummary(
            path,
            stated["StructureSetLabel"] or stated["StructureSetName"],
            stated["StructureSetDate"],
            len(dataset.get("StructureSetROISequence") or ()),
            stated["ApprovalStatus"] == "APPROVED",
            frozenset(frames_of_reference(dataset)),
            frozenset(str(item.get("SeriesInstanceUID", "") or "") for item in referenced_series(dataset)) - {""},
            str(dataset.get("SOPInstanceUID", "") or ""),
            tuple(
                as_line(shown_text(roi, "ROIName", encodings), MAX_NAME) or f"ROI_{roi.get('ROINumber', '')}"
                for roi in dataset.get("StructureSetROISequence") or ()
            ),
        )
