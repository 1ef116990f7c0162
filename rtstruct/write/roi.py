"""The items of one structure: in the Structure Set, ROI Contour and RT ROI Observations modules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom import Dataset
from pydicom.sr.codedict import codes

from autocontour.base.errors import OutputError
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure
from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.algorithm import build_algorithm, read_algorithm
from autocontour.rtstruct.encoding import decode_dataset, put, set_raw_sequence, with_raw_values
from autocontour.rtstruct.read.import_roi import read_color
from autocontour.rtstruct.text import raw_text
from autocontour.rtstruct.write.contours import ContourRecord, count_points, encode_contours, other_frame_of_reference
from autocontour.rtstruct.write.modules import (
    MAX_TEXT,
    build_code,
    describe_findings,
    is_approved,
    local_now,
    reviewer_name,
)

MAX_NAME = 64
"""Characters of VR LO."""
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{0,16}")
_IDENTITY = (
    *("ROIObservationLabel", "ROIObservationDescription"),
    *("SegmentedPropertyCategoryCodeSequence", "RTROIIdentificationCodeSequence"),
)


@dataclass(frozen=True)
class RoiItems:
    """The items of one structure: one of the Structure Set ROI and ROI Contour Sequences, at least one observation."""

    roi: Dataset
    contour: Dataset
    observations: tuple[Dataset, ...]


def build_roi_items(
    structure: Structure, records: Sequence[ContourRecord], ct: SeriesReference, *, implicit: bool
) -> RoiItems:
    """Build the items of `structure`; other attributes of an imported one are kept.

    Raises
    ------
    OutputError
        ``AC-OUT-103``, ``AC-OUT-117`` or ``AC-OUT-118`` if its name, type or description does not fit DICOM's rules.
    """
    kept = decode_dataset(structure.attributes) if structure.attributes else Dataset()
    _check_text(structure, Shown.of(kept))
    redrawn = kept.get("NumberOfContourPoints") != count_points(records)
    shown = Shown.of(kept)
    roi = _build_roi(_first(kept, "StructureSetROISequence"), structure, ct, shown, redrawn=redrawn)
    contour = _build_contour(_first(kept, "ROIContourSequence"), structure, records, ct, shown, implicit=implicit)
    observations = tuple(kept.get("RTROIObservationsSequence") or [Dataset()])
    for observation in observations:
        put(observation, ReferencedROINumber=structure.number)
        _record_approval(observation, structure, local_now(ct.header), redrawn=redrawn)
    _build_observation(observations[0], structure, shown)
    return RoiItems(roi, contour, observations)


@dataclass(frozen=True)
class Shown:
    """Displayed values of an imported structure; for unchanged ones the file's own bytes are kept.

    Attributes
    ----------
    name, description, interpreted_type, color_rgb
        As the attributes of `Structure`; None for a structure that was not imported.
    """

    name: str | None = None
    description: str | None = None
    interpreted_type: str | None = None
    color_rgb: tuple[int, ...] | None = None

    @classmethod
    def of(cls, kept: Dataset) -> Shown:
        """Read them from `Structure.attributes`; empty if written by an older version."""
        if "ROIName" not in kept:
            return cls()
        name, description, kind = (
            raw_text(kept, keyword).decode("utf_8", "replace")
            for keyword in ("ROIName", "ROIDescription", "RTROIInterpretedType")
        )
        return cls(name, description, kind, read_color([kept]))


def keeps_color(item: Dataset, shown: Shown) -> bool:
    """Whether a contour item has a colour: the displayed one, or one that could not be displayed."""
    return "ROIDisplayColor" in item and read_color([item]) in {None, shown.color_rgb}


def _check_text(structure: Structure, shown: Shown) -> None:
    """Reject new text that is not valid for its VR: LO, CS and ST."""
    if structure.name != shown.name and not _is_line(structure.name, MAX_NAME):
        raise OutputError("AC-OUT-103", name=repr(structure.name[:MAX_NAME]))
    kind = structure.interpreted_type
    if kind != shown.interpreted_type and not _CODE_STRING.fullmatch(kind):
        raise OutputError("AC-OUT-117", name=structure.name)
    if structure.description != shown.description and len(structure.description) > MAX_TEXT:
        raise OutputError("AC-OUT-118", name=structure.name, limit=MAX_TEXT)


def _is_line(text: str, longest: int) -> bool:
    """Whether `text` is a value of VR LO or SH: one line without control characters and backslash."""
    forbidden = any(unicodedata.category(letter) == "Cc" for letter in text) or "\\" in text
    return 0 < len(text.strip()) <= len(text) <= longest and not forbidden


def _first(kept: Dataset, keyword: str) -> Dataset:
    items = kept.get(keyword)
    return items[0] if items else Dataset()


def _build_roi(item: Dataset, structure: Structure, ct: SeriesReference, shown: Shown, *, redrawn: bool) -> Dataset:
    """Structure Set ROI Sequence item (C.8.8.5)."""
    put(item, ROINumber=structure.number)
    put(item, ReferencedFrameOfReferenceUID=other_frame_of_reference(structure, ct) or ct.frame_of_reference_uid)
    if structure.name != shown.name or not raw_text(item, "ROIName"):
        put(item, ROIName=structure.name)
    if redrawn or "ROIGenerationAlgorithm" not in item:
        put(item, ROIGenerationAlgorithm=structure.generation.value)
    if structure.description != (shown.description or ""):
        put(item, ROIDescription=structure.description)
    if redrawn and "ROIVolume" in item:
        del item.ROIVolume
    if structure.provenance and structure.provenance != read_algorithm(item):
        put(item, ROIGenerationDescription=f"{structure.provenance.algorithm} {structure.provenance.version}"[:64])
        put(item, ROIDerivationAlgorithmIdentificationSequence=[build_algorithm(structure.provenance)])
    return item


def _build_contour(
    item: Dataset,
    structure: Structure,
    records: Sequence[ContourRecord],
    ct: SeriesReference,
    shown: Shown,
    *,
    implicit: bool,
) -> Dataset:
    """ROI Contour Sequence item (C.8.8.6)."""
    item = with_raw_values(item, implicit=implicit)
    put(item, ReferencedROINumber=structure.number)
    if not (structure.color_rgb == shown.color_rgb and keeps_color(item, shown)):
        put(item, ROIDisplayColor=list(structure.color_rgb))
    if records:
        contours = encode_contours(records, ct, implicit=implicit)
        set_raw_sequence(item, "ContourSequence", contours, implicit=implicit)
    return item


def _record_approval(item: Dataset, structure: Structure, now: datetime, *, redrawn: bool) -> None:
    """Write reviewer and time of the structure's approval: ROI Interpreter and ROI Observation DateTime (C.8.8.8).

    Values of another file do not apply to a structure that was redrawn.
    """
    if redrawn:
        item.pop("ROIInterpreter", None)
        item.pop("ROIObservationDateTime", None)
    if is_approved(structure) and structure.reviewed_at:
        put(item, ROIInterpreter=reviewer_name(structure))
        put(item, ROIObservationDateTime=structure.reviewed_at.astimezone(now.tzinfo).strftime("%Y%m%d%H%M%S%z"))


def _build_observation(item: Dataset, structure: Structure, shown: Shown) -> None:
    """RT ROI Observations Sequence item (C.8.8.8), without its number; attributes about an imported name are kept."""
    if structure.interpreted_type != shown.interpreted_type or "RTROIInterpretedType" not in item:
        put(item, RTROIInterpretedType=structure.interpreted_type)
    item.setdefault("ROIInterpreter", "")
    if structure.name == shown.name:
        return
    for keyword in _IDENTITY:
        item.pop(keyword, None)
    if structure.tg263_name:
        put(item, ROIObservationLabel=structure.tg263_name[:16])
    if structure.findings:
        put(item, ROIObservationDescription=describe_findings(structure.findings))
    term = find_term(structure.tg263_name)
    if not term.code:
        return
    identification = build_code(getattr(codes.SCT, term.code))
    if term.laterality:
        modifier = build_code(getattr(codes.SCT, term.laterality))
        identification.SegmentedPropertyTypeModifierCodeSequence = [modifier]
    put(item, SegmentedPropertyCategoryCodeSequence=[build_code(codes.SCT.AnatomicalStructure)])
    put(item, RTROIIdentificationCodeSequence=[identification])
