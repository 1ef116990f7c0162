"""Assignment of contours to planes and of planes to slices, independent of the order of the contours."""

from __future__ import annotations

import numpy as np

from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.rtstruct.contour_data import Ints

ON_PLANE_MM = 0.1
"""Points and contours within this of each other along the normal are on one plane."""
SAME_PLANE_MM = 0.01
"""Two planes whose distances from a slice differ by less are equally near to it, so that rounding has no effect."""


def group_planes(positions_mm: Floats) -> Ints:
    """Return the number of each position's plane, from the lowest; a plane is at most `ON_PLANE_MM` thick."""
    order = np.argsort(positions_mm, kind="stable")
    plane, numbers, first = -1, np.empty(len(positions_mm), dtype=np.int64), -np.inf
    for place, position in zip(order.tolist(), positions_mm[order].tolist(), strict=True):
        if position - first > ON_PLANE_MM:
            plane, first = plane + 1, position
        numbers[place] = plane
    return numbers


def plane_positions_mm(positions_mm: Floats, planes: Ints) -> Floats:
    """Return each plane's position: the middle between the lowest and the highest of its contours."""
    lowest, highest = np.full(planes.max() + 1, np.inf), np.full(planes.max() + 1, -np.inf)
    np.minimum.at(lowest, planes, positions_mm)
    np.maximum.at(highest, planes, positions_mm)
    middle: Floats = (lowest + highest) / 2
    return middle


def mean_positions_mm(w_mm: Floats, starts: Ints) -> Floats:
    """Return the position of each contour: the middle between its lowest and its highest point."""
    middle: Floats = (np.minimum.reduceat(w_mm, starts) + np.maximum.reduceat(w_mm, starts)) / 2
    return middle


def nearest_slices(positions_mm: Floats, geometry: VolumeGeometry) -> tuple[Ints, Floats]:
    """Return the slice nearest to each position along the normal, and its distance in mm.

    Half way between two slices, within `SAME_PLANE_MM`, it is the lower one.
    """
    slices = geometry.slice_positions_mm
    above = np.clip(np.searchsorted(slices, positions_mm), 1, max(len(slices) - 1, 1))
    below = above - 1
    above = np.minimum(above, len(slices) - 1)
    nearer_above = np.abs(slices[above] - positions_mm) < np.abs(slices[below] - positions_mm) - SAME_PLANE_MM
    index = np.where(nearer_above, above, below)
    return index, np.abs(slices[index] - positions_mm)


def half_step_mm(geometry: VolumeGeometry) -> Floats:
    """Return the largest distance from each slice at which a contour belongs to it."""
    half: Floats = geometry.slice_thicknesses_mm / 2 + SAME_PLANE_MM
    return half
