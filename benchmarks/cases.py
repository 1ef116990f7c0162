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

from autocontour.contouring import mask_from_contours
from autocontour.geometry import VolumeGeometry
from autocontour.jobs import Job
from autocontour.models import ModelPackage
from autocontour.models.inference import segment_structures
from autocontour.qa import compute_metrics
from autocontour.volume import CTVolume

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Case:
    """One patient: structures that were not contoured have no mask; slices without enough CT do not count."""

    patient: str
    ct: CTVolume
    masks: dict[str, Mask]
    solid: NDArray[np.bool_]


def read_cases(folder: Path, split: str, names: list[str]) -> Iterator[Case]:
    """Yield the patients of a split in the order of the index."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for entry in index["patients"]:
        if entry["split"] != split:
            continue
        path = next(folder.glob(f"*/{entry['patient']}.npz"))
        with np.load(path, allow_pickle=False) as arrays:
            hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
        solid = np.zeros(len(hu), bool)
        for start, stop in entry["solid_slices"]:
            solid[start:stop] = True
        bits = {name: 1 << index["structures_by_bit"].index(name) for name in names if name in entry["voxels"]}
        masks = {name: (labels & bit > 0) & solid[:, None, None] for name, bit in bits.items()}
        geometry = VolumeGeometry.regular(hu.shape, tuple(float(v) for v in spacing))
        yield Case(entry["patient"], CTVolume(hu, geometry), {k: m for k, m in masks.items() if m.any()}, solid)


def run_case(case: Case, package: ModelPackage, device: str = "auto") -> tuple[dict[str, Mask], float]:
    """Return what the package draws of the structures that the case has, as masks on solid slices, and the seconds."""
    began = time.perf_counter()
    outcome = segment_structures(case.ct, package, list(case.masks), Job(), device)
    seconds = time.perf_counter() - began
    drawn = {name: np.zeros(case.ct.hu.shape, bool) for name in case.masks}
    for name, drawing in outcome.drawings.items():
        drawn[name] = mask_from_contours(drawing.contours, case.ct.geometry) & case.solid[:, None, None]
    return drawn, seconds


def judge_case(case: Case, drawn: dict[str, Mask]) -> list[dict[str, Any]]:
    """Return one row of metrics per structure; one that was not drawn has a DSC of 0 and no distance."""
    rows = []
    for name, reference in case.masks.items():
        metrics = compute_metrics(reference, drawn[name], case.ct.geometry.spacing_zyx_mm)
        rows.append({"patient": case.patient, "structure": name, **metrics.to_json()})
    return rows
