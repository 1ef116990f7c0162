"""Polygons → how much of each voxel's square they cover, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.measure import place_of, touched_box
from autocontour.contouring.ragged import Edges, Ints, rings_of, voxel_edges
from autocontour.geometry import Box, Floats, VolumeGeometry
from autocontour.structures import Contours

ROUNDING = 1e-9
SLAB_VOXELS = 1 << 20


def coverage_from_contours(contours: Contours, geometry: VolumeGeometry, box: Box | None = None) -> NDArray[np.float32]:
    """Return the fraction of each voxel's square that lies inside `contours`, exact but for rounding.

    Every edge is cut at the borders of the voxels; the area to the right of each piece is noted in its voxel and
    summed along the row, as font rasterisers do.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates.
    geometry
        Of the whole volume.
    box
        Voxels wanted; the whole volume if None.

    Returns
    -------
    coverage
        (z, y, x) float32 of the box, 0 to 1.
    """
    wanted = box or Box((0, 0, 0), geometry.shape_zyx)
    coverage = np.zeros(wanted.shape_zyx, np.float32)
    rings = rings_of(contours)
    edges = voxel_edges(rings, geometry)
    inner = touched_box(edges, wanted)
    if inner is None:
        return coverage
    # A ring's own direction does not matter: exteriors add and holes take away.
    sign = np.where(rings.is_hole, -1.0, 1.0) * np.sign(rings.doubled_areas())
    target = coverage[place_of(inner, wanted)]
    step = max(1, SLAB_VOXELS // (target.shape[1] * target.shape[2]))
    for start in range(0, len(target), step):
        slab = target[start : start + step]
        slab[...] = _cover(edges, sign, (inner.start_zyx[0] + start, *inner.start_zyx[1:]), slab.shape)
    return coverage


def _cover(edges: Edges, sign: Floats, start_zyx: tuple[int, int, int], shape_zyx: tuple[int, ...]) -> Floats:
    """Return the coverage of a box of voxels."""
    slices, rows, columns = shape_zyx
    at = np.flatnonzero((edges.z >= start_zyx[0]) & (edges.z < start_zyx[0] + slices))
    # From here on voxel (y, x) of the box is the square from (y, x) to (y + 1, x + 1).
    y0, y1 = edges.y0[at] + (0.5 - start_zyx[1]), edges.y1[at] + (0.5 - start_zyx[1])
    x0, x1 = edges.x0[at] + (0.5 - start_zyx[2]), edges.x1[at] + (0.5 - start_zyx[2])
    signed = sign[edges.ring[at]] * np.sign(y0 - y1)
    edge, y0, x0, y1, x1 = _cut_at_integers(y0, x0, y1, x1)
    piece, x0, y0, x1, y1 = _cut_at_integers(x0, y0, x1, y1)
    edge = edge[piece]

    row = np.floor((y0 + y1) / 2).astype(np.intp)
    height = np.abs(y1 - y0) * signed[edge]
    middle = np.clip((x0 + x1) / 2, 0, columns)
    column = np.floor(middle).astype(np.intp)
    kept = (row >= 0) & (row < rows)
    flat = (((edges.z[at][edge] - start_zyx[0]) * rows + row) * (columns + 2) + column)[kept]
    beyond = (height * (middle - column))[kept]
    size = slices * rows * (columns + 2)
    sums = np.bincount(flat, height[kept] - beyond, size) + np.bincount(flat + 1, beyond, size)
    covered = np.cumsum(sums.reshape(slices, rows, columns + 2), axis=2)[:, :, :columns]
    covered[np.abs(covered) < ROUNDING] = 0.0
    return np.clip(covered, 0.0, 1.0)


def _cut_at_integers(a0: Floats, b0: Floats, a1: Floats, b1: Floats) -> tuple[Ints, Floats, Floats, Floats, Floats]:
    """Cut segments wherever `a` is whole; return the segment of each piece and its ends, `a` ascending."""
    down = a0 > a1
    a0, a1, b0, b1 = (np.where(down, q, p) for p, q in ((a0, a1), (a1, a0), (b0, b1), (b1, b0)))
    floor = np.floor(a0)
    count = np.maximum(np.ceil(a1) - floor, 1).astype(np.intp)
    segment = np.repeat(np.arange(len(a0)), count)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    low, high = a0[segment], a1[segment]
    length = np.where(high > low, high - low, 1.0)
    slope = (b1 - b0)[segment] / length
    begin = np.maximum(floor[segment] + number, low)
    end = np.minimum(floor[segment] + number + 1, high)
    last = number == count[segment] - 1
    b_begin = b0[segment] + (begin - low) * slope
    b_end = np.where(last, b1[segment], b0[segment] + (end - low) * slope)
    return segment, begin, b_begin, end, b_end
