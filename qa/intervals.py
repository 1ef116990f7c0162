"""Confidence intervals, non-inferiority, and the number of patients that a study needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 1
LEAST_FOR_INTERVAL = 8
"""With fewer patients no bootstrap interval is given: it would be too narrow without showing it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[Floats], Floats] | None = None,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Return the two-sided percentile bootstrap interval over patients.

    Parameters
    ----------
    values
        One per patient; nan (undefined) is left out, infinite values count.
    statistic
        Maps (resamples, n) samples to (resamples,) values; the mean if None.
    confidence, resamples, seed
        Of the bootstrap; the same seed gives the same interval.

    Returns
    -------
    interval
        None with fewer than `LEAST_FOR_INTERVAL` values.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    known = _known(values)
    if len(known) < LEAST_FOR_INTERVAL:
        return None
    tail = (1 - confidence) / 2
    samples = _resampled(known, resamples, seed)
    with np.errstate(invalid="ignore"):
        found = samples.mean(axis=1) if statistic is None else statistic(samples)
        # An order statistic, not an interpolated one: infinite values have no weighted mean.
        low, high = np.quantile(found, [tail, 1 - tail], method="nearest")
    return Interval(float(low), float(high))


def medians(samples: Floats) -> Floats:
    """Return the median of each row, also where some values are infinite; a statistic for `bootstrap_interval`."""
    ordered = np.sort(samples, axis=1)
    count = samples.shape[1]
    low, high = ordered[:, (count - 1) // 2], ordered[:, count // 2]
    with np.errstate(invalid="ignore"):
        middle: Floats = np.where(low == high, low, (low + high) / 2)
    return middle


def bootstrap_lower_bound(differences: Floats, confidence: float, resamples: int, seed: int) -> float:
    """Return the one-sided lower confidence bound of the mean, by the percentile bootstrap over patients."""
    return float(np.quantile(_resampled(differences, resamples, seed).mean(axis=1), 1 - confidence))


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether a method is not worse than another by more than a margin.

    Attributes
    ----------
    n
        Patients with both values.
    mean_difference
        Of method − comparator; larger is better.
    lower_bound
        One-sided confidence bound of the mean difference; None with too few patients.
    margin
        Largest acceptable loss, positive.
    """

    n: int
    mean_difference: float
    lower_bound: float | None
    margin: float

    @property
    def is_shown(self) -> bool | None:
        """Whether non-inferiority is shown; None if there are too few patients."""
        return None if self.lower_bound is None else self.lower_bound > -self.margin


def judge_non_inferiority(
    comparator: ArrayLike, method: ArrayLike, margin: float, confidence: float = CONFIDENCE
) -> NonInferiority:
    """Test whether `method` is not inferior to `comparator`, patient by patient (Piaggio et al., JAMA 2012;308:2594).

    Pairs with a nan are left out.
    """
    one, two = (np.asarray(values, dtype=np.float64) for values in (comparator, method))
    difference = _known(two - one)
    if not len(difference):
        return NonInferiority(0, math.nan, None, margin)
    enough = len(difference) >= LEAST_FOR_INTERVAL
    bound = bootstrap_lower_bound(difference, confidence, RESAMPLES, SEED) if enough else None
    return NonInferiority(len(difference), float(difference.mean()), bound, margin)


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the interval of a proportion (Wilson, J Am Stat Assoc 1927;22:209); None for n = 0.

    Examples
    --------
    >>> interval = wilson_interval(81, 263)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2553, 0.3662)
    """
    from scipy.stats import norm

    if n == 0:
        return None
    z = float(norm.ppf((1 + confidence) / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def patients_for_interval(sd: float, half_width: float, confidence: float = CONFIDENCE) -> int:
    """Return the least number of patients for which the mean's t interval is at most ± `half_width` wide.

    Parameters
    ----------
    sd
        Expected standard deviation over patients.
    half_width
        Half of the wanted interval.
    confidence
        Of the interval.

    Examples
    --------
    >>> patients_for_interval(10, 2)
    99
    """
    from scipy.stats import t

    n = max(2, math.ceil((_z((1 + confidence) / 2) * sd / half_width) ** 2))  # the t interval is wider than the normal
    while float(t.ppf((1 + confidence) / 2, n - 1)) * sd / math.sqrt(n) > half_width:
        n += 1
    return n


def patients_for_non_inferiority(sd: float, margin: float, confidence: float = CONFIDENCE, power: float = 0.8) -> int:
    """Return the number of patients for a one-sided paired test of non-inferiority if both methods are equally good.

    n = ((z(confidence) + z(power)) · sd / margin)², with `sd` that of the paired differences (Julious, Stat Med
    2004;23:1921).

    Examples
    --------
    >>> patients_for_non_inferiority(0.05, 0.03)
    18
    """
    return max(2, math.ceil(((_z(confidence) + _z(power)) * sd / margin) ** 2))


def power_of_non_inferiority(n: int, sd: float, margin: float, confidence: float = CONFIDENCE) -> float:
    """Return the probability that a one-sided paired test shows non-inferiority if both methods are equally good.

    It is that of `patients_for_non_inferiority`: Φ(margin · √n / sd − z(confidence)).

    Examples
    --------
    >>> round(power_of_non_inferiority(18, 0.05, 0.03), 2)
    0.82
    """
    from scipy.stats import norm

    if sd == 0:
        return 1.0 if margin > 0 else 0.0
    return float(norm.cdf(margin * math.sqrt(n) / sd - _z(confidence)))


def _z(probability: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(probability))


def _known(values: ArrayLike) -> Floats:
    given = np.asarray(values, dtype=np.float64).ravel()
    return given[~np.isnan(given)]


def _resampled(values: Floats, resamples: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    samples: Floats = values[rng.integers(len(values), size=(resamples, len(values)))]
    return samples
