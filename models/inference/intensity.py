"""Conversion of Hounsfield units to the networks' input, identical in training and inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OUTSIDE_HU = -1024.0


def scale_intensity(
    hu: NDArray[np.float32], intensity_windows_hu: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    """Convert (z, y, x) HU to one channel per intensity window, its lower level at −1 and its upper at 1.

    Parameters
    ----------
    hu
        HU, `OUTSIDE_HU` outside the body.
    intensity_windows_hu
        Lower and upper level of each window.

    Returns
    -------
    NDArray[np.float32]
        (windows, z, y, x), clipped to −1 and 1.
    """
    channels = np.empty((len(intensity_windows_hu), *hu.shape), np.float32)
    for channel, (low, high) in zip(channels, intensity_windows_hu, strict=True):
        np.subtract(hu, low, out=channel)
        channel *= 2 / (high - low)
        channel -= 1
        np.clip(channel, -1, 1, out=channel)
    return channels
