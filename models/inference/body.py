"""Segmentation of the body, without air and couch, as in the networks' training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.inference.sampling import Frame, Grid, sample_ct
from autocontour.patient.volume import CTVolume

SPACING_ZYX_MM = (4.0, 4.0, 4.0)
SOLID_HU = -300.0
OPENING_MM = 8.0
"""Thinner parts are a couch, a mask or a tube, unless they are connected to the body."""


def find_body(ct: CTVolume, frame: Frame) -> tuple[NDArray[np.bool_], Grid]:
    """Return the body's mask over the patient's z, y, x, and its grid.

    The largest component after an opening in the axial planes, with the parts connected to it; holes within a slice
    (lungs, airways) belong to the body.
    """
    grid = Grid.over(frame, SPACING_ZYX_MM)
    solid = sample_ct(ct, grid) > SOLID_HU
    disc = _disc(OPENING_MM / SPACING_ZYX_MM[1] / 2)
    core = ndimage.binary_opening(solid, disc)
    pieces, count = ndimage.label(core)
    if not count:
        return np.zeros_like(solid), grid
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    body = ndimage.binary_dilation(pieces == largest, disc) & solid
    for plane in body:
        ndimage.binary_fill_holes(plane, output=plane)
    return body, grid


def _disc(radius: float) -> NDArray[np.bool_]:
    """Return a flat disc of `radius` voxels in the y, x plane."""
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    disc: NDArray[np.bool_] = np.hypot(offsets[:, None], offsets) <= radius + 0.5
    return disc[None]
