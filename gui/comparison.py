"""The selected structure against its automatic contour or another observer's: numbers and slices that differ."""

from __future__ import annotations

from dataclasses import dataclass

from autocontour.edits import added_path_mm
from autocontour.geometry import VolumeGeometry
from autocontour.structures import Contours

DIFFERING_MM2 = 20.0
"""Slices whose outlines differ by more than this area are marked."""


@dataclass(frozen=True)
class Agreement:
    """How far two contours of one structure agree.

    Attributes
    ----------
    dice
        Dice similarity of the stacks of slabs, exact on the polygons.
    hausdorff95_mm
        The larger of the two directions' 95th percentiles of distances between outlines, slice by slice.
    added_path_mm
        Outline of the first that does not lie on the second (tolerance 0.5 mm).
    differing
        Slices that differ visibly.
    """

    dice: float
    hausdorff95_mm: float
    added_path_mm: float
    differing: tuple[int, ...]


def compare(a: Contours, b: Contours, geometry: VolumeGeometry) -> Agreement:
    """Compare two contours of one structure."""
    thickness = geometry.slice_thicknesses_mm
    volume_a = sum(p.area * thickness[z] for z, p in a.items())
    volume_b = sum(p.area * thickness[z] for z, p in b.items())
    changed = [z for z in sorted({*a, *b}) if a.get(z) is not b.get(z)]
    both = [z for z in a if z in b]
    shared = sum((a[z].area if a[z] is b[z] else a[z].intersection(b[z]).area) * thickness[z] for z in both)
    differing = tuple(z for z in changed if _difference_mm2(a, b, z) > DIFFERING_MM2)
    path = sum(added_path_mm(b.get(z), a.get(z)) for z in changed)
    dice = 2 * shared / (volume_a + volume_b) if volume_a + volume_b else 1.0
    return Agreement(float(dice), _hausdorff95(a, b, both), path, differing)


def _difference_mm2(a: Contours, b: Contours, z: int) -> float:
    if z in a and z in b:
        return float(a[z].symmetric_difference(b[z]).area)
    return float((a.get(z) or b[z]).area)


def _hausdorff95(a: Contours, b: Contours, both: list[int]) -> float:
    import numpy as np
    import shapely

    directions = []
    for one, other in ((a, b), (b, a)):
        distances = []
        for z in both:
            boundary = one[z].boundary
            count = max(int(boundary.length), 8)
            samples = (
                [
                    shapely.line_interpolate_point(line, np.linspace(0, line.length, max(int(line.length), 8)))
                    for line in shapely.get_parts(boundary)
                ]
                if one[z] is not other[z]
                else []
            )
            distances.append(
                shapely.distance(np.concatenate(samples), other[z].boundary) if samples else np.zeros(count)
            )
        if distances:
            directions.append(float(np.percentile(np.concatenate(distances), 95)))
    return max(directions, default=0.0)
