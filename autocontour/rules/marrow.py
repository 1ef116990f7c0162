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
    pieces, spots = label(enclosed), label(enclosed, IN_PLANE)
    spot = spots[enclosed]
    cells = np.bincount(spot, minlength=1)
    mean_hu = np.bincount(spot, hu[enclosed], len(cells)) / np.maximum(cells, 1)
    owner = np.zeros(len(cells), np.intp)
    owner[spot] = pieces[enclosed]
    largest = np.zeros(pieces.max() + 1, np.intp)
    np.maximum.at(largest, owner[1:], cells[1:])
    limit = MARROW_MM2 / (cell_mm[1] * cell_mm[2])
    is_marrow = (cells < limit) & ((largest[owner] < limit) | (mean_hu > BRAIN_HU))
    marrow = np.zeros_like(enclosed)
    marrow[enclosed] = is_marrow[spot]
    return marrow


def find_brain(plane: NDArray[np.int16], cell_mm: CellSize, least_mm2: float) -> Mask | None:
    """Return tissue enclosed by bone on a transverse slice of cells, if it has the size and HU of brain."""
    bone = close_squares((plane > SKULL_HU)[None])
    enclosed = (fill_slices(bone) & ~bone)[0]
    brain = plane[enclosed]
    is_large = len(brain) * cell_mm[1] * cell_mm[2] >= least_mm2
    if is_large and np.mean((brain > FLUID_HU) & (brain < BRIGHT_HU)) >= BRAIN_SHARE:
        return np.asarray(enclosed)
    return None


def find_skull(hu: NDArray[np.int16], cell_mm: CellSize) -> int | None:
    """Return the highest slice of cells on which bone encloses an area like that of a skull; None without one."""
    step = max(1, round(SKULL_STEP_MM / cell_mm[0]))
    slices = range(len(hu) - 1, -1, -step)
    return next((k for k in slices if find_brain(hu[k], cell_mm, BRAIN_MM2) is not None), None)
