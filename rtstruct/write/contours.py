"""A structure's polygons as the contours of a file (ROI Contour module, PS3.3 C.8.8.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from autocontour.base.errors import OutputError
from autocontour.contouring.ragged import signed_areas
from autocontour.contouring.rings import keyhole_rings, nested_rings, polygon_from_ring
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import ImportedContour, Structure
from autocontour.patient.volume import CTVolume, SeriesReference
from autocontour.rtstruct.contour_data import (
    DECIMALS,
    Ints,
    format_contour_data,
    pad,
    parse_contour_data,
    shorten_values,
)
from autocontour.rtstruct.encoding import decode_dataset, encode_dataset, encode_element, encode_item
from autocontour.rtstruct.planes import ON_PLANE_MM, half_step_mm, nearest_slices
from autocontour.rtstruct.write.options import HoleStyle

CLOSED, XOR = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
POINT, OPEN, OPEN_ANYWHERE = "POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"
GEOMETRIC_TYPES = frozenset({CLOSED, XOR, POINT, OPEN, OPEN_ANYWHERE})
"""Contour Geometric Type (C.8.8.6.1)."""
INTERPOLATED = "INTERPOLATED_PLANAR"
"""Not defined in DICOM, but in use: a closed contour interpolated by the planning system."""
AREAS = frozenset({CLOSED, XOR, INTERPOLATED, ""})
"""The types whose contours enclose an area; a missing type counts as one."""
SMALLEST_AREA_MM2 = 1e-4
"""Slivers below this are not written: at the file's precision they have no area."""


@dataclass(frozen=True, slots=True)
class ContourRecord:
    """One contour to be written.

    Attributes
    ----------
    geometric_type
        Contour Geometric Type (3006,0042).
    data
        Contour Data (3006,0050), of even length.
    slice_index
        The slice whose image it references; None if there is none.
    attributes
        Further attributes of an imported item, in Explicit VR Little Endian.
    drawn
        Whether it was made from the structure's polygons; otherwise it is the imported one.
    """

    geometric_type: str
    data: bytes
    slice_index: int | None
    attributes: bytes = b""
    drawn: bool = False

    @property
    def point_count(self) -> int:
        """Number of Contour Points (3006,0046)."""
        return (self.data.count(b"\\") + 1) // 3


def build_contour_records(structure: Structure, ct: CTVolume, holes: HoleStyle) -> list[ContourRecord]:
    """Return a structure's contours, slice by slice; unedited slices keep their imported points.

    Raises
    ------
    OutputError
        ``AC-OUT-119`` for contours on slices that the CT does not have.
    """
    geometry = ct.geometry
    if beyond := sorted(structure.contours.keys() - set(range(len(geometry.slice_positions_mm)))):
        raise OutputError("AC-OUT-119", name=structure.name, count=len(beyond))
    if ct.reference and other_frame_of_reference(structure, ct.reference):
        return [_imported_record(item, None) for item in structure.carried]
    kept = {index: items for index, items in structure.imported.items() if index in structure.contours}
    style = _style_beside({item.geometric_type for items in kept.values() for item in items}, holes)
    drawn = sorted(set(structure.contours) - set(kept))
    records = [_imported_record(item, index) for index, items in kept.items() for item in items]
    records.extend(_drawn_records(structure, drawn, geometry, style))
    records.sort(key=lambda record: record.slice_index or 0)
    for item in structure.carried:
        index = find_slice(item, geometry)
        if index is None or index in kept or not _encloses_area(item, geometry):
            records.append(_imported_record(item, index))
    return records


def _encloses_area(contour: ImportedContour, geometry: VolumeGeometry) -> bool:
    """Whether a carried contour is an area on a second plane of its slice: it is removed when the slice is edited.

    Exclusive-or contours that cancel each other are also carried; they enclose no area.
    """
    points = parse_contour_data(contour.data.encode("latin-1"))
    if points is None or contour.geometric_type not in AREAS - {XOR}:
        return False
    return not polygon_from_ring(geometry.to_plane(points)[:, :2]).is_empty


def other_frame_of_reference(structure: Structure, ct: SeriesReference) -> str:
    """Return the frame of reference of an imported structure if it differs from the CT's; else empty.

    Raises
    ------
    OutputError
        ``AC-OUT-108`` if something was drawn on the CT for such a structure.
    """
    rois = decode_dataset(structure.attributes).get("StructureSetROISequence") if structure.attributes else None
    frame = str(rois[0].get("ReferencedFrameOfReferenceUID", "") or "") if rois else ""
    if frame in {"", ct.frame_of_reference_uid} or not structure.carried:
        return ""
    if structure.contours:
        raise OutputError("AC-OUT-108", name=structure.name)
    return frame


def encode_contours(records: Sequence[ContourRecord], ct: SeriesReference, *, implicit: bool) -> list[bytes]:
    """Return the items of a Contour Sequence (3006,0040), ready to be written."""
    images: dict[int, bytes] = {}
    items = []
    for record in records:
        index = record.slice_index
        if index is not None and index not in images:
            images[index] = _image_reference(ct, index, implicit=implicit)
        items.append(_encode_contour(record, images[index] if index is not None else b"", implicit=implicit))
    return items


def count_points(records: Iterable[ContourRecord]) -> int | None:
    """Return the number of points of an ROI, which shows that an imported one is unchanged; None if redrawn."""
    total = 0
    for record in records:
        if record.drawn:
            return None
        total += record.point_count
    return total


