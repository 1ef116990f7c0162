"""Whether the gate refuses packages that were trained on wrong labels, and passes equal ones: real trainings.

    python benchmarks/gate_trained.py --data ../shared/data/openkbp -o WORK [--package head-and-neck] [--steps 40]
    python benchmarks/gate_trained.py … --continual WORK_OF_CONTINUAL

Bad candidates are trained on, without replay, with ten patients (of those the package was trained on) whose labels have
a planted fault. Equal ones are trained on with the ten patients' right labels and replay, from several seeds, as
`autocontour retrain` does it (teacher), or as it did before (replay-l2sp, replay; see benchmarks/continual.py). Judged
are six organs in the 20 patients held out from the package's training (as in benchmarks/gate.py), by the gate's limits.
`--continual` judges the packages of benchmarks/continual.py too, by what it has measured: each on the patients of its
clinic and on the old ones. The verdict of a candidate is the one of `autocontour models gate`, whose functions are
used; the package in use is contoured once. What is complete in WORK is not repeated.

Last, the probability that a candidate passes which is equal on average: the paired differences of the equal candidates
are centred for each structure, and the intervals are made again for patients drawn from them, 20 (as here) to 100.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from continual import ARMS, grown
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage, find_package, read_package
from autocontour.models.data.fingerprint import ct_fingerprint
from autocontour.models.inference.runtime import keep_runners
from autocontour.models.training.retrain import Retraining, retrain_package
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.gate import GateLimits, Judgement, judge_site, read_limits
from autocontour.qa.commissioning.measure import (
    MeasuredStructure,
    measure_case,
    read_measured,
    run_case,
    write_measured,
)
from autocontour.qa.intervals import bootstrap_lower_bound

JUDGED = "Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Larynx", "Bone_Mandible"
"""The esophagus has four references in the held-out patients: fewer than the gate needs."""
PATIENTS = 10
POWER_PATIENTS, POWER_TRIALS = (20, 33, 50, 100), 400
Masks = dict[str, NDArray[np.bool_]]


def swap(masks: Masks, _spacing: NDArray[np.float64]) -> None:
    """Exchange the parotids."""
    masks["Parotid_R"], masks["Parotid_L"] = masks["Parotid_L"], masks["Parotid_R"]


def of(name: str, change: Callable[[NDArray[np.bool_], NDArray[np.float64]], NDArray[np.bool_]]) -> Fault:
    """Return a fault of one organ."""

    def apply(masks: Masks, spacing: NDArray[np.float64]) -> None:
        masks[name] = change(masks[name], spacing)

    return apply


def larger(mask: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the mask with a margin of 3 mm: that of `grown` is 2 mm."""
    return grown(mask, spacing * 2 / 3) if mask.any() else mask


