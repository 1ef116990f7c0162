"""DICOM rings to polygons and back.

DICOM contours are closed rings of points (PS3.3 C.8.8.6). A hole is written as a *keyhole* (one ring that runs through
a channel of zero width into the hole and back), as *nested* rings, or as rings of type CLOSEDPLANAR_XOR; the inside is
always defined by the even-odd rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from autocontour.contouring.ragged import polygons_of
from autocontour.contouring.slivers import mean_width_mm
from autocontour.patient.geometry import Floats

DECIMALS = 6
"""Points of a ring that agree to this many decimals of a mm are one point."""
ROUNDING_MM = 1e-3
"""Rounding of coordinates in a file, which makes rings cross themselves by as much."""
SAME_SHARE = 1e-3
"""Fraction of a ring's area that rounding may change: a ring with less than this outside another counts as inside
it."""


class RingsArea(NamedTuple):
    """The area enclosed by the rings on one plane.

    Attributes
    ----------
    area
        Empty if no ring has an area.
    overlapping
        Rings partly overlap and were united: other programs may combine them differently.
    nested
        Rings lie inside others and were read as holes: other programs may fill them.
    """

    area: MultiPolygon
    overlapping: bool = False
    nested: bool = False


def polygon_from_rings(rings: Sequence[Floats], *, xor: bool = False) -> RingsArea:
    """Combine the rings of one plane into one area.

    Parameters
    ----------
    rings
        Each (n, 2) in mm, closed implicitly; a ring may touch or cross itself (keyhole, bow tie).
    xor
        Combine as CLOSEDPLANAR_XOR: every point inside an odd number of rings is inside. Otherwise a ring inside the
        area of larger rings is a hole, two equal rings are one, and rings that partly overlap are united.
    """
    lengths = np.array([len(ring) for ring in rings], dtype=np.int64)
    points = np.concatenate([np.empty((0, 2)), *rings])
    return combine_areas(areas_of_rings(points, np.cumsum(lengths) - lengths), xor=xor)


def areas_of_rings(points_uv_mm: Floats, starts: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the even-odd inside of many rings at once, each a polygon or multipolygon, empty if it has no area.

    Parameters
    ----------
    points_uv_mm
        (n, 2) points of all rings, one after another.
    starts
        Index of the first point of every ring.
    """
    stops = np.append(starts[1:], len(points_uv_mm)).astype(np.int64)
    areas = np.full(len(starts), MultiPolygon(), dtype=object)
    # A ring of three points that is closed explicitly has two corners; GEOS would refuse it.
    sound = np.flatnonzero(stops - starts >= 4)
    rings = np.repeat(np.arange(len(sound)), (stops - starts)[sound])
    points = points_uv_mm.round(DECIMALS)[np.isin(np.repeat(np.arange(len(starts)), stops - starts), sound)]
    areas[sound] = shapely.polygons(shapely.linearrings(points, indices=rings)) if len(sound) else []
    odd = np.flatnonzero(~shapely.is_valid(areas) | shapely.is_empty(areas))
    for index in odd:
        areas[index] = _area_of_odd_ring(points_uv_mm[starts[index] : stops[index]].round(DECIMALS))
    return areas


def combine_areas(areas: NDArray[np.object_], *, xor: bool = False) -> RingsArea:
    """Combine the insides of the rings of one plane (see `polygon_from_rings`)."""
    parts = areas[~shapely.is_empty(areas)]
    if len(parts) < 2:
        return RingsArea(polygons_of(MultiPolygon() if not len(parts) else parts[0]))
    return _nested_area(parts[np.argsort(-shapely.area(parts), kind="stable")], xor=xor)


def polygon_from_ring(ring: Floats) -> MultiPolygon:
    """Return the even-odd inside of one (n, 2) ring, a keyhole's hole as a hole; empty if it has no area."""
    return combine_areas(areas_of_rings(np.asarray(ring, dtype=np.float64), np.zeros(1, dtype=np.int64))).area


