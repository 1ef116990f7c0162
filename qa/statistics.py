"""Statistics over patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from autocontour.qa.compare import Comparison
from autocontour.qa.metrics import PairMetrics


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over patients.

    Attributes
    ----------
    n, n_undefined
        Values counted, and values left out because they are nan (nothing to compare); infinite ones count.
    mean, sd
        Arithmetic mean and sample standard deviation (n − 1).
    median, lower_quartile, upper_quartile, minimum, maximum
        Quartiles interpolate linearly.
    """

    n: int
    n_undefined: int
    mean: float
    sd: float
    median: float
    lower_quartile: float
    upper_quartile: float
    minimum: float
    maximum: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.sd:.2f} (median {self.median:.2f}, n {self.n})"


def summarize(values: ArrayLike) -> Summary:
    """Summarize one metric of one structure over patients."""
    given = np.asarray(values, dtype=np.float64).ravel()
    known = given[~np.isnan(given)]
    if not len(known):
        return Summary(0, len(given), *(float("nan"),) * 7)
    with np.errstate(invalid="ignore"):  # infinite distances have no spread
        sd = float(np.std(known, ddof=1)) if len(known) > 1 else float("nan")
        low, median, high = (quantile(known, fraction) for fraction in (0.25, 0.5, 0.75))
    extremes = float(known.min()), float(known.max())
    return Summary(len(known), len(given) - len(known), float(known.mean()), sd, median, low, high, *extremes)


def summarize_patients(comparisons: Iterable[Comparison]) -> dict[str, dict[str, Summary]]:
    """Summarize every metric of every structure over patients, one comparison each.

    Returns
    -------
    summaries
        Structure (TG-263 name, or its own name if unknown) → metric, a field of `PairMetrics` → summary.
    """
    values: dict[str, list[PairMetrics]] = defaultdict(list)
    for comparison in comparisons:
        for row in comparison:
            values[row.tg263_name or row.name].append(row.metrics)
    return {
        name: {each.name: summarize([getattr(m, each.name) for m in metrics]) for each in fields(PairMetrics)}
        for name, metrics in values.items()
    }


def quantile(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], fraction: float) -> float:
    """Return a quantile, interpolated linearly; an infinite neighbour without weight does not give nan."""
    ordered = np.sort(values)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    if position == below or ordered[below] == ordered[below + 1]:  # also two infinite ones
        return float(ordered[below])
    return float(ordered[below] + (position - below) * (ordered[below + 1] - ordered[below]))


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Whether two methods differ on the same patients.

    Attributes
    ----------
    n
        Patients with both values; an infinite one (a distance to what was not drawn) is a value.
    n_finite
        Those of them with a finite difference: the paired t test.
    n_different
        Those with a difference, which the signed-rank test ranks.
    median_difference
        Of second − first.
    wilcoxon_p
        Two-sided signed-rank test; infinite differences rank above all others, two infinite values do not differ.
    t_p
        Two-sided paired t test, for approximately normal differences.
    """

    n: int
    n_finite: int
    n_different: int
    median_difference: float
    wilcoxon_p: float
    t_p: float


def compare_paired(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test whether `second` differs from `first`, patient by patient; pairs with a nan are excluded.

    p is 1 if there are no differences, and nan for fewer than two pairs.
    """
    from scipy import stats

    one, two = (np.asarray(values, dtype=np.float64) for values in (first, second))
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        difference = np.where(one == two, 0.0, two - one)
    difference = difference[~np.isnan(difference)]
    finite = difference[np.isfinite(difference)]
    counts = len(difference), len(finite), int(np.count_nonzero(difference))
    with np.errstate(invalid="ignore"):
        median = float(np.median(difference)) if len(difference) else float("nan")
    if len(difference) < 2:
        return PairedTest(*counts, median, float("nan"), float("nan"))
    if not difference.any():
        return PairedTest(*counts, 0.0, 1.0, 1.0)
    beyond = 2 * np.abs(finite).max(initial=0.0) + 1
    wilcoxon = stats.wilcoxon(np.clip(difference, -beyond, beyond)).pvalue
    paired_t = float("nan")
    if len(finite) >= 2:
        paired_t = float(stats.ttest_1samp(finite, 0.0).pvalue) if finite.any() else 1.0
    return PairedTest(*counts, median, float(wilcoxon), float(paired_t))


def bonferroni(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct p values for the number of tests that gave one (Bonferroni): each times that number, at most 1."""
    tests = sum(1 for p in p_values if not np.isnan(p))
    return tuple(p if np.isnan(p) else min(1.0, p * tests) for p in p_values)
