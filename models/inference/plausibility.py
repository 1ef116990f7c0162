"""Plausibility of a structure drawn by a network: its volume, its position, its uncertainty.

A finding that does not distinguish good contours from bad ones on patients held out from the training is not shown as a
warning: see `autocontour.models.training.calibrate`, which measures it, and ``findings`` of a package's metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
    """Measures of one structure in one scan.

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
    expected_dsc
        Expected DSC with the true contour if the probabilities are calibrated: 2 Σp inside / (Σp + voxels inside).
    border_confidence
        Mean probability of its outermost voxels.
    localized_cc
        Its volume in the localizer's result; None without a localizer.
    member_agreement
        How far the networks of an ensemble agree on it, as a DSC; None for one network.
    """

    volume_cc: float
    centre_zyx_mm: tuple[float, float, float]
    confidence: float = 1.0
    at_end: bool = False
    expected_dsc: float = 1.0
    border_confidence: float = 1.0
    localized_cc: float | None = None
    member_agreement: float | None = None

    @property
    def volume_agreement(self) -> float:
        """Agreement of localizer and segmenter on the volume: 0, or −|log ratio|; nan without a localizer."""
        if self.localized_cc is None:
            return float("nan")
        return -abs(float(np.log(self.localized_cc / self.volume_cc)))


def measure_probability(probability: NDArray[np.float32], threshold: float, grid: Grid) -> Measure | None:
    """Measure the region at or above `threshold`; None if it is empty."""
    mask = probability >= threshold
    if not mask.any():
        return None
    indices = np.argwhere(mask)
    centre = np.asarray(grid.origin_zyx_mm) + indices.mean(axis=0) * grid.spacing_zyx_mm
    half = np.asarray(grid.spacing_zyx_mm) / 2
    low = np.asarray(grid.origin_zyx_mm) + indices.min(axis=0) * grid.spacing_zyx_mm - half
    high = np.asarray(grid.origin_zyx_mm) + indices.max(axis=0) * grid.spacing_zyx_mm + half
    ends = grid.frame.extent_zyx_mm
    z, y, x = (float(value) for value in centre)
    inside, total = (float(part.sum(dtype=np.float64)) for part in (probability[mask], probability))
    return Measure(
        volume_cc=float(mask.sum() * np.prod(grid.spacing_zyx_mm) / 1000),
        centre_zyx_mm=(z, y, x),
        confidence=inside / len(indices),
        at_end=bool((low <= ends[:, 0] + half).any() or (high >= ends[:, 1] - half).any()),
        expected_dsc=2 * inside / (total + len(indices)),
        border_confidence=float(probability[mask & ~ndimage.binary_erosion(mask)].mean()),
    )


def compute_statistics(cases: Sequence[Mapping[str, Measure]]) -> dict[str, dict[str, Any]]:
    """Return the volumes and relative positions in the training data, as a package's ``statistics`` of each structure.

    Parameters
    ----------
    cases
        One scan each: structure → its `Measure`, from the reference contours; structures that are missing were not
        contoured.

    Returns
    -------
    dict
        Structure → ``volume_cc`` [low, high] and ``offset_zyx_mm``: other structure → [low, high] of the vector from
        that one's centre to this one's; the 1st and 99th percentiles. Values from fewer than ten scans are left out.
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
    """Return whether enough of the package's anchors are in the scan, of plausible volume and relative position.

    Parameters
    ----------
    package
        The package with the body site.
    found
        Result of the localizer.
    slack
        Factor by which a volume may lie outside the training data's: the localizer is coarse.
    """
    anchors = {name: found[name] for name in package.site_anchors if name in found}
    likely = {name: one for name, one in anchors.items() if _volume_fits(package.structures[name], one, slack)}
    placed = [name for name in likely if not _misplaced(package, name, likely)]
    return len(placed) >= package.site_minimum


def check_measures(package: ModelPackage, drawn: Mapping[str, Measure]) -> dict[str, tuple[Finding, ...]]:
    """Return the findings about each structure drawn.

    Findings without power in the package's calibration have the severity INFO.
    """
    return {name: tuple(_check(package.structures[name], measure, drawn, package)) for name, measure in drawn.items()}


def _check(
    structure: PackageStructure, measure: Measure, drawn: Mapping[str, Measure], package: ModelPackage
) -> Iterator[Finding]:
    name = structure.name

    def finding(code: str, *, usual: bool = False, **values: str | float) -> Finding:
        quiet = usual or code in package.quiet_findings
        return Finding.of(code, name, (), Severity.INFO if quiet else None, structure=name, **values)

    if measure.at_end:
        yield finding("AC-MD-102", usual=structure.rules.elongated)
    if not _volume_fits(structure, measure, VOLUME_SLACK):
        low, high = structure.statistics["volume_cc"]
        yield finding("AC-MD-104", volume_cc=measure.volume_cc, low_cc=low, high_cc=high)
    if _misplaced(package, name, drawn):
        yield finding("AC-MD-105")
    other = _other_side(structure, package)
    if other and other in drawn and _swapped(structure, measure, drawn[other]):
        yield finding("AC-MD-106", other=other)
    if is_uncertain(structure, measure, package):
        yield finding("AC-MD-107", confidence=measure.confidence)


def is_uncertain(structure: PackageStructure, measure: Measure, package: ModelPackage) -> bool:
    """Return whether a structure is more uncertain than most of those of the patients held out from the training.

    For a package without calibrated limits only the mean probability is used.
    """
    if package.uncertainty is None:
        return measure.confidence < least_confidence(structure)
    return package.uncertainty.score(predictors_of(measure)) > package.uncertainty.limit


def predictors_of(measure: Measure) -> dict[str, float]:
    """Return the predictors of the quality of a contour, each higher for better ones; nan where unknown."""
    return {
        "expected_dsc": measure.expected_dsc,
        "border_confidence": measure.border_confidence,
        "volume_agreement": measure.volume_agreement,
        "member_agreement": float("nan") if measure.member_agreement is None else measure.member_agreement,
    }


def least_confidence(structure: PackageStructure) -> float:
    """Return the mean probability below which a structure counts as uncertain."""
    return float(structure.statistics.get("confidence", LEAST_CONFIDENCE))


def _volume_fits(structure: PackageStructure, measure: Measure, slack: float) -> bool:
    limits = structure.statistics.get("volume_cc")
    if not limits:
        return True
    partial = measure.at_end or structure.rules.elongated
    return bool((partial or measure.volume_cc >= limits[0] / slack) and measure.volume_cc <= limits[1] * slack)


def _misplaced(package: ModelPackage, name: str, drawn: Mapping[str, Measure]) -> bool:
    """Return whether the structure's position is unusual relative to at least half of the others."""
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