def nested_rings(area: MultiPolygon) -> list[Floats]:
    """Return outer rings and holes one after another, without the closing point; holes run the other way."""
    polygons = shapely.get_parts(shapely.orient_polygons(area, exterior_cw=False))
    rings: list[Floats] = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(polygons)]
    return rings


def keyhole_rings(area: MultiPolygon) -> list[Floats]:
    """Return one ring per polygon, every hole connected by a channel of zero width along u.

    The channel runs from the hole's point of greatest u to the next edge at greater u, so it lies inside the polygon
    and along the image's rows, where it does not affect readers that fill row by row.
    """
    polygons = shapely.get_parts(shapely.orient_polygons(area, exterior_cw=False))
    return [_keyhole_ring(polygon) for polygon in polygons]


def _nested_area(parts: NDArray[np.object_], *, xor: bool) -> RingsArea:
    """Combine rings, largest first: one inside an odd number of others is a hole, other rings are united.

    Exclusive-or only differs where rings are equal or partly overlap.
    """
    small, large = shapely.STRtree(parts).query(parts, predicate="intersects")
    small, large = small[small > large], large[small > large]
    if not len(small):
        return RingsArea(polygons_of(parts))
    share = _share_inside(parts[small], parts[large])
    inside = share >= 1.0 - SAME_SHARE
    area = shapely.area(parts)
    same = np.unique(small[inside & (area[small] >= (1.0 - SAME_SHARE) * area[large])])
    overlapping = bool(np.any((share > SAME_SHARE) & ~inside))
    if xor and (overlapping or len(same)):
        return RingsArea(_xor(parts))
    counts = inside & ~np.isin(large, same)
    depth = np.bincount(small[counts], minlength=len(parts))
    depth[same] = -1
    result: BaseGeometry = shapely.union_all(parts[depth == 0])
    for level in range(1, int(depth.max()) + 1):
        layer = shapely.union_all(parts[depth == level])
        result = result.difference(layer) if level % 2 else result.union(layer)
    return RingsArea(polygons_of(result), overlapping, nested=bool(depth.max() > 0))


def _share_inside(small: NDArray[np.object_], large: NDArray[np.object_]) -> Floats:
    """Return, for each pair, the fraction of the small area inside the large one."""
    shapely.prepare(large)
    share: Floats = shapely.covers(large, small).astype(np.float64)
    rest = np.flatnonzero(share == 0.0)
    share[rest] = shapely.area(shapely.intersection(small[rest], large[rest])) / shapely.area(small[rest])
    return share


def _xor(areas: Iterable[BaseGeometry]) -> MultiPolygon:
    result: BaseGeometry = Polygon()
    for area in areas:
        result = result.symmetric_difference(area)
    return polygons_of(result)


def _area_of_odd_ring(points: Floats) -> MultiPolygon:
    """Even-odd inside of a ring that touches or crosses itself, or has too few points."""
    points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    if len(points) < 3:
        return MultiPolygon()
    loops = sorted((Polygon(loop) for loop in _split_at_repeats(points)), key=lambda loop: -loop.area)
    whole = Polygon(loops[0].exterior, [loop.exterior for loop in loops[1:]]) if loops else Polygon()
    if whole.is_valid:
        return polygons_of(whole)
    area = _xor(loops) if all(loop.is_valid for loop in loops) else _even_odd_faces(points)
    # The inradius of a convex part is at most its mean width; narrower than the rounding it is not drawn on purpose.
    wide = [part for part in area.geoms if mean_width_mm([part])[0] >= ROUNDING_MM]
    return MultiPolygon(wide) if wide else area


