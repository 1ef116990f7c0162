"""What a package learns from a clinic whose contours differ by a habit, and what it forgets.

python benchmarks/continual.py --data ../shared/data/openkbp -o WORK --n 10 --steps 300 --seeds 1

The clinic ends the brainstem 5 mm higher and puts its border with the cord 7.5 mm lower, and draws the parotids 2 mm
larger; its other organs are contoured as everywhere. The package is retrained on n of its patients in several ways
(arms) and measured, as it runs in the program, on other patients of the clinic and on patients of the old kind:

frozen        the package as it is
habits        the package with the end levels and margins found in five of the patients (no training)
naive         trained on with the n patients only
replay        half of the patches from the patients that the package was trained on
replay-l2sp   the same, and the weights are pulled back towards those of the package
teacher       the package's probabilities instead of labels on these patients, and wherever there is no label, and the
              weights are pulled back (what `autocontour retrain` does)
teacher-free  the same, without the pull
all           trained on with new and old patients alike, ten times as long

`--batches` lets the patients arrive in batches: each package is retrained from the one before, and earlier batches
belong to the replay. `--general N --general-minutes M` trains the general package first, on N patients, instead of
taking an installed one. What is complete in WORK is not repeated; a training that was stopped is continued.

The full design: --general 80 --general-minutes 480 --n 5 10 20 40 --seeds 1 2 3 --steps 0
--arms frozen habits naive replay replay-l2sp all, once as it is and once with --batches --n 10 20 30 40.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.cli import main as autocontour
from autocontour.models import ModelPackage, find_package, read_package, write_package
from autocontour.models.inference.runtime import keep_runners
from autocontour.models.training.retrain import (
    CLINIC,
    LEAST_STEPS,
    MOST_STEPS,
    STEPS_PER_CASE,
    Manner,
    Retraining,
    retrain_package,
)
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.habits import LEAST_CASES, find_habits, with_habits
from autocontour.qa.commissioning.measure import measure_case, read_measured, run_case, write_measured

ORGANS = "Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Esophagus", "Larynx", "Bone_Mandible"
CHANGED = "Brainstem", "SpinalCord", "Parotid_R", "Parotid_L"
TOP_SLICES, BORDER_SLICES, MARGIN_MM = 2, 3, 2.0
"""Slices of 2.5 mm."""
LABELS = Manner(augment=CLINIC.augment)
"""Replay with its labels."""
ARMS = {
    "naive": replace(LABELS, replay_share=0.0, anchor=0.0),
    "replay": replace(LABELS, anchor=0.0),
    "replay-l2sp": LABELS,
    "teacher": CLINIC,
    "teacher-free": replace(CLINIC, anchor=0.0),
}
Labels = NDArray[np.uint16]


@dataclass(frozen=True)
class Design:
    """Who is who."""

    clinic: tuple[str, ...]
    clinic_test: tuple[str, ...]
    old: tuple[str, ...]
    old_test: tuple[str, ...]


def main() -> None:
    args = parse()
    keep_runners()
    args.output.mkdir(parents=True, exist_ok=True)
    index = json.loads((args.data / "index.json").read_text())
    general = general_package(args, index)
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        design = choose(index, general, args, seed)
        place = args.output / f"seed-{seed}"
        place.mkdir(exist_ok=True)
        write_set(place / "old", args.data, index, design.old, "train")
        write_set(place / "old-test", args.data, index, design.old_test, "test")
        write_set(place / "clinic-test", args.data, index, design.clinic_test, "test", habit=True)
        (place / "design.json").write_text(json.dumps(asdict(design), indent=1))
        rows += measured(general, place, "frozen", 0, 0.0) if "frozen" in args.arms else []
        for arm in args.arms:
            before = general
            for k, n in enumerate(args.n) if arm != "frozen" else ():
                since = args.n[k - 1] if args.batches and k else 0
                cases, folder = design.clinic[since:n], place / f"{'batch' if args.batches else 'n'}-{n}"
                write_set(folder / "cases", args.data, index, cases, "train", habit=True)
                earlier = [place / f"batch-{m}" / "cases" for m in args.n[:k]] if args.batches else []
                candidate, minutes = make(arm, before, folder, [place / "old", *earlier], args, seed)
                rows += measured(candidate, place, f"{folder.name}-{arm}", n, minutes)
                before = candidate if args.batches else general
    (args.output / "rows.json").write_text(json.dumps(rows, indent=0))
    report(rows, args.seeds)
    report_differences(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the experiment; continued")
    parser.add_argument("--package", default="head-and-neck", help="the general package")
    parser.add_argument("--general", type=int, default=0, metavar="N", help="train the general package on N patients")
    parser.add_argument("--general-minutes", type=float, default=480.0)
    parser.add_argument("--n", type=int, nargs="+", default=[10], help="patients of the clinic, rising")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=0, help="of each retraining; 0: as `autocontour retrain`")
    arms = ["frozen", "habits", "naive", "replay", "replay-l2sp", "teacher"]
    parser.add_argument("--arms", nargs="+", default=arms, choices=[*arms, "teacher-free", "all"])
    parser.add_argument("--batches", action="store_true", help="the patients arrive in batches")
    parser.add_argument("--clinic-test", type=int, default=23, help="patients of the clinic for the test")
    parser.add_argument("--old-test", type=int, default=20, help="patients of the old kind for the test")
    return parser.parse_args()


def general_package(args: argparse.Namespace, index: dict[str, Any]) -> ModelPackage:
    if not args.general:
        return find_package(args.package)
    run = args.output / "general"
    if not (run / "package").exists():
        names = sorted(entry["patient"] for entry in index["patients"] if entry["split"] == "train")
        chosen = np.random.default_rng(0).permutation(names)[: args.general]
        write_set(run / "data", args.data, index, sorted(map(str, chosen)), "train")
        text = (Path(__file__).parents[1] / "models/training/configs/head_and_neck.toml").read_text()
        (run / "config.toml").write_text(re.sub(r"(?m)^minutes = .*$", f"minutes = {args.general_minutes:g}", text))
        if code := autocontour(["train", str(run / "config.toml"), "-o", str(run), "--data", str(run / "data")]):
            raise SystemExit(code)
    return read_package(run / "package")


def choose(index: dict[str, Any], general: ModelPackage, args: argparse.Namespace, seed: int) -> Design:
    """Return the patients: those of the clinic are unknown to the general package, in an order drawn at random."""
    training = general.metadata["training"]
    held_out = set(training["validation_patients"])
    names = [entry["patient"] for entry in index["patients"] if entry["split"] == "train"]
    known = set(names)
    if args.general:
        known = {path.stem for path in (args.output / "general" / "data" / "train").glob("*.npz")}
    others = [entry["patient"] for entry in index["patients"] if entry["patient"] not in known]
    shuffled = [str(name) for name in np.random.default_rng(seed).permutation(sorted(others))]
    most, test = max(args.n), shuffled[-args.clinic_test :]  # the last ones: the same for every n
    if most + len(test) > len(shuffled):
        raise SystemExit(f"{len(others)} patients are unknown to the package: too few for n = {most} and a test.")
    old = tuple(sorted(known - held_out))
    return Design(tuple(shuffled[:most]), tuple(sorted(test)), old, tuple(sorted(held_out)[: args.old_test]))


def write_set(
    folder: Path, data: Path, index: dict[str, Any], names: Iterable[str], split: str, *, habit: bool = False
) -> None:
    """Write a data set of some patients, with the contours of the clinic if `habit`."""
    target = folder / split
    target.mkdir(parents=True, exist_ok=True)
    chosen = set(names)
    entries = []
    for entry in index["patients"]:
        if entry["patient"] not in chosen:
            continue
        source = data / ("train" if entry["split"] == "train" else "val") / f"{entry['patient']}.npz"
        place = target / source.name
        if not habit:
            place.unlink(missing_ok=True)
            place.symlink_to(source.resolve())
            entries.append(entry | {"split": split})
            continue
        with np.load(source) as stored:
            arrays = dict(stored)
        labels = with_habit(arrays["labels"], index["structures_by_bit"], arrays["spacing_zyx_mm"], entry)
        if not place.exists():
            np.savez_compressed(place, **(arrays | {"labels": labels}))
        organs = {name: bit for bit, name in enumerate(index["structures_by_bit"]) if name in ORGANS}
        voxels = {name: int((labels >> bit & 1).sum()) for name, bit in organs.items() if name in entry["voxels"]}
        entries.append(entry | {"split": split, "voxels": voxels})
    (folder / "index.json").write_text(json.dumps(index | {"patients": entries}))


def with_habit(labels: Labels, names: Sequence[str], spacing: NDArray[np.float64], entry: dict[str, Any]) -> Labels:
    """Return the labels as the clinic would have drawn them."""
    masks = {name: labels >> names.index(name) & 1 > 0 for name in CHANGED}
    solid = np.zeros(len(labels), bool)
    for first, end in entry["solid_slices"]:
        solid[first:end] = True
    brainstem, cord = masks["Brainstem"], masks["SpinalCord"]
    if brainstem.any():
        low, high = np.flatnonzero(brainstem.any((1, 2)))[[0, -1]]
        for z in range(max(0, low - BORDER_SLICES), low):
            brainstem[z] = cord[z] if cord[z].any() else brainstem[low]
        brainstem[high + 1 : high + 1 + TOP_SLICES] = brainstem[high]
        cord &= ~brainstem
    elif cord.any():
        high = np.flatnonzero(cord.any((1, 2)))[-1]
        cord[high - BORDER_SLICES + 1 :] = False
    for name in ("Parotid_R", "Parotid_L"):
        if masks[name].any():
            masks[name] = grown(masks[name], spacing)
    changed = labels.copy()
    for name, mask in masks.items():
        bit = np.uint16(1 << names.index(name))
        changed = np.where(mask & solid[:, None, None], changed | bit, changed & ~bit).astype(np.uint16)
    return changed


def grown(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the voxels whose centre is at most `MARGIN_MM` outside the border, half a voxel from the last centres."""
    away = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(away <= MARGIN_MM + 0.5 * float(np.max(spacing)))


