"""Slice thickness, and its effect on a structure."""

from __future__ import annotations

from autocontour.base.findings import Finding, Severity
from autocontour.rules.anatomy import Anatomy

THICK_MM, VERY_THICK_MM = 4.0, 7.0


def doubt_thickness(anatomy: Anatomy, name: str, *, above_mm: float) -> list[Finding]:
    """Return whether thin bone is averaged away between slices; a warning above `VERY_THICK_MM`."""
    slice_mm = float(anatomy.ct.geometry.spacing_zyx_mm[0])
    if slice_mm <= above_mm:
        return []
    severity = Severity.WARN if slice_mm > VERY_THICK_MM else Severity.INFO
    return [Finding.of("AC-RU-019", name, severity=severity, name=name, slice_mm=round(slice_mm, 1))]
