"""Objects around the patient: the couch, a headrest, a thermoplastic mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autocontour.phantom.combine import Difference, Intersection, Offset
from autocontour.phantom.plane import Plane, Shape, sample
from autocontour.phantom.shapes import HalfSpace, Loft
from autocontour.phantom.sketch import Anatomy, Part

COUCH_HALF_WIDTH_MM, COUCH_HALF_DEPTH_MM = 265.0, 25.0
SHELL_HU, FOAM_HU, MASK_HU = -180.0, -955.0, 20.0


def body_extent(surface: Shape, z_mm: Sequence[float], step_mm: float = 4.0) -> NDArray[np.float64]:
    """Return (2, 2): lowest and highest x and y of the body on axial planes at `z_mm`, to about `step_mm`."""
    low, high = surface.box
    u, v = (np.arange(low[axis], high[axis] + step_mm, step_mm) for axis in (0, 1))
    inside = np.zeros((len(v), len(u)), bool)
    for z in z_mm:
        inside |= sample(surface, Plane(np.eye(3), u, v, z)) < 0
    columns, rows = u[inside.any(axis=0)], v[inside.any(axis=1)]
    return np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]])


def build_couch(extent: NDArray[np.float64], down: NDArray[np.float64]) -> list[Part]:
    """Build a flat carbon-fibre table top below the body: thin shell, foam core."""
    below = extent[1] if down.sum() > 0 else extent[0]
    axis = int(np.abs(down[:2]).argmax())
    center = extent.mean(axis=0)
    center[axis] = below[axis] + down[axis] * (COUCH_HALF_DEPTH_MM + 1.0)
    half = np.full(2, COUCH_HALF_WIDTH_MM)
    half[axis] = COUCH_HALF_DEPTH_MM
    top = Loft(np.array([(z, *center, half[0], half[1], half[1], 9.0) for z in (-2000.0, 2000.0)]))
    return [Part(top, SHELL_HU), Part(Offset(top, -2.2), FOAM_HU)]


def build_headrest(anatomy: Anatomy, extent: NDArray[np.float64]) -> list[Part]:
    """Build the foam support between a supine head and the couch."""
    brain = anatomy.truth["Brain"].box
    low, high = brain[0, 2] - 70, brain[1, 2] - 30
    (_, head), bottom = body_extent(anatomy.surface, [float(brain[:, 2].mean())]), extent[1, 1]
    middle, half = (bottom + head[1] - 25) / 2, (bottom - head[1] + 25) / 2
    rest = Loft(np.array([(z, float(brain[:, 0].mean()), middle, 105, half, half, 4.0) for z in (low, high)]))
    return [Part(rest, SHELL_HU), Part(Offset(rest, -2.5), FOAM_HU)]


def build_mask(anatomy: Anatomy) -> list[Part]:
    """Build the thermoplastic mask over face, neck and shoulders, down to the sides of the head."""
    brain = anatomy.truth["Brain"].box
    front = HalfSpace(np.array([0.0, brain[:, 1].mean() + 35, 0.0]), np.array([0.0, 1.0, 0.0]))
    above = HalfSpace(np.array([0.0, 0.0, brain[0, 2] - 170]), np.array([0.0, 0.0, -1.0]))
    shell = Difference(Intersection((Offset(anatomy.surface, 4.2), front, above)), (Offset(anatomy.surface, 1.6),))
    return [Part(shell, MASK_HU)]