def _split_at_repeats(points: Floats) -> Iterator[Floats]:
    """Split a ring into loops without repeated points; by the even-odd rule, their XOR is the ring.

    A keyhole is split into its outer ring, its holes, and channels of two points, which are dropped. Only the sections
    between repeated points are visited.
    """
    _, vertices, visits = np.unique(points @ np.array([1, 1j]), return_inverse=True, return_counts=True)
    repeats = np.flatnonzero(visits[vertices] > 1)
    if not len(repeats):
        yield points
        return
    stretches = np.split(np.roll(points, -repeats[0], axis=0), repeats[1:] - repeats[0])
    path: list[tuple[int, Floats]] = []
    place: dict[int, int] = {}
    for vertex, stretch in zip(vertices[repeats].tolist(), stretches, strict=True):
        if (start := place.get(vertex)) is not None:
            yield from _closed_loop(path[start:])
            for passed, _ in path[start:]:
                del place[passed]
            del path[start:]
        place[vertex] = len(path)
        path.append((vertex, stretch))
    yield from _closed_loop(path)


def _closed_loop(path: list[tuple[int, Floats]]) -> Iterator[Floats]:
    loop = np.concatenate([stretch for _, stretch in path])
    if len(loop) > 2:
        yield loop


def _even_odd_faces(points: Floats) -> MultiPolygon:
    """Even-odd inside of a ring that crosses itself: divide the plane along it and keep the odd faces."""
    edges = shapely.linestrings(np.stack([points, np.roll(points, -1, axis=0)], axis=1))
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(edges)]))
    inside = shapely.get_coordinates(shapely.point_on_surface(faces))
    odd = [_crossings(points, point) % 2 == 1 for point in inside]
    return polygons_of(shapely.union_all(faces[np.array(odd, dtype=bool)]))


def _crossings(points: Floats, point: Floats) -> int:
    """Count the edges of a ring that a ray from `point` towards greater u crosses."""
    (u0, v0), (u1, v1) = points.T, np.roll(points, -1, axis=0).T
    spans = (v0 > point[1]) != (v1 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        u = u0 + (point[1] - v0) / (v1 - v0) * (u1 - u0)
    return int(np.count_nonzero(spans & (u > point[0])))


def _keyhole_ring(polygon: Polygon) -> Floats:
    """Join the holes to the outer ring, the one of greatest u first, so that every channel ends on the joined ring."""
    path = shapely.get_coordinates(polygon.exterior)
    holes = [shapely.get_coordinates(hole)[:-1] for hole in polygon.interiors]
    starts = [int(hole[:, 0].argmax()) for hole in holes]
    for hole, start in sorted(zip(holes, starts, strict=True), key=lambda pair: -float(pair[0][pair[1], 0])):
        index, foot = _next_edge(path, hole[start])
        path = np.concatenate([path[: index + 1], foot, hole[start:], hole[: start + 1], foot, path[index + 1 :]])
    ring: Floats = path[1:][np.any(path[1:] != path[:-1], axis=1)]
    return ring


def _next_edge(path: Floats, point: Floats) -> tuple[int, Floats]:
    """Find the edge of a closed path nearest to `point` towards greater u.

    Returns
    -------
    tuple
        The index of the edge's first point, and (1, 2) where the channel meets the edge.
    """
    level, v = point[1], path[:, 1]
    low, high = v <= level, v >= level
    near = np.flatnonzero((low[:-1] & high[1:]) | (high[:-1] & low[1:]))
    (u0, v0), (u1, v1) = path[near].T, path[near + 1].T
    with np.errstate(divide="ignore", invalid="ignore"):
        u = u0 + (level - v0) / (v1 - v0) * (u1 - u0)
    u = np.where(v0 == level, u0, np.where(v1 == level, u1, u))
    u = np.where(v0 == v1, np.minimum(np.maximum(point[0], np.minimum(u0, u1)), np.maximum(u0, u1)), u)
    u[u < point[0]] = np.inf
    nearest = int(u.argmin())
    return int(near[nearest]), np.array([[u[nearest], level]])
