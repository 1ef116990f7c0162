"""Assignment of a file's contours to the CT's slices by position."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.contouring.rings import RingsArea, areas_of_rings, combine_areas
from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.rtstruct.contour_data import MAX_DECIMAL_STRING, longest_value
from autocontour.rtstruct.planes import (
    ON_PLANE_MM,
    SAME_PLANE_MM,
    group_planes,
    half_step_mm,
    nearest_slices,
    plane_positions_mm,
)
from autocontour.rtstruct.read.notes import Notes
from autocontour.rtstruct.read.parse import FileContour, concatenate_points
from autocontour.rtstruct.write.contours import AREAS, GEOMETRIC_TYPES, INTERPOLATED, POINT, XOR

if TYPE_CHECKING:
    from shapely import MultiPolygon


@dataclass(frozen=True)
class Placed:
    """The contours of one ROI on the slices.

    Attributes
    ----------
    areas
        Slice index → area enclosed by the contours on it.
    contours
        Slice index → those contours.
    carried
        The contours off the slices or without an area.
    """

    areas: Contours
    contours: Mapping[int, Sequence[FileContour]]
    carried: Sequence[FileContour]


@dataclass(frozen=True, eq=False)
class _Plane:
    """The closed contours of one plane parallel to the slices.

    Attributes
    ----------
    slice_index, distance_mm, position_mm
        The slice it belongs to, its distance from it, and its position along the normal.
    contours, found
        The contours that enclose an area, and their combined area.
    """

    slice_index: int
    distance_mm: float
    position_mm: float
    contours: Sequence[FileContour]
    found: RingsArea

    @property
    def is_xor(self) -> bool:
        return any(contour.geometric_type == XOR for contour in self.contours)


def place_contours(contours: Sequence[FileContour], geometry: VolumeGeometry, notes: Notes) -> Placed:
    """Assign an ROI's contours to the slices and report irregularities.

    Contours within `ON_PLANE_MM` of each other are one plane. A plane belongs to the slice nearest to it; of several at
    one slice the nearest is shown, the lower one if two are equally near, and the others are kept but not shown.
    """
    closed = _choose_closed(contours, notes)
    planes = _find_planes(closed, geometry, notes)
    shown = _choose_planes(planes)
    second = [plane for plane in planes if shown[plane.slice_index] is not plane]
    if second:
        count = sum(len(plane.contours) for plane in second)
        notes.warn("AC-RS-031", [plane.slice_index for plane in second], count=count)
    on_slices = [shown[index] for index in sorted(shown)]
    areas = {plane.slice_index: plane.found.area for plane in on_slices}
    _note_planes(on_slices, notes)
    _note_areas(areas, geometry, notes)
    kept = {plane.slice_index: plane.contours for plane in on_slices}
    placed = {id(contour) for mine in kept.values() for contour in mine}
    return Placed(areas, kept, [contour for contour in contours if id(contour) not in placed])


def _choose_closed(contours: Sequence[FileContour], notes: Notes) -> list[FileContour]:
    """Return the contours that enclose an area; points, lines and damaged ones are kept but not shown."""
    counts: defaultdict[str, int] = defaultdict(int)
    closed: list[FileContour] = []
    for contour in contours:
        kind = _oddity(contour)
        counts[kind] += 1
        if kind in {"", "interpolated", "untyped"}:
            closed.append(contour)
        counts["miscounted"] += contour.points is not None and contour.stated_points != len(contour.points)
        counts["long"] += longest_value(contour.data) > MAX_DECIMAL_STRING
        counts["xor"] += contour.geometric_type == XOR
    for kind, code in _ODDITIES.items():
        if counts[kind]:
            notes.warn(code, count=counts[kind])
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
    return "interpolated" if contour.geometric_type == INTERPOLATED else ""


def _find_planes(closed: Sequence[FileContour], geometry: VolumeGeometry, notes: Notes) -> list[_Plane]:
    """Group the contours on slices by plane, from the lowest; the others are reported."""
    points, starts = concatenate_points(closed)
    if not len(starts):
        return []
    uvw = geometry.to_plane(points)
    lowest, highest = (extreme.reduceat(uvw[:, 2], starts) for extreme in (np.minimum, np.maximum))
    areas = areas_of_rings(uvw[:, :2], starts)
    level = highest - lowest <= ON_PLANE_MM
    _note_some(~level, "AC-RS-030", notes)
    empty = level & shapely.is_empty(areas)
    members = np.flatnonzero(level & ~empty)
    planes: list[_Plane] = []
    if len(members):
        middle = (lowest[members] + highest[members]) / 2
        numbers = group_planes(middle)
        positions = plane_positions_mm(middle, numbers)
        index, distance = nearest_slices(positions, geometry)
        outside = distance > half_step_mm(geometry)[index]
        _note_some(outside[numbers], "AC-RS-028", notes)
        of_plane: list[list[int]] = [[] for _ in positions]
        for member, number in zip(members.tolist(), numbers.tolist(), strict=True):
            of_plane[number].append(member)
        for number in np.flatnonzero(~outside).tolist():
            mine = of_plane[number]
            contours = [closed[member] for member in mine]
            is_xor = any(contour.geometric_type == XOR for contour in contours)
            found = combine_areas(areas[mine], xor=is_xor)
            plane = _Plane(int(index[number]), float(distance[number]), float(positions[number]), contours, found)
            if found.area.is_empty:  # exclusive-or of equal rings
                empty[mine] = True
            else:
                planes.append(plane)
    _note_some(empty, "AC-RS-027", notes)
    return planes


def _choose_planes(planes: Sequence[_Plane]) -> dict[int, _Plane]:
    """Return slice index → the plane nearest to it; `planes` are in ascending order, and the lower of two is used."""
    chosen: dict[int, _Plane] = {}
    for plane in planes:
        rival = chosen.get(plane.slice_index)
        if rival is None or plane.distance_mm < rival.distance_mm - SAME_PLANE_MM:
            chosen[plane.slice_index] = plane
    return chosen


def _note_some(which: NDArray[np.bool_], code: str, notes: Notes) -> None:
    if count := int(np.count_nonzero(which)):
        notes.warn(code, count=count)


def _note_planes(planes: Sequence[_Plane], notes: Notes) -> None:
    between = [plane for plane in planes if plane.distance_mm > SAME_PLANE_MM]
    if between:
        slices = [plane.slice_index for plane in between]
        far, count = max(plane.distance_mm for plane in between), sum(len(plane.contours) for plane in between)
        notes.warn("AC-RS-029", slices, count=count, mm=far)
    overlapping = [plane.slice_index for plane in planes if plane.found.overlapping]
    if overlapping:
        notes.warn("AC-RS-033", overlapping, count=len(overlapping))
    nested = [plane.slice_index for plane in planes if plane.found.nested and not plane.is_xor]
    if nested:
        notes.warn("AC-RS-034", nested, count=len(nested))


def _note_areas(areas: Mapping[int, MultiPolygon], geometry: VolumeGeometry, notes: Notes) -> None:
    if not areas:
        return
    bounds = shapely.bounds(np.array(list(areas.values()), dtype=object))
    if _leaves_image(bounds, list(areas), geometry):
        notes.warn("AC-RS-032")
    size = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
    if small := [k for k, mm in zip(areas, size.tolist(), strict=True) if mm < min(geometry.pixel_spacing_vu_mm)]:
        notes.warn("AC-RS-042", small, count=len(small))


def _leaves_image(bounds: Floats, slices: Sequence[int], geometry: VolumeGeometry) -> bool:
    row_mm, column_mm = geometry.pixel_spacing_vu_mm
    first = geometry.plane_origins_uv_mm[slices] - np.array([column_mm, row_mm]) / 2
    last = first + np.array([geometry.columns * column_mm, geometry.rows * row_mm])
    return bool((bounds[:, :2] < first - SAME_PLANE_MM).any() or (bounds[:, 2:] > last + SAME_PLANE_MM).any())


_ODDITIES = {
    "damaged": "AC-RS-035",
    "point": "AC-RS-022",
    "open": "AC-RS-023",
    "unknown": "AC-RS-046",
    "short": "AC-RS-021",
    "untyped": "AC-RS-040",
    "interpolated": "AC-RS-024",
    "miscounted": "AC-RS-036",
    "long": "AC-RS-041",
    "xor": "AC-RS-025",
}
