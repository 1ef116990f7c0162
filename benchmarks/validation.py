"""What a package draws, through the whole program, against the clinical contours of openkbp; in several ways.

python benchmarks/validation.py DATA [--package NAME] [--variants openvino,torch,one-stage] [--split validation]
    [--patients 33] [--json FILE]

The reference counts on solid slices only (``solid_slices`` of index.json); a structure that is missing from a
patient's labels is not contoured there and does not count; one that is contoured and not drawn counts as DSC 0.
``torch`` is the same in fp32 without OpenVINO. ``one-stage`` is the segmenter alone over the whole body: the same
network, weights and so training budget, without a first look at low resolution that says where to look.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from cases import Row, judge_case, read_cases, rows_of, run_case, summarize

from autocontour.models import ModelPackage, find_package

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
    rows: dict[str, list[Row]] = {}
    for variant in args.variants.split(","):
        rows[variant] = evaluate(package, variant, args)
        print_table(variant, rows[variant], list(package.structures))
    compare(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


def evaluate(package: ModelPackage, variant: str, args: argparse.Namespace) -> list[Row]:
    """Return one row for each contoured structure of each patient; the first patient is run twice, counted once."""
    if variant == "one-stage":
        stages = {"segmenter": package.stages["segmenter"]}
        package = replace(package, stages=stages, site_anchors=(), site_minimum=0)
    rows: list[Row] = []
    for number, case in enumerate(read_cases(args.data, args.split, package)):
        if number == args.patients:
            break
        if number == 0:
            run_case(case, package, VARIANTS[variant])
        drawn = run_case(case, package, VARIANTS[variant])
        clock = {"wall_s": drawn.wall_s, "processor_s": drawn.processor_s}
        rows += [row | clock for row in judge_case(case, drawn)]
    return rows


def print_table(variant: str, rows: list[Row], names: list[str]) -> None:
    per_patient = {row["patient"]: row for row in rows}.values()
    clock = [float(np.median([row[key] for row in per_patient])) for key in ("wall_s", "processor_s")]
    print(f"\n{variant}: median {clock[0]:.2f} s a patient, processor {clock[1]:.2f} s")
    print("structure         n   DSC mean ± SD (median)   HD95 mm mean (median)   surface DSC 3 mm mean (median)")
    for name in names:
        if mine := rows_of(rows, name):
            one = summarize(mine)
            dsc, hd95, surface = one["dsc"], one["hd95_mm"], one["surface_dsc"]
            print(
                f"{name:15s} {one['n']:3d}   {dsc['mean']:.3f} ± {dsc['sd']:.3f} ({dsc['median']:.3f})"
                f"   {hd95['mean'] or np.nan:8.1f} ({hd95['median'] or np.inf:.1f})"
                f"   {surface['mean']:16.3f} ({surface['median']:.3f})"
            )


def compare(rows: dict[str, list[Row]]) -> None:
    """Print how each variant's mean DSC differs from the first one's."""
    first, *others = rows
    for other in others:
        for name in dict.fromkeys(row["structure"] for row in rows[first]):
            a, b = (np.mean([row["dsc"] for row in rows_of(rows[v], name)]) for v in (first, other))
            print(f"{name:15s} mean DSC {first} − {other}: {a - b:+.4f}")


if __name__ == "__main__":
    main()
