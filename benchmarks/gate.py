"""Which candidates the gate refuses: those with a planted fault must not pass, ten that are equal must.

python benchmarks/gate.py --data ../shared/data/openkbp [--package head-and-neck] [--split calibration]

The faults are planted in what the package draws, as a network would draw that has learnt them from wrong labels: an
organ 3 mm larger or smaller, shifted by 7.5 mm along the patient, without its lowest or highest quarter, missing, the
sides exchanged, or lost in a fifth of the patients. Equal candidates are the package with its weights perturbed at
random, whose contours differ from the package's as those of another run do.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage, find_package, write_package
from autocontour.qa.commissioning import CohortCase, read_cases
from autocontour.qa.commissioning.gate import Judgement, judge_site, read_limits
from autocontour.qa.commissioning.measure import CaseResult, MeasuredStructure, measure_case, run_case

Masks = dict[str, NDArray[np.bool_]]
Fault = Callable[[CohortCase, Masks, int], Masks]
EQUAL_CANDIDATES = 10
PERTURBATION = 0.01
"""Standard deviation of the perturbation of a weight, relative to the spread of its tensor."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--split", default="calibration")
    parser.add_argument("--work", type=Path, required=True, help="folder for the perturbed packages")
    parser.add_argument("--equal", type=int, default=EQUAL_CANDIDATES, help="number of equal candidates")
    parser.add_argument("-o", "--output", type=Path, help="JSON file of all results")
    args = parser.parse_args()
    package, limits = find_package(args.package), read_limits()
    drawn = set(package.drawn_names) | {"Larynx", "Esophagus"}
    cases = [without_research(case, drawn) for case in read_cases(args.data, args.split, package)]
    results = [run_case(case, package) for case in Job().track(cases, "the package", len(cases))]
    before = measure(cases, results)
    judged_names = [name for name in drawn if sum(row.structure == name for row in before) >= limits.least_patients]
    before = [row for row in before if row.structure in judged_names]
    rows = []
    for name, fault in planted_faults(judged_names):
        numbered = zip(range(len(cases)), cases, results, strict=True)
        changed = [replace(result, masks=fault(case, dict(result.masks), k)) for k, case, result in numbered]
        rows.append(verdict(name, judge_site("s", before, only(measure(cases, changed), judged_names), limits)))
        print(rows[-1], flush=True)
    for seed in range(args.equal):
        candidate = perturb(package, args.work / f"equal-{seed}", seed)
        again = measure(cases, [run_case(case, candidate) for case in cases])
        rows.append(verdict(f"equal {seed}", judge_site("s", before, only(again, judged_names), limits)))
        print(rows[-1], flush=True)
    bad = [row for row in rows if not row["candidate"].startswith("equal")]
    good = [row for row in rows if row["candidate"].startswith("equal")]
    print(f"{len(cases)} patients, structures judged: {', '.join(sorted(judged_names))}")
    print(f"planted faults refused: {sum(not row['passed'] for row in bad)} of {len(bad)}")
    print(f"equal candidates passed: {sum(row['passed'] for row in good)} of {len(good)}")
    if args.output:
        args.output.write_text(json.dumps(rows, indent=1))


def without_research(case: CohortCase, names: set[str]) -> CohortCase:
    return replace(case, references={name: mask for name, mask in case.references.items() if name in names})


def measure(cases: list[CohortCase], results: list[CaseResult]) -> list[MeasuredStructure]:
    return [row for case, result in zip(cases, results, strict=True) for row in measure_case(case, result)]


def only(rows: list[MeasuredStructure], names: list[str]) -> list[MeasuredStructure]:
    return [row for row in rows if row.structure in names]


def verdict(name: str, judged: list[Judgement]) -> dict[str, object]:
    problems = sorted({f"{one.structure} {problem.code}" for one in judged for problem in one.problems})
    return {"candidate": name, "passed": not problems, "problems": problems}


def planted_faults(names: list[str]) -> Iterator[tuple[str, Fault]]:
    """Yield about thirty faults with their names."""
    names = sorted(names)
    for name in names:
        yield f"{name} 3 mm larger", of_organ(name, lambda mask, case, _: grow(mask, case, 3.0))
        yield f"{name} 3 mm smaller", of_organ(name, lambda mask, case, _: ~grow(~mask, case, 3.0))
        yield f"{name} missing", of_organ(name, lambda mask, _case, _: np.zeros_like(mask))
        yield f"{name} 7.5 mm higher", of_organ(name, lambda mask, _case, _: np.roll(mask, 3, axis=0))
        yield f"{name} lost in a fifth", of_organ(name, lambda mask, _case, k: mask & (k % 5 > 0))
    yield "parotids exchanged", exchange
    for name in ("Parotid_L", "Brainstem"):
        if name in names:
            yield f"{name} without its lowest quarter", of_organ(name, lambda mask, _case, _: cut(mask))


def of_organ(name: str, change: Callable[[NDArray[np.bool_], CohortCase, int], NDArray[np.bool_]]) -> Fault:
    def apply(case: CohortCase, masks: Masks, number: int) -> Masks:
        if name in masks:
            masks[name] = change(masks[name], case, number) & case.solid[:, None, None]
        return masks

    return apply


def exchange(_case: CohortCase, masks: Masks, _number: int) -> Masks:
    pair = "Parotid_L", "Parotid_R"
    if all(name in masks for name in pair):
        masks[pair[0]], masks[pair[1]] = masks[pair[1]], masks[pair[0]]
    return masks


def grow(mask: NDArray[np.bool_], case: CohortCase, distance_mm: float) -> NDArray[np.bool_]:
    """Return a mask whose border lies about `distance_mm` further out, half a voxel beyond its outermost centres."""
    if not mask.any():
        return mask
    spacing = np.array(case.ct.geometry.spacing_zyx_mm)
    away = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(away <= distance_mm + 0.5 * float(spacing.prod() ** (1 / 3)))


def cut(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    mask = mask.copy()
    mask[slices[: len(slices) // 4]] = False
    return mask


def perturb(package: ModelPackage, folder: Path, seed: int) -> ModelPackage:
    """Return the package with every weight of more than one dimension changed a little at random."""
    rng = np.random.default_rng(seed)
    weights = {
        role: {
            name: (value + rng.normal(0, PERTURBATION * float(np.std(value)), value.shape)).astype(value.dtype)
            if value.ndim > 1
            else value
            for name, value in package.read_weights(role).items()
        }
        for role in package.stages
    }
    return write_package(folder, package.metadata, weights)


if __name__ == "__main__":
    main()
