"""The exact fraction of each voxel's square that polygons cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring.measure import place_of, touched_box
from autocontour.contouring.ragged import Edges, Ints, rings_of, voxel_edges
from autocontour.contouring.raster import fill_box
from autocontour.patient.geometry import Box, Floats, VolumeGeometry
from autocontour.patient.structures import Contours

ROUNDING = 1e-9


def coverage_from_contours(contours: Contours, geometry: VolumeGeometry, box: Box | None = None) -> NDArray[np.float32]:
    """Return the fraction of each voxel's square that lies inside `contours`, exact except for rounding.

    Voxels not crossed by an edge are entirely inside or outside. In the others every edge is cut at the voxel's borders
    and the area to the right of each segment is summed along the row, as in font rasterisers.

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
    coverage
        (z, y, x) float32 of the box, 0 to 1.

    Examples
    --------
    >>> import shapely
    >>> grid = VolumeGeometry.regular((1, 2, 3), (3.0, 1.0, 1.0))
    >>> square = shapely.MultiPolygon([shapely.box(0.0, -0.5, 1.5, 0.5)])
    >>> coverage_from_contours({0: square}, grid)[0].tolist()
    [[0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]
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
    covered = coverage[place_of(inner, wanted)]
    covered[...] = fill_box(edges, inner)
    z, y, x, shares = _border_voxels(edges, sign, inner)
    covered[z, y, x] = shares
    return coverage


def _border_voxels(edges: Edges, sign: Floats, box: Box) -> tuple[Ints, Ints, Ints, Floats]:
    """Return z, y, x in `box` of every voxel that an edge runs through, and how much of it is covered."""
    (first_z, first_y, first_x), (_, rows, columns) = box.start_zyx, box.shape_zyx
    at = np.flatnonzero((edges.z >= first_z) & (edges.z < box.stop_zyx[0]))
    # From here on voxel (y, x) of the box is the square from (y, x) to (y + 1, x + 1).
    y0, y1 = edges.y0[at] + (0.5 - first_y), edges.y1[at] + (0.5 - first_y)
    x0, x1 = edges.x0[at] + (0.5 - first_x), edges.x1[at] + (0.5 - first_x)
    signed = sign[edges.ring[at]] * np.sign(y0 - y1)
    edge, y0, x0, y1, x1 = _cut_at_integers(y0, x0, y1, x1)
    piece, x0, y0, x1, y1 = _cut_at_integers(x0, y0, x1, y1)
    edge = edge[piece]

    row = np.floor((y0 + y1) / 2).astype(np.intp)
    height = np.abs(y1 - y0) * signed[edge]
    middle = np.clip((x0 + x1) / 2, 0, columns)
    column = np.floor(middle).astype(np.intp)
    kept = (row >= 0) & (row < rows)
    beyond = (height * (middle - column))[kept]
    # Two additional columns hold the values to the right of the box.
    wide = (((edges.z[at][edge] - first_z) * rows + row) * (columns + 2) + column)[kept]
    wide, shares = _running_sums(np.concatenate((wide, wide + 1)), np.concatenate((height[kept] - beyond, beyond)))
    inside = wide % (columns + 2) < columns
    line, x = np.divmod(wide[inside], columns + 2)
    z, y = np.divmod(line, rows)
    return z, y, x, np.clip(shares[inside], 0.0, 1.0)


def _running_sums(places: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Sum the values of each place and return the places, ascending, with the cumulative sum."""
    order = np.argsort(places, kind="stable")
    sums = np.cumsum(values[order])
    places = places[order]
    last = np.ones(len(places), np.bool_)
    last[:-1] = places[1:] != places[:-1]
    return places[last], np.where(np.abs(sums) < ROUNDING, 0.0, sums)[last]


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
