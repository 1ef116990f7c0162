"""Trachea: the column of gas from below the larynx to the carina, and the main bronchi that leave it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.air import find_apex
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.canal import find_foramen_magnum, find_midline
from autocontour.rules.ends import find_cut_ends, find_cut_sides
from autocontour.rules.external import find_body
from autocontour.rules.grid import Field
from autocontour.rules.rule import Rule
from autocontour.rules.scale import doubt_scale, explain_missing
from autocontour.rules.shapes import IN_PLANE, CellSize, Labels, Mask, grow, label, open_by, pick_pieces
from autocontour.rules.sharpness import doubt_sharpness
from autocontour.rules.trace import AROUND_CELLS, ramp, trace_cells

LUMEN_HU, LUMEN_WIDTH_HU = -500, 1000
AIRWAY_WALL_MM = 4.0
GAS_HU = -850  # cells below it are mostly gas
SPOT_MM2 = (40.0, 800.0)  # lumen in a transverse slice; an adult trachea has 100 to 400 mm²
LONGEST_ASPECT = 2.5
LEAST_FILLING = 0.45  # of its bounding box; a disc fills 0.79
LEAST_HEIGHT_MM = 25.0
OFF_MIDLINE_MM = 40.0
GAP_MM = 10.0  # one or two slices without gas are skipped
REACH_MM = 4.0  # from a spot to the next slice's
WIDENING = 2.5  # over the median lumen: no longer the airway
BRANCH_MM2 = 30.0
ASIDE_MM = 20.0  # median distance of a trachea from the midline; lobar bronchi lie 30 mm and more aside
ABOVE_APEX_MM = 0.0  # the trachea extends at least to the top of the lungs, a bronchus ends below
FAR_ABOVE_APEX_MM = 20.0  # a column up to here is a trachea even if its lower end is filled
END_MM = 10.0  # within this of an end of the scan counts as reaching it
SKULL_TO_CRICOID_MM = 90.0  # from the foramen magnum down to the cricoid
BRANCH_ASIDE_MM = (6.0, 32.0)  # of a main bronchus from the axis of the trachea
BRANCH_BACK_MM = 20.0
WIDEST_BRANCH = 1.2  # of the trachea's lumen
FORK_LOOK_MM = 30.0  # of the path from which the trachea's axis is computed
BRONCHI_MM = 50.0  # the main bronchi end within this of the carina
BRONCHUS_RADIUS_MM = 8.0
BRONCHUS_HU = (GAS_HU, -920, -960)
BRONCHI_CC = 15.0
LENGTH_MM = 115.0  # carina to cricoid; adults 100 to 130
CORDS_MM = 75.0  # the vocal cords are farther than this above the carina
CORDS_TO_CRICOID_MM = 20.0  # vocal cords to the cricoid's lower border
NARROW = 0.4  # of the median lumen: the vocal cords


@dataclass(frozen=True, eq=False)
class Airway:
    """Cells of the airway, lumen only.

    Attributes
    ----------
    column
        Gas from the carina, or the lower end of the column, into the larynx and beyond.
    bronchi
        Gas of the main bronchi; empty without a carina.
    trachea
        The trachea's part of the column.
    has_carina, has_cricoid
        Whether the trachea's lower and upper end lie in the scan.
    """

    column: Mask
    bronchi: Mask
    trachea: Mask
    has_carina: bool
    has_cricoid: bool


@dataclass(frozen=True, eq=False)
class _Places:
    """Positions of anatomy around the airway, in cells.

    Attributes
    ----------
    midline
        (slices,) the middle of the patient, to the left.
    apex
        Top slice of the lungs; None if there are none in the scan.
    skull
        Lowest slice of the skull; None if it is not in the scan.
    """

    midline: NDArray[np.float64]
    apex: int | None
    skull: int | None


def _find_airway(hu: NDArray[np.int16], body: Mask, places: _Places, cell_mm: CellSize) -> tuple[Airway | None, bool]:
    """Follow spots of gas, slice by slice, from round columns near the midline, the tallest first.

    Returns
    -------
    Airway or None
        None if the surroundings of no column of gas prove that it is the airway.
    bool
        Whether there was any column.
    """
    spots = label(body & (hu < GAS_HU), IN_PLANE)
    seeds = _tall_columns(spots, places.midline, cell_mm)
    for seed in seeds:
        path, low, high = _walk_both_ways(spots, seed, cell_mm)
        if not _is_airway(path, spots, places, cell_mm, is_forked=low is _End.FORKS):
            continue
        column = np.zeros_like(body)
        for k, spot in path:
            column[k] = spots[k] == spot
        bottom = path[0][0]
        bronchi = _find_bronchi(hu, body, column, bottom, cell_mm)
        has_carina = bottom > 0 and bool(bronchi.any())
        skull = places.skull if high is _End.WIDENS else None
        top = _find_cricoid(path, _count_cells(spots), skull, cell_mm, has_carina=has_carina)
        trachea = column.copy()
        trachea[:bottom] = False
        if top is not None:
            trachea[top + 1 :] = False
        return Airway(column, bronchi, trachea, has_carina, top is not None), True
    return None, bool(seeds)


def _tall_columns(spots: Labels, midline: NDArray[np.float64], cell_mm: CellSize) -> list[tuple[int, int]]:
    """Return slice and number of a spot half way up each tall column of round spots, the tallest first."""
    columns = label(pick_pieces(spots, _find_round(spots, cell_mm)))
    found = []
    for number, box in enumerate(ndimage.find_objects(columns), 1):
        height_mm = (box[0].stop - box[0].start) * cell_mm[0]
        if height_mm < LEAST_HEIGHT_MM:
            continue
        middle = (box[0].start + box[0].stop - 1) // 2
        across = np.flatnonzero((columns[middle] == number).any(axis=0)).mean()
        if abs(across - midline[middle]) * cell_mm[2] <= OFF_MIDLINE_MM:
            found.append((height_mm, middle, int(spots[middle][columns[middle] == number][0])))
    return [(middle, spot) for _, middle, spot in sorted(found, reverse=True)]


class _End(Enum):
    """End of a path along the airway: it forks, it widens, or there is no more gas."""

    FORKS = auto()
    WIDENS = auto()
    STOPS = auto()


def _walk_both_ways(
    spots: Labels, seed: tuple[int, int], cell_mm: CellSize
) -> tuple[list[tuple[int, int]], _End, _End]:
    """Return the path of spots upwards, and its ends below and above."""
    down, low = _walk(spots, seed, -1, cell_mm)
    up, high = _walk(spots, seed, 1, cell_mm)
    return down[::-1] + up[1:], low, high


def _find_round(spots: Labels, cell_mm: CellSize) -> Mask:
    """Return for every spot whether it could be the lumen of a trachea (index 0: no spot)."""
    cells = _count_cells(spots)
    if len(cells) == 1:
        return np.zeros(1, np.bool_)
    at = np.flatnonzero(spots)
    number = spots.ravel()[at]
    at = at[np.argsort(number, kind="stable")] % (spots.shape[1] * spots.shape[2])
    starts = (np.cumsum(cells) - cells)[1:]
    ends = [(np.minimum.reduceat(i, starts), np.maximum.reduceat(i, starts)) for i in np.divmod(at, spots.shape[2])]
    extent = np.stack([high + 1 - low for low, high in ends], axis=1)
    mm2 = cells[1:] * cell_mm[1] * cell_mm[2]
    extent_mm = extent * cell_mm[1:]
    aspect = extent_mm.max(axis=1, initial=0) / extent_mm.min(axis=1, initial=np.inf)
    filling = cells[1:] / extent.prod(axis=1)
    is_round = (mm2 >= SPOT_MM2[0]) & (mm2 <= SPOT_MM2[1]) & (aspect <= LONGEST_ASPECT) & (filling >= LEAST_FILLING)
    return np.concatenate(([False], is_round))


def _count_cells(spots: Labels) -> NDArray[np.intp]:
    """Return the cells of every spot; 0 for number 0."""
    return np.bincount(spots[spots > 0], minlength=1)


def _is_airway(
    path: list[tuple[int, int]], spots: Labels, places: _Places, cell_mm: CellSize, *, is_forked: bool
) -> bool:
    """Return whether the surroundings of a column of gas are those of a trachea.

    It lies in the midline. If lungs are in the scan it extends above them or to the scan's top, and down to a fork or
    to the scan's bottom; without lungs it starts at the scan's bottom, far below the skull. A bronchus is lateral and
    ends below the top of the lungs; sinuses, mouth and pharynx are near the skull.
    """
    bottom, top, last = path[0][0], path[-1][0], len(spots) - 1
    aside_mm = [abs(_middle_of(spots, k, spot)[1] - places.midline[k]) * cell_mm[2] for k, spot in path]
    if np.median(aside_mm) > ASIDE_MM:
        return False
    at_bottom = bottom * cell_mm[0] <= END_MM
    is_far_below_skull = places.skull is None or (places.skull - bottom) * cell_mm[0] >= SKULL_TO_CRICOID_MM
    if places.apex is None:
        return at_bottom and places.skull is not None and is_far_below_skull
    above_apex_mm = (top - places.apex) * cell_mm[0]
    reaches_up = above_apex_mm >= ABOVE_APEX_MM or (last - top) * cell_mm[0] <= END_MM
    reaches_down = at_bottom or is_forked or above_apex_mm >= FAR_ABOVE_APEX_MM
    return reaches_up and reaches_down and is_far_below_skull


def _middle_of(spots: Labels, k: int, spot: int) -> NDArray[np.float64]:
    """Return the middle of a spot, to the back and to the left, in cells."""
    middle: NDArray[np.float64] = np.argwhere(spots[k] == spot).mean(axis=0)
    return middle


def _walk(spots: Labels, seed: tuple[int, int], step: int, cell_mm: CellSize) -> tuple[list[tuple[int, int]], _End]:
    """Follow the airway from slice to slice, up (1) or down (-1), until it forks, opens or ends.

    Returns
    -------
    list
        Slice and number of every spot on the path.
    _End
        End of the path.
    """
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
        if step < 0 and (fork := _find_fork(spots, path, k, cell_mm)):
            return path[:fork], _End.FORKS
        if not len(numbers):
            continue
        if step < 0 and np.count_nonzero(counts * plane_mm2 >= BRANCH_MM2) > 1:
            return path, _End.FORKS
        spot = int(numbers[counts.argmax()])
        area = np.count_nonzero(spots[k] == spot)
        if area > WIDENING * np.median(areas):
            return path, _End.WIDENS
        areas.append(area)
        path.append((k, spot))
    return path, _End.STOPS


def _find_fork(spots: Labels, path: list[tuple[int, int]], k: int, cell_mm: CellSize) -> int:
    """Return the length of a path's undivided part if slice `k` has a main bronchus on each side of it; else 0.

    On thick slices the path may have continued into one of them, so it ends where it left its axis.
    """
    middles = np.array([_middle_of(spots, *one) for one in path[-_slices(FORK_LOOK_MM, cell_mm) :]])
    axis = middles[: max(1, len(middles) // 2)].mean(axis=0)
    numbers, cells = np.unique(spots[k][spots[k] > 0], return_counts=True)
    mm2 = cells * cell_mm[1] * cell_mm[2]
    lumen_mm2 = np.median([np.count_nonzero(spots[j] == spot) for j, spot in path]) * cell_mm[1] * cell_mm[2]
    back, left = np.rint(axis).astype(int)
    if spots[k, back - 1 : back + 2, left - 1 : left + 2].any():
        return 0  # it continues
    sides = {-1: False, 1: False}
    for number in numbers[(mm2 >= BRANCH_MM2) & (mm2 <= WIDEST_BRANCH * lumen_mm2)]:
        back_mm, left_mm = (_middle_of(spots, k, int(number)) - axis) * cell_mm[1:]
        if BRANCH_ASIDE_MM[0] <= abs(left_mm) <= BRANCH_ASIDE_MM[1] and abs(back_mm) <= BRANCH_BACK_MM:
            sides[1 if left_mm > 0 else -1] = True
    if not all(sides.values()):
        return 0
    aside_mm = np.abs((middles - axis)[:, 1]) * cell_mm[2]
    strayed = aside_mm > BRANCH_ASIDE_MM[0]
    kept = int(strayed.argmax()) if strayed.any() else len(middles)
    return len(path) - len(middles) + max(kept, 1)


def _slices(mm: float, cell_mm: CellSize) -> int:
    return max(2, round(mm / cell_mm[0]))


def _near(spot: Mask, cell_mm: CellSize) -> Mask:
    """Grow a spot in its slice."""
    grown: Mask = grow(spot[None], REACH_MM, cell_mm)[0]
    return grown


def _find_bronchi(hu: NDArray[np.int16], body: Mask, column: Mask, bottom: int, cell_mm: CellSize) -> Mask:
    """Find gas connected to the bottom of the column, at most as wide as a bronchus and within its length."""
    carina = np.zeros_like(body)
    carina[bottom] = column[bottom]
    below = grow(carina, BRONCHI_MM, cell_mm) & body
    below[bottom + 1 :] = False
    for level_hu in BRONCHUS_HU:  # darker where emphysema is connected
        gas = below & (hu < level_hu)
        labels = label(gas & ~open_by(gas, BRONCHUS_RADIUS_MM, cell_mm) | carina)
        bronchi = np.asarray(labels == labels[carina][0]) & ~carina
        if bronchi.sum() * np.prod(cell_mm) / 1000 <= BRONCHI_CC:
            return bronchi
    return np.zeros_like(body)


def _find_cricoid(
    path: list[tuple[int, int]],
    spot_cells: NDArray[np.int64],
    skull: int | None,
    cell_mm: CellSize,
    *,
    has_carina: bool,
) -> int | None:
    """Return the trachea's top slice: under the vocal cords, at most a trachea's length above the carina."""
    slices = np.array([k for k, _ in path])
    cells = np.array([spot_cells[spot] for _, spot in path])
    above_mm = (slices - slices[0]) * cell_mm[0]
    narrow = (cells < NARROW * np.median(cells)) & (above_mm > (CORDS_MM if has_carina else LEAST_HEIGHT_MM))
    tops = [slices[narrow][0] - CORDS_TO_CRICOID_MM / cell_mm[0]] if narrow.any() else []
    if has_carina and above_mm[-1] > LENGTH_MM:
        tops.append(slices[0] + LENGTH_MM / cell_mm[0])
    if skull is not None and skull - slices[-1] < SKULL_TO_CRICOID_MM / cell_mm[0]:
        tops.append(skull - SKULL_TO_CRICOID_MM / cell_mm[0])
    return int(min(tops)) if tops else None


def find_airway(anatomy: Anatomy) -> Airway | None:
    """Return trachea and main bronchi; None if no column of gas is proven to be the airway."""
    return anatomy.find(_look_for_airway)[0]


def _look_for_airway(anatomy: Anatomy) -> tuple[Airway | None, bool]:
    places = _Places(anatomy.find(find_midline), anatomy.find(find_apex), anatomy.find(find_foramen_magnum))
    return _find_airway(anatomy.grid.hu, anatomy.find(find_body), places, anatomy.grid.cell_mm)


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
        return np.minimum(field, grid.spread(around, slab), out=field)

    return trace_cells(grid, around, paint, job, name, sure=lumen, fill_mm2=np.inf)


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    airway, is_gas = anatomy.find(_look_for_airway)
    if airway is None or not contours:
        has_lungs = anatomy.find(find_apex) is not None
        return [Finding.of("AC-RU-010", name)] if is_gas else explain_missing(anatomy, name) if has_lungs else []
    found = [
        *find_cut_ends(anatomy, name, contours),
        *find_cut_sides(anatomy, name, airway.trachea),
        *doubt_scale(anatomy, name),
        *doubt_sharpness(anatomy, name),
    ]
    to_head = anatomy.ct.geometry.direction[2, 2] > 0
    bottom, top = (min(contours), max(contours)) if to_head else (max(contours), min(contours))
    if airway.has_cricoid:
        found.append(Finding.of("AC-RU-005", name, [top]))
    if not airway.has_carina and not airway.trachea[0].any():
        found.append(Finding.of("AC-RU-006", name, [bottom]))
    return found


RULE = Rule(("Trachea",), _draw, _doubts)
