"""Correspondence between the pieces of a structure on two slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import MultiPolygon
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from autocontour.patient.geometry import Floats

Pair = tuple[MultiPolygon, MultiPolygon]
Pieces = NDArray[np.object_]
MOST_OBLIQUE = 2.0
"""How far a piece may move within the slices, in millimetres for each millimetre across them (63°)."""
BEND = 1.0
"""How far it may lie from the position extrapolated along its own direction, or, without a direction, from the other
piece (45°)."""


@dataclass(frozen=True)
class Neighbour:
    """The slice drawn next to one of the two, on the far side: it shows in which direction pieces run.

    Attributes
    ----------
    shape
        What is drawn on it.
    distance_mm
        How far away it is.
    """

    shape: MultiPolygon
    distance_mm: float


def pair_pieces(
    low: MultiPolygon,
    high: MultiPolygon,
    gap_mm: float,
    before: Neighbour | None = None,
    after: Neighbour | None = None,
) -> list[Pair]:
    """Return groups of corresponding pieces of two slices; a piece without a counterpart is in no group.

    - Pieces that overlap in plane coordinates correspond.
    - Of the pieces without overlap, two that are each other's nearest are sections of one oblique piece if each lies
    within `gap_mm` of the position extrapolated along the other's direction, which is taken from the neighbouring slice
    beyond it; where no slice gives a direction, if they are at most twice `gap_mm` apart.
    - A remaining piece corresponds to the nearest one within `gap_mm`, as a branch does.

    Parameters
    ----------
    low, high
        Outlines on the two slices, in plane coordinates (mm).
    gap_mm
        Distance of the slices; with 0 only overlap is used.
    before, after
        The drawn slices below `low` and above `high`, if any.
    """
    lower, upper = shapely.get_parts(low), shapely.get_parts(high)
    links = list(zip(*shapely.STRtree(upper).query(lower, predicate="intersects"), strict=True))
    if gap_mm > 0:
        links += _oblique(lower, upper, _alone(links, 0, lower), _alone(links, 1, upper), gap_mm, before, after)
        links += _nearest(lower, upper, _alone(links, 0, lower), _alone(links, 1, upper), gap_mm)
    return _groups(lower, upper, links)


def _alone(links: list[tuple[int, int]], side: int, pieces: Pieces) -> list[int]:
    """Return the numbers of the pieces of one side without a link."""
    return sorted(set(range(len(pieces))) - {int(link[side]) for link in links})


def _oblique(
    lower: Pieces,
    upper: Pieces,
    low_alone: list[int],
    high_alone: list[int],
    gap_mm: float,
    before: Neighbour | None,
    after: Neighbour | None,
) -> list[tuple[int, int]]:
    """Link pieces that are each other's nearest, within the largest obliquity."""
    if not low_alone or not high_alone:
        return []
    apart = shapely.distance(lower[low_alone][:, None], upper[high_alone][None, :])
    links = []
    for i, j in np.argwhere((apart == apart.min(axis=0)) & (apart == apart.min(axis=1)[:, None])):
        one, other = low_alone[i], high_alone[j]
        leads = (
            _leads_to(lower[one], upper[other], gap_mm, before),
            _leads_to(upper[other], lower[one], gap_mm, after),
        )
        if False not in leads and (True in leads or apart[i, j] <= MOST_OBLIQUE * gap_mm):
            links.append((one, other))
    return links


def _leads_to(piece: BaseGeometry, other: BaseGeometry, gap_mm: float, neighbour: Neighbour | None) -> bool | None:
    """Whether the direction in which a piece comes from its neighbouring slice leads to the other; None if unknown."""
    same = [] if neighbour is None else [p for p in neighbour.shape.geoms if shapely.intersects(p, piece)]
    if neighbour is None or not same:
        return None
    step = _centre(piece) - _centre(shapely.union_all(same))
    u, v = step * (gap_mm / neighbour.distance_mm)
    return bool(shapely.dwithin(translate(piece, u, v), other, BEND * gap_mm))


def _centre(shape: BaseGeometry) -> Floats:
    centre: Floats = shapely.get_coordinates(shapely.centroid(shape))[0]
    return centre


def _nearest(
    lower: Pieces, upper: Pieces, low_alone: list[int], high_alone: list[int], gap_mm: float
) -> list[tuple[int, int]]:
    """Link every remaining piece to the nearest one of the other slice, if it is near enough."""
    links = []
    for i in low_alone:
        apart = shapely.distance(lower[i], upper)
        links.append((i, int(apart.argmin()), float(apart.min())))
    for j in high_alone:
        apart = shapely.distance(upper[j], lower)
        links.append((int(apart.argmin()), j, float(apart.min())))
    return [(i, j) for i, j, distance in links if distance <= BEND * gap_mm]


def _groups(lower: Pieces, upper: Pieces, links: list[tuple[int, int]]) -> list[Pair]:
    count = len(lower)
    ends = np.array(links, dtype=np.intp).reshape(-1, 2).T + np.array([[0], [count]])
    graph = coo_array((np.ones(len(links)), tuple(ends)), shape=(count + len(upper),) * 2)
    labels = connected_components(graph, directed=False)[1]
    shared = np.intersect1d(labels[:count], labels[count:])
    return [
        (MultiPolygon(list(lower[labels[:count] == label])), MultiPolygon(list(upper[labels[count:] == label])))
        for label in shared
    ]
