"""Bone: cortical bone and the marrow it encloses, without contrast medium in vessels and bowel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.canal import draw_canal, find_canal_cells
from autocontour.rules.ends import find_cut_sides
from autocontour.rules.external import find_body
from autocontour.rules.grid import Field
from autocontour.rules.marrow import find_marrow
from autocontour.rules.noise import doubt_noise
from autocontour.rules.rule import Rule
from autocontour.rules.scale import doubt_scale
from autocontour.rules.shapes import CellSize, Labels, Mask, grow, label, label_pieces, pick_pieces, shrink
from autocontour.rules.sharpness import doubt_sharpness
from autocontour.rules.strips import subtract
from autocontour.rules.thickness import THICK_MM, doubt_thickness
from autocontour.rules.trace import AROUND_CELLS, confine, ramp, trace_cells

CORTEX_HU = 280  # mean of a cell of bone; hysteresis: neighbours of such cells above BONE_HU are included
VERTEBRA_HU = 200  # the thin shell of a vertebra, found near the canal
VERTEBRA_REACH_MM = 40.0
BONE_HU = 130
CORTEX_REACH_MM = 6.0
PEAK_HU = 450  # every bone has such a cell; a vessel with contrast has not
LEAST_CC = 0.2
CORE_MM = 6.0  # depth inside bright tissue
SHELL_MM = 5.0  # around such a core
EVEN_HU = 50  # standard deviation in a core of blood or bowel with contrast; in bone it is more
CONTRAST_HU = 600
LEAST_SPREAD_HU = 25  # tissue brighter than the core by this and by three deviations is adjacent bone
CONTRAST_REACH_MM = 9.0
BONE_LEVEL_HU, BONE_WIDTH_HU = 150, 300  # lower limit of spongy bone
MUCH_MARROW = 0.1  # of bone and marrow; above it, the outline depends on gaps in thin bone
BONE_HOLE_MM2 = 300.0  # marrow; the spinal canal is removed again


def find_bone(anatomy: Anatomy) -> tuple[Mask, Mask]:
    """Return the cells of bone, and those of marrow enclosed by it or by the canal."""
    return _find_bone(anatomy.grid.hu, anatomy.find(find_body), anatomy.find(find_canal_cells), anatomy.grid.cell_mm)


def _find_bone(hu: NDArray[np.int16], body: Mask, canal: Mask, cell_mm: CellSize) -> tuple[Mask, Mask]:
    """Return the cells of bone, and those of marrow enclosed by it; also by bone and `canal`."""
    bright = body & (hu > BONE_HU)
    bright &= ~_find_contrast(bright, hu, cell_mm)
    cortex = (hu > CORTEX_HU) | ((hu > VERTEBRA_HU) & grow(canal, VERTEBRA_REACH_MM, cell_mm))
    bone = grow(bright & cortex, CORTEX_REACH_MM, cell_mm) & bright
    labels, sizes = label_pieces(bone)
    peak = np.zeros(len(sizes))
    np.maximum.at(peak, labels[bone], hu[bone])
    bone = pick_pieces(labels, (sizes * np.prod(cell_mm) / 1000 >= LEAST_CC) & (peak > PEAK_HU))
    return bone, find_marrow(bone | canal, hu, cell_mm)


def _find_contrast(bright: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find vessels, kidneys and bowel with contrast medium: homogeneous inside, and darker towards their border."""
    contrast, core = np.zeros_like(bright), np.zeros_like(bright)
    box = Box.around(bright)
    if box is None:
        return contrast
    core[box.slices] = shrink(bright[box.slices], CORE_MM, cell_mm)
    labels, sizes = label_pieces(core)
    mean, deviation = _statistics(labels[core], hu[core], len(sizes))
    is_contrast = (deviation < EVEN_HU) & (mean < CONTRAST_HU)
    is_contrast[0] = False
    spread = np.maximum(3 * deviation, LEAST_SPREAD_HU)
    regions = label(grow(pick_pieces(labels, is_contrast), CONTRAST_REACH_MM, cell_mm))
    margin = [int(CONTRAST_REACH_MM / size) for size in cell_mm]
    for number, found in enumerate(ndimage.find_objects(regions), 1):
        z, y, x = (slice(max(0, side.start - m), side.stop + m) for side, m in zip(found, margin, strict=True))
        around = (z, y, x)
        near = bright[around] & (regions[around] == number)
        distance_mm, nearest = ndimage.distance_transform_edt(~core[around], cell_mm, return_indices=True)
        owner, away_mm, values = labels[around][tuple(nearest)][near], distance_mm[near], hu[around][near]
        in_shell = (away_mm > 0) & (away_mm <= SHELL_MM)
        shell_mean, _ = _statistics(owner[in_shell], values[in_shell], len(sizes))
        highest = np.where(is_contrast & (shell_mean <= mean), mean + spread, -np.inf)
        contrast[around][near] = (values <= highest[owner]) & (away_mm <= CONTRAST_REACH_MM)
    return contrast


def _statistics(number: Labels, hu: NDArray[np.int16], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of HU for every label."""
    values = hu.astype(np.float64)
    cells = np.maximum(np.bincount(number, minlength=count), 1)
    mean = np.bincount(number, values, count) / cells
    return mean, np.sqrt(np.maximum(np.bincount(number, values**2, count) / cells - mean**2, 0))


def _draw(anatomy: Anatomy, name: str, job: Job) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    bone, marrow = anatomy.find(find_bone)
    around = grow(bone | marrow, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm)
    inside = shrink(bone | marrow, max(grid.cell_mm), grid.cell_mm)
    limits = np.add(around, inside, dtype=np.uint8)

    def paint(slab: Box) -> Field:
        return confine(ramp(ct.hu[slab.slices], BONE_LEVEL_HU, BONE_WIDTH_HU), grid.spread(limits, slab))

    contours = trace_cells(grid, around, paint, job, name, sure=bone, fill_mm2=BONE_HOLE_MM2)
    return subtract(contours, draw_canal(anatomy, "SpinalCanal", job))


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    if not contours:
        return []
    bone, marrow = anatomy.find(find_bone)
    found = [*find_cut_sides(anatomy, name, bone), *doubt_noise(anatomy, name), *doubt_scale(anatomy, name)]
    found += [*doubt_thickness(anatomy, name, above_mm=THICK_MM), *doubt_sharpness(anatomy, name)]
    share = np.count_nonzero(marrow & ~bone) / max(1, int(np.count_nonzero(bone | marrow)))
    if share > MUCH_MARROW:
        found.append(Finding.of("AC-RU-018", name, percent=round(100 * share)))
    return found


RULE = Rule(("Bone",), _draw, _doubts)
