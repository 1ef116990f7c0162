"""A fingerprint of a CT, by which a patient is recognized in another data set."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from autocontour.models.data.dataset import BODY_HU, Dataset, Sample
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


def data_checksum(dataset: Dataset, *settings: object) -> str:
    """Return a checksum of all patients, of their contours and of how often they are used, and of further values."""
    digest = hashlib.sha256(repr((*settings, dataset.shares)).encode())
    for number, sample in enumerate((*dataset.training, *dataset.validation)):
        digest.update(b"validation" if number == len(dataset.training) else b"")
        digest.update(sample_fingerprint(sample).encode() + sample.solid.tobytes() + sample.known.tobytes())
        digest.update(b"" if sample.trust is None else np.asarray(sample.trust, np.float32).tobytes())
        for plane in sample.planes:
            digest.update(b"none" if plane is None else repr((plane.start_zyx, plane.inside.shape)).encode())
            digest.update(b"" if plane is None else np.packbits(plane.inside).tobytes())
    return digest.hexdigest()


def sample_fingerprint(sample: Sample) -> str:
    """Return the fingerprint of a patient of a data set."""
    ct = sample.to_ct()
    return ct_fingerprint(ct.hu, ct.geometry.spacing_zyx_mm)
