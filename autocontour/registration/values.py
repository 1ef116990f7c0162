"""Values of two registered CTs: how far they differ, and one with the values of the other.

Demons compare values directly; a CT-like image of a cone-beam scanner, whose values differ, would be deformed until the
values fit. So its values are first replaced by those that the planning CT has at the same places.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autocontour.registration.grid import Mask, Samples, Scan
from autocontour.registration.rigid import Rigid, move_scan

SOFT_HU = (-150.0, 150.0)
OTHER_SCALE_HU = 30.0
"""Median difference in soft tissue above which values are replaced; two CTs of one scanner differ by about 15."""
BINS, FEWEST = 60, 50


def difference_hu(later: Scan, earlier: Scan, rigid: Rigid) -> float:
    """Return the median absolute difference in what is soft tissue in the earlier CT; 0 without a common part."""
    hu, common = _common(later, earlier, rigid)
    soft = common & (hu > SOFT_HU[0]) & (hu < SOFT_HU[1])
    return float(np.median(np.abs(later.hu[soft] - hu[soft]))) if soft.any() else 0.0


def with_values_of(earlier: Scan, later: Scan, rigid: Rigid) -> Scan:
    """Return the later CT with the values of the earlier one, where the scales differ.

    For each range of values of the later CT the median of the earlier CT's at the same places is taken; the result
    never decreases. Places where the patient has changed do not matter for the medians.
    """
    if difference_hu(later, earlier, rigid) <= OTHER_SCALE_HU:
        return later
    hu, common = _common(later, earlier, rigid)
    mine, theirs = later.hu[common], hu[common]
    edges = np.quantile(mine, np.linspace(0, 1, BINS + 1))
    place = np.clip(np.searchsorted(edges, mine, side="right") - 1, 0, BINS - 1)
    full = [chosen for n in range(BINS) if (chosen := place == n).sum() > FEWEST]
    known = [(mine[chosen].mean(), np.median(theirs[chosen])) for chosen in full]
    if len(known) < 2:
        return later
    values, medians = np.array(sorted(known)).T
    mapped = np.interp(later.hu, values, np.maximum.accumulate(medians)).astype(np.float32)
    return replace(later, hu=np.where(later.body, mapped, later.hu))


def _common(later: Scan, earlier: Scan, rigid: Rigid) -> tuple[Samples, Mask]:
    """Return the earlier CT's HU on the later one's grid, and the part of the body that both have."""
    hu, body, scanned = move_scan(earlier, rigid, later.grid)
    return hu, later.body & body & scanned
