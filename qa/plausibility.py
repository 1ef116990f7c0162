"""Implausible contours, with their slices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import shapely

from autocontour.base.findings import Finding
from autocontour.patient.structures import Contours

LEAST_OVERLAP = 0.5  # of the smaller outline: the same piece continues beyond the gap
ALIKE_AREA = 0.75  # the smaller of two slices, of the larger: the structure continues unchanged
ALIKE_SHIFT = 0.25  # between the centres of two slices that are alike, in radii of a disc of their area
JUMP_AREA = 0.5  # a slice with less than this of both neighbours, or they of it, stands out
JUMP_SHIFT = 0.75  # a slice whose centre is further from both neighbours' stands out


def check_contours(name: str, contours: Contours) -> tuple[Finding, ...]:
    """Return findings about the contours of a structure, with the affected slices.

    A gap is a range of slices without the structure, with the same piece drawn above and below. A jump is a slice that
    differs from both neighbours in area or position, while these are similar.

    Parameters
    ----------
    name
        Name of the structure.
    contours
        Its outlines.
    """
    return tuple(finding for found in (_gaps(name, contours), _jumps(name, contours)) for finding in found)


def _gaps(name: str, contours: Contours) -> Iterator[Finding]:
    slices: list[int] = []
    for below, above in pairwise(sorted(contours)):
        if above > below + 1 and _continues(contours, below, above):
            slices += range(below + 1, above)
    if slices:
        yield Finding.of("AC-QA-005", name, slices, structure=name, count=len(slices))


def _continues(contours: Contours, below: int, above: int) -> bool:
    one, other = contours[below], contours[above]
    return bool(one.intersection(other).area >= LEAST_OVERLAP * min(one.area, other.area))


def _jumps(name: str, contours: Contours) -> Iterator[Finding]:
    slices = np.array(sorted(contours))
    if len(slices) < 3:
        return
    shapes = np.array([contours[k] for k in slices.tolist()], dtype=object)
    area = shapely.area(shapes)
    centre = shapely.get_coordinates(shapely.centroid(shapes))
    before, here, after = np.s_[:-2], np.s_[1:-1], np.s_[2:]
    radius = np.sqrt(np.minimum(area[before], area[after]) / np.pi)
    low, high = np.minimum(area[before], area[after]), np.maximum(area[before], area[after])
    apart = np.linalg.norm(centre[before] - centre[after], axis=1)
    moved = np.minimum(*(np.linalg.norm(centre[here] - centre[side], axis=1) for side in (before, after)))
    alike = (low >= ALIKE_AREA * high) & (apart <= ALIKE_SHIFT * radius)
    sudden = (area[here] < JUMP_AREA * low) | (high < JUMP_AREA * area[here]) | (moved > JUMP_SHIFT * radius)
    neighbours = slices[after] - slices[before] == 2
    found = slices[here][alike & sudden & neighbours].tolist()
    if found:
        yield Finding.of("AC-QA-006", name, found, structure=name, count=len(found))
