"""How far the form of an outline alone shows its origin, without the anatomy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter
from shapely import MultiPolygon

from autocontour.contouring import box_of, mask_from_contours
from autocontour.contouring.coverage import coverage_from_contours
from autocontour.contouring.isoline import contours_from_probability
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours

SMOOTHING_VOXELS = 0.7
MOST_CHANGED = 0.15
"""Of a slice's area: where evening the outline would change more, it is shown as it was drawn."""
MARGIN_VOXELS, PIECE_PIXELS = 4, 3
"""Voxels around an outline that is evened, and the pixels of a piece that must not be missing."""
ALONG_DEGREES = 1.0
Form = Mapping[str, float]
LEAST_EACH = 4
"""Contours of each origin that a comparison of forms needs."""


def even_contours(contours: Contours, geometry: VolumeGeometry) -> tuple[Contours, tuple[int, ...]]:
    """Return the outlines as iso-lines of their voxels, and the slices that are too small and stay as drawn.

    Every outline then has the same resolution and density of points, whether it came from a mask, a network or a mouse.
    It moves by about half a pixel at most.
    """
    box = box_of(contours, geometry)
    if box is None:
        return dict(contours), ()
    box = box.padded((0, MARGIN_VOXELS, MARGIN_VOXELS), geometry.shape_zyx)
    grid = geometry.cropped(box)
    pixel_mm2 = geometry.pixel_spacing_vu_mm[0] * geometry.pixel_spacing_vu_mm[1]
    mask = mask_from_contours(contours, geometry, box).astype(np.float32)
    found: dict[int, MultiPolygon] = {}
    small = sorted(contours)
    # What smoothing would spoil, a structure of few voxels, is traced through the exact coverage of its voxels.
    for smooth in (gaussian_filter(mask, (0, SMOOTHING_VOXELS, SMOOTHING_VOXELS)), None):
        if small:
            some = {k: contours[k] for k in small}
            values = coverage_from_contours(some, geometry, box) if smooth is None else smooth
            traced = contours_from_probability(values, grid, geometry)
            small = [k for k in small if _is_spoilt(contours[k], traced.get(k), pixel_mm2)]
            found.update({k: traced[k] for k in some if k not in small})
    return {k: found.get(k, contours[k]) for k in sorted(contours)}, tuple(small)


def _is_spoilt(drawn: MultiPolygon, evened: MultiPolygon | None, pixel_mm2: float) -> bool:
    """Whether an outline is too small to be evened: much of it would change, or a piece be missing."""
    if evened is None or drawn.symmetric_difference(evened).area > MOST_CHANGED * drawn.area:
        return True
    pieces = sum(piece.area >= PIECE_PIXELS * pixel_mm2 for piece in drawn.geoms)
    return len(evened.geoms) < pieces


def area_dsc(first: Contours, second: Contours) -> float:
    """Return the DSC of the areas of two contours, over all slices."""
    both = sum(first[k].intersection(second[k]).area for k in set(first) & set(second))
    return float(2 * both / sum(shape.area for mine in (first, second) for shape in mine.values()))


def describe_form(contours: Contours) -> dict[str, float]:
    """Return features of outlines that have nothing to do with the organ.

    Returns
    -------
    features
        ``points_per_cm``; ``along_axes``, the share of the outline's length parallel to an axis of the image;
        ``turn_degrees_per_mm``, the mean turn of the outline; ``empty_slices``, the share of slices between the first
        and the last without an outline; ``pieces``, outlines per slice.
    """
    length = along = turn = 0.0
    points = 0
    for shape in contours.values():
        for ring in shapely.get_rings(shapely.get_parts(shape)):
            xy = shapely.get_coordinates(ring)
            steps = np.diff(xy, axis=0)
            lengths = np.hypot(*steps.T)
            steps, lengths = steps[lengths > 0], lengths[lengths > 0]
            angles = np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))
            off = np.abs((angles + 45) % 90 - 45)
            turns = np.abs((np.diff(np.append(angles, angles[:1])) + 180) % 360 - 180)
            points += len(steps)
            length += float(lengths.sum())
            along += float(lengths[off < ALONG_DEGREES].sum())
            turn += float(turns.sum())
    span = max(contours) - min(contours) + 1
    return {
        "points_per_cm": 10 * points / length,
        "along_axes": along / length,
        "turn_degrees_per_mm": turn / length,
        "empty_slices": 1 - len(contours) / span,
        "pieces": sum(len(shape.geoms) for shape in contours.values()) / len(contours),
    }


def compare_forms(first: Sequence[tuple[str, Form]], second: Sequence[tuple[str, Form]]) -> dict[str, float]:
    """Return feature → how well it alone separates two origins: the area under the ROC curve, from 0.5 to 1.

    Parameters
    ----------
    first, second
        Structure and features of each contour; only contours of the same structure are compared, because organs differ
        in form.

    Returns
    -------
    areas
        Empty with too few contours of an origin.
    """
    if min(len(first), len(second)) < LEAST_EACH:
        return {}
    pairs = [(one, other) for name, one in first for own, other in second if name == own]
    return {name: _separation([(one[name], other[name]) for one, other in pairs]) for name in first[0][1] if pairs}


def _separation(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the area under the ROC curve (Mann–Whitney), of the better direction."""
    area = sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)
    return round(max(area, 1 - area), 4)
