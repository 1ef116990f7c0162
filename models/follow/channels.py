"""The input of the network that follows corrected slices: CT, automatic contours, and the corrected slices.

Outlines enter as signed distances within the slice, in mm, positive inside: they keep the outlines more exactly than
masks of the network's coarse voxels, and between two slices their mean is shape-based interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autocontour.models.inference.intensity import scale_intensity
from autocontour.patient.geometry import Floats

SPACING_ZYX_MM = (2.5, 3.906, 3.906)
WINDOW_ZYX = (48, 40, 40)
INTENSITY_WINDOWS_HU = ((-160.0, 240.0), (-1000.0, 1600.0))
REACH_MM = 12.0
"""Largest distance from an outline; a slice without an outline is this far outside."""
SLOPE_MM = 2.0
"""Distance from the outline that counts as a logit of 1."""
FADE_MM = 15.0
"""Distance along the slices at which the weight of a corrected slice has fallen to 1/e."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Corrected:
    """The corrected slices of a structure.

    Attributes
    ----------
    positions_mm
        (n,) along the patient's z, increasing, at least one.
    drawn_mm
        (n, y, x) signed distance from the corrected outline.
    automatic_mm
        (n, y, x) signed distance from the automatic one on the same slices; None without automatic contours.
    """

    positions_mm: Floats
    drawn_mm: Array
    automatic_mm: Array | None = None

    def neighbours(self, positions_mm: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Return the corrected slices below and above positions, and the weight of the one above, from 0 to 1.

        Beyond the outermost corrected slice both are that slice.
        """
        after = np.searchsorted(self.positions_mm, positions_mm)
        low = np.maximum(after - 1, 0)
        high = np.minimum(after, len(self.positions_mm) - 1)
        gap = self.positions_mm[high] - self.positions_mm[low]
        share = np.where(gap > 0, (positions_mm - self.positions_mm[low]) / np.where(gap > 0, gap, 1), 0.0)
        return low, high, share.astype(np.float32)

    def beyond_mm(self, positions_mm: Floats) -> Array:
        """Return how far positions lie beyond the outermost corrected slices, 0 between them."""
        beyond = np.maximum(self.positions_mm[0] - positions_mm, positions_mm - self.positions_mm[-1])
        result: Array = np.maximum(beyond, 0).astype(np.float32)
        return result


def interpolate(planes: Array, corrected: Corrected, positions_mm: Floats) -> Array:
    """Interpolate planes (n, y, x) of the corrected slices at positions: (z, y, x)."""
    low, high, share = corrected.neighbours(positions_mm)
    weight = share[:, None, None]
    result: Array = (1 - weight) * planes[low] + weight * planes[high]
    return result


def interpolate_outlines(corrected: Corrected, positions_mm: Floats) -> Array:
    """Return the signed distance from the interpolated corrected outlines at positions: (z, y, x).

    Outlines that overlap better after their centroids are aligned are interpolated in the aligned position, as in
    `autocontour.contouring.between`, so that an oblique structure keeps its cross-section between the slices.
    """
    low, high, share = corrected.neighbours(positions_mm)
    result = interpolate(corrected.drawn_mm, corrected, positions_mm)
    for first in np.unique(low[high > low]):
        below, above = corrected.drawn_mm[first], corrected.drawn_mm[first + 1]
        offset = _offset(below, above)
        if offset is None:
            continue
        for z in np.flatnonzero((low == first) & (high > low)):
            t = float(share[z])
            result[z] = (1 - t) * _shifted(below, t * offset) + t * _shifted(above, (t - 1) * offset)
    return result


def _offset(below: Array, above: Array) -> Floats | None:
    """Return the step between the centroids of two outlines, in voxels; None if they overlap better without it."""
    inside = below > 0, above > 0
    if not (inside[0].any() and inside[1].any()):
        return None
    centres = [np.argwhere(one).mean(axis=0) for one in inside]
    offset: Floats = centres[1] - centres[0]
    aligned = (inside[0] & (_shifted(above, -offset) > 0)).sum()
    return offset if aligned > (inside[0] & inside[1]).sum() else None


def _shifted(plane: Array, offset: Floats) -> Array:
    """Return a plane moved by voxels with fractions, linear; what enters at its border is far outside."""
    for axis, step in enumerate(offset):
        whole = int(np.floor(step))
        part = np.float32(step - whole)
        plane = (1 - part) * _rolled(plane, whole, axis) + part * _rolled(plane, whole + 1, axis)
    return plane


def _rolled(plane: Array, step: int, axis: int) -> Array:
    moved = np.full_like(plane, -REACH_MM)
    size = plane.shape[axis]
    if abs(step) < size:
        into, out = [slice(None)] * 2, [slice(None)] * 2
        into[axis] = slice(max(0, step), size + min(0, step))
        out[axis] = slice(max(0, -step), size + min(0, -step))
        moved[tuple(into)] = plane[tuple(out)]
    return moved


def base_distance(corrected: Corrected, positions_mm: Floats, automatic_mm: Array | None) -> Array:
    """Return the signed distance that the network's result is added to.

    The automatic contours; without them the interpolation of the corrected slices, which beyond the outermost ones
    shrinks by 1 mm for each mm.
    """
    if automatic_mm is not None:
        return automatic_mm
    inside = interpolate_outlines(corrected, positions_mm)
    shrunk: Array = np.maximum(inside - corrected.beyond_mm(positions_mm)[:, None, None], -REACH_MM)
    return shrunk


def build_channels(hu: Array, positions_mm: Floats, corrected: Corrected, automatic_mm: Array | None) -> Array:
    """Return the network's input.

    Parameters
    ----------
    hu
        (z, y, x) on the network's grid.
    positions_mm
        (z,) of its slices along the patient's z.
    corrected
        The corrected slices.
    automatic_mm
        (z, y, x) signed distance from the automatic contours; None if there are none.

    Returns
    -------
    Array
        (`CHANNELS`, z, y, x): two CT windows; the distance that the result is added to; that from the automatic
        contours (0 without any); from the corrected slice below and above; both interpolated; the interpolated
        difference between corrected and automatic (0 without any); the weights of the slices below and above.
    """
    low, high, _ = corrected.neighbours(positions_mm)
    channels = np.zeros((CHANNELS, *hu.shape), np.float32)
    channels[0:2] = scale_intensity(hu, INTENSITY_WINDOWS_HU)
    channels[2] = base_distance(corrected, positions_mm, automatic_mm)
    channels[4], channels[5] = corrected.drawn_mm[low], corrected.drawn_mm[high]
    channels[6] = interpolate_outlines(corrected, positions_mm)
    if automatic_mm is not None and corrected.automatic_mm is not None:
        channels[3] = automatic_mm
        channels[7] = interpolate(corrected.drawn_mm - corrected.automatic_mm, corrected, positions_mm)
    channels[2:8] /= REACH_MM
    weights = (positions_mm - corrected.positions_mm[low], corrected.positions_mm[high] - positions_mm)
    for channel, distance in zip(channels[8:], weights, strict=True):
        channel[:] = np.where(distance >= -1e-6, np.exp(-np.abs(distance) / FADE_MM), 0.0)[:, None, None]
    return channels


CHANNELS = 10
NETWORK = {
    "architecture": "conv_unet",
    "in_channels": CHANNELS,
    "out_channels": 1,
    "features": [12, 32, 64, 80],
    "kernels_zyx": [[3, 3, 3]] * 4,
    "strides_zyx": [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2]],
    "blocks": [1, 2, 2, 2],
    "decoder_blocks": [1, 1, 1],
}
