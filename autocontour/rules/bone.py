"""Bone: cortical bone and the marrow it encloses, without contrast medium in vessels and bowel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.geometry import Box
from autocontour.rules.shapes import IN_PLANE, CellSize, Mask, fill_slices, grow, label, label_pieces, shrink

CORTEX_HU = 280  # mean of a cell of bone; hysteresis: such cells bring in their neighbours above BONE_HU
BONE_HU = 130
CORTEX_REACH_MM = 6.0
PEAK_HU = 450  # every bone has such a cell; a vessel with contrast has not
LEAST_CC = 0.2
CORE_MM = 6.0  # this deep inside what is bright
SHELL_MM = 5.0  # around such a core
EVEN_HU = 50  # standard deviation in a core of blood or bowel with contrast; in bone it is more
CONTRAST_HU = 600
CONTRAST_REACH_MM = 9.0
MARROW_MM2 = 2500.0  # a vertebral body or a femoral head encloses less; a skull, thorax and pelvis more
MARROW_HU = -200  # sinuses and airways are not marrow


def find_bone(hu: NDArray[np.int16], body: Mask, cell_mm: CellSize) -> tuple[Mask, Mask]:
    """Return the cells of bone, and those of marrow enclosed by it."""
    bright = body & (hu > BONE_HU)
    bright &= ~_find_contrast(bright, hu, cell_mm)
    bone = grow(bright & (hu > CORTEX_HU), CORTEX_REACH_MM, cell_mm) & bright
    labels, sizes = label_pieces(bone)
    peak = np.zeros(len(sizes))
    np.maximum.at(peak, labels[bone], hu[bone])
    bone = ((sizes * np.prod(cell_mm) / 1000 >= LEAST_CC) & (peak > PEAK_HU))[labels]
    return bone, find_marrow(bone, cell_mm) & (hu > MARROW_HU)


def _find_contrast(bright: Mask, hu: NDArray[np.int16], cell_mm: CellSize) -> Mask:
    """Find vessels, kidneys and bowel with contrast medium: even inside, and darker towards their border."""
    contrast = np.zeros_like(bright)
    box = Box.around(bright)
    if box is None:
        return contrast
    bright, hu = bright[box.slices], hu[box.slices]
    core = shrink(bright, CORE_MM, cell_mm)
    labels, sizes = label_pieces(core)
    distance_mm, nearest = ndimage.distance_transform_edt(~core, cell_mm, return_indices=True)
    owner = labels[tuple(nearest)]
    mean, deviation = _statistics(labels, core, hu, len(sizes))
    shell_mean, _ = _statistics(owner, bright & ~core & (distance_mm <= SHELL_MM), hu, len(sizes))
    is_contrast = (deviation < EVEN_HU) & (shell_mean <= mean) & (mean < CONTRAST_HU)
    is_contrast[0] = False
    contrast[box.slices] = is_contrast[owner] & bright & (distance_mm <= CONTRAST_REACH_MM)
    return contrast


def _statistics(
    labels: NDArray[np.int32], where: Mask, hu: NDArray[np.int16], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of HU for every label."""
    number, values = labels[where], hu[where].astype(np.float64)
    cells = np.maximum(np.bincount(number, minlength=count), 1)
    mean = np.bincount(number, values, count) / cells
    return mean, np.sqrt(np.maximum(np.bincount(number, values**2, count) / cells - mean**2, 0))


def find_marrow(bone: Mask, cell_mm: CellSize) -> Mask:
    """Find what bone encloses in a slice and that is nowhere as large as a skull, a thorax or a pelvis."""
    closed = ndimage.binary_closing(bone, np.ones((1, 3, 3), np.bool_)) | bone
    enclosed = fill_slices(closed) & ~bone
    pieces, spots = label(enclosed), label(enclosed, IN_PLANE)
    cells = np.bincount(spots.ravel())
    owner = np.zeros(len(cells), np.intp)
    owner[spots] = pieces
    largest = np.zeros(pieces.max() + 1, np.intp)
    np.maximum.at(largest, owner[1:], cells[1:])
    small = largest * cell_mm[1] * cell_mm[2] < MARROW_MM2
    small[0] = False
    return np.asarray(small[pieces])
