"""External: the patient's outline, without couch, boards and mask, with arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.geometry import Box
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.grid import Field
from autocontour.rules.holes import fill_holes
from autocontour.rules.rule import Rule
from autocontour.rules.shapes import (
    CellSize,
    Labels,
    Mask,
    close_by,
    fill_slices,
    grow,
    label_pieces,
    open_by,
    pick_pieces,
    reach_sides,
    shrink,
)
from autocontour.rules.strips import shave, shave_side
from autocontour.rules.trace import AROUND_CELLS, WITHIN_MM, confine, ramp, trace_cells

WITH_MASK = "with_mask"  # the option: a thermoplastic mask and the air under it belong to External
SKIN_HU, SKIN_WIDTH_HU = -500, 1000  # half way between air and tissue
COUCH_BAND_MM = 25.0
COUCH_STRIP_MM = 3.0  # half of the thickest strip that is removed at the couch's side
MASK_STRIP_MM = 1.8  # elsewhere; an ear is thicker than twice this
EDGE_CELLS = 20
OPEN_LUNG_HU, OPEN_LUNG_CC = (-915, -500), 50.0  # median deep inside lung; foam has -954 to -935
OPEN_LUNG_BORDER = 0.6  # of its border is tissue; 0.75 and more in lungs
OPEN_LUNG_MM = 12.0  # air between clothes and skin is thinner than twice this
ROOM_AIR_HU = -990  # emphysema lies above
LARGEST_LITRES = 250.0
BOARD_CC = 10.0
SUPINE = (1, 1)  # position of the couch, if none is detected
LEAST_AIR = 0.005  # of the field of view around a patient
SOLID_HU = -350  # cells above it hold tissue or couch; between lung, foam or mattress and fat (-100)
BONE_HU = 200
LUNG_HU, LUNG_MM = -955, 6.0  # gas under a mask is darker and thinner
SHELL_MM = 5.0  # couch tops, boards and masks are thinner than twice this
BOARD_MM = 8.0  # parts attached to the body and thinner than twice this are boards
OPEN_AIR_MM = 12.0  # a ball of this radius does not fit into nose, mouth or trachea
NOSTRIL_MM = 8.0
SINUS_CC = 30.0  # a narrow cavity behind an opening; the gap between arm and trunk is larger
PROTRUSION_MM = 60.0  # ears, nose and fingers are shorter; boards and masks are longer
SHELL_HU = -700  # cells above it hold some plastic
SKIN_MM = 4.5
MASK_REACH_MM = 25.0
MASK_CC = 2.0
MASK_GAP_MM = 6.0  # holes of the mesh
COUCH_MM = 200.0  # couches and boards are longer
LIMB_CC = 100.0
LIMB_BONE_FRACTION = 0.01

Couch = tuple[int, int] | None


def find_body(anatomy: Anatomy) -> Mask:
    """Return the cells of the patient with cavities, without couch; none if they are too many for a patient."""
    body = anatomy.find(_find_any_body)
    return body if _is_possible(anatomy) else np.zeros_like(body)


def _is_possible(anatomy: Anatomy) -> bool:
    litres = np.count_nonzero(anatomy.find(_find_any_body)) * anatomy.grid.cell_cc / 1000
    return bool(litres <= LARGEST_LITRES)


def _find_any_body(anatomy: Anatomy) -> Mask:
    """Return the cells of a possible patient.

    Opening drops shells; the largest remaining piece is the trunk or the head, and other large pieces with bone are
    limbs. Thin parts are restored if they are short (ears, fingers), but not boards. Outside the field of view the
    adjacent cells are assumed to continue.
    """
    hu, cell_mm, outside = anatomy.grid.hu, anatomy.grid.cell_mm, anatomy.grid.outside
    solid = (hu > SOLID_HU) & ~outside
    core = anatomy.find(_find_core)
    couch = anatomy.find(_find_couch)
    air = ~solid & ~_on_couch_side(core, couch)
    solid |= _find_lung(solid, air, hu, cell_mm) | _find_open_lung(solid, air, core, anatomy)
    core = _trunk_and_limbs(open_by(solid | outside, SHELL_MM, cell_mm) & solid, hu, cell_mm)
    side = couch or SUPINE
    core &= ~_find_boards(core, hu, side, cell_mm)
    filled = fill_slices(core) & (core | ~_open_air(core, cell_mm))
    opened = _trunk_and_limbs(open_by(filled | outside, BOARD_MM, cell_mm) & filled, hu, cell_mm)
    body = opened | _find_attached(filled & ~_on_half(opened, side), opened, cell_mm)
    body |= _find_protrusions(hu, body, couch, cell_mm)
    return (body | _find_cavities(body, cell_mm)) & ~outside


def _find_boards(core: Mask, hu: NDArray[np.int16], couch: tuple[int, int], cell_mm: CellSize) -> Mask:
    """Find boards, head rests and cushions at the couch's side: large pieces without bone and with weak connection."""
    parts = open_by(core, BOARD_MM, cell_mm)
    patient = _trunk_and_limbs(parts, hu, cell_mm)
    labels, sizes = label_pieces(parts & ~patient)
    if len(sizes) == 1:
        return np.zeros_like(core)
    beyond = np.bincount(labels[_on_half(patient, couch)], minlength=len(sizes))
    is_board = (sizes * np.prod(cell_mm) / 1000 >= BOARD_CC) & (beyond > sizes / 2)
    is_board[0] = False
    boards = pick_pieces(labels, is_board)
    return grow(boards, BOARD_MM, cell_mm) & core & ~grow(patient, 1.1 * max(cell_mm), cell_mm) | boards


