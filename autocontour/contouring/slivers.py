"""Strips too narrow to be seen, drawn or written, as operations on nearly equal outlines leave them."""

from __future__ import annotations

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from autocontour.contouring.ragged import polygons_of

NARROWEST_MM = 0.02
"""Strips and gaps of less width are left out. A finished stroke lies within as much of where it was drawn."""
_RADIUS_MM = NARROWEST_MM / 2
_OVERLAP = 1.05  # so that what is put back covers what was there
_UNSEEN_MM2 = 1e-3


def is_sliver(polygon: Polygon) -> bool:
    """Whether a polygon is narrower than `NARROWEST_MM` on average."""
    return bool(2 * polygon.area < NARROWEST_MM * polygon.length)


def without_strips(shape: BaseGeometry) -> BaseGeometry:
    """Return `shape` without the strips narrower than `NARROWEST_MM`, also where they hang on wider parts.

    Everything else stays as it is, point by point: what a disc of that diameter reaches within the shape (opening).
    """
    core = shape.buffer(-_RADIUS_MM, join_style="mitre")
    # Moving an outline inwards takes its length times the way; of a narrow strip there is less to take.
    if core.area - (shape.area - _RADIUS_MM * shape.length) < _UNSEEN_MM2:
        return shape
    return polygons_of(shape.intersection(core.buffer(_OVERLAP * _RADIUS_MM, join_style="mitre")))


def without_gaps(shape: BaseGeometry) -> BaseGeometry:
    """Return `shape` with the gaps narrower than `NARROWEST_MM` filled (closing); everything else stays as it is."""
    around = shape.buffer(_RADIUS_MM, join_style="mitre")
    if shape.area + _RADIUS_MM * shape.length - around.area < _UNSEEN_MM2:
        return shape
    return polygons_of(shapely.union(shape, around.buffer(-_OVERLAP * _RADIUS_MM, join_style="mitre")))


def wide_polygons(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons in `shape` that are not slivers."""
    return MultiPolygon([polygon for polygon in polygons_of(shape).geoms if not is_sliver(polygon)])
