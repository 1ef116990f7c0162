"""Sub-voxel contours of a field on the CT's own voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.contouring.march import trace_linear
from autocontour.contouring.ragged import Rings, contours_of, drop_small
from autocontour.contouring.simplify import simplify_rings
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.rules.grid import SLAB_SLICES, Field, Grid, Mask
from autocontour.rules.holes import drop_holes
from autocontour.rules.touching import keep_touching

if TYPE_CHECKING:
    from shapely import MultiPolygon

LEVEL = 0.5
LINE = LEVEL - 1e-5  # no float32 value: a line exactly through a sample could touch itself
TOLERANCE_MM = 0.1
SMALLEST_PIXELS = 1.0
AROUND_CELLS = 1.1  # the outline is searched up to this distance outside the cells
WITHIN_MM = 4.5  # at this depth inside the cells nothing is searched


def ramp(hu: NDArray[np.int16], level_hu: float, width_hu: float) -> Field:
    """Return 0.5 at `level_hu`, rising to 1 half a width above it and falling to 0 half a width below it.

    A negative width inverts it.
    """
    field: Field = np.multiply(hu, np.float32(1 / width_hu), dtype=np.float32)
    field += np.float32(LEVEL - level_hu / width_hu)
    return np.clip(field, 0, 1, out=field)


def confine(field: Field, limits: Field) -> Field:
    """Keep a field below what lies around a structure and above what lies within it.

    Parameters
    ----------
    field
        (z, y, x) 0 to 1.
    limits
        The sum of both, spread over the voxels: 0 outside, 1 between, 2 within. A cell lies between the two slopes, so
        that they stay apart. Overwritten.
    """
    np.minimum(field, limits, out=field)
    limits -= 1
    return np.maximum(field, limits, out=field)


def trace_cells(
    grid: Grid,
    cells: Mask,
    paint: Callable[[Box], Field],
    job: Job,
    name: str,
    *,
    sure: Mask | None = None,
    fill_mm2: float = 0.0,
) -> dict[int, MultiPolygon]:
    """Outline a field where it exceeds one half, a few slices at a time.

    Between voxel centres the field is interpolated linearly, like HU across a border within a voxel (partial volume);
    beyond the cells it is 0.

    Parameters
    ----------
    grid
        The cells of the CT.
    cells
        Where the field is painted, in patient order.
    paint
        Returns the field (0 to 1) on the CT's voxels of the box it is given.
    job
        Reports progress; may cancel.
    name
        Of the structure, for the progress.
    sure
        Cells of the structure: polygons without a voxel in them are left out. None keeps all polygons.
    fill_mm2
        Holes of less are filled, with their content.

    Returns
    -------
    Contours
        Valid polygons; empty where there are no cells.
    """
    contours: dict[int, MultiPolygon] = {}
    for slab in job.track(grid.slabs_of(cells, SLAB_SLICES), f"drawing {name}"):
        rings = drop_small(_trace_slab(paint(slab), slab), SMALLEST_PIXELS)
        if sure is not None:
            rings = keep_touching(rings, grid, sure, slab)
        rings = drop_holes(_in_mm(rings, grid.ct.geometry), fill_mm2)
        contours |= contours_of(simplify_rings(rings, TOLERANCE_MM))
    return contours


def _trace_slab(field: Field, slab: Box) -> Rings:
    """Follow the line in every slice, in voxels (x, y) of the image."""
    z0, y0, x0 = slab.start_zyx
    rings = trace_linear(field, LINE)
    return replace(rings, points_uv_mm=rings.points_uv_mm + (x0, y0), slices=rings.slices + z0)  # noqa: RUF005


def _in_mm(rings: Rings, geometry: VolumeGeometry) -> Rings:
    """Convert rings in voxels of their slices to plane coordinates."""
    row_mm, column_mm = geometry.pixel_spacing_vu_mm
    origins = np.repeat(geometry.plane_origins_uv_mm[rings.slices], np.diff(rings.starts), axis=0)
    return replace(rings, points_uv_mm=rings.points_uv_mm * (column_mm, row_mm) + origins)
