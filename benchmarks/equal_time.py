"""Several kinds of networks trained from random weights for the same processor time, on the same patients.

OMP_NUM_THREADS=1 python benchmarks/equal_time.py --data ../shared/data/openkbp -o WORK [--only two-stage]

two-stage         FC-DenseNet: a localizer, then a segmenter in the boxes that it finds (as the bundled package)
one-stage         the same segmenter alone, over the whole body
unet              MONAI's BasicUNet in both stages, with the same grids
unet, one-stage   the same segmenter alone

Each is trained on the patients of the training split without those held out for the bundled package, and measured as
the program contours, with a threshold of 0.5, on the first patients of another split. The budget is processor time of
the training alone; a localizer has a seventh of it. What a localizer costs is shown by the same segmenter run over the
whole body without it ("segmenter alone"). All have the same patches, augmentation, learning rate and batch.
What is complete in WORK is not repeated, and a training that was stopped is continued. Rows of a network trained
elsewhere are put into the table from ``WORK/NAME/rows/PATIENT.json`` (`write_measured`) and ``WORK/NAME/about.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models import ModelPackage, find_package, read_package, write_package
from autocontour.models.data.dataset import Dataset, read_dataset
from autocontour.models.package.description import ROLES
from autocontour.models.training.config import AugmentConfig, DataConfig, PackageConfig, StageConfig, TrainingConfig
from autocontour.models.training.loop import Trainer
from autocontour.models.training.metadata import Calibration, build_metadata
from autocontour.models.training.packaging import halve_weights, read_best
from autocontour.qa.commissioning import read_cases
from autocontour.qa.commissioning.measure import (
    measure_case,
    read_measured,
    run_case,
    without_localizer,
    write_measured,
)
from autocontour.qa.intervals import bootstrap_interval
from autocontour.qa.metrics import PairMetrics

LOCALIZER_SHARE = 1 / 7
HELD_OUT = 20
LEARNING_RATE = 2e-3
AUGMENT = AugmentConfig(mirror_probability=0.15)
DRAWN_MORE = {"Esophagus": 1.6, "Larynx": 1.4}
ABOUT, PACKAGE = "about.json", "package"
WHOLE_BODY = ", segmenter alone"
METRICS = {"dsc": "DSC", "surface_dsc": "surface DSC (3 mm)", "hd95_mm": "HD95, median, mm"}
Rows = dict[tuple[str, str], PairMetrics]


@dataclass(frozen=True)
class Kind:
    """One row of the table."""

    architecture: str = "fc_densenet"
    stages: tuple[str, ...] = ("localizer", "segmenter")


KINDS = {
    "two-stage": Kind(),
    "one-stage": Kind(stages=("segmenter",)),
    "unet": Kind("unet"),
    "unet, one-stage": Kind("unet", ("segmenter",)),
}
DEFAULT = ("two-stage", "one-stage", "unet")


@dataclass(frozen=True)
class About:
    """What a row of the table was made with."""

    weights: int
    steps: dict[str, int]
    training_minutes: float
    contouring_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the experiment; continued")
    parser.add_argument("--minutes", type=float, default=20.0, help="processor time of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patients", type=int, default=20, help="how many are contoured")
    parser.add_argument("--split", default="validation", help="which patients are contoured")
    parser.add_argument("--package", default="head-and-neck", help="whose organs, grids and held-out patients are used")
    parser.add_argument("--only", nargs="*", default=DEFAULT, choices=list(KINDS), metavar="KIND")
    args = parser.parse_args()
    model = find_package(args.package)
    for name in args.only:
        make(name, model, args)
    report(args.output, list(model.drawn_names))


def make(name: str, model: ModelPackage, args: argparse.Namespace) -> None:
    """Train and measure a kind of network, whatever is not yet done."""
    folder: Path = args.output / name.replace(", ", "-")
    config = configure(name, model, args)
    if not (folder / PACKAGE).exists():
        dataset = read_dataset(config.data, Job())
        check_held_out(dataset, model)
        for role in config.stages:
            print(f"{name}: training the {role}, {time.strftime('%H:%M')}", flush=True)
            Trainer(role, config, dataset, folder / role, device="cpu", clock=time.process_time).run(Job())
        weights = {role: halve_weights(read_best(folder / role)["average"]) for role in config.stages}
        write_package(folder / PACKAGE, build_metadata(config, Calibration()), weights)
    package = read_package(folder / PACKAGE)
    seconds = measure(package, folder / "rows", args)
    if seconds:
        write_about(folder, folder, package, seconds)
    if "localizer" in package.stages:
        whole, alone = folder.with_name(f"{folder.name}{WHOLE_BODY}"), without_localizer(package)
        if seconds := measure(alone, whole / "rows", args):
            write_about(folder, whole, alone, seconds)


def configure(name: str, model: ModelPackage, args: argparse.Namespace) -> TrainingConfig:
    """Return the configuration of a kind of network: grids, organs and rules are those of the package `model`."""
    kind, organs = KINDS[name], model.drawn_names
    share = LOCALIZER_SHARE if "localizer" in kind.stages else 0.0
    budgets = {"localizer": share * args.minutes, "segmenter": (1 - share) * args.minutes}
    stages = {role: stage_of(kind, model, role, len(organs), budgets[role]) for role in ROLES if role in kind.stages}
    data = DataConfig(str(args.data), organs, validation_patients=HELD_OUT, seed=args.seed)
    anchors = tuple(one for one in model.site_anchors if one in organs) if "localizer" in kind.stages else ()
    rules = {one: model.structures[one].rules for one in organs}
    package = PackageConfig(model.body_site, model.license, anchors=anchors, localizer_threshold=0.4, rules=rules)
    return TrainingConfig(name.replace(", ", "-"), data, stages, package)


def stage_of(kind: Kind, model: ModelPackage, role: str, outputs: int, minutes: float) -> StageConfig:
    """Return the settings of a stage's training."""
    like = model.stages[role]
    channels = {"in_channels": len(like.intensity_windows_hu), "out_channels": outputs}
    stage = StageConfig(
        network={**like.network, **channels},
        spacing_zyx_mm=like.spacing_zyx_mm,
        window_zyx=like.window_zyx,
        intensity_windows_hu=like.intensity_windows_hu,
        minutes=minutes,
        batch=2,
        learning_rate=LEARNING_RATE,
        ema_decay=0.99,
        focus="body" if role == "localizer" else "structures",
        sampling_weights=DRAWN_MORE,
        anywhere_probability=0.2,
        validate_minutes=1e6,
        validate_patients=2,
        augment=AUGMENT,
    )
    if kind.architecture == "fc_densenet":
        return stage
    z, y, x = (16 * -(-size // 16) for size in like.window_zyx)  # its windows are multiples of 16
    return replace(stage, network={"architecture": kind.architecture, **channels}, window_zyx=(z, y, x))


def check_held_out(dataset: Dataset, model: ModelPackage) -> None:
    """Stop if other patients would be held out than those of the package."""
    mine = {sample.patient for sample in dataset.validation}
    if mine != set(model.metadata["training"]["validation_patients"]):
        raise SystemExit("the patients held out are not those of the package: use its data set and seed")


def measure(package: ModelPackage, rows: Path, args: argparse.Namespace) -> list[float]:
    """Contour the patients that are not yet measured; return the processor seconds of each of these."""
    rows.mkdir(parents=True, exist_ok=True)
    seconds: list[float] = []
    cases = zip(read_cases(args.data, args.split, package), range(args.patients), strict=False)
    for case, number in cases:
        path = rows / f"{case.patient}.json"
        if path.exists():
            continue
        started = time.process_time()
        result = run_case(case, package, "cpu")
        if number:  # the first one compiles the networks
            seconds.append(time.process_time() - started)
        write_measured(path, measure_case(case, result))
    return seconds


def write_about(run: Path, folder: Path, package: ModelPackage, seconds: Sequence[float]) -> None:
    """Write what the row in `folder` was made with: the stages of the package, trained in `run`."""
    weights = sum(value.size for role in package.stages for value in package.read_weights(role).values())
    logs = {role: (run / role / "log.jsonl").read_text().splitlines()[-1] for role in package.stages}
    last = {role: json.loads(line) for role, line in logs.items()}
    about = About(
        weights=weights,
        steps={role: line["step"] for role, line in last.items()},
        training_minutes=round(sum(line["elapsed_s"] for line in last.values()) / 60, 1),
        contouring_s=round(float(np.median(seconds)), 2),
    )
    (folder / ABOUT).write_text(json.dumps(asdict(about), indent=1))


def report(folder: Path, organs: Sequence[str]) -> None:
    """Print what each row was made with, the metrics of each organ, and the paired differences from the first kind."""
    places = [place for place in sorted(folder.iterdir(), key=place_of) if (place / "rows").is_dir()]
    tables = {place.name: read_rows(place / "rows") for place in places}
    check_same_patients(tables)
    print("| | " + " | ".join(tables) + " |\n|---|" + "---|" * len(tables))
    for title, key in (("weights", "weights"), ("minutes of training", "training_minutes")):
        print(f"| {title} | " + " | ".join(str(about_of(place).get(key, "")) for place in places) + " |")
    print("| steps | " + " | ".join(steps_of(place) for place in places) + " |")
    print("| s per patient | " + " | ".join(str(about_of(place).get("contouring_s", "")) for place in places) + " |")
    for metric, title in METRICS.items():
        print(f"\n| {title} | n | " + " | ".join(tables) + " |\n|---|---|" + "---|" * len(tables))
        for organ in organs:
            values = [values_of(rows, organ, metric) for rows in tables.values()]
            print(f"| {organ} | {len(values[0])} | " + " | ".join(summary(one, metric) for one in values) + " |")
        if metric != "hd95_mm":
            values = [of_patients(rows, metric) for rows in tables.values()]
            cells = [summary(one, metric) for one in values]
            print(f"| mean of each patient | {len(values[0])} | " + " | ".join(cells) + " |")
    report_differences(tables, organs)


def report_differences(tables: Mapping[str, Rows], organs: Sequence[str]) -> None:
    """Print the paired differences of each kind from the first one, with 95 % bootstrap intervals over patients."""
    first, *others = tables
    for metric in ("dsc", "surface_dsc"):
        print(f"\n| {METRICS[metric]}, minus {first} | n | " + " | ".join(others) + " |")
        print("|---|---|" + "---|" * len(others))
        for organ in (*organs, ""):
            base = values_of(tables[first], organ, metric) if organ else of_patients(tables[first], metric)
            cells = []
            for name in others:
                mine = values_of(tables[name], organ, metric) if organ else of_patients(tables[name], metric)
                away = mine - base
                interval = bootstrap_interval(away)
                text = f" ({interval.low:+.3f} to {interval.high:+.3f})" if interval else ""
                cells.append(f"{away.mean():+.3f}{text}" if len(away) else "–")
            print(f"| {organ or 'mean of each patient'} | {len(base)} | " + " | ".join(cells) + " |")


def place_of(folder: Path) -> tuple[int, str]:
    """Return the place of a kind in the table."""
    names = [f"{name.replace(', ', '-')}{more}" for more in ("", WHOLE_BODY) for name in KINDS]
    return (names.index(folder.name) if folder.name in names else len(names), folder.name)


def read_rows(folder: Path) -> Rows:
    """Return (patient, organ) → metrics of the patients measured; an organ that was not drawn has a DSC of 0."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        for row in read_measured(path):
            if row.patient != path.stem:
                raise SystemExit(f"{path}: the rows are of {row.patient}")
            found[row.patient, row.structure] = row.metrics
    return found


def check_same_patients(tables: Mapping[str, Rows]) -> None:
    """Stop if the rows of two kinds are not of the same organs of the same patients, with the same references."""
    (first, base), *others = tables.items()
    for name, rows in others:
        if rows.keys() != base.keys():
            raise SystemExit(f"{name} and {first} were measured on different patients or organs")
        if any(abs(rows[key].volume_a_cc - one.volume_a_cc) > 1e-6 for key, one in base.items()):
            raise SystemExit(f"{name} and {first} were measured with different references")


def values_of(rows: Rows, organ: str, metric: str) -> NDArray[np.float64]:
    """Return a metric of an organ in the patients that have a reference."""
    return np.array([getattr(rows[key], metric) for key in sorted(rows) if key[1] == organ], dtype=np.float64)


def of_patients(rows: Rows, metric: str) -> NDArray[np.float64]:
    """Return the mean over its organs of each patient."""
    patients = sorted({patient for patient, _ in rows})
    each = [[getattr(rows[key], metric) for key in rows if key[0] == patient] for patient in patients]
    return np.array([np.mean(values) for values in each])


def about_of(place: Path) -> dict[str, Any]:
    path = place / ABOUT
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def steps_of(place: Path) -> str:
    return " + ".join(str(count) for count in about_of(place).get("steps", {}).values())


def summary(values: NDArray[np.float64], metric: str) -> str:
    """Return mean ± standard deviation and median; of the HD95 the median alone, infinite where nothing was drawn."""
    if not len(values):
        return "–"
    middle = np.sort(values)[[(len(values) - 1) // 2, len(values) // 2]]
    if metric == "hd95_mm":
        return "not drawn" if np.isinf(middle).any() else f"{middle.mean():.1f}"
    text = f"{values.mean():.3f} ± {values.std(ddof=1):.3f} (median {middle.mean():.3f})"
    missing = int((values == 0).sum())
    return text + (f", {missing} × 0" if missing and metric == "dsc" else "")


if __name__ == "__main__":
    main()
