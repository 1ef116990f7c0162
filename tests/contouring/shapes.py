"""Solids with known volume, sampled as a network would see them: the share of each voxel that is inside."""

from collections.abc import Callable

import numpy as np

from autocontour.patient.geometry import VolumeGeometry

Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
SUB = 4


def sphere(radius: float) -> tuple[Inside, float]:
    return lambda x, y, z: x**2 + y**2 + z**2 < radius**2, 4 / 3 * np.pi * radius**3


def shell(outer: float, inner: float) -> tuple[Inside, float]:
    def inside(x, y, z):
        squared = x**2 + y**2 + z**2
        return (squared < outer**2) & (squared > inner**2)

    return inside, 4 / 3 * np.pi * (outer**3 - inner**3)


def torus(ring: float, tube: float) -> tuple[Inside, float]:
    """Around the x axis, so that slices hold two pieces, a ring cut open, and one piece."""
    return (
        lambda x, y, z: (np.hypot(y, z) - ring) ** 2 + x**2 < tube**2,
        2 * np.pi**2 * ring * tube**2,
    )


def pipe(outer: float, inner: float, length: float) -> tuple[Inside, float]:
    """Along z."""

    def inside(x, y, z):
        radius = np.hypot(x, y)
        return (radius < outer) & (radius > inner) & (np.abs(z) < length / 2)

    return inside, np.pi * (outer**2 - inner**2) * length


def sample(inside: Inside, geometry: VolumeGeometry, centre: tuple[float, float, float]) -> np.ndarray:
    """Share of each voxel that is inside, from SUB³ points in it."""
    total = np.zeros(geometry.shape_zyx, np.float32)
    dz, dy, dx = geometry.spacing_zyx_mm
    u0, v0 = geometry.plane_origins_uv_mm[0]
    offsets = (np.arange(SUB) + 0.5) / SUB - 0.5
    x = u0 + np.arange(geometry.columns) * dx - centre[0]
    y = v0 + np.arange(geometry.rows) * dy - centre[1]
    z = geometry.slice_positions_mm - centre[2]
    for a in offsets:
        for b in offsets:
            for c in offsets:
                total += inside(x + c * dx, (y + b * dy)[:, None], (z + a * dz)[:, None, None])
    return total / SUB**3
