"""Dose figures of a structure, from the dose at its voxels."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAR_MAXIMUM_CC = 0.03
PERCENTS = (2, 50, 95, 98)
LEVELS_GY = (5, 10, 20, 30, 40, 50, 60)


@dataclass(frozen=True, slots=True)
class DoseFigures:
    """Dose figures of one structure.

    Attributes
    ----------
    mean_gy
        Mean dose.
    d003cc_gy
        Least dose in the hottest 0.03 cm³; None for a smaller structure.
    dose_gy
        x → Dx: the dose that x % of the volume receives at least.
    volume_percent
        Gy → Vx: the part of the volume that receives at least so much, in %.
    """

    mean_gy: float
    d003cc_gy: float | None
    dose_gy: dict[int, float]
    volume_percent: dict[int, float]

    def to_json(self) -> dict[str, float | None]:
        """Return one flat object."""
        plain = asdict(self)
        return {
            "mean_gy": self.mean_gy,
            "d003cc_gy": self.d003cc_gy,
            **{f"d{percent}_gy": value for percent, value in plain["dose_gy"].items()},
            **{f"v{level}gy_percent": value for level, value in plain["volume_percent"].items()},
        }


def compute_dose(dose_gy: Floats, voxel_cc: float) -> DoseFigures | None:
    """Return the figures of a structure; None if it is empty or a voxel has no dose (nan).

    Parameters
    ----------
    dose_gy
        At every voxel of the structure.
    voxel_cc
        Volume of a voxel.

    Notes
    -----
    A voxel has one dose, so that a volume is known to half a voxel: Dx is interpolated between the voxels' doses, each
    of which stands for the middle of its voxel in the cumulative volume.
    """
    if not len(dose_gy) or not np.isfinite(dose_gy).all():
        return None
    falling = np.sort(dose_gy.astype(np.float64))[::-1]
    middles_cc = (np.arange(len(falling)) + 0.5) * voxel_cc
    total_cc = len(falling) * voxel_cc

    def hottest(volume_cc: float) -> float:
        return float(np.interp(volume_cc, middles_cc, falling))

    return DoseFigures(
        float(falling.mean()),
        hottest(NEAR_MAXIMUM_CC) if total_cc >= NEAR_MAXIMUM_CC else None,
        {percent: hottest(percent / 100 * total_cc) for percent in PERCENTS},
        {level: 100.0 * float(np.count_nonzero(falling >= level)) / len(falling) for level in LEVELS_GY},
    )
