"""Patients of a research set as CTs with reference masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import UsageError, is_program_error
from autocontour.models import ModelPackage
from autocontour.models.data.dataset import UNUSABLE, Sample, list_structures, read_index, read_patient
from autocontour.patient.volume import CTVolume

CALIBRATION = "calibration"
"""Name of the split used for a package's thresholds and limits: part of the training split."""


@dataclass(frozen=True, eq=False)
class CohortCase:
    """One patient, from the first to the last slice that contains enough CT.

    Attributes
    ----------
    patient
        Name in the data set.
    ct
        The scan.
    references
        Structure → (z, y, x) mask on the solid slices; structures without a contour are missing.
    solid
        (z,) bool; slices with enough CT to be evaluated.
    inside
        Structure → fraction of its reference on these slices, 0 to 1.
    """

    patient: str
    ct: CTVolume
    references: dict[str, NDArray[np.bool_]]
    solid: NDArray[np.bool_]
    inside: dict[str, float]


def list_patients(data: Path, split: str, package: ModelPackage) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the index of a data set and its entries for the patients of a split.

    Parameters
    ----------
    data
        Folder with ``index.json``; see docs/training.md.
    split
        A split of the index, or `CALIBRATION`.
    package
        The package, for `CALIBRATION`.

    Raises
    ------
    TrainingError
        ``AC-TR-002`` or ``AC-TR-010`` if the index cannot be used.
    UsageError
        ``AC-QA-010`` if the split has no patient.
    """
    index = read_index(data)
    training = package.metadata.get("training", {})
    own = training.get("validation_patients", training.get("fold_patients", ()))
    entries = [
        entry
        for entry in index["patients"]
        if (entry["patient"] in own if split == CALIBRATION else entry["split"] == split)
    ]
    if not entries:
        splits = dict.fromkeys(str(entry["split"]) for entry in index["patients"])
        raise UsageError("AC-QA-010", split=split, known=", ".join([*splits, CALIBRATION]))
    return index, entries


def read_cases(data: Path, split: str, package: ModelPackage) -> Iterator[CohortCase]:
    """Yield the patients of a split, in the order of the index; raises as `list_patients`, and `UsageError`.

    A patient that cannot be read is an error (``AC-QA-011``): results of a part of the set could be mistaken for those
    of the whole.
    """
    index, entries = list_patients(data, split, package)
    names = [name for name in package.structures if name in list_structures(index)]
    for entry in entries:
        try:
            sample = read_patient(data, entry, index, names, cut=False)
        except UNUSABLE as error:
            if is_program_error(error):
                raise
            reason = str(error) or type(error).__name__
            raise UsageError("AC-QA-011", patient=str(entry["patient"]), reason=reason) from error
        yield _case(sample, names, entry)


def _case(sample: Sample, names: list[str], entry: dict[str, Any]) -> CohortCase:
    masks = {name: sample.reference(k) for k, name in enumerate(names)}
    references = {name: mask for name, mask in masks.items() if mask is not None}
    inside = entry.get("fraction_inside_ct", {})
    return CohortCase(
        sample.patient,
        sample.to_ct(),
        references,
        sample.solid,
        {name: float(inside.get(name, 1.0)) for name in references},
    )
