"""Offline check of a whole structure set file against DICOM and the limits of planning systems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag

from autocontour.base.errors import OutputError
from autocontour.base.findings import Finding, Severity
from autocontour.base.register import Value
from autocontour.patient.geometry import Floats
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.check.iod import MAX_CHARACTERS, REQUIRED
from autocontour.rtstruct.contour_data import MAX_DECIMAL_STRING, longest_value
from autocontour.rtstruct.encoding import sequence_items, vr_of
from autocontour.rtstruct.planes import half_step_mm
from autocontour.rtstruct.read.parse import FileContour, FileRoi, concatenate_points, integer_of, parse_rois
from autocontour.rtstruct.references import frames_of_reference, referenced_images, referenced_series
from autocontour.rtstruct.text import own_encodings, raw_text, shown_text
from autocontour.rtstruct.write.contours import CLOSED, GEOMETRIC_TYPES, XOR
from autocontour.rtstruct.write.modules import COPIED

ON_SLICE_MM = 0.0005
"""A contour this close to its slice is on it: the difference rounds to 0.000 mm."""
_FORMS = {"UI": re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+"), "CS": re.compile(r"[A-Z0-9_ ]*")}
_BULK = {"ROIContourSequence", "ReferencedFrameOfReferenceSequence"}
_ROI = {"StructureSetROISequence", "RTROIObservationsSequence"}
_NUMBERS = {"ROINumber", "ReferencedROINumber", "ObservationNumber"}
_OWN = {*_NUMBERS, "ROIName", "ReferencedFrameOfReferenceUID"}
"""Attributes of the program's own structures; of imported ones, only the numbers."""


def validate_structure_set(
    dataset: Dataset, ct: CTVolume, *, rois: Sequence[FileRoi] | None = None, imported: Collection[int] = ()
) -> None:
    """Reject a structure set that a planning system might not accept; the parameters are those of the check.

    Raises
    ------
    OutputError
        ``AC-OUT-111`` with everything that `check_structure_set` finds blocking.
    """
    findings = check_structure_set(dataset, ct, rois=rois, imported=imported)
    faults = [finding for finding in findings if finding.severity is Severity.BLOCK]
    if faults:
        raise OutputError("AC-OUT-111", faults=list_faults(faults))


def list_faults(faults: Iterable[Finding]) -> str:
    """Return the codes and subjects of the first faults, for a message."""
    listed = list(dict.fromkeys(f"{fault.code} {fault.where}".strip() for fault in faults))
    return ", ".join(listed[:5]) + (" …" if len(listed) > 5 else "")


def check_structure_set(
    dataset: Dataset, ct: CTVolume, *, rois: Sequence[FileRoi] | None = None, imported: Collection[int] = ()
) -> list[Finding]:
    """Check a structure set against PS3.3 and against its CT.

    Required attributes, lengths of values, UIDs, numbers that refer to one another, references to images, approval,
    and for every contour its type, its number of points, and the distance from the slice that it references.

    Parameters
    ----------
    dataset
        The structure set as read from its file.
    ct
        The CT it is drawn on.
    rois
        Its parsed ROIs, if available.
    imported
        ROI Numbers of structures of another system's file, whose contours and attributes are unchanged.

    Returns
    -------
    list of Finding
        BLOCK for a violation; WARN for one in a value copied from the CT or another system, in an imported structure,
        and for contours between slices.
    """
    rois = parse_rois(dataset) if rois is None else rois
    faults = [
        *_check_required(dataset),
        *_check_values(dataset, imported),
        *_check_numbers(dataset, rois),
        *_check_approval(dataset),
    ]
    if ct.reference is not None:
        faults += _check_references(dataset, ct.reference)
    for roi in rois:
        found = _check_contours(roi, ct)
        faults += map(_kept, found) if roi.number in imported else found
    return faults


