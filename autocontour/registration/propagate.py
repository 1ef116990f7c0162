"""Contours of one CT on another: taken through a deformation, with measures of how far to trust them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import shapely
from scipy import ndimage

from autocontour.contouring import contours_from_probability, coverage_from_contours, volume_cc
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.registration.deformable import Deformation
from autocontour.registration.grid import Floats, index_in, points_in

AROUND_MM = 12.0
"""Room round a structure in which its propagated contours are looked for."""
SAMPLES = 4000
LOWEST_LEVEL = 0.3


class Map(Protocol):
    """A map of points between two CTs."""

    def pull(self, points: Floats) -> Floats:
        """Return points of the earlier CT."""

    def push(self, points: Floats) -> Floats:
        """Return points of the later CT."""


@dataclass(frozen=True)
class Trust:
    """Measures of a propagated structure.

    Attributes
    ----------
    volume_ratio
        Its volume over that in the earlier CT.
    moved_mm
        Mean displacement of its surface beyond the rigid transform.
    inconsistency_mm
        95th percentile on its surface of how far there and back misses the point.
    lowest_jacobian, highest_jacobian
        1st and 99th percentile at its surface.
    difference
        Root mean square of the difference between the CTs at its surface, compressed HU (0 to 1).
    residual_mm
        By how much the surface may be off for that difference, given the gradient there.
    thickness_mm
        Twice its volume over its surface.
    cut_later, cut_earlier
        Fraction of the structure outside the later CT; whether the earlier CT ends in it.
    """

    volume_ratio: float
    moved_mm: float
    inconsistency_mm: float
    lowest_jacobian: float
    highest_jacobian: float
    difference: float
    residual_mm: float
    thickness_mm: float
    cut_later: float
    cut_earlier: bool

    @property
    def error_over_thickness(self) -> float:
        """Inconsistency and residual together over the thickness: how much of the structure may be wrong."""
        return (self.inconsistency_mm + self.residual_mm) / max(self.thickness_mm, 0.1)

    def to_json(self) -> dict[str, Any]:
        """Return the values, rounded."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def propagate_contours(contours: Contours, earlier: VolumeGeometry, later: VolumeGeometry, move: Map) -> Contours:
    """Return the contours of a structure on the slices of the later CT; empty if it lies outside.

    Parameters
    ----------
    contours
        On the slices of the earlier CT.
    earlier, later
        Geometries of both CTs: any spacing and patient position.
    move
        Takes points of the later CT to the earlier one.
    """
    surface = surface_points(contours, earlier)
    if not len(surface):
        return {}
    box = _box_in(later, move.push(surface))
    if box is None:
        return {}
    part, start = _padded(contours, earlier)
    z, y, x = box.slices
    inside = np.empty(box.shape_zyx, np.float32)
    for row, k in enumerate(range(z.start, z.stop)):
        index, within = index_in(earlier, move.pull(points_in(later, k, y, x)))
        values = ndimage.map_coordinates(part, index - start, np.float32, order=1, mode="constant")
        inside[row] = np.where(within, values, 0.0).reshape(inside.shape[1:])
    if not (inside >= 0.5).any():
        return {}
    drawn = contours_from_probability(inside, later.cropped(box), later, level=_level(inside))
    return {k: shape for k, shape in drawn.items() if not shape.is_empty}


