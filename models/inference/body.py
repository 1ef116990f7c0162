"""Segmentation of the body, without air and couch, as in the networks' training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.inference.sampling import Frame, Grid, sample_ct
from autocontour.patient.geometry import Floats
from autocontour.patient.volume import CTVolume

SPACING_ZYX_MM = (4.0, 4.0, 4.0)
SOLID_HU = -300.0
LEAST_PART_CC = 100.0
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


def find_parts(ct: CTVolume, frame: Frame) -> list[tuple[Floats, Floats]]:
    """Return the lower and upper edges, along the patient's z, y, x in mm, of all that is solid and not small.

    The body may be in several pieces, such as the legs, or the arms beside the trunk; a thick couch is one as well.
    """
    grid = Grid.over(frame, SPACING_ZYX_MM)
    solid = sample_ct(ct, grid) > SOLID_HU
    disc = _disc(OPENING_MM / SPACING_ZYX_MM[1] / 2)
    pieces, _ = ndimage.label(ndimage.binary_opening(solid, disc))
    sizes = np.bincount(pieces.ravel())[1:] * np.prod(SPACING_ZYX_MM) / 1000
    spacing, origin = np.asarray(grid.spacing_zyx_mm), np.asarray(grid.origin_zyx_mm)
    edges = []
    for place, size in zip(ndimage.find_objects(pieces), sizes, strict=True):
        if size >= LEAST_PART_CC:
            start, stop = np.array([one.start for one in place]), np.array([one.stop for one in place])
            edges.append((origin + (start - 0.5) * spacing, origin + (stop - 0.5) * spacing))
    return edges


def _disc(radius: float) -> NDArray[np.bool_]:
    """Return a flat disc of `radius` voxels in the y, x plane."""
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    disc: NDArray[np.bool_] = np.hypot(offsets[:, None], offsets) <= radius + 0.5
    return disc[None]
