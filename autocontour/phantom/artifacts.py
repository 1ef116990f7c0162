"""Image artefacts: correlated noise, and streaks around metal."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from autocontour.phantom.plane import Distances, Plane

METAL_HU, METAL_RADIUS_MM, STREAK_REACH_MM = 6500.0, 3.2, 55.0
REFERENCE_DIAMETER_MM = 180.0


@lru_cache(maxsize=4)
def _noise_amplitude(shape: tuple[int, int], pixel_spacing_vu_mm: tuple[float, float]) -> NDArray[np.float32]:
    """Square root of a CT's noise power: a ramp at low, a Hann roll-off at high frequencies; unit variance.

    Riederer, Pelc, Chesler, "The noise power spectrum in computed X-ray tomography", Phys Med Biol 1978;23:446.
    """
    v = fft.fftfreq(shape[0], pixel_spacing_vu_mm[0])[:, None]
    u = fft.rfftfreq(shape[1], pixel_spacing_vu_mm[1])[None, :]
    frequency = np.hypot(u, v)
    cutoff = 0.55  # cycles per mm, a soft-tissue kernel
    power = frequency * np.where(frequency < cutoff, 0.5 + 0.5 * np.cos(np.pi * frequency / cutoff), 0.0) + 0.004
    twice = np.full(u.shape[1], 2.0)
    twice[0] = 1.0
    if shape[1] % 2 == 0:
        twice[-1] = 1.0
    amplitude = np.sqrt(power / ((power * twice).sum() / (shape[0] * shape[1])))
    result: NDArray[np.float32] = amplitude.astype(np.float32)
    return result


def correlated_noise(
    shape: tuple[int, int], pixel_spacing_vu_mm: tuple[float, float], rng: np.random.Generator
) -> Distances:
    """Return one slice of noise of unit standard deviation with a CT's texture."""
    white = fft.rfft2(rng.standard_normal(shape, np.float32))
    white *= _noise_amplitude(shape, pixel_spacing_vu_mm)
    return np.asarray(fft.irfft2(white, shape), np.float32)


def noise_level(depth: Distances, pixel_area_mm2: float) -> Distances:
    """Return the noise's relative strength: more in a wide slice, less outside the body."""
    body = depth < 0
    diameter = 2 * np.sqrt(np.count_nonzero(body) * pixel_area_mm2 / np.pi)
    inside = np.exp(0.003 * (diameter - REFERENCE_DIAMETER_MM))
    return np.where(body, np.float32(inside), np.float32(0.45 * inside))


def add_metal(hu: Distances, plane: Plane, metal_lps_mm: NDArray[np.float64], depth: Distances, seed: int) -> None:
    """Add fillings to one slice, in place, with dark bands between them and streaks around them."""
    local = metal_lps_mm @ plane.direction
    near = np.abs(local[:, 2] - plane.w) < 6.0
    spots = local[near]
    if not len(spots):
        return
    streaks = np.zeros(plane.shape, np.float32)
    for number, (u, v, w) in enumerate(spots):
        du, dv = (plane.u - u).astype(np.float32)[None, :], (plane.v - v).astype(np.float32)[:, None]
        distance = np.hypot(du, dv)
        strength = np.float32(420 * np.exp(-(((w - plane.w) / 3.5) ** 2)))
        profile = _star(np.random.default_rng([seed, number, round(abs(w - plane.w))]))
        angle = ((np.arctan2(dv, du) / (2 * np.pi) + 0.5) * len(profile)).astype(np.int32) % len(profile)
        streaks += strength * profile[angle] / (1 + (distance / np.float32(STREAK_REACH_MM * 0.4)) ** 2)
    for first in range(len(spots)):
        for second in range(first + 1, len(spots)):
            streaks -= _band(plane, spots[first], spots[second])
    hu += streaks * (depth < 2)
    np.maximum(hu, -1024, out=hu)
    for u, v, w in spots:
        radius = METAL_RADIUS_MM**2 - min((w - plane.w) ** 2, METAL_RADIUS_MM**2)
        inside = (plane.u - u)[None, :] ** 2 + (plane.v - v)[:, None] ** 2 < radius
        hu[inside] = METAL_HU


def _star(rng: np.random.Generator) -> NDArray[np.float32]:
    """Alternating bright and dark rays, zero on average."""
    rays = gaussian_filter1d(rng.standard_normal(720), 2.0, mode="wrap") * 2.2
    return np.asarray(rays - rays.mean(), np.float32)


def _band(plane: Plane, first: NDArray[np.float64], second: NDArray[np.float64]) -> Distances:
    """Return the dark band between two pieces of metal."""
    along = second[:2] - first[:2]
    length = max(float(np.hypot(*along)), 1e-3)
    along = along / length
    du, dv = (plane.u - first[0])[None, :], (plane.v - first[1])[:, None]
    across, t = du * -along[1] + dv * along[0], du * along[0] + dv * along[1]
    weight = 420 * np.exp(-((first[2] - plane.w) ** 2 + (second[2] - plane.w) ** 2) / 20)
    beyond = np.maximum(np.maximum(-t, t - length), 0)
    return np.asarray(weight * np.exp(-((across / 3.0) ** 2)) * np.exp(-beyond / 6), np.float32)
