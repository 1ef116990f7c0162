"""Check of the HU of soft tissue, which differ in cone-beam CT and with a wrong rescale."""

from __future__ import annotations

import numpy as np

from autocontour.base.findings import Finding
from autocontour.rules.anatomy import Anatomy

RANGE_HU, BIN_HU = (-200, 250), 10
MUSCLE_HU = (-40, 70)  # range of its peak; 5 to 55 in CTs, 75 to 135 in cone-beam CT
PEAK = 0.3  # of the highest peak
SMOOTHING = np.array([1, 2, 3, 2, 1])


def find_soft_tissue(anatomy: Anatomy) -> int | None:
    """Return the most frequent HU of soft tissue other than fat; None where there is no such peak."""
    cells = anatomy.grid.hu
    edges = np.arange(RANGE_HU[0], RANGE_HU[1] + BIN_HU, BIN_HU)
    inside = cells[(cells >= RANGE_HU[0]) & (cells < RANGE_HU[1])]
    counts = np.convolve(np.bincount((inside - RANGE_HU[0]) // BIN_HU, minlength=len(edges) - 1), SMOOTHING, "same")
    inner = counts[1:-1]
    is_peak = (inner >= counts[:-2]) & (inner > counts[2:]) & (inner >= PEAK * counts.max())
    peaks = 1 + np.flatnonzero(is_peak)
    peaks = peaks[edges[peaks] >= MUSCLE_HU[0]]
    return int(edges[peaks[counts[peaks].argmax()]]) + BIN_HU // 2 if len(peaks) else None


def _is_right(anatomy: Anatomy) -> bool:
    soft_hu = anatomy.find(find_soft_tissue)
    return soft_hu is not None and soft_hu <= MUSCLE_HU[1]


def doubt_scale(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return whether the HU scale makes a structure uncertain that is found by the HU of bone and soft tissue."""
    return [] if anatomy.find(_is_right) else [Finding.of("AC-RU-020", name, name=name)]


def explain_missing(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return whether the HU scale may be the reason that a structure was not found."""
    return [] if anatomy.find(_is_right) else [Finding.of("AC-RU-022", name, name=name)]