def _level(inside: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    """Return the level whose iso-surface encloses the volume of the interpolated structure.

    Interpolation keeps the sum and rounds off the shape, so that the surface at 0.5 would make small convex structures
    smaller, by 12 % for a brainstem on voxels of 4 mm.
    """
    values = np.sort(inside, axis=None)[::-1]
    count = min(max(round(float(values.sum(dtype=np.float64))), 1), len(values) - 1)
    return float(np.clip((values[count - 1] + values[count]) / 2, LOWEST_LEVEL, 0.5))


def measure_trust(
    contours: Contours, propagated: Contours, earlier: VolumeGeometry, later: VolumeGeometry, move: Deformation
) -> Trust:
    """Return the measures of a propagated structure."""
    before = surface_points(contours, earlier)
    after = move.push(before)
    rigid = move.rigid.push(before)
    _, within = index_in(later, after)
    ends = {0, earlier.shape_zyx[0] - 1} & set(contours)
    jacobian = move.values_at(move.jacobian, after)
    volume = volume_cc(contours, earlier)
    difference, slope = (float(np.mean(move.values_at(part, after))) for part in (move.difference, move.slope))
    return Trust(
        volume_cc(propagated, later) / volume if volume else 0.0,
        float(np.linalg.norm(after - rigid, axis=1).mean()),
        float(np.percentile(move.values_at(move.inconsistency_mm, after), 95)),
        float(np.percentile(jacobian, 1)),
        float(np.percentile(jacobian, 99)),
        float(np.sqrt(difference)),
        float(np.sqrt(difference / max(slope, 1e-12))),
        thickness_mm(propagated, later),
        float(1 - within.mean()),
        bool(ends),
    )


def surface_points(contours: Contours, geometry: VolumeGeometry) -> Floats:
    """Return some points on the outlines of a structure, (n, 3) LPS; at most `SAMPLES`."""
    parts = []
    for k in sorted(contours):
        uv = shapely.get_coordinates(contours[k])
        parts.append(np.column_stack([uv, np.full(len(uv), geometry.slice_positions_mm[k])]))
    if not parts:
        return np.empty((0, 3))
    uvw = np.concatenate(parts)
    return geometry.to_patient(uvw[:: max(1, len(uvw) // SAMPLES)])


def thickness_mm(contours: Contours, geometry: VolumeGeometry) -> float:
    """Return twice the volume of a structure over its surface, which is the thickness of a wide plate.

    The surface is that of prisms on the slices: their sides, and what one slice has and the next has not.
    """
    surface = 0.0
    for k, shape in contours.items():
        beside = [contours.get(k - 1), contours.get(k + 1)]
        ends = sum(shape.area if one is None else shape.difference(one).area for one in beside)
        surface += shape.length * float(geometry.slice_thicknesses_mm[k]) + ends
    return 2000 * volume_cc(contours, geometry) / surface if surface else 0.0


def _box_in(geometry: VolumeGeometry, points: Floats) -> Box | None:
    """Return the box of voxels round points, with room; None if it lies outside the volume."""
    uvw = geometry.to_plane(points)
    z, y, x = geometry.spacing_zyx_mm
    positions, origin = geometry.slice_positions_mm, geometry.plane_origins_uv_mm
    low, high = uvw.min(axis=0) - AROUND_MM, uvw.max(axis=0) + AROUND_MM
    first = int(np.searchsorted(positions, low[2] - z / 2)), int(np.searchsorted(positions, high[2] + z / 2))
    rows = (low[1] - origin[:, 1].max()) / y, (high[1] - origin[:, 1].min()) / y
    columns = (low[0] - origin[:, 0].max()) / x, (high[0] - origin[:, 0].min()) / x
    start = first[0], max(0, int(np.floor(rows[0]))), max(0, int(np.floor(columns[0])))
    stop = (
        first[1],
        min(geometry.rows, int(np.ceil(rows[1])) + 1),
        min(geometry.columns, int(np.ceil(columns[1])) + 1),
    )
    if any(a >= b for a, b in zip(start, stop, strict=True)):
        return None
    return Box(start, stop)


def _padded(contours: Contours, geometry: VolumeGeometry) -> tuple[np.ndarray[Any, np.dtype[np.float32]], Floats]:
    """Return the coverage of a structure in its box with a voxel of room, and where the box starts (3, 1).

    Beyond the first and last slice of the CT a structure is continued, as the points are.
    """
    bounds = shapely.total_bounds(list(contours.values()))
    v, u = geometry.pixel_spacing_vu_mm
    origin = geometry.plane_origins_uv_mm[sorted(contours)]
    start = (
        max(0, min(contours) - 1),
        max(0, int((bounds[1] - origin[:, 1].max()) / v) - 2),
        max(0, int((bounds[0] - origin[:, 0].max()) / u) - 2),
    )
    stop = (
        min(geometry.shape_zyx[0], max(contours) + 2),
        min(geometry.rows, int((bounds[3] - origin[:, 1].min()) / v) + 3),
        min(geometry.columns, int((bounds[2] - origin[:, 0].min()) / u) + 3),
    )
    box = Box(start, (stop[0], max(stop[1], start[1] + 1), max(stop[2], start[2] + 1)))
    return coverage_from_contours(contours, geometry, box), np.array(start, dtype=np.float64)[:, None]
