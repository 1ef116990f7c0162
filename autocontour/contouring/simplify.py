"""Simplification of rings with constant area."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from autocontour.contouring.ragged import Ints, Rings, contours_of, rings_of, signed_areas
from autocontour.patient.geometry import Floats

BLUNTEST = -0.5  # cosine: sharper corners than this are moved no further
SMALLEST_RING = 4  # points, the first one counted again at the end


def simplify_rings(rings: Rings, tolerance_mm: float) -> Rings:
    """Leave out points of valid rings; the line moves by about `tolerance_mm` at most and encloses the same area.

    The chords of Douglas and Peucker lie inside convex curves and would make small round structures too small; so each
    chord is moved sideways by the mean distance to the original line. Slices that would not be valid afterwards keep
    their points.
    """
    if not len(rings.slices) or tolerance_mm <= 0:
        return rings
    kept = _kept_points(rings, tolerance_mm)
    lengths = np.bincount(rings.ring_of_point[kept], minlength=len(rings.slices))
    starts = np.concatenate(([0], np.cumsum(lengths)))
    simple = replace(rings, points_uv_mm=_keep_area(rings, kept, starts), starts=starts)
    after = contours_of(simple)
    spoilt = [k for k, is_valid in zip(after, shapely.is_valid(list(after.values())), strict=True) if not is_valid]
    if not spoilt:
        return simple
    before = contours_of(rings)
    return rings_of(after | {k: before[k] for k in spoilt})


def _kept_points(rings: Rings, tolerance_mm: float) -> Ints:
    """Return the indices of the points that Douglas and Peucker keep; all of a ring that would lose its area."""
    numbers = np.arange(len(rings.points_uv_mm), dtype=np.float64)
    numbered = np.column_stack((rings.points_uv_mm, numbers))
    lines = shapely.from_ragged_array(shapely.GeometryType.LINESTRING, numbered, (rings.starts,))
    simple = shapely.simplify(lines, tolerance_mm, preserve_topology=False)
    is_kept = np.zeros(len(numbers), np.bool_)
    is_kept[shapely.get_coordinates(simple, include_z=True)[:, 2].astype(np.intp)] = True
    is_flat = np.add.reduceat(is_kept, rings.starts[:-1], dtype=np.intp) < SMALLEST_RING
    return np.flatnonzero(is_kept | is_flat[rings.ring_of_point])


def _keep_area(rings: Rings, kept: Ints, starts: Ints) -> Floats:
    """Return the points `kept` of the rings that begin at `starts`, moved to enclose the same area."""
    lengths = np.diff(starts) - 1
    begins = starts[:-1] - np.arange(len(lengths))
    is_open = np.ones(len(kept), np.bool_)
    is_open[starts[1:] - 1] = False
    here = kept[is_open]
    following = np.arange(1, len(here) + 1)
    following[begins + lengths - 1] = begins

    points = rings.points_uv_mm[here]
    moved = _shift_chords(points, following, _areas_cut_off(rings, here, here[following]) / _chords(points, following))
    # Where two chords meet both are displaced slightly; the resulting change of area is distributed over the ring.
    missing = rings.doubled_areas() / 2 - signed_areas(moved, np.append(begins, len(moved)))
    shifts = missing / np.add.reduceat(_chords(moved, following), begins)
    moved = _shift_chords(moved, following, np.repeat(shifts, lengths))

    closed = np.arange(len(kept)) - np.repeat(np.arange(len(lengths)), lengths + 1)
    closed[starts[1:] - 1] = begins
    return moved[closed]


def _chords(points: Floats, following: Ints) -> Floats:
    lengths: Floats = np.hypot(*(points[following] - points).T)
    return lengths


def _shift_chords(points: Floats, following: Ints, shifts_mm: Floats) -> Floats:
    """Move each chord to its right; where two meet, the point goes about where the moved chords cross."""
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    along = points[following] - points
    rightwards = np.column_stack((along[:, 1], -along[:, 0])) / np.hypot(*along.T)[:, None]
    cosine = np.maximum((rightwards * rightwards[before]).sum(axis=1), BLUNTEST)
    move = shifts_mm[:, None] * rightwards
    moved: Floats = points + (move + move[before]) / (1 + cosine)[:, None]
    return moved


def _areas_cut_off(rings: Rings, here: Ints, there: Ints) -> Floats:
    """Area between each chord and the line it replaces, positive where the line is to the right of it."""
    ring = rings.ring_of_point[here]
    begin, end = rings.starts[ring], rings.starts[ring + 1] - 1
    sums = np.concatenate(([0.0], np.cumsum(rings.cross_products())))
    wraps = there <= here
    path = np.where(wraps, sums[end] - sums[here] + sums[there] - sums[begin], sums[there] - sums[here])
    origin = rings.points_uv_mm[begin]
    (u0, v0), (u1, v1) = (rings.points_uv_mm[here] - origin).T, (rings.points_uv_mm[there] - origin).T
    areas: Floats = (path + u1 * v0 - u0 * v1) / 2
    return areas
