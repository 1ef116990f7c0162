"""The gate: whether a candidate package is not inferior to the package in use, structure by structure.

Both packages contour the same patients, whom neither was trained on. For each structure the mean paired difference
of the DSC and of the surface DSC must not lie below zero by more than a margin, with a one-sided bootstrap confidence
(non-inferiority: Piaggio et al. 2012, JAMA 308:2594); the worst cases must not be worse by more than a margin of their
own; and no more structures may be missing.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding
from autocontour.base.limits import Range, Text
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.qa.commissioning.measure import MeasuredStructure
from autocontour.qa.intervals import (
    LEAST_FOR_INTERVAL,
    bootstrap_lower_bound,
    patients_for_non_inferiority,
    power_of_non_inferiority,
)
from autocontour.qa.metrics import PairMetrics

LIMITS = Path(__file__).with_name("limits.toml")

WANTED_POWER = 0.9
EVERY_SITE = "–"
"""In place of a site's name, of what is about all of them."""

Margin = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class StructureLimits:
    """How much worse a structure may be.

    Attributes
    ----------
    dsc_margin, surface_dsc_margin
        Largest mean paired loss that the confidence bound may reach.
    worst_margin
        Largest loss of the mean DSC of the worst cases.
    source
        Where the margins come from.
    """

    dsc_margin: Margin
    surface_dsc_margin: Margin
    worst_margin: Margin
    source: Annotated[str, Text(2000)]


@dataclass(frozen=True)
class GateLimits:
    """The limits of a gate, read from a TOML file.

    Attributes
    ----------
    confidence, resamples, seed
        Of the bootstrap over patients.
    least_patients
        With fewer a structure cannot be judged.
    worst_fraction
        Fraction of the patients that count as the worst cases.
    default, structures
        Margins of a structure that has none of its own, and those that have.
    """

    default: StructureLimits
    confidence: Annotated[float, Range(0.5, 0.9999)] = 0.95
    resamples: Annotated[int, Range(100, 1_000_000)] = 10_000
    seed: Annotated[int, Range(0, 2**31)] = 1
    least_patients: Annotated[int, Range(2, 100_000)] = 8
    worst_fraction: Annotated[float, Range(0.01, 1)] = 0.2
    structures: dict[str, StructureLimits] = field(default_factory=dict)

    def of(self, structure: str) -> StructureLimits:
        """Return the margins of a structure."""
        return self.structures.get(structure, self.default)


@dataclass(frozen=True)
class Change:
    """A metric of one structure with both packages.

    Attributes
    ----------
    before, after
        Mean with the package in use and with the candidate.
    lower_bound
        Of the mean paired difference, after − before, at the gate's confidence.
    power
        Probability that an equally good candidate passes with as many patients and the same standard deviation of the
        paired differences; None with fewer than `LEAST_FOR_INTERVAL`, whose deviation says nothing.
    needed
        Patients for which it would be `WANTED_POWER`; None if that is unknown, or no number is enough.
    """

    before: float
    after: float
    lower_bound: float
    power: float | None = None
    needed: int | None = None


