"""Marrow: what bone encloses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.rules.shapes import IN_PLANE, CellSize, Mask, fill_slices, label

MARROW_MM2 = 2500.0  # a vertebral body or a femoral head encloses less; a skull, thorax and pelvis more
MARROW_HU = -200  # sinuses and airways are not marrow
BRAIN_HU = 55


def find_marrow(bone: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find what bone encloses in a slice, small gaps aside, and that is not as large as a skull or a thorax.

    The top of the brain is small as well; it goes on into what is large, and is darker than a vertebra.
    """
    closed = ndimage.binary_closing(bone, np.ones((1, 3, 3), np.bool_)) | bone
    enclosed = fill_slices(closed) & ~bone & (hu > MARROW_HU)
    pieces, spots = label(enclosed), label(enclosed, IN_PLANE)
    cells = np.bincount(spots.ravel())
    mean_hu = np.bincount(spots[enclosed], hu[enclosed], len(cells)) / np.maximum(cells, 1)
    owner = np.zeros(len(cells), np.intp)
    owner[spots] = pieces
    largest = np.zeros(pieces.max() + 1, np.intp)
    np.maximum.at(largest, owner[1:], cells[1:])
    limit = MARROW_MM2 / (cell_mm[1] * cell_mm[2])
    is_marrow = (cells < limit) & ((largest[owner] < limit) | (mean_hu > BRAIN_HU))
    is_marrow[0] = False
    return np.asarray(is_marrow[spots])
