"""Probabilities on any grid → sub-voxel polygons on the slices of the CT."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from autocontour.contouring.cubic import cubic_weights
from autocontour.contouring.march import PAD, Samples, trace_planes
from autocontour.contouring.ragged import Ints, Rings, contours_of, drop_small, join_rings
from autocontour.contouring.simplify import simplify_rings
from autocontour.patient.geometry import Box, Floats, VolumeGeometry

if TYPE_CHECKING:
    from shapely import MultiPolygon

SLAB_SAMPLES = 1 << 19
SLIVER = 0.1  # of a CT pixel: smaller areas can neither be seen nor edited
ROUNDING = 1e-6


def contours_from_probability(
    probability: Samples,
    grid: VolumeGeometry,
    geometry: VolumeGeometry,
    *,
    level: float = 0.5,
    tolerance_mm: float = 0.1,
) -> dict[int, MultiPolygon]:
    """Draw the iso-line of an interpolated probability in the plane of every CT slice.

    Between samples the probability is interpolated by cubic convolution, in the plane and along the slices. To draw a
    mask of the CT's own voxels smoothly, soften it first and pass the CT's geometry twice:
    ``contours_from_probability(gaussian_filter(mask.astype(np.float32), 0.7), ct.geometry, ct.geometry)``.

    Parameters
    ----------
    probability
        (z, y, x) on `grid`; outside the grid it is 0, so that contours are closed at its border.
    grid
        Grid of the probabilities: any spacing and offset, the same direction as the CT.
    geometry
        Of the CT; contours lie on its slices, at their true positions.
    level
        Probability of the line, above 0.
    tolerance_mm
        How far the line may be moved to need fewer points; its area is kept.

    Returns
    -------
    Contours
        Valid polygons on the slices within the grid; areas below a tenth of a CT pixel are left out.

    Raises
    ------
    ValueError
        If a probability is not a number, `level` is not above 0, or the probabilities do not fit their grid.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((1, 40, 40), (3.0, 1.0, 1.0))
    >>> v, u = np.mgrid[:40, :40]
    >>> probability = 1 / (1 + np.exp(np.hypot(u - 20, v - 20) - 10))  # 0.5 at a radius of 10 mm
    >>> outline = contours_from_probability(probability[None], grid, grid)[0]
    >>> round(float(outline.area / np.pi) ** 0.5, 1)
    10.0
    """
    if probability.shape != grid.shape_zyx:
        raise ValueError(f"probabilities {probability.shape} do not fit their grid {grid.shape_zyx}")
    if level <= 0 or np.isnan(np.max(probability, initial=0.0)):
        raise ValueError("probabilities must not be NaN, and the level must be above 0")
    # Cubic convolution exceeds the highest sample near by less than half as much again.
    found = Box.around(probability > level / 2)
    if found is None:
        return {}
    pixel_mm2 = geometry.pixel_spacing_vu_mm[0] * geometry.pixel_spacing_vu_mm[1]
    rings = join_rings(list(_trace_slabs(probability, found, grid, geometry, level)))
    return contours_of(simplify_rings(drop_small(rings, SLIVER * pixel_mm2), tolerance_mm))


def _trace_slabs(
    probability: Samples, found: Box, grid: VolumeGeometry, geometry: VolumeGeometry, level: float
) -> Iterator[Rings]:
    """Trace a few CT slices at a time, in plane coordinates."""
    z, y, x = probability.shape
    box = found.padded((PAD, PAD, PAD), (z, y, x))
    index_z = _indices_in(grid, geometry.slice_positions_mm)
    slices = np.flatnonzero((index_z > found.start_zyx[0] - 1) & (index_z < found.stop_zyx[0]))
    spacing_uv_mm = np.array(grid.pixel_spacing_vu_mm[::-1])
    inner_points = math.ceil(math.sqrt(2 * spacing_uv_mm.max())) - 1  # within 0.05 mm at the strongest curvature
    step = max(1, SLAB_SAMPLES // (box.shape_zyx[1] * box.shape_zyx[2]))
    for start in range(0, len(slices), step):
        some = slices[start : start + step]
        planes = _planes_at(probability[:, *box.slices[1:]], index_z[some])
        rings = trace_planes(planes, level, inner_points)
        numbers = rings.slices[rings.ring_of_point]
        samples = rings.points_uv_mm + np.array(box.start_zyx[:0:-1])
        points = samples * spacing_uv_mm + _origins_at(grid, index_z[some])[numbers]
        yield replace(rings, points_uv_mm=points, slices=some[rings.slices])


def _indices_in(grid: VolumeGeometry, positions_mm: Floats) -> Floats:
    """Return the slice index in `grid`, with fraction, of positions along the normal; NaN outside."""
    known = grid.slice_positions_mm
    before, after = (known[1] - known[0], known[-1] - known[-2]) if len(known) > 1 else (1.0, 1.0)
    padded = np.concatenate(([known[0] - before], known, [known[-1] + after]))
    indices: Floats = np.interp(positions_mm, padded, np.arange(-1.0, len(known) + 1), np.nan, np.nan)
    whole = np.rint(indices)
    indices = np.where(np.abs(indices - whole) < ROUNDING, whole, indices)
    indices[(indices < -0.5) | (indices > len(known) - 0.5)] = np.nan
    return indices


def _origins_at(grid: VolumeGeometry, index_z: Floats) -> Floats:
    """Plane coordinates (n, 2) of the grid's first voxel at slice indices with fraction."""
    numbers = np.arange(len(grid.plane_origins_uv_mm))
    return np.column_stack([np.interp(index_z, numbers, column) for column in grid.plane_origins_uv_mm.T])


def _planes_at(probability: Samples, index_z: Floats) -> Samples:
    """Interpolate planes (n, y, x) at slice indices with fraction, 0 outside the grid."""
    base = np.floor(index_z).astype(np.intp)
    if np.array_equal(base, index_z):
        return probability[base[0] : base[-1] + 1] if _is_run(base) else probability[base]
    planes = np.zeros((len(base), *probability.shape[1:]), probability.dtype)
    for plane, first, weights in zip(planes, base - 1, cubic_weights(index_z - base).T, strict=True):
        for number, weight in enumerate(weights.tolist(), first):
            if weight and 0 <= number < len(probability):
                plane += probability[number] * probability.dtype.type(weight)
    return planes


def _is_run(numbers: Ints) -> bool:
    return bool(numbers[-1] - numbers[0] == len(numbers) - 1)
