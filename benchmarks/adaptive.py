"""Later CTs of OpenKBP patients by a package for the patient, the general package and propagation.

    python benchmarks/adaptive.py run FOLDER_OF_OPENKBP WORK [--patients 20] [--steps 150] [--kinds …]
    python benchmarks/adaptive.py propagate FOLDER_OF_OPENKBP WORK [--patients 20] [--kinds …]
    python benchmarks/adaptive.py table FOLDER_OF_OPENKBP WORK [--steps 150] [--course RECORDS_OF_COURSE]

Each patient's planning CT and clinical contours are written as DICOM, `autocontour adapt` makes the package, and the
later CTs of `benchmarks/course.py` (realistic and hard, the seed being the patient's place in the list) are written as
DICOM with the same Patient ID, read again and contoured. A third one (other) is as from another scanner and protocol:
another realistic change of anatomy, grey values 0.92 · HU + 25, slices of 4 mm, noise of 40 HU, and a set-up turned by
5°, 4° and 6°. `run` and `propagate` continue where they stopped; WORK/records.jsonl has one line per patient, CT and
method. A structure that a method does not draw counts with a DSC of 0; one of which less than half lies on the slices
that contain CT is left out (`LEAST_INSIDE`), whatever the methods draw.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from course import EVERY, change_of, read_patient, structures_of
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.cli import main as autocontour
from autocontour.contouring import mask_from_contours
from autocontour.course.choice import GENERAL, PATIENT, PROPAGATED, read_table
from autocontour.course.link import link_cts, prepare
from autocontour.course.methods import is_target, propagate_set
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.models import ModelPackage, find_package, read_package
from autocontour.models.inference.runtime import keep_runners
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom.followup import FollowUp, make_followup
from autocontour.pipeline.contour import contour_ct
from autocontour.pipeline.plan import build_plan
from autocontour.qa.metrics import compute_metrics
from autocontour.rtstruct import write_structure_set

KINDS = "realistic", "hard", "other"
SCALE, SHIFT_HU = 0.92, 25
OTHER = {"noise_hu": 40.0, "spacing_z_mm": 4.0, "setup_deg": (5.0, 4.0, 6.0)}
OTHER_SEED = 1000
LEAST_INSIDE = 0.5
"""Labels of OpenKBP continue where there is no CT: propagation can follow them there, but no network can."""


def main() -> None:
    """Run or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "propagate", "table"])
    parser.add_argument("data", type=Path, help="folder of openkbp")
    parser.add_argument("work", type=Path, help="folder of the experiment; continued")
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--course", type=Path, help="records of benchmarks/course.py, for the propagated DSC")
    args = parser.parse_args()
    keep_runners()
    data, work = args.data, args.work
    work.mkdir(parents=True, exist_ok=True)
    if args.action == "table":
        table(inside_ct([*of_course(args.course), *read_records(work)], data), args.steps)
        return
    for place, path in enumerate(sorted((data / "val").glob("pt_*.npz"))[: args.patients]):
        names = json.loads((data / "index.json").read_text())["structures_by_bit"]
        if args.action == "run":
            run_patient(path, names, place, work, args)
        else:
            propagate_patient(path, names, place, work, args.kinds)


def run_patient(path: Path, names: list[str], place: int, work: Path, args: argparse.Namespace) -> None:
    """Make the patient's package and contour the later CTs with it and with the general one."""
    general = find_package(args.package)
    own = f"{PATIENT}-{args.steps}"
    about = {"patient": path.stem, "package": f"{general.name} {general.version}"}
    missing = list(missing_records(work, about, args.kinds, (GENERAL, own)))
    if not missing:
        return
    planning, masks = read_patient(path, names)
    package, minutes = adapt(planning, structures_of(masks, planning.geometry), path.stem, work, args)
    packages = {GENERAL: general, own: package}
    for kind in dict.fromkeys(kind for kind, _ in missing):
        later = later_ct(planning, masks, place, kind)
        ct = as_dicom(later.hu, later, work / path.stem / kind, path.stem, kind)
        for method in (one for other, one in missing if other == kind):
            scores = contour_and_measure(ct, packages[method], later)
            spent = {"minutes": minutes} if method == own else {}
            write_record(work, about | {"kind": kind, "method": method, **spent, "structures": scores})


