"""One ROI of a file as a structure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term, known_names, match_name
from autocontour.patient.structures import GenerationAlgorithm, ImportedContour, ReviewStatus, Structure
from autocontour.patient.volume import SeriesReference
from autocontour.rtstruct.algorithm import read_algorithm
from autocontour.rtstruct.encoding import encode_in_utf_8, with_raw_values
from autocontour.rtstruct.read.image_references import check_image_references
from autocontour.rtstruct.read.import_contours import Placed, place_contours
from autocontour.rtstruct.read.notes import Notes
from autocontour.rtstruct.read.parse import KNOWN_TAGS, FileContour, FileRoi
from autocontour.rtstruct.text import Encodings, as_line, is_declared, raw_text, shown_text

MAX_NAME = 64
Color = tuple[int, int, int]
_COLOR = re.compile(rb" *\+?(\d{1,12}) *\\ *\+?(\d{1,12}) *\\ *\+?(\d{1,12}) *")


def import_roi(
    file_roi: FileRoi, geometry: VolumeGeometry, reference: SeriesReference, encodings: Encodings
) -> Structure:
    """Return a file's ROI as a structure on the CT's slices, with Findings for irregularities."""
    name = shown_name(file_roi, encodings)
    tg263_name = _tg263_name(file_roi, name, encodings)
    notes = Notes(name)
    _check_name(file_roi, name, encodings, notes)
    if _lies_elsewhere(file_roi, reference):
        notes.warn("AC-RS-011", name=name)
        placed = Placed({}, {}, file_roi.contours)
    else:
        placed = place_contours(file_roi.contours, geometry, notes)
        check_image_references(file_roi.contours, reference, geometry, notes)
    color = read_color(file_roi.contour_items)
    if color is None and any(raw_text(item, "ROIDisplayColor") for item in file_roi.contour_items):
        notes.warn("AC-RS-048")
    generation = _generation(file_roi.roi)
    structure = Structure(
        name=name,
        number=file_roi.number,
        contours=placed.areas,
        tg263_name=tg263_name,
        interpreted_type=read_type(file_roi.observations),
        color_rgb=color or find_term(tg263_name or name).color_rgb,
        generation=generation,
        provenance=read_algorithm(file_roi.roi, encodings),
        status=ReviewStatus.AUTO if generation is GenerationAlgorithm.AUTOMATIC else ReviewStatus.EDITED,
        description=shown_text(file_roi.roi, "ROIDescription", encodings),
        findings=tuple(notes.findings),
        imported={index: tuple(_imported(c, encodings) for c in mine) for index, mine in placed.contours.items()},
        carried=tuple(_imported(c, encodings) for c in placed.carried),
    )
    return replace(structure, attributes=_attributes(file_roi, structure, encodings))


def shown_name(file_roi: FileRoi, encodings: Encodings) -> str:
    """Return the displayed name of an ROI: one line, decoded in the declared character set if valid."""
    return as_line(shown_text(file_roi.roi, "ROIName", encodings), MAX_NAME) or f"ROI_{file_roi.number}"


def read_color(items: Iterable[Dataset]) -> Color | None:
    """Return the first ROI Display Color (3006,002A) of three numbers from 0 to 255; None if there is none."""
    for item in items:
        found = _COLOR.fullmatch(raw_text(item, "ROIDisplayColor"))
        values = [int(value) for value in found.groups()] if found else []
        if values and max(values) <= 255:
            return values[0], values[1], values[2]
    return None


def read_type(observations: Iterable[Dataset]) -> str:
    """Return the first RT ROI Interpreted Type (3006,00A4); empty if there is none."""
    texts = (raw_text(item, "RTROIInterpretedType").decode("latin-1") for item in observations)
    return next((text for text in texts if text), "")


def _tg263_name(file_roi: FileRoi, name: str, encodings: Encodings) -> str:
    """Return the TG-263 name of an ROI's label or name."""
    labels = (shown_text(item, "ROIObservationLabel", encodings) for item in file_roi.observations)
    label = next((label for label in labels if label), "")
    return label if label in known_names() else match_name(name)


def _lies_elsewhere(file_roi: FileRoi, reference: SeriesReference) -> bool:
    frame = raw_text(file_roi.roi, "ReferencedFrameOfReferenceUID").decode("latin-1")
    return frame not in {"", reference.frame_of_reference_uid}


def _check_name(file_roi: FileRoi, name: str, encodings: Encodings, notes: Notes) -> None:
    stated = shown_text(file_roi.roi, "ROIName", encodings)
    if not file_roi.roi:
        notes.warn("AC-RS-043", name=name)
    elif not stated:
        notes.warn("AC-RS-026", name=name)
    elif stated != name:
        notes.warn("AC-RS-039", name=name)
    if not all(is_declared(file_roi.roi, keyword, encodings) for keyword in ("ROIName", "ROIDescription")):
        notes.warn("AC-RS-049", name=name)
    if len(file_roi.contour_items) > 1:
        notes.warn("AC-RS-044", name=name)
    if not file_roi.contours:
        notes.warn("AC-RS-020", name=name)


def _imported(contour: FileContour, encodings: Encodings) -> ImportedContour:
    others = contour.item.keys() - KNOWN_TAGS
    kept = encode_in_utf_8(contour.item, encodings, leave_out=KNOWN_TAGS) if others else b""
    return ImportedContour(contour.geometric_type, contour.data.decode("latin-1"), kept)


def _attributes(file_roi: FileRoi, shown: Structure, encodings: Encodings) -> bytes:
    """Return the ROI's own items without the contours, text in UTF-8.

    They are stored with the number of points of its contours, and the displayed name, description, type and colour:
    values that are unchanged when the structure is written keep the file's own bytes.
    """
    kept = Dataset()
    kept.ROIName, kept.ROIDescription = shown.name, shown.description
    kept.RTROIInterpretedType, kept.ROIDisplayColor = shown.interpreted_type, list(shown.color_rgb)
    kept.NumberOfContourPoints = sum((contour.data.count(b"\\") + 1) // 3 for contour in file_roi.contours)
    kept.StructureSetROISequence = Sequence([file_roi.roi] if file_roi.roi else [])
    if file_roi.contour_items:
        kept.ROIContourSequence = Sequence(
            [with_raw_values(file_roi.contour_items[0], leave_out={Tag("ContourSequence")})]
        )
    kept.RTROIObservationsSequence = Sequence(file_roi.observations)
    return encode_in_utf_8(kept, encodings)


def _generation(roi: Dataset) -> GenerationAlgorithm:
    stated = raw_text(roi, "ROIGenerationAlgorithm").decode("latin-1").upper()
    known = {algorithm.value: algorithm for algorithm in GenerationAlgorithm}
    return known.get(stated, GenerationAlgorithm.MANUAL)
