"""A rule as another package would bring it: a square in the middle of every slice that holds a patient."""

from __future__ import annotations

import shapely

from autocontour.base.findings import Finding, Severity
from autocontour.rules import Anatomy, Rule
from autocontour.rules.external import find_body


def draw(anatomy: Anatomy, name, job):
    geometry = anatomy.ct.geometry
    row_mm, column_mm = geometry.pixel_spacing_vu_mm
    contours = {}
    for k in anatomy.grid.slices_of(anatomy.find(find_body)):
        u, v = geometry.plane_origins_uv_mm[k] + (geometry.columns / 2 * column_mm, geometry.rows / 2 * row_mm)
        half_mm = 20 if "large" in anatomy.options else 10
        contours[k] = shapely.MultiPolygon([shapely.box(u - half_mm, v - half_mm, u + half_mm, v + half_mm)])
    return contours


def doubt(anatomy: Anatomy, name, contours):
    if contours:
        return [Finding("AC-TOY-1", Severity.WARN, "It is a square.", name, slices=(min(contours),))]
    return [Finding("AC-TOY-2", Severity.WARN, "No patient, no square.", name)]


RULE = Rule(("Crosshair",), draw, doubt, options=("large",))
