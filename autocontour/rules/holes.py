"""Holes of outlines and what lies in them."""

from __future__ import annotations

import numpy as np
from shapely import MultiPolygon

from autocontour.contouring.follow import find_around
from autocontour.contouring.ragged import Rings, contours_of, pick_rings, rings_of
from autocontour.patient.structures import Contours


def fill_holes(contours: Contours, below_mm2: float = np.inf) -> dict[int, MultiPolygon]:
    """Fill the holes of less than `below_mm2` in every slice, with their content."""
    return contours_of(drop_holes(rings_of(contours), below_mm2))


def drop_holes(rings: Rings, below_mm2: float) -> Rings:
    """Leave out the holes of less than `below_mm2`, and the polygons that lie in them."""
    is_dropped = rings.is_hole.copy()
    is_dropped[is_dropped] = np.abs(rings.doubled_areas()[is_dropped]) < 2 * below_mm2
    if not is_dropped.any():
        return rings
    dropped, exteriors = np.flatnonzero(is_dropped), np.flatnonzero(~rings.is_hole)
    is_inside = np.zeros(len(exteriors), np.bool_)
    near = np.flatnonzero(np.isin(rings.slices[exteriors], rings.slices[dropped]))
    _, inner = find_around(rings.points_uv_mm, rings.starts, rings.slices, dropped, exteriors[near])
    is_inside[near[inner]] = True
    return pick_rings(rings, ~is_dropped & ~is_inside[np.cumsum(~rings.is_hole) - 1])
