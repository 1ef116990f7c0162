"""External: the patient's outline, without couch, boards and mask, with arms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.rules.shapes import CellSize, Mask, close_by, fill_slices, grow, label_pieces, open_by

SOLID_HU = -350  # cells above it hold tissue or couch; between lung, foam or mattress and fat (-100)
BONE_HU = 200
SHELL_MM = 5.0  # couch tops, boards and masks are thinner than twice this
BOARD_MM = 8.0  # what sticks to the body and is thinner than twice this is a board
PROTRUSION_MM = 60.0  # ears, nose and fingers are shorter; boards and masks are longer
MASK_HU = -700  # cells above it hold some plastic
MASK_REACH_MM = 25.0
MASK_CC = 2.0
MASK_GAP_MM = 6.0  # holes of the mesh
COUCH_MARGIN_MM = 10.0
LIMB_CC = 100.0
LIMB_BONE_FRACTION = 0.01


def find_body(hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find the cells of the patient, cavities filled.

    Opening drops shells; the largest piece left is the trunk or the head, and other large pieces that hold bone are
    limbs. What is thin comes back where it is short (ears, fingers), not where it is a board.
    """
    solid = hu > SOLID_HU
    core = _trunk_and_limbs(open_by(solid, SHELL_MM, cell_mm), hu, cell_mm)
    body = open_by(fill_slices(core), BOARD_MM, cell_mm)
    return fill_slices(body | _find_protrusions(solid, body, cell_mm))


def _trunk_and_limbs(core: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Keep the largest piece and the other pieces that are large and hold bone."""
    labels, sizes = label_pieces(core)
    if not sizes.any():
        return core
    bone = np.bincount(labels[hu > BONE_HU], minlength=len(sizes))
    limbs = (sizes * np.prod(cell_mm) / 1000 >= LIMB_CC) & (bone >= LIMB_BONE_FRACTION * sizes)
    limbs[sizes.argmax()] = True
    limbs[0] = False
    return np.asarray(limbs[labels])


def _find_protrusions(solid: Mask, body: Mask, cell_mm: CellSize) -> Mask:
    """Find thin, short pieces of tissue that hang on the body."""
    touching = grow(body, max(cell_mm), cell_mm)
    labels, sizes = label_pieces(solid & ~body)
    extents_mm = np.array([[s.stop - s.start for s in box] for box in ndimage.find_objects(labels)]) * cell_mm
    short = np.zeros(len(sizes), np.bool_)
    short[1:] = extents_mm.max(axis=1, initial=0) <= PROTRUSION_MM
    attached = np.zeros(len(sizes), np.bool_)
    attached[np.unique(labels[touching])] = True
    return np.asarray((short & attached)[labels])


def find_mask(hu: NDArray[np.int16], body: Mask, cell_mm: CellSize) -> Mask:
    """Return the body with a thermoplastic mask around it and the air under the mask.

    A mask is thin, close to the body, and not on the side of the couch.
    """
    thin = (hu > MASK_HU) & ~body
    near = thin & grow(body, MASK_REACH_MM, cell_mm) & ~_beyond_couch_side(thin, body, cell_mm)
    labels, sizes = label_pieces(near)
    mask = (sizes * np.prod(cell_mm) / 1000 >= MASK_CC)[labels]
    return fill_slices(close_by(body | mask, MASK_GAP_MM, cell_mm))


def _beyond_couch_side(thin: Mask, body: Mask, cell_mm: CellSize) -> Mask:
    """Return the cells that lie, in every slice, as far to the couch's side as the body does."""
    offsets = [np.mean(np.nonzero(thin)[axis]) - np.mean(np.nonzero(body)[axis]) for axis in (1, 2)]
    axis = 1 + int(np.argmax(np.abs(offsets)))
    side = np.sign(offsets[axis - 1])
    along = np.arange(body.shape[axis]).reshape((-1, 1) if axis == 1 else (1, -1)) * side
    farthest = np.where(body, along, -np.inf).max(axis=(1, 2), keepdims=True)
    return np.broadcast_to(along >= farthest - COUCH_MARGIN_MM / cell_mm[axis], body.shape)
