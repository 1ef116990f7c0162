"""Later CTs of OpenKBP patients: DSC of each method, how wrong propagations are flagged, how registrations are judged.

    python benchmarks/course.py run FOLDER_OF_OPENKBP RECORDS.jsonl [--patients 20]
    python benchmarks/course.py table RECORDS.jsonl

Each patient gets a realistic later CT (day 33 of `autocontour.phantom.followup.random_change`) and a hard one (neck
bent by 12°, shoulders moved by 20 mm, weight loss of 10 %, shifts of soft tissue of 3 mm), the seed being the patient's
place in the list. `run` continues where it stopped; every number of `table` comes from the records.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask, mask_from_contours
from autocontour.course.choice import GENERAL, PROPAGATED, read_table
from autocontour.course.link import RIGID_MM, Prepared, link_cts, prepare
from autocontour.course.methods import compare_methods, draw_by_networks, propagate_set
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom.followup import Change, FollowUp, make_followup, random_change
from autocontour.registration.grid import sample_scan
from autocontour.registration.propagate import Trust
from autocontour.registration.rigid import Match, register_rigid, turn

WRONG = 0.7
EVERY = frozenset(f"AC-CO-{number:03d}" for number in range(20, 25))
HARD = {"flexion_deg": 12.0, "shoulders_mm": 20.0, "weight_loss": 0.1, "wobble_mm": 3.0}


def read_patient(path: Path, names: list[str]) -> tuple[CTVolume, dict[str, NDArray[np.bool_]]]:
    """Return CT and masks of an OpenKBP patient."""
    with np.load(path, allow_pickle=False) as arrays:
        hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
    z, y, x = (float(step) for step in spacing)
    geometry = VolumeGeometry.regular(hu.shape, (z, y, x), (-250.0, -250.0, -160.0))
    masks = {name: (labels >> bit & 1) > 0 for bit, name in enumerate(names)}
    return CTVolume(hu, geometry), {name: mask for name, mask in masks.items() if mask.any()}


def structures_of(masks: dict[str, NDArray[np.bool_]], geometry: VolumeGeometry) -> StructureSet:
    """Return the clinical contours as a structure set."""
    drawn = []
    for number, (name, mask) in enumerate(masks.items(), 1):
        kind = "PTV" if name.startswith("PTV") else find_term(name).interpreted_type
        contours = contours_from_mask(mask, geometry)
        drawn.append(Structure(name, number, contours, tg263_name=name, interpreted_type=kind))
    return StructureSet("PLAN", tuple(drawn))


def change_of(masks: dict[str, NDArray[np.bool_]], seed: int, kind: str) -> Change:
    """Return the change of a patient."""
    change = random_change(masks, seed)
    return replace(change, **HARD) if kind == "hard" else change  # type: ignore[arg-type]


def run_one(ct: CTVolume, planning: Prepared, wanted: StructureSet, later: FollowUp) -> dict[str, Any]:
    """Return the record of one later CT."""
    begun = time.perf_counter()
    now = prepare(CTVolume(later.hu, later.geometry), Job())
    link = link_cts(now, planning, Job(), EVERY)
    table = read_table()
    propagated = propagate_set(wanted, ct, now.ct, link, table, "", Job())
    seconds = time.perf_counter() - begun
    drawn = {PROPAGATED: propagated, **dict(draw_by_networks(wanted, now.ct, "cpu", Job(), []))}
    structures = {}
    truth = later.masks
    for structure in wanted.structures:
        name = structure.name
        if name not in truth:
            continue
        mine = {method: one[name] for method, one in drawn.items() if name in one}
        contours = {method: one.structure.contours for method, one in mine.items()}
        scores = {m: dice(mask_from_contours(c, now.ct.geometry), truth[name]) for m, c in contours.items()}
        trust = propagated[name].trust if name in propagated else None
        structures[name] = {
            "dsc": scores,
            "trust": trust.to_json() if trust else None,
            "between": compare_methods(contours, now.ct.geometry),
            "codes": {m: [finding.code for finding in one.structure.findings] for m, one in mine.items()},
        }
    codes = [finding.code for finding in link.findings]
    return {**link.to_json(), "codes": codes, "seconds": seconds, "structures": structures}


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the DSC of two masks."""
    return round(2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b)), 4)


def matches(now: Prepared, planning: Prepared, other: Prepared) -> Iterator[tuple[str, Match]]:
    """Yield the match of a later CT with its planning CT mirrored, and with another patient's."""
    scans = [sample_scan(one.ct, one.body, RIGID_MM) for one in (now, planning, other)]
    yield "mirrored", register_rigid(scans[0], turn(scans[1], "mirrored"))[1]
    yield "another patient", register_rigid(scans[0], scans[2])[1]


def run(folder: Path, records: Path, count: int) -> None:
    """Make the records that are missing."""
    index = json.loads((folder / "index.json").read_text())
    names = index["structures_by_bit"]
    paths = sorted((folder / "val").glob("pt_*.npz"))[:count]
    done = {(one["patient"], one["kind"]) for one in read_records(records)} if records.exists() else set()
    for place, path in enumerate(paths):
        for kind in ("realistic", "hard", "registration"):
            if (path.stem, kind) in done or (kind == "registration" and place % 2):
                continue
            ct, masks = read_patient(path, names)
            later = make_followup(ct.hu, ct.geometry, masks, change_of(masks, place, kind))
            planning = prepare(ct, Job())
            if kind == "registration":
                other = prepare(read_patient(paths[(place + 1) % len(paths)], names)[0], Job())
                now = prepare(CTVolume(later.hu, later.geometry), Job())
                record: dict[str, Any] = {"matches": {n: vars_of(m) for n, m in matches(now, planning, other)}}
            else:
                record = run_one(ct, planning, structures_of(masks, ct.geometry), later)
            line = json.dumps({"patient": path.stem, "kind": kind, **record})
            with records.open("a") as file:
                file.write(line + "\n")
            sys.stderr.write(f"{kind} {path.stem}\n")


