"""What a smaller package gains and loses against the one that it learnt from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage
from autocontour.models.inference.runtime import keep_runners, open_runner
from autocontour.qa.commissioning.cohort import CALIBRATION, list_patients, read_cases
from autocontour.qa.commissioning.measure import MeasuredStructure, measure_case, of_structure, run_case

WINDOWS = 5


@dataclass(frozen=True)
class Size:
    """Size and speed of a package.

    Attributes
    ----------
    weights
        Of all its networks.
    window_s
        Stage → processor seconds of one window through all its networks, the least of several.
    patient_s
        Processor seconds of a patient from the CT to the contours, the median; None if there is none.
    """

    weights: int
    window_s: dict[str, float]
    patient_s: float | None


@dataclass(frozen=True)
class Difference:
    """One structure before and after: mean DSC of the patients held out, and how many times it was not drawn."""

    structure: str
    n: int
    dsc: tuple[float, float]
    not_drawn: tuple[int, int]


@dataclass(frozen=True)
class Comparison:
    """A package before and after it was made smaller.

    Attributes
    ----------
    patients
        Held out from all trainings.
    before, after
        Size and speed.
    structures
        What was drawn in these patients.
    """

    patients: int
    before: Size
    after: Size
    structures: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def compare_packages(
    before: ModelPackage, after: ModelPackage, data: Path, job: Job, device: str = "auto"
) -> Comparison:
    """Contour the patients held out from the training of `after` with both packages, as in the program.

    Parameters
    ----------
    before, after
        The packages.
    data
        Data set that contains the patients.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.segment_structures`.
    """
    keep_runners()
    held_out = after.metadata.get("training", {}).get("validation_patients", ())
    count = len(list_patients(data, CALIBRATION, after)[1]) if held_out else 0
    rows: tuple[list[MeasuredStructure], list[MeasuredStructure]] = ([], [])
    seconds: tuple[list[float], list[float]] = ([], [])
    cases = read_cases(data, CALIBRATION, after) if count else iter(())
    for number, case in enumerate(job.track(cases, "comparing both packages", count)):
        for k, package in enumerate((before, after)):
            started = time.process_time()
            result = run_case(case, package, device)
            if number or count == 1:  # the first one loads the networks
                seconds[k].append(time.process_time() - started)
            rows[k].extend(measure_case(case, result))
    sizes = [_size(package, each, device) for package, each in zip((before, after), seconds, strict=True)]
    return Comparison(count, sizes[0], sizes[1], tuple(_differences(after, *rows)))


def _size(package: ModelPackage, seconds: Sequence[float], device: str) -> Size:
    weights = sum(value.size for role in package.stages for value in package.read_weights(role).values())
    windows = {role: _window_seconds(package, role, device) for role in package.stages}
    return Size(weights, windows, round(float(np.median(seconds)), 3) if seconds else None)


def _window_seconds(package: ModelPackage, role: str, device: str) -> float:
    stage, runner = package.stages[role], open_runner(package, role, device)
    shape = len(stage.intensity_windows_hu), *stage.window_zyx
    window = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    found = []
    for _ in range(1 + WINDOWS):
        started = time.process_time()
        next(iter(runner([window])))
        found.append(time.process_time() - started)
    return round(min(found[1:]), 4)


def _differences(
    package: ModelPackage, before: Sequence[MeasuredStructure], after: Sequence[MeasuredStructure]
) -> list[Difference]:
    found = []
    for name in package.structures:
        pair = of_structure(before, name), of_structure(after, name)
        if pair[0]:
            means = [round(float(np.mean([row.metrics.dsc for row in rows])), 4) for rows in pair]
            missing = [sum(not row.is_drawn for row in rows) for rows in pair]
            found.append(Difference(name, len(pair[0]), (means[0], means[1]), (missing[0], missing[1])))
    return found
