"""Operations on the outline of one slice as a whole."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LinearRing, MultiPolygon, Polygon, affinity

from autocontour.edits.polygons import Outline, clean, pieces

SAMPLE_MM = 0.5


def smoothed(outline: Outline, sigma_mm: float) -> Outline:
    """Return `outline` with every ring smoothed along its length by a Gaussian of `sigma_mm`, its area kept."""
    if outline is None:
        return None
    soft = clean(MultiPolygon([_smooth_polygon(polygon, sigma_mm) for polygon in outline.geoms]))
    # Smoothing shrinks a convex outline; two successive offsets restore its area.
    for _ in range(2):
        soft = offset(soft, (outline.area - soft.area) / soft.length) if soft else None
    return soft or outline


def simplified(outline: Outline, tolerance_mm: float) -> Outline:
    """Return `outline` with fewer points, nowhere further than `tolerance_mm` from where it was."""
    return clean(outline.simplify(tolerance_mm)) if outline else None


def filled(outline: Outline) -> Outline:
    """Return `outline` without holes."""
    return clean(shapely.union_all([Polygon(p.exterior) for p in pieces(outline)])) if outline else None


def largest(outline: Outline) -> Outline:
    """Return only the largest piece of `outline`."""
    return MultiPolygon([max(pieces(outline), key=lambda p: p.area)]) if outline else None


def offset(outline: Outline, margin_mm: float) -> Outline:
    """Return `outline` grown (or, below zero, shrunk) by `margin_mm` within its slice."""
    return clean(outline.buffer(margin_mm)) if outline else None


def moved(outline: Outline, u_mm: float, v_mm: float) -> Outline:
    """Return `outline` shifted by u and v."""
    return affinity.translate(outline, u_mm, v_mm) if outline else None


def rotated(outline: Outline, degrees: float, centre_uv_mm: tuple[float, float]) -> Outline:
    """Return `outline` rotated about a centre, from u towards v."""
    return affinity.rotate(outline, degrees, origin=centre_uv_mm) if outline else None


def added_path_length_mm(before: Outline, after: Outline, tolerance_mm: float = 0.5) -> float:
    """Return the added path length of an edit on one slice: the outline of `after` that does not lie on `before`.

    The definition of Vaassen et al., Phys Imaging Radiat Oncol 2020;13:1-6, as in
    `autocontour.qa.added_path_length_mm`, on polygons instead of pixels: outline further than `tolerance_mm` from the
    old outline counts.
    """
    if after is None or after is before:
        return 0.0
    if before is None:
        return float(after.length)
    return float(after.boundary.difference(before.boundary.buffer(tolerance_mm, quad_segs=4)).length)


def _smooth_polygon(polygon: Polygon, sigma_mm: float) -> Polygon:
    return Polygon(_smooth_ring(polygon.exterior, sigma_mm), [_smooth_ring(r, sigma_mm) for r in polygon.interiors])


def _smooth_ring(ring: LinearRing, sigma_mm: float) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    count = max(8, int(ring.length / SAMPLE_MM))
    along = shapely.line_interpolate_point(ring, np.arange(count) / count, normalized=True)
    points = shapely.get_coordinates(along)
    soft: NDArray[np.float64] = gaussian_filter1d(points, sigma_mm * count / ring.length, axis=0, mode="wrap")
    return soft
