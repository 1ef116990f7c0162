"""Patients with contours as masks, held in memory for training."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import TrainingError
from autocontour.base.jobs import Job
from autocontour.models.training.config import DataConfig
from autocontour.patient.geometry import Box

AIR_HU = -1024
BODY_HU = -1000


@dataclass(frozen=True, eq=False)
class Sample:
    """One patient, cut to the body.

    Attributes
    ----------
    hu
        (z, y, x) int16, −1024 outside the body.
    labels
        (z, y, x) uint16; bit k is structure k of the configuration.
    known
        (structures,) bool; False means *not contoured*, which teaches nothing.
    solid
        (z,) bool; slices that hold enough CT to learn from.
    """

    patient: str
    hu: NDArray[np.int16]
    labels: NDArray[np.uint16]
    known: NDArray[np.bool_]
    solid: NDArray[np.bool_]
    spacing_zyx_mm: NDArray[np.float64]

    def mask(self, structure: int) -> NDArray[np.bool_]:
        """Return the mask of the structure with that number."""
        return self.labels & np.uint16(1 << structure) > 0


@dataclass(frozen=True)
class Dataset:
    """What could be learnt from, the fold kept apart, and what was set aside with the reason."""

    training: tuple[Sample, ...]
    fold: tuple[Sample, ...]
    quarantined: dict[str, str]


def read_dataset(config: DataConfig, job: Job) -> Dataset:
    """Read every patient of the split; a bad one is quarantined with the reason and never stops the run.

    Raises
    ------
    TrainingError
        If the folder has no usable index (``AC-TR-002``) or too few sound patients (``AC-TR-003``).
    """
    folder = Path(config.folder).expanduser()
    index = _read_index(folder)
    entries = [entry for entry in index["patients"] if entry["split"] == config.split]
    samples, quarantined = {}, {}
    for entry in job.track(entries, "reading the patients"):
        name = str(entry["patient"])
        try:
            samples[name] = read_sample(folder / config.split / f"{name}.npz", entry, index, config.structures)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            quarantined[name] = str(error) or type(error).__name__
    fold = choose_fold(sorted(samples), config)
    if len(samples) - len(fold) < 1:
        raise TrainingError("AC-TR-003", "No sound patient is left to learn from.", "See the quarantine's reasons.")
    training = tuple(sample for name, sample in sorted(samples.items()) if name not in fold)
    return Dataset(training, tuple(samples[name] for name in fold), quarantined)


def choose_fold(patients: list[str], config: DataConfig) -> tuple[str, ...]:
    """Return the patients kept apart, decided by the seed alone."""
    order = np.random.default_rng(config.seed).permutation(len(patients))
    return tuple(sorted(patients[index] for index in order[: config.fold_patients]))


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        listed = len(index["patients"]), len(index["structures_by_bit"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Give the folder that holds index.json and the patients' .npz files."
        raise TrainingError("AC-TR-002", f"The training data have no usable index: {error}.", remedy) from error
    if not all(listed):
        raise TrainingError("AC-TR-003", "The training data's index lists no patient or no structure.")
    return index


def read_sample(path: Path, entry: dict[str, Any], index: dict[str, Any], structures: tuple[str, ...]) -> Sample:
    """Read one patient and cut it to the body.

    Raises
    ------
    ValueError, KeyError, OSError
        With the reason why it cannot be learnt from.
    """
    with np.load(path, allow_pickle=False) as arrays:
        hu, bits = arrays["hu"], arrays["labels"]
        spacing = np.asarray(arrays["spacing_zyx_mm"], dtype=np.float64)
    if hu.ndim != 3 or hu.shape != bits.shape:
        raise ValueError(f"image {hu.shape} and labels {bits.shape} differ")
    if not np.isfinite(spacing).all() or spacing.min() <= 0:
        raise ValueError("the spacing is not positive")
    solid = np.zeros(len(hu), dtype=bool)
    for start, stop in entry["solid_slices"]:
        solid[start:stop] = True
    body = Box.around((hu > BODY_HU) & solid[:, None, None])
    if body is None:
        raise ValueError("no body in the image")
    labels = np.zeros(bits.shape, dtype=np.uint16)
    for bit, name in enumerate(structures):
        labels |= ((bits >> index["structures_by_bit"].index(name)) & 1) << bit
    labels[~solid] = 0
    known = np.array([name in entry["voxels"] for name in structures])
    if not labels.any():
        raise ValueError("no structure is contoured on a solid slice")
    z, y, x = body.slices
    return Sample(path.stem, hu[z, y, x].astype(np.int16), labels[z, y, x].copy(), known, solid[z].copy(), spacing)
