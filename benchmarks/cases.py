"""Patients of a research set as CTs with reference masks, and what a package does on them; shared by benchmarks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models import ModelPackage, segment_structures
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.qa import compute_metrics

Mask = NDArray[np.bool_]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """One patient, from the first to the last slice that holds enough CT.

    Attributes
    ----------
    masks
        Structure → reference (z, y, x) on the slices that count; what was not contoured is missing.
    solid
        (z,) which slices hold enough CT to count.
    inside
        Structure → how much of its reference lies on the slices that count, 0 to 1.
    """

    patient: str
    ct: CTVolume
    masks: dict[str, Mask]
    solid: NDArray[np.bool_]
    inside: dict[str, float]


def read_cases(data: Path, split: str, package: ModelPackage) -> Iterator[Case]:
    """Yield the patients of a split, in the order of the index; ``fold`` is the package's own part of ``train``."""
    index = json.loads((data / "index.json").read_text(encoding="utf-8"))
    fold = package.metadata["training"]["fold_patients"] if split == "fold" else ()
    for entry in index["patients"]:
        if entry["split"] == split or entry["patient"] in fold:
            yield _read_case(next(data.glob(f"*/{entry['patient']}.npz")), entry, index, list(package.structures))


def _read_case(path: Path, entry: dict[str, Any], index: dict[str, Any], names: list[str]) -> Case:
    with np.load(path, allow_pickle=False) as arrays:
        hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
    solid = np.zeros(len(hu), bool)
    for start, stop in entry["solid_slices"]:
        solid[start:stop] = True
    part = slice(entry["solid_slices"][0][0], entry["solid_slices"][-1][1])
    hu, labels, solid = hu[part], labels[part], solid[part]
    bits = {name: 1 << index["structures_by_bit"].index(name) for name in names if name in entry["voxels"]}
    masks = {name: (labels & bit > 0) & solid[:, None, None] for name, bit in bits.items()}
    geometry = VolumeGeometry.regular(hu.shape, tuple(float(v) for v in spacing))
    masks = {name: mask for name, mask in masks.items() if mask.any()}
    return Case(path.stem, CTVolume(hu, geometry), masks, solid, entry["fraction_inside_ct"])


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a package drew of the structures that a case has.

    Attributes
    ----------
    masks
        Structure → (z, y, x) on the slices that count, empty for what was not drawn.
    findings
        Structure → codes.
    wall_s, processor_s
        Of the whole of it, all processors together.
    """

    masks: dict[str, Mask]
    findings: dict[str, list[str]]
    wall_s: float
    processor_s: float


def run_case(case: Case, package: ModelPackage, device: str = "auto") -> Drawn:
    """Run the whole program's network stage on a case."""
    wall, processor = time.perf_counter(), time.process_time()
    outcome = segment_structures(case.ct, package, list(case.masks), Job(), device)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    masks = {name: np.zeros(case.ct.hu.shape, bool) for name in case.masks}
    for name, drawing in outcome.drawings.items():
        masks[name] = mask_from_contours(drawing.contours, case.ct.geometry) & case.solid[:, None, None]
    findings = {name: [finding.code for finding in drawing.findings] for name, drawing in outcome.drawings.items()}
    return Drawn(masks, findings, wall, processor)


def judge_case(case: Case, drawn: Drawn) -> list[Row]:
    """Return one row of metrics per structure; one that was not drawn has a DSC of 0 and no distance."""
    spacing = case.ct.geometry.spacing_zyx_mm
    return [
        {
            "patient": case.patient,
            "structure": name,
            **compute_metrics(reference, drawn.masks[name], spacing).to_json(),
            "findings": drawn.findings.get(name, []),
            "inside": case.inside[name],
        }
        for name, reference in case.masks.items()
    ]


def summarize(rows: list[Row]) -> dict[str, Any]:
    """Summarize one structure; a case that was not drawn has a DSC of 0 and an endless distance.

    Endless distances count in the median and are left out of mean and SD.
    """
    summary: dict[str, Any] = {"n": len(rows), "not_drawn": sum(row["volume_b_cc"] == 0 for row in rows)}
    for metric in ("dsc", "hd95_mm", "surface_dsc"):
        values = np.array([np.inf if row[metric] is None else row[metric] for row in rows])
        finite = values[np.isfinite(values)]
        summary[metric] = {
            "mean": round(float(finite.mean()), 4) if len(finite) else None,
            "sd": round(float(finite.std(ddof=1)) if len(finite) > 1 else 0.0, 4),
            "median": _finite(float(np.median(values))),
        }
    return summary


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def rows_of(rows: list[Row], name: str) -> list[Row]:
    """Return the rows of one structure."""
    return [row for row in rows if row["structure"] == name]
