"""Polygons → mask: a voxel is inside if its centre is, by the even-odd rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.measure import place_of, touched_box
from autocontour.contouring.ragged import Edges, rings_of, voxel_edges
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours

Mask = NDArray[np.bool_]
EVERY_BYTE = np.uint64(0x0101010101010101)
CHUNK_WORDS = 1 << 14  # fits in the processor's cache


def mask_from_contours(contours: Contours, geometry: VolumeGeometry, box: Box | None = None) -> Mask:
    """Fill `contours`: a voxel is true where its centre lies inside (even-odd over all rings of its slice).

    A centre exactly on an edge is inside at the low side of u and v and outside at the high side, so that adjacent
    polygons never share a voxel.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates.
    geometry
        Of the whole volume.
    box
        Voxels to compute; the whole volume if None.

    Returns
    -------
    mask
        (z, y, x) bool of the box.

    Examples
    --------
    >>> import shapely
    >>> grid = VolumeGeometry.regular((2, 4, 4), (3.0, 1.0, 1.0))
    >>> square = shapely.MultiPolygon([shapely.box(0.5, 0.5, 2.5, 2.5)])
    >>> mask_from_contours({1: square}, grid)[1].astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    wanted = box or Box((0, 0, 0), geometry.shape_zyx)
    mask = np.zeros(wanted.shape_zyx, np.bool_)
    edges = voxel_edges(rings_of(contours), geometry)
    inner = touched_box(edges, wanted)
    if inner is not None:
        mask[place_of(inner, wanted)] = fill_box(edges, inner)
    return mask


def fill_box(edges: Edges, box: Box) -> Mask:
    """Toggle where edges cross the rows of voxel centres, then run along the rows."""
    slices, rows, columns = box.shape_zyx
    voxels = slices * rows * columns
    toggles = np.zeros(voxels // 8 + 1, np.uint64)
    np.add.at(toggles.view(np.uint8), _crossings(edges, box), np.uint8(1))
    _run_along(toggles)
    return toggles.view(np.bool_)[:voxels].reshape(box.shape_zyx)


def _run_along(toggles: NDArray[np.uint64]) -> None:
    """Turn toggles into inside flags (0 or 1) in place, eight per integer; four times as fast as a sum."""
    toggles &= EVERY_BYTE
    inside = np.uint64(0)
    for start in range(0, len(toggles), CHUNK_WORDS):
        words = toggles[start : start + CHUNK_WORDS]
        for shift in (8, 16, 32):
            words ^= words << np.uint64(shift)
        after = np.bitwise_xor.accumulate(words >> np.uint64(56)) ^ inside
        words[0] ^= inside * EVERY_BYTE
        words[1:] ^= after[:-1] * EVERY_BYTE
        inside = after[-1]


def _crossings(edges: Edges, box: Box) -> NDArray[np.intp]:
    """Flat index in `box` of the first voxel right of each crossing; past the last column, the next row's first."""
    _, rows, columns = box.shape_zyx
    z, y0, x0, y1, x1 = edges.z, edges.y0, edges.x0, edges.y1, edges.x1
    upward = y0 > y1
    y0, y1, x0, x1 = (np.where(upward, b, a) for a, b in ((y0, y1), (y1, y0), (x0, x1), (x1, x0)))
    first = np.clip(np.ceil(y0), box.start_zyx[1], box.stop_zyx[1]).astype(np.intp)
    count = np.clip(np.ceil(y1), box.start_zyx[1], box.stop_zyx[1]).astype(np.intp) - first
    count[(z < box.start_zyx[0]) | (z >= box.stop_zyx[0])] = 0

    edge = np.repeat(np.arange(len(z)), count)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (x1 - x0) / (y1 - y0)
    x = x0[edge] + (row - y0[edge]) * slope[edge]
    column = np.clip(np.ceil(x), box.start_zyx[2], box.stop_zyx[2]).astype(np.intp)
    line = (z[edge] - box.start_zyx[0]) * rows + (row - box.start_zyx[1])
    flat: NDArray[np.intp] = line * columns + (column - box.start_zyx[2])
    return flat
