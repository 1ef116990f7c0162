"""Structures that extend beyond the scan or the field of view."""

from __future__ import annotations

import numpy as np

from autocontour.base.findings import Finding
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.grid import Mask

EDGE_CELLS = 5  # fewer at the edge of the field of view do not count as truncated


def find_cut_ends(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    """Return whether a structure reaches the first or the last slice."""
    ends = [k for k in (0, len(anatomy.ct.hu) - 1) if k in contours]
    return [Finding.of("AC-RU-001", name, ends, name=name, ends=len(ends))] if ends else []


def find_cut_sides(anatomy: Anatomy, name: str, cells: Mask) -> list[Finding]:
    """Return whether a structure of these cells reaches the edge of the field of view within the slices."""
    at_edge = cells & anatomy.grid.edge
    if np.count_nonzero(at_edge) < EDGE_CELLS:
        return []
    slices = anatomy.grid.slices_of(at_edge)
    return [Finding.of("AC-RU-011", name, slices, name=name, count=len(slices))]
