"""Joining edges to rings, and assigning holes to their exteriors."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

from autocontour.contouring.ragged import Ints, Rings, signed_areas
from autocontour.patient.geometry import Floats


def follow_cycles(following: Ints) -> tuple[Ints, Ints]:
    """Order a permutation cycle by cycle, each from its smallest element, cycles by theirs.

    Parameters
    ----------
    following
        (n,) the element that comes after each.

    Returns
    -------
    order, starts
        (n,) the elements one after another, and (cycles + 1,) where each cycle starts in them.
    """
    count = len(following)
    if not count:
        return np.zeros(0, np.intp), np.zeros(1, np.intp)
    cycle = connected_components(_graph(following), directed=False)[1]
    firsts = np.sort(np.unique(cycle, return_index=True)[1])
    before = np.empty(count, np.intp)
    before[following] = np.arange(count)
    chain = following.copy()
    chain[before[firsts]] = np.append(firsts[1:], -1)  # the end of each cycle is linked to the next cycle
    order = depth_first_order(_graph(chain), firsts[0], return_predecessors=False).astype(np.intp)
    place = np.empty(count, np.intp)
    place[order] = np.arange(count)
    return order, np.append(place[firsts], count)


def _graph(following: Ints) -> csr_array:
    known = following >= 0
    pointers = np.concatenate(([0], np.cumsum(known)))
    return csr_array((np.ones(pointers[-1], np.int8), following[known], pointers), shape=(len(following),) * 2)


def nest_rings(points: Floats, starts: Ints, slices: Ints) -> Rings:
    """Close rings and sort each hole after the exterior that contains it.

    Parameters
    ----------
    points
        (n, 2) ring after ring, not closed; exteriors turn from u to v, holes the other way. Rings may touch in points
        but not along edges.
    starts, slices
        (rings + 1,) and (rings,) where each ring starts and the slice it lies on.
    """
    is_hole = signed_areas(points, starts) < 0
    exterior = _exterior_of(points, starts, slices, is_hole)
    order = np.lexsort((is_hole, exterior, slices))
    lengths = np.diff(starts)[order] + 1
    closed = np.concatenate(([0], np.cumsum(lengths)))
    position = np.arange(closed[-1]) + np.repeat(starts[:-1][order] - closed[:-1], lengths)
    position[closed[1:] - 1] = starts[:-1][order]
    return Rings(points[position], closed, slices[order], is_hole[order])


def _exterior_of(points: Floats, starts: Ints, slices: Ints, is_hole: NDArray[np.bool_]) -> Ints:
    """Return the ring itself for exteriors, and for holes the smallest exterior of the slice around them."""
    exterior = np.arange(len(slices))
    outer, holes = np.flatnonzero(~is_hole), np.flatnonzero(is_hole)
    if not len(holes):
        return exterior
    first, count = np.unique(slices[outer], return_index=True, return_counts=True)[1:]
    rank = np.searchsorted(slices[outer][first], slices[holes])
    exterior[holes] = outer[first[rank]]
    unclear = holes[count[rank] > 1]
    if len(unclear):
        exterior[unclear] = _smallest_around(
            points, starts, slices, outer[np.isin(slices[outer], slices[unclear])], unclear
        )
    return exterior


def _smallest_around(vertices: Floats, starts: Ints, slices: Ints, outer: Ints, holes: Ints) -> Ints:
    found, hole = find_around(vertices, starts, slices, outer, holes)
    areas = np.abs(signed_areas(vertices, starts))
    order = np.lexsort((areas[outer[found]], hole))
    nearest = order[np.unique(hole[order], return_index=True)[1]]
    around: Ints = outer[found[nearest]]
    return around


def find_around(vertices: Floats, starts: Ints, slices: Ints, outer: Ints, inner: Ints) -> tuple[Ints, Ints]:
    """Return pairs of the rings `outer` and those of `inner` that lie in them, as indices in both.

    Rings may touch in points but not along edges.

    Parameters
    ----------
    vertices
        (n, 2) ring after ring, closed or not.
    starts, slices
        (rings + 1,) and (rings,) where each ring starts and the slice it lies on.
    outer, inner
        Numbers of the rings.
    """
    # Slices are laid side by side, so that one search only finds rings on the same slice.
    width = np.ptp(vertices[:, 0]) + 1.0
    lengths = np.diff(starts)
    ring = np.repeat(np.arange(len(outer)), lengths[outer])
    within = np.arange(len(ring)) - np.repeat(np.cumsum(lengths[outer]) - lengths[outer], lengths[outer])
    shift = np.array([1.0, 0.0]) * width
    outlines = vertices[starts[outer][ring] + within] + shift * slices[outer][ring][:, None]
    polygons = shapely.polygons(shapely.linearrings(outlines, indices=ring))
    probes = (vertices[starts[inner]] + vertices[starts[inner] + 1]) / 2 + shift * slices[inner][:, None]
    points = np.asarray(shapely.points(probes), dtype=object)
    found, number = shapely.STRtree(points).query(polygons, predicate="contains")
    return found, number
