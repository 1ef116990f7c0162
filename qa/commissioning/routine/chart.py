"""Control charts of the edit load: a baseline, monthly means with limits, Nelson rules, and alarms.

Per structure the first approved contours are the baseline. Every later month is compared with it in two ways:

- *Signals*: the monthly mean against mean ± 2 and 3 standard errors, with the rules of Nelson (J Qual Technol
  1984;16:237). Over many structures and months some occur by chance.
- *Alarms*: the month, and the last three months of the calendar together, against the baseline by two-sided
  Mann–Whitney tests, and the fraction of these three months beyond the baseline's worst 5 % by Fisher's exact test, at
  levels that together give an alarm in at most 5 % of the years in which nothing changes (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.qa.commissioning.routine.observe import REJECTED, Observation

LEAST_BASELINE, MOST_BASELINE, DEFAULT_BASELINE = 50, 150, 100
LEAST_MONTH = 5
"""Fewer contours of a month are listed and not judged."""
YEARLY_LEVEL = 0.05
"""Probability of an alarm in a year without any change."""
MONTHS_PER_YEAR = 12
TAIL = 0.05
ALARM, SIGNAL, COLLECTING, STABLE = "alarm", "signal", "collecting", "stable"
"""An alarm that is not acknowledged, a signal in the last month, an incomplete baseline, none of these."""
POOLED_MONTHS = 3
METRICS = ("dsc", "added_path_length_mm")
Acknowledged = Sequence[tuple[str, str]]
"""Month up to which alarms are acknowledged (YYYY-MM), and the day on which a person did so (YYYY-MM-DD)."""
KINDS_OF_TEST = 3
"""Month, last months together, and the tail."""
WORSE = {"dsc": -1, "added_path_length_mm": 1}
"""Sign of a change for the worse."""

Json = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """The contours that the later ones of a structure are compared with.

    Attributes
    ----------
    structure
        Its name.
    identity
        What drew all of them.
    observations
        In the order of their approval.
    wanted
        How many make it complete.
    """

    structure: str
    identity: str
    observations: tuple[Observation, ...]
    wanted: int

    @property
    def is_complete(self) -> bool:
        """Whether it has as many contours as wanted."""
        return len(self.observations) >= self.wanted

    def values(self, metric: str) -> Floats:
        """Return a metric of all contours; a rejected one has a DSC of 0 and an infinite added path length."""
        return values_of(self.observations, metric)


def values_of(observations: Sequence[Observation], metric: str) -> Floats:
    """Return a metric of all contours; a rejected one has a DSC of 0 and an infinite added path length."""
    values = [getattr(one, metric) for one in observations]
    return np.array([math.inf if value is None else value for value in values], dtype=np.float64)


def take_baseline(structure: str, observations: Sequence[Observation], wanted: int) -> Baseline:
    """Return the baseline of a structure: the first `wanted` contours, all drawn by the package of the first one.

    It ends where another package begins: contours of two packages are never mixed.
    """
    mine = sorted(observations, key=lambda one: (one.at, one.case))
    identity = mine[0].identity if mine else ""
    same = next((index for index, one in enumerate(mine) if one.identity != identity), len(mine))
    return Baseline(structure, identity, tuple(mine[: min(wanted, same)]), wanted)


def chart_structure(
    baseline: Baseline, observations: Sequence[Observation], charted: int, acknowledged: Acknowledged = ()
) -> Json:
    """Return the chart of one structure as plain values.

    Parameters
    ----------
    baseline
        Of the structure.
    observations
        All of the structure, the baseline among them.
    charted
        How many structures are charted: the levels of the alarms depend on it.
    acknowledged
        Which alarms are acknowledged; another package only if its first contour was approved by that day.
    """
    known = {one.key for one in baseline.observations}
    later = sorted((one for one in observations if one.key not in known), key=lambda one: (one.at, one.case))
    months = [_month(month, later, baseline) for month in sorted({one.month for one in later})]
    chart: Json = {
        "structure": baseline.structure,
        "identity": baseline.identity,
        "baseline": _describe(baseline),
        "months": months,
        "changes": find_changes(baseline, later),
        "signals": [],
        "alarms": [],
    }
    if baseline.is_complete:
        chart["signals"] = find_signals(months)
        chart["alarms"] = _find_alarms(baseline, later, months, charted)
    for one in chart["alarms"]:
        one["acknowledged"] = any(one["month"] <= month for month, _ in acknowledged)
    for one in chart["changes"]:
        one["acknowledged"] = any(one["month"] <= month and one["at"] <= day for month, day in acknowledged)
    chart["status"] = _status(chart, is_complete=baseline.is_complete)
    return chart


def alarm_level(charted: int) -> float:
    """Return the level of each test: together they alarm in at most `YEARLY_LEVEL` of the years without a change."""
    return YEARLY_LEVEL / (MONTHS_PER_YEAR * len(METRICS) * KINDS_OF_TEST * max(1, charted))


def _status(chart: Json, *, is_complete: bool) -> str:
    if any(not one["acknowledged"] for one in (*chart["alarms"], *chart["changes"])):
        return ALARM
    if not is_complete:
        return COLLECTING
    last = chart["months"][-1]["month"] if chart["months"] else ""
    return SIGNAL if any(one["month"] == last for one in chart["signals"]) else STABLE


def _describe(baseline: Baseline) -> Json:
    mine = baseline.observations
    return {
        "n": len(mine),
        "wanted": baseline.wanted,
        "first": mine[0].at[:10] if mine else "",
        "last": mine[-1].at[:10] if mine else "",
        "rejected": sum(one.decision == REJECTED for one in mine),
        "unedited": sum(_is_unedited(one) for one in mine),
        **{metric: _mean_and_sd(_kept(mine, metric)) for metric in METRICS},
    }


def _is_unedited(one: Observation) -> bool:
    return one.decision != REJECTED and not one.edited_slices


def _kept(observations: Sequence[Observation], metric: str) -> Floats:
    """Return a metric of the contours that were approved."""
    return values_of([one for one in observations if one.decision != REJECTED], metric)


def _mean_and_sd(values: Floats) -> Json:
    return {
        "mean": float(values.mean()) if len(values) else None,
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "median": float(np.median(values)) if len(values) else None,
    }


def _month(month: str, later: Sequence[Observation], baseline: Baseline) -> Json:
    mine = [one for one in later if one.month == month]
    row: Json = {
        "month": month,
        "n": len(mine),
        "rejected": sum(one.decision == REJECTED for one in mine),
        "unedited": sum(_is_unedited(one) for one in mine),
        "identities": sorted({one.identity for one in mine}),
    }
    for metric in METRICS:
        # An incomplete baseline has no limits.
        reference = baseline.observations if baseline.is_complete else ()
        row[metric] = _limits(_kept(mine, metric), _kept(reference, metric))
    return row


def list_months(first: str, last: str) -> list[str]:
    """Return every month from the first to the last one, also those without a contour.

    Examples
    --------
    >>> list_months("2025-11", "2026-02")
    ['2025-11', '2025-12', '2026-01', '2026-02']
    """
    start, stop = (int(month[:4]) * MONTHS_PER_YEAR + int(month[5:]) - 1 for month in (first, last))
    pairs = (divmod(number, MONTHS_PER_YEAR) for number in range(start, stop + 1))
    return [f"{year:04d}-{month + 1:02d}" for year, month in pairs]


def _limits(mine: Floats, first: Floats) -> Json:
    """Return the mean of a month with its place on the chart."""
    found: Json = {"mean": float(mine.mean()) if len(mine) else None, "z": None, "standard_error": None, "n": len(mine)}
    if len(mine) >= LEAST_MONTH and len(first) >= LEAST_MONTH:
        # Both the month and the baseline are samples.
        error = float(first.std(ddof=1)) * math.sqrt(1 / len(mine) + 1 / len(first))
        found["standard_error"] = error
        if error > 0:
            found["z"] = float(mine.mean() - first.mean()) / error
        elif mine.mean() != first.mean():
            found["z"] = math.copysign(99.0, mine.mean() - first.mean())
        else:
            found["z"] = 0.0
    return found


def find_signals(months: Sequence[Json]) -> list[Json]:
    """Return the Nelson rules that hold, each in the months in which it does."""
    found = []
    for metric in METRICS:
        judged = [row for row in months if row[metric]["z"] is not None]
        rules = nelson_rules([row[metric]["z"] for row in judged])
        found += [
            {"month": row["month"], "metric": metric, "rule": rule, "direction": _direction(metric, row[metric]["z"])}
            for row, mine in zip(judged, rules, strict=True)
            for rule in mine
        ]
    return found


def nelson_rules(z: Sequence[float]) -> list[list[int]]:
    """Return, for every point of a chart in standard errors from its centre, the rules that it completes.

    1: one point beyond 3. 2: nine in a row on one side. 3: six in a row steadily rising or falling. 4: fourteen in a
    row alternating. 5: two of three beyond 2 on one side. 6: four of five beyond 1 on one side. 7: fifteen in a row
    within 1. 8: eight in a row beyond 1 on both sides (Nelson, J Qual Technol 1984;16:237).

    Examples
    --------
    >>> nelson_rules([0.1, 3.2, 2.5, -0.2])
    [[], [1], [5], []]
    """
    values = np.asarray(z, dtype=np.float64)
    return [[rule for rule, holds in _RULES.items() if holds(values[: end + 1])] for end in range(len(values))]


def _one_side(values: Floats, count: int, of: int, beyond: float) -> bool:
    """Whether the last point and `count` of the last `of` points in all lie beyond on one side."""
    last = values[-of:]
    sides = (last > beyond, last < -beyond)
    return any(bool(side[-1]) and int(side.sum()) >= count for side in sides)


def _steady(values: Floats) -> bool:
    steps = np.diff(values[-6:])
    return len(steps) == 5 and (bool((steps > 0).all()) or bool((steps < 0).all()))


def _alternating(values: Floats) -> bool:
    steps = np.sign(np.diff(values[-14:]))
    return len(steps) == 13 and bool((steps[1:] == -steps[:-1]).all()) and bool(steps.all())


def _both_sides(values: Floats) -> bool:
    last = values[-8:]
    return len(last) == 8 and bool((np.abs(last) > 1).all()) and bool((last > 1).any() and (last < -1).any())


_RULES = {
    1: lambda z: bool(abs(z[-1]) > 3),
    2: lambda z: _one_side(z, 9, 9, 0.0),
    3: _steady,
    4: _alternating,
    5: lambda z: _one_side(z, 2, 3, 2.0),
    6: lambda z: _one_side(z, 4, 5, 1.0),
    7: lambda z: len(z) >= 15 and bool((np.abs(z[-15:]) < 1).all()),
    8: _both_sides,
}


def _direction(metric: str, difference: float) -> str:
    """Return whether contours are corrected more or less than before."""
    return "more" if difference * WORSE[metric] > 0 else "less"


def _find_alarms(baseline: Baseline, later: Sequence[Observation], months: Sequence[Json], charted: int) -> list[Json]:
    level = alarm_level(charted)
    found = []
    calendar = list_months(months[0]["month"], months[-1]["month"]) if months else []
    for row in months:
        end = calendar.index(row["month"]) + 1
        names = calendar[max(0, end - POOLED_MONTHS) : end]
        mine = [one for one in later if one.month == row["month"]]
        pooled = [one for one in later if one.month in names]
        for metric in METRICS:
            reference, values, recent = baseline.values(metric), values_of(mine, metric), values_of(pooled, metric)
            tests = {"month": _shift(reference, values), "tail": _tail(reference, recent, WORSE[metric])}
            if len(pooled) > len(mine):
                tests["months"] = _shift(reference, recent)
            for kind, (p, difference) in tests.items():
                if p < level:
                    found.append(
                        {"month": row["month"], "metric": metric, "test": kind, "p": p, "level": level,
                         "direction": _direction(metric, difference)}
                    )  # fmt: skip
    return found


def _shift(reference: Floats, values: Floats) -> tuple[float, float]:
    """Return p of the Mann–Whitney test, and the sign of the shift."""
    from scipy.stats import mannwhitneyu

    if min(len(reference), len(values)) < LEAST_MONTH:
        return 1.0, 0.0
    if np.ptp(np.nan_to_num(np.concatenate([reference, values]), posinf=1e9)) == 0:
        return 1.0, 0.0
    tested = mannwhitneyu(values, reference, alternative="two-sided", method="asymptotic")
    return float(tested.pvalue), float(tested.statistic - len(values) * len(reference) / 2)


def _tail(reference: Floats, values: Floats, worse: int) -> tuple[float, float]:
    """Return the one-sided p of more values beyond the baseline's worst 5 % than the baseline itself has."""
    from scipy.stats import fisher_exact

    if min(len(reference), len(values)) < LEAST_MONTH:
        return 1.0, 0.0
    limit = np.quantile(worse * reference, 1 - TAIL, method="higher")
    beyond = [int((worse * sample > limit).sum()) for sample in (values, reference)]
    table = np.array([[beyond[0], len(values) - beyond[0]], [beyond[1], len(reference) - beyond[1]]])
    return float(fisher_exact(table, alternative="greater").pvalue), float(worse)


