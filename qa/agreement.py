"""Agreement of methods and observers: Bland–Altman, intraclass correlation, kappa, consensus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autocontour.qa.intervals import CONFIDENCE, Interval

Mask = NDArray[np.bool_]

LIMITS_SD = 1.96
CONSENSUS_LEAST = 3
"""Observers that a STAPLE consensus needs: of two, it cannot know which one is right."""


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Limits of agreement of two measurements of the same patients.

    Attributes
    ----------
    n
        Patients with both values.
    bias, sd
        Mean and standard deviation of second − first.
    lower_limit, upper_limit
        bias ± 1.96 sd: 95 % of differences, if they are normally distributed.
    bias_interval
        Of the bias, by the t distribution.
    limit_half_width
        Half of the 95 % interval of each limit, t · sd · √(3 / n).
    """

    n: int
    bias: float
    sd: float
    lower_limit: float
    upper_limit: float
    bias_interval: Interval
    limit_half_width: float


def compute_bland_altman(first: ArrayLike, second: ArrayLike) -> BlandAltman | None:
    """Return the limits of agreement (Bland and Altman, Lancet 1986;327:307); None for fewer than three pairs.

    Pairs with a value that is not finite are left out.
    """
    from scipy.stats import t

    one, two = (np.asarray(values, dtype=np.float64) for values in (first, second))
    with np.errstate(invalid="ignore"):
        difference = two - one
    difference = difference[np.isfinite(difference)]
    n = len(difference)
    if n < 3:
        return None
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    quantile = float(t.ppf(0.975, n - 1))
    half = quantile * sd / math.sqrt(n)
    return BlandAltman(
        n,
        bias,
        sd,
        bias - LIMITS_SD * sd,
        bias + LIMITS_SD * sd,
        Interval(bias - half, bias + half),
        quantile * sd * math.sqrt(3 / n),
    )


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """ICC(2,1) of `raters` measurements of `n` patients, with its interval."""

    n: int
    raters: int
    value: float
    interval: Interval


def compute_icc(ratings: ArrayLike) -> IntraclassCorrelation | None:
    """Return ICC(2,1): two-way random effects, absolute agreement, single rater.

    Parameters
    ----------
    ratings
        (patients, raters); patients with a missing value are left out.

    Returns
    -------
    icc
        None with fewer than three complete patients or two raters, or if no value differs from the others.

    References
    ----------
    Shrout and Fleiss, Psychol Bull 1979;86:420; the interval: McGraw and Wong, Psychol Methods 1996;1:30.
    """
    from scipy.stats import f

    table = np.asarray(ratings, dtype=np.float64)
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 3 or k < 2 or np.ptp(table) == 0:
        return None
    mean, of_patients, of_raters = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rows = k * ((of_patients - mean) ** 2).sum() / (n - 1)
    columns = n * ((of_raters - mean) ** 2).sum() / (k - 1)
    rest = table - of_patients[:, None] - of_raters + mean
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    icc = (rows - error) / (rows + (k - 1) * error + k * (columns - error) / n)
    if error == 0 and columns == 0:
        return IntraclassCorrelation(n, k, 1.0, Interval(1.0, 1.0))
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    parts = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if not parts > 0:
        return IntraclassCorrelation(n, k, float(icc), Interval(math.nan, math.nan))
    freedom = (a * columns + b * error) ** 2 / parts
    tail = (1 + CONFIDENCE) / 2
    low_f, high_f = float(f.ppf(tail, n - 1, freedom)), float(f.ppf(tail, freedom, n - 1))
    spread = k * columns + (k * n - k - n) * error
    low = n * (rows - low_f * error) / (low_f * spread + n * rows)
    high = n * (high_f * rows - error) / (spread + n * high_f * rows)
    return IntraclassCorrelation(n, k, float(icc), Interval(float(low), float(high)))


def compute_kappa(counts: ArrayLike) -> float:
    """Return Fleiss' kappa (Fleiss, Psychol Bull 1971;76:378); nan if all ratings are of one category.

    Parameters
    ----------
    counts
        (subjects, categories): how many raters chose each category; every row has the same sum.

    Examples
    --------
    >>> compute_kappa([[2, 0], [0, 2], [2, 0]])
    1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    return _kappa(table, np.ones(len(table)))


def compute_mask_kappa(masks: Sequence[Mask]) -> float:
    """Return Fleiss' kappa of two or more observers over the voxels of one box.

    The value depends on how much background the box holds: use the smallest box around all masks.
    """
    inside = np.sum(masks, axis=0, dtype=np.int64).ravel()
    raters = len(masks)
    weights = np.bincount(inside, minlength=raters + 1).astype(np.float64)
    chosen = np.arange(raters + 1, dtype=np.float64)
    return _kappa(np.stack([chosen, raters - chosen], axis=1), weights)


def build_consensus(masks: Sequence[Mask]) -> Mask | None:
    """Return where the probability of STAPLE is at least 0.5; None for fewer than `CONSENSUS_LEAST` observers.

    The result depends on the box, from which STAPLE takes the prior probability: use the smallest one around all masks.

    References
    ----------
    Warfield et al., IEEE Trans Med Imaging 2004;23:903; the implementation is that of SimpleITK.
    """
    import SimpleITK as sitk

    if len(masks) < CONSENSUS_LEAST:
        return None
    if not any(mask.any() for mask in masks):
        return np.zeros_like(masks[0])
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
    probability = sitk.GetArrayFromImage(sitk.STAPLE(images, 1.0))  # type: ignore[no-untyped-call]
    consensus: Mask = probability >= 0.5
    return consensus


def _kappa(table: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the kappa of rows that occur `weights` times."""
    raters, total = table[0].sum(), weights.sum()
    agreement = ((table * (table - 1)).sum(axis=1) / (raters * (raters - 1))) @ weights / total
    share = weights @ table / (total * raters)
    chance = float((share**2).sum())
    return float((agreement - chance) / (1 - chance)) if chance < 1 else math.nan
