"""Draws the structures that were asked for: cells say where, the CT's own voxels say exactly where."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import shapely

from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours, Drawing
from autocontour.patient.volume import CTVolume
from autocontour.rules import doubts
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.body import find_sure
from autocontour.rules.canal import paint_tube, tube_cells
from autocontour.rules.grid import Field, Mask
from autocontour.rules.shapes import grow, shrink
from autocontour.rules.trace import as_multipolygon, fill_holes, keep_touching, ramp, shave, shave_side, subtract, trace

SKIN_HU, SKIN_WIDTH_HU = -500, 1000  # half way between air and tissue
LUNG_HU, LUNG_WIDTH_HU = -300, 800  # clinical contours run outside half way (-400); see benchmarks/rules.py
LUMEN_HU, LUMEN_WIDTH_HU = -500, 1000
BONE_HU, BONE_WIDTH_HU = 150, 300  # spongy bone begins here
AROUND_CELLS = 1.1  # the outline is looked for this far outside the cells
WITHIN_MM = 4.5  # this deep inside the cells nothing is looked at
VESSEL_HOLE_MM2 = 400.0  # holes in a lung up to this are vessels; a liver's dome or a tumour is larger
BONE_HOLE_MM2 = 300.0  # marrow; the spinal canal is taken out again
COUCH_BAND_MM = 25.0
COUCH_STRIP_MM = 3.0  # half of the thickest strip that is cut off at the couch's side
MASK_STRIP_MM = 1.8  # elsewhere; an ear is thicker than twice this
SURE = 0.6  # of a voxel's cells belong to the structure


def draw_structures(ct: CTVolume, names: Collection[str], job: Job, *, with_mask: bool = False) -> dict[str, Drawing]:
    """Draw those of `names` that are in the scan.

    Parameters
    ----------
    ct
        Any CT, of any patient position.
    names
        TG-263 names out of `NAMES`; others are left alone.
    job
        Progress and cancel.
    with_mask
        Whether External takes in a thermoplastic mask and the air under it.

    Returns
    -------
    dict
        Name → Drawing; what is not in the scan is missing.
    """
    anatomy = Anatomy(ct, with_mask)
    drawn: dict[str, Drawing] = {}
    for name in NAMES:
        if name not in names:
            continue
        job.advance(f"looking for {name}", 0.0)
        contours = _RULES[name](anatomy, job)
        if contours:
            drawn[name] = Drawing(contours, doubts.doubts_about(name, contours, anatomy))
    return drawn


def _draw_external(anatomy: Anatomy, job: Job) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    body = anatomy.outside
    around = grow(body, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm)
    within = shrink(body, WITHIN_MM, grid.cell_mm)
    sure = body if anatomy.with_mask else find_sure(body, grid.cell_mm)

    def paint(slab: Box) -> Field:
        field = ramp(ct.hu[slab.slices], SKIN_HU, SKIN_WIDTH_HU)
        np.minimum(field, grid.spread(around, slab), out=field)
        np.maximum(field, grid.spread(within, slab), out=field)
        return keep_touching(field, grid.spread(sure, slab) > SURE)

    contours = _trace_cells(anatomy, around, paint, job, "External")
    shaved = {k: _shave(multi, anatomy) for k, multi in contours.items()}
    return fill_holes({k: multi for k, multi in shaved.items() if multi.geoms})


def _shave(multi: shapely.MultiPolygon, anatomy: Anatomy) -> shapely.MultiPolygon:
    """Cut off the mask, unless it is wanted, and the strips of couch that stick to the skin."""
    if not anatomy.with_mask:
        multi = shave(multi, MASK_STRIP_MM)
    towards = anatomy.grid.direction_in_slice(*anatomy.couch) if anatomy.couch else None
    return shave_side(multi, COUCH_STRIP_MM, towards, COUCH_BAND_MM) if towards else multi


def _draw_lung(anatomy: Anatomy, job: Job, side: int) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    lung, other = anatomy.lungs[side], anatomy.lungs[1 - side]
    around = grow(lung, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm) & ~other & ~anatomy.airway_wall
    within = shrink(lung, WITHIN_MM, grid.cell_mm)

    def paint(slab: Box) -> Field:
        field = ramp(ct.hu[slab.slices], LUNG_HU, -LUNG_WIDTH_HU)
        np.maximum(field, grid.spread(within, slab), out=field)
        np.minimum(field, grid.spread(around, slab), out=field)
        return keep_touching(field, grid.spread(lung, slab) > SURE)

    return fill_holes(_trace_cells(anatomy, around, paint, job, ("Lung_L", "Lung_R")[side]), VESSEL_HOLE_MM2)


def _draw_lungs(anatomy: Anatomy, job: Job) -> Contours:
    left, right = (_draw_lung(anatomy, job, side) for side in (0, 1))
    both = {k: [lung[k] for lung in (left, right) if k in lung] for k in sorted({*left, *right})}
    return {k: as_multipolygon(shapely.union_all(parts)) for k, parts in both.items()}


def _draw_trachea(anatomy: Anatomy, job: Job) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    if anatomy.airway is None:
        return {}
    lumen = anatomy.airway.trachea
    around = grow(lumen, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm) & lumen.any(axis=(1, 2), keepdims=True)

    def paint(slab: Box) -> Field:
        field = ramp(ct.hu[slab.slices], LUMEN_HU, -LUMEN_WIDTH_HU)
        np.minimum(field, grid.spread(around, slab), out=field)
        return keep_touching(field, grid.spread(lumen, slab) > SURE)

    return fill_holes(_trace_cells(anatomy, around, paint, job, "Trachea"))


def _draw_canal(anatomy: Anatomy, job: Job) -> dict[int, shapely.MultiPolygon]:
    grid, tube = anatomy.grid, anatomy.canal
    if tube is None:
        return {}
    return _trace_cells(anatomy, tube_cells(grid, tube), lambda slab: paint_tube(grid, tube, slab), job, "SpinalCanal")


def _draw_bone(anatomy: Anatomy, job: Job) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    bone, marrow = anatomy.bone
    around = grow(bone | marrow, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm)
    inside = shrink(bone | marrow, max(grid.cell_mm), grid.cell_mm)

    def paint(slab: Box) -> Field:
        field = ramp(ct.hu[slab.slices], BONE_HU, BONE_WIDTH_HU)
        np.maximum(field, grid.spread(inside, slab), out=field)
        np.minimum(field, grid.spread(around, slab), out=field)
        return keep_touching(field, grid.spread(bone, slab) > SURE)

    contours = fill_holes(_trace_cells(anatomy, around, paint, job, "Bone"), BONE_HOLE_MM2)
    return subtract(contours, _draw_canal(anatomy, job))


def _trace_cells(
    anatomy: Anatomy, cells: Mask, paint: Callable[[Box], Field], job: Job, name: str
) -> dict[int, shapely.MultiPolygon]:
    """Trace what `paint` shows on the voxels of `cells`."""
    box = anatomy.grid.box_of(cells)
    return {} if box is None else trace(anatomy.ct, box, paint, job, f"drawing {name}")


_RULES: dict[str, Callable[[Anatomy, Job], Contours]] = {
    "External": _draw_external,
    "Lung_L": lambda anatomy, job: _draw_lung(anatomy, job, 0),
    "Lung_R": lambda anatomy, job: _draw_lung(anatomy, job, 1),
    "Lungs": _draw_lungs,
    "Trachea": _draw_trachea,
    "SpinalCanal": _draw_canal,
    "Bone": _draw_bone,
}
NAMES = tuple(_RULES)