def make(
    arm: str, general: ModelPackage, folder: Path, old: Sequence[Path], args: argparse.Namespace, seed: int
) -> tuple[ModelPackage, float]:
    """Return the package of an arm and the minutes that it took."""
    run = folder / arm
    done = run / "minutes.json"
    if done.exists():
        return read_package(run / "package"), float(json.loads(done.read_text()))
    print(f"{run}: begun {time.strftime('%H:%M')}", flush=True)
    started = time.process_time()
    spent = run / "spent.json"
    if arm == "habits":
        few = folder / "five"
        content = json.loads((folder / "cases" / "index.json").read_text())
        first = sorted(entry["patient"] for entry in content["patients"])[:LEAST_CASES]
        few.mkdir(exist_ok=True)
        if not (few / "train").exists():
            (few / "train").symlink_to((folder / "cases" / "train").resolve())
        kept = [entry for entry in content["patients"] if entry["patient"] in first]
        (few / "index.json").write_text(json.dumps(content | {"patients": kept}))
        found = find_habits(general, few, "train", Job())
        run.mkdir(exist_ok=True)
        (run / "habits.json").write_text(json.dumps([asdict(one) for one in found], indent=1))
        weights = {role: general.read_weights(role) for role in general.stages}
        package = write_package(run / "package", dict(with_habits(general, found)), weights)
    else:
        manner, steps = ARMS.get(arm), args.steps
        if manner is None:  # all patients alike
            count = len(json.loads((folder / "cases" / "index.json").read_text())["patients"])
            earlier = sum(len(json.loads((one / "index.json").read_text())["patients"]) for one in old)
            usual = steps or int(np.clip(STEPS_PER_CASE * count, LEAST_STEPS, MOST_STEPS))
            manner, steps = replace(ARMS["replay"], replay_share=earlier / (earlier + count)), 10 * usual
        replay = tuple(old) if manner.replay_share else ()
        plan = Retraining(general, folder / "cases", replay, steps=steps, manner=manner, seed=seed)
        try:
            package = retrain_package(plan, run, Job())
        finally:
            run.mkdir(exist_ok=True)
            before = float(json.loads(spent.read_text())) if spent.exists() else 0.0
            spent.write_text(json.dumps(before + (time.process_time() - started) / 60))
    minutes = float(json.loads(spent.read_text())) if spent.exists() else (time.process_time() - started) / 60
    done.write_text(json.dumps(minutes))
    return package, minutes