def find_changes(baseline: Baseline, later: Sequence[Observation]) -> list[Json]:
    """Return every package other than the baseline's, at its first contour."""
    first: dict[str, Observation] = {}
    for one in later:
        if one.identity != baseline.identity:
            first.setdefault(one.identity, one)
    reference = baseline.observations[0] if baseline.observations else None
    return [
        {
            "at": one.at[:10],
            "month": one.month,
            "case": one.case,
            "before": baseline.identity,
            "after": identity,
            "same_version": reference is not None
            and (one.algorithm, one.version) == (reference.algorithm, reference.version),
        }
        for identity, one in first.items()
    ]


def chart_all(
    observations: Sequence[Observation],
    wanted: int = DEFAULT_BASELINE,
    baselines: Mapping[str, Baseline] | None = None,
    acknowledged: Acknowledged = (),
) -> list[Json]:
    """Return the charts of all structures.

    Parameters
    ----------
    observations
        One for every case and structure.
    wanted
        Contours of a baseline.
    baselines
        Those that are complete and kept from earlier; others are taken from `observations`.
    acknowledged
        See `chart_structure`.
    """
    by_structure: dict[str, list[Observation]] = {}
    for one in observations:
        by_structure.setdefault(one.structure, []).append(one)
    found = {
        name: (baselines or {}).get(name) or take_baseline(name, mine, wanted) for name, mine in by_structure.items()
    }
    charted = sum(one.is_complete for one in found.values())
    return [chart_structure(found[name], by_structure[name], charted, acknowledged) for name in sorted(by_structure)]
