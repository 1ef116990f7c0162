"""Statistics over patients."""

import math

import numpy as np
import pytest
from scipy import stats

from autocontour.qa import bonferroni, compare_paired, summarize


def test_summary():
    summary = summarize([0.8, 0.9, 0.7, math.nan])
    assert (summary.n, summary.n_undefined) == (3, 1)
    assert (summary.mean, summary.sd, summary.median) == pytest.approx((0.8, 0.1, 0.8))
    assert (summary.lower_quartile, summary.upper_quartile) == pytest.approx((0.75, 0.85))
    assert str(summary) == "0.80 ± 0.10 (median 0.80, n 3)"


def test_an_infinite_distance_counts():
    summary = summarize([1.0, 2.0, math.inf])
    assert (summary.n, summary.median, summary.maximum) == (3, 2.0, math.inf)
    assert summary.mean == math.inf
    assert math.isnan(summary.sd)


def test_a_quantile_between_two_infinite_distances_is_infinite():
    summary = summarize([math.inf, math.inf])
    assert (summary.median, summary.lower_quartile, summary.upper_quartile) == (math.inf,) * 3
    assert summarize([1.0, 2.0, math.inf, math.inf]).upper_quartile == math.inf


def test_nothing_to_summarize():
    summary = summarize([math.nan])
    assert (summary.n, summary.n_undefined) == (0, 1)
    assert math.isnan(summary.mean)


def test_paired_tests_known_values():
    first = np.array([0.80, 0.82, 0.79, 0.85, 0.81, 0.78, 0.84, 0.83])
    second = first + np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08])
    tested = compare_paired(first, second)
    # Eight differences of one sign: the two-sided signed-rank p is 2 / 2⁸.
    assert tested.wilcoxon_p == pytest.approx(2 / 2**8)
    assert tested.median_difference == pytest.approx(0.045)
    assert tested.t_p == pytest.approx(0.0012, abs=2e-4)


def test_pairs_without_a_value_drop_out():
    assert compare_paired([1.0, math.nan, 2.0], [1.0, 5.0, 2.0]) == compare_paired([1.0, 2.0], [1.0, 2.0])
    assert compare_paired([1.0, 2.0], [1.0, 2.0]).wilcoxon_p == 1
    assert math.isnan(compare_paired([1.0], [2.0]).t_p)


def test_a_failure_does_not_leave_the_test_of_distances():
    """A method that fails in six of nine patients and is a little closer in the others is not the better one."""
    first = np.array([5.0] * 9)
    second = np.array([4.9, 4.8, 4.7, *[math.inf] * 6])
    tested = compare_paired(first, second)
    assert (tested.n, tested.n_finite, tested.n_different) == (9, 3, 9)
    assert tested.median_difference == math.inf
    ranks = stats.wilcoxon([-0.1, -0.2, -0.3, *[100.0] * 6]).pvalue
    assert tested.wilcoxon_p == pytest.approx(ranks, abs=1e-12)
    assert tested.wilcoxon_p < stats.wilcoxon([-0.1, -0.2, -0.3]).pvalue
    both = compare_paired([math.inf, 1.0, 2.0], [math.inf, 2.0, 4.0])
    assert (both.n, both.n_different, both.median_difference) == (3, 2, 1.0)
    assert math.isnan(compare_paired([1.0, 2.0], [math.inf, 2.0]).t_p)


@pytest.mark.parametrize("difference", [
    [0.0, 0.0, 0.0, 0.1, -0.2, 0.3, 0.4, 0.5], [0.1, 0.1, 0.1, -0.1, 0.2, 0.2, -0.2, 0.2, 0.2],
    [0.0] * 6 + [0.1] * 4, list(np.linspace(-1, 2, 60)),
])  # fmt: skip
def test_ties_and_zeros_are_those_of_scipy(difference):
    zero = np.zeros(len(difference))
    tested = compare_paired(zero, difference)
    assert tested.wilcoxon_p == pytest.approx(stats.wilcoxon(difference).pvalue, abs=1e-12)
    assert tested.t_p == pytest.approx(stats.ttest_rel(difference, zero).pvalue, abs=1e-12)
    assert tested.n_different == np.count_nonzero(difference)


def test_bonferroni():
    assert bonferroni([0.01, 0.5, math.nan])[:2] == pytest.approx((0.02, 1.0))
    assert math.isnan(bonferroni([math.nan])[0])