def adapt(
    planning: CTVolume, wanted: StructureSet, patient: str, work: Path, args: argparse.Namespace
) -> tuple[ModelPackage, float]:
    """Return the patient's package and the minutes of processor time that `autocontour adapt` took."""
    folder = work / patient
    package, spent = folder / f"package-{args.steps}", folder / f"package-{args.steps}.json"
    if not package.exists():
        ct, rs = folder / "planning", folder / "RS.dcm"
        if not rs.exists():
            written = write_ct_series(planning.hu, planning.geometry, ct, description_of(patient, "planning"))
            now = datetime.now(UTC)
            approved = tuple(
                replace(one, status=ReviewStatus.APPROVED, reviewer="Benchmark", reviewed_at=now)
                for one in wanted.structures
            )
            write_structure_set(replace(wanted, structures=approved), written, rs)
        begun = time.process_time()
        command = ["adapt", ct, rs, "-o", package, "--package", args.package, "--steps", args.steps, "--json"]
        if code := autocontour([str(part) for part in command]):
            raise SystemExit(code)
        spent.write_text(json.dumps((time.process_time() - begun) / 60))
    return read_package(package), float(json.loads(spent.read_text())) if spent.exists() else float("nan")


def description_of(patient: str, kind: str) -> SeriesDescription:
    """Return the attributes of a CT."""
    return SeriesDescription(f"OPENKBP^{patient.upper()}", patient, text=kind, uid_seed=f"{patient} {kind}")


def later_ct(planning: CTVolume, masks: dict[str, NDArray[np.bool_]], place: int, kind: str) -> FollowUp:
    """Return a later CT with its true contours."""
    if kind != "other":
        return make_followup(planning.hu, planning.geometry, masks, change_of(masks, place, kind))
    change = replace(change_of(masks, OTHER_SEED + place, "realistic"), **OTHER)  # type: ignore[arg-type]
    later = make_followup(planning.hu, planning.geometry, masks, change)
    changed = np.where(later.hu > -1000, np.clip(SCALE * later.hu + SHIFT_HU, -1024, 3071), later.hu)
    return replace(later, hu=np.rint(changed).astype(np.int16))


def as_dicom(hu: NDArray[np.int16], later: FollowUp, folder: Path, patient: str, kind: str) -> CTVolume:
    """Write a CT as DICOM, and read it as the program does."""
    if not folder.exists():
        write_ct_series(hu, later.geometry, folder, description_of(patient, kind))
    (series,) = planning_cts(scan_folder(folder, Job()))
    ct = read_ct(series, Job())
    if ct.hu.shape != hu.shape or not np.array_equal(ct.hu, hu):
        raise SystemExit(f"{folder}: another CT than was made.")
    return ct


def contour_and_measure(ct: CTVolume, package: ModelPackage, later: FollowUp) -> dict[str, dict[str, float]]:
    """Return structure → its scores by a package; organs only: targets are not a network's to draw."""
    wanted = sorted(name for name in later.masks if name in package.structures and not name.startswith("PTV"))
    drawn = contour_ct(ct, build_plan(None, wanted, package)).structure_set.structures
    return measure(wanted, drawn, ct, later)


def measure(
    names: Iterable[str], drawn: Iterable[Structure], ct: CTVolume, later: FollowUp
) -> dict[str, dict[str, float]]:
    """Return structure → DSC and surface DSC at 3 mm; 0 if it is not drawn."""
    truth, scores = later.masks, {}
    by_name = {one.tg263_name or one.name: one for one in drawn}
    for name in names:
        mine = by_name.get(name)
        mask = mask_from_contours(mine.contours, ct.geometry) if mine else np.zeros_like(truth[name])
        metrics = compute_metrics(truth[name], mask, ct.geometry.spacing_zyx_mm)
        scores[name] = {"dsc": metrics.dsc, "surface_dsc": metrics.surface_dsc, "drawn": bool(mask.any())}
    return scores


def propagate_patient(path: Path, names: list[str], place: int, work: Path, kinds: list[str]) -> None:
    """Propagate the planning contours to the later CTs."""
    about = {"patient": path.stem, "package": ""}
    for kind, method in missing_records(work, about, kinds, (PROPAGATED,)):
        ct, masks = read_patient(path, names)
        wanted = structures_of(masks, ct.geometry)
        organs = replace(wanted, structures=tuple(one for one in wanted.structures if not is_target(one)))
        later = later_ct(ct, masks, place, kind)
        now = prepare(CTVolume(later.hu, later.geometry), Job())
        link = link_cts(now, prepare(ct, Job()), Job(), EVERY)
        drawn = propagate_set(organs, ct, now.ct, link, read_table(), "", Job())
        found = sorted(one.name for one in organs.structures if one.name in later.masks)
        scores = measure(found, [one.structure for one in drawn.values()], now.ct, later)
        write_record(work, about | {"kind": kind, "method": method, "structures": scores})


