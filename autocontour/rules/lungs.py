"""Lung_L and Lung_R: aerated lung with the vessels in it, without trachea and main bronchi."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import MultiPolygon

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.air import LEAST_CC, find_aerated, find_apex
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.canal import find_canal, find_midline
from autocontour.rules.ends import find_cut_ends, find_cut_sides
from autocontour.rules.external import find_body
from autocontour.rules.grid import Field
from autocontour.rules.rule import Rule
from autocontour.rules.shapes import CellSize, Mask, close_by, grow, label_pieces, largest_piece, pick_pieces, shrink
from autocontour.rules.strips import as_multipolygon, join_polygons
from autocontour.rules.trace import AROUND_CELLS, WITHIN_MM, confine, ramp, trace_cells
from autocontour.rules.trachea import find_airway_wall

SIDES = ("Lung_L", "Lung_R")
LUNG_HU, LUNG_WIDTH_HU = -300, 800  # clinical contours run outside half way (-400); see benchmarks/rules.py
VESSEL_HOLE_MM2 = 400.0  # holes in a lung up to this are vessels; a liver's dome or a tumour is larger
BACK_MM = 12.0  # the back of a lung is behind this line in front of the middle of the canal
BACK_SHARE = 0.25  # of the other lung's area at the back
LEAST_BACK_SHARE = 0.04  # of the lung's own area; 0.05 and more in sound lungs, but for 12 mm beside a tumour
BACK_HEIGHT_MM = 25.0
LEAST_BACK_CM2, LEAST_WHOLE_CM2 = 3.5, 20.0
ONE_SIDED = 0.55  # of the other lung's air; the left lung has about 0.85 of the right
CUPOLA_MM = 30.0  # no lung farther than this above its thick part
VESSEL_MM = 8.0  # vessels and fissures thinner than twice this belong to the lung
STRADDLING = 0.25  # of a piece beyond the midline: both lungs in one
LARGE = 0.03  # of all lung
BRIDGES_MM = (0.0, 3.0, 6.0, 9.0, 12.0)  # touching lungs are separated by erosion with one of these


def _part_lungs(
    aerated: Mask, apex: int | None, airway_wall: Mask, midline: NDArray[np.float64], cell_mm: CellSize
) -> tuple[Mask, Mask, bool]:
    """Return the cells of the left and of the right lung, small vessels filled, and whether they were not separable.

    Parameters
    ----------
    aerated
        Cells that may be lung.
    apex
        Top slice of the thick part of the lungs, above which there are airways.
    airway_wall
        Trachea and main bronchi with their walls.
    midline
        (slices,) the middle of the patient, in cells to the left.
    cell_mm
        Size of a cell along z, y, x.
    """
    aerated = aerated & ~airway_wall
    if apex is not None:
        aerated[apex + 1 + round(CUPOLA_MM / cell_mm[0]) :] = False
    labels, sizes = label_pieces(aerated)
    lungs = pick_pieces(labels, sizes * np.prod(cell_mm) / 1000 >= LEAST_CC)
    is_left, are_joined = _side_of(lungs, midline, cell_mm)
    left, right = (close_by(lungs & side, VESSEL_MM, cell_mm) for side in (is_left, ~is_left))
    return left & ~airway_wall & ~(lungs & ~is_left), right & ~airway_wall & ~(lungs & is_left), are_joined


def _side_of(lungs: Mask, midline: NDArray[np.float64], cell_mm: CellSize) -> tuple[Mask, bool]:
    """Return for every cell of the lungs whether it belongs to the left one; and if they are joined."""
    is_left = np.zeros_like(lungs)
    box = Box.around(lungs)
    if box is None:
        return is_left, False
    across = np.arange(box.start_zyx[2], box.stop_zyx[2])
    beyond = np.broadcast_to(across > midline[box.slices[0], None, None], box.shape_zyx)
    left, right, are_joined = _find_markers(lungs[box.slices], beyond, cell_mm)
    is_divided = not (lungs[box.slices] & ~(left | right)).any()
    if is_divided:
        is_left[box.slices] = left
    elif left.any() and right.any():
        nearest = ndimage.distance_transform_edt(~(left | right), cell_mm, return_distances=False, return_indices=True)
        is_left[box.slices] = left[tuple(nearest)]
    else:
        is_left[box.slices] = left.any()
    return is_left, are_joined


def _find_markers(lungs: Mask, beyond: Mask, cell_mm: CellSize) -> tuple[Mask, Mask, bool]:
    """Return cells that certainly belong to the left and to the right lung, by erosion.

    A large piece that still crosses the midline is divided there; the third value states whether there is one.
    """
    for bridge_mm in BRIDGES_MM:
        labels, sizes = label_pieces(shrink(lungs, bridge_mm, cell_mm))
        share = np.bincount(labels[beyond], minlength=len(sizes)) / np.maximum(sizes, 1)
        large = sizes >= LARGE * sizes.sum()
        large[0] = False
        straddling = large & (np.minimum(share, 1 - share) > STRADDLING)
        if not straddling.any():
            break
    left, right = (large & (share > 0.5) & ~straddling)[labels], (large & (share <= 0.5) & ~straddling)[labels]
    divided = straddling[labels]
    return left | (divided & beyond), right | (divided & ~beyond), bool(straddling.any())


def find_lungs(anatomy: Anatomy) -> tuple[Mask, Mask]:
    """Return the cells of the left and of the right lung."""
    return anatomy.find(_look_for_lungs)[:2]


def _are_joined(anatomy: Anatomy) -> bool:
    return anatomy.find(_look_for_lungs)[2]


def _are_sides_known(anatomy: Anatomy) -> bool:
    """Return whether the spine, or else both sides of the patient, identify the lungs."""
    body = anatomy.find(find_body)
    is_cut = (body & anatomy.grid.edge).any()
    return anatomy.find(find_canal) is not None or not bool(is_cut)


def _look_for_lungs(anatomy: Anatomy) -> tuple[Mask, Mask, bool]:
    return _part_lungs(
        anatomy.find(find_aerated),
        anatomy.find(find_apex),
        anatomy.find(find_airway_wall),
        anatomy.find(find_midline),
        anatomy.grid.cell_mm,
    )


def _draw(anatomy: Anatomy, name: str, job: Job) -> Contours:
    if name in SIDES:
        return _draw_once(anatomy, name, job) if anatomy.find(_are_sides_known) else {}
    left, right = (_draw_once(anatomy, side, job) for side in SIDES)
    both = {k: [lung[k] for lung in (left, right) if k in lung] for k in sorted({*left, *right})}
    return {k: _join(parts) for k, parts in both.items()}


def _join(parts: list[MultiPolygon]) -> MultiPolygon:
    if len(parts) > 1 and parts[0].intersects(parts[1]):
        return as_multipolygon(shapely.union_all(parts))
    return join_polygons(shapely.get_parts(parts))


def _draw_once(anatomy: Anatomy, name: str, job: Job) -> Contours:
    return anatomy.keep(name, lambda: _draw_side(anatomy, name, job))


def _draw_side(anatomy: Anatomy, name: str, job: Job) -> Contours:
    grid, ct, side = anatomy.grid, anatomy.ct, SIDES.index(name)
    lungs, wall = anatomy.find(find_lungs), anatomy.find(find_airway_wall)
    lung = lungs[side]
    around = grow(lung, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm) & ~lungs[1 - side] & ~wall
    within = shrink(lung | grid.outside, WITHIN_MM, grid.cell_mm)
    limits = np.add(around, within, dtype=np.uint8)

    def paint(slab: Box) -> Field:
        field = confine(ramp(ct.hu[slab.slices], LUNG_HU, -LUNG_WIDTH_HU), grid.spread(limits, slab))
        return grid.erase_outside(field, slab)

    return trace_cells(grid, around, paint, job, name, sure=lung, fill_mm2=VESSEL_HOLE_MM2)


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    lungs = anatomy.find(find_lungs)
    if not contours:
        return (
            [Finding.of("AC-RU-015", name, name=name)]
            if (lungs[0] | lungs[1]).any() and not _are_sides_known(anatomy)
            else []
        )
    cells = lungs[SIDES.index(name)] if name in SIDES else lungs[0] | lungs[1]
    found = [*find_cut_ends(anatomy, name, contours), *find_cut_sides(anatomy, name, cells)]
    if anatomy.find(_are_joined):
        found.append(Finding.of("AC-RU-014", name))
    return [*found, *_doubt_sides(anatomy, name), *_doubt_back(anatomy, name)]


def _doubt_sides(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return whether one lung is missing, or has much less air than the other."""
    left, right = (int(lung.sum()) for lung in anatomy.find(find_lungs))
    smaller, larger = SIDES if left < right else SIDES[::-1]
    if min(left, right) == 0:
        return [Finding.of("AC-RU-003", name, missing=smaller)]
    if name == larger or min(left, right) >= ONE_SIDED * max(left, right):
        return []
    return [Finding.of("AC-RU-004", name, smaller=smaller)]