Fault = Callable[[Masks, NDArray[np.float64]], None]
FAULTS: dict[str, Fault] = {
    "parotids exchanged": swap,
    "Parotid_L 3 mm larger": of("Parotid_L", larger),
    "Brainstem 3 mm larger": of("Brainstem", larger),
    "Parotid_R empty": of("Parotid_R", lambda mask, _: np.zeros_like(mask)),
    "Brainstem 7.5 mm higher": of("Brainstem", lambda mask, _: np.roll(mask, 3, axis=0)),
    "SpinalCord 7.5 mm to the left": of("SpinalCord", lambda mask, _: np.roll(mask, 2, axis=2)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the experiment; continued")
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the equal candidates")
    kinds = "teacher", "replay-l2sp", "replay"
    parser.add_argument("--manners", nargs="+", default=kinds[:1], choices=kinds, help="of the equal candidates")
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument("--continual", type=Path, help="output of benchmarks/continual.py")
    args = parser.parse_args()
    keep_runners()
    args.output.mkdir(parents=True, exist_ok=True)
    package, limits = find_package(args.package), read_limits()
    before = measured(package, args, "in use")
    print("| candidate | site | passed | refused for |\n|---|---|---|---|")
    equal: list[list[MeasuredStructure]] = []
    for name, candidate in candidates(package, args):
        refuse_known_patients(candidate, args, package)
        rows = measured(candidate, args, name)
        equal += [rows] if name.startswith("equal") else []
        show(name, judge_site("held out", before, rows, limits))
    for name, site, rows, old in of_continual(args.continual) if args.continual else ():
        enough = [one for one in JUDGED if sum(row.structure == one for row in old) >= limits.least_patients]
        kept = [[row for row in both if row.structure in enough] for both in (old, rows)]
        show(name, judge_site(site, kept[0], kept[1], limits))
    if equal:
        show_power(before, equal)


def show_power(before: Sequence[MeasuredStructure], equal: Sequence[Sequence[MeasuredStructure]]) -> None:
    """Print how often candidates pass whose differences vary as those of the equal ones, with a mean of 0."""
    limits, rng = read_limits(), np.random.default_rng(1)
    print("\n| patients | " + " | ".join(f"candidate {k + 1}" for k in range(len(equal))) + " |")
    print("|---|" + "---|" * len(equal))
    tables = [centred_differences(before, rows) for rows in equal]
    for count in POWER_PATIENTS:
        shares = []
        for table in tables:
            passed = []
            for _ in range(POWER_TRIALS):
                chosen = rng.integers(table.shape[0], size=count)
                passed.append(all(passes(table[chosen, k], name, limits) for k, name in enumerate(JUDGED)))
            shares.append(float(np.mean(passed)))
        print(f"| {count} | " + " | ".join(f"{share:.2f}" for share in shares) + " |", flush=True)


def centred_differences(before: Sequence[MeasuredStructure], after: Sequence[MeasuredStructure]) -> NDArray[np.float64]:
    """Return (patients, structures, 2) differences of DSC and surface DSC with a mean of 0; nan without a reference."""
    patients = sorted({row.patient for row in before})
    table = np.full((len(patients), len(JUDGED), 2), np.nan)
    theirs = {(row.patient, row.structure): row.metrics for row in after}
    for row in before:
        if row.structure in JUDGED:
            other = theirs[row.patient, row.structure]
            pairs = (other.dsc, row.metrics.dsc), (other.surface_dsc, row.metrics.surface_dsc)
            values = [np.nan_to_num(one) - np.nan_to_num(two) for one, two in pairs]
            table[patients.index(row.patient), JUDGED.index(row.structure)] = values
    return table - np.nanmean(table, axis=0)


def passes(differences: NDArray[np.float64], name: str, limits: GateLimits) -> bool:
    """Return whether the mean differences of a structure are within the margins, by the gate's bootstrap bound."""
    known = differences[~np.isnan(differences[:, 0])]
    margins = limits.of(name).dsc_margin, limits.of(name).surface_dsc_margin
    return all(
        bootstrap_lower_bound(known[:, k], limits.confidence, 400, limits.seed) > -margin
        for k, margin in enumerate(margins)
    )


def candidates(package: ModelPackage, args: argparse.Namespace) -> Iterator[tuple[str, ModelPackage]]:
    """Yield the candidates, trained where they are not."""
    index = json.loads((args.data / "index.json").read_text())
    held_out = set(package.metadata["training"]["validation_patients"])
    names = [one["patient"] for one in index["patients"] if one["split"] == "train" and one["patient"] not in held_out]
    everyone = sorted(names)
    few = sorted(str(name) for name in np.random.default_rng(1).permutation(everyone)[:PATIENTS])
    write_set(args.output / "right", args.data, index, few, None)
    write_set(args.output / "replay", args.data, index, [name for name in everyone if name not in few], None)
    for fault in args.faults:
        place = args.output / fault.replace(" ", "-")
        write_set(place / "data", args.data, index, few, FAULTS[fault])
        plan = Retraining(package, place / "data", steps=args.steps, manner=ARMS["naive"])
        yield fault, trained(plan, place / "run")
    for seed in args.seeds:
        replay = (args.output / "replay",)
        for name in args.manners:
            plan = Retraining(package, args.output / "right", replay, steps=args.steps, manner=ARMS[name], seed=seed)
            yield f"equal, {name}, seed {seed}", trained(plan, args.output / f"equal-{name}-{seed}")


def trained(plan: Retraining, run: Path) -> ModelPackage:
    """Return the package of a run."""
    if (run / "package").exists():
        return read_package(run / "package")
    print(f"<!-- {run.parent.name}/{run.name} -->", flush=True)
    return retrain_package(plan, run, Job())


def write_set(folder: Path, data: Path, index: dict[str, Any], names: Sequence[str], fault: Fault | None) -> None:
    """Write a data set of some patients, with a fault planted in their labels."""
    target, bits = folder / "train", index["structures_by_bit"]
    if (folder / "index.json").exists():
        return
    target.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in index["patients"] if entry["patient"] in set(names)]
    for k, entry in enumerate(entries):
        source, place = data / "train" / f"{entry['patient']}.npz", target / f"{entry['patient']}.npz"
        if fault is None:
            place.symlink_to(source.resolve())
            continue
        with np.load(source) as stored:
            arrays = dict(stored)
        known = [bit for bit, name in enumerate(bits) if name in entry["voxels"]]
        masks = {bits[bit]: arrays["labels"] >> bit & 1 > 0 for bit in range(len(bits))}
        fault(masks, arrays["spacing_zyx_mm"])
        labels = sum(masks[bits[bit]].astype(np.uint16) << np.uint16(bit) for bit in range(len(bits)))
        np.savez_compressed(place, **(arrays | {"labels": labels.astype(np.uint16)}))
        voxels = {name: int(masks[name].sum()) for name in (bits[bit] for bit in known)}
        swapped = {"Parotid_R", "Parotid_L"} & set(voxels)
        if fault is swap and len(swapped) == 1:  # a parotid alone was exchanged with one that is not contoured
            other = ({"Parotid_R", "Parotid_L"} - swapped).pop()
            voxels.pop(swapped.pop())
            voxels[other] = int(masks[other].sum())
        entries[k] = entry | {"voxels": voxels}
    (folder / "index.json").write_text(json.dumps(index | {"patients": entries}))


def refuse_known_patients(candidate: ModelPackage, args: argparse.Namespace, package: ModelPackage) -> None:
    """Stop if a test patient is among those of the training, as the gate does."""
    known = set(candidate.metadata["training"]["fingerprints"])
    for case in read_cases(args.data, "calibration", package):
        if ct_fingerprint(case.ct.hu, case.ct.geometry.spacing_zyx_mm) in known:
            raise SystemExit(f"{case.patient} is a test patient and was trained on.")


def measured(package: ModelPackage, args: argparse.Namespace, name: str) -> list[MeasuredStructure]:
    """Return the measurements of a package on the held-out patients."""
    rows: list[MeasuredStructure] = []
    folder = args.output / "rows" / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for case in read_cases(args.data, "calibration", find_package(args.package)):
        path = folder / f"{case.patient}.json"
        if not path.exists():
            judged = {one: mask for one, mask in case.references.items() if one in JUDGED}
            one = replace(case, references=judged)
            write_measured(path, measure_case(one, run_case(one, package)))
        rows += read_measured(path)
    return rows


def of_continual(
    work: Path,
) -> Iterator[tuple[str, str, list[MeasuredStructure], list[MeasuredStructure]]]:
    """Yield name, site, measurements of a package of continual.py, and those of the package in use."""
    for place in sorted(work.glob("seed-*")):
        for folder in sorted((place / "rows").iterdir()):
            arm, _, site = folder.name.rpartition("-")
            if arm != "frozen":
                before = place / "rows" / f"frozen-{site}"
                paths = sorted(folder.glob("*.json"))
                rows = [row for path in paths for row in read_measured(path)]
                old = [row for path in paths for row in read_measured(before / path.name)]
                yield f"{place.name} {arm}", site, rows, old


def show(name: str, judged: Sequence[Judgement]) -> None:
    """Print the verdict."""
    problems = sorted({f"{one.structure} {problem.code}" for one in judged for problem in one.problems})
    print(f"| {name} | {judged[0].site} | {'no' if problems else 'yes'} | {', '.join(problems)} |", flush=True)


if __name__ == "__main__":
    main()
