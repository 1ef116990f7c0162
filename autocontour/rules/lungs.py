"""Lung_L and Lung_R: aerated lung with the vessels in it, without trachea and main bronchi."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.rules.shapes import CellSize, Mask, close_by, depth_mm, label_pieces, shrink

AIR_HU = -400  # half way between aerated lung (-850) and soft tissue (40)
PARENCHYMA_HU = (-955, -500)  # median deep inside lung; bowel gas, sinuses and pharynx lie below
CORE_MM = 6.0
APEX_DEPTH_MM = 10.0
LEAST_CC = 15.0
VESSEL_MM = 8.0  # vessels and fissures thinner than twice this belong to the lung
STRADDLING = 0.25  # of a piece beyond the midline: both lungs in one
BRIDGES_MM = (0.0, 3.0, 6.0, 9.0, 12.0)  # where lungs touch, they part when shrunk by one of these


def find_aerated(hu: NDArray[np.int16], body: Mask, cell_mm: CellSize) -> Mask:
    """Find pieces of air whose inside holds some tissue, as lung does and bowel gas, sinuses and pharynx do not."""
    labels, sizes = label_pieces(body & (hu < AIR_HU))
    large = sizes * np.prod(cell_mm) / 1000 >= LEAST_CC
    core = depth_mm(large[labels], cell_mm) > CORE_MM
    for piece in np.flatnonzero(large):
        inside = hu[core & (labels == piece)]
        large[piece] = len(inside) > 0 and PARENCHYMA_HU[0] < np.median(inside) < PARENCHYMA_HU[1]
    return np.asarray(large[labels])


def find_apex(aerated: Mask, cell_mm: CellSize) -> int | None:
    """Return the top slice of what is too thick for an airway; None where nothing is."""
    thick = np.flatnonzero((depth_mm(aerated, cell_mm) > APEX_DEPTH_MM).any(axis=(1, 2)))
    return int(thick[-1]) if len(thick) else None


def part_lungs(aerated: Mask, airway_wall: Mask, midline: NDArray[np.float64], cell_mm: CellSize) -> tuple[Mask, Mask]:
    """Return the cells of the left and of the right lung, small vessels filled.

    Parameters
    ----------
    airway_wall
        Trachea and main bronchi with their walls.
    midline
        (slices,) where the middle of the patient lies, in cells to the left.
    """
    labels, sizes = label_pieces(aerated & ~airway_wall)
    lungs = (sizes * np.prod(cell_mm) / 1000 >= LEAST_CC)[labels]
    is_left = _side_of(lungs, midline, cell_mm)
    left, right = (close_by(lungs & side, VESSEL_MM, cell_mm) for side in (is_left, ~is_left))
    return left & ~airway_wall & ~(lungs & ~is_left), right & ~airway_wall & ~(lungs & is_left)


def _side_of(lungs: Mask, midline: NDArray[np.float64], cell_mm: CellSize) -> Mask:
    """Say for every cell whether it belongs to the left lung, also where the lungs touch."""
    beyond = np.broadcast_to(np.arange(lungs.shape[2]) > midline[:, None, None], lungs.shape)
    for bridge_mm in BRIDGES_MM:
        labels, sizes = label_pieces(shrink(lungs, bridge_mm, cell_mm))
        share = np.bincount(labels[beyond], minlength=len(sizes)) / np.maximum(sizes, 1)
        large = sizes >= 0.05 * sizes.sum()
        if not (large & (np.minimum(share, 1 - share) > STRADDLING)).any():
            break
    left, right = ((large & side)[labels] for side in (share > 0.5, share <= 0.5))
    if not left.any() or not right.any():
        return np.full_like(lungs, left.any())
    nearest = ndimage.distance_transform_edt(~(left | right), cell_mm, return_distances=False, return_indices=True)
    return np.asarray(left[tuple(nearest)])
