"""Lung_L and Lung_R: aerated lung with the vessels in it, without trachea and main bronchi."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.patient.geometry import Box
from autocontour.rules.shapes import CellSize, Mask, close_by, label_pieces, shrink

AIR_HU = -400  # half way between aerated lung (-850) and soft tissue (40)
PARENCHYMA_HU = (-955, -500)  # median deep inside lung; bowel gas, sinuses and pharynx lie below
CORE_MM = 6.0
THICK_MM, THICK_CC = 9.0, 3.0
CUPOLA_MM = 30.0  # no lung farther than this above its thick part
LEAST_CC = 15.0
VESSEL_MM = 8.0  # vessels and fissures thinner than twice this belong to the lung
STRADDLING = 0.25  # of a piece beyond the midline: both lungs in one
LARGE = 0.03  # of all lung
BRIDGES_MM = (0.0, 3.0, 6.0, 9.0, 12.0)  # where lungs touch, they part when shrunk by one of these


def find_aerated(hu: NDArray[np.int16], body: Mask, cell_mm: CellSize) -> Mask:
    """Find pieces of air whose inside holds some tissue, as lung does and bowel gas, sinuses and pharynx do not."""
    labels, sizes = label_pieces(body & (hu < AIR_HU))
    large = sizes * np.prod(cell_mm) / 1000 >= LEAST_CC
    core = shrink(large[labels], CORE_MM, cell_mm)
    for piece in np.flatnonzero(large):
        inside = hu[core & (labels == piece)]
        large[piece] = len(inside) > 0 and PARENCHYMA_HU[0] < np.median(inside) < PARENCHYMA_HU[1]
    return np.asarray(large[labels])


def find_apex(aerated: Mask, cell_mm: CellSize) -> int | None:
    """Return the top slice of what is too thick for airways and too large for sinuses; None where nothing is."""
    labels, sizes = label_pieces(shrink(aerated, THICK_MM, cell_mm))
    thick = (sizes * np.prod(cell_mm) / 1000 >= THICK_CC)[labels]
    slices = np.flatnonzero(thick.any(axis=(1, 2)))
    return int(slices[-1]) if len(slices) else None


def part_lungs(
    aerated: Mask, apex: int | None, airway_wall: Mask, midline: NDArray[np.float64], cell_mm: CellSize
) -> tuple[Mask, Mask]:
    """Return the cells of the left and of the right lung, small vessels filled.

    Parameters
    ----------
    apex
        Top slice of the thick part of the lungs, above which airways go on.
    airway_wall
        Trachea and main bronchi with their walls.
    midline
        (slices,) where the middle of the patient lies, in cells to the left.
    """
    aerated = aerated & ~airway_wall
    if apex is not None:
        aerated[apex + 1 + round(CUPOLA_MM / cell_mm[0]) :] = False
    labels, sizes = label_pieces(aerated)
    lungs = (sizes * np.prod(cell_mm) / 1000 >= LEAST_CC)[labels]
    is_left = _side_of(lungs, midline, cell_mm)
    left, right = (close_by(lungs & side, VESSEL_MM, cell_mm) for side in (is_left, ~is_left))
    return left & ~airway_wall & ~(lungs & ~is_left), right & ~airway_wall & ~(lungs & is_left)


def _side_of(lungs: Mask, midline: NDArray[np.float64], cell_mm: CellSize) -> Mask:
    """Say for every cell whether it belongs to the left lung, also where the lungs touch."""
    is_left = np.zeros_like(lungs)
    box = Box.around(lungs)
    if box is None:
        return is_left
    across = np.arange(box.start_zyx[2], box.stop_zyx[2])
    beyond = np.broadcast_to(across > midline[box.slices[0], None, None], box.shape_zyx)
    left, right = _find_markers(lungs[box.slices], beyond, cell_mm)
    if left.any() and right.any():
        nearest = ndimage.distance_transform_edt(~(left | right), cell_mm, return_distances=False, return_indices=True)
        is_left[box.slices] = left[tuple(nearest)]
    else:
        is_left[box.slices] = left.any()
    return is_left


def _find_markers(lungs: Mask, beyond: Mask, cell_mm: CellSize) -> tuple[Mask, Mask]:
    """Return cells that surely belong to the left and to the right lung: shrunk until no large piece straddles."""
    for bridge_mm in BRIDGES_MM:
        labels, sizes = label_pieces(shrink(lungs, bridge_mm, cell_mm))
        share = np.bincount(labels[beyond], minlength=len(sizes)) / np.maximum(sizes, 1)
        large = sizes >= LARGE * sizes.sum()
        large[0] = False
        if not (large & (np.minimum(share, 1 - share) > STRADDLING)).any():
            break
    return np.asarray((large & (share > 0.5))[labels]), np.asarray((large & (share <= 0.5))[labels])
