"""What a file says of one structure: its items in the Structure Set, ROI Contour and RT ROI Observations modules."""

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
from autocontour.rtstruct.encoding import decode_dataset, set_raw_sequence, with_raw_values
from autocontour.rtstruct.write.contours import ContourRecord, count_points, encode_contours, other_frame_of_reference
from autocontour.rtstruct.write.modules import MAX_TEXT, build_code, describe_findings, is_approved, local_now

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
    """Build the items of `structure`; what an imported one had beside what the program knows is kept.

    Raises
    ------
    OutputError
        ``AC-OUT-103`` if its name, type or description does not fit DICOM's rules.
    """
    _check_text(structure)
    kept = decode_dataset(structure.attributes) if structure.attributes else Dataset()
    redrawn = kept.get("NumberOfContourPoints") != count_points(records)
    renamed = str(_first(kept, "StructureSetROISequence").get("ROIName", "")).strip() != structure.name
    roi = _build_roi(_first(kept, "StructureSetROISequence"), structure, ct, redrawn=redrawn)
    contour = _build_contour(_first(kept, "ROIContourSequence"), structure, records, ct, implicit=implicit)
    observations = tuple(kept.get("RTROIObservationsSequence") or [Dataset()])
    for observation in observations:
        observation.ReferencedROINumber = structure.number
        _record_approval(observation, structure, local_now(ct.header), redrawn=redrawn)
    _build_observation(observations[0], structure, same=bool(structure.attributes) and not renamed)
    return RoiItems(roi, contour, observations)


def _check_text(structure: Structure) -> None:
    """Refuse text that does not fit its VR: LO, CS and ST; of an imported structure only the name can be new."""
    sound = {
        "name": _is_line(structure.name, MAX_NAME),
        "type": structure.attributes or _CODE_STRING.fullmatch(structure.interpreted_type),
        "description": structure.attributes or len(structure.description) <= MAX_TEXT,
    }
    for what, is_sound in sound.items():
        if not is_sound:
            message = (
                f"The {what} of {structure.name[:MAX_NAME]!r} is empty, too long, or has characters DICOM forbids."
            )
            raise OutputError("AC-OUT-103", message, f"Change its {what}.")


def _is_line(text: str, longest: int) -> bool:
    """Whether `text` is a value of VR LO or SH: one line without control characters and backslash."""
    forbidden = any(unicodedata.category(letter) == "Cc" for letter in text) or "\\" in text
    return 0 < len(text.strip()) <= len(text) <= longest and not forbidden


def _first(kept: Dataset, keyword: str) -> Dataset:
    items = kept.get(keyword)
    return items[0] if items else Dataset()


def _build_roi(item: Dataset, structure: Structure, ct: SeriesReference, *, redrawn: bool) -> Dataset:
    """Structure Set ROI Sequence item (C.8.8.5)."""
    item.ROINumber = structure.number
    item.ReferencedFrameOfReferenceUID = other_frame_of_reference(structure, ct) or ct.frame_of_reference_uid
    item.ROIName = structure.name
    if redrawn or "ROIGenerationAlgorithm" not in item:
        item.ROIGenerationAlgorithm = structure.generation.value
    if structure.description or "ROIDescription" in item:
        item.ROIDescription = structure.description
    if redrawn and "ROIVolume" in item:
        del item.ROIVolume
    if structure.provenance and structure.provenance != read_algorithm(item):
        item.ROIGenerationDescription = f"{structure.provenance.algorithm} {structure.provenance.version}"[:64]
        item.ROIDerivationAlgorithmIdentificationSequence = [build_algorithm(structure.provenance)]
    return item


def _build_contour(
    item: Dataset, structure: Structure, records: Sequence[ContourRecord], ct: SeriesReference, *, implicit: bool
) -> Dataset:
    """ROI Contour Sequence item (C.8.8.6)."""
    item = with_raw_values(item, implicit=implicit)
    item.ReferencedROINumber = structure.number
    item.ROIDisplayColor = list(structure.color_rgb)
    if records:
        contours = encode_contours(records, ct, implicit=implicit)
        set_raw_sequence(item, "ContourSequence", contours, implicit=implicit)
    return item


def _record_approval(item: Dataset, structure: Structure, now: datetime, *, redrawn: bool) -> None:
    """Write who approved the structure and when: ROI Interpreter and ROI Observation DateTime (C.8.8.8).

    What another file stated of a structure that was redrawn since no longer holds.
    """
    if redrawn:
        item.pop("ROIInterpreter", None)
        item.pop("ROIObservationDateTime", None)
    if is_approved(structure) and structure.reviewed_at:
        item.ROIInterpreter = structure.reviewer
        item.ROIObservationDateTime = structure.reviewed_at.astimezone(now.tzinfo).strftime("%Y%m%d%H%M%S%z")


def _build_observation(item: Dataset, structure: Structure, *, same: bool) -> None:
    """RT ROI Observations Sequence item (C.8.8.8), without its number; `same` if it already describes it."""
    item.RTROIInterpretedType = structure.interpreted_type
    item.setdefault("ROIInterpreter", "")
    if same:
        return
    for keyword in _IDENTITY:
        item.pop(keyword, None)
    if structure.tg263_name:
        item.ROIObservationLabel = structure.tg263_name[:16]
    if structure.findings:
        item.ROIObservationDescription = describe_findings(structure.findings)
    term = find_term(structure.tg263_name)
    if not term.code:
        return
    identification = build_code(getattr(codes.SCT, term.code))
    if term.laterality:
        modifier = build_code(getattr(codes.SCT, term.laterality))
        identification.SegmentedPropertyTypeModifierCodeSequence = [modifier]
    item.SegmentedPropertyCategoryCodeSequence = [build_code(codes.SCT.AnatomicalStructure)]
    item.RTROIIdentificationCodeSequence = [identification]
