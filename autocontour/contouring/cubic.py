"""Cubic convolution, the interpolation of every field that contours are drawn from.

Keys (1981), IEEE Trans. ASSP 29:1153, with a = -1/2: exact at the samples and for parabolas. Linear interpolation
flattens curved outlines: a ball 20 voxels across, sampled as a sigmoid of its distance, is 0.4 % too small with linear
and 0.1 to 0.2 % with cubic interpolation; 10 voxels across 1.6 % and 0.4 to 0.9 %. Where the samples are each voxel's
covered fraction, which is itself a blur, the values for 20 voxels are 0.7 and 0.5 %.
"""

from __future__ import annotations

import numpy as np

from autocontour.patient.geometry import Floats


def cubic_weights(fraction: Floats) -> Floats:
    """Return the weights (4, …) of the samples -1, 0, 1 and 2 at a fraction of the way from 0 to 1."""
    t = np.asarray(fraction, dtype=np.float64)
    return np.stack(
        (
            ((2 - t) * t - 1) * t / 2,
            ((3 * t - 5) * t * t + 2) / 2,
            ((4 - 3 * t) * t + 1) * t / 2,
            (t - 1) * t * t / 2,
        )
    )


def cubic_slopes(fraction: Floats) -> Floats:
    """Return the derivatives (4, …) of `cubic_weights` by the fraction."""
    t = np.asarray(fraction, dtype=np.float64)
    return np.stack((((4 - 3 * t) * t - 1) / 2, (9 * t - 10) * t / 2, ((8 - 9 * t) * t + 1) / 2, (3 * t - 2) * t / 2))
