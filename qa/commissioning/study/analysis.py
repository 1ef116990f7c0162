"""The statistics of a study, from the records of its patients.

A structure of the reference that a method did not draw is a failure: DSC and surface DSC 0, infinite distances. A mean
of values of which one is infinite is infinite; mean and SD of the finite ones are stated beside it with their number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.qa.agreement import compute_bland_altman, compute_icc
from autocontour.qa.commissioning.gate.judge import GateLimits
from autocontour.qa.commissioning.study.compare import CONSENSUS
from autocontour.qa.commissioning.study.request import REFERENCE
from autocontour.qa.commissioning.study.tolerances import Tolerances, published_agreement
from autocontour.qa.intervals import (
    LEAST_FOR_INTERVAL,
    Interval,
    bootstrap_interval,
    judge_non_inferiority,
    medians,
    wilson_interval,
)
from autocontour.qa.statistics import compare_paired, quantile, summarize

ALPHA = 0.05
LEAST_FOR_TAIL = 20
"""Fewer values have no 5th percentile of their own: it would be their minimum."""
METRICS = (
    *("dsc", "surface_dsc", "hd95_mm", "hausdorff_mm", "mean_surface_distance_mm", "added_path_length_mm"),
    *("volume_difference_cc", "centroid_distance_mm"),
)
TESTED = ("dsc", "surface_dsc", "added_path_length_mm", "hd95_mm", "hausdorff_mm")
INFINITE = ("hd95_mm", "hausdorff_mm", "mean_surface_distance_mm", "centroid_distance_mm")
"""Distances to a structure that was not drawn."""
Row = Mapping[str, Any]
Json = dict[str, Any]


class Analysis:
    """The comparisons of all patients.

    Parameters
    ----------
    records
        Of the patients.
    observers
        Manual sets besides the reference.
    methods, others
        All in the order of the report, and which of them are sets of other programs.
    tolerances, limits
        The tolerances of the study, and the margins of the gate for structures without one of their own.
    """

    def __init__(
        self,
        records: Sequence[Json],
        observers: Sequence[str],
        methods: Sequence[str],
        others: Sequence[str],
        tolerances: Tolerances,
        limits: GateLimits,
    ) -> None:
        self.records, self.observers, self.methods = records, list(observers), list(methods)
        self.tolerances, self.limits = tolerances, limits
        self.rows: dict[tuple[str, str, str], dict[str, Row]] = defaultdict(dict)
        for record in records:
            for row in record["rows"]:
                self.rows[row["structure"], row["a"], row["b"]][record["patient"]] = row
        self.structures = sorted({structure for structure, _, _ in self.rows} | self._drawn_by_reference())
        # What another program offers is known only from its sets: what none of them has, it does not offer.
        self.not_offered = [
            (method, structure)
            for method in self.methods
            for structure in self.structures
            if not (rows := self._of(structure, method))
            or (method in others and all(row["missing"] for row in rows.values()))
        ]

    def _drawn_by_reference(self) -> set[str]:
        return {name for record in self.records for name in record["drawn"][REFERENCE]}

    def _of(self, structure: str, b: str, a: str = REFERENCE) -> Mapping[str, Row]:
        return self.rows.get((structure, a, b), {})

    def run(self) -> Json:
        """Return every table as plain values."""
        return {
            "results": [self._result(structure, method) for structure, method in self._pairs()],
            "not_offered": [{"method": method, "structure": structure} for method, structure in self.not_offered],
            "paired_tests": list(self._tests()),
            "non_inferiority": list(self._non_inferiority()),
            "observers": [found for structure in self.structures if (found := self._spread(structure))],
            "places": [found for structure, method in self._pairs() if (found := self._place(structure, method))],
            "dose_differences": list(self._doses()),
            "volumes": [found for structure in self.structures if (found := self._volumes(structure))],
        }

    def _pairs(self) -> list[tuple[str, str]]:
        return [(name, method) for name in self.structures for method in self.methods
                if (method, name) not in self.not_offered]  # fmt: skip

    def _result(self, structure: str, method: str) -> Json:
        rows = list(self._of(structure, method).values())
        figures = {metric: summarize_metric([value_of(row, metric) for row in rows]) for metric in METRICS}
        volumes = [[value_of(row, key) for row in rows] for key in ("volume_a_cc", "volume_b_cc")]
        drawn = [[volume for volume, row in zip(mine, rows, strict=True) if not row["missing"]] for mine in volumes]
        agreement = compute_bland_altman(*drawn)
        return {
            "structure": structure,
            "method": method,
            "n": len(rows),
            "failures": sum(row["missing"] for row in rows),
            "tau_mm": self.tolerances.tau_mm(structure),
            "tau_source": self.tolerances.source(structure, "tau_mm"),
            "where_drawn": bool(self.tolerances.limit(structure, "where_drawn")),
            "metrics": figures,
            "bland_altman_volume_cc": plain(agreement),
            "limits": self._judge(structure, figures),
        }

    def _judge(self, structure: str, figures: Mapping[str, Json]) -> list[Json]:
        """Compare the mean DSC and the median HD95 with the limits that a file or a publication states."""
        judged: list[Json] = []
        for metric, statistic, sign in (("dsc", "mean", 1), ("hd95_mm", "median", -1)):
            limit = self.tolerances.limit(structure, metric)
            value = figures[metric][statistic]
            if limit is not None and value is not None:
                value = float(value)  # "infinity" too
                source = self.tolerances.source(structure, metric)
                judged.append(
                    {"metric": metric, "statistic": statistic, "value": number(value), "limit": limit,
                     "source": source, "within": bool(sign * (value - limit) >= 0)}
                )  # fmt: skip
        if published := published_agreement(structure):
            agreement, source = published
            for metric in ("dsc", "hd95_mm"):
                limit = getattr(agreement, metric)
                if limit is not None:
                    value = figures[metric]["median"]
                    judged.append(
                        {"metric": metric, "statistic": "median", "value": value, "limit": limit,
                         "source": f"two humans, published: {source}", "within": None}
                    )  # fmt: skip
        return judged

    def _tests(self) -> Iterable[Json]:
        """Yield the paired tests of every two methods on the patients that both have."""
        for structure in self.structures:
            methods = [one for one in self.methods if (one, structure) not in self.not_offered]
            pairs = list(combinations(methods, 2))
            for metric in TESTED:
                for first, second in pairs:
                    yield self._test(structure, metric, first, second, ALPHA / len(pairs))

    def _test(self, structure: str, metric: str, first: str, second: str, alpha: float) -> Json:
        one, two, unpaired = self._paired(structure, (REFERENCE, first), (REFERENCE, second), metric)
        tested = compare_paired(one, two)
        return {
            "structure": structure,
            "metric": metric,
            "first": first,
            "second": second,
            "n": tested.n,
            "unpaired": unpaired,
            "not_finite": tested.n - tested.n_finite,
            "different": tested.n_different,
            "median_difference": number(tested.median_difference),
            "t_p": number(tested.t_p),
            "wilcoxon_p": number(tested.wilcoxon_p),
            "alpha": alpha,
            # The least two-sided p of a signed-rank test with n pairs that differ is 2 / 2ⁿ.
            "can_be_significant": bool(2.0 ** (1 - tested.n_different) < alpha),
            "significant": bool(tested.wilcoxon_p < alpha) if math.isfinite(tested.wilcoxon_p) else None,
        }

    def _paired(
        self, structure: str, first: tuple[str, str], second: tuple[str, str], metric: str,
        without: Collection[str] = (),
    ) -> tuple[list[float], list[float], int]:  # fmt: skip
        """Return a metric of two comparisons in the patients that have both, and how many have only one."""
        found = (self._of(structure, b, a) for a, b in (first, second))
        one, two = ({patient: row for patient, row in rows.items() if patient not in without} for rows in found)
        both = [patient for patient in one if patient in two]
        values = [[value_of(rows[patient], metric) for patient in both] for rows in (one, two)]
        return values[0], values[1], len(set(one) ^ set(two))

    def _non_inferiority(self) -> Iterable[Json]:
        """Yield each method against every further observer, and against the first method."""
        for structure, method in self._pairs():
            comparators = [*self.observers, *self.methods[:1]]
            for comparator in comparators:
                if comparator == method or not self._of(structure, comparator):
                    continue
                before, after, unpaired = self._paired(structure, (REFERENCE, comparator), (REFERENCE, method), "dsc",
                                                       without=self._copied(structure, comparator))  # fmt: skip
                margin, source = self._margin(structure)
                judged = judge_non_inferiority(before, after, margin)
                yield {
                    "structure": structure,
                    "method": method,
                    "comparator": comparator,
                    "metric": "dsc",
                    **(plain(judged) or {}),
                    "unpaired": unpaired,
                    "source": source,
                    "shown": judged.is_shown,
                }

    def _copied(self, structure: str, observer: str) -> set[str]:
        """Return the patients in whom an observer's contours are a copy of the reference: no second person."""
        if observer not in self.observers:
            return set()
        return {patient for patient, row in self._of(structure, observer).items() if row["identical"]}

    def _margin(self, structure: str) -> tuple[float, str]:
        own = self.tolerances.limit(structure, "dsc_margin")
        if own is not None:
            return own, self.tolerances.source(structure, "dsc_margin")
        limits = self.limits.of(structure)
        return limits.dsc_margin, limits.source

    def _manual_pairs(self) -> list[tuple[str, str]]:
        return list(combinations([REFERENCE, *self.observers], 2))

    def _spread(self, structure: str) -> Json | None:
        """Return how far the manual sets differ; identical pairs are copies and do not count."""
        rows = [(patient, row) for a, b in self._manual_pairs() for patient, row in self._of(structure, b, a).items()]
        if not rows:
            return None
        real = [row for _, row in rows if not row["identical"]]
        copied = {patient for patient, row in rows if row["identical"]}
        consensus = [
            (patient, row)
            for one in (REFERENCE, *self.observers)
            for patient, row in self._of(structure, one, CONSENSUS).items()
            if patient not in copied
        ]
        kappas = [
            kappa for record in self.records
            if record["patient"] not in copied and (kappa := record["kappa"].get(structure)) is not None
        ]  # fmt: skip
        return {
            "structure": structure,
            "pairs": len(real),
            "patients": len({patient for patient, row in rows if not row["identical"]}),
            "identical": sorted(copied),
            "metrics": {
                metric: summarize_metric([value_of(row, metric) for row in real])
                for metric in ("dsc", "surface_dsc", "hd95_mm")
            },
            "consensus_dsc": summarize_metric([value_of(row, "dsc") for _, row in consensus]) if consensus else None,
            "consensus_patients": len({patient for patient, _ in consensus}),
            "kappa_mean": number(float(np.mean(kappas))) if kappas else None,
            "kappa_patients": len(kappas),
        }

    def _place(self, structure: str, method: str) -> Json | None:
        """Return in how many patients a method is as close to the manual sets as they are to one another.

        Inside: the mean DSC with the manual sets is at least the lowest DSC of two of them in the same patient.
        """
        manual = [REFERENCE, *self.observers]
        inside, differences = [], []
        for patient in self._of(structure, method):
            between = [
                value_of(rows[patient], "dsc")
                for a, b in self._manual_pairs()
                if patient in (rows := self._of(structure, b, a)) and not rows[patient]["identical"]
            ]
            own = [
                value_of(rows[patient], "dsc")
                for one in manual
                if patient in (rows := self._of(structure, method, one))
            ]
            if between and own:
                inside.append(bool(np.mean(own) >= min(between)))
                differences.append(float(np.mean(own) - np.mean(between)))
        if not inside:
            return None
        return {
            "structure": structure,
            "method": method,
            "n": len(inside),
            "inside": sum(inside),
            "inside_interval": plain(wilson_interval(sum(inside), len(inside))),
            "mean_difference": float(np.mean(differences)),
            "mean_difference_interval": plain(bootstrap_interval(differences)),
        }

    def _doses(self) -> Iterable[Json]:
        """Yield the differences of the dose figures, method − reference, in the patients that have both."""
        for structure, method in self._pairs():
            both = [
                (mine[REFERENCE], mine[method])
                for record in self.records
                if {REFERENCE, method} <= set(mine := record.get("dose", {}).get(structure, {}))
            ]
            for figure in both[0][0] if both else ():
                pairs = [(a[figure], b[figure]) for a, b in both if None not in (a[figure], b[figure])]
                yield {
                    "structure": structure,
                    "method": method,
                    "figure": figure,
                    "n": len(pairs),
                    "reference_mean": float(np.mean([a for a, _ in pairs])) if pairs else None,
                    "difference": summarize_metric([b - a for a, b in pairs]),
                }

    def _volumes(self, structure: str) -> Json | None:
        """Return the intraclass correlation of the volumes: of the manual sets, and with each method."""
        found = {}
        raters = [REFERENCE, *self.observers]
        groups = {"manual sets": raters, **{f"{REFERENCE} and {one}": [REFERENCE, one] for one in self.methods}}
        for label, group in groups.items():
            if len(group) < 2:
                continue
            icc = compute_icc(self._volume_table(structure, group))
            if icc:
                found[label] = plain(icc)
        return {"structure": structure, "icc": found} if found else None

    def _volume_table(self, structure: str, group: Sequence[str]) -> NDArray[np.float64]:
        table = []
        for record in self.records:
            rows = [self._of(structure, one).get(record["patient"]) for one in group[1:]]
            copies = [
                self._of(structure, b, a).get(record["patient"], {}).get("identical") for a, b in self._manual_pairs()
            ]
            if any(copies) and set(group) > {REFERENCE} and set(group) <= {REFERENCE, *self.observers}:
                continue
            if all(row and not row["missing"] for row in rows) and rows[0]:
                table.append([rows[0]["volume_a_cc"], *(row["volume_b_cc"] for row in rows if row)])
        return np.array(table, dtype=np.float64).reshape(-1, len(group))