def missing_records(
    work: Path, about: dict[str, str], kinds: Iterable[str], methods: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield kind and method of the records that do not exist."""
    done = {(one["patient"], one["package"], one["kind"], one["method"]) for one in read_records(work)}
    for kind in kinds:
        for method in methods:
            if (about["patient"], about["package"], kind, method) not in done:
                yield kind, method


def read_records(work: Path) -> list[dict[str, Any]]:
    """Return the records."""
    path = work / "records.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def of_course(path: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the records of the propagated contours of benchmarks/course.py; those not drawn have a DSC of 0."""
    for line in path.read_text().splitlines() if path else ():
        record = json.loads(line)
        if record["kind"] in KINDS:
            names = [name for name in record["structures"] if not name.startswith("PTV")]
            scores = {name: {"dsc": record["structures"][name]["dsc"].get(PROPAGATED, 0.0)} for name in names}
            yield {**record, "package": "", "method": PROPAGATED, "structures": scores}


def inside_ct(records: Iterable[dict[str, Any]], data: Path) -> list[dict[str, Any]]:
    """Return the records without the structures that lie outside the planning CT by more than half."""
    patients = json.loads((data / "index.json").read_text())["patients"]
    inside = {entry["patient"]: entry["fraction_inside_ct"] for entry in patients}
    return [
        one | {"structures": {k: v for k, v in one["structures"].items() if inside[one["patient"]][k] >= LEAST_INSIDE}}
        for one in records
    ]


def write_record(work: Path, record: dict[str, Any]) -> None:
    """Add a record."""
    with (work / "records.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    sys.stderr.write(f"{record['patient']} {record['kind']} {record['method']}\n")


def table(records: list[dict[str, Any]], steps: int) -> None:
    """Print mean ± standard deviation of each method, and the paired differences of the patient's package."""
    own = f"{PATIENT}-{steps}"
    scores = {
        (one["kind"], one["method"], one["patient"], name): values
        for one in records
        for name, values in one["structures"].items()
    }
    minutes = {one["patient"]: one["minutes"] for one in records if one["method"] == own}
    spread = f"{np.median(list(minutes.values())):.1f} ({min(minutes.values()):.1f} to {max(minutes.values()):.1f})"
    write(f"{len(minutes)} patients, {steps} steps: median {spread} minutes of processor time for a package")
    for metric in ("dsc", "surface_dsc"):
        write(f"\n| {metric} | structure | n | {own} | general | propagated | own − general | own − propagated |")
        write("|---|---|---|---|---|---|---|---|")
        for kind in KINDS:
            mine = sorted({(p, s) for k, method, p, s in scores if k == kind and method == own})
            for name in [*dict.fromkeys(s for _, s in mine), ""]:
                pairs = [(p, s) for p, s in mine if name in ("", s)]
                values = {
                    method: np.array([scores.get((kind, method, *pair), {}).get(metric, np.nan) for pair in pairs])
                    for method in (own, GENERAL, PROPAGATED)
                }
                if not name:  # the mean over patients of the mean over their organs
                    patients = np.array([p for p, _ in pairs])
                    each = [patients == patient for patient in sorted(set(patients))]
                    values = {method: np.array([one[rows].mean() for rows in each]) for method, one in values.items()}
                cells = [spell(values[method]) for method in (own, GENERAL, PROPAGATED)]
                cells += [spell(values[own] - values[method], sign="+") for method in (GENERAL, PROPAGATED)]
                write(f"| {kind} | {name or 'all'} | {len(values[own])} | " + " | ".join(cells) + " |")


def spell(values: NDArray[np.float64], sign: str = "") -> str:
    """Return mean ± standard deviation, empty if a value is missing."""
    if not len(values) or np.isnan(values).any():
        return ""
    return f"{values.mean():{sign}.3f} ± {values.std(ddof=1) if len(values) > 1 else 0:.3f}"


def write(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
