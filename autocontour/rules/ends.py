"""Structures that go on beyond the scan."""

from __future__ import annotations

from autocontour.base.findings import Finding
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy


def find_cut_ends(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    """Return whether a structure reaches the first or the last slice."""
    ends = [k for k in (0, len(anatomy.ct.hu) - 1) if k in contours]
    return [Finding.of("AC-RU-001", name, ends, name=name, ends=len(ends))] if ends else []
