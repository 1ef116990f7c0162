"""Parsing of a file's ROIs, without interpretation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from autocontour.patient.geometry import Floats
from autocontour.rtstruct.contour_data import Ints, parse_many
from autocontour.rtstruct.encoding import raw_element, sequence_items

_IMAGES, _TYPE = Tag("ContourImageSequence"), Tag("ContourGeometricType")
_COUNT, _DATA = Tag("NumberOfContourPoints"), Tag("ContourData")
_INSTANCE_TAG = b"\x08\x00\x55\x11"
_UNDEFINED = 0xFFFFFFFF
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")
KNOWN_TAGS = frozenset({_IMAGES, _TYPE, _COUNT, _DATA})
"""The attributes of a contour that the program rewrites; all others are kept as they are."""


@dataclass(frozen=True, eq=False)
class FileContour:
    """One item of a Contour Sequence (C.8.8.6).

    Attributes
    ----------
    geometric_type, data
        Contour Geometric Type and Contour Data as in the file.
    stated_points
        Number of Contour Points; -1 if it is missing or not a number.
    images
        SOP Instance UIDs that its Contour Image Sequence references; None if there is no such sequence.
    points
        (n, 3) points in patient mm; None if the data are damaged.
    item
        The item itself.
    """

    geometric_type: str
    data: bytes
    stated_points: int
    images: tuple[str, ...] | None
    points: Floats | None
    item: Dataset


@dataclass(frozen=True, eq=False)
class FileRoi:
    """One ROI of a file.

    Attributes
    ----------
    number
        ROI Number as in the file; -1 if it is missing.
    roi
        Its Structure Set ROI Sequence item; empty if there are only contours.
    contour_items, observations
        Its items in the ROI Contour and RT ROI Observations Sequences, usually one each.
    contours
        Its contours, in the file's order.
    """

    number: int
    roi: Dataset
    contour_items: tuple[Dataset, ...]
    observations: tuple[Dataset, ...]
    contours: tuple[FileContour, ...]


def parse_rois(dataset: Dataset) -> list[FileRoi]:
    """Return the ROIs of a structure set in the order of the file; ROIs that share a number are paired in order."""
    items = sequence_items(dataset, "StructureSetROISequence")
    contours = _by_number(sequence_items(dataset, "ROIContourSequence"))
    observations = _by_number(sequence_items(dataset, "RTROIObservationsSequence"))
    numbers = [integer_of(item, "ROINumber") for item in items]
    rois = []
    for index, (item, number) in enumerate(zip(items, numbers, strict=True)):
        is_last = number not in numbers[index + 1 :]
        mine, theirs = _take(contours[number], last=is_last), _take(observations[number], last=is_last)
        rois.append(_file_roi(number, item, mine, theirs))
    orphans = [(number, left) for number, left in contours.items() if left]
    rois.extend(_file_roi(number, Dataset(), left, observations[number]) for number, left in orphans)
    return rois


def check_whole(element: RawDataElement) -> None:
    """Reject a value that ends before its stated length, which pydicom accepts.

    Raises
    ------
    ValueError
        Converted by `autocontour.dicom.read.guarded` to an error with a code.
    """
    if element.length not in (len(element.value or b""), _UNDEFINED):
        raise ValueError("a value is cut off")


def concatenate_points(contours: Iterable[FileContour]) -> tuple[Floats, Ints]:
    """Return the points of valid contours one after another, and the start of each contour."""
    arrays = [contour.points for contour in contours if contour.points is not None]
    lengths = np.array([len(points) for points in arrays], dtype=np.int64)
    return (np.concatenate(arrays) if arrays else np.empty((0, 3))), np.cumsum(lengths) - lengths


def _by_number(items: Iterable[Dataset]) -> defaultdict[int, list[Dataset]]:
    found: defaultdict[int, list[Dataset]] = defaultdict(list)
    for item in items:
        found[integer_of(item, "ReferencedROINumber")].append(item)
    return found


def _take(items: list[Dataset], *, last: bool) -> list[Dataset]:
    """Remove the next item of those with the same number; the last ROI of the number gets all remaining ones."""
    count = len(items) if last else 1
    taken = items[:count]
    del items[:count]
    return taken


def _file_roi(number: int, roi: Dataset, contour_items: Iterable[Dataset], observations: Iterable[Dataset]) -> FileRoi:
    kept = tuple(contour_items)
    contours = tuple(contour for item in kept for contour in _parse_contours(item))
    return FileRoi(number, roi, kept, tuple(observations), contours)


def _parse_contours(item: Dataset) -> Iterator[FileContour]:
    contours = sequence_items(item, "ContourSequence")
    data = [_raw(contour, _DATA) for contour in contours]
    for contour, value, points in zip(contours, data, parse_many(data), strict=True):
        yield FileContour(
            _raw(contour, _TYPE).decode("latin-1").strip(" \0"),
            value,
            _to_integer(_raw(contour, _COUNT).decode("latin-1")),
            _image_uids(contour),
            points,
            contour,
        )


def _raw(item: Dataset, tag: BaseTag) -> bytes:
    """Return a text attribute's raw value; empty if it is missing."""
    if tag not in item:
        return b""
    element = raw_element(item, tag)
    if element is not None:
        check_whole(element)
        return element.value or b""
    value = item[tag].value
    values = value if isinstance(value, MultiValue) else [value]
    return "\\".join("" if one is None else str(one) for one in values).encode("latin-1", "replace")


def _image_uids(contour: Dataset) -> tuple[str, ...] | None:
    """Return the images a contour references, directly from the raw sequence if there is one."""
    if _IMAGES not in contour:
        return None
    element = raw_element(contour, _IMAGES)
    if element is not None and element.value:
        return tuple(_find_uids(element.value, implicit=element.is_implicit_VR or element.VR == "UN"))
    return tuple(str(image.get("ReferencedSOPInstanceUID", "") or "") for image in contour[_IMAGES].value)


def _find_uids(sequence: bytes, *, implicit: bool) -> Iterator[str]:
    """Yield the Referenced SOP Instance UIDs of an encoded Contour Image Sequence."""
    start = sequence.find(_INSTANCE_TAG)
    while start >= 0:
        length = int.from_bytes(
            sequence[start + 4 : start + 8] if implicit else sequence[start + 6 : start + 8], "little"
        )
        yield sequence[start + 8 : start + 8 + length].decode("latin-1").strip(" \0")
        start = sequence.find(_INSTANCE_TAG, start + 8 + length)


def integer_of(item: Dataset, keyword: str) -> int:
    """Return an attribute of VR IS; -1 if it is missing or not a number."""
    return _to_integer(_raw(item, Tag(keyword)).decode("latin-1"))


def _to_integer(text: str) -> int:
    """Return a value of VR IS; -1 if it is not valid."""
    found = _INTEGER.fullmatch(text.strip(" \0"))
    return int(found[0]) if found else -1
