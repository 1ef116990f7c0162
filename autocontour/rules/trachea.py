"""Trachea: the column of gas from below the larynx to the carina, and the main bronchi that leave it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.air import find_apex
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.ends import find_cut_ends
from autocontour.rules.external import find_body
from autocontour.rules.grid import Field
from autocontour.rules.rule import Rule
from autocontour.rules.shapes import IN_PLANE, CellSize, Labels, Mask, grow, label, open_by
from autocontour.rules.trace import AROUND_CELLS, SURE, fill_holes, keep_touching, ramp, trace_cells

LUMEN_HU, LUMEN_WIDTH_HU = -500, 1000
AIRWAY_WALL_MM = 4.0
GAS_HU = -850  # cells below it are mostly gas
SPOT_MM2 = (40.0, 800.0)  # lumen in a transverse slice; an adult trachea has 100 to 400 mm²
LONGEST_ASPECT = 2.5
LEAST_FILLING = 0.45  # of its bounding box; a disc fills 0.79
LEAST_HEIGHT_MM = 25.0
OFF_MIDLINE_MM = 40.0
GAP_MM = 10.0  # the walk steps over a slice or two without gas
REACH_MM = 4.0  # from a spot to the next slice's
WIDENING = 2.5  # over the median lumen: no longer the airway
BRANCH_MM2 = 30.0
BELOW_APEX_MM = 40.0  # the trachea comes up at least to this far under the top of the lungs
SKULL_HU = 200
BRAIN_MM2 = 6000.0
BRONCHI_MM = 50.0  # the main bronchi end within this of the carina
BRONCHUS_RADIUS_MM = 8.0
BRONCHUS_HU = (GAS_HU, -920, -960)
BRONCHI_CC = 15.0
LENGTH_MM = 115.0  # carina to cricoid; adults 100 to 130
CORDS_MM = 75.0  # the vocal cords lie farther than this above the carina
CORDS_TO_CRICOID_MM = 20.0  # vocal cords to the cricoid's lower border
NARROW = 0.4  # of the median lumen: the vocal cords


@dataclass(frozen=True, eq=False)
class Airway:
    """Cells of the airway, lumen only.

    Attributes
    ----------
    column
        Gas from the carina, or where the column stops, up into the larynx and beyond.
    bronchi
        Gas of the main bronchi; empty without a carina.
    trachea
        The part of the column that is trachea.
    has_carina, has_cricoid
        Whether the trachea's lower and upper end lie in the scan.
    """

    column: Mask
    bronchi: Mask
    trachea: Mask
    has_carina: bool
    has_cricoid: bool


def _find_airway(hu: NDArray[np.int16], body: Mask, apex: int | None, cell_mm: CellSize) -> Airway | None:
    """Walk along spots of gas, slice by slice, from the tallest round column near the midline.

    Parameters
    ----------
    hu
        Of the cells.
    body
        Cells of the body.
    apex
        Top slice of the lungs; None if there are none in the scan.
    cell_mm
        Size of a cell along z, y, x.

    Returns
    -------
    Airway or None
        None where nothing proves that a column of gas is the airway: it must belong to lungs or lie under a skull.
    """
    spots = label(body & (hu < GAS_HU), IN_PLANE)
    seed = _tallest_column(spots, body, cell_mm)
    if seed is None:
        return None
    path = _walk(spots, seed, -1, cell_mm)[::-1] + _walk(spots, seed, 1, cell_mm)[1:]
    if not _is_plausible(path[-1][0], hu, apex, cell_mm):
        return None
    column = np.isin(spots, [spot for _, spot in path])
    bottom = path[0][0]
    bronchi = _find_bronchi(hu, body, column, bottom, cell_mm)
    has_carina = bottom > 0 and bool(bronchi.any())
    top = _find_cricoid(path, np.bincount(spots.ravel()), has_carina, cell_mm)
    trachea = column.copy()
    trachea[:bottom] = False
    if top is not None:
        trachea[top + 1 :] = False
    return Airway(column, bronchi, trachea, has_carina, top is not None)


def _tallest_column(spots: Labels, body: Mask, cell_mm: CellSize) -> tuple[int, int] | None:
    """Return slice and number of a spot half way up the tallest column of round spots; None if none is tall enough."""
    round_spots = _find_round(spots, cell_mm)
    columns = label(round_spots[spots])
    best, tallest_mm = None, LEAST_HEIGHT_MM
    for number, box in enumerate(ndimage.find_objects(columns), 1):
        height_mm = (box[0].stop - box[0].start) * cell_mm[0]
        middle = (box[0].start + box[0].stop - 1) // 2
        across = np.flatnonzero((columns[middle] == number).any(axis=0)).mean()
        midline = np.nonzero(body[middle])[1].mean()
        if height_mm >= tallest_mm and abs(across - midline) * cell_mm[2] <= OFF_MIDLINE_MM:
            best, tallest_mm = (middle, int(spots[middle][columns[middle] == number][0])), height_mm
    return best


def _find_round(spots: Labels, cell_mm: CellSize) -> Mask:
    """Return for every spot whether it could be the lumen of a windpipe (index 0: no spot)."""
    cells = np.bincount(spots.ravel())
    extent = np.array([[s.stop - s.start for s in box[1:]] for box in ndimage.find_objects(spots)]).reshape(-1, 2)
    mm2 = cells[1:] * cell_mm[1] * cell_mm[2]
    extent_mm = extent * cell_mm[1:]
    aspect = extent_mm.max(axis=1, initial=0) / extent_mm.min(axis=1, initial=np.inf)
    filling = cells[1:] / extent.prod(axis=1)
    is_round = (mm2 >= SPOT_MM2[0]) & (mm2 <= SPOT_MM2[1]) & (aspect <= LONGEST_ASPECT) & (filling >= LEAST_FILLING)
    return np.concatenate(([False], is_round))


def _is_plausible(top: int, hu: NDArray[np.int16], apex: int | None, cell_mm: CellSize) -> bool:
    """Say whether a column that ends at slice `top` may be the airway: above lungs or, without them, under a skull."""
    if apex is not None:
        return top >= apex - BELOW_APEX_MM / cell_mm[0]
    return any(_holds_brain(plane > SKULL_HU, cell_mm) for plane in hu[top::3])


def _holds_brain(bone: Mask, cell_mm: CellSize) -> bool:
    """Say whether a slice of bone encloses as much as a skull does."""
    enclosed = ndimage.binary_fill_holes(bone) & ~bone
    return bool(enclosed.sum() * cell_mm[1] * cell_mm[2] >= BRAIN_MM2)


def _walk(spots: Labels, seed: tuple[int, int], step: int, cell_mm: CellSize) -> list[tuple[int, int]]:
    """Follow the airway from slice to slice, up (1) or down (-1), to where it forks, opens or ends."""
    k, spot = seed
    path = [seed]
    plane_mm2 = cell_mm[1] * cell_mm[2]
    areas = [np.count_nonzero(spots[k] == spot)]
    while 0 <= k + step < len(spots):
        near = _near(spots[path[-1][0]] == path[-1][1], cell_mm)
        k += step
        if abs(k - path[-1][0]) * cell_mm[0] > GAP_MM:
            break
        numbers, counts = np.unique(spots[k][near & (spots[k] > 0)], return_counts=True)
        if not len(numbers):
            continue
        if step < 0 and np.count_nonzero(counts * plane_mm2 >= BRANCH_MM2) > 1:
            break
        spot = int(numbers[counts.argmax()])
        area = np.count_nonzero(spots[k] == spot)
        if area > WIDENING * np.median(areas):
            break
        areas.append(area)
        path.append((k, spot))
    return path


def _near(spot: Mask, cell_mm: CellSize) -> Mask:
    """Grow a spot in its slice."""
    grown: Mask = grow(spot[None], REACH_MM, cell_mm)[0]
    return grown


def _find_bronchi(hu: NDArray[np.int16], body: Mask, column: Mask, bottom: int, cell_mm: CellSize) -> Mask:
    """Find gas that hangs on the bottom of the column and is no wider than a bronchus and no farther than its end."""
    carina = np.zeros_like(body)
    carina[bottom] = column[bottom]
    below = grow(carina, BRONCHI_MM, cell_mm) & body
    below[bottom + 1 :] = False
    for level_hu in BRONCHUS_HU:  # darker where emphysema leaks
        gas = below & (hu < level_hu)
        labels = label(gas & ~open_by(gas, BRONCHUS_RADIUS_MM, cell_mm) | carina)
        bronchi = np.asarray(labels == labels[carina][0]) & ~carina
        if bronchi.sum() * np.prod(cell_mm) / 1000 <= BRONCHI_CC:
            return bronchi
    return np.zeros_like(body)


def _find_cricoid(
    path: list[tuple[int, int]], spot_cells: NDArray[np.int64], has_carina: bool, cell_mm: CellSize
) -> int | None:
    """Return the trachea's top slice: under the vocal cords, at most a trachea's length above the carina."""
    slices = np.array([k for k, _ in path])
    cells = np.array([spot_cells[spot] for _, spot in path])
    above_mm = (slices - slices[0]) * cell_mm[0]
    narrow = (cells < NARROW * np.median(cells)) & (above_mm > (CORDS_MM if has_carina else LEAST_HEIGHT_MM))
    tops = [slices[narrow][0] - CORDS_TO_CRICOID_MM / cell_mm[0]] if narrow.any() else []
    if has_carina and above_mm[-1] > LENGTH_MM:
        tops.append(slices[0] + LENGTH_MM / cell_mm[0])
    return int(min(tops)) if tops else None


def find_airway(anatomy: Anatomy) -> Airway | None:
    """Return trachea and main bronchi; None where nothing proves that a column of gas is the airway."""
    return _find_airway(anatomy.grid.hu, anatomy.find(find_body), anatomy.find(find_apex), anatomy.grid.cell_mm)


def find_airway_wall(anatomy: Anatomy) -> Mask:
    """Return the cells of trachea and main bronchi with their walls, which are not lung."""
    airway = anatomy.find(find_airway)
    if airway is None:
        return np.zeros(anatomy.grid.hu.shape, np.bool_)
    return grow(airway.column | airway.bronchi, AIRWAY_WALL_MM, anatomy.grid.cell_mm)


def _draw(anatomy: Anatomy, name: str, job: Job) -> Contours:
    grid, ct, airway = anatomy.grid, anatomy.ct, anatomy.find(find_airway)
    if airway is None:
        return {}
    lumen = airway.trachea
    around = grow(lumen, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm) & lumen.any(axis=(1, 2), keepdims=True)

    def paint(slab: Box) -> Field:
        field = ramp(ct.hu[slab.slices], LUMEN_HU, -LUMEN_WIDTH_HU)
        np.minimum(field, grid.spread(around, slab), out=field)
        return keep_touching(field, grid.spread(lumen, slab) > SURE)

    return fill_holes(trace_cells(grid, around, paint, job, name))


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    airway = anatomy.find(find_airway)
    if airway is None or not contours:
        return []
    found = find_cut_ends(anatomy, name, contours)
    to_head = anatomy.ct.geometry.direction[2, 2] > 0
    bottom, top = (min(contours), max(contours)) if to_head else (max(contours), min(contours))
    if airway.has_cricoid:
        found.append(Finding.of("AC-RU-005", name, [top]))
    if not airway.has_carina and not airway.trachea[0].any():
        found.append(Finding.of("AC-RU-006", name, [bottom]))
    return found


RULE = Rule(("Trachea",), _draw, _doubts)