def measured(package: ModelPackage, place: Path, arm: str, n: int, minutes: float) -> list[dict[str, Any]]:
    """Return one row for each organ of each test patient; what was measured before is read."""
    rows: list[dict[str, Any]] = []
    for site in ("clinic", "old"):
        known = place / "rows" / f"{arm}-{site}"
        known.mkdir(parents=True, exist_ok=True)
        for case in read_cases(place / f"{site}-test", "test", package):
            path = known / f"{case.patient}.json"
            if not path.exists():
                found = [one for one in measure_case(case, run_case(case, package)) if one.structure in ORGANS]
                write_measured(path, found)
            about = {"seed": int(place.name.rpartition("-")[2]), "arm": arm, "n": n, "minutes": minutes, "site": site}
            rows += [
                about
                | {"patient": one.patient, "structure": one.structure}
                | {"dsc": one.metrics.dsc, "surface_dsc": one.metrics.surface_dsc}
                for one in read_measured(path)
            ]
    return rows


def report(rows: Sequence[dict[str, Any]], seeds: Sequence[int]) -> None:
    """Print tables of the means over patients: of groups of organs, and of each organ (clinic, old)."""
    kinds = {
        "clinic, changed": ("clinic", CHANGED),
        "clinic, other": ("clinic", tuple(set(ORGANS) - set(CHANGED))),
        "old": ("old", ORGANS),
    }
    for metric in ("dsc", "surface_dsc"):
        print(f"\nmean {metric}, {len(seeds)} seeds")
        print("| arm | CPU min | " + " | ".join(kinds) + " | " + " | ".join(ORGANS) + " |")
        for arm in dict.fromkeys(row["arm"] for row in rows):
            mine = [row for row in rows if row["arm"] == arm]
            groups = [
                mean([organ(mine, site, name, metric) for name in organs if has(mine, site, name)])
                for site, organs in kinds.values()
            ]
            cells = [f"{value:.3f}" for value in groups]
            for name in ORGANS:
                pair = (organ(mine, site, name, metric) for site in ("clinic", "old"))
                cells.append(" / ".join("–" if np.isnan(value) else f"{value:.3f}" for value in pair))
            print(f"| {arm} | {mean([row['minutes'] for row in mine]):.0f} | " + " | ".join(cells) + " |")


