"""Contours on the slices between those that were drawn.

Shape-based interpolation (Raya and Udupa 1990, IEEE Trans. Med. Imaging 9:32): on each slice between two drawn ones
the distance to the outline is the mean of the drawn ones' distances, weighted by where the slice lies. Both outlines
are moved to a common centre first, so that an oblique vessel is followed and does not fade away between the slices.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.affinity import translate

from autocontour.contouring.march import trace_planes
from autocontour.contouring.ragged import Rings, contours_of, drop_small, join_rings
from autocontour.contouring.simplify import simplify_rings
from autocontour.geometry import Floats, VolumeGeometry
from autocontour.structures import Contours

TOLERANCE_MM = 0.1
SMALLEST_MM2 = 0.05
SAMPLES = 96
STEP_MM = (0.25, 3.0)
MARGIN_SAMPLES = 4


def interpolate_contours(contours: Contours, geometry: VolumeGeometry) -> dict[int, MultiPolygon]:
    """Draw the slices between drawn ones; the drawn ones stay as they are.

    Parameters
    ----------
    contours
        Slice index → MultiPolygon in plane coordinates, on some slices.
    geometry
        Of the CT; true slice positions count, not slice numbers.

    Returns
    -------
    Contours
        The same and, between any two of its slices, the slices left out. Where two neighbouring outlines are too
        unlike (one piece here, two far from it there) slices between them may stay empty.
    """
    parts = [
        _between(contours[low], contours[high], low, geometry.slice_positions_mm[low : high + 1])
        for low, high in pairwise(sorted(contours))
        if high - low > 1
    ]
    rings = simplify_rings(drop_small(join_rings(parts), SMALLEST_MM2), TOLERANCE_MM)
    return dict(sorted((contours_of(rings) | dict(contours)).items()))


def _between(low: MultiPolygon, high: MultiPolygon, number: int, positions_mm: Floats) -> Rings:
    """Trace the slices between slice `number` (`low`) and the one at the last position (`high`)."""
    centres = [shapely.get_coordinates(shape.centroid)[0] for shape in (low, high)]
    centred = [translate(shape, *-centre) for shape, centre in zip((low, high), centres, strict=True)]
    bounds = shapely.total_bounds(centred)
    step = float(np.clip(np.max(bounds[2:] - bounds[:2]) / SAMPLES, *STEP_MM))
    start = bounds[:2] - MARGIN_SAMPLES * step
    columns, rows = np.ceil((bounds[2:] - start) / step).astype(int) + MARGIN_SAMPLES + 1
    u, v = start[0] + step * np.arange(columns), start[1] + step * np.arange(rows)
    first, last = (_depths(shape, u, v) for shape in centred)

    shares = ((positions_mm - positions_mm[0]) / (positions_mm[-1] - positions_mm[0]))[1:-1, None, None]
    level = MARGIN_SAMPLES * step
    rings = trace_planes(np.maximum((1 - shares) * first + shares * last + level, 0.0), level)
    share = shares.ravel()[rings.slices[rings.ring_of_point]][:, None]
    points = rings.points_uv_mm * step + start + (1 - share) * centres[0] + share * centres[1]
    return Rings(points, rings.starts, rings.slices + (number + 1), rings.is_hole)


def _depths(shape: MultiPolygon, u: Floats, v: Floats) -> Floats:
    """Signed distance in mm from the outline, positive inside, at every (v, u)."""
    points = shapely.points(*np.meshgrid(u, v))
    outline = shape.boundary
    shapely.prepare([outline, shape])
    depths = np.asarray(shapely.distance(outline, points))
    return np.where(shapely.intersects(shape, points), depths, -depths)
