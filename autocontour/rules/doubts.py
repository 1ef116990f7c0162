"""What the user should know of a structure that a rule drew."""

from __future__ import annotations

import numpy as np

from autocontour.base.findings import Finding, Severity
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy

WHOLE_SCAN = ("External", "Bone", "SpinalCanal")  # these usually go on beyond the scan
ONE_SIDED = 0.55  # of the other lung's air; the left lung has about 0.85 of the right
EDGE_CELLS = 20


def doubts_about(name: str, contours: Contours, anatomy: Anatomy) -> tuple[Finding, ...]:
    """Return what is doubtful about a drawn structure."""
    found = _cut_by_scan(name, contours, anatomy)
    if name == "External":
        found += _cut_by_image(anatomy)
    if name.startswith("Lung"):
        found += _uneven_lungs(name, anatomy)
    if name == "Trachea":
        found += _open_trachea(contours, anatomy)
    return tuple(found)


def _cut_by_scan(name: str, contours: Contours, anatomy: Anatomy) -> list[Finding]:
    last = len(anatomy.ct.hu) - 1
    ends = {k: word for k, word in ((0, "first"), (last, "last")) if k in contours}
    if name in WHOLE_SCAN or not ends:
        return []
    message = f"{name} reaches the {' and the '.join(ends.values())} slice: what lies beyond the scan is missing."
    return [Finding("AC-RU-001", Severity.INFO, message, name, slices=tuple(ends))]


def _cut_by_image(anatomy: Anatomy) -> list[Finding]:
    body = anatomy.body
    edges = (body[:, 0], body[:, -1], body[:, :, 0], body[:, :, -1])
    if max(int(edge.sum()) for edge in edges) < EDGE_CELLS:
        return []
    message = "The patient reaches the edge of the image: External is cut off there."
    remedy = "Reconstruct the CT with a larger field of view."
    return [Finding("AC-RU-002", Severity.WARN, message, "External", remedy, _slices_at_edge(anatomy))]


def _slices_at_edge(anatomy: Anatomy) -> tuple[int, ...]:
    """Return the CT's slices on which the patient reaches the edge of the image."""
    body, grid = anatomy.body, anatomy.grid
    at_edge = np.zeros_like(body)
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        at_edge[edge] = body[edge]
    cells = grid.to_ct_order(at_edge).any(axis=(1, 2))
    return tuple(np.flatnonzero(np.repeat(cells, grid.step_zyx[0])[: len(anatomy.ct.hu)]).tolist())


def _uneven_lungs(name: str, anatomy: Anatomy) -> list[Finding]:
    left, right = (int(lung.sum()) for lung in anatomy.lungs)
    smaller = "left" if left < right else "right"
    if min(left, right) == 0:
        message = f"No aerated {smaller} lung was found; it may be collapsed, removed or outside the scan."
        return [Finding("AC-RU-003", Severity.WARN, message, name, "Look at both sides.")]
    if name == ("Lung_R" if left < right else "Lung_L") or min(left, right) >= ONE_SIDED * max(left, right):
        return []
    message = f"The {smaller} lung holds much less air than the other: what is collapsed or solid is not drawn."
    return [Finding("AC-RU-004", Severity.WARN, message, name, "Add what belongs to the lung by hand.")]


def _open_trachea(contours: Contours, anatomy: Anatomy) -> list[Finding]:
    airway = anatomy.airway
    if airway is None:
        return []
    found = []
    to_head = anatomy.ct.geometry.direction[2, 2] > 0
    bottom, top = (min(contours), max(contours)) if to_head else (max(contours), min(contours))
    if airway.has_cricoid:
        message = "The upper end of the trachea is placed by its length and the vocal cords, not by the cricoid itself."
        found.append(Finding("AC-RU-005", Severity.INFO, message, "Trachea", "Check the upper end.", (top,)))
    if not airway.has_carina and not airway.trachea[0].any():
        message = "The trachea's gas ends above any fork: its lower part is narrowed or filled, and not drawn."
        found.append(Finding("AC-RU-006", Severity.WARN, message, "Trachea", "Look at the lower end.", (bottom,)))
    return found