def value_of(row: Row, metric: str) -> float:
    """Return a metric of a row; a distance to what was not drawn is infinite, another undefined value is nan."""
    value = row[metric]
    if value is not None:
        return float(value)
    return math.inf if metric in INFINITE and row["missing"] else math.nan


def summarize_metric(values: Sequence[float]) -> Json:
    """Return the summary of one metric over patients, as plain values; null where it is not defined."""
    given = np.asarray(values, dtype=np.float64)
    known = given[~np.isnan(given)]
    every, finite = summarize(known), summarize(known[np.isfinite(known)])
    tail = len(known) >= LEAST_FOR_TAIL
    return {
        "n": every.n,
        "undefined": len(given) - len(known),
        "infinite": int(np.isinf(known).sum()),
        "mean": number(every.mean),
        "sd": number(every.sd),
        "finite_mean": number(finite.mean),
        "finite_sd": number(finite.sd),
        "median": number(every.median),
        "lower_quartile": number(every.lower_quartile),
        "upper_quartile": number(every.upper_quartile),
        "percentile_5": number(quantile(known, 0.05)) if tail else None,
        "percentile_95": number(quantile(known, 0.95)) if tail else None,
        "minimum": number(every.minimum),
        "maximum": number(every.maximum),
        "mean_interval": plain(bootstrap_interval(known)),
        "median_interval": plain(bootstrap_interval(known, medians)),
        "too_few_for_interval": len(known) < LEAST_FOR_INTERVAL,
    }


def number(value: float) -> float | str | None:
    """Return a value for JSON: null for nan, a word for infinity, which JSON does not have."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "infinity"


def plain(found: Any) -> Json | None:  # noqa: ANN401  (any dataclass of numbers)
    """Return a dataclass of numbers and intervals as plain values; null for None."""
    if found is None:
        return None
    values = ((name, getattr(found, name)) for name in found.__dataclass_fields__)
    return {
        name: plain(value) if isinstance(value, Interval) else number(value) if isinstance(value, float) else value
        for name, value in values
    }
