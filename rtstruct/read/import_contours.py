"""Contours of a file laid on the CT's slices by where they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.base.findings import Finding, Severity
from autocontour.contouring.rings import areas_of_rings, combine_areas
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.rtstruct.contour_data import MAX_DECIMAL_STRING, Ints, longest_value
from autocontour.rtstruct.read.parse import FileContour, concatenate_points
from autocontour.rtstruct.write.contours import (
    AREAS,
    GEOMETRIC_TYPES,
    INTERPOLATED,
    ON_PLANE_MM,
    POINT,
    XOR,
    half_step_mm,
    nearest_slices,
)

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

SAME_PLANE_MM = 0.01
"""Contours whose planes differ by more are not on one plane."""


@dataclass
class Notes:
    """Gathers what is noticed about one structure."""

    where: str
    findings: list[Finding] = field(default_factory=list)

    def warn(self, code: str, message: str, remedy: str = "", slices: Iterable[int] = ()) -> None:
        """Note something the user should know, on `slices` if it concerns some more than others."""
        self.findings.append(Finding(code, Severity.WARN, message, self.where, remedy, tuple(sorted({*slices}))))

    def tell(self, code: str, message: str) -> None:
        """Note something that is sound but worth knowing."""
        self.findings.append(Finding(code, Severity.INFO, message, self.where))


@dataclass(frozen=True)
class Placed:
    """The contours of one ROI on the slices.

    Attributes
    ----------
    areas
        Slice index → what the contours on it enclose.
    contours
        Slice index → those contours.
    carried
        The contours that are on no slice or enclose nothing.
    """

    areas: Contours
    contours: Mapping[int, Sequence[FileContour]]
    carried: Sequence[FileContour]


def place_contours(contours: Sequence[FileContour], geometry: VolumeGeometry, notes: Notes) -> Placed:
    """Lay an ROI's contours on the slices and say what is odd."""
    carried: list[FileContour] = []
    closed = _choose_closed(contours, carried, notes)
    on_slices = _lay_on_slices(closed, geometry, carried, notes)
    areas: dict[int, MultiPolygon] = {}
    kept: dict[int, Sequence[FileContour]] = {}
    doubtful: list[int] = []
    nested: list[int] = []
    for index, mine in sorted(on_slices.items()):
        is_xor = any(contour.geometric_type == XOR for contour, _ in mine)
        found = combine_areas(np.array([area for _, area in mine], dtype=object), xor=is_xor)
        if found.area.is_empty:  # exclusive-or of equal rings
            carried.extend(contour for contour, _ in mine)
            continue
        areas[index], kept[index] = found.area, [contour for contour, _ in mine]
        if found.overlapping:
            doubtful.append(index)
        if found.nested and not is_xor:
            nested.append(index)
    _tell_of_areas(areas, geometry, doubtful, nested, notes)
    order = {id(contour): place for place, contour in enumerate(contours)}
    return Placed(areas, kept, sorted(carried, key=lambda contour: order[id(contour)]))


def _choose_closed(contours: Sequence[FileContour], carried: list[FileContour], notes: Notes) -> list[FileContour]:
    """Tell the contours that enclose an area from points, lines and damaged ones, which are carried."""
    counts: defaultdict[str, int] = defaultdict(int)
    closed: list[FileContour] = []
    for contour in contours:
        kind = _oddity(contour)
        counts[kind] += 1
        (closed if kind in {"", INTERPOLATED, "untyped"} else carried).append(contour)
        counts["miscounted"] += contour.points is not None and contour.stated_points != len(contour.points)
        counts["long"] += longest_value(contour.data) > MAX_DECIMAL_STRING
        counts["xor"] += contour.geometric_type == XOR
    for kind, (code, message) in _ODDITIES.items():
        if counts[kind]:
            notes.warn(code, message.format(counts[kind]), _KEPT)
    if counts["xor"]:
        notes.tell("AC-RS-025", f"Its holes are {counts['xor']} contours of type {XOR}.")
    return closed


def _oddity(contour: FileContour) -> str:
    if contour.points is None:
        return "damaged"
    if contour.geometric_type == POINT:
        return "point"
    if contour.geometric_type not in AREAS:
        return "open" if contour.geometric_type in GEOMETRIC_TYPES else "unknown"
    if len(contour.points) < 3:
        return "short"
    if not contour.geometric_type:
        return "untyped"
    return INTERPOLATED if contour.geometric_type == INTERPOLATED else ""


