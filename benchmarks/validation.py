"""What a package draws, through the whole program, against the clinical contours of openkbp.

python benchmarks/validation.py DATA [--package NAME] [--variants openvino,torch,one-stage] [--split validation]
    [--patients 33] [--json FILE]

The reference counts on solid slices only (``solid_slices`` of index.json); a structure that is missing from a
patient's labels is not contoured there and does not count; one that is contoured and not drawn counts as DSC 0.
Surface distances are those of `autocontour.qa`. ``one-stage`` is the segmenter alone over the whole body.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.contouring import mask_from_contours
from autocontour.geometry import VolumeGeometry
from autocontour.jobs import Job
from autocontour.models import ModelPackage, find_package, segment_structures
from autocontour.qa.metrics import compute_metrics
from autocontour.volume import CTVolume

VARIANTS = {"openvino": "cpu", "torch": "torch-cpu", "one-stage": "cpu"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--variants", default="openvino")
    parser.add_argument("--split", default="validation", choices=("validation", "fold"))
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    package = find_package(args.package)
    rows: dict[str, list[dict[str, Any]]] = {}
    for variant in args.variants.split(","):
        rows[variant] = evaluate(package, variant, patients_of(args.data, args.split, package)[: args.patients])
        print_table(variant, rows[variant], list(package.structures))
    compare(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


def patients_of(data: Path, split: str, package: ModelPackage) -> list[tuple[Path, dict[str, Any]]]:
    """Return every patient's file and record: the validation split, or the package's own fold of ``train``."""
    fold = set(package.metadata.get("training", {}).get("fold_patients", []))
    records = json.loads((data / "index.json").read_text())["patients"]
    if split == "fold":
        return [(data / "train" / f"{r['patient']}.npz", r) for r in records if r["patient"] in fold]
    return [(data / "val" / f"{r['patient']}.npz", r) for r in records if r["split"] == split]


def evaluate(package: ModelPackage, variant: str, patients: list[tuple[Path, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return one row for each contoured structure of each patient."""
    if variant == "one-stage":
        stages = {"segmenter": package.stages["segmenter"]}
        package = replace(package, stages=stages, site_anchors=(), site_minimum=0)
    return [row for path, record in patients for row in evaluate_patient(package, VARIANTS[variant], path, record)]


def evaluate_patient(
    package: ModelPackage, device: str, path: Path, record: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    ct, labels, solid = read_patient(path, record)
    wall, processor = time.perf_counter(), time.process_time()
    found = segment_structures(ct, package, list(package.structures), Job(), device)
    seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    spacing = ct.geometry.spacing_zyx_mm
    for name in package.structures:
        truth = labels.get(name)
        if truth is None or not truth[solid].any():
            continue
        drawing = found.drawings.get(name)
        mask = np.zeros_like(truth) if drawing is None else mask_from_contours(drawing.contours, ct.geometry)
        metrics = compute_metrics(truth[solid], mask[solid], spacing, 3.0)
        yield {
            "patient": path.stem,
            "structure": name,
            "dsc": metrics.dsc,
            "hd95_mm": metrics.hd95_mm,
            "surface_dsc_3mm": metrics.surface_dsc,
            "findings": [finding.code for finding in drawing.findings] if drawing else ["not drawn"],
            **seconds,
        }


def read_patient(
    path: Path, record: dict[str, Any]
) -> tuple[CTVolume, dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Read a repacked patient as a CT of its solid slices, with the reference masks and which slices are solid."""
    bits = json.loads((path.parent.parent / "index.json").read_text())["structures_by_bit"]
    with np.load(path) as data:
        hu, labels, spacing = data["hu"], data["labels"], data["spacing_zyx_mm"].astype(np.float64)
    first, last = record["solid_slices"][0][0], record["solid_slices"][-1][1]
    solid = np.zeros(len(hu), bool)
    for start, stop in record["solid_slices"]:
        solid[start:stop] = True
    hu, labels, solid = hu[first:last], labels[first:last], solid[first:last]
    geometry = VolumeGeometry.regular(hu.shape, (float(spacing[0]), float(spacing[1]), float(spacing[2])))
    masks = {name: (labels >> k & 1).astype(bool) for k, name in enumerate(bits) if (labels >> k & 1).any()}
    return CTVolume(hu, geometry), masks, solid


def print_table(variant: str, rows: list[dict[str, Any]], names: list[str]) -> None:
    per_patient = {row["patient"]: row for row in rows}.values()
    clock = {key: np.median([row[key] for row in per_patient]) for key in ("wall", "processor")}
    print(f"\n{variant}: median {clock['wall']:.2f} s a patient, processor {clock['processor']:.2f} s")
    print("structure         n   DSC mean ± SD (median)   HD95 mm mean (median)   surface DSC 3 mm mean (median)")
    for name in names:
        mine = [row for row in rows if row["structure"] == name]
        if not mine:
            continue
        dsc, hd95, surface = (np.array([r[k] for r in mine]) for k in ("dsc", "hd95_mm", "surface_dsc_3mm"))
        hd95 = np.where(np.isfinite(hd95), hd95, np.nan)
        print(
            f"{name:15s} {len(mine):3d}   {dsc.mean():.3f} ± {dsc.std():.3f} ({np.median(dsc):.3f})"
            f"   {np.nanmean(hd95):8.1f} ({np.nanmedian(hd95):.1f})"
            f"   {np.nanmean(surface):16.3f} ({np.nanmedian(surface):.3f})"
        )


def compare(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Print how each variant's mean DSC differs from the first one's."""
    first, *others = rows
    for other in others:
        for name in dict.fromkeys(row["structure"] for row in rows[first]):
            a, b = (np.mean([r["dsc"] for r in rows[v] if r["structure"] == name]) for v in (first, other))
            print(f"{name:15s} mean DSC {first} − {other}: {a - b:+.4f}")


if __name__ == "__main__":
    main()
