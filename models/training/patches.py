"""Augmented patches: one interpolation for crop, resampling, rotation, scale, mirror and elastic deformation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from autocontour.models.data.dataset import AIR_HU, Sample
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.training.config import AugmentConfig, StageConfig

ELASTIC_KNOTS = 5
METAL_HU = 3071.0


@dataclass(frozen=True)
class Patch:
    """One patch with its labels.

    Attributes
    ----------
    image
        (windows, z, y, x), −1 to 1.
    target
        (structures, z, y, x), 0 to 1.
    weight
        (structures, z, y, x), 0 where the label is unknown.
    """

    image: Tensor
    target: Tensor
    weight: Tensor


class PatchSampler:
    """Samples patches; all randomness comes from the given generator, so that a step can be reproduced exactly."""

    def __init__(self, samples: Sequence[Sample], structures: Sequence[str], stage: StageConfig) -> None:
        self.samples = samples
        self.stage = stage
        self.mirrored = mirrored_channels(structures)
        self.weights = np.array([stage.sampling_weights.get(name, 1.0) for name in structures])
        present = np.array([[s.planes[k] is not None for k in range(len(structures))] for s in samples])
        self.holders = [np.flatnonzero(column) for column in present.T]
        self.weights = self.weights * present.any(axis=0)
        self.voxels: dict[tuple[int, int], NDArray[np.intp]] = {}

    def draw(self, rng: Generator) -> Patch:
        """Return one augmented patch."""
        structure = int(rng.choice(len(self.weights), p=self.weights / self.weights.sum()))
        which = int(rng.choice(self.holders[structure]))
        sample, augment = self.samples[which], self.stage.augment
        if self.stage.focus == "body":
            centre = np.array(sample.hu.shape) / 2
        else:
            centre = self._draw_centre(rng, which, structure)
        centre = centre + rng.uniform(-1, 1, 3) * augment.shift_zyx_mm / sample.spacing_zyx_mm
        mirror = bool(rng.random() < augment.mirror_probability)
        matrix = random_matrix(rng, augment, mirror)
        grid = patch_grid(self.stage, sample, centre, matrix, random_elastic(rng, augment))
        hu, labels, weight = sample_grid(sample, grid, len(self.weights))
        known = torch.from_numpy(sample.known)
        if mirror:
            labels, known = labels[self.mirrored], known[self.mirrored]
        hu, weight = vary_image(rng, augment, hu, weight)
        image = torch.from_numpy(scale_intensity(hu.numpy(), self.stage.intensity_windows_hu))
        return Patch(image, labels, weight * known[:, None, None, None])

    def _draw_centre(self, rng: Generator, which: int, structure: int) -> NDArray[np.float64]:
        """Centre on a slice of the structure along z, on the middle of all structures near it in plane."""
        sample = self.samples[which]
        z = int(rng.choice(self._slices_of(which, structure)))
        if rng.random() < self.stage.anywhere_probability:
            z = int(rng.integers(len(sample.hu)))
        half = int(self.stage.window_zyx[0] * self.stage.spacing_zyx_mm[0] / sample.spacing_zyx_mm[0] / 2)
        near = sample.footprint(slice(max(0, z - half), z + half))
        if not near.any():
            near = sample.footprint(slice(0, len(sample.hu)))
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        return np.array([z, (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2])

    def _slices_of(self, which: int, structure: int) -> NDArray[np.intp]:
        key = which, structure
        if key not in self.voxels:
            self.voxels[key] = self.samples[which].slices(structure)
        return self.voxels[key]


def mirrored_channels(structures: Sequence[str]) -> list[int]:
    """Return for every structure the channel of its mirror image: `_L` and `_R` are exchanged."""
    other = {"_L": "_R", "_R": "_L"}
    names = [name[:-2] + other[name[-2:]] if name[-2:] in other else name for name in structures]
    return [list(structures).index(name) if name in structures else k for k, name in enumerate(names)]


def random_matrix(rng: Generator, augment: AugmentConfig, mirror: bool) -> NDArray[np.float64]:
    """Return a (3, 3) rotation, scale and mirror in z, y, x."""
    z, y, x = np.radians(rng.uniform(-1, 1, 3) * augment.rotation_zyx_deg)
    matrix = np.eye(3)
    for angle, (first, second) in ((z, (1, 2)), (y, (0, 2)), (x, (0, 1))):
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    scales = np.exp(rng.uniform(-1, 1) * augment.scale + rng.uniform(-1, 1, 3) * augment.scale / 4)
    return matrix @ np.diag(scales * (1, 1, -1 if mirror else 1))


def random_elastic(rng: Generator, augment: AugmentConfig) -> Tensor:
    """Return coarse displacements in mm, (3, knots, knots, knots)."""
    knots = rng.normal(0, augment.elastic_mm * rng.random(), (3, ELASTIC_KNOTS, ELASTIC_KNOTS, ELASTIC_KNOTS))
    return torch.from_numpy(knots.astype(np.float32))


def patch_grid(
    stage: StageConfig,
    sample: Sample,
    centre_zyx: NDArray[np.float64],
    matrix: NDArray[np.float64],
    elastic_mm: Tensor | None = None,
) -> Tensor:
    """Return (z, y, x, 3) indices z, y, x in the sample's array for every voxel of a patch."""
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * float(step)
        for n, step in zip(stage.window_zyx, stage.spacing_zyx_mm, strict=True)
    ]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    points = points @ torch.from_numpy(matrix.T.astype(np.float32))
    if elastic_mm is not None:
        bend = F.interpolate(elastic_mm[None], size=stage.window_zyx, mode="trilinear", align_corners=True)
        points = points + bend[0].permute(1, 2, 3, 0)
    spacing = torch.from_numpy(sample.spacing_zyx_mm.astype(np.float32))
    return points / spacing + torch.from_numpy(centre_zyx.astype(np.float32))