KINDS = {
    "clinic, changed": ("clinic", CHANGED),
    "clinic, other": ("clinic", tuple(set(ORGANS) - set(CHANGED))),
    "old, changed": ("old", CHANGED),
    "old, other": ("old", tuple(set(ORGANS) - set(CHANGED))),
}


def report_differences(rows: Sequence[dict[str, Any]]) -> None:
    """Print each arm minus the frozen package: mean over patients (of the mean over organs), deviation, and n."""
    print("\narm − frozen, mean ± standard deviation over patients (n: patients of all seeds)")
    heads = [f"{kind}, {metric}" for kind in KINDS for metric in ("dsc", "surface_dsc")]
    print("| arm | seeds | " + " | ".join(heads) + " |")
    by_arm: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for row in rows:
        by_arm.setdefault(row["arm"], {})[row["seed"], row["site"], row["patient"], row["structure"]] = row
    for arm, mine in by_arm.items():
        cells = []
        for site, organs in KINDS.values():
            for metric in ("dsc", "surface_dsc"):
                each: dict[tuple[Any, ...], list[float]] = {}
                for key, row in mine.items():
                    if key[1] == site and key[3] in organs and arm != "frozen":
                        before = by_arm["frozen"][key][metric]
                        values = [value if np.isfinite(value) else 0.0 for value in (row[metric], before)]
                        each.setdefault(key[:3], []).append(values[0] - values[1])
                means = np.array([np.mean(values) for values in each.values()])
                few = len(means) < 2
                cells.append("" if few else f"{means.mean():+.3f} ± {means.std(ddof=1):.3f} ({len(means)})")
        print(f"| {arm} | {len({key[0] for key in mine})} | " + " | ".join(cells) + " |")


def has(rows: Sequence[dict[str, Any]], site: str, name: str) -> bool:
    return any(row["site"] == site and row["structure"] == name for row in rows)


def organ(rows: Sequence[dict[str, Any]], site: str, name: str, metric: str) -> float:
    return mean([row[metric] for row in rows if row["site"] == site and row["structure"] == name])


def mean(values: Sequence[float]) -> float:
    return float(np.mean([value if np.isfinite(value) else 0.0 for value in values])) if values else float("nan")


if __name__ == "__main__":
    main()
