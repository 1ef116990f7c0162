"""Marrow: tissue enclosed by bone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autocontour.rules.shapes import IN_PLANE, CellSize, Mask, close_squares, fill_slices, label

MARROW_MM2 = 2500.0  # a vertebral body or a femoral head encloses less; a skull, thorax and pelvis more
MARROW_HU = -200  # sinuses and airways are not marrow
BRAIN_HU = 55
SKULL_HU = 150
SKULL_STEP_MM = 9.0
BRAIN_MM2 = 4000.0  # a foramen magnum has 800 mm², a brain more than 10000 mm²
FLUID_HU, BRIGHT_HU, BRAIN_SHARE = -30, 100, 0.7  # brain and its fluid, without fat, gas and calcium


def find_marrow(bone: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find tissue enclosed by bone in a slice, with small gaps, and smaller than a skull or a thorax.

    The top of the brain is small as well; it continues into a large region, and is darker than a vertebra.
    """
    closed = close_squares(bone) | bone
    enclosed = fill_slices(closed) & ~bone & (hu > MARROW_HU)
    spots = label(enclosed, IN_PLANE)
    spot = spots[enclosed]
    cells = np.bincount(spot, minlength=1)
    mean_hu = np.bincount(spot, hu[enclosed], len(cells)) / np.maximum(cells, 1)
    small = np.zeros_like(enclosed)
    small[enclosed] = (cells < MARROW_MM2 / (cell_mm[1] * cell_mm[2]))[spot]
    large, at_large = enclosed & ~small, np.zeros_like(enclosed)
    at_large[1:] |= large[:-1]
    at_large[:-1] |= large[1:]
    pieces = label(small)
    continues = np.zeros(pieces.max() + 1, np.bool_)
    continues[pieces[small & at_large]] = True
    marrow = np.zeros_like(enclosed)
    marrow[small] = ~continues[pieces[small]] | (mean_hu > BRAIN_HU)[spots[small]]
    return marrow


def has_brain(hu: NDArray[np.int16], cell_mm: CellSize, least_mm2: float) -> Mask:
    """Return (slices,) where bone encloses tissue on a transverse slice of cells that has the size and HU of brain."""
    bone = close_squares(hu > SKULL_HU)
    enclosed = fill_slices(bone) & ~bone
    cells = np.count_nonzero(enclosed, axis=(1, 2))
    like_brain = np.count_nonzero(enclosed & (hu > FLUID_HU) & (hu < BRIGHT_HU), axis=(1, 2))
    return np.asarray((cells * cell_mm[1] * cell_mm[2] >= least_mm2) & (like_brain >= BRAIN_SHARE * cells))


def find_skull(hu: NDArray[np.int16], cell_mm: CellSize) -> int | None:
    """Return the highest slice of cells on which bone encloses an area like that of a skull; None without one."""
    step = max(1, round(SKULL_STEP_MM / cell_mm[0]))
    found = np.flatnonzero(has_brain(hu[::-1][::step], cell_mm, BRAIN_MM2))
    return len(hu) - 1 - step * int(found[0]) if len(found) else None
