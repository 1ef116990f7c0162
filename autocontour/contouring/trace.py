"""Mask → polygons along the edges of its voxels.

The boundary of a union of pixels is traced by its corners. Along a lattice row, successive corners form horizontal
edges, and along a lattice column into vertical ones; following both in turn gives every ring without
collinear points. Where two pixels touch only at a corner, the lattice point is a corner twice, once for each pixel, so
regions are 4-connected and rings may touch there but never cross.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.follow import follow_cycles, nest_rings
from autocontour.contouring.ragged import Ints, contours_of
from autocontour.patient.geometry import Box, VolumeGeometry

if TYPE_CHECKING:
    from shapely import MultiPolygon

Mask = NDArray[np.bool_]
SLAB_VOXELS = 1 << 18  # fits in the processor's cache


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of the boundary, sorted by slice, row, column; (y, x) is the upper left corner of padded pixel (y, x)."""

    z: Ints
    y: Ints
    x: Ints
    is_double: Mask  # two pixels touch here; the corner of the left one comes first
    is_second: Mask

    def pixels(self, padded: Mask, which: Ints) -> tuple[Ints, Ints, Ints]:
        """Return z, y, x of one foreground pixel that the corners `which` belong to, in the padded mask."""
        z, y, x = self.z[which], self.y[which], self.x[which]
        upper_left, lower_left, upper_right = padded[z, y, x], padded[z, y + 1, x], padded[z, y, x + 1]
        right = self.is_second[which] | ~(upper_left | lower_left)
        low = np.where(right, ~upper_right, ~upper_left)
        return z, y + low, x + right


def contours_from_mask(
    mask: Mask, geometry: VolumeGeometry, start_zyx: tuple[int, int, int] = (0, 0, 0)
) -> dict[int, MultiPolygon]:
    """Outline the union of the squares of every true voxel, exactly.

    Rings have no collinear points; exteriors run counter-clockwise in (u, v), holes clockwise; everything is sorted by
    slice, row and column, so equal masks give identical contours.

    Parameters
    ----------
    mask
        (z, y, x) bool, a box of the volume.
    geometry
        Of the whole volume.
    start_zyx
        The voxel of the volume at which `mask` starts.

    Returns
    -------
    Contours
        Valid polygons; `mask_from_contours` returns exactly `mask`.

    Raises
    ------
    ValueError
        If the mask extends beyond the volume.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((2, 5, 5), (3.0, 1.0, 1.0))
    >>> mask = np.zeros((2, 5, 5), dtype=bool)
    >>> mask[1, 2, 3] = True
    >>> {k: shape.wkt for k, shape in contours_from_mask(mask, grid).items()}
    {1: 'MULTIPOLYGON (((2.5 1.5, 3.5 1.5, 3.5 2.5, 2.5 2.5, 2.5 1.5)))'}
    """
    spans = zip(start_zyx, mask.shape, geometry.shape_zyx, strict=True)
    if any(start < 0 or start + count > size for start, count, size in spans):
        raise ValueError(f"a mask of {mask.shape} at {start_zyx} does not fit the volume {geometry.shape_zyx}")
    box = Box.around(mask)
    if box is None:
        return {}
    padded = np.pad(mask[box.slices].astype(np.bool_, copy=False), ((0, 0), (1, 1), (1, 1)))
    corners = _find_corners(padded)
    sequence, starts = _split_at_touches(corners, *_follow(corners, padded))
    z = corners.z[sequence]
    rings = nest_rings(np.column_stack((corners.x, corners.y))[sequence].astype(np.float64), starts, z[starts[:-1]])

    first_z, first_y, first_x = (a + b for a, b in zip(box.start_zyx, start_zyx, strict=True))
    slices = rings.slices + first_z
    samples = rings.points_uv_mm + np.array((first_x - 0.5, first_y - 0.5))
    points = samples * geometry.pixel_spacing_vu_mm[::-1] + geometry.plane_origins_uv_mm[slices][rings.ring_of_point]
    return contours_of(replace(rings, points_uv_mm=points, slices=slices))