@dataclass(frozen=True)
class Judgement:
    """One structure in the patients of one site.

    Attributes
    ----------
    site, structure
        Names.
    n
        Patients with a reference.
    dsc, surface_dsc
        Changes of the means.
    worst_before, worst_after
        Mean DSC of the worst cases of each package.
    lost_before, lost_after
        How many references got no contour.
    problems
        Why the candidate does not pass; empty if it does.
    """

    site: str
    structure: str
    n: int
    dsc: Change
    surface_dsc: Change
    worst_before: float
    worst_after: float
    lost_before: int
    lost_after: int
    problems: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values; a problem is its code and sentence."""
        return {**asdict(self), "problems": [{"code": one.code, "message": one.message} for one in self.problems]}


def read_limits(path: Path = LIMITS) -> GateLimits:
    """Read the limits of a gate.

    Raises
    ------
    UsageError
        ``AC-QA-030`` with every problem of the file.
    """
    try:
        return read_toml(GateLimits, read_file(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError("AC-QA-030", file=path.name, reason=reason) from error
    except SettingsError as error:
        raise UsageError("AC-QA-030", file=path.name, reason=str(error).rstrip("."), problems=error.problems) from error


def judge_site(
    site: str,
    before: Sequence[MeasuredStructure],
    after: Sequence[MeasuredStructure],
    limits: GateLimits,
) -> list[Judgement]:
    """Judge every structure that the package in use draws in the patients of a site.

    Parameters
    ----------
    site
        Its name in the record.
    before, after
        Measurements of the package in use and of the candidate on the same patients.
    limits
        The gate's.

    Raises
    ------
    UsageError
        ``AC-QA-031`` if both were not measured on the same patients.
    """
    first, second = ({(row.patient, row.structure): row.metrics for row in rows} for rows in (before, after))
    structures = list(dict.fromkeys(row.structure for row in before))
    known = [row.structure for row in after]
    if {patient for patient, _ in first} != {patient for patient, _ in second}:
        raise UsageError("AC-QA-031", site=site)
    judged = []
    for structure in structures:
        patients = [patient for patient, name in first if name == structure]
        ours = [first[patient, structure] for patient in patients]
        if structure in known:
            theirs = [second[patient, structure] for patient in patients]
            judged.append(_judge(site, structure, ours, theirs, limits))
        else:
            judged.append(_missing(site, structure, ours))
    return judged


def judge_drawn(
    drawn: Sequence[str],
    candidate: Sequence[str],
    candidate_drawn: Sequence[str],
    judged: Collection[str],
    limits: GateLimits,
) -> list[Judgement]:
    """Judge what no measurement shows: a structure without a reference at any site, or one no longer drawn by default.

    Parameters
    ----------
    drawn
        Structures that the package in use draws by default.
    candidate, candidate_drawn
        Structures of the candidate, and those that it draws by default.
    judged
        Structures with a reference in some patient.
    limits
        The gate's.

    Returns
    -------
    list[Judgement]
        One for each structure with a problem.
    """
    judgements = []
    for name in drawn:
        problems = []
        if name not in judged:
            problems.append(Finding.of("AC-QA-033", name, structure=name, count=0, least=limits.least_patients))
        if name not in candidate and name not in judged:
            problems.append(Finding.of("AC-QA-037", name, structure=name))
        elif name in candidate and name not in candidate_drawn:
            problems.append(Finding.of("AC-QA-050", name, structure=name))
        if problems:
            none = Change(0.0, 0.0, 0.0)
            judgements.append(Judgement(EVERY_SITE, name, 0, none, none, 0.0, 0.0, 0, 0, tuple(problems)))
    return judgements


def _judge(
    site: str, structure: str, before: list[PairMetrics], after: list[PairMetrics], limits: GateLimits
) -> Judgement:
    allowed = limits.of(structure)
    pairs = zip(_values(before), _values(after), (allowed.dsc_margin, allowed.surface_dsc_margin), strict=True)
    dsc, surface = (_change(first, second, limits, margin) for first, second, margin in pairs)
    worst = [_worst([one.dsc for one in rows], limits.worst_fraction) for rows in (before, after)]
    lost = [sum(one.volume_b_cc == 0 for one in rows) for rows in (before, after)]
    judgement = Judgement(site, structure, len(before), dsc, surface, worst[0], worst[1], lost[0], lost[1])
    return Judgement(**{**_fields(judgement), "problems": tuple(_find_problems(judgement, limits))})


def _fields(judgement: Judgement) -> dict[str, Any]:
    return {name: getattr(judgement, name) for name in Judgement.__dataclass_fields__}


def _find_problems(judged: Judgement, limits: GateLimits) -> list[Finding]:
    allowed, name, where = limits.of(judged.structure), judged.structure, f"{judged.site}: {judged.structure}"
    if judged.n < limits.least_patients:
        return [Finding.of("AC-QA-033", where, structure=name, count=judged.n, least=limits.least_patients)]
    problems = []
    for metric, change, margin in (
        ("DSC", judged.dsc, allowed.dsc_margin),
        ("surface DSC", judged.surface_dsc, allowed.surface_dsc_margin),
    ):
        if not change.lower_bound > -margin:
            problems.append(
                Finding.of(
                    "AC-QA-034",
                    where,
                    structure=name,
                    metric=metric,
                    before=change.before,
                    after=change.after,
                    bound=change.lower_bound,
                    margin=margin,
                )
            )
    before, after, margin = judged.worst_before, judged.worst_after, allowed.worst_margin
    if not after > before - margin:
        problems.append(Finding.of("AC-QA-035", where, structure=name, before=before, after=after, margin=margin))
    if judged.lost_after > judged.lost_before + judged.n // 20:
        lost = judged.lost_before, judged.lost_after
        problems.append(Finding.of("AC-QA-036", where, structure=name, before=lost[0], after=lost[1]))
    return problems


def _missing(site: str, structure: str, before: list[PairMetrics]) -> Judgement:
    """Return the judgement of a structure that the candidate no longer has."""
    dsc, surface = (Change(float(np.mean(values)), 0.0, -1.0) for values in _values(before))
    problem = Finding.of("AC-QA-037", f"{site}: {structure}", structure=structure)
    lost = sum(one.volume_b_cc == 0 for one in before)
    return Judgement(site, structure, len(before), dsc, surface, 0.0, 0.0, lost, len(before), (problem,))


def _values(rows: list[PairMetrics]) -> tuple[list[float], list[float]]:
    return [one.dsc for one in rows], [one.surface_dsc for one in rows]


def _change(before: list[float], after: list[float], limits: GateLimits, margin: float) -> Change:
    """Return the change of a metric; a patient in whom it is undefined counts as the worst value, 0."""
    first, second = (np.nan_to_num(np.array(values, dtype=np.float64)) for values in (before, after))
    bound = bootstrap_lower_bound(second - first, limits.confidence, limits.resamples, limits.seed)
    change = Change(float(first.mean()), float(second.mean()), bound)
    if len(first) < LEAST_FOR_INTERVAL:
        return change
    sd = float((second - first).std(ddof=1))
    power = power_of_non_inferiority(len(first), sd, margin, limits.confidence)
    needed = patients_for_non_inferiority(sd, margin, limits.confidence, WANTED_POWER) if margin > 0 else None
    return replace(change, power=round(power, 3), needed=needed)


def _worst(values: list[float], fraction: float) -> float:
    """Return the mean of the lowest values."""
    lowest = np.sort(np.nan_to_num(np.array(values, dtype=np.float64)))
    return float(lowest[: max(1, round(fraction * len(lowest)))].mean())
