"""Structures of a data set: numbers and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class StructureSummary:
    """One structure over the patients.

    Attributes
    ----------
    count, set_aside
        Patients with it, and patients in which it was set aside.
    median_cc, smallest_cc, largest_cc, iqr_cc
        Volumes of those not truncated by the end of the scan, or of all if every one is; interquartile range.
    cut
        Patients in which it reaches an end of the scan.
    """

    name: str
    count: int
    set_aside: int
    median_cc: float
    smallest_cc: float
    largest_cc: float
    iqr_cc: float
    cut: int


def summarize_structures(index: Mapping[str, Any]) -> list[StructureSummary]:
    """Return a summary of every structure in the index, in its order."""
    patients = index["patients"]
    aside = [name for entry in patients for name in set_aside_of(entry)]
    return [_summarize(name, patients, aside.count(name)) for name in dict.fromkeys((*index["structures"], *aside))]


def set_aside_of(entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return structure → codes for which it was set aside in a patient."""
    return dict(entry.get("set_aside", {}))


def _summarize(name: str, patients: list[Mapping[str, Any]], aside: int) -> StructureSummary:
    mine = [entry for entry in patients if name in entry["structures"]]
    is_cut = [any(entry.get("features", {}).get(name, {}).get("cut", ())) for entry in mine]
    whole = [entry for entry, cut in zip(mine, is_cut, strict=True) if not cut] or mine
    volumes = np.array([entry["structures"][name]["volume_cc"] for entry in whole] or [np.nan])
    low, middle, high = np.quantile(volumes, (0.25, 0.5, 0.75))
    smallest, largest = float(volumes.min()), float(volumes.max())
    return StructureSummary(name, len(mine), aside, float(middle), smallest, largest, float(high - low), sum(is_cut))