def find_slice(contour: ImportedContour, geometry: VolumeGeometry) -> int | None:
    """Return the slice of a planar contour or point, within half a spacing; None if there is none."""
    points = parse_contour_data(contour.data.encode("latin-1"))
    if points is None:
        return None
    positions = geometry.to_plane(points)[:, 2]
    if np.ptp(positions) > ON_PLANE_MM:
        return None
    index, distance = nearest_slices(positions[:1], geometry)
    return int(index[0]) if distance[0] <= half_step_mm(geometry)[index[0]] else None


def _style_beside(imported_types: set[str], holes: HoleStyle) -> HoleStyle:
    """Return how to write edited slices: an ROI's contours are XOR all or none (PS3.3 C.8.8.6.3)."""
    if XOR in imported_types:
        return HoleStyle.XOR
    return HoleStyle.KEYHOLE if imported_types and holes is HoleStyle.XOR else holes


def _imported_record(contour: ImportedContour, slice_index: int | None) -> ContourRecord:
    """Return an imported contour unchanged, also with damaged coordinates."""
    data = contour.data.encode("latin-1")
    points = parse_contour_data(data)
    if points is None:
        kind = contour.geometric_type if contour.geometric_type in GEOMETRIC_TYPES else OPEN_ANYWHERE
        return ContourRecord(kind, pad(data), None, contour.item)
    return ContourRecord(_sound_type(contour, len(points)), pad(shorten_values(data)), slice_index, contour.item)


def _sound_type(contour: ImportedContour, points: int) -> str:
    """Return a type defined in DICOM: contours that cannot be closed are points or lines."""
    if contour.geometric_type not in AREAS:
        return contour.geometric_type if contour.geometric_type in GEOMETRIC_TYPES else OPEN_ANYWHERE
    if points < 3:
        return POINT if points == 1 else OPEN
    return XOR if contour.geometric_type == XOR else CLOSED


def _drawn_records(
    structure: Structure, slices: Sequence[int], geometry: VolumeGeometry, holes: HoleStyle
) -> Iterator[ContourRecord]:
    rings, places = [], []
    for index in slices:
        area = structure.contours[index]
        mine = keyhole_rings(area) if holes is HoleStyle.KEYHOLE else nested_rings(area)
        rings.extend(mine)
        places.extend([index] * len(mine))
    if not rings:
        return
    points, starts, kept = _clean_rings(np.concatenate(rings), np.array([len(ring) for ring in rings]))
    ring_slices = np.array(places)[kept]
    w = np.repeat(geometry.slice_positions_mm[ring_slices], np.diff(starts, append=len(points)))
    data = format_contour_data(geometry.to_patient(np.column_stack([points, w])), starts)
    kind = XOR if holes is HoleStyle.XOR else CLOSED
    yield from (
        ContourRecord(kind, text, place, drawn=True) for text, place in zip(data, ring_slices.tolist(), strict=True)
    )


def _clean_rings(points_uv_mm: Floats, lengths: Ints) -> tuple[Floats, Ints, Ints]:
    """Drop points that equal the previous one at the file's precision, then rings without an area.

    Returns
    -------
    tuple
        Points, first point of every remaining ring, and the mask of remaining rings.
    """
    ring = np.repeat(np.arange(len(lengths)), lengths)
    rounded = np.rint(points_uv_mm * 10**DECIMALS)
    before = np.roll(rounded, 1, axis=0)
    starts = np.cumsum(lengths) - lengths
    before[starts] = rounded[starts + lengths - 1]
    distinct = np.any(rounded != before, axis=1)
    points_uv_mm, ring = points_uv_mm[distinct], ring[distinct]
    present, starts, counts = np.unique(ring, return_index=True, return_counts=True)
    areas = signed_areas(points_uv_mm, np.append(starts, len(points_uv_mm)))
    sound = (counts >= 3) & (np.abs(areas) >= SMALLEST_AREA_MM2)
    inside = np.repeat(sound, counts)
    counts = counts[sound]
    return points_uv_mm[inside], np.cumsum(counts) - counts, present[sound]


def _image_reference(ct: SeriesReference, index: int, *, implicit: bool) -> bytes:
    """Return a Contour Image Sequence (3006,0016) that references one slice."""
    content = encode_element("ReferencedSOPClassUID", uid_bytes(ct.sop_class_uid), implicit=implicit)
    content += encode_element("ReferencedSOPInstanceUID", uid_bytes(ct.sop_instance_uids[index]), implicit=implicit)
    return encode_element("ContourImageSequence", encode_item(content), implicit=implicit)


def _encode_contour(record: ContourRecord, image: bytes, *, implicit: bool) -> bytes:
    count = pad(str(record.point_count).encode())
    elements = [
        image,
        encode_element("ContourGeometricType", pad(record.geometric_type.encode()), implicit=implicit),
        encode_element("NumberOfContourPoints", count, implicit=implicit),
        encode_element("ContourData", record.data, implicit=implicit),
    ]
    if record.attributes:
        elements.extend(_encode_each(record.attributes, implicit=implicit))
        elements.sort(key=lambda element: (element[1:2], element[:1], element[3:4], element[2:3]))
    return encode_item(b"".join(elements))


def _encode_each(attributes: bytes, *, implicit: bool) -> Iterator[bytes]:
    dataset = decode_dataset(attributes)
    for tag in dataset.keys():  # noqa: SIM118  (iterating a Dataset would convert every value)
        single = Dataset()
        single[tag] = dataset.get_item(tag)
        yield encode_dataset(single, implicit=implicit)


def uid_bytes(uid: str) -> bytes:
    """Return a UID padded to even length."""
    value = uid.encode("ascii")
    return value + b"\0" if len(value) % 2 else value
