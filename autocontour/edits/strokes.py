"""Strokes on a slice: brush, eraser, freehand and push."""

from __future__ import annotations

from functools import partial

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import LinearRing, LineString, MultiPolygon, Point, Polygon

from autocontour.edits.polygons import Outline, clean, difference, union
from autocontour.patient.geometry import VolumeGeometry

ARC_SEGMENTS = 16
"""Segments in a quarter of the brush's circle: 0.06 % of its area."""
STEPS_PER_RADIUS = 4
Point2 = tuple[float, float]
Floats = NDArray[np.float64]


def swept_disc(points_uv_mm: ArrayLike, radius_mm: float) -> Polygon:
    """Return the area swept by a disc along `points_uv_mm` ((n, 2), one point is enough)."""
    points = np.atleast_2d(np.asarray(points_uv_mm, dtype=np.float64))
    # A path without length has no direction to sweep along: GEOS would return nothing.
    moved = len(points) > 1 and np.ptp(points, axis=0).max() > 1e-6
    path = LineString(points) if moved else Point(points[0])
    swept: Polygon = path.buffer(radius_mm, quad_segs=ARC_SEGMENTS)
    return swept


def swept_ball(
    points_uvw_mm: ArrayLike, radius_mm: float, geometry: VolumeGeometry
) -> dict[int, Polygon | MultiPolygon]:
    """Return the volume swept by a ball along `points_uvw_mm` ((n, 3)), on every slice that it intersects.

    A stroke in a sagittal or coronal view is painted with a ball, as with the sphere brush of 3D Slicer's segment
    editor: a disc of zero thickness would leave slivers one voxel wide on the axial contours. Each slice receives the
    section of the ball, of radius √(r² − d²) at a distance d from its centre; the slice of the centre receives the
    whole disc, so that a ball smaller than the slice spacing is not lost between the slices.

    Parameters
    ----------
    points_uvw_mm
        (n, 3) positions of its centre; one point is enough.
    radius_mm
        Its radius.
    geometry
        Of the CT.
    """
    centres = _close_points(np.atleast_2d(np.asarray(points_uvw_mm, dtype=np.float64)), radius_mm / STEPS_PER_RADIUS)
    positions = geometry.slice_positions_mm
    distances = np.abs(positions[:, None] - centres[:, 2])
    within = (distances == distances.min(axis=0)) & (distances <= geometry.slice_thicknesses_mm[:, None] / 2)
    radii = np.where(within, radius_mm, np.sqrt(np.maximum(radius_mm**2 - distances**2, 0.0)))
    return {int(k): _hull_of_discs(centres[:, :2], radii[k]) for k in np.flatnonzero((radii > 0).any(axis=1))}


def _hull_of_discs(centres: Floats, radii: Floats) -> Polygon | MultiPolygon:
    """Return the area swept between successive discs: the union of the convex hulls of each two neighbours."""
    there = np.flatnonzero(radii > 0)
    discs = np.full(len(radii), Polygon(), dtype=object)
    discs[there] = shapely.buffer(shapely.points(centres[there]), radii[there], quad_segs=ARC_SEGMENTS)
    first = there[:-1][np.diff(there) == 1]
    pairs = shapely.geometrycollections(np.stack([discs[first], discs[first + 1]], axis=-1))
    hulls = shapely.get_parts(shapely.convex_hull(pairs))
    alone = discs[np.setdiff1d(there, np.concatenate([first, first + 1]))]
    parts = [*hulls, *alone]
    swept = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    assert isinstance(swept, Polygon | MultiPolygon)  # a union of areas
    return swept


def _close_points(points: Floats, spacing_mm: float) -> Floats:
    """Return a path with points at most `spacing_mm` apart."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    counts = np.maximum(np.ceil(steps / spacing_mm), 1).astype(int)
    parts = [
        a + np.linspace(0, 1, count, endpoint=False)[:, None] * (b - a)
        for a, b, count in zip(points[:-1], points[1:], counts.tolist(), strict=True)
    ]
    close: Floats = np.vstack([*parts, points[-1:]])
    return close


def brushed(outline: Outline, stroke: Polygon | MultiPolygon) -> Outline:
    """Return `outline` with `stroke` added."""
    return union(outline, stroke)


def erased(outline: Outline, stroke: Polygon | MultiPolygon) -> Outline:
    """Return `outline` with `stroke` removed."""
    return difference(outline, stroke)


def enclosed(points_uv_mm: ArrayLike) -> Outline:
    """Return the area enclosed by a freehand line, closed from its end to its start, loops included."""
    points = np.asarray(points_uv_mm, dtype=np.float64)
    if len(points) < 3:
        return None
    line = LineString(np.vstack([points, points[:1]]))
    faces = shapely.polygonize([shapely.node(line)])
    return clean(shapely.union_all(shapely.get_parts(faces)))


def pushed(outline: Outline, start_uv_mm: Point2, end_uv_mm: Point2, radius_mm: float) -> Outline:
    """Return `outline` deformed by a disc of `radius_mm` that moves from start to end.

    The plane under the disc moves with it, fully at its centre and less towards its edge, by (1 − (d/r)²)². Each step
    is short enough (a quarter of the radius) for this warp to be one to one: an outline
    never crosses itself, and a hole stays a hole.
    """
    if outline is None:
        return None
    start, end = np.asarray(start_uv_mm, dtype=np.float64), np.asarray(end_uv_mm, dtype=np.float64)
    steps = max(1, int(np.ceil(np.hypot(*(end - start)) / (radius_mm / 4))))
    if not outline.boundary.intersects(swept_disc([start, end], radius_mm)):
        return outline
    shift = (end - start) / steps
    warped: MultiPolygon = outline
    for step in range(steps):
        centre = start + step * shift
        warped = _with_points_near(warped, centre, radius_mm)
        warped = shapely.transform(warped, partial(_dragged, centre=centre, shift=shift, radius_mm=radius_mm))
    return clean(warped)


def _dragged(points: Floats, centre: Floats, shift: Floats, radius_mm: float) -> Floats:
    nearness = np.clip(1 - ((points - centre) ** 2).sum(axis=1) / radius_mm**2, 0, None)
    dragged: Floats = points + shift * (nearness**2)[:, None]
    return dragged


def _with_points_near(outline: MultiPolygon, centre: Floats, radius_mm: float) -> MultiPolygon:
    """Return `outline` with points at most a tenth of the radius apart under the disc."""
    low, high = centre - radius_mm, centre + radius_mm

    def denser(ring: LinearRing) -> Floats:
        return _denser(shapely.get_coordinates(ring), low, high, radius_mm / 10)

    return MultiPolygon([Polygon(denser(p.exterior), [denser(r) for r in p.interiors]) for p in outline.geoms])


def _denser(points: Floats, low: Floats, high: Floats, spacing_mm: float) -> Floats:
    a, b = points[:-1], points[1:]
    near = np.all((np.maximum(a, b) >= low) & (np.minimum(a, b) <= high), axis=1)
    counts = np.where(near, np.ceil(np.hypot(*(b - a).T) / spacing_mm), 1).astype(int).clip(1, 500)
    starts = np.repeat(a, counts, axis=0)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = (offsets / np.repeat(counts, counts))[:, None]
    dense: Floats = np.vstack([starts + parts * np.repeat(b - a, counts, axis=0), points[-1:]])
    return dense
