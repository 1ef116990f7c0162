"""SpinalCanal: the tube of soft tissue that the vertebrae enclose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from shapely import MultiPolygon

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.ends import find_cut_sides
from autocontour.rules.external import find_body
from autocontour.rules.grid import Field, Grid
from autocontour.rules.marrow import find_marrow, find_skull, has_brain
from autocontour.rules.noise import doubt_noise
from autocontour.rules.rule import Rule
from autocontour.rules.scale import doubt_scale
from autocontour.rules.shapes import CellSize, Mask, grow, largest_piece, overlap
from autocontour.rules.sharpness import doubt_sharpness
from autocontour.rules.thickness import VERY_THICK_MM, doubt_thickness
from autocontour.rules.trace import LEVEL, trace_cells

Floats = NDArray[np.float64]
Path = NDArray[np.intp]

BONE_HU = 120  # mean of a cell; the shell of an osteoporotic vertebra has little more
SOFT_HU = (-150, BONE_HU)
RADIUS_MM = 8.0
DIRECTIONS = 16
WALL_MM = (4.0, 22.0)  # from the middle of the canal to bone
VERTEBRA_MM = (9.0, 34.0)  # in front of the middle of the canal
VERTEBRA_HALF_WIDTH_MM = 12.0
OFF_MIDLINE_MM = 60.0
TILT = 1.0  # largest sideways displacement of the canal per mm upwards
DETOUR = 0.1  # score lost per cell moved sideways
WINDOW_MM = 25.0  # about a vertebra
LEAST_SCORE = 0.5  # mean over a window
LEAST_WALL = 0.5  # of the directions in which bone is found, mean over a window
NARROWEST_MM, WIDEST_MM = 4.0, 12.0  # mean radius; wider above the foramen magnum
LEAST_HEIGHT_MM = 40.0
BRIDGE_MM = 25.0  # gaps up to this between certain parts are bridged

CANAL_CONTENT_HU = (-25, 90)  # median over the canal; measured -10 to 42 in spines, -39 to -70 in long bones
CONTENT_RANGE_HU = (-50, 120)  # its 10th and 90th percentile
LARGEST_SPREAD_MM = 2.0  # standard deviation of the mean radius along the canal; 1.3 in spines, 3 in joints
LEAST_AHEAD = 0.5  # of vertebra in front, mean over the canal; 0.55 to 0.93 in spines, 0.30 to 0.51 in limbs
LEAST_MEAN_WALL = 0.56  # of bone around it; 0.60 and more in spines, 0.52 in an ilium
DENSE_HU = 400
TREND_MM = 15.0  # slower changes of density along the canal are ignored: vertebrae and discs alternate faster
LEAST_OPENING = 0.05  # standard deviation of the density; 0.063 and more in spines, 0.000 to 0.043 in limbs
TRIM_MM = 10.0  # at each end, where any bone opens
END_MM = 8.0  # within this of the scan's end counts as reaching it
FORAMEN_MM2 = 1800.0  # enclosed area; a foramen magnum has 800, the skull above it more
SKULL_GAP_MM = 15.0  # openings of the skull between slices that close
SKULL_MM = 60.0  # the skull encloses the brain within this above the foramen magnum

WALL_HU = (140, 350)  # half way between the canal and cortical bone, which is thin in old vertebrae
CANAL_HU = 30
CORTEX_MM = 3.0
ANGLES = 48
FARTHEST_MM = 15.0
STEP_MM = 0.5
LIGAMENT_MM = 10.0  # where a ray passes a disc or a gap between laminae, bone within this above or below is used
SHARE = 0.3
FRONT_DEG = 50.0  # to both sides of the anterior direction, where the back of a vertebra is flat
FLAT = 1.15  # tolerance of a ray beyond the flat back of the vertebra
LOBE = 1.35  # farthest wall over the median one; more is a leak through thin bone
SMOOTH_MM = 4.0
BEND_MM = 6.0
EDGE_MM = 2.0  # width of the transition of the painted field


def _score_enclosure(hu: NDArray[np.int16], cell_mm: CellSize) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score soft cells: up to 1 for the middle between bone on opposite sides, up to 1 for a vertebra in front.

    Returns
    -------
    scores
        Both together, 0 to 2.
    ahead
        Only the fraction of vertebra in front, for soft and other cells.
    """
    bone = hu > BONE_HU
    angles = np.arange(DIRECTIONS // 2) * 2 * np.pi / DIRECTIONS
    score = np.zeros(hu.shape, np.float32)
    for angle in angles:
        toward = np.array((np.sin(angle), np.cos(angle)))
        score += _is_bone_toward(bone, toward, cell_mm) & _is_bone_toward(bone, -toward, cell_mm)
    score *= _measure_room(bone, cell_mm) / np.float32(len(angles))
    ahead = _bone_in_front(bone, hu, cell_mm)
    score += ahead
    score[(hu < SOFT_HU[0]) | (hu > SOFT_HU[1])] = 0
    return score, ahead


def _is_bone_toward(bone: Mask, toward: NDArray[np.float64], cell_mm: CellSize) -> Mask:
    """Return for every cell whether there is bone in this direction, at the distance of the canal's wall."""
    found = np.zeros_like(bone)
    step = min(cell_mm[1:])
    for distance_mm in np.arange(WALL_MM[0], WALL_MM[1], step):
        y, x = np.rint(distance_mm * toward / cell_mm[1:]).astype(int)
        (to_y, from_y), (to_x, from_x) = overlap(-y, bone.shape[1]), overlap(-x, bone.shape[2])
        found[:, to_y, to_x] |= bone[:, from_y, from_x]
    return found


def _measure_room(bone: Mask, cell_mm: CellSize) -> NDArray[np.float32]:
    """Return for every cell the distance to bone in its slice, as a fraction of `RADIUS_MM` and at most 1."""
    reach = [int(RADIUS_MM / size) for size in cell_mm[1:]]
    away_mm = {(y, x): np.hypot(y * cell_mm[1], x * cell_mm[2]) for y, x in np.ndindex(reach[0] + 1, reach[1] + 1)}
    rows, columns = bone.shape[1:]
    padded = np.pad(bone, ((0, 0), (reach[0],) * 2, (reach[1],) * 2))
    near, room = np.zeros_like(bone), np.ones(bone.shape, np.float32)
    for (y, x), mm in sorted(away_mm.items(), key=lambda one: one[1]):
        if mm >= RADIUS_MM:
            break
        before = near.copy()
        for down, left in {(y, x), (y, -x), (-y, x), (-y, -x)}:
            start = reach[0] + down, reach[1] + left
            near |= padded[:, start[0] : start[0] + rows, start[1] : start[1] + columns]
        room[near & ~before] = mm / RADIUS_MM
    return room


def _bone_in_front(bone: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> NDArray[np.float32]:
    """Return the fraction of vertebra, marrow included, in front of every cell, over about a vertebra's height."""
    solid = bone | find_marrow(bone, hu, cell_mm)
    depth = max(1, round((VERTEBRA_MM[1] - VERTEBRA_MM[0]) / cell_mm[1]))
    width = 2 * round(VERTEBRA_HALF_WIDTH_MM / cell_mm[2]) + 1
    height = 2 * round(WINDOW_MM / 2 / cell_mm[0]) + 1
    mean = ndimage.uniform_filter(solid.astype(np.float32), (height, depth, width), mode="nearest")
    ahead = round((VERTEBRA_MM[0] + VERTEBRA_MM[1]) / 2 / cell_mm[1])
    front = np.zeros_like(mean)
    to, start = overlap(ahead, mean.shape[1])
    front[:, to] = mean[:, start]
    return front


def _find_path(hu: NDArray[np.int16], body: Mask, cell_mm: CellSize) -> tuple[Path, Floats, Floats]:
    """Find the most likely middle of the canal on every slice.

    Returns
    -------
    path
        (slices, 2) y, x in cells.
    scores
        (slices,) similarity to a canal, 0 to 2.
    ahead
        (slices,) the fraction of vertebra in front.
    """
    across = np.nonzero(body.any(axis=1))[1]
    middle = across.mean() if len(across) else hu.shape[2] / 2
    aside = OFF_MIDLINE_MM / cell_mm[2]
    start, stop = max(0, int(middle - aside)), min(hu.shape[2], int(middle + aside) + 2)
    score, in_front = _score_enclosure(hu[:, :, start:stop], cell_mm)
    path = _best_path(score, max(1, round(TILT * cell_mm[0] / cell_mm[1])))
    scores, ahead = (of[np.arange(len(score)), path[:, 0], path[:, 1]].astype(np.float64) for of in (score, in_front))
    return np.add(path, (0, start)), scores, ahead


def _best_path(score: NDArray[np.float32], reach: int) -> Path:
    """Return the (slices, 2) path with the highest sum of scores that moves at most `reach` cells a slice."""
    shifts = [(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
    shifts.sort(key=lambda s: abs(s[0]) + abs(s[1]))
    total = score[0].copy()
    moves = np.zeros(score.shape, np.int8)
    rows, columns = total.shape
    for k in range(1, len(score)):
        padded = np.pad(total, reach, constant_values=-np.inf)
        options = [
            padded[reach + y : reach + y + rows, reach + x : reach + x + columns] - DETOUR * np.hypot(y, x)
            for y, x in shifts
        ]
        moves[k] = np.argmax(options, axis=0)
        total = np.max(options, axis=0) + score[k]
    path = [np.unravel_index(total.argmax(), total.shape)]
    for k in range(len(score) - 1, 0, -1):
        y, x = path[-1]
        move = shifts[moves[k, y, x]]
        path.append((y + move[0], x + move[1]))
    return np.array(path[::-1])


@dataclass(frozen=True, eq=False)
class Tube:
    """The canal as radii around its middle, on slices of cells.

    Attributes
    ----------
    middle_yx
        (slices, 2) in cells.
    radius_mm
        (slices, ANGLES), the first towards the left, turning to the back.
    slices
        First and last slice (in cells) of the canal.
    wall
        (slices,) the fraction of directions in which bone was found.
    density
        (slices,) density of the bone around it, 0 to 1.
    ahead
        (slices,) the fraction of vertebra in front.
    content
        (slices,) median HU inside.
    is_sure
        (slices,) True where the wall was found; other slices of the canal bridge a gap.
    """

    middle_yx: Floats
    radius_mm: Floats
    slices: tuple[int, int]
    wall: Floats
    density: Floats
    ahead: Floats
    content: Floats
    is_sure: Mask


def _measure_tube(grid: Grid, path: Path, scores: Floats, ahead: Floats, skull: int | None) -> Tube | None:
    """Measure the canal's wall on the CT's own voxels around the path; None if no canal is long enough."""
    middle = _smooth(path.astype(np.float64), grid.cell_mm[0])
    for _ in range(2):
        radius_mm, _, _ = _measure_wall(grid, middle)
        middle = _smooth(middle + _centroid_mm(radius_mm) / grid.cell_mm[1:], grid.cell_mm[0])
    radius_mm, is_wall, density = _measure_wall(grid, middle)
    wall, content = is_wall.mean(axis=1), _measure_content(grid, middle, radius_mm)
    window = max(1, round(WINDOW_MM / grid.cell_mm[0]))

    def within(values: Floats, low: float, high: float) -> Mask:
        mean = ndimage.uniform_filter1d(values, window, mode="nearest")
        return np.asarray((low <= mean) & (mean <= high))

    fits = within(radius_mm.mean(axis=1), NARROWEST_MM, WIDEST_MM)
    good = fits & within(scores, LEAST_SCORE, np.inf) & within(wall, LEAST_WALL, np.inf)
    bridge = np.ones(2 * round(BRIDGE_MM / 2 / grid.cell_mm[0]) + 1, np.bool_)
    run = largest_piece(good | (ndimage.binary_closing(good, bridge) & fits))
    run |= _near_ends(run, round(BRIDGE_MM / 2 / grid.cell_mm[0]))
    if skull is not None:
        run[skull:] = False
    slices = np.flatnonzero(run)
    if len(slices) * grid.cell_mm[0] < LEAST_HEIGHT_MM:
        return None
    return Tube(middle, radius_mm, (int(slices[0]), int(slices[-1])), wall, density, ahead, content, run & good)


def _near_ends(run: Mask, far: int) -> Mask:
    """Return the few slices between the run and an end of the scan, where the wall may be missing at a disc."""
    slices = np.flatnonzero(run)
    near = np.zeros_like(run)
    if len(slices):
        near[: slices[0]] = slices[0] <= far
        near[slices[-1] :] = len(run) - 1 - slices[-1] <= far
    return near


def _measure_content(grid: Grid, middle: Floats, radius_mm: Floats) -> Floats:
    """Return (slices,) the median HU inside the tube."""
    parts = np.array([0.0, 0.3, 0.55])[:, None]
    turns = slice(None, None, 4)
    angle = (np.arange(ANGLES) * 2 * np.pi / ANGLES)[turns]
    away_mm = parts * radius_mm[:, None, turns]
    back = middle[:, 0, None, None] + np.sin(angle) * away_mm / grid.cell_mm[1]
    left = middle[:, 1, None, None] + np.cos(angle) * away_mm / grid.cell_mm[2]
    head = np.broadcast_to(np.arange(len(middle))[:, None, None], back.shape)
    hu = ndimage.map_coordinates(grid.hu, (head, back, left), np.float32, order=1, mode="nearest")
    content: Floats = np.median(hu.reshape(len(middle), -1), axis=1).astype(np.float64)
    return content


def _is_canal(tube: Tube, cell_head_mm: float) -> bool:
    """Return whether a tube has the properties of a spinal canal: soft tissue, vertebrae, discs and foramina.

    The marrow of a long bone is fat, in a ring that never opens, without a vertebra in front.
    """
    first, last = tube.slices
    run, trim = slice(first, last + 1), round(TRIM_MM / cell_head_mm)
    inner = slice(first + trim, last + 1 - trim)
    changes = tube.density - ndimage.gaussian_filter1d(tube.density, TREND_MM / cell_head_mm, mode="nearest")
    low, high = np.percentile(tube.content[run], (10, 90))
    return bool(
        CONTENT_RANGE_HU[0] <= low
        and high <= CONTENT_RANGE_HU[1]
        and tube.radius_mm[inner].mean(axis=1).std() <= LARGEST_SPREAD_MM
        and CANAL_CONTENT_HU[0] <= np.median(tube.content[run]) <= CANAL_CONTENT_HU[1]
        and tube.ahead[run].mean() >= LEAST_AHEAD
        and tube.wall[run].mean() >= LEAST_MEAN_WALL
        and changes[inner].std() >= LEAST_OPENING
    )


def _smooth(middle: Floats, cell_head_mm: float) -> Floats:
    smooth: Floats = ndimage.gaussian_filter1d(middle, BEND_MM / cell_head_mm, axis=0, mode="nearest")
    return smooth


def _measure_wall(grid: Grid, middle: Floats) -> tuple[Floats, Mask, Floats]:
    """Return (slices, ANGLES) radii, gaps bridged, the directions in which bone was found, and (slices,) its density.

    Density is the mean over the directions of the largest HU, as a fraction of `DENSE_HU` and at most 1.
    """
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    reach = np.arange(2.0, FARTHEST_MM + STEP_MM, STEP_MM)
    away = np.stack((np.sin(angle), np.cos(angle)))[:, :, None] * reach
    cells = np.empty((3, len(middle), ANGLES, len(reach)))
    cells[0] = np.arange(len(middle))[:, None, None]
    for axis in (0, 1):
        cells[1 + axis] = middle[:, axis, None, None] + away[axis] / grid.cell_mm[1 + axis]
    hu = ndimage.map_coordinates(grid.ct.hu, grid.voxels_at(cells), np.float32, order=1, mode="nearest")
    largest = ndimage.uniform_filter1d(hu, 2 * round(CORTEX_MM / 2 / STEP_MM) - 1, axis=2).max(axis=2)
    density = np.clip(largest / DENSE_HU, 0, 1).mean(axis=1).astype(np.float64)
    hu = ndimage.gaussian_filter(hu, (0.7, 0.7, 0.7), mode=("nearest", "wrap", "nearest"))
    peak = ndimage.maximum_filter1d(hu, 2 * round(CORTEX_MM / STEP_MM) + 1, axis=2, mode="nearest")
    bone = hu > np.clip((peak + CANAL_HU) / 2, *WALL_HU)
    is_wall: Mask = np.asarray(bone.any(axis=2))
    first = bone.argmax(axis=2)
    radius = _flatten_front(np.where(is_wall, reach[first] - STEP_MM / 2, FARTHEST_MM), angle, grid.cell_mm[0])
    size = (2 * round(LIGAMENT_MM / grid.cell_mm[0]) + 1, 3)
    round_about = np.pad(radius, ((0, 0), (1, 1)), mode="wrap")
    wall = ndimage.percentile_filter(round_about, 100 * SHARE, size=size, mode="nearest")[:, 1:-1]
    wall = np.minimum(wall, LOBE * np.median(wall, axis=1, keepdims=True))
    sigma = (SMOOTH_MM / grid.cell_mm[0], 1.0)
    return ndimage.gaussian_filter(wall, sigma, mode=("nearest", "wrap")), is_wall, density


def _flatten_front(radius_mm: Floats, angle: Floats, cell_head_mm: float) -> Floats:
    """Return radii that end at the back of the vertebra, which is flat, where rays pass thin bone into the vertebra."""
    ahead = -np.sin(angle)
    front = ahead > np.cos(np.radians(FRONT_DEG))
    depth_mm = radius_mm[:, front] * ahead[front]
    size = (2 * round(LIGAMENT_MM / cell_head_mm) + 1, 2 * depth_mm.shape[1])
    flat_mm = ndimage.percentile_filter(depth_mm, 100 * SHARE, size=size, mode="nearest")[:, :1]
    flattened = radius_mm.copy()
    flattened[:, front] = np.minimum(radius_mm[:, front], FLAT * flat_mm / ahead[front])
    return flattened


def _centroid_mm(radius_mm: Floats) -> Floats:
    """Return (slices, 2) the offset of the outline's middle from its origin, y and x."""
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    area = (radius_mm**2).sum(axis=1)
    moments = [(radius_mm**3 * toward).sum(axis=1) * 2 / 3 for toward in (np.sin(angle), np.cos(angle))]
    centroid: Floats = np.stack(moments, axis=1) / area[:, None]
    return centroid


def _paint_tube(grid: Grid, tube: Tube, box: Box) -> Field:
    """Return the field of the canal on the CT's voxels in `box`."""
    return _field_of(tube, grid.cells_of(box), grid.cell_mm)


def _fill_tube(grid: Grid, tube: Tube) -> Mask:
    """Return the cells of the canal."""
    cells = _tube_cells(grid, tube)
    box = Box.around(cells)
    if box is not None:
        head, back, left = (np.arange(a, b, dtype=np.float64) for a, b in zip(box.start_zyx, box.stop_zyx, strict=True))
        cells[box.slices] = _field_of(tube, [head[:, None, None], back[:, None], left], grid.cell_mm) > LEVEL
    return cells


def _field_of(tube: Tube, at_cells: list[Floats], cell_mm: CellSize) -> Field:
    """Return 0.5 on the tube's wall, more inside; positions to the head, back and left, to be broadcast."""
    head, back, left = at_cells
    first, last = tube.slices
    at = np.clip(head, first, last)
    numbers = np.arange(len(tube.middle_yx))
    y, x = (np.interp(at, numbers, column) for column in tube.middle_yx.T)
    away_y, away_x = (back - y) * cell_mm[1], (left - x) * cell_mm[2]
    turn = np.arctan2(away_y, away_x) % (2 * np.pi) * ANGLES / (2 * np.pi)
    wrapped = np.concatenate((tube.radius_mm, tube.radius_mm[:, :1]), axis=1)
    positions = np.broadcast_arrays(at, turn)
    radius = ndimage.map_coordinates(wrapped, positions, np.float32, order=1, mode="nearest")
    field = np.clip(LEVEL + (radius - np.hypot(away_y, away_x)) / EDGE_MM, 0, 1)
    return np.where((head > first - 0.5) & (head < last + 0.5), field, 0).astype(np.float32)


def _tube_cells(grid: Grid, tube: Tube) -> Mask:
    """Return cells that contain the canal and its surroundings."""
    first, last = tube.slices
    middle = np.rint(tube.middle_yx[first : last + 1]).astype(np.intp)
    middle = np.clip(middle, 0, np.array(grid.hu.shape[1:]) - 1)
    cells = np.zeros(grid.hu.shape, np.bool_)
    cells[np.arange(first, last + 1), middle[:, 0], middle[:, 1]] = True
    return grow(cells, FARTHEST_MM, grid.cell_mm)


def find_foramen_magnum(anatomy: Anatomy) -> int | None:
    """Return the lowest slice of cells on which bone encloses brain; None if there is none."""
    hu, cell_mm = anatomy.grid.hu, anatomy.grid.cell_mm
    lowest = find_skull(hu, cell_mm)
    if lowest is None:
        return None
    for k in range(lowest - 1, -1, -1):
        if has_brain(hu[k : k + 1], cell_mm, FORAMEN_MM2)[0]:
            lowest = k
        elif (lowest - k) * cell_mm[0] > SKULL_GAP_MM:
            break
    return lowest


def find_tube(anatomy: Anatomy) -> Tube | None:
    """Return the tube in bone most similar to a spinal canal; None if no tube is long enough."""
    grid = anatomy.grid
    path, scores, ahead = _find_path(grid.hu, anatomy.find(find_body), grid.cell_mm)
    return _measure_tube(grid, path, scores, ahead, anatomy.find(find_foramen_magnum))


def find_canal(anatomy: Anatomy) -> Tube | None:
    """Return the spinal canal; None where there is none."""
    tube = anatomy.find(find_tube)
    return tube if tube is not None and _is_canal(tube, anatomy.grid.cell_mm[0]) else None


def find_canal_cells(anatomy: Anatomy) -> Mask:
    """Return the cells of the spinal canal."""
    tube = anatomy.find(find_canal)
    return np.zeros(anatomy.grid.hu.shape, np.bool_) if tube is None else _fill_tube(anatomy.grid, tube)


def find_midline(anatomy: Anatomy) -> Floats:
    """Return (slices,) the middle of the patient, in cells to the left: the spine's, else the body's."""
    tube, body = anatomy.find(find_canal), anatomy.find(find_body)
    if tube is not None:
        return tube.middle_yx[:, 1]
    across = np.nonzero(body)[2]
    return np.full(len(body), across.mean() if len(across) else 0.0)


def draw_canal(anatomy: Anatomy, name: str, job: Job) -> dict[int, MultiPolygon]:
    """Draw the spinal canal."""
    grid, tube = anatomy.grid, anatomy.find(find_canal)
    if tube is None:
        return {}
    cells = _tube_cells(grid, tube)
    return anatomy.keep(name, lambda: trace_cells(grid, cells, lambda slab: _paint_tube(grid, tube, slab), job, name))


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    grid, tube = anatomy.grid, anatomy.find(find_tube)
    if tube is None:
        skull = anatomy.find(find_foramen_magnum)
        is_below = skull is not None and skull * grid.cell_mm[0] > END_MM
        return [Finding.of("AC-RU-023", name, least_mm=round(LEAST_HEIGHT_MM))] if is_below else []
    if not contours:
        return [Finding.of("AC-RU-007", name, grid.slices_along(*tube.slices))]
    found = [*find_cut_sides(anatomy, name, anatomy.find(find_canal_cells)), *doubt_noise(anatomy, name)]
    found += [*doubt_scale(anatomy, name), *doubt_sharpness(anatomy, name)]
    found += doubt_thickness(anatomy, name, above_mm=VERY_THICK_MM)
    if missing := _missing_ends(anatomy, tube):
        found.append(Finding.of("AC-RU-008", name, missing, count=len(missing)))
    unsure = np.flatnonzero(~tube.is_sure)
    unsure = unsure[(unsure >= tube.slices[0]) & (unsure <= tube.slices[1])]
    if len(unsure):
        slices = {k for number in unsure for k in grid.slices_along(int(number), int(number))}
        found.append(Finding.of("AC-RU-009", name, slices, count=len(slices)))
    return found


def _missing_ends(anatomy: Anatomy, tube: Tube) -> tuple[int, ...]:
    """Return the CT's slices below and above the canal that contain the patient; none above the start of the skull."""
    grid, (first, last) = anatomy.grid, tube.slices
    rows = np.flatnonzero(anatomy.find(find_body).any(axis=(1, 2)))
    far = END_MM / grid.cell_mm[0]
    missing: tuple[int, ...] = ()
    if first - rows[0] > far:
        missing += grid.slices_along(int(rows[0]), first - 1)
    if rows[-1] - last > far:
        above = grid.hu[last : last + round(SKULL_MM / grid.cell_mm[0]) + 1]
        if find_skull(above, grid.cell_mm) is None:
            missing += grid.slices_along(last + 1, int(rows[-1]))
    return missing


RULE = Rule(("SpinalCanal",), draw_canal, _doubts)
