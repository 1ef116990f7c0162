"""A fingerprint of a CT, by which a patient is recognized in another data set."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from autocontour.models.data.dataset import BODY_HU, Sample
from autocontour.patient.geometry import Box


def ct_fingerprint(hu: NDArray[np.int16], spacing_zyx_mm: tuple[float, float, float]) -> str:
    """Return a checksum of a CT's voxels within the body, which does not depend on how much air is around it.

    Parameters
    ----------
    hu
        (z, y, x) HU.
    spacing_zyx_mm
        Rounded to 0.01 mm, so that the same number in another precision is the same.

    Returns
    -------
    str
        64 hexadecimal digits. The voxels cannot be recovered from it.
    """
    box = Box.around(hu > BODY_HU)
    body = hu[box.slices] if box else hu[:0]
    spacing = ", ".join(f"{step:.2f}" for step in spacing_zyx_mm)
    digest = hashlib.sha256(f"{body.shape} {spacing}\n".encode())
    digest.update(np.maximum(body, BODY_HU).astype("<i2").tobytes())
    return digest.hexdigest()


def sample_fingerprint(sample: Sample) -> str:
    """Return the fingerprint of a patient of a data set."""
    ct = sample.to_ct()
    return ct_fingerprint(ct.hu, ct.geometry.spacing_zyx_mm)
