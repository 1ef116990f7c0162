"""Operations on masks of cells, in millimetres. Beyond the ends of the scan a structure is taken to go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.geometry import Box

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
CellSize = tuple[float, float, float]
IN_PLANE = ndimage.generate_binary_structure(3, 1) & np.array([False, True, False])[:, None, None]
"""Neighbours in a transverse slice, by faces."""


def grow(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Add every cell whose centre lies within `mm` of the mask."""
    grown = np.zeros_like(mask)
    box = Box.around(mask)
    if box is not None:
        z, y, x = (int(np.ceil(mm / size)) for size in cell_mm)
        near = box.padded((z, y, x), mask.shape).slices
        grown[near] = ndimage.distance_transform_edt(~mask[near], sampling=cell_mm) <= mm
    return grown


def shrink(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Keep the cells whose centre lies farther than `mm` from everything outside the mask."""
    shrunk = np.zeros_like(mask)
    box = Box.around(mask)
    if box is not None:
        near = box.padded((1, 1, 1), mask.shape).slices
        shrunk[near] = mask[near] if mask[near].all() else depth_mm(mask[near], cell_mm) > mm
    return shrunk


def depth_mm(mask: Mask, cell_mm: CellSize) -> NDArray[np.float64]:
    """Return how far each cell of the mask lies from the nearest cell outside it; 0 outside."""
    depth: NDArray[np.float64] = ndimage.distance_transform_edt(mask, sampling=cell_mm)
    return depth


def open_by(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Drop what a ball of radius `mm` does not fit into."""
    return grow(shrink(mask, mm, cell_mm), mm, cell_mm) & mask


def close_by(mask: Mask, mm: float, cell_mm: CellSize) -> Mask:
    """Fill gaps and notches into which a ball of radius `mm` does not fit."""
    return shrink(grow(mask, mm, cell_mm), mm, cell_mm) | mask


def fill_slices(mask: Mask) -> Mask:
    """Fill what is enclosed in each transverse slice."""
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def label(mask: Mask, structure: NDArray[np.bool_] | None = None) -> Labels:
    """Return a number for each piece; by default pieces hang together by faces."""
    labels: Labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, structure, output=labels)
    return labels


def label_pieces(mask: Mask) -> tuple[Labels, NDArray[np.intp]]:
    """Return a number for each piece that hangs together by faces, and its cells (0 for number 0, the outside)."""
    labels = label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels, sizes


def largest_piece(mask: Mask) -> Mask:
    """Keep the largest piece; an empty mask stays empty."""
    labels, sizes = label_pieces(mask)
    if not sizes.any():
        return mask
    return np.asarray(labels == sizes.argmax())
