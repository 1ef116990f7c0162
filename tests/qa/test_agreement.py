"""Agreement against published examples."""

import math

import numpy as np
import pytest
import SimpleITK as sitk

from autocontour.qa.agreement import (
    build_consensus,
    compute_bland_altman,
    compute_icc,
    compute_kappa,
    compute_mask_kappa,
)

# Bland and Altman, Lancet 1986;327:307, table 1: peak expiratory flow with the Wright and the mini Wright meter, l/min.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Shrout and Fleiss, Psychol Bull 1979;86:420, table 2: six targets, four judges.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_the_example_of_bland_and_altman():
    found = compute_bland_altman(MINI, WRIGHT)
    assert found.n == 17
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.bias_interval.high == pytest.approx(17.8, abs=0.1)


def test_pairs_without_a_value_are_left_out_of_bland_altman():
    assert compute_bland_altman([1, 2, 3, math.nan], [1, 2, 4, 9]).n == 3
    assert compute_bland_altman([1, 2, math.inf], [1, 2, 3]) is None


def test_the_example_of_shrout_and_fleiss():
    icc = compute_icc(JUDGES)
    assert (icc.n, icc.raters) == (6, 4)
    assert icc.value == pytest.approx(0.29, abs=0.005)
    assert icc.interval.low == pytest.approx(0.02, abs=0.005)
    assert icc.interval.high == pytest.approx(0.76, abs=0.005)


def test_absolute_agreement_counts_a_constant_difference():
    values = np.arange(10.0)
    assert compute_icc(np.stack([values, values], axis=1)).value == 1
    assert compute_icc(np.stack([values, values + 5], axis=1)).value < 0.5


def test_patients_without_a_rating_are_left_out_of_the_icc():
    assert compute_icc([*JUDGES, [1, 2, 3, math.nan]]) == compute_icc(JUDGES)
    assert compute_icc(JUDGES[:2]) is None


def test_the_example_of_fleiss():
    """The worked example of 14 raters, ten subjects and five categories."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert compute_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_kappa_of_masks_is_that_of_their_voxels():
    masks = np.random.default_rng(1).random((3, 4, 5, 6)) < 0.4
    inside = masks.sum(axis=0).ravel()
    assert compute_mask_kappa(list(masks)) == pytest.approx(compute_kappa(np.stack([inside, 3 - inside], axis=1)))
    assert math.isnan(compute_mask_kappa([np.zeros((2, 2, 2), bool)] * 2))


def test_the_consensus_is_that_of_simpleitk():
    grid = np.indices((12, 20, 20))
    masks = [((grid - np.array([6, 10, 10 + k])[:, None, None, None]) ** 2).sum(axis=0) < 25 for k in (-1, 0, 1)]
    expected = sitk.GetArrayFromImage(sitk.STAPLE([sitk.GetImageFromArray(m.astype(np.uint8)) for m in masks], 1.0))
    found = build_consensus(masks)
    assert np.array_equal(found, expected >= 0.5)
    assert (found & masks[1]).sum() > 0.9 * masks[1].sum()
    assert build_consensus(masks[:2]) is None
