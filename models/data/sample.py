"""A patient with contours as masks, held in memory or memory-mapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume

AIR_HU = -1024


@dataclass(frozen=True, eq=False)
class Plane:
    """The voxels of one structure.

    Attributes
    ----------
    start_zyx
        First voxel of its box in the patient's arrays.
    inside
        (z, y, x) bool of the box; may be memory-mapped.
    """

    start_zyx: tuple[int, int, int]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Plane | None:
        """Return the plane of a mask; None if no voxel is true."""
        box = Box.around(mask)
        return cls(box.start_zyx, mask[box.slices].copy()) if box else None

    def copy_into(self, target: NDArray[Any], start_zyx: tuple[int, int, int]) -> None:
        """Copy the part inside the box of `target`, whose first voxel is `start_zyx`, and leave the rest unchanged."""
        ours, theirs = [], []
        for axis in range(3):
            shift = self.start_zyx[axis] - start_zyx[axis]
            low, high = max(0, shift), min(target.shape[axis], shift + self.inside.shape[axis])
            if low >= high:
                return
            theirs.append(slice(low, high))
            ours.append(slice(low - shift, high - shift))
        target[tuple(theirs)] = self.inside[tuple(ours)]


@dataclass(frozen=True, eq=False)
class Sample:
    """One patient, cut to the body.

    Attributes
    ----------
    patient
        Name of its file.
    hu
        (z, y, x) int16, −1024 outside the body.
    planes
        One of every structure of the configuration; None where it has no voxel.
    known
        (structures,) bool; False means *not contoured*: the presence of the structure is unknown.
    solid
        (z,) bool; slices with enough CT to be used.
    spacing_zyx_mm
        Of the voxels.
    margins_yx
        ((before, after), (before, after)); rows and columns of air that were removed.
    trust
        (structures,) fraction of the patches in which the structure's labels are used, 0 to 1; None if all are 1.
    """

    patient: str
    hu: NDArray[np.int16]
    planes: tuple[Plane | None, ...]
    known: NDArray[np.bool_]
    solid: NDArray[np.bool_]
    spacing_zyx_mm: NDArray[np.float64]
    margins_yx: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    trust: NDArray[np.float32] | None = None

    def draw_known(self, rng: Generator) -> NDArray[np.bool_]:
        """Return (structures,) bool: whose labels are used in a patch, those known as often as they are trusted."""
        return self.known if self.trust is None else self.known & (rng.random(len(self.known)) < self.trust)

    def mask(self, structure: int) -> NDArray[np.bool_]:
        """Return the mask of the structure with that number, on the voxels of `hu`."""
        mask = np.zeros(self.hu.shape, dtype=bool)
        if plane := self.planes[structure]:
            plane.copy_into(mask, (0, 0, 0))
        return mask

    def slices(self, structure: int) -> NDArray[np.intp]:
        """Return the slices of `hu` on which the structure has a voxel."""
        plane = self.planes[structure]
        if plane is None:
            return np.zeros(0, dtype=np.intp)
        return plane.start_zyx[0] + np.flatnonzero(plane.inside.any(axis=(1, 2)))

    def crop(self, z: slice, y: slice, x: slice) -> NDArray[np.bool_]:
        """Return (structures, z, y, x) the masks of all structures on a part of `hu`, given by slices with limits."""
        shape = z.stop - z.start, y.stop - y.start, x.stop - x.start
        masks = np.zeros((len(self.planes), *shape), dtype=bool)
        for mask, plane in zip(masks, self.planes, strict=True):
            if plane:
                plane.copy_into(mask, (z.start, y.start, x.start))
        return masks

    def footprint(self, z: slice) -> NDArray[np.bool_]:
        """Return (y, x) where any structure has a voxel on the slices `z`."""
        found = np.zeros(self.hu.shape[1:], dtype=bool)
        for plane in self.planes:
            if plane:
                (first, y, x), (_, rows, columns) = plane.start_zyx, plane.inside.shape
                inside = plane.inside[max(0, z.start - first) : max(0, z.stop - first)]
                found[y : y + rows, x : x + columns] |= inside.any(axis=0)
        return found

    def to_ct(self) -> CTVolume:
        """Return the patient as a CT, from the first to the last solid slice, with the removed air."""
        hu = np.pad(self.hu, ((0, 0), *self.margins_yx), constant_values=AIR_HU)
        z, y, x = (float(step) for step in self.spacing_zyx_mm)
        return CTVolume(hu, VolumeGeometry.regular(hu.shape, (z, y, x)))

    def reference(self, structure: int) -> NDArray[np.bool_] | None:
        """Return the mask of a structure on the voxels of `to_ct`; None where it is not contoured."""
        if not self.known[structure]:
            return None
        mask = self.mask(structure) & self.solid[:, None, None]
        return np.pad(mask, ((0, 0), *self.margins_yx)) if mask.any() else None
