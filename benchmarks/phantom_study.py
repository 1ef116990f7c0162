"""A study of 62 phantom patients, split 35/13/14 into training, validation and test, for three methods.

``python benchmarks/phantom_study.py write OUTPUT`` writes ``OUTPUT/learning`` (48 patients) and ``OUTPUT/test`` (14),
each with CT and true contours; a stopped run is continued. The patients differ in anatomy (one seed each).

``python benchmarks/phantom_study.py split OUTPUT DATASET PACKAGE`` links the patients of ``OUTPUT/learning`` that the
package was trained on as ``OUTPUT/training``, and those that were held out as ``OUTPUT/validation``: the atlas is made
of the same 35 patients.

``python benchmarks/phantom_study.py table REPORT`` prints DSC, HD and HD95 of the methods and their paired tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.models import find_package
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.phantom import build_phantom
from autocontour.rtstruct import write_structure_set

SPLITS = {"learning": 48, "test": 14}
SPACING_ZYX_MM, SHAPE_ZYX = (5.0, 4.0, 4.0), (66, 100, 128)
ORGANS = ("External", "Lung_L", "Lung_R", "Heart", "Liver", "Trachea", "Esophagus", "SpinalCanal", "SpinalCord")
FIRST_SEED = 100
METRICS = {"dsc": 3, "hausdorff_mm": 1, "hd95_mm": 1}


def write_patient(seed: int, folder: Path) -> None:
    """Write the CT of a seed with its true contours as a manual structure set."""
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=SHAPE_ZYX)
    name = f"PHANTOM{seed}"
    ct = write_ct_series(phantom.hu, phantom.geometry, folder / "CT", SeriesDescription(name, name, uid_seed=name))
    structures = tuple(
        Structure(organ, number, phantom.truth[organ], organ, generation=GenerationAlgorithm.MANUAL)
        for number, organ in enumerate(ORGANS, 1)
        if organ in phantom.truth
    )
    write_structure_set(StructureSet("TRUTH", structures), ct, folder / "RS.truth.dcm")


def write_all(output: Path) -> None:
    """Write what is not there yet."""
    seed = FIRST_SEED
    for split, count in SPLITS.items():
        for _ in range(count):
            folder = output / split / f"phantom{seed}"
            if not (folder / "RS.truth.dcm").exists():
                write_patient(seed, folder)
                print(split, seed, flush=True)
            seed += 1


def link_split(output: Path, dataset: Path, package: str) -> None:
    """Link the patients that a package was trained on, and those held out."""
    held_out = set(find_package(package).metadata["training"]["validation_patients"])
    sources = json.loads((dataset.with_name(f"{dataset.name}.private") / "sources.json").read_text())
    for patient, source in sources.items():
        if "ct" not in source:
            continue
        split = "validation" if patient in held_out else "training"
        place = Path(source["ct"])
        folder = next(one for one in (place, *place.parents) if one.name.startswith("phantom"))
        (output / split).mkdir(exist_ok=True)
        (output / split / folder.name).symlink_to(folder.resolve())


def print_table(report: Path) -> None:
    """Print mean ± SD of every structure and method, and the p values of the paired tests, as Markdown."""
    content = json.loads((report / "report.json").read_text())
    print("| structure | method | n | not drawn | DSC | HD mm | HD95 mm |\n|---|---|---|---|---|---|---|")
    for one in content["results"]:
        cells = [_mean(one["metrics"][metric], digits) for metric, digits in METRICS.items()]
        print(f"| {one['structure']} | {one['method']} | {one['n']} | {one['failures']} | {' | '.join(cells)} |")
    print("\n| structure | metric | first | second | n | median difference | t test p | Wilcoxon p | significant |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one in content["paired_tests"]:
        if one["metric"] in METRICS:
            cells = [one[key] for key in ("structure", "metric", "first", "second", "n", "median_difference")]
            cells += [_p(one["t_p"]), _p(one["wilcoxon_p"]), {True: "yes", False: "no"}.get(one["significant"], "–")]
            print(f"| {' | '.join(str(round(cell, 3) if isinstance(cell, float) else cell) for cell in cells)} |")
    print("\nlevel", sorted({round(one["alpha"], 4) for one in content["paired_tests"]}))


def _mean(figures: dict, digits: int) -> str:
    mean, sd = figures["mean"], figures["sd"]
    if isinstance(mean, str) or mean is None:
        return f"∞ (median {figures['median']})"
    return f"{mean:.{digits}f} ± {sd:.{digits}f}"


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def main() -> None:
    """Run one of the three actions."""
    action, *rest = sys.argv[1:]
    if action == "write":
        write_all(Path(rest[0]))
    elif action == "split":
        link_split(Path(rest[0]), Path(rest[1]), rest[2])
    else:
        print_table(Path(rest[0]))


if __name__ == "__main__":
    main()
