"""Reading data sets for training, calibration and measurements.

Two layouts are read: one plane per structure (`autocontour.models.data.planes`), and ``SPLIT/PATIENT.npz`` with the
bits of one array as structures.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import DatasetError, TrainingError, is_program_error
from autocontour.base.jobs import Job
from autocontour.base.typed import SettingsError, build, read_json
from autocontour.models.data.entry import Index, read_entry
from autocontour.models.data.planes import PlanesIndex, allow_open_files, find_leaks, group_patients, read_stored_sample
from autocontour.models.data.sample import AIR_HU, Plane, Sample
from autocontour.models.training.config import DataConfig
from autocontour.patient.geometry import Box

__all__ = [
    "AIR_HU",
    "UNUSABLE",
    "Dataset",
    "Plane",
    "Sample",
    "choose_validation",
    "list_structures",
    "read_dataset",
    "read_index",
    "read_patient",
    "read_sample",
]

BODY_HU = -1000
MAX_ARRAY_BYTES = 1 << 31
UNUSABLE = (ValueError, KeyError, IndexError, TypeError, OSError, EOFError, MemoryError, zipfile.BadZipFile)
"""Exceptions raised when reading a damaged patient."""


@dataclass(frozen=True)
class Dataset:
    """Patients for training, patients for validation, and excluded ones with the reason.

    Attributes
    ----------
    training, validation
        The patients.
    quarantined
        Excluded patient → why.
    shares
        Relative frequency of the patches of each patient for training; empty if all are equal.
    """

    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    quarantined: dict[str, str]
    shares: tuple[float, ...] = ()


def read_dataset(config: DataConfig, job: Job) -> Dataset:
    """Read every patient of the split; an unusable one is excluded with the reason and does not stop the run.

    Raises
    ------
    TrainingError
        If the folder has no usable index (``AC-TR-002``, ``AC-TR-010``) or no usable patient for training
        (``AC-TR-003``).
    DatasetError
        ``AC-DS-010`` if the same patient or CT is in two splits.
    """
    folder = Path(config.folder).expanduser()
    index = read_index(folder)
    entries = [entry for entry in index["patients"] if entry["split"] == config.split]
    allow_open_files(len(entries))
    samples, quarantined = {}, {}
    for entry in job.track(entries, "reading the patients"):
        name = str(entry["patient"])
        try:
            samples[name] = read_patient(folder, entry, index, config.structures)
        except UNUSABLE as error:
            if is_program_error(error):
                raise
            quarantined[name] = str(error) or type(error).__name__
    groups = group_patients([entry for entry in entries if str(entry["patient"]) in samples])
    validation = choose_validation(sorted(samples), config, groups)
    if len(samples) - len(validation) < 1:
        raise TrainingError("AC-TR-003")
    training = tuple(sample for name, sample in sorted(samples.items()) if name not in validation)
    return Dataset(training, tuple(samples[name] for name in validation), quarantined)


def choose_validation(
    patients: list[str], config: DataConfig, groups: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the patients held out for selecting checkpoints and thresholds, determined by the seed.

    Parameters
    ----------
    patients
        All patients of the split.
    config
        Number of patients to hold out, or the fold, and the seed.
    groups
        Patient → group (`group_patients`); a group is held out as a whole, so that no person is on both sides.
    """
    members: dict[str, list[str]] = {}
    for patient in sorted(patients):
        members.setdefault((groups or {}).get(patient, patient), []).append(patient)
    order = np.random.default_rng(config.seed).permutation(len(members))
    groups_in_order = [list(members)[position] for position in order]
    if config.folds:
        held_out = groups_in_order[config.fold :: config.folds]
        return tuple(sorted(patient for group in held_out for patient in members[group]))
    chosen: list[str] = []
    for group in groups_in_order:
        if len(chosen) >= config.validation_patients:
            break
        chosen += members[group]
    return tuple(sorted(chosen))


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``index.json`` of a folder of training data.

    Raises
    ------
    TrainingError
        ``AC-TR-002`` if it cannot be used, ``AC-TR-010`` if it lists no patient or no structure.
    DatasetError
        ``AC-DS-010`` if the same patient or CT is in two splits.
    """
    try:
        index: dict[str, Any] = read_json((folder / "index.json").read_bytes())
        listed = len(index["patients"]), len(list_structures(index))
        for entry in index["patients"]:
            str(entry["patient"]), str(entry["split"])
        if all(listed):
            build(PlanesIndex if "format" in index else Index, index)
    except (OSError, SettingsError, KeyError, TypeError) as error:
        raise TrainingError("AC-TR-002", reason=str(error) or type(error).__name__) from error
    if not all(listed):
        raise TrainingError("AC-TR-010")
    if leaks := find_leaks(index["patients"]):
        raise DatasetError("AC-DS-010", count=len(leaks), patients=", ".join(leaks[0]))
    return index


def list_structures(index: dict[str, Any]) -> list[str]:
    """Return the names of the structures in an index of either layout."""
    return list(index["structures" if "format" in index else "structures_by_bit"])


def read_patient(
    folder: Path, entry: dict[str, Any], index: dict[str, Any], structures: Sequence[str], *, cut: bool = True
) -> Sample:
    """Read one patient of the data set in `folder`, of either layout; see `read_sample`."""
    if "format" in index:
        return read_stored_sample(folder, entry, structures, cut=cut)
    name = f"{entry['patient']}.npz"
    path = folder / str(entry["split"]) / name
    if not path.exists():  # the folder of a split may have another name, as ``val`` of ``validation``
        path = next(folder.glob(f"*/{name}"), path)
    return read_sample(path, entry, index, structures, cut=cut)


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
    planes: list[Plane | None] = []
    for name in structures:
        if name not in index["structures_by_bit"]:
            planes.append(None)
            continue
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
