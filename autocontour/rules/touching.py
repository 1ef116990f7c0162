"""Polygons that belong to a structure: those with a voxel in its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autocontour.contouring.ragged import Ints, Rings, pick_rings
from autocontour.patient.geometry import Box, Floats
from autocontour.rules.grid import Grid, Mask

SURE = 0.6  # of a voxel's cells belong to the structure


def keep_touching(rings: Rings, grid: Grid, sure: Mask, slab: Box) -> Rings:
    """Leave out the polygons in which no voxel belongs to the cells `sure`.

    The voxels in the middle of cells are checked first; most polygons contain one.

    Parameters
    ----------
    rings
        In voxels (x, y) of the image, as traced: every line between two voxels of a row has a point on it.
    grid
        The cells of the CT.
    sure
        Cells, in patient order.
    slab
        The voxels that were traced.
    """
    polygon = np.cumsum(~rings.is_hole) - 1
    crossings = _find_crossings(rings, polygon)
    is_touching = _count_middles(crossings, grid, sure, slab, int(np.count_nonzero(~rings.is_hole))) > 0
    left = ~is_touching[crossings.polygon]
    if left.any():
        voxels, owner = _find_voxels(crossings, left)
        is_touching[owner[grid.at_voxels(sure, voxels) > SURE]] = True
    return rings if is_touching.all() else pick_rings(rings, is_touching[polygon])


@dataclass(frozen=True, eq=False)
class _Crossings:
    """Where outlines cross rows of voxels.

    Attributes
    ----------
    z, y, x
        Slice, row, and place along the row.
    sign
        1 where the outline runs to higher rows, -1 where to lower ones.
    polygon
        Number of the polygon.
    """

    z: Ints
    y: Ints
    x: Floats
    sign: Floats
    polygon: Ints


def _find_crossings(rings: Rings, polygon: Ints) -> _Crossings:
    x, y = rings.points_uv_mm.T
    row = np.rint(y)
    on_row = y == row
    on_row[rings.starts[1:] - 1] = False
    at = np.flatnonzero(on_row)
    ring = rings.ring_of_point[at]
    return _Crossings(rings.slices[ring], row[at].astype(np.intp), x[at], np.sign(y[at + 1] - y[at]), polygon[ring])


def _count_middles(crossings: _Crossings, grid: Grid, sure: Mask, slab: Box, polygons: int) -> Floats:
    """Return for every polygon how many middle voxels of cells that are certainly `sure` lie in it.

    In a row these are the sure ones left of where its outline runs down, less those left of where it runs up.
    """
    rows, columns, whole = grid.whole_at_middles(sure, slab)
    before = np.zeros((*whole.shape[:2], whole.shape[2] + 1), np.intp)
    np.cumsum(whole, axis=2, out=before[:, :, 1:])
    number, off = np.divmod(crossings.y - rows.start, rows.step)
    at = np.flatnonzero((off == 0) & (number >= 0) & (number < whole.shape[1]))
    column = np.clip(np.ceil((crossings.x[at] - columns.start) / columns.step), 0, whole.shape[2]).astype(np.intp)
    counts = before[crossings.z[at] - slab.start_zyx[0], number[at], column] * crossings.sign[at]
    return np.abs(np.bincount(crossings.polygon[at], counts, polygons))


def _find_voxels(crossings: _Crossings, chosen: Mask) -> tuple[Ints, Ints]:
    """Return (3, voxels) the voxels in the polygons of the `chosen` crossings, and the polygon of each."""
    z, y, polygon = (of[chosen] for of in (crossings.z, crossings.y, crossings.polygon))
    x = crossings.x[chosen]
    order = np.lexsort((x, y, polygon))
    into, out_of = order[::2], order[1::2]
    first = np.ceil(x[into]).astype(np.intp)
    counts = np.ceil(x[out_of]).astype(np.intp) - first
    run = np.repeat(into, counts)
    along = np.arange(len(run)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    return np.stack((z[run], y[run], along)), polygon[run]
