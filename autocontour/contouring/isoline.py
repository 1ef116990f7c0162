"""Probabilities on any grid → sub-voxel polygons on the slices of the CT."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import contourpy
import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.ragged import Rings, contours_of, drop_small, rings_of
from autocontour.contouring.simplify import simplify_rings
from autocontour.geometry import Box, Floats, VolumeGeometry

if TYPE_CHECKING:
    from shapely import MultiPolygon

REACH = 2  # taps of the cubic kernel on either side
FINE_MM = 1.0
NUDGE = 1e-6
SLIVER = 0.1  # of a CT pixel: nobody can see or edit less


def contours_from_probability(
    probability: NDArray[np.floating],
    grid: VolumeGeometry,
    geometry: VolumeGeometry,
    *,
    level: float = 0.5,
    tolerance_mm: float = 0.1,
) -> dict[int, MultiPolygon]:
    """Draw the iso-line of an interpolated probability in the plane of every CT slice.

    Parameters
    ----------
    probability
        (z, y, x) on `grid`; outside the grid it is 0.
    grid
        Where the probabilities lie: any spacing and offset, the same direction as the CT.
    geometry
        Of the CT; contours lie on its slices, at their true positions.
    level
        Probability of the line.
    tolerance_mm
        How far simplifying may move the line.

    Returns
    -------
    Contours
        Valid polygons on the slices that lie within the grid.
    """
    found = Box.around(probability > level / 2)
    if found is None:
        return {}
    z, y, x = probability.shape
    box = found.padded((REACH, REACH, REACH), (z, y, x))
    pixel_mm2 = geometry.pixel_spacing_vu_mm[0] * geometry.pixel_spacing_vu_mm[1]
    rings = _join(_trace_slices(probability, box, grid, geometry, level))
    return contours_of(simplify_rings(drop_small(rings, SLIVER * pixel_mm2), tolerance_mm))


def _trace_slices(
    probability: NDArray[np.floating], box: Box, grid: VolumeGeometry, geometry: VolumeGeometry, level: float
) -> Iterator[tuple[int, list[Floats], list[NDArray[np.uint32]]]]:
    """Yield each CT slice's index, its polygons' points and where their rings start."""
    index_z = _fractional_indices(grid, geometry.slice_positions_mm)
    index_z[(index_z < -0.5 - NUDGE) | (index_z > len(probability) - 0.5 + NUDGE)] = np.nan
    factors = [max(2, math.ceil(spacing / FINE_MM)) for spacing in grid.pixel_spacing_vu_mm]
    for k in np.flatnonzero((index_z > box.start_zyx[0] - 1) & (index_z < box.stop_zyx[0])).tolist():
        plane = _plane_at(probability[:, *box.slices[1:]], index_z[k])
        around = Box.around(plane[None] > level / 2)
        if around is None:
            continue
        around = around.padded((0, REACH, REACH), (1, *plane.shape))
        fine = _refine(_refine(plane[around.slices[1:]], factors[0]).T, factors[1]).T
        near = np.abs(fine - level) < NUDGE
        fine[near] = level + NUDGE  # a line exactly through a sample would touch itself
        y, x = (np.arange(n) / f - 1 for n, f in zip(fine.shape, factors, strict=True))
        v = (y + box.start_zyx[1] + around.start_zyx[1]) * grid.pixel_spacing_vu_mm[0]
        u = (x + box.start_zyx[2] + around.start_zyx[2]) * grid.pixel_spacing_vu_mm[1]
        origin = _origin_at(grid, index_z[k])
        generator = contourpy.contour_generator(
            u + origin[0], v + origin[1], fine, name="serial", fill_type=contourpy.FillType.OuterOffset
        )
        points, starts = cast(tuple[list[Floats], list[NDArray[np.uint32]]], generator.filled(level, np.inf))
        yield k, points, starts


def _fractional_indices(grid: VolumeGeometry, positions_mm: Floats) -> Floats:
    """Return the slice index in `grid`, with fraction, of positions along the normal; NaN well outside."""
    known = grid.slice_positions_mm
    before, after = (known[1] - known[0], known[-1] - known[-2]) if len(known) > 1 else (1.0, 1.0)
    padded = np.concatenate(([known[0] - before], known, [known[-1] + after]))
    indices: Floats = np.interp(positions_mm, padded, np.arange(-1.0, len(known) + 1), np.nan, np.nan)
    return indices


def _origin_at(grid: VolumeGeometry, index_z: float) -> Floats:
    """Plane coordinates (u, v) of the grid's first voxel at a slice index with fraction."""
    numbers = np.arange(len(grid.plane_origins_uv_mm))
    return np.array([np.interp(index_z, numbers, column) for column in grid.plane_origins_uv_mm.T])


def _plane_at(probability: NDArray[np.floating], index_z: float) -> Floats:
    """Interpolate the (y, x) plane at a slice index with fraction, 0 outside the grid."""
    base = math.floor(index_z + NUDGE)
    plane = np.zeros(probability.shape[1:])
    for number, weight in enumerate(cubic_weights(max(0.0, index_z - base)), base - 1):
        if weight and 0 <= number < len(probability):
            plane += weight * probability[number]
    return plane


def cubic_weights(fraction: float) -> tuple[float, float, float, float]:
    """Weights of the four samples around a point by cubic convolution (Keys 1981, a = -1/2)."""
    t = fraction
    return (
        ((2.0 - t) * t - 1.0) * t / 2,
        ((3.0 * t - 5.0) * t * t + 2.0) / 2,
        ((4.0 - 3.0 * t) * t + 1.0) * t / 2,
        (t - 1.0) * t * t / 2,
    )


def _refine(plane: Floats, factor: int) -> Floats:
    """Interpolate `factor` times as many rows, from one before the first to one past the last, 0 outside."""
    rows = len(plane)
    padded = np.pad(plane, ((REACH, REACH + 1), (0, 0)))
    fine = np.zeros(((rows + 1) * factor + 1, plane.shape[1]))
    for phase in range(factor):
        target = fine[phase::factor]
        for tap, weight in enumerate(cubic_weights(phase / factor), -1):
            source = padded[max(0, tap + 1) : tap + 1 + len(target)]
            target[: len(source)] += weight * source
    return fine


def _join(traced: Iterable[tuple[int, list[Floats], list[NDArray[np.uint32]]]]) -> Rings:
    """Put what was traced slice by slice together."""
    points: list[Floats] = []
    lengths: list[list[int]] = []
    slices: list[int] = []
    is_hole: list[bool] = []
    for k, polygons, offsets in traced:
        points += polygons
        for starts in offsets:
            lengths.append(np.diff(starts.astype(np.int64)).tolist())
            slices += [k] * (len(starts) - 1)
            is_hole += [number > 0 for number in range(len(starts) - 1)]
    if not points:
        return rings_of({})
    starts_all = np.concatenate(([0], np.cumsum(np.concatenate(lengths))))
    return Rings(np.concatenate(points), starts_all, np.array(slices, np.intp), np.array(is_hole, np.bool_))
