"""What a clinic's corrections always change: end levels and margins, learnt from a few corrected cases.

For each structure the package's contours are compared with the corrected ones. A change is taken as a habit of the
clinic only if it is found in at least `LEAST_CASES` cases, is not chance (its 95 % bootstrap interval excludes 0), and
is large enough to matter. It becomes a calibration of the package; the weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.models import ModelPackage
from autocontour.models.package.habit import Habit
from autocontour.qa.commissioning.cohort import CohortCase, list_patients, read_cases
from autocontour.qa.commissioning.measure import run_case

LEAST_CASES = 5
LEAST_END_MM, LEAST_MARGIN_MM = 2.0, 0.5
RESAMPLES, SEED = 2000, 1


@dataclass(frozen=True)
class Estimate:
    """A change over the cases.

    Attributes
    ----------
    median_mm, low_mm, high_mm
        Median of the cases, and its 95 % bootstrap interval; nan without a case.
    n
        Cases.
    least_mm
        Smaller changes do not matter.
    """

    median_mm: float
    low_mm: float
    high_mm: float
    n: int
    least_mm: float

    @property
    def is_habit(self) -> bool:
        """Whether the clinic always changes it."""
        certain = self.low_mm > 0 or self.high_mm < 0
        return self.n >= LEAST_CASES and certain and abs(self.median_mm) >= self.least_mm

    @property
    def habit_mm(self) -> float:
        """The change that is applied; 0 if it is not a habit."""
        return round(self.median_mm, 1) if self.is_habit else 0.0


@dataclass(frozen=True)
class StructureHabits:
    """The changes of one structure: of its ends and of its border in the slices."""

    structure: str
    superior: Estimate
    inferior: Estimate
    margin: Estimate

    @property
    def habit(self) -> Habit | None:
        """What is applied; None if nothing is."""
        values = self.superior.habit_mm, self.inferior.habit_mm, self.margin.habit_mm
        cases = max(one.n for one in (self.superior, self.inferior, self.margin) if one.is_habit) if any(values) else 0
        return Habit(*values, cases) if any(values) else None


def find_habits(
    package: ModelPackage, data: Path, split: str, job: Job, *, device: str = "auto"
) -> list[StructureHabits]:
    """Contour the cases with the package and return the changes of every structure that has a reference.

    Parameters
    ----------
    package
        Without habits of its own: what it draws is compared.
    data, split
        Data set of corrected cases.
    job
        Reports progress; may cancel.
    device
        As of `autocontour.models.segment_structures`.

    Raises
    ------
    UsageError
        ``AC-QA-045`` for fewer than `LEAST_CASES` cases, or the errors of reading.
    """
    count = len(list_patients(data, split, package)[1])
    if count < LEAST_CASES:
        raise UsageError("AC-QA-045", count=count, least=LEAST_CASES)
    changes: dict[str, list[tuple[float, float, float]]] = {}
    for case in job.track(read_cases(data, split, package), "contouring the cases", count):
        masks = run_case(case, package, device).masks
        for name, reference in case.references.items():
            change = measure_change(reference, masks[name], case)
            if change is not None:
                changes.setdefault(name, []).append(change)
    return [_summarize(name, changes[name]) for name in package.structures if name in changes]


def measure_change(
    reference: NDArray[np.bool_], drawn: NDArray[np.bool_], case: CohortCase
) -> tuple[float, float, float] | None:
    """Return how much further the reference reaches than what was drawn: superior, inferior and in the slices, in mm.

    An end at an end of the scan is nan: it does not show where the clinic ends the structure. None if nothing was
    drawn or the two do not meet.
    """
    if not (reference & drawn).any():
        return None
    z, y, x = case.ct.geometry.spacing_zyx_mm
    solid = np.flatnonzero(case.solid)
    ends = [np.flatnonzero(mask.any(axis=(1, 2)))[[0, -1]] for mask in (reference, drawn)]
    (low, high), (drawn_low, drawn_high) = ends
    superior = float((high - drawn_high) * z) if max(high, drawn_high) < solid[-1] else float("nan")
    inferior = float((drawn_low - low) * z) if min(low, drawn_low) > solid[0] else float("nan")
    both = slice(max(low, drawn_low) + 1, min(high, drawn_high))
    inside, found = reference[both], drawn[both]
    border_mm = _border_mm(inside, y, x) + _border_mm(found, y, x)
    margin = 2 * (int(inside.sum()) - int(found.sum())) * y * x / border_mm if border_mm else float("nan")
    return superior, inferior, float(margin)


def with_habits(package: ModelPackage, habits: Iterable[StructureHabits]) -> dict[str, object]:
    """Return the metadata of the package with the habits."""
    found = {one.structure: one.habit for one in habits if one.habit is not None}
    metadata = dict(package.metadata)
    structures = [dict(entry) for entry in metadata["structures"]]
    for entry in structures:
        if habit := found.get(entry["name"]):
            entry["habit"] = asdict(habit)
    return metadata | {"structures": structures}


def _border_mm(mask: NDArray[np.bool_], y: float, x: float) -> float:
    """Return the length of a mask's border over all slices: the faces of its voxels, corrected for their zigzag."""
    rows, columns = (int(np.count_nonzero(np.diff(mask, axis=axis))) for axis in (1, 2))
    return (rows * x + columns * y) * np.pi / 4


def _summarize(name: str, changes: Sequence[tuple[float, float, float]]) -> StructureHabits:
    superior, inferior, margin = np.array(changes, dtype=np.float64).T
    return StructureHabits(
        name,
        _estimate(superior, LEAST_END_MM),
        _estimate(inferior, LEAST_END_MM),
        _estimate(margin, LEAST_MARGIN_MM),
    )


def _estimate(values: NDArray[np.float64], least_mm: float) -> Estimate:
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"), 0, least_mm)
    chosen = np.random.default_rng(SEED).integers(len(known), size=(RESAMPLES, len(known)))
    low, high = np.quantile(np.median(known[chosen], axis=1), (0.025, 0.975))
    return Estimate(float(np.median(known)), float(low), float(high), len(known), least_mm)