def _check_required(dataset: Dataset) -> Iterator[Finding]:
    """Types 1 and 2."""
    for path, attributes in REQUIRED.items():
        for item in _items_at(dataset, [part for part in path.split(".") if part]):
            for keyword, kind in attributes.items():
                if keyword not in item:
                    yield _fault("AC-RS-101", path, keyword=keyword)
                elif kind == 1 and _is_empty(item, keyword):
                    yield _fault("AC-RS-102", path, keyword=keyword)


def _items_at(dataset: Dataset, path: Sequence[str]) -> Iterator[Dataset]:
    if not path:
        yield dataset
        return
    for item in sequence_items(dataset, path[0]):
        yield from _items_at(item, path[1:])


def _is_empty(item: Dataset, keyword: str) -> bool:
    is_sequence = dictionary_VR(keyword) == "SQ"
    return not (sequence_items(item, keyword) if is_sequence else raw_text(item, keyword))


def _check_values(dataset: Dataset, imported: Collection[int]) -> Iterator[Finding]:
    """Length and form of values, except for the contours and the list of images, which have separate checks."""
    for keyword, vr, values, in_roi in _texts(dataset):
        is_own = not in_roi or keyword in (_NUMBERS if imported else _OWN)
        keep = keyword in COPIED or not is_own
        for value in values:
            limit = MAX_CHARACTERS.get(vr, len(value))
            if len(value) > limit:
                fault = _fault("AC-RS-103", keyword, keyword=keyword, limit=limit)
                yield _kept(fault) if keep else fault
            if (form := _FORMS.get(vr)) and value and not form.fullmatch(value):
                fault = _fault("AC-RS-104", keyword, keyword=keyword)
                yield _kept(fault) if keep else fault


def _texts(dataset: Dataset, *, in_roi: bool = False) -> Iterator[tuple[str, str, list[str], bool]]:
    """Yield every text attribute: keyword, VR, the values limited by the VR, and whether it belongs to an ROI.

    That is each value; of a person's name each component group. Raw values stay raw in `dataset`.
    """
    for tag in sorted(dataset.keys()):
        keyword, vr = keyword_for_tag(tag), vr_of(dataset, tag)
        if vr == "SQ" and keyword and keyword not in _BULK:
            for item in sequence_items(dataset, keyword):
                yield from _texts(item, in_roi=in_roi or keyword in _ROI)
        elif vr in MAX_CHARACTERS and keyword:
            text = shown_text(dataset, keyword, own_encodings(dataset))
            parts = [text] if vr in {"LT", "ST"} else text.split("\\")
            yield keyword, vr, [g for part in parts for g in part.split("=")] if vr == "PN" else parts, in_roi


def _check_numbers(dataset: Dataset, rois: Sequence[FileRoi]) -> Iterator[Finding]:
    """ROI Numbers and Observation Numbers are unique, and every ROI has its contours' and observations' items."""
    for roi in rois:
        if not roi.roi or roi.number < 0:
            yield _fault("AC-RS-105", str(roi.number), number=roi.number)
        elif len(roi.contour_items) != 1 or not roi.observations:
            yield _fault("AC-RS-106", str(roi.number), number=roi.number)
    numbers = Counter(roi.number for roi in rois)
    items = sequence_items(dataset, "RTROIObservationsSequence")
    observations = [integer_of(item, "ObservationNumber") for item in items]
    referred = {integer_of(item, "ReferencedROINumber") for item in items}
    if max(numbers.values(), default=0) > 1 or len(set(observations)) < len(observations):
        yield _fault("AC-RS-107")
    for number in sorted(referred - set(numbers)):
        yield _fault("AC-RS-122", str(number), number=number)


def _check_approval(dataset: Dataset) -> Iterator[Finding]:
    """Review Date, Time and Reviewer Name are 2C: present if and only if the status is not UNAPPROVED (C.8.8.16)."""
    status = str(dataset.get("ApprovalStatus", ""))
    if status not in {"APPROVED", "UNAPPROVED", "REJECTED"}:
        yield _fault("AC-RS-108", "ApprovalStatus")
    for keyword in ("ReviewDate", "ReviewTime", "ReviewerName"):
        if status == "APPROVED" and not str(dataset.get(keyword, "") or ""):
            yield _fault("AC-RS-109", keyword, keyword=keyword)