def _on_half(body: Mask, couch: tuple[int, int]) -> Mask:
    """Return the cells nearer the couch than the middle of the body, slice by slice."""
    axis, sign = couch
    counts = np.count_nonzero(body, axis=3 - axis, keepdims=True)
    at = np.arange(body.shape[axis]).reshape((-1, 1) if axis == 1 else (1, -1))
    middle = (counts * at).sum(axis=axis, keepdims=True) / np.maximum(counts.sum(axis=axis, keepdims=True), 1)
    return np.broadcast_to(sign * (at - middle) > 0, body.shape)


def _find_attached(parts: Mask, body: Mask, cell_mm: CellSize) -> Mask:
    """Find narrow parts attached to the body, such as a nose, where there can be no board."""
    labels, sizes = label_pieces(parts & ~body)
    touching = np.zeros(len(sizes), np.bool_)
    touching[np.unique(labels[grow(body, 1.1 * max(cell_mm), cell_mm)])] = True
    touching[0] = False
    return pick_pieces(labels, touching)


def _find_open_lung(solid: Mask, air: Mask, core: Mask, anatomy: Anatomy) -> Mask:
    """Find lung that reaches the edge of the field of view, where no chest wall encloses it; none next to room air."""
    hu, cell_mm, edge = anatomy.grid.hu, anatomy.grid.cell_mm, anatomy.grid.edge
    if np.count_nonzero(core & edge) < EDGE_CELLS:
        return np.zeros_like(solid)
    aerated = (hu > ROOM_AIR_HU) & air & ~anatomy.grid.outside
    deep = open_by(aerated, OPEN_LUNG_MM, cell_mm)
    labels, sizes = label_pieces(grow(deep, OPEN_LUNG_MM, cell_mm) & aerated)
    is_lung = sizes * anatomy.grid.cell_cc >= OPEN_LUNG_CC
    at_edge = np.zeros(len(sizes), np.bool_)
    at_edge[labels[edge]] = True
    for piece in np.flatnonzero(is_lung & at_edge):
        is_lung[piece] = _looks_like_lung(labels == piece, solid, anatomy)
    is_lung &= at_edge
    is_lung[0] = False
    return grow(pick_pieces(labels, is_lung), 2 * OPEN_LUNG_MM, cell_mm) & aerated


def _looks_like_lung(piece: Mask, solid: Mask, anatomy: Anatomy) -> bool:
    """Return whether air at the edge is lung: as dense deep inside, and bordered by tissue; unlike foam."""
    hu, cell_mm = anatomy.grid.hu, anatomy.grid.cell_mm
    inside = hu[shrink(piece, OPEN_LUNG_MM, cell_mm)]
    border = grow(piece, max(cell_mm), cell_mm) & ~piece & ~anatomy.grid.outside
    if not len(inside) or not border.any():
        return False
    is_dense = OPEN_LUNG_HU[0] < np.median(inside) < OPEN_LUNG_HU[1]
    return bool(is_dense and np.mean(solid[border]) >= OPEN_LUNG_BORDER)


