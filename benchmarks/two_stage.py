"""Two stages against one: the same segmenter, once inside the localizer's boxes, once over the whole body.

python benchmarks/two_stage.py --data ../shared/data/openkbp [--limit 10]

The network, its weights and so its training budget are the same on both sides; what differs is whether a first look at
low resolution says where to look. The first patient is run twice and counted once, so that no side pays for loading.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import judge_case, read_cases, run_case

from autocontour.models import ModelPackage, read_package, write_package

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, default=ROOT / "models/bundled/head-and-neck")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/openkbp")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int, default=10)
    args = parser.parse_args()
    package = read_package(args.package)
    with tempfile.TemporaryDirectory() as folder:
        sides = {"two stages": package, "one stage": without_localizer(package, Path(folder) / "one-stage")}
        outcome = {side: measure(one, args) for side, one in sides.items()}
    print("| | two stages: DSC mean, median | one stage: DSC mean, median | n |\n|---|---|---|---|")
    for name in package.structures:
        columns = [np.array([row["dsc"] for row in rows if row["structure"] == name]) for rows, _ in outcome.values()]
        if len(columns[0]):
            cells = " | ".join(f"{values.mean():.3f}, {np.median(values):.3f}" for values in columns)
            print(f"| {name} | {cells} | {len(columns[0])} |")
    times = " | ".join(f"{np.median(seconds):.2f} s" for _, seconds in outcome.values())
    print(f"| time of a patient, median | {times} | {args.limit} |")


def without_localizer(package: ModelPackage, folder: Path) -> ModelPackage:
    """Return the package's segmenter as a package of its own."""
    metadata = {**package.metadata, "stages": {"segmenter": package.metadata["stages"]["segmenter"]}}
    weights = {key: torch.from_numpy(value) for key, value in package.read_weights("segmenter").items()}
    return write_package(folder, metadata, {"segmenter": weights})


def measure(package: ModelPackage, args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[float]]:
    rows, seconds = [], []
    for number, case in enumerate(read_cases(args.data, args.split, list(package.structures))):
        if number == args.limit:
            break
        if number == 0:
            run_case(case, package)
        drawn, took = run_case(case, package)
        rows += judge_case(case, drawn)
        seconds.append(took)
    return rows, seconds


if __name__ == "__main__":
    main()