def _check_references(dataset: Dataset, ct: SeriesReference) -> Iterator[Finding]:
    """Every reference is to the CT's study, series, frame and images, and every image is referenced."""
    frames = sequence_items(dataset, "ReferencedFrameOfReferenceSequence")
    listed = {str(item.get("FrameOfReferenceUID")) for item in frames}
    if ct.frame_of_reference_uid not in listed or frames_of_reference(dataset) - listed:
        yield _fault("AC-RS-110", "FrameOfReferenceUID")
    if str(dataset.get("StudyInstanceUID", "")) != ct.study_instance_uid:
        yield _fault("AC-RS-111", "StudyInstanceUID")
    series = list(referenced_series(dataset))
    if [str(item.get("SeriesInstanceUID", "")) for item in series] != [ct.series_instance_uid]:
        yield _fault("AC-RS-112", "RTReferencedSeriesSequence")
    if sorted(referenced_images(series)) != sorted(ct.sop_instance_uids):
        yield _fault("AC-RS-113", "ContourImageSequence")


def _check_contours(roi: FileRoi, ct: CTVolume) -> Iterator[Finding]:
    name = shown_text(roi.roi, "ROIName", own_encodings(roi.roi)) or str(roi.number)
    tests: dict[str, Callable[[FileContour], bool]] = {
        "AC-RS-114": lambda c: c.geometric_type not in GEOMETRIC_TYPES,
        "AC-RS-118": lambda c: c.points is None,
        "AC-RS-119": lambda c: c.points is not None and c.stated_points != len(c.points),
        "AC-RS-120": lambda c: _count(c) < (3 if c.geometric_type in {CLOSED, XOR} else 1),
        "AC-RS-121": lambda c: longest_value(c.data) > MAX_DECIMAL_STRING,
    }
    for code, test in tests.items():
        if any(test(contour) for contour in roi.contours):
            yield _fault(code, name, name=name)
    if ct.reference is not None:
        yield from _check_images(name, roi.contours, ct, ct.reference)


def _check_images(
    name: str, contours: Sequence[FileContour], ct: CTVolume, reference: SeriesReference
) -> Iterator[Finding]:
    """Every closed contour references the image in whose plane it lies."""
    slices = {uid: index for index, uid in enumerate(reference.sop_instance_uids)}
    if any(uid not in slices for contour in contours for uid in contour.images or ()):
        yield _fault("AC-RS-115", name, name=name)
        return
    sound = [c for c in contours if c.points is not None and len(c.points) and c.images]
    points, starts = concatenate_points(sound)
    if not len(starts):
        return
    index = np.array([slices[contour.images[0]] for contour in sound if contour.images])
    distance = _distance_from(points, starts, ct.geometry.slice_positions_mm[index], ct)
    if (distance > half_step_mm(ct.geometry)[index] + ON_SLICE_MM).any():
        yield _fault("AC-RS-116", name, name=name)
    elif (distance > ON_SLICE_MM).any():
        yield _fault("AC-RS-117", name, name=name, mm=float(distance.max()))


def _distance_from(points: Floats, starts: np.ndarray, positions_mm: Floats, ct: CTVolume) -> Floats:
    """Return the largest distance of each contour's points from a position along the normal."""
    w = ct.geometry.to_plane(points)[:, 2]
    lowest, highest = np.minimum.reduceat(w, starts), np.maximum.reduceat(w, starts)
    distance: Floats = np.maximum(np.abs(lowest - positions_mm), np.abs(highest - positions_mm))
    return distance


def _count(contour: FileContour) -> int:
    return 0 if contour.points is None else len(contour.points)


def _fault(code: str, where: str = "", **values: Value) -> Finding:
    return Finding.of(code, where, (), None, **values)


def _kept(finding: Finding) -> Finding:
    """Return a fault as a warning: the value is copied from the CT or another system."""
    return replace(finding, severity=min(finding.severity, Severity.WARN))
