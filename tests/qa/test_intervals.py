"""Intervals, non-inferiority and numbers of patients against known values."""

import math

import numpy as np
import pytest
from scipy import stats

from autocontour.qa.intervals import (
    bootstrap_interval,
    judge_non_inferiority,
    medians,
    patients_for_interval,
    patients_for_non_inferiority,
    wilson_interval,
)


def test_the_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(3).normal(0.85, 0.05, 30)
    ours = bootstrap_interval(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=9999, rng=1).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=1e-3)
    assert ours.high == pytest.approx(theirs.high, abs=1e-3)


def test_the_bootstrap_of_the_median_covers_it():
    rng = np.random.default_rng(0)
    found = [bootstrap_interval(rng.normal(0, 1, 25), medians, resamples=400) for _ in range(200)]
    assert sum(one.low <= 0 <= one.high for one in found) >= 178  # 95 % with the error of 200 trials


def test_too_few_patients_have_no_interval():
    assert bootstrap_interval(np.arange(7.0)) is None
    assert bootstrap_interval([*np.arange(7.0), math.nan]) is None
    assert judge_non_inferiority(np.zeros(7), np.zeros(7), 0.05).is_shown is None


def test_an_infinite_distance_reaches_the_interval():
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, math.inf, math.inf]
    assert bootstrap_interval(values).high == math.inf
    assert bootstrap_interval(values, medians).high == math.inf
    assert bootstrap_interval(values, medians).low < 6


def test_non_inferiority():
    comparator = np.linspace(0.7, 0.9, 20)
    better = judge_non_inferiority(comparator, comparator + 0.01, 0.02)
    assert (better.n, better.is_shown) == (20, True)
    assert better.lower_bound == pytest.approx(0.01)
    assert judge_non_inferiority(comparator, comparator - 0.03, 0.02).is_shown is False
    # A mean loss within the margin is not enough where the bound lies beyond it.
    noisy = comparator - 0.015 + 0.05 * np.tile([1, -1], 10)
    assert judge_non_inferiority(comparator, noisy, 0.02).is_shown is False


def test_a_failure_counts_in_non_inferiority():
    comparator = np.full(20, 0.9)
    method = comparator.copy()
    method[:3] = 0
    assert judge_non_inferiority(comparator, method, 0.05).is_shown is False


def test_numbers_of_patients():
    for sd, half in ((0.05, 0.02), (0.1, 0.02), (2.0, 0.5), (0.01, 0.5)):
        n = patients_for_interval(sd, half)
        wide = [stats.t.ppf(0.975, k - 1) * sd / math.sqrt(k) for k in (n, max(2, n - 1))]
        assert wide[0] <= half
        assert n == 2 or wide[1] > half
    # ((1.6449 + 0.8416) × 0.05 / 0.03)² = 17.2
    assert patients_for_non_inferiority(0.05, 0.03) == 18


def test_the_proportion_of_wilson():
    ours = wilson_interval(15, 20)
    theirs = stats.binomtest(15, 20).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert wilson_interval(0, 0) is None
