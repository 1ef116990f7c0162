"""Noise of the image, and its effect on a structure."""

from __future__ import annotations

import numpy as np

from autocontour.base.findings import Finding
from autocontour.rules.anatomy import Anatomy

SLICES = 9  # used
SOFT_HU = 300
NOISY_HU = 60.0  # above it the outlines of thin bone change by more than a voxel


def find_noise(anatomy: Anatomy) -> float:
    """Return the standard deviation of the noise in HU, from neighbouring voxels of soft tissue in a few slices."""
    hu = anatomy.ct.hu
    chosen = np.unique(np.linspace(0, len(hu) - 1, SLICES).round().astype(int))
    differences = []
    for plane in hu[chosen].astype(np.int32):
        pairs = np.stack((plane[:, :-1], plane[:, 1:]))
        is_soft = (np.abs(pairs.mean(axis=0)) < SOFT_HU).ravel()
        differences.append((pairs[1] - pairs[0]).ravel()[is_soft])
    joined = np.concatenate(differences)
    return float(np.median(np.abs(joined)) / 0.6745 / np.sqrt(2)) if len(joined) else 0.0


def doubt_noise(anatomy: Anatomy, name: str) -> list[Finding]:
    """Return whether noise makes the outline of a structure of bone uncertain."""
    noise_hu = anatomy.find(find_noise)
    return [Finding.of("AC-RU-017", name, name=name, noise_hu=round(noise_hu))] if noise_hu > NOISY_HU else []
