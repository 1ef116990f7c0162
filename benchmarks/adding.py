"""A structure is added to a package that lacks it: how well it is drawn, and what the others lose.

    python benchmarks/adding.py --data ../shared/data/openkbp -o WORK [--package head-and-neck] [--steps 120]

The structure is removed from a package: its outputs, its entry and the positions of others relative to it. What the
layers before the outputs have learnt about it stays, which flatters the result. `autocontour retrain --add` then learns
it from patients in whom it is contoured, with the other patients of the package's training as replay, in which it is
not known. Measured through the whole pipeline, on patients whom the package has not been trained on (held out, and
`openkbp/val`): the structure with the original package and with the candidate, and the others with the package before
and after. What is complete in WORK is not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autocontour.cli import main as autocontour
from autocontour.models import ModelPackage, find_package, read_package, write_package
from autocontour.models.data.fingerprint import ct_fingerprint
from autocontour.models.inference.runtime import keep_runners
from autocontour.models.networks import head_names
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.measure import (
    MeasuredStructure,
    measure_case,
    read_measured,
    run_case,
    write_measured,
)

SITES = "calibration", "validation"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the experiment; continued")
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--structure", default="Larynx")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--steps", type=int, default=120)
    args = parser.parse_args()
    keep_runners()
    args.output.mkdir(parents=True, exist_ok=True)
    original = find_package(args.package)
    smaller = without(original, args.structure, args.output / "without")
    candidate, minutes = retrained(original, args)
    print(f"{args.cases} patients, {args.steps} steps of each stage, {minutes:.1f} minutes of processor time")
    print("| structure | patients | n | DSC before | after | difference | surface DSC before | after | difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    for split in SITES:
        check_unseen(candidate, original, args.data, split)
        before, after = (measured(one, original, args, split) for one in (smaller, candidate))
        first = [one for one in measured(original, original, args, split) if one.structure == args.structure]
        names = list(dict.fromkeys(row.structure for row in before if row.structure != args.structure))
        show(f"{args.structure} (before: the original package)", split, first, after, args.structure)
        for name in names:
            show(name, split, before, after, name)


def without(package: ModelPackage, name: str, folder: Path) -> ModelPackage:
    """Return the package without a structure."""
    if folder.exists():
        return read_package(folder)
    metadata: dict[str, Any] = json.loads(json.dumps(package.metadata))
    kept = [one for one in metadata["structures"] if one["name"] != name]
    for one in kept:
        one.get("statistics", {}).get("offset_zyx_mm", {}).pop(name, None)
    metadata["structures"] = kept
    metadata["site"]["anchors"] = [one for one in metadata["site"]["anchors"] if one != name]
    names = [one["name"] for one in kept]
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = dict(enumerate(names))
    metadata.pop("validation", None)
    rows = [package.channel(one) for one in names]
    weights = {role: dict(package.read_weights(role)) for role in package.stages}
    for role, stage in metadata["stages"].items():
        stage["network"]["out_channels"] = len(names)
        heads = head_names(package.stages[role].network)
        for weight in [one for one in weights[role] if one.endswith(heads)]:
            weights[role][weight] = weights[role][weight][rows]
    return write_package(folder, metadata, weights)


def retrained(original: ModelPackage, args: argparse.Namespace) -> tuple[ModelPackage, float]:
    """Return the candidate of `autocontour retrain --add`, and the minutes of processor time."""
    run, spent = args.output / "run", args.output / "minutes.json"
    if not spent.exists():
        index = json.loads((args.data / "index.json").read_text())
        held_out = set(original.metadata["training"]["validation_patients"])
        known = [one for one in index["patients"] if one["split"] == "train" and one["patient"] not in held_out]
        having = [one["patient"] for one in known if args.structure in one["voxels"]]
        new = {str(one) for one in np.random.default_rng(1).permutation(sorted(having))[: args.cases]}
        write_set(args.output / "cases", args.data, index, [one for one in known if one["patient"] in new], "")
        others = [one for one in known if one["patient"] not in new]
        write_set(args.output / "replay", args.data, index, others, args.structure)
        begun = time.process_time()
        command = ["retrain", args.output / "without", args.output / "cases", "-o", run, "--add", args.structure]
        command += ["--replay", args.output / "replay", "--steps", args.steps, "--json"]
        if code := autocontour([str(part) for part in command]):
            raise SystemExit(code)
        spent.write_text(json.dumps((time.process_time() - begun) / 60))
    return read_package(run / "package"), float(json.loads(spent.read_text()))


def write_set(folder: Path, data: Path, index: dict[str, Any], entries: Sequence[dict[str, Any]], unknown: str) -> None:
    """Write a data set of some patients; the structure `unknown` is not contoured in any of them."""
    (folder / "train").mkdir(parents=True, exist_ok=True)
    kept = []
    for entry in entries:
        place = folder / "train" / f"{entry['patient']}.npz"
        place.unlink(missing_ok=True)
        place.symlink_to((data / "train" / place.name).resolve())
        kept.append(entry | {"voxels": {name: n for name, n in entry["voxels"].items() if name != unknown}})
    (folder / "index.json").write_text(json.dumps(index | {"patients": kept}))


def check_unseen(candidate: ModelPackage, original: ModelPackage, data: Path, split: str) -> None:
    """Stop if a test patient was trained on."""
    known = set(candidate.metadata["training"]["fingerprints"])
    for case in read_cases(data, split, original):
        if ct_fingerprint(case.ct.hu, case.ct.geometry.spacing_zyx_mm) in known:
            raise SystemExit(f"{case.patient} of {split} was trained on.")


def measured(
    package: ModelPackage, original: ModelPackage, args: argparse.Namespace, split: str
) -> list[MeasuredStructure]:
    """Return the measurements of a package on the patients of a split; what was measured before is read."""
    folder = args.output / "rows" / package.checksum[:12] / split
    folder.mkdir(parents=True, exist_ok=True)
    index = json.loads((args.data / "index.json").read_text())
    held_out = original.metadata["training"]["validation_patients"]
    names = [
        one["patient"]
        for one in index["patients"]
        if (one["patient"] in held_out if split == "calibration" else one["split"] == split)
    ]
    if not all((folder / f"{name}.json").exists() for name in names):
        for case in read_cases(args.data, split, package):
            path = folder / f"{case.patient}.json"
            if not path.exists():
                found = measure_case(case, run_case(case, package))
                write_measured(path, [one for one in found if not one.structure.startswith("PTV")])
    return [row for name in names for row in read_measured(folder / f"{name}.json")]


def show(
    title: str, split: str, before: Sequence[MeasuredStructure], after: Sequence[MeasuredStructure], name: str
) -> None:
    """Print the paired means of a structure; one that is not drawn has a DSC of 0."""
    first, second = ({row.patient: row.metrics for row in rows if row.structure == name} for rows in (before, after))
    if first.keys() != second.keys():
        raise SystemExit(f"{name}: measured on different patients.")
    cells = []
    for metric in ("dsc", "surface_dsc"):
        pairs = [[getattr(one[patient], metric) for patient in first] for one in (first, second)]
        values = np.nan_to_num(np.array(pairs))
        away = values[1] - values[0]
        cells += [f"{one.mean():.3f} ± {one.std(ddof=1):.3f}" for one in values]
        cells.append(f"{away.mean():+.4f} ± {away.std(ddof=1):.3f}")
    print(f"| {title} | {split} | {len(first)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