def sample_grid(sample: Sample, grid: Tensor, structures: int) -> tuple[Tensor, Tensor, Tensor]:
    """Interpolate HU (z, y, x), labels (structures, z, y, x) and the weight (z, y, x) at `grid`'s indices."""
    shape = np.array(sample.hu.shape)
    flat = grid.reshape(-1, 3)
    start = np.clip(np.floor(flat.amin(0).numpy()).astype(int), 0, shape - 2)
    stop = np.clip(np.ceil(flat.amax(0).numpy()).astype(int) + 1, start + 2, shape)
    z, y, x = (slice(a, b) for a, b in zip(start, stop, strict=True))
    channels = np.empty((structures + 2, *(stop - start)), dtype=np.float32)
    channels[0] = sample.hu[z, y, x]
    channels[0] -= AIR_HU
    channels[1] = sample.solid[z, None, None]
    channels[2:] = sample.crop(z, y, x)[:structures]
    size = torch.from_numpy((stop - start - 1).astype(np.float32))
    place = (grid - torch.from_numpy(start.astype(np.float32))) * (2 / size) - 1
    drawn = F.grid_sample(torch.from_numpy(channels)[None], place.flip(-1)[None], align_corners=True)[0]
    return drawn[0] + AIR_HU, drawn[2:], (drawn[1] > 0.99).float()


def vary_image(rng: Generator, augment: AugmentConfig, hu: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Vary grey values, truncate the scan, add metal."""
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    air = hu < AIR_HU + 20
    if rng.random() < augment.metal_probability:
        hu = add_metal(rng, hu)
    hu = hu * (1 + augment.hu_scale * rng.uniform(-1, 1)) + augment.hu_shift * rng.uniform(-1, 1)
    if rng.random() < augment.blur_probability:
        hu = F.avg_pool3d(hu[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    hu = hu + torch.randn(hu.shape, generator=noise) * (augment.noise_hu * rng.random())
    hu = hu.masked_fill(air, AIR_HU)
    if rng.random() < augment.cut_probability:
        hu, weight = cut_end(rng, hu, weight)
    return hu, weight


def cut_end(rng: Generator, hu: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Truncate the scan at either end within the patch, as many scans end in the neck; voxels beyond have no weight."""
    place = int(rng.integers(len(hu) // 8, len(hu) * 5 // 8))
    gone = slice(0, place) if rng.random() < 0.5 else slice(len(hu) - place, len(hu))
    hu, weight = hu.clone(), weight.clone()
    hu[gone], weight[gone] = AIR_HU, 0
    return hu, weight


def add_metal(rng: Generator, hu: Tensor) -> Tensor:
    """Add a small piece of metal with streaks to a few slices, like dental fillings."""
    places = torch.nonzero(hu > 300)
    if not len(places):
        return hu
    z, y, x = (int(v) for v in places[int(rng.integers(len(places)))])
    rows, columns = torch.meshgrid(torch.arange(hu.shape[1]) - y, torch.arange(hu.shape[2]) - x, indexing="ij")
    distance = torch.sqrt((rows**2 + columns**2).float())
    angle = torch.atan2(rows.float(), columns.float())
    spokes = torch.cos(angle * int(rng.integers(3, 9)) + float(rng.uniform(0, 6.28)))
    streaks = float(rng.uniform(100, 600)) * spokes / (1 + distance / 4)
    streaks = torch.where(distance < rng.uniform(0.7, 2.5), METAL_HU, streaks)
    hu = hu.clone()
    slices = slice(max(0, z - int(rng.integers(1, 3))), z + int(rng.integers(1, 3)))
    hu[slices] = (hu[slices] + streaks).clamp(AIR_HU, METAL_HU)
    return hu
