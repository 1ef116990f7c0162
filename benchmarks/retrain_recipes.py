"""Recipes of `autocontour retrain` compared on patients that no test uses, after benchmarks/continual.py has run.

    python benchmarks/retrain_recipes.py --data ../shared/data/openkbp -o WORK_OF_CONTINUAL --package … \
        --seeds 2 --n 10 --steps 80 --arms replay-l2sp teacher --shares 0.5 1

Measured are patients of the clinic that are neither learnt from nor in its test, and earlier patients, who belong to
the replay: what is forgotten of them is a lower limit. A share below 1 is a package whose weights lie that far on the
way from the package in use to the retrained one (Wortsman et al. 2022, arXiv:2109.01903); it costs no training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from continual import ARMS, CHANGED, ORGANS, Design, choose, make, write_set

from autocontour.models import ModelPackage, find_package, write_package
from autocontour.models.inference.runtime import keep_runners
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.measure import (
    MeasuredStructure,
    measure_case,
    read_measured,
    run_case,
    write_measured,
)

Scores = dict[tuple[str, str], MeasuredStructure]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of continual.py; continued")
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--n", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2])
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--arms", nargs="+", default=["replay-l2sp", "teacher"], choices=list(ARMS))
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0])
    parser.add_argument("--clinic-test", type=int, default=12)
    parser.add_argument("--old-test", type=int, default=20)
    parser.add_argument("--patients", type=int, default=12, help="of each kind, at most")
    args = parser.parse_args()
    keep_runners()
    index = json.loads((args.data / "index.json").read_text())
    general = find_package(args.package)
    changes: dict[str, list[dict[str, float]]] = {}
    for seed in args.seeds:
        place = args.output / f"seed-{seed}"
        design = design_of(place, index, general, args, seed)
        write_development_sets(place, index, args, design, seed)
        before = measured(general, place, "frozen")
        folder = place / f"n-{args.n}"
        write_set(folder / "cases", args.data, index, design.clinic[: args.n], "train", habit=True)
        write_set(place / "old", args.data, index, design.old, "train")
        for arm in args.arms:
            candidate, minutes = make(arm, general, folder, [place / "old"], args, seed)
            for share in args.shares:
                one = candidate if share == 1 else between(general, candidate, share, folder / arm / f"share-{share}")
                name = f"{arm} {share:g}"
                changes.setdefault(name, []).append(compare(before, measured(one, place, name)) | {"minutes": minutes})
    report(changes)


def design_of(place: Path, index: dict[str, Any], general: ModelPackage, args: argparse.Namespace, seed: int) -> Design:
    """Return who is who in the run of continual.py; the clinic's patients of larger n are left for the development."""
    stored = place / "design.json"
    if stored.exists():
        return Design(**{name: tuple(names) for name, names in json.loads(stored.read_text()).items()})
    args.general = 0
    again = argparse.Namespace(**{**vars(args), "n": [args.n]})
    return choose(index, general, again, seed)


def write_development_sets(
    place: Path, index: dict[str, Any], args: argparse.Namespace, design: Design, seed: int
) -> None:
    """Write the patients that the recipes are compared on."""
    known = {entry["patient"] for entry in index["patients"] if entry["split"] == "train"}
    used = {*design.clinic[: args.n], *design.clinic_test}
    clinic = sorted({entry["patient"] for entry in index["patients"]} - known - used)[: args.patients]
    drawn = np.random.default_rng(seed).permutation(sorted(design.old))[: args.patients]
    write_set(place / "clinic-development", args.data, index, clinic, "test", habit=True)
    write_set(place / "old-development", args.data, index, [str(name) for name in drawn], "test")


def between(general: ModelPackage, candidate: ModelPackage, share: float, folder: Path) -> ModelPackage:
    """Return the package whose weights lie between those of two."""
    weights = {}
    for role in general.stages:
        old, new = general.read_weights(role), candidate.read_weights(role)
        weights[role] = {
            name: (old[name] + share * (new[name].astype(np.float32) - old[name])).astype(old[name].dtype)
            for name in old
        }
    return write_package(folder, candidate.metadata, weights)


def measured(package: ModelPackage, place: Path, name: str) -> dict[str, Scores]:
    """Return site → (patient, organ) → the measurements of a package, read where they exist."""
    found: dict[str, Scores] = {}
    for site in ("clinic", "old"):
        folder = place / "development" / f"{name.replace(' ', '-')}-{site}"
        folder.mkdir(parents=True, exist_ok=True)
        found[site] = {}
        for case in read_cases(place / f"{site}-development", "test", package):
            path = folder / f"{case.patient}.json"
            if not path.exists():
                rows = [one for one in measure_case(case, run_case(case, package)) if one.structure in ORGANS]
                write_measured(path, rows)
            found[site] |= {(row.patient, row.structure): row for row in read_measured(path)}
    return found


def compare(before: dict[str, Scores], after: dict[str, Scores]) -> dict[str, float]:
    """Return the mean changes over patients of the mean over organs, and the ratio of the larynx' volume."""
    changes = {}
    for site, old in before.items():
        for title, organs in (("changed", CHANGED), ("other", tuple(set(ORGANS) - set(CHANGED)))):
            for metric in ("dsc", "surface_dsc"):
                each: dict[str, list[float]] = {}
                for (patient, organ), row in old.items():
                    if organ in organs:
                        values = np.nan_to_num(
                            [getattr(one.metrics, metric) for one in (row, after[site][patient, organ])]
                        )
                        each.setdefault(patient, []).append(float(values[1] - values[0]))
                changes[f"{site}, {title}, {metric}"] = float(np.mean([np.mean(one) for one in each.values()]))
        for organ in ORGANS:
            pairs = [(old[key], after[site][key]) for key in old if key[1] == organ]
            ratios = [b.metrics.volume_b_cc / a.metrics.volume_b_cc for a, b in pairs if a.is_drawn]
            changes[f"{site} {organ} volume"] = float(np.median(ratios)) if ratios else float("nan")
    return changes


def report(changes: dict[str, list[dict[str, float]]]) -> None:
    """Print the mean over seeds of each recipe's changes."""
    titles = list(next(iter(changes.values()))[0])
    print("| | " + " | ".join(changes) + " |\n|---|" + "---|" * len(changes))
    for title in titles:
        cells = [float(np.mean([one[title] for one in rows])) for rows in changes.values()]
        form = "+.4f" if "dsc" in title else ".2f"
        print(f"| {title} | " + " | ".join(f"{value:{form}}" for value in cells) + " |")


if __name__ == "__main__":
    main()
