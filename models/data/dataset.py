"""Patients with contours as masks, held in memory for training, calibration and measurements."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.base.typed import SettingsError, build, read_json
from autocontour.models.data.entry import Index, read_entry
from autocontour.models.training.config import DataConfig
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume

AIR_HU = -1024
BODY_HU = -1000
MAX_ARRAY_BYTES = 1 << 31
UNUSABLE = (ValueError, KeyError, IndexError, TypeError, OSError, EOFError, MemoryError, zipfile.BadZipFile)
"""Exceptions raised when reading a damaged patient."""


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
    """

    patient: str
    hu: NDArray[np.int16]
    planes: tuple[Plane | None, ...]
    known: NDArray[np.bool_]
    solid: NDArray[np.bool_]
    spacing_zyx_mm: NDArray[np.float64]
    margins_yx: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

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

    def crop(self, z: slice, y: slice, x: slice, dtype: DTypeLike = np.bool_) -> NDArray[Any]:
        """Return (structures, z, y, x) the masks of all structures on a part of `hu`, given by slices with limits."""
        shape = z.stop - z.start, y.stop - y.start, x.stop - x.start
        masks = np.zeros((len(self.planes), *shape), dtype)
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


@dataclass(frozen=True)
class Dataset:
    """Patients for training, patients for validation, and excluded ones with the reason."""

    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    quarantined: dict[str, str]


def read_dataset(config: DataConfig, job: Job) -> Dataset:
    """Read every patient of the split; an unusable one is excluded with the reason and does not stop the run.

    Raises
    ------
    TrainingError
        If the folder has no usable index (``AC-TR-002``, ``AC-TR-010``) or no usable patient for training
        (``AC-TR-003``).
    """
    folder = Path(config.folder).expanduser()
    index = read_index(folder)
    entries = [entry for entry in index["patients"] if entry["split"] == config.split]
    samples, quarantined = {}, {}
    for entry in job.track(entries, "reading the patients"):
        name = str(entry["patient"])
        try:
            samples[name] = read_sample(folder / config.split / f"{name}.npz", entry, index, config.structures)
        except UNUSABLE as error:
            quarantined[name] = str(error) or type(error).__name__
    validation = choose_validation(sorted(samples), config)
    if len(samples) - len(validation) < 1:
        raise TrainingError("AC-TR-003")
    training = tuple(sample for name, sample in sorted(samples.items()) if name not in validation)
    return Dataset(training, tuple(samples[name] for name in validation), quarantined)


def choose_validation(patients: list[str], config: DataConfig) -> tuple[str, ...]:
    """Return the patients held out for selecting checkpoints and thresholds, determined by the seed."""
    order = np.random.default_rng(config.seed).permutation(len(patients))
    return tuple(sorted(patients[index] for index in order[: config.validation_patients]))


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``index.json`` of a folder of training data.

    Raises
    ------
    TrainingError
        ``AC-TR-002`` if it cannot be used, ``AC-TR-010`` if it lists no patient or no structure.
    """
    try:
        index: dict[str, Any] = read_json((folder / "index.json").read_bytes())
        listed = len(index["patients"]), len(index["structures_by_bit"])
        for entry in index["patients"]:
            str(entry["patient"]), str(entry["split"])
        if all(listed):
            build(Index, index)
    except (OSError, SettingsError, KeyError, TypeError) as error:
        raise TrainingError("AC-TR-002", reason=str(error) or type(error).__name__) from error
    if not all(listed):
        raise TrainingError("AC-TR-010")
    return index


def read_sample(
    path: Path, entry: dict[str, Any], index: dict[str, Any], structures: Sequence[str], *, cut: bool = True
) -> Sample:
    """Read one patient and cut it to the body.

    Parameters
    ----------
    path
        Its ``.npz`` file.
    entry, index
        Its entry of ``index.json``, and the whole index.
    structures
        Those of the index to read, in the order of the labels' bits.
    cut
        False keeps all rows and columns, and so labels outside the body.

    Raises
    ------
    ValueError, KeyError, OSError
        If it cannot be used, with the reason (see `UNUSABLE`).
    """
    listed = read_entry(entry)
    arrays = _read_arrays(path, ("hu", "labels", "spacing_zyx_mm"))
    hu, bits, spacing = arrays["hu"], arrays["labels"], np.asarray(arrays["spacing_zyx_mm"], dtype=np.float64)
    _check_arrays(hu, bits, spacing)
    solid = np.zeros(len(hu), dtype=bool)
    for start, stop in listed.solid_slices:
        if stop > len(hu):
            raise ValueError(f"solid_slices go to {stop}, but there are {len(hu)} slices")
        solid[start:stop] = True
    scanned = np.flatnonzero(solid)
    if not len(scanned):
        raise ValueError("no slice is solid")
    z = slice(scanned[0], scanned[-1] + 1)
    body = Box.around((hu[z] > BODY_HU) | (not cut))
    if body is None:
        raise ValueError("no body in the image")
    _, y, x = body.slices
    planes = []
    for name in structures:
        mask = (bits >> index["structures_by_bit"].index(name)) & 1 > 0
        if listed.voxels.get(name, 0) and not mask.any():
            raise ValueError(f"the index lists {listed.voxels[name]} voxels of {name}, but none is labelled")
        planes.append(Plane.of((mask & solid[:, None, None])[z, y, x]))
    known = np.array([name in listed.voxels for name in structures])
    if not any(planes):
        raise ValueError("no structure is contoured on a solid slice")
    margins = (y.start, hu.shape[1] - y.stop), (x.start, hu.shape[2] - x.stop)
    return Sample(path.stem, hu[z, y, x].astype(np.int16), tuple(planes), known, solid[z], spacing, margins)


def _check_arrays(hu: NDArray[Any], bits: NDArray[Any], spacing: NDArray[np.float64]) -> None:
    """Raise ValueError for arrays that would be misread: HU that are not integers, or exceed 16 bits."""
    if hu.ndim != 3 or hu.shape != bits.shape:
        raise ValueError(f"image {hu.shape} and labels {bits.shape} differ")
    if not np.issubdtype(hu.dtype, np.integer) or not np.issubdtype(bits.dtype, np.integer):
        raise ValueError(f"image and labels are {hu.dtype} and {bits.dtype}, not whole numbers")
    if hu.size and not -(1 << 15) <= int(hu.min()) <= int(hu.max()) < 1 << 15:
        raise ValueError(f"HU go from {hu.min()} to {hu.max()}")
    if spacing.shape != (3,) or not np.isfinite(spacing).all() or not 0.05 <= spacing.min() <= spacing.max() <= 50:
        raise ValueError("the spacing is not three numbers from 0.05 to 50 mm")


def _read_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read arrays of an npz file; a header that states more data than the file has is rejected before allocation."""
    with zipfile.ZipFile(path) as archive:
        for name in names:
            member = archive.getinfo(f"{name}.npy")
            with archive.open(member) as file:
                size = _stated_bytes(file)
            if size > min(member.file_size, MAX_ARRAY_BYTES):
                raise ValueError(f"the array {name} is not as large as its header states")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in names}


def _stated_bytes(file: IO[bytes]) -> int:
    """Return the size in bytes that the header of an npy file states for its array."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("the array holds Python objects")
    return math.prod(shape) * dtype.itemsize
