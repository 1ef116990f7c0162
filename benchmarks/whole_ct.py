"""Whole, high-resolution head-and-neck CTs made from repacked ones: finer voxels, air, a couch and a head board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

IN_PLANE_FACTOR = 4
AIR_HU, FOAM_HU, SHELL_HU, BOARD_HU = -1000.0, -960.0, -150.0, -650.0


def solid_box(record: dict) -> slice:
    """Return the longest run of slices with enough of the patient (``solid_slices`` of index.json)."""
    start, stop = max(record["solid_slices"], key=lambda run: run[1] - run[0])
    return slice(start, stop)


def build_whole_ct(
    path: Path, slices: slice, *, slice_step_mm: float | None = 3.0, couch: bool = True, seed: int = 0
) -> tuple[CTVolume, NDArray[np.uint16], NDArray[np.float32]]:
    """Undo the repacking of one openkbp patient.

    Parameters
    ----------
    path
        An openkbp ``.npz``.
    slices
        The slices to keep.
    slice_step_mm
        Slice spacing of the result; None keeps the data's own.
    couch
        Whether a couch and a head board lie below the patient.
    seed
        Of the noise.

    Returns
    -------
    CTVolume
        About 0.98 mm in plane, 512 × 512.
    NDArray[np.uint16]
        The reference labels on the repacked grid, cut to `slices`.
    NDArray[np.float32]
        ``spacing_zyx_mm`` of the labels; both grids share the corner of their first voxel in plane.
    """
    with np.load(path) as data:
        hu, labels, spacing = data["hu"][slices], data["labels"][slices], data["spacing_zyx_mm"].astype(np.float64)
    step = slice_step_mm or float(spacing[0])
    count = int((len(hu) - 1) * spacing[0] / step) + 1
    places = np.arange(count) * step / spacing[0]
    fine = np.empty((count, hu.shape[1] * IN_PLANE_FACTOR, hu.shape[2] * IN_PLANE_FACTOR), np.int16)
    rng = np.random.default_rng(seed)
    bottom = _lowest_row(hu) * IN_PLANE_FACTOR
    for k, place in enumerate(places):
        lower = min(int(place), len(hu) - 1)
        upper, part = min(lower + 1, len(hu) - 1), place - int(place)
        plane = (1 - part) * hu[lower] + part * hu[upper].astype(np.float64)
        plane = ndimage.zoom(np.maximum(plane, AIR_HU), IN_PLANE_FACTOR, order=1, grid_mode=True, mode="nearest")
        if couch:
            _add_couch(plane, bottom)
        fine[k] = np.clip(plane + rng.normal(0, 12, plane.shape), -1024, 3071).astype(np.int16)
    in_plane = (float(spacing[1]) / IN_PLANE_FACTOR, float(spacing[2]) / IN_PLANE_FACTOR)
    corner = -np.array([512 * in_plane[1], 512 * in_plane[0], 0]) / 2
    origin = corner + np.array([in_plane[1] / 2, in_plane[0] / 2, 0])
    geometry = VolumeGeometry.regular(fine.shape, (step, *in_plane), origin)
    return CTVolume(fine, geometry), labels, spacing.astype(np.float32)


def _lowest_row(hu: NDArray[np.int16]) -> int:
    rows = np.flatnonzero((hu > -500).sum(axis=(0, 2)) > 20)
    return int(rows[-1]) + 1


def _add_couch(plane: NDArray[np.float64], bottom: int) -> None:
    """Draw a board under the patient and a couch with a foam core below it."""
    rows, columns = plane.shape
    board = slice(bottom + 2, bottom + 12)
    middle = slice(columns // 2 - 110, columns // 2 + 110)
    plane[board, middle] = np.maximum(plane[board, middle], BOARD_HU)
    top = min(bottom + 14, rows - 40)
    span = slice(columns // 2 - 220, columns // 2 + 220)
    plane[top : top + 36, span] = np.maximum(plane[top : top + 36, span], FOAM_HU)
    for shell in (slice(top, top + 3), slice(top + 33, top + 36)):
        plane[shell, span] = np.maximum(plane[shell, span], SHELL_HU)
