"""Operations on masks of cells, in millimetres. Structures are assumed to continue beyond the ends of the scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.patient.geometry import Box

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
Words = NDArray[np.uint64]
WORD_BITS = 64
FROM_1, TO_LAST = slice(1, None), slice(None, -1)
FEW_PIECES = 6  # compared one by one faster than looked up
CellSize = tuple[float, float, float]
IN_PLANE = ndimage.generate_binary_structure(3, 1) & np.array([False, True, False])[:, None, None]
"""Neighbours in a transverse slice, by faces."""


def grow(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Add every cell whose centre lies within `mm` of one in the mask."""
    grown = np.zeros_like(mask)
    box = Box.around(mask)
    if box is not None:
        z, y, x = (int(mm / size) for size in cell_mm)
        near = box.padded((z, y, x), mask.shape).slices
        grown[near] = _add_ball(mask[near], mm, cell_mm)
    return grown


def _add_ball(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Grow by a ball made of rows, all rows of one length at once; 64 cells of a row are the bits of one number."""
    reach = [int(mm / size) for size in cell_mm[:2]]
    shifts = np.array(list(np.ndindex(2 * reach[0] + 1, 2 * reach[1] + 1))) - reach
    left_mm2 = mm**2 - ((shifts * cell_mm[:2]) ** 2).sum(axis=1)
    halves = np.where(left_mm2 >= 0, np.sqrt(np.maximum(left_mm2, 0)) / cell_mm[2], -1).astype(int)
    rows = np.pad(_pack(mask), ((reach[0],) * 2, (reach[1],) * 2, (0, 0)))
    slices, lines = mask.shape[:2]
    grown = np.zeros((slices, lines, rows.shape[2]), rows.dtype)
    widened = 0
    for half in np.unique(halves[left_mm2 >= 0]).tolist():
        rows, widened = _widen(rows, widened, half), half
        for z, y in (shifts + reach)[(halves == half) & (left_mm2 >= 0)].tolist():
            grown |= rows[z : z + slices, y : y + lines]
    return np.unpackbits(grown.view(np.uint8), axis=2, count=mask.shape[2], bitorder="little").view(np.bool_)


def _pack(mask: Mask) -> Words:
    """Return the rows along the last axis as bits, the first cell lowest."""
    packed = np.packbits(mask, axis=2, bitorder="little")
    words = np.zeros((*mask.shape[:2], -(-packed.shape[2] // 8)), "<u8")
    words.view(np.uint8)[:, :, : packed.shape[2]] = packed
    return words


def _widen(rows: Words, widened: int, half: int) -> Words:
    """Add to rows that were widened by `widened` cells to both sides what makes it `half` cells."""
    while widened < half:
        step = min(half - widened, 2 * widened + 1, WORD_BITS - 1)
        wider: Words = rows | (rows << np.uint64(step)) | (rows >> np.uint64(step))
        wider[:, :, 1:] |= rows[:, :, :-1] >> np.uint64(WORD_BITS - step)
        wider[:, :, :-1] |= rows[:, :, 1:] << np.uint64(WORD_BITS - step)
        rows, widened = wider, widened + step
    return rows


def overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Return the target and source slices of a shift along an axis."""
    kept = max(0, size - abs(shift))
    to, start = max(0, shift), max(0, -shift)
    return slice(to, to + kept), slice(start, start + kept)


def shrink(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Drop every cell whose centre lies within `mm` of one outside the mask."""
    shrunk = np.zeros_like(mask)
    box = Box.around(mask)
    if box is not None:
        near = box.padded((1, 1, 1), mask.shape).slices
        shrunk[near] = ~grow(~mask[near], mm, cell_mm)
    return shrunk


def open_by(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Drop parts into which a ball of radius `mm` does not fit."""
    return grow(shrink(mask, mm, cell_mm), mm, cell_mm) & mask


def close_by(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Fill gaps and notches into which a ball of radius `mm` does not fit."""
    return shrink(grow(mask, mm, cell_mm), mm, cell_mm) | mask


def close_squares(mask: Mask) -> Mask:
    """Fill in each slice the gaps into which no square of 3 × 3 cells fits; cells at its sides are dropped."""
    closed = ~_grow_squares(~_grow_squares(mask))
    closed[:, [0, -1]] = False
    closed[:, :, [0, -1]] = False
    return closed


def _grow_squares(mask: Mask) -> Mask:
    """Add to every slice the eight neighbours of its cells."""
    rows = mask.copy()
    rows[:, 1:] |= mask[:, :-1]
    rows[:, :-1] |= mask[:, 1:]
    grown = rows.copy()
    grown[:, :, 1:] |= rows[:, :, :-1]
    grown[:, :, :-1] |= rows[:, :, 1:]
    return grown


def fill_slices(mask: Mask) -> Mask:
    """Fill holes in each transverse slice."""
    filled = mask.copy()
    box = Box.around(mask)
    if box is not None:
        near = box.padded((0, 1, 1), mask.shape).slices
        filled[near] = ~reach_sides(~mask[near], IN_PLANE)
    return filled


def reach_sides(space: Mask, structure: NDArray[np.bool_] | None = None) -> Mask:
    """Return the pieces of a space, connected as by `label`, that reach the sides of slices.

    Most cells are seen from a side along their row or column; only the others are labelled.
    """
    seen = _see_from_sides(space)
    hidden = space & ~seen
    near = np.zeros_like(seen)
    for axis in (1, 2) if structure is IN_PLANE else (0, 1, 2):
        ahead, behind = (tuple(part if i == axis else slice(None) for i in range(3)) for part in (FROM_1, TO_LAST))
        near[ahead] |= seen[behind]
        near[behind] |= seen[ahead]
    labels = label(hidden, structure)
    is_open = np.zeros(labels.max() + 1, np.bool_)
    is_open[labels[hidden & near]] = True
    return seen | pick_pieces(labels, is_open)


def _see_from_sides(space: Mask) -> Mask:
    """Return the cells of a space with nothing else between them and a side of their slice, along row or column."""
    rows, columns = space.shape[1:]
    at = np.arange(columns, dtype=np.int16)
    is_free = space.all(axis=2)
    first = np.where(is_free, columns, space.argmin(axis=2)).astype(np.int16)
    last = np.where(is_free, -1, columns - 1 - space[:, :, ::-1].argmin(axis=2)).astype(np.int16)
    seen: Mask = at < first[:, :, None]
    seen |= at > last[:, :, None]
    for order in (range(rows), range(rows - 1, -1, -1)):
        line = np.ones((len(space), columns), np.bool_)
        for row in order:
            line &= space[:, row]
            seen[:, row] |= line
    return seen


def label(mask: Mask, structure: NDArray[np.bool_] | None = None) -> Labels:
    """Return a number for each piece; by default pieces are connected through faces."""
    labels: Labels = np.zeros(mask.shape, np.int32)
    box = Box.around(mask) if mask.ndim == 3 else None
    inside = (...,) if box is None else box.slices
    ndimage.label(mask[inside], structure, output=labels[inside])
    return labels


def label_pieces(mask: Mask) -> tuple[Labels, NDArray[np.intp]]:
    """Return a number for each piece connected through faces, and its cells (0 for number 0, the outside)."""
    labels = label(mask)
    return labels, np.bincount(labels[mask], minlength=1)


def pick_pieces(labels: Labels, is_picked: Mask) -> Mask:
    """Return the cells of the pieces for whose numbers `is_picked` is true."""
    numbers = np.flatnonzero(is_picked)
    if len(numbers) > FEW_PIECES:
        return np.asarray(is_picked[labels])
    picked = np.zeros(labels.shape, np.bool_)
    for number in numbers:
        picked |= labels == number
    return picked


def largest_piece(mask: Mask) -> Mask:
    """Keep the largest piece; an empty mask stays empty."""
    labels, sizes = label_pieces(mask)
    if not sizes.any():
        return mask
    return np.asarray(labels == sizes.argmax())
