"""One ROI of a file as a structure."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term, known_names, match_name
from autocontour.patient.structures import GenerationAlgorithm, ImportedContour, ReviewStatus, Structure
from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.algorithm import read_algorithm
from autocontour.rtstruct.encoding import CharacterSet, encode_in_utf_8, with_raw_values
from autocontour.rtstruct.read.import_contours import Notes, Placed, place_contours
from autocontour.rtstruct.read.parse import KNOWN_TAGS, FileContour, FileRoi

MAX_NAME = 64


def import_roi(
    file_roi: FileRoi, geometry: VolumeGeometry, reference: SeriesReference, character_set: CharacterSet
) -> Structure:
    """Return a file's ROI as a structure on the CT's slices, with Findings for what is odd."""
    name, tg263_name = _name(file_roi)
    notes = Notes(name)
    _check_name(file_roi, name, notes)
    frame = _text(file_roi.roi, "ReferencedFrameOfReferenceUID")
    if frame and frame != reference.frame_of_reference_uid:
        notes.warn("AC-RS-011", f"{name} lies in another frame of reference and cannot be shown on this CT.", _CARRIED)
        placed = Placed({}, {}, file_roi.contours)
    else:
        placed = place_contours(file_roi.contours, geometry, notes)
    term = find_term(tg263_name or name)
    generation = _generation(file_roi.roi)
    return Structure(
        name=name,
        number=file_roi.number,
        contours=placed.areas,
        tg263_name=tg263_name,
        interpreted_type=_first_text(file_roi.observations, "RTROIInterpretedType"),
        color_rgb=_color(file_roi.contour_items) or term.color_rgb,
        generation=generation,
        provenance=read_algorithm(file_roi.roi),
        status=ReviewStatus.AUTO if generation is GenerationAlgorithm.AUTOMATIC else ReviewStatus.EDITED,
        description=_text(file_roi.roi, "ROIDescription"),
        findings=tuple(notes.findings),
        imported={index: tuple(_imported(c, character_set) for c in mine) for index, mine in placed.contours.items()},
        carried=tuple(_imported(c, character_set) for c in placed.carried),
        attributes=_attributes(file_roi, character_set),
    )


def _name(file_roi: FileRoi) -> tuple[str, str]:
    """Return the ROI's name and the TG-263 name it means."""
    name = _text(file_roi.roi, "ROIName")[:MAX_NAME].replace("\\", "/") or f"ROI_{file_roi.number}"
    label = _first_text(file_roi.observations, "ROIObservationLabel")
    return name, label if label in known_names() else match_name(name)


def _check_name(file_roi: FileRoi, name: str, notes: Notes) -> None:
    stated = _text(file_roi.roi, "ROIName")
    if not file_roi.roi:
        notes.warn("AC-RS-043", f"The file has contours of an ROI that it does not list; it is shown as {name}.")
    elif not stated:
        notes.warn("AC-RS-026", f"The ROI has no name; it is shown as {name}.", "Give it a name.")
    elif stated != name:
        notes.warn("AC-RS-039", f"The ROI's name does not fit DICOM's rules; it is shown as {name}.")
    if len(file_roi.contour_items) > 1:
        notes.warn("AC-RS-044", f"{name} appears more than once in the file's contours; they are taken together.")
    if not file_roi.contours:
        notes.warn("AC-RS-020", f"{name} has no contours.")


def _imported(contour: FileContour, character_set: CharacterSet) -> ImportedContour:
    others = with_raw_values(contour.item, leave_out=KNOWN_TAGS)
    kept = encode_in_utf_8(others, character_set) if len(others) else b""
    return ImportedContour(contour.geometric_type, contour.data.decode("latin-1"), kept)


def _attributes(file_roi: FileRoi, character_set: CharacterSet) -> bytes:
    """Return the ROI's own items without the contours, text in UTF-8, and how many points its contours have."""
    kept = Dataset()
    kept.NumberOfContourPoints = sum((contour.data.count(b"\\") + 1) // 3 for contour in file_roi.contours)
    if file_roi.roi:
        kept.StructureSetROISequence = Sequence([file_roi.roi])
    if file_roi.contour_items:
        kept.ROIContourSequence = Sequence(
            [with_raw_values(file_roi.contour_items[0], leave_out={Tag("ContourSequence")})]
        )
    if file_roi.observations:
        kept.RTROIObservationsSequence = Sequence(file_roi.observations)
    return encode_in_utf_8(kept, character_set)


def _color(items: Iterable[Dataset]) -> tuple[int, int, int] | None:
    for item in items:
        values = item.get("ROIDisplayColor") or ()
        if len(values) == 3:
            red, green, blue = (min(255, max(0, int(value))) for value in values)
            return red, green, blue
    return None


def _generation(roi: Dataset) -> GenerationAlgorithm:
    stated = _text(roi, "ROIGenerationAlgorithm").upper()
    known = {algorithm.value: algorithm for algorithm in GenerationAlgorithm}
    return known.get(stated, GenerationAlgorithm.MANUAL)


def _first_text(items: Iterable[Dataset], keyword: str) -> str:
    return next((text for item in items if (text := _text(item, keyword))), "")


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword, "") or "").strip(" \0")


_CARRIED = "It is kept and written back unchanged."
