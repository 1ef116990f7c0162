"""Removal of very narrow strips, which result from operations on nearly equal outlines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from autocontour.contouring.ragged import polygons_of
from autocontour.patient.structures import Contours

NARROWEST_MM = 0.02
"""Narrower strips and gaps are removed. It is also the tolerance of a finished stroke."""
_RADIUS_MM = NARROWEST_MM / 2
_OVERLAP = 1.05  # so that the restored part covers the original
_UNSEEN_MM2 = 1e-3


def mean_width_mm(polygons: Sequence[Polygon] | NDArray[np.object_]) -> NDArray[np.float64]:
    """Return twice area over perimeter of each polygon: the width of a strip, the radius of a disc."""
    widths: NDArray[np.float64] = 2 * shapely.area(polygons) / np.maximum(shapely.length(polygons), 1e-9)
    return widths


def is_sliver(polygon: Polygon) -> bool:
    """Whether a polygon is narrower than `NARROWEST_MM` on average."""
    return bool(mean_width_mm([polygon])[0] < NARROWEST_MM)


def without_strips(shape: BaseGeometry) -> BaseGeometry:
    """Return `shape` without the strips narrower than `NARROWEST_MM`, also where they are attached to wider parts.

    All other points are unchanged: the area that a disc of that diameter reaches within the shape (opening).
    """
    core = shape.buffer(-_RADIUS_MM, join_style="mitre")
    # Moving an outline inwards removes its length times the distance; a narrow strip has less area to remove.
    if core.area - (shape.area - _RADIUS_MM * shape.length) < _UNSEEN_MM2:
        return shape
    return polygons_of(shape.intersection(core.buffer(_OVERLAP * _RADIUS_MM, join_style="mitre")))


def without_gaps(shape: BaseGeometry) -> BaseGeometry:
    """Return `shape` with the gaps narrower than `NARROWEST_MM` filled (closing); everything else is unchanged."""
    around = shape.buffer(_RADIUS_MM, join_style="mitre")
    if shape.area + _RADIUS_MM * shape.length - around.area < _UNSEEN_MM2:
        return shape
    return polygons_of(shapely.union(shape, around.buffer(-_OVERLAP * _RADIUS_MM, join_style="mitre")))


def without_specks(contours: Contours, smallest_mm: float) -> Contours:
    """Return contours without the polygons of which `mean_width_mm` is below `smallest_mm`.

    A slice on which nothing else is drawn is left out.
    """
    shapes = np.array(list(contours.values()), object)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    is_kept = mean_width_mm(parts) >= smallest_mm
    if is_kept.all():
        return contours
    numbers = list(contours)
    return {
        numbers[number]: MultiPolygon(list(parts[is_kept & (owner == number)]))
        for number in np.unique(owner[is_kept]).tolist()
    }


def wide_polygons(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons in `shape` that are not slivers."""
    return MultiPolygon([polygon for polygon in polygons_of(shape).geoms if not is_sliver(polygon)])
