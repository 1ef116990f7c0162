"""Keeping polygons valid while they are edited.

All coordinates are plane coordinates of one slice (u, v in mm). The outline of a slice is a valid, non-empty
MultiPolygon, or None.
"""

from __future__ import annotations

from collections.abc import Iterable

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from autocontour.contouring.ragged import polygons_of
from autocontour.contouring.slivers import is_sliver, without_gaps, without_strips

SMALLEST_MM2 = 0.05
"""Pieces and holes below this area are artefacts of drawing, not anatomy."""
TOLERANCE_MM = 0.02
"""How far a finished stroke may lie from where it was drawn, in exchange for fewer points."""

Outline = MultiPolygon | None


def clean(geometry: BaseGeometry | None, smallest_mm2: float = SMALLEST_MM2) -> Outline:
    """Return the areas of `geometry` as a valid MultiPolygon; None if no area is left.

    Pieces and holes of less than `smallest_mm2`, or narrower than 0.02 mm on average, are left out.
    """
    if geometry is None or geometry.is_empty:
        return None
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry)
    large = [part for part in pieces(geometry) if part.area >= smallest_mm2 and not is_sliver(part)]
    kept = [_without_pinholes(part, smallest_mm2) for part in large]
    if not kept:
        return None
    whole = MultiPolygon(kept)
    return whole if whole.is_valid else clean(shapely.union_all(kept), smallest_mm2)


def pieces(geometry: BaseGeometry) -> list[Polygon]:
    """Return every polygon in `geometry`."""
    return list(polygons_of(geometry).geoms)


def thinned(outline: Outline, tolerance_mm: float = TOLERANCE_MM) -> Outline:
    """Return `outline` without the points that are redundant within `tolerance_mm`."""
    return clean(outline.simplify(tolerance_mm)) if outline else None


def union(*outlines: BaseGeometry | None) -> Outline:
    """Return the union of the outlines; gaps narrower than 0.02 mm are filled."""
    return clean(without_gaps(shapely.union_all([outline for outline in outlines if outline is not None])))


def difference(outline: Outline, *others: BaseGeometry | None) -> Outline:
    """Return the part of `outline` outside all others, without strips narrower than 0.02 mm.

    Examples
    --------
    >>> whole, part = (MultiPolygon([shapely.box(0, 0, 10, height)]) for height in (10, 4))
    >>> difference(whole, part).area
    60.0
    >>> difference(part, whole) is None
    True
    """
    cut = [other for other in others if other is not None]
    return clean(without_strips(outline.difference(shapely.union_all(cut)))) if outline and cut else outline


def intersection(outline: Outline, other: BaseGeometry | None) -> Outline:
    """Return the intersection, without strips narrower than 0.02 mm."""
    return clean(without_strips(outline.intersection(other))) if outline and other else None


def from_polygons(polygons: Iterable[Polygon]) -> Outline:
    """Return the union of `polygons`."""
    return union(*polygons)


def _without_pinholes(polygon: Polygon, smallest_mm2: float) -> Polygon:
    holes = [Polygon(ring) for ring in polygon.interiors]
    kept = [hole.exterior for hole in holes if hole.area >= smallest_mm2 and not is_sliver(hole)]
    return Polygon(polygon.exterior, kept) if len(kept) < len(holes) else polygon