def _find_lung(solid: Mask, air: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find lung, which connects a thin chest wall; foam enclosed by the couch is excluded."""
    enclosed = fill_slices(solid) & air
    return open_by(enclosed & (hu > LUNG_HU), LUNG_MM, cell_mm)


def _open_air(body: Mask, cell_mm: CellSize) -> Mask:
    """Find the air that a large ball reaches from the sides of the image, also between arms and trunk."""
    room = shrink(~body, OPEN_AIR_MM, cell_mm)
    room[~body.any(axis=(1, 2))] = False  # beyond the patient, where lungs may be open
    return grow(reach_sides(room), OPEN_AIR_MM, cell_mm)


def _find_cavities(body: Mask, cell_mm: CellSize) -> Mask:
    """Find cavities enclosed by the body in a slice, or open to the outside by at most a nostril."""
    closed = close_by(body, NOSTRIL_MM, cell_mm)
    whole = fill_slices(closed)
    deep = whole & ~body & ~grow(~whole, NOSTRIL_MM, cell_mm)
    labels, sizes = label_pieces(deep & closed)
    is_sinus = sizes * np.prod(cell_mm) / 1000 <= SINUS_CC
    is_sinus[labels[[0, -1]]] = False  # its size is not known
    small = pick_pieces(labels, is_sinus) & deep
    holes = (whole & ~closed) | (small & closed)
    behind_openings = grow(holes, NOSTRIL_MM, cell_mm) & closed
    return (fill_slices(body) | holes | behind_openings) & ~_open_air(body, cell_mm)


def _trunk_and_limbs(core: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Keep the largest piece and the other large pieces with bone."""
    labels, sizes = label_pieces(core)
    if len(sizes) <= 2:
        return core
    bone = np.bincount(labels[hu > BONE_HU], minlength=len(sizes))
    limbs = (sizes * np.prod(cell_mm) / 1000 >= LIMB_CC) & (bone >= LIMB_BONE_FRACTION * sizes)
    limbs[sizes.argmax()] = True
    limbs[0] = False
    return pick_pieces(labels, limbs)


def _find_protrusions(hu: NDArray[np.int16], body: Mask, couch: Couch, cell_mm: CellSize) -> Mask:
    """Find thin, short pieces of tissue attached to the body that protrude from it by more than a cell."""
    solid = hu > SOLID_HU
    rim_mm = 1.1 * max(cell_mm)
    rim = grow(body, rim_mm, cell_mm)
    labels, sizes = label_pieces(solid & ~rim & ~_on_couch_side(body, couch))
    kept = np.zeros(len(sizes), np.bool_)
    kept[np.unique(labels[grow(rim & solid & ~body, rim_mm, cell_mm)])] = True
    kept &= _longest_mm(labels, cell_mm) <= PROTRUSION_MM
    kept[0] = False
    return grow(pick_pieces(labels, kept), 2 * rim_mm, cell_mm) & solid


def _longest_mm(labels: Labels, cell_mm: CellSize) -> NDArray[np.float64]:
    """Return the longest side of every piece's box; 0 for number 0."""
    boxes = [[s.stop - s.start for s in box] for box in ndimage.find_objects(labels)]
    sides_mm = np.array([[0, 0, 0], *boxes]) * cell_mm
    longest: NDArray[np.float64] = sides_mm.max(axis=1)
    return longest


def _find_core(anatomy: Anatomy) -> Mask:
    """Return the cells of trunk and limbs without thin parts and lungs."""
    hu, cell_mm, outside = anatomy.grid.hu, anatomy.grid.cell_mm, anatomy.grid.outside
    solid = (hu > SOLID_HU) & ~outside
    return _trunk_and_limbs(open_by(solid | outside, SHELL_MM, cell_mm) & solid, hu, cell_mm)


def _find_couch(anatomy: Anatomy) -> Couch:
    """Return the side of the couch: the axis (1 back, 2 left) and its sign; None if there is no couch."""
    body, cell_mm = anatomy.find(_find_core), anatomy.grid.cell_mm
    labels, _ = label_pieces((anatomy.grid.hu > SHELL_HU) & ~grow(body, max(cell_mm), cell_mm))
    long = np.flatnonzero(_longest_mm(labels, cell_mm) >= COUCH_MM)
    if not len(long) or not body.any():
        return None
    couch = np.isin(labels, long)
    offsets_mm = [(_middle(couch, axis) - _middle(body, axis)) * cell_mm[axis] for axis in (1, 2)]
    axis = 1 + int(np.abs(offsets_mm).argmax())
    return axis, int(np.sign(offsets_mm[axis - 1]))


def _middle(mask: Mask, axis: int) -> float:
    """Return the mean position of a mask's cells along an axis."""
    counts = np.count_nonzero(mask, axis=tuple({0, 1, 2} - {axis}))
    return float(np.average(np.arange(len(counts)), weights=counts))


def _on_couch_side(body: Mask, couch: Couch) -> Mask:
    """Return the cells that lie between body and couch, or as far to the couch's side as the body in their slice."""
    if couch is None:
        return np.zeros_like(body)
    axis, sign = couch
    towards_couch = np.flip(body, axis) if sign < 0 else body
    length = body.shape[axis]
    at = np.arange(length, dtype=np.int16).reshape((-1, 1) if axis == 1 else (1, -1))
    last = length - 1 - np.flip(towards_couch, axis).argmax(axis).astype(np.int16)
    last[~body.any(axis)] = -1
    beneath = at > np.expand_dims(np.where(last < 0, length, last), axis).astype(np.int16)
    beyond = at > last.max(axis=1)[:, None, None]
    side = beneath | beyond
    return np.flip(side, axis) if sign < 0 else side


def _find_sure(body: Mask, cell_mm: CellSize) -> Mask:
    """Return cells of the body that cannot be a mask close to the skin: deep ones and protrusions."""
    return shrink(body, SKIN_MM, cell_mm) | (body & ~open_by(body, BOARD_MM, cell_mm))


def _find_mask(hu: NDArray[np.int16], body: Mask, couch: Couch, cell_mm: CellSize) -> Mask:
    """Return the body with a thermoplastic mask around it and the air under the mask.

    A mask is thin, close to the body, and not on the side of the couch.
    """
    thin = (hu > SHELL_HU) & ~body
    near = thin & grow(body, MASK_REACH_MM, cell_mm) & ~_on_couch_side(body, couch)
    labels, sizes = label_pieces(near)
    mask = pick_pieces(labels, sizes * np.prod(cell_mm) / 1000 >= MASK_CC)
    return fill_slices(close_by(body | mask, MASK_GAP_MM, cell_mm))


def _draw(anatomy: Anatomy, name: str, job: Job) -> Contours:
    grid, ct = anatomy.grid, anatomy.ct
    body, couch, with_mask = anatomy.find(find_body), anatomy.find(_find_couch), WITH_MASK in anatomy.options
    outside = _find_mask(grid.hu, body, couch, grid.cell_mm) if with_mask else body
    around = grow(outside, AROUND_CELLS * max(grid.cell_mm), grid.cell_mm)
    within = shrink(outside | grid.outside, WITHIN_MM, grid.cell_mm)
    limits = np.add(around, within, dtype=np.uint8)
    sure = outside if with_mask else _find_sure(outside, grid.cell_mm)

    def paint(slab: Box) -> Field:
        field = confine(ramp(ct.hu[slab.slices], SKIN_HU, SKIN_WIDTH_HU), grid.spread(limits, slab))
        return grid.erase_outside(field, slab)

    towards = grid.direction_in_slice(*couch) if couch else None
    contours = trace_cells(grid, around, paint, job, name, sure=sure)
    if not with_mask:
        contours = shave(contours, MASK_STRIP_MM)
    if towards:  # strips of couch attached to the skin
        contours = shave_side(contours, COUCH_STRIP_MM, towards, COUCH_BAND_MM)
    return fill_holes(contours)


def _doubts(anatomy: Anatomy, name: str, contours: Contours) -> list[Finding]:
    body, grid = anatomy.find(find_body), anatomy.grid
    if not contours:
        litres = np.count_nonzero(anatomy.find(_find_any_body)) * grid.cell_cc / 1000
        return [] if _is_possible(anatomy) else [Finding.of("AC-RU-012", name, litres=round(litres))]
    found = []
    at_edge = body & grid.edge
    if np.count_nonzero(at_edge) >= EDGE_CELLS:
        found.append(Finding.of("AC-RU-002", name, grid.slices_of(at_edge)))
    measured = body.any(axis=(1, 2), keepdims=True) & ~grid.outside
    if np.count_nonzero(measured & ~body) < LEAST_AIR * np.count_nonzero(measured):
        found.append(Finding.of("AC-RU-013", name))
    return found


RULE = Rule(("External",), _draw, _doubts, options=(WITH_MASK,))
