"""The voxels of patients on a device, and their interpolation at any points."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocontour.models.data.dataset import AIR_HU, Sample

BITS = 32
"""Structures in each 32-bit word of the labels."""


@dataclass(frozen=True)
class Part:
    """The voxels of a patient, or of a box of them.

    Attributes
    ----------
    hu
        (z, y, x).
    labels
        (words, z, y, x); bit k of word n is structure 32 n + k.
    solid
        (z,).
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.int32]
    solid: NDArray[np.bool_]

    @classmethod
    def of(cls, sample: Sample, z: slice, y: slice, x: slice) -> Part:
        """Return the part of a patient between slices with limits."""
        masks = sample.crop(z, y, x)
        labels = np.zeros((-(-len(masks) // BITS), *masks.shape[1:]), np.uint32)
        for structure, mask in enumerate(masks):
            labels[structure // BITS][mask] |= np.uint32(1 << structure % BITS)
        return cls(sample.hu[z, y, x], labels.view(np.int32), sample.solid[z])

    @classmethod
    def whole(cls, sample: Sample) -> Part:
        """Return all voxels of a patient."""
        z, y, x = (slice(0, size) for size in sample.hu.shape)
        return cls.of(sample, z, y, x)


class Volumes:
    """HU, labels and solid slices of parts of any sizes, one after the other in flat tensors on a device.

    Parameters
    ----------
    parts
        At least one.
    device
        Where the tensors are and the interpolation is computed.
    """

    def __init__(self, parts: Sequence[Part], device: torch.device) -> None:
        shapes = np.array([part.hu.shape for part in parts])
        self.hu = _join([part.hu for part in parts]).to(device)
        words = range(len(parts[0].labels))
        self.labels = [_join([part.labels[word] for part in parts]).to(device) for word in words]
        self.solid = _join([part.solid for part in parts]).to(device)
        self.shapes = torch.from_numpy(shapes).to(device)
        self.starts = torch.from_numpy(_starts(shapes.prod(axis=1))).to(device)
        self.first_slices = torch.from_numpy(_starts(shapes[:, 0])).to(device)

    def interpolate(self, which: Tensor, points: Tensor, structures: int) -> tuple[Tensor, Tensor, Tensor]:
        """Interpolate linearly between voxels; outside an array are air, no label and no solid slice.

        Parameters
        ----------
        which
            (batch,) number of the part of each patch.
        points
            (batch, z, y, x, 3) indices z, y, x in the part.
        structures
            Number of labels.

        Returns
        -------
        tuple[Tensor, Tensor, Tensor]
            HU (batch, z, y, x), labels (batch, structures, z, y, x) from 0 to 1, and whether all slices that a voxel
            lies between are solid, (batch, z, y, x), as 0 or 1.
        """
        batch, size = points.shape[0], points.shape[1:-1]
        flat = points.reshape(batch, -1, 3)
        low = flat.floor()
        sizes = self.shapes[which]
        axes = [_Axis(low[..., k].long(), (flat - low)[..., k], sizes[:, k, None]) for k in range(3)]
        start, first = self.starts[which, None], self.first_slices[which, None]
        bits = torch.arange(BITS, dtype=torch.int32, device=flat.device)[:, None]
        hu = torch.zeros(flat.shape[:2], device=flat.device)
        solid = torch.zeros_like(hu)
        labels = torch.zeros((batch, structures, flat.shape[1]), device=flat.device)
        for far in itertools.product((0, 1), repeat=3):
            (z, share_z), (y, share_y), (x, share_x) = (axis.corner(one) for axis, one in zip(axes, far, strict=True))
            share = share_z * share_y * share_x
            place = start + (z * axes[1].size + y) * axes[2].size + x
            hu += share * (self.hu[place] - AIR_HU)
            solid += share * self.solid[first + z]
            for word, stored in enumerate(self.labels):
                some = labels[:, word * BITS : (word + 1) * BITS]
                some += share[:, None] * ((stored[place][:, None] >> bits[: some.shape[1]]) & 1)
        whole = (batch, *size)
        known = (solid > 0.99).float().reshape(whole)
        return hu.reshape(whole) + AIR_HU, labels.reshape(batch, structures, *size), known


@dataclass(frozen=True)
class _Axis:
    """Where points lie along one axis: the voxel before, the distance from it, and the axis' size, (batch, points)."""

    before: Tensor
    distance: Tensor
    size: Tensor

    def corner(self, far: int) -> tuple[Tensor, Tensor]:
        """Return the index of the voxel before or after each point, and its share; 0 for one outside the array."""
        index = self.before + far
        share = self.distance if far else 1 - self.distance
        inside = (index >= 0) & (index < self.size)
        return torch.minimum(index.clamp(min=0), self.size - 1), share * inside


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]])


def _join(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    """Return all voxels, one array after the other, copied: arrays of a memory-mapped data set cannot be written."""
    joined = np.empty(sum(array.size for array in arrays), arrays[0].dtype)
    start = 0
    for array in arrays:
        joined[start : start + array.size].reshape(array.shape)[...] = array
        start += array.size
    return torch.from_numpy(joined)