def _lay_on_slices(
    closed: Sequence[FileContour], geometry: VolumeGeometry, carried: list[FileContour], notes: Notes
) -> dict[int, list[tuple[FileContour, MultiPolygon | Polygon]]]:
    """Return slice index → its contours and what each encloses; the others are carried."""
    points, starts = concatenate_points(closed)
    if not len(starts):
        return {}
    plane = geometry.to_plane(points)
    lowest, highest = (extreme.reduceat(plane[:, 2], starts) for extreme in (np.minimum, np.maximum))
    position = (lowest + highest) / 2
    index, distance = nearest_slices(position, geometry)
    tilted = highest - lowest > ON_PLANE_MM
    outside = ~tilted & (distance > half_step_mm(geometry)[index])
    placed = ~tilted & ~outside
    second = _on_second_plane(index, position, distance, placed)
    _warn_of(notes, tilted, "AC-RS-030", "{} contours do not lie in a plane parallel to the slices.")
    _warn_of(notes, outside, "AC-RS-028", "{} contours lie on no slice of the CT.")
    _warn_of(notes, second, "AC-RS-031", "{} contours lie on a second plane at the same slice.", index)
    between = placed & ~second & (distance > SAME_PLANE_MM)
    if between.any():
        far = float(distance[between].max())
        message = f"{np.count_nonzero(between)} contours lie between slices, up to {far:.2f} mm off; they are shown on"
        notes.warn("AC-RS-029", f"{message} the nearest slice.", _UNCHANGED, index[between].tolist())
    inside = areas_of_rings(plane[:, :2], starts)
    empty = placed & ~second & shapely.is_empty(inside)
    _warn_of(notes, empty, "AC-RS-027", "{} contours enclose nothing.")
    result: defaultdict[int, list[tuple[FileContour, MultiPolygon | Polygon]]] = defaultdict(list)
    on_slice = placed & ~second & ~empty
    for contour, slice_index, area, on in zip(closed, index.tolist(), inside, on_slice.tolist(), strict=True):
        if on:
            result[slice_index].append((contour, area))
        else:
            carried.append(contour)
    return result


def _on_second_plane(index: Ints, position: Floats, distance: Floats, placed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the contours of a slice that are not on the plane nearest to it: united, they would make false areas."""
    nearest = np.full(int(index.max()) + 1, np.inf)
    np.minimum.at(nearest, index[placed], distance[placed])
    at = np.zeros(len(nearest))
    first = placed & (distance == nearest[index])
    at[index[first]] = position[first]
    second: NDArray[np.bool_] = placed & (np.abs(position - at[index]) > ON_PLANE_MM)
    return second


def _warn_of(notes: Notes, which: NDArray[np.bool_], code: str, message: str, slices: Ints | None = None) -> None:
    if count := int(np.count_nonzero(which)):
        notes.warn(code, message.format(count), _UNCHANGED, () if slices is None else slices[which].tolist())


def _tell_of_areas(
    areas: Contours, geometry: VolumeGeometry, doubtful: Sequence[int], nested: Sequence[int], notes: Notes
) -> None:
    if doubtful:
        message = f"Contours overlap on {len(doubtful)} slices; they were united, other systems may do otherwise."
        notes.warn("AC-RS-033", message, "Look at those slices.", doubtful)
    if nested:
        message = f"Contours lie inside others on {len(nested)} slices and were read as holes;"
        notes.warn("AC-RS-034", f"{message} other systems may fill them.", "Look at those slices.", nested)
    if not areas:
        return
    bounds = shapely.bounds(np.array(list(areas.values()), dtype=object))
    if _leaves_image(bounds, list(areas), geometry):
        notes.warn("AC-RS-032", "Its contours reach beyond the image.")
    size = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    if small := [k for k, mm in zip(areas, size.tolist(), strict=True) if mm < min(geometry.pixel_spacing_vu_mm)]:
        message = f"It is smaller than a voxel on {len(small)} slices."
        notes.warn("AC-RS-042", message, "A mask may not show it there.", small)


def _leaves_image(bounds: Floats, slices: Sequence[int], geometry: VolumeGeometry) -> bool:
    row_mm, column_mm = geometry.pixel_spacing_vu_mm
    first = geometry.plane_origins_uv_mm[slices] - np.array([column_mm, row_mm]) / 2
    last = first + np.array([geometry.columns * column_mm, geometry.rows * row_mm])
    return bool((bounds[:, :2] < first - SAME_PLANE_MM).any() or (bounds[:, 2:] > last + SAME_PLANE_MM).any())


def _count(contours: Mapping[int, Sequence[FileContour]]) -> int:
    return sum(map(len, contours.values()))


_KEPT = "Their points are kept and written back."
_UNCHANGED = "They are kept and written back unchanged."
_ODDITIES = {
    "damaged": ("AC-RS-035", "{} contours have damaged data."),
    "point": ("AC-RS-022", "It has {} points, such as an isocentre, and they enclose nothing."),
    "open": ("AC-RS-023", "{} contours are open lines and enclose nothing."),
    "unknown": ("AC-RS-046", "{} contours are of a kind that DICOM does not know; they are kept as lines."),
    "short": ("AC-RS-021", "{} contours have fewer than 3 points; they are kept as points and lines."),
    "untyped": ("AC-RS-040", "{} contours do not say what kind they are; they were taken for closed ones."),
    INTERPOLATED: (
        "AC-RS-024",
        "{} contours were interpolated by another system; they are taken for closed ones.",
    ),
    "miscounted": ("AC-RS-036", "{} contours state another number of points than they have."),
    "long": ("AC-RS-041", "{} contours have values longer than 16 characters, which some systems refuse."),
}
