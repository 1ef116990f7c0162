"""Augmented patches: one interpolation for crop, resampling, rotation, scale, mirror and elastic deformation.

The voxels are interpolated and varied on the trainer's device, a whole batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from autocontour.models.data.dataset import Sample
from autocontour.models.training.appearance import to_device, vary_contrast, vary_image
from autocontour.models.training.config import AugmentConfig, StageConfig
from autocontour.models.training.volumes import Part, Volumes

CPU = torch.device("cpu")
ELASTIC_KNOTS = 5


@dataclass(frozen=True)
class Patches:
    """A batch of patches with their labels, on the sampler's device.

    Attributes
    ----------
    image
        (batch, windows, z, y, x), −1 to 1.
    target
        (batch, structures, z, y, x), 0 to 1.
    weight
        (batch, structures, z, y, x), 0 where the label is unknown.
    """

    image: Tensor
    target: Tensor
    weight: Tensor


@dataclass(frozen=True)
class _Place:
    """The part of a patient that a patch shows, all drawn on the CPU."""

    which: int
    centre_zyx: NDArray[np.float64]
    mirror: bool
    matrix: NDArray[np.float64]
    elastic_mm: NDArray[np.float32]


class PatchSampler:
    """Samples patches; all randomness comes from the given generators, so that a step can be reproduced exactly.

    What is drawn at random is drawn on the CPU; the voxels are interpolated and varied on the device.

    Parameters
    ----------
    samples
        The patients. On another device than the CPU the voxels of all of them are copied there.
    structures
        In the order of the labels' bits.
    stage
        Its grid, frequencies and augmentation.
    device
        Of the patches.
    shares
        Relative frequency of each patient; empty if all are equal.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        structures: Sequence[str],
        stage: StageConfig,
        device: torch.device = CPU,
        shares: Sequence[float] = (),
    ) -> None:
        self.samples = samples
        self.stage = stage
        self.device = device
        self.shares = np.array(shares)
        self.mirrored = mirrored_channels(structures)
        self.weights = np.array([stage.sampling_weights.get(name, 1.0) for name in structures])
        present = np.array([[s.planes[k] is not None for k in range(len(structures))] for s in samples])
        self.holders = [np.flatnonzero(column) for column in present.T]
        self.weights = self.weights * present.any(axis=0)
        self.slices: dict[tuple[int, int], NDArray[np.intp]] = {}
        self.volumes = None if device.type == "cpu" else Volumes([Part.whole(sample) for sample in samples], device)
        self.axes_mm = _axes_mm(stage, device)

    def draw(self, rngs: Sequence[Generator]) -> Patches:
        """Return one augmented patch for each generator."""
        places = [self._draw_place(rng) for rng in rngs]
        hu, labels, known = self._interpolate(places)
        for number, place in enumerate(places):
            if place.mirror:
                labels[number] = labels[number].index_select(0, self._send(np.array(self.mirrored)))
        hu, known = vary_image(rngs, self.stage, hu, known)
        image = vary_contrast(rngs, self.stage.augment, to_channels(hu, self.stage.intensity_windows_hu))
        used = [self.samples[one.which].draw_known(rng) for one, rng in zip(places, rngs, strict=True)]
        used = [mine[self.mirrored] if one.mirror else mine for one, mine in zip(places, used, strict=True)]
        return Patches(image, labels, known[:, None] * self._send(np.array(used))[..., None, None, None])

    def _draw_place(self, rng: Generator) -> _Place:
        structure = int(rng.choice(len(self.weights), p=self.weights / self.weights.sum()))
        holders = self.holders[structure]
        chances = self.shares[holders] / self.shares[holders].sum() if len(self.shares) else None
        which = int(rng.choice(holders, p=chances))
        sample, augment = self.samples[which], self.stage.augment
        if self.stage.focus == "body":
            centre = np.array(sample.hu.shape) / 2
        else:
            centre = self._draw_centre(rng, which, structure)
        centre = centre + rng.uniform(-1, 1, 3) * augment.shift_zyx_mm / sample.spacing_zyx_mm
        mirror = bool(rng.random() < augment.mirror_probability)
        return _Place(which, centre, mirror, random_matrix(rng, augment, mirror), random_elastic(rng, augment))

    def _interpolate(self, places: Sequence[_Place]) -> tuple[Tensor, Tensor, Tensor]:
        """Return HU, labels and known slices of a batch: see `Volumes.interpolate`."""
        spacing = np.array([self.samples[place.which].spacing_zyx_mm for place in places])
        parts = (
            np.array([place.matrix for place in places]).transpose(0, 2, 1),
            np.array([place.centre_zyx for place in places])[:, None],
            spacing[:, None],
        )
        matrix, centre, step = (self._send(part.astype(np.float32)) for part in parts)
        bend = F.interpolate(
            self._send(np.array([place.elastic_mm for place in places])),
            size=self.stage.window_zyx,
            mode="trilinear",
            align_corners=True,
        )
        flat = (self.axes_mm @ matrix + bend.flatten(2).transpose(1, 2)) / step + centre
        points = flat.reshape(len(places), *self.stage.window_zyx, 3)
        which = [place.which for place in places]
        if self.volumes is not None:
            return self.volumes.interpolate(self._send(np.array(which)), points, len(self.weights))
        drawn = [self._interpolate_box(self.samples[n], points[k : k + 1]) for k, n in enumerate(which)]
        hu, labels, known = (torch.cat(same) for same in zip(*drawn, strict=True))
        return hu, labels, known

    def _interpolate_box(self, sample: Sample, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Interpolate a single patch on the CPU, in the part of the patient that it reaches."""
        shape = np.array(sample.hu.shape)
        low, high = (edge.numpy() for edge in points.reshape(-1, 3).aminmax(dim=0))
        start = np.clip(np.floor(low).astype(int), 0, shape - 1)
        stop = np.clip(np.floor(high).astype(int) + 2, start + 1, shape)
        z, y, x = (slice(int(first), int(last)) for first, last in zip(start, stop, strict=True))
        box = Volumes([Part.of(sample, z, y, x)], self.device)
        only = torch.zeros(1, dtype=torch.int64, device=self.device)
        return box.interpolate(only, points - torch.from_numpy(start.astype(np.float32)), len(self.weights))

    def _send(self, array: NDArray[Any]) -> Tensor:
        return to_device(array, self.device)

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
        if key not in self.slices:
            self.slices[key] = self.samples[which].slices(structure)
        return self.slices[key]


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


def random_elastic(rng: Generator, augment: AugmentConfig) -> NDArray[np.float32]:
    """Return coarse displacements in mm, (3, knots, knots, knots)."""
    knots = rng.normal(0, augment.elastic_mm * rng.random(), (3, ELASTIC_KNOTS, ELASTIC_KNOTS, ELASTIC_KNOTS))
    return knots.astype(np.float32)


def to_channels(hu: Tensor, intensity_windows_hu: Sequence[tuple[float, float]]) -> Tensor:
    """Convert (batch, z, y, x) HU to (batch, windows, z, y, x), as `scale_intensity` does for inference."""
    channels = [(hu - low) * (2 / (high - low)) - 1 for low, high in intensity_windows_hu]
    return torch.stack(channels, 1).clamp_(-1, 1)


def _axes_mm(stage: StageConfig, device: torch.device) -> Tensor:
    """Return the places of a patch's voxels from its centre in mm, (voxels, 3)."""
    axes = [
        (torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2) * float(step)
        for n, step in zip(stage.window_zyx, stage.spacing_zyx_mm, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
