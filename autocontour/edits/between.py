"""Shape-based interpolation: the slices between those that are drawn.

After Raya and Udupa, IEEE Trans Med Imaging 1990;9:32-42: the signed distances of the two outlines are blended by the
slices' true positions, and the zero line is the new outline. Distances are exact, from the polygons, on a grid whose
step only limits how finely the zero line bends. Where the two outlines fit better with their centroids laid on one
another (an oblique vessel), they are blended so and the result is put in between.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, affinity

from autocontour.edits.polygons import Outline, clean
from autocontour.edits.shapes import moved
from autocontour.geometry import VolumeGeometry
from autocontour.structures import Contours

GRID_POINTS = 160
FINEST_STEP_MM = 0.4
Floats = NDArray[np.float64]


def interpolated(contours: Contours, geometry: VolumeGeometry) -> dict[int, MultiPolygon]:
    """Return an outline for every slice between two drawn ones that has none."""
    drawn = sorted(contours)
    positions = geometry.slice_positions_mm
    made: dict[int, MultiPolygon] = {}
    for low, high in pairwise(drawn):
        gap = range(low + 1, high)
        shares = [float((positions[z] - positions[low]) / (positions[high] - positions[low])) for z in gap]
        between = blended(contours[low], contours[high], shares) if shares else []
        made.update({z: outline for z, outline in zip(gap, between, strict=True) if outline is not None})
    return made


def blended(a: MultiPolygon, b: MultiPolygon, shares: list[float]) -> list[Outline]:
    """Return the outlines that lie `shares` (0 to 1) of the way from `a` to `b`."""
    shift = _shift(a, b)
    b = affinity.translate(b, -shift[0], -shift[1])
    u, v = _grid(a, b)
    from_a, from_b = _signed_distances(a, u, v), _signed_distances(b, u, v)
    outlines = [_zero_line((1 - t) * from_a + t * from_b, u, v) for t in shares]
    return [moved(o, t * shift[0], t * shift[1]) for o, t in zip(outlines, shares, strict=True)]


def _shift(a: MultiPolygon, b: MultiPolygon) -> tuple[float, float]:
    """Return how far `b` is to be moved back to lie on `a`: the way between centroids if that helps, else nothing."""
    shift = b.centroid.x - a.centroid.x, b.centroid.y - a.centroid.y
    apart = a.intersection(b).area
    together = a.intersection(affinity.translate(b, -shift[0], -shift[1])).area
    return shift if together > apart else (0.0, 0.0)


def _grid(a: MultiPolygon, b: MultiPolygon) -> tuple[Floats, Floats]:
    low = np.minimum(a.bounds[:2], b.bounds[:2])
    high = np.maximum(a.bounds[2:], b.bounds[2:])
    step = max(float((high - low).max()) / GRID_POINTS, FINEST_STEP_MM)
    return np.arange(low[0] - 2 * step, high[0] + 2.5 * step, step), np.arange(
        low[1] - 2 * step, high[1] + 2.5 * step, step
    )


def _signed_distances(outline: MultiPolygon, u: Floats, v: Floats) -> Floats:
    """Return the distance of every grid point to the outline, positive inside."""
    uu, vv = np.meshgrid(u, v)
    boundary = outline.boundary
    shapely.prepare([outline, boundary])
    distances = shapely.distance(shapely.points(uu, vv), boundary)
    signed: Floats = np.where(shapely.contains_xy(outline, uu, vv), distances, -distances)
    return signed


def _zero_line(field: Floats, u: Floats, v: Floats) -> Outline:
    import contourpy

    generator = contourpy.contour_generator(u, v, field, fill_type=contourpy.FillType.OuterOffset)
    points, offsets = cast("tuple[list[Floats], list[NDArray[np.uint32]]]", generator.filled(0.0, np.inf))
    polygons = []
    for ring_points, ring_offsets in zip(points, offsets, strict=True):
        rings = [ring_points[i:j] for i, j in pairwise(ring_offsets)]
        polygons.append(Polygon(rings[0], rings[1:]))
    return clean(shapely.union_all(polygons)) if polygons else None