def _find_corners(padded: Mask) -> _Corners:
    """Find every lattice point where the boundary turns; those where two pixels touch are returned twice."""
    slices, rows, columns = padded.shape
    step = max(1, SLAB_VOXELS // (rows * columns))
    found, doubles = [], []
    for start in range(0, slices, step):
        slab = padded[start : start + step]
        across = slab[:, :, 1:] ^ slab[:, :, :-1]
        above, below = across[:, :-1], across[:, 1:]
        double = above & below & (slab[:, :-1, 1:] ^ slab[:, 1:, 1:])
        at = np.flatnonzero((above ^ below) | double)
        doubles.append(double.ravel()[at])
        found.append(at + start * (rows - 1) * (columns - 1))
    is_double = np.concatenate(doubles)
    copies = 1 + is_double
    flat = np.repeat(np.concatenate(found), copies)
    is_double = np.repeat(is_double, copies)
    is_second = np.zeros(len(flat), np.bool_)
    is_second[1:] = is_double[1:] & (flat[1:] == flat[:-1])
    row, x = np.divmod(flat, columns - 1)
    z, y = np.divmod(row, rows - 1)
    return _Corners(z, y, x, is_double, is_second)


def _follow(corners: _Corners, padded: Mask) -> tuple[Ints, Ints]:
    """Follow every ring; return the corners in order and the start of each ring."""
    left, right = np.arange(0, len(corners.z), 2), np.arange(1, len(corners.z), 2)
    is_top = padded[corners.z[left], corners.y[left] + 1, corners.x[left] + 1]
    begin, end = np.where(is_top, left, right), np.where(is_top, right, left)
    following = _vertical_partners(corners, padded)[end] >> 1
    order, starts = follow_cycles(following)
    sequence = np.column_stack((begin[order], end[order])).ravel()
    return sequence, 2 * starts


def _vertical_partners(corners: _Corners, padded: Mask) -> Ints:
    """Return, for each corner, the one at the other end of its vertical edge."""
    doubles = np.flatnonzero(corners.is_double)
    goes_down = np.zeros(len(corners.z), np.intp)
    goes_down[doubles] = corners.pixels(padded, doubles)[1] - corners.y[doubles]
    _, rows, columns = padded.shape
    order = np.argsort(((corners.z * columns + corners.x) * rows + corners.y) * 2 + goes_down)
    partners = np.empty_like(order)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners


def _split_at_touches(corners: _Corners, sequence: Ints, starts: Ints) -> tuple[Ints, Ints]:
    """Cut every ring that touches itself into rings that do not."""
    ring_of = np.empty(len(sequence), np.intp)
    ring_of[sequence] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    second = np.flatnonzero(corners.is_second)
    torn = np.unique(ring_of[second][ring_of[second] == ring_of[second - 1]])
    if not len(torn):
        return sequence, starts
    point = np.arange(len(sequence)) - corners.is_second  # both corners of a touch are one point
    rings = np.split(sequence, starts[1:-1])
    pieces = []
    for ring, is_torn in zip(rings, np.isin(np.arange(len(rings)), torn), strict=True):
        pieces += _simple_loops(ring, point[ring].tolist()) if is_torn else [ring]
    return np.concatenate(pieces), np.cumsum([0, *map(len, pieces)])


def _simple_loops(ring: Ints, points: list[int]) -> list[Ints]:
    """Split a ring at every repeated point."""
    loops = []
    path: list[int] = []
    seen: dict[int, int] = {}
    for position, point in enumerate(points):
        if point in seen:
            begin = seen[point]
            loops.append(ring[path[begin:]])
            for passed in path[begin:]:
                del seen[points[passed]]
            del path[begin:]
        seen[point] = len(path)
        path.append(position)
    return [ring[path], *loops]
