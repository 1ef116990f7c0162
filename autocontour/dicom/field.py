"""The part of the image without measured values: padding, and the region outside the reconstruction circle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autocontour.patient.geometry import Box

Mask = NDArray[np.bool_]
_SAMPLED = 6
_COLDEST_AIR_HU = -1060
_GAS_HU = -500
_FULL_BOX = 0.99
_FEWEST_POINTS = 12
_ON_CIRCLE = 0.8
_RING_PX = 1.5
_SMALLEST_FITTED_RADIUS = 0.2  # of the image; a small field may be stored in a large image
_SMALLEST_INSCRIBED_RADIUS = 0.45
_TOUCHED = 0.03


def find_outside_field(planes: Sequence[NDArray[np.int16]]) -> Mask | None:
    """Find the part of the image without measured values in all slices.

    A value below that of air, constant over all slices and up to a corner, is padding. The value of air is ambiguous:
    it counts as outside only if the other voxels fill a disc or a rectangle, or if tissue ends on the circle inscribed
    in the image.

    Parameters
    ----------
    planes
        Slices of a volume, (rows, columns) each; a few of them are used.

    Returns
    -------
    (1, rows, columns) bool or None
        True outside the field of view; None if the field is the whole image.
    """
    chosen = np.unique(np.linspace(0, len(planes) - 1, _SAMPLED).round().astype(int))
    sample = [planes[index] for index in chosen]
    corners = {int(sample[0][row, column]) for row in (0, -1) for column in (0, -1)}
    for value in sorted(corner for corner in corners if corner <= _GAS_HU):
        outside = sample[0] == value
        for plane in sample[1:]:
            outside &= plane == value
        if not outside.any() or outside.all():
            continue
        field = ~outside if value < _COLDEST_AIR_HU else _shape_of_field(~outside, sample)
        if field is not None:
            return ~field[None]
    return None


def _shape_of_field(measured: Mask, sample: Sequence[NDArray[np.int16]]) -> Mask | None:
    """Return the rectangle or disc that `measured`, (rows, columns), fills; None if it is the shape of the patient."""
    box = Box.around(measured[None])
    assert box is not None
    rectangle = np.zeros_like(measured)
    rectangle[box.slices[1:]] = True
    if measured.sum() >= _FULL_BOX * rectangle.sum() and not rectangle.all():
        return rectangle
    disc = _disc_through(_row_ends(measured), measured.shape)
    return disc if disc is not None else _inscribed_disc(measured, sample)


def _row_ends(measured: Mask) -> NDArray[np.float64]:
    """(n, 2) y, x of the ends of the measured part of each row inside the image."""
    rows = np.flatnonzero(measured.any(axis=1))
    first = measured[rows].argmax(axis=1)
    last = measured.shape[1] - 1 - measured[rows, ::-1].argmax(axis=1)
    begins, ends = first > 0, last < measured.shape[1] - 1
    x = np.concatenate([first[begins] - 0.5, last[ends] + 0.5])
    return np.column_stack([np.concatenate([rows[begins], rows[ends]]), x])


def _disc_through(points_yx: NDArray[np.float64], shape: tuple[int, ...]) -> Mask | None:
    """Fit a circle by least squares, twice, the second time without outliers; None if the fit is poor."""
    near = np.ones(len(points_yx), bool)
    for _ in range(2):
        if near.sum() < max(_FEWEST_POINTS, len(points_yx) / 2):
            return None
        y, x = points_yx[near].T
        (y0, x0, c), *_ = np.linalg.lstsq(np.column_stack([2 * y, 2 * x, np.ones(len(y))]), y * y + x * x, rcond=None)
        radius = float(np.sqrt(max(c + y0 * y0 + x0 * x0, 0.0)))
        near = np.abs(np.hypot(points_yx[:, 0] - y0, points_yx[:, 1] - x0) - radius) < _RING_PX
    if near.mean() < _ON_CIRCLE or radius < _SMALLEST_FITTED_RADIUS * min(shape):
        return None
    return _squared_distance(shape, float(y0), float(x0)) <= radius**2


def _inscribed_disc(measured: Mask, sample: Sequence[NDArray[np.int16]]) -> Mask | None:
    """Return the disc inscribed in the image if tissue ends on its edge."""
    rows, columns = measured.shape
    squared = _squared_distance(measured.shape, (rows - 1) / 2, (columns - 1) / 2)
    radius = float(np.sqrt(squared[measured].max()))
    smallest = min(rows, columns)
    if not _SMALLEST_INSCRIBED_RADIUS * smallest <= radius <= smallest / 2 + _RING_PX:
        return None
    ring = (squared > (radius - _RING_PX) ** 2) & (squared <= radius**2)
    touched = np.any([plane[ring] > _GAS_HU for plane in sample], axis=0)
    return squared <= radius**2 if touched.mean() >= _TOUCHED else None


def _squared_distance(shape: tuple[int, ...], y: float, x: float) -> NDArray[np.float32]:
    rows, columns = (np.arange(n, dtype=np.float32) - np.float32(at) for n, at in zip(shape, (y, x), strict=True))
    squared: NDArray[np.float32] = (rows**2)[:, None] + columns**2
    return squared
