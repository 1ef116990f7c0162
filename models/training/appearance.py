"""Augmentation of what a CT looks like: grey values, noise, resolution, metal, and where the scan ends.

Random numbers are drawn on the CPU; the voxels stay on their device, and no step waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from autocontour.models.data.dataset import AIR_HU
from autocontour.models.training.config import AugmentConfig, StageConfig

CIRCLE_RADIUS_MM = 250.0
"""Radius of the usual reconstruction circle of 500 mm."""
METAL_HU = 3071.0


def vary_image(rngs: Sequence[Generator], stage: StageConfig, hu: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Vary the grey values of a batch, add metal, cut the scan's end and its field of view.

    Parameters
    ----------
    rngs
        One for each patch.
    stage
        Its augmentation and spacing.
    hu, known
        (batch, z, y, x) HU, and 1 where a label may be known; 0 there for voxels that are cut off.
    """
    augment = stage.augment
    air = hu < AIR_HU + 20
    _vary_some(rngs, augment.metal_probability, hu, add_metal)
    hu = hu * _column(rngs, lambda rng: 1 + augment.hu_scale * rng.uniform(-1, 1), hu.device)
    hu = hu + _column(rngs, lambda rng: augment.hu_shift * rng.uniform(-1, 1), hu.device)
    _vary_some(rngs, augment.blur_probability, hu, _blur)
    _vary_some(rngs, augment.low_resolution_probability, hu, _lower_resolution)
    seeds = [int(rng.integers(2**62)) for rng in rngs]  # all draw, so that a patch does not depend on its batch
    noise = torch.Generator(hu.device).manual_seed(seeds[0])
    level = _column(rngs, lambda rng: augment.noise_hu * rng.random(), hu.device)
    hu = hu + torch.randn(hu.shape, generator=noise, device=hu.device) * level
    hu = hu.masked_fill(air, AIR_HU)
    for number, rng in enumerate(rngs):
        if rng.random() < augment.cut_probability:
            cut_end(rng, hu[number], known[number])
        if rng.random() < augment.circle_probability:
            cut_circle(rng, stage, hu[number], known[number])
    return hu, known


def vary_contrast(rngs: Sequence[Generator], augment: AugmentConfig, image: Tensor) -> Tensor:
    """Raise the channels, (batch, windows, z, y, x) from −1 to 1, to a random power around 1."""
    if not augment.gamma:
        return image
    power = _column(rngs, lambda rng: float(np.exp(augment.gamma * rng.uniform(-1, 1))), image.device)
    return ((image + 1) / 2) ** power[:, None] * 2 - 1


def cut_end(rng: Generator, hu: Tensor, known: Tensor) -> None:
    """Truncate the scan at either end within the patch, as many scans end in the neck; changes both tensors."""
    place = int(rng.integers(len(hu) // 8, len(hu) * 5 // 8))
    gone = slice(0, place) if rng.random() < 0.5 else slice(len(hu) - place, len(hu))
    hu[gone], known[gone] = AIR_HU, 0


def cut_circle(rng: Generator, stage: StageConfig, hu: Tensor, known: Tensor) -> None:
    """Cut the patch by the edge of a circular field of view, as of a patient who lies off centre."""
    (height, width), angle = hu.shape[1:], float(rng.uniform(0, 2 * np.pi))
    (step_y, step_x), reach = stage.spacing_zyx_mm[1:], float(rng.uniform(0.4, 1.1))
    edge_mm = reach * min(height * step_y, width * step_x) / 2
    rows = (torch.arange(height, device=hu.device) - (height - 1) / 2) * step_y
    columns = (torch.arange(width, device=hu.device) - (width - 1) / 2) * step_x
    centre = np.array([np.sin(angle), np.cos(angle)]) * (edge_mm - CIRCLE_RADIUS_MM)
    outside = (rows[:, None] - centre[0]) ** 2 + (columns - centre[1]) ** 2 > CIRCLE_RADIUS_MM**2
    hu.masked_fill_(outside, AIR_HU)
    known.masked_fill_(outside, 0)


def add_metal(rng: Generator, hu: Tensor) -> Tensor:
    """Add a small piece of metal with streaks to a few slices, like dental fillings; unchanged without bone."""
    chance = torch.Generator(hu.device).manual_seed(int(rng.integers(2**62)))
    bone = (hu > 300) * (torch.rand(hu.shape, generator=chance, device=hu.device) + 1e-3)
    place = bone.argmax()
    z, y, x = place // hu[0].numel(), place % hu[0].numel() // hu.shape[2], place % hu.shape[2]
    slices, rows, columns = (torch.arange(n, device=hu.device) for n in hu.shape)
    rows, columns = torch.meshgrid(rows - y, columns - x, indexing="ij")
    distance = torch.sqrt((rows**2 + columns**2).float())
    angle = torch.atan2(rows.float(), columns.float())
    spokes = torch.cos(angle * int(rng.integers(3, 9)) + float(rng.uniform(0, 6.28)))
    streaks = float(rng.uniform(100, 600)) * spokes / (1 + distance / 4)
    streaks = torch.where(distance < float(rng.uniform(0.7, 2.5)), METAL_HU, streaks)
    near = (slices >= z - int(rng.integers(1, 3))) & (slices < z + int(rng.integers(1, 3))) & (bone.amax() > 0)
    return torch.where(near[:, None, None], (hu + streaks).clamp(AIR_HU, METAL_HU), hu)


def _blur(rng: Generator, hu: Tensor) -> Tensor:  # noqa: ARG001  (as the other variations)
    return F.avg_pool3d(hu[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]


def _lower_resolution(rng: Generator, hu: Tensor) -> Tensor:
    """Sample at up to twice the spacing along z and in plane, and back."""
    along, within = (float(rng.uniform(0.5, 1)) for _ in range(2))
    size = [max(2, round(n * part)) for n, part in zip(hu.shape, (along, within, within), strict=True)]
    coarse = F.interpolate(hu[None, None], size=size, mode="trilinear", align_corners=False)
    return F.interpolate(coarse, size=hu.shape, mode="trilinear", align_corners=False)[0, 0]


def _vary_some(
    rngs: Sequence[Generator], probability: float, hu: Tensor, vary: Callable[[Generator, Tensor], Tensor]
) -> None:
    for number, rng in enumerate(rngs):
        if rng.random() < probability:
            hu[number] = vary(rng, hu[number])


def _column(rngs: Sequence[Generator], draw: Callable[[Generator], float], device: torch.device) -> Tensor:
    """Return one number for each patch, (batch, 1, 1, 1)."""
    values = np.array([draw(rng) for rng in rngs], dtype=np.float32)
    return to_device(values[:, None, None, None], device)


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Copy a small array to a device without waiting for what the device computes."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)
