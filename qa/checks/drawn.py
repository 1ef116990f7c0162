"""Comparison of a structure set with automatic contours on the same CT, as an independent check."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from autocontour.base.findings import Finding
from autocontour.patient.matching import match_structures
from autocontour.patient.structures import Contours, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.compare import compare_contours

LEAST_DSC = {"External": 0.97, "Lung_L": 0.90, "Lung_R": 0.90, "Lungs": 0.90, "SpinalCanal": 0.75}
OTHERS_DSC = 0.60
"""Below these values a finding is reported. Of the organs that networks draw, clinical contours of the validation split
differ
by more in the cases that the model card lists."""
SLICE_AREA = 0.5
"""A slice is listed if the symmetric difference is more than this fraction of the union."""


def check_against(ct: CTVolume, structure_set: StructureSet, drawn: StructureSet) -> Iterator[Finding]:
    """Yield a finding for each structure that differs much from the automatic contour, with the slices."""
    for mine, own in match_structures(structure_set, drawn):
        if not mine.contours or not own.contours:
            continue
        dsc = compare_contours(mine.contours, own.contours, ct.geometry).dsc
        if dsc < LEAST_DSC.get(own.tg263_name, OTHERS_DSC):
            by = own.provenance.algorithm if own.provenance else ""
            slices = differing_slices(mine.contours, own.contours)
            yield Finding.of(
                "AC-QA-111", mine.name, slices, structure=mine.name, drawn_by=by, dsc=round(dsc, 2), count=len(slices)
            )


def differing_slices(one: Contours, other: Contours) -> list[int]:
    """Return the slices on which two contours differ much, or on which only one is drawn.

    If they differ by less on every slice, it is the half of the slices on which they differ most.
    """
    slices = sorted(one.keys() | other.keys())
    a, b = (np.array([c.get(k, shapely.MultiPolygon()) for k in slices], dtype=object) for c in (one, other))
    union = shapely.area(shapely.union(a, b))
    apart = shapely.area(shapely.symmetric_difference(a, b))
    parts = apart / np.maximum(union, 1e-9)
    limit = SLICE_AREA if (parts >= SLICE_AREA).any() else float(np.median(parts))
    return [k for k, part in zip(slices, parts, strict=True) if part >= limit and part > 0]