def _doubt_back(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return the slices on which a lung has hardly any air at the back, beside the spine: fluid or consolidation.

    It is compared with the other lung and, because both may have fluid, with its own area.
    """
    tube, grid = anatomy.find(find_canal), anatomy.grid
    if tube is None:
        return []
    front = tube.middle_yx[:, 0] - BACK_MM / grid.cell_mm[1]
    is_back = np.arange(grid.hu.shape[1])[None, :, None] > front[:, None, None]
    cell_cm2 = grid.cell_mm[1] * grid.cell_mm[2] / 100
    lungs = anatomy.find(find_lungs)
    whole_cm2 = [np.count_nonzero(lung, axis=(1, 2)) * cell_cm2 for lung in lungs]
    back_cm2 = [np.count_nonzero(lung & is_back, axis=(1, 2)) * cell_cm2 for lung in lungs]
    found = []
    for side in range(2):
        if name not in (SIDES[side], "Lungs"):
            continue
        expected = back_cm2[1 - side]
        lacks = (expected >= LEAST_BACK_CM2) & (back_cm2[side] < BACK_SHARE * expected)
        lacks |= back_cm2[side] < LEAST_BACK_SHARE * whole_cm2[side]
        lacks &= whole_cm2[side] >= LEAST_WHOLE_CM2
        run = largest_piece(lacks)
        if np.count_nonzero(run) * grid.cell_mm[0] >= BACK_HEIGHT_MM:
            slices = grid.slices_of(run[:, None, None] & lungs[side])
            found.append(Finding.of("AC-RU-016", name, slices, lung=SIDES[side], count=len(slices)))
    return found


RULE = Rule((*SIDES, "Lungs"), _draw, _doubts)
