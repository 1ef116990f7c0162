"""Figures of a study as text, and what its metrics are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
LABELS = {
    "dsc": "DSC",
    "surface_dsc": "surface DSC",
    "hd95_mm": "HD95, mm",
    "hausdorff_mm": "HD, mm",
    "mean_surface_distance_mm": "mean surface distance, mm",
    "added_path_length_mm": "added path length, mm",
    "volume_difference_cc": "volume difference, cm³",
    "centroid_distance_mm": "distance of the centroids, mm",
}
DEFINITIONS = (
    ("DSC", "–", "twice the common volume by the sum of both volumes, in voxels of the CT (Dice 1945); 0 to 1"),
    ("surface DSC", "–", "share of both surfaces that lies within tau of the other one, by area (Nikolov 2021); tau "
     "stands beside each value; 0 to 1"),
    ("HD95", "mm", "95th percentile, by area, of the distances from each surface to the other; the larger of both "
     "directions. Programs define it differently"),
    ("HD", "mm", "the largest of these distances"),
    ("mean surface distance", "mm", "mean of these distances by area, over both directions"),
    ("added path length", "mm", "length of the reference's outlines that the method's outlines do not share, over all "
     "slices (Vaassen 2020): what would have to be drawn"),
    ("volume", "cm³", "voxels inside times the volume of a voxel; differences are method − reference"),
)  # fmt: skip
"""Metric, unit, and definition."""


def metric_label(metric: str) -> str:
    """Return what a metric or a dose figure is called, with its unit.

    Examples
    --------
    >>> metric_label("hd95_mm"), metric_label("mean_gy"), metric_label("d003cc_gy"), metric_label("v20gy_percent")
    ('HD95, mm', 'Dmean, Gy', 'D0.03cc, Gy', 'V20Gy, %')
    """
    if metric in LABELS:
        return LABELS[metric]
    name, _, unit = metric.rpartition("_")
    if unit == "percent":
        return f"V{name[1:].removesuffix('gy')}Gy, %"
    if unit != "gy":
        return metric
    own = {"mean": "Dmean", "d003cc": "D0.03cc"}
    return f"{own.get(name) or f'D{name[1:]}%'}, Gy"


def mean_text(figures: Json, digits: int) -> str:
    """Return mean ± SD; with infinite values, those of the finite ones and their number in brackets."""
    text = f"{number_text(figures['mean'], digits)} ± {number_text(figures['sd'], digits)}"
    if not figures["infinite"]:
        return text
    finite = figures["n"] - figures["infinite"]
    own = f"{number_text(figures['finite_mean'], digits)} ± {number_text(figures['finite_sd'], digits)}"
    return f"∞ ({own} of {finite} finite, {figures['infinite']} infinite)"


def median_text(figures: Json, digits: int) -> str:
    """Return median (lower–upper quartile)."""
    low, high = (number_text(figures[key], digits) for key in ("lower_quartile", "upper_quartile"))
    return f"{number_text(figures['median'], digits)} ({low}–{high})"


def kappa_text(found: Json) -> str:
    """Return the mean kappa of the manual sets, with the number of patients."""
    return _with_n(found["kappa_mean"], found.get("kappa_patients"))


def consensus_text(found: Json) -> str:
    """Return the median DSC of the manual sets with their consensus, with the number of patients."""
    consensus = found["consensus_dsc"]
    return _with_n(consensus["median"], found.get("consensus_patients")) if consensus else "fewer than 3 sets"


def _with_n(value: float | None, n: int | None) -> str:
    text = number_text(value, 3)
    return text if value is None or n is None else f"{text}, n {n}"


def where_drawn_text(results: Sequence[Json]) -> str:
    """Return a sentence about the structures that are compared on a part of the slices only; "" if there are none."""
    names = dict.fromkeys(one["structure"] for one in results if one.get("where_drawn"))
    if not names:
        return ""
    return (
        f"Compared only from the first to the last slice of the reference, as the tolerances state: {', '.join(names)}."
        " What a method drew beyond these slices is not in the figures."
    )


def interval_text(interval: Json | None, digits: int) -> str:
    """Return an interval, or why there is none."""
    if interval is None:
        return "too few patients"
    return f"{number_text(interval['low'], digits)} … {number_text(interval['high'], digits)}"


def beside_text(value: float | str | None, limit: float, digits: int) -> tuple[str, str]:
    """Return a number and its limit, with as many digits as tell them apart.

    Examples
    --------
    >>> beside_text(0.79996, 0.8, 3), beside_text(0.8, 0.8, 3), beside_text(0.016671, 0.05 / 3, 4)
    (('0.79996', '0.80000'), ('0.800', '0.8'), ('0.016671', '0.016667'))
    """
    if not isinstance(value, float | int):
        return number_text(value, digits), f"{limit:.4g}"
    for more in range(digits, 13):
        own, other = f"{value:.{more}f}", f"{limit:.{more}f}"
        if own != other:
            return own, other if more > digits else f"{limit:.4g}"
    return f"{value:.{digits}f}", f"{limit:.4g}"


def bound_text(found: Json) -> tuple[str, str]:
    """Return the lower bound of a test of non-inferiority, and the margin."""
    bound, margin = beside_text(found["lower_bound"], -found["margin"], 3)
    return bound, margin.removeprefix("-")


def number_text(value: float | str | None, digits: int) -> str:
    """Return a number; a dash without a value, ∞ for an infinite one."""
    if value is None:
        return "–"
    return "∞" if isinstance(value, str) else f"{value:.{digits}f}"