def vars_of(match: Match) -> dict[str, Any]:
    """Return the fields of a match."""
    return {name: getattr(match, name) for name in match.__dataclass_fields__}


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def auroc(scores: list[float], wrong: list[bool]) -> float:
    """Return the area under the ROC curve: how often a wrong one has the higher score, ties counting half."""
    bad = np.array([s for s, w in zip(scores, wrong, strict=True) if w])
    good = np.array([s for s, w in zip(scores, wrong, strict=True) if not w])
    if not len(bad) or not len(good):
        return float("nan")
    higher = (bad[:, None] > good).mean() + 0.5 * (bad[:, None] == good).mean()
    return float(higher)


def score(trust: dict[str, Any], between: float | None) -> dict[str, float]:
    """Return the scores by which a propagated structure can be doubted, higher being worse."""
    ratio = max(trust["volume_ratio"], 1e-3)
    return {
        "inconsistency": trust["inconsistency_mm"],
        "difference": trust["difference"],
        "residual": trust["residual_mm"],
        "thinness": -trust["thickness_mm"],
        "(residual + inconsistency) / thickness": (trust["residual_mm"] + trust["inconsistency_mm"])
        / max(trust["thickness_mm"], 0.1),
        "Jacobian": max(1 - trust["lowest_jacobian"], trust["highest_jacobian"] - 1),
        "volume": abs(float(np.log(ratio))),
        "disagreement": 0.0 if between is None else 1 - between,
    }


def table(records: list[dict[str, Any]]) -> None:
    """Print the tables."""
    for kind in ("realistic", "hard"):
        mine = [one for one in records if one["kind"] == kind]
        if mine:
            print_methods(kind, mine)
    # The limit was chosen on the first seven patients.
    both = [one for one in records if one["kind"] in ("realistic", "hard")]
    chosen_on = list(dict.fromkeys(one["patient"] for one in both))[:7]
    print_flags([one for one in both if one["patient"] in chosen_on])
    print_flags([one for one in both if one["patient"] not in chosen_on])
    print_matches(records)


def print_methods(kind: str, records: list[dict[str, Any]]) -> None:
    """Print DSC per structure and method."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for name, one in record["structures"].items():
            for method in (PROPAGATED,) if name.startswith("PTV") else (PROPAGATED, GENERAL):
                values[name][method].append(one["dsc"].get(method, 0.0))  # not drawn: 0
    seconds = np.median([record["seconds"] for record in records])
    write(f"\n{kind}: {len(records)} patients, median {seconds:.0f} s for registration and propagation\n")
    write("| structure | n | propagated, median (lowest) | below 0.7 | general, median (lowest) |")
    write("|---|---|---|---|---|")
    for name, methods in values.items():
        own, other = methods.get(PROPAGATED, []), methods.get(GENERAL, [])
        wrong = sum(value < WRONG for value in own)
        network = f"{np.median(other):.2f} ({min(other):.2f})" if other else ""
        write(f"| {name} | {len(own)} | {np.median(own):.2f} ({min(own):.2f}) | {wrong} | {network} |")


def print_flags(records: list[dict[str, Any]]) -> None:
    """Print how well each score and the finding find propagated structures below a DSC of 0.7."""
    scores: dict[str, list[float]] = defaultdict(list)
    wrong: list[bool] = []
    flagged: list[bool] = []
    limits = read_table().doubtful
    for record in records:
        for one in record["structures"].values():
            if one["trust"] is None:
                continue
            wrong.append(one["dsc"][PROPAGATED] < WRONG)
            flagged.append(any(limits.reasons(Trust(**one["trust"]))))
            for name, value in score(one["trust"], next(iter(one["between"].values()), None)).items():
                scores[name].append(value)
    write(f"\n{len(wrong)} propagated structures, {sum(wrong)} below {WRONG}\n\n| score | AUROC |\n|---|---|")
    for name, values in scores.items():
        write(f"| {name} | {auroc(values, wrong):.2f} |")
    caught = sum(f and w for f, w in zip(flagged, wrong, strict=True))
    false = sum(f and not w for f, w in zip(flagged, wrong, strict=True))
    write(f"\nAC-CO-042: {caught} of {sum(wrong)} found, {false} of {len(wrong) - sum(wrong)} flagged without need")


def print_matches(records: list[dict[str, Any]]) -> None:
    """Print the ranges of the registration's measures for right and wrong pairs."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        if "match" in record:
            groups[f"right pair, {record['kind']}"].append(record["match"])
        for name, match in record.get("matches", {}).items():
            groups[name].append(match)
    write("\n| pair | n | correlation | bone DSC | turned − right | rival − right |\n|---|---|---|---|---|---|")
    for name, found in groups.items():
        columns = [
            [one["correlation"] for one in found],
            [one["bone_dsc"] for one in found],
            [one["turned"] - one["correlation"] for one in found],
            [one["rival"] - one["correlation"] for one in found],
        ]
        cells = " | ".join(f"{min(values):.2f} … {max(values):.2f}" for values in columns)
        write(f"| {name} | {len(found)} | {cells} |")


def write(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Run or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    runner = actions.add_parser("run")
    runner.add_argument("folder", type=Path)
    runner.add_argument("records", type=Path)
    runner.add_argument("--patients", type=int, default=20)
    actions.add_parser("table").add_argument("records", type=Path)
    args = parser.parse_args()
    if args.action == "run":
        run(args.folder, args.records, args.patients)
    else:
        table(read_records(args.records))


if __name__ == "__main__":
    main()
