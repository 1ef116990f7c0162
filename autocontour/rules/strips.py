"""Operations on the outlines of all slices at once: thin strips, subtraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from autocontour.patient.structures import Contours

if TYPE_CHECKING:
    from shapely import MultiPolygon
    from shapely.geometry.base import BaseGeometry

CRUMB_MM2 = 20.0
SLIVER_MM2 = 3.0
Shapes = NDArray[np.object_]


def shave(contours: Contours, strip_mm: float) -> dict[int, MultiPolygon]:
    """Remove parts thinner than twice `strip_mm`, such as masks and couch tops attached to the skin."""
    return _by_slice(contours, _shave(_shapes_of(contours), strip_mm))


def shave_side(
    contours: Contours, strip_mm: float, direction: tuple[int, int], band_mm: float
) -> dict[int, MultiPolygon]:
    """Remove thin parts only in a band at one side of a shape: of u or v (0, 1) at its lower (-1) or higher (1) end."""
    shapes = _shapes_of(contours)
    bands = shapely.intersection(shapes, _sides_of(shapes, direction, band_mm))
    bands = np.array([as_multipolygon(band) for band in bands], object)
    shaved = _shave(bands, strip_mm)
    at = np.flatnonzero([new is not old for new, old in zip(shaved, bands, strict=True)])
    inner = _sides_of(shapes[at], direction, band_mm - 2 * strip_mm)
    thin = shapely.intersection(shapely.difference(bands[at], shaved[at]), inner)
    at, thin = at[~shapely.is_empty(thin)], thin[~shapely.is_empty(thin)]
    shapes[at] = shapely.difference(shapes[at], thin)
    return _by_slice(contours, shapes)


def subtract(contours: Contours, taken: Contours) -> dict[int, MultiPolygon]:
    """Subtract one structure from another."""
    shapes = _shapes_of(contours)
    at = np.flatnonzero([k in taken for k in contours])
    parts, owner = shapely.get_parts(shapes[at], return_index=True)
    takers = _shapes_of({k: taken[k] for k in contours if k in taken})
    is_near = shapely.intersects(parts, takers[owner])
    parts[is_near] = shapely.difference(parts[is_near], takers[owner[is_near]])
    parts, number = shapely.get_parts(parts, return_index=True)
    shapes[at] = _join_by(parts, owner[number], len(at))
    return _by_slice(contours, shapes)


def _shave(shapes: Shapes, strip_mm: float) -> Shapes:
    """Return shapes without thin parts; those that have none are the same objects."""
    opened = shapely.buffer(shapely.buffer(shapes, -strip_mm, quad_segs=4), 1.05 * strip_mm, quad_segs=4)
    thin, owner = shapely.get_parts(shapely.difference(shapes, opened), return_index=True)
    is_large = shapely.area(thin) >= SLIVER_MM2
    thin, owner = thin[is_large], owner[is_large]
    shaved = shapes.copy()
    for k in np.unique(owner).tolist():
        shaved[k] = as_multipolygon(shapes[k] - shapely.union_all(thin[owner == k]))
    parts, owner = shapely.get_parts(shaved, return_index=True)
    is_crumb = shapely.area(parts) < CRUMB_MM2
    has_crumbs = np.bincount(owner, is_crumb, len(shapes)) > 0
    shaved[has_crumbs] = _join_by(parts[~is_crumb], owner[~is_crumb], len(shapes))[has_crumbs]
    return shaved


def _sides_of(shapes: Shapes, direction: tuple[int, int], band_mm: float) -> Shapes:
    """Return boxes over a band at one side of each shape."""
    axis, sign = direction
    bounds = shapely.bounds(shapes)
    inner, outer = (axis, axis + 2) if sign > 0 else (axis + 2, axis)
    bounds[:, inner] = bounds[:, outer] - sign * band_mm
    return np.asarray(shapely.box(*bounds.T), object)


def _shapes_of(contours: Contours) -> Shapes:
    shapes = np.empty(len(contours), object)
    shapes[:] = list(contours.values())
    return shapes


def _by_slice(contours: Contours, shapes: Shapes) -> dict[int, MultiPolygon]:
    """Return shapes by the slices of `contours`, without those that are empty."""
    return {k: as_multipolygon(shape) for k, shape in zip(contours, shapes, strict=True) if not shape.is_empty}


def _join_by(polygons: Shapes, owner: NDArray[np.intp], count: int) -> Shapes:
    """Return `count` shapes made of the polygons that each owns."""
    is_polygon = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    empty = shapely.from_wkt("MULTIPOLYGON EMPTY")
    joined: Any = np.full(count, empty, object)
    shapely.multipolygons(polygons[is_polygon], indices=owner[is_polygon], out=joined)
    return cast("Shapes", joined)


def as_multipolygon(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons of a shape."""
    if isinstance(shape, shapely.MultiPolygon):
        return shape
    parts = shapely.get_parts(shape)
    return join_polygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def join_polygons(polygons: NDArray[np.object_]) -> MultiPolygon:
    """Return polygons that have no area in common as one shape."""
    multi: Any = shapely.multipolygons(polygons)
    return cast("MultiPolygon", multi)
