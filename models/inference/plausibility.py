"""Whether a drawn structure is like those that training saw: its volume, its place among the others, its certainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding, Severity
from autocontour.models.inference.sampling import Grid
from autocontour.models.package.description import PackageStructure
from autocontour.models.package.package import ModelPackage
from autocontour.patient.geometry import Floats

PERCENTILES = (1.0, 99.0)
VOLUME_SLACK = 1.25
POSITION_SLACK_MM = 10.0
LEAST_CASES = 10
LEAST_CONFIDENCE = 0.7


@dataclass(frozen=True)
class Measure:
    """What is measured of one structure in one scan.

    Attributes
    ----------
    volume_cc
        Its volume.
    centre_zyx_mm
        Its centroid along the patient's z, y, x.
    confidence
        Mean probability of its voxels.
    at_end
        Whether it reaches the first or last slice or the edge of the scan.
    """

    volume_cc: float
    centre_zyx_mm: tuple[float, float, float]
    confidence: float = 1.0
    at_end: bool = False


def measure_probability(probability: NDArray[np.float32], threshold: float, grid: Grid) -> Measure | None:
    """Measure what lies at or above `threshold`; None if nothing does."""
    mask = probability >= threshold
    if not mask.any():
        return None
    indices = np.argwhere(mask)
    centre = np.asarray(grid.origin_zyx_mm) + indices.mean(axis=0) * grid.spacing_zyx_mm
    half = np.asarray(grid.spacing_zyx_mm) / 2
    low = np.asarray(grid.origin_zyx_mm) + indices.min(axis=0) * grid.spacing_zyx_mm - half
    high = np.asarray(grid.origin_zyx_mm) + indices.max(axis=0) * grid.spacing_zyx_mm + half
    ends = grid.frame.extent_zyx_mm
    at_end = bool((low <= ends[:, 0] + half).any() or (high >= ends[:, 1] - half).any())
    volume = float(mask.sum() * np.prod(grid.spacing_zyx_mm) / 1000)
    z, y, x = (float(value) for value in centre)
    return Measure(volume, (z, y, x), float(probability[mask].mean()), at_end)


def compute_statistics(cases: Sequence[Mapping[str, Measure]]) -> dict[str, dict[str, Any]]:
    """Sum up what training saw, as a package's ``statistics`` of each structure.

    Parameters
    ----------
    cases
        One scan each: structure → its `Measure`, from the reference contours; structures that are missing were not
        contoured.

    Returns
    -------
    dict
        Structure → ``volume_cc`` [low, high] and ``offset_zyx_mm``: other structure → [low, high] of the vector from
        that one's centre to this one's; the 1st and 99th percentiles. What fewer than ten scans show is left out.
    """
    names = sorted({name for case in cases for name in case})
    statistics: dict[str, dict[str, Any]] = {}
    for name in names:
        whole = [case[name].volume_cc for case in cases if name in case and not case[name].at_end]
        entry: dict[str, Any] = {"cases": len(whole)}
        if len(whole) >= LEAST_CASES:
            entry["volume_cc"] = [round(float(v), 2) for v in np.percentile(whole, PERCENTILES)]
        offsets = {other: _offsets(cases, name, other) for other in names if other != name}
        entry["offset_zyx_mm"] = {
            other: np.percentile(rows, PERCENTILES, axis=0).round(1).tolist()
            for other, rows in offsets.items()
            if len(rows) >= LEAST_CASES
        }
        statistics[name] = entry
    return statistics


def _offsets(cases: Sequence[Mapping[str, Measure]], name: str, other: str) -> list[Floats]:
    both = [(case[name], case[other]) for case in cases if name in case and other in case]
    return [np.subtract(a.centre_zyx_mm, b.centre_zyx_mm) for a, b in both]


def matches_site(package: ModelPackage, found: Mapping[str, Measure], slack: float = 3.0) -> bool:
    """Say whether enough of the package's anchors are in the scan, each of likely size and among the others.

    Parameters
    ----------
    found
        What the first look at the scan found.
    slack
        Factor by which a volume may lie outside what training saw: the first look is coarse.
    """
    anchors = {name: found[name] for name in package.site_anchors if name in found}
    likely = {name: one for name, one in anchors.items() if _volume_fits(package.structures[name], one, slack)}
    placed = [name for name in likely if not _misplaced(package, name, likely)]
    return len(placed) >= package.site_minimum


def check_structures(package: ModelPackage, drawn: Mapping[str, Measure]) -> dict[str, tuple[Finding, ...]]:
    """Return what is doubtful about each structure drawn."""
    return {name: tuple(_doubts(package.structures[name], measure, drawn, package)) for name, measure in drawn.items()}


def _doubts(
    structure: PackageStructure, measure: Measure, drawn: Mapping[str, Measure], package: ModelPackage
) -> Iterator[Finding]:
    name = structure.name
    if measure.at_end:
        yield _warn("AC-MD-102", name, f"{name} reaches the end of the scan and may be cut off.", "Check its ends.")
    if not _volume_fits(structure, measure, VOLUME_SLACK):
        low, high = structure.statistics["volume_cc"]
        seen = f"training saw {low:.1f} to {high:.1f} cm³"
        message = f"{name} has {measure.volume_cc:.1f} cm³; {seen}."
        yield _warn("AC-MD-104", name, message, "Check whether it is whole and nothing else.")
    if _misplaced(package, name, drawn):
        message = f"{name} lies elsewhere among the other structures than in any scan that training saw."
        yield _warn("AC-MD-105", name, message, "Check whether it is the right organ.")
    other = _other_side(structure, package)
    if other and other in drawn and _swapped(structure, measure, drawn[other]):
        message = f"{name} lies on the wrong side of {other}: left and right may be swapped."
        yield _warn("AC-MD-106", name, message, "Check the patient's orientation and both structures.")
    if measure.confidence < least_confidence(structure):
        message = f"The network is unsure of {name} (mean probability {measure.confidence:.2f})."
        yield _warn("AC-MD-107", name, message, "Check every slice of it.")


def least_confidence(structure: PackageStructure) -> float:
    """Return the mean probability below which the network counts as unsure of a structure."""
    return float(structure.statistics.get("confidence", LEAST_CONFIDENCE))


def _volume_fits(structure: PackageStructure, measure: Measure, slack: float) -> bool:
    limits = structure.statistics.get("volume_cc")
    if not limits:
        return True
    partial = measure.at_end or structure.rules.elongated
    return bool((partial or measure.volume_cc >= limits[0] / slack) and measure.volume_cc <= limits[1] * slack)


def _misplaced(package: ModelPackage, name: str, drawn: Mapping[str, Measure]) -> bool:
    """Say whether the structure's centre is out of place against at least half of those it can be compared with."""
    outside = []
    for other, (low, high) in package.structures[name].statistics.get("offset_zyx_mm", {}).items():
        if other not in drawn:
            continue
        offset = np.subtract(drawn[name].centre_zyx_mm, drawn[other].centre_zyx_mm)
        off = (offset < np.subtract(low, POSITION_SLACK_MM)) | (offset > np.add(high, POSITION_SLACK_MM))
        if any(drawn[one].at_end or package.structures[one].rules.elongated for one in (name, other)):
            off[0] = False
        outside.append(bool(off.any()))
    return bool(outside) and sum(outside) * 2 >= len(outside)


def _other_side(structure: PackageStructure, package: ModelPackage) -> str:
    """Return the same structure's name on the other side, as TG-263 writes it (``_L``, ``_R``); empty if none."""
    swap = {"left": ("_L", "_R"), "right": ("_R", "_L")}.get(structure.rules.side)
    if swap is None or not structure.name.endswith(swap[0]):
        return ""
    other = structure.name.removesuffix(swap[0]) + swap[1]
    return other if other in package.structures else ""


def _swapped(structure: PackageStructure, measure: Measure, other: Measure) -> bool:
    to_the_left = measure.centre_zyx_mm[2] - other.centre_zyx_mm[2]
    return to_the_left < 0 if structure.rules.side == "left" else to_the_left > 0


def _warn(code: str, where: str, message: str, remedy: str) -> Finding:
    return Finding(code, Severity.WARN, message, where, remedy)
