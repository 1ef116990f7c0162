"""A night of unattended learning on real patients, as a clinic's service would run it: every command and its output.

    python benchmarks/learn_patients.py FOLDER_OF_OPENKBP SITE [--patients 4] [--steps 5]

SITE is the home of a throw-away user. The patients are contoured by the program, corrected to the clinical contours,
and approved, in cases of the program; the first organ of each is approved as it was drawn. Then the commands of
docs/retraining.md are run one after another. What exists in SITE is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from course import read_patient, structures_of

from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.structures import Structure
from autocontour.pipeline.contour import contour_ct
from autocontour.pipeline.plan import build_plan

TEST_SHARE = 0.6
"""Three of four: with fewer a structure may have less than two references in the test."""
ORGANS = "Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Bone_Mandible"
ORIGINAL = "pt_201", "pt_222"
"""Patients of `openkbp/val` with all organs of the package, who are not among the cases."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("site", type=Path)
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--package", default="head-and-neck")
    args = parser.parse_args()
    site = args.site.resolve()
    names = json.loads((args.data / "index.json").read_text())["structures_by_bit"]
    for path in sorted((args.data / "val").glob("pt_*.npz"))[-args.patients :]:
        if not (site / "archive" / path.stem).exists():
            make_case(path, names, site)
    limits = site / "limits.toml"
    limits.write_text(
        "least_patients = 2\n[default]\ndsc_margin = 0.1\nsurface_dsc_margin = 0.1\nworst_margin = 0.2\n"
        'source = "trial with few patients"\n'
    )
    run(site, "learn", "status")
    run(site, "learn", "run")
    write_original(site / "original", args.data)
    settings = "--when", "1", "--test-share", str(TEST_SHARE), "--steps", str(args.steps), "--limits", str(limits)
    settings += "--test", f"original={site / 'original'}:validation"
    run(site, "learn", "on", "--package", args.package, *settings)
    run(site, "learn", "on", "--quiet-minutes", "0", "--cases", str(site / "cases"))
    run(site, "learn", "run", "--json")
    run(site, "learn", "status")
    for folder in sorted((site / "xdg_data_home").glob("autocontour/learning/rounds/*"))[:1]:
        run(site, "models", "promote", str(folder / "run" / "package"), "--record", str(folder / "record.json"))
    run(site, "models", "history")
    run(site, "models", "rollback", args.package, "--reason", "trial", "--by", "A. Physicist")
    run(site, "models", "history")
    run(site, "learn", "off")
    run(site, "learn", "run")


def write_original(folder: Path, data: Path) -> None:
    """Write a data set of the patients who show what no case corrects: the gate judges every organ somewhere."""
    index = json.loads((data / "index.json").read_text())
    (folder / "validation").mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in index["patients"] if entry["patient"] in ORIGINAL]
    for entry in entries:  # targets have too few references among so few patients
        entry["voxels"] = {name: count for name, count in entry["voxels"].items() if not name.startswith("PTV")}
        place = folder / "validation" / f"{entry['patient']}.npz"
        place.unlink(missing_ok=True)
        place.symlink_to((data / "val" / place.name).resolve())
    (folder / "index.json").write_text(json.dumps(index | {"patients": entries}))


def make_case(path: Path, names: list[str], site: Path) -> None:
    """Make the case of a patient: contoured, corrected, approved."""
    planning, masks = read_patient(path, names)
    folder = site / "archive" / path.stem
    about = SeriesDescription(f"OPENKBP^{path.stem.upper()}", path.stem, text="planning", uid_seed=f"{path.stem} learn")
    write_ct_series(planning.hu, planning.geometry, folder, about)
    (series,) = planning_cts(scan_folder(folder, Job()))
    ct = read_ct(series, Job())
    clinical = {one.name: one for one in structures_of(masks, ct.geometry).structures}
    wanted = [name for name in ORGANS if name in clinical]
    drawn = contour_ct(ct, build_plan(None, wanted)).structure_set.structures
    with actions.open_case(ct, root=site / "cases", source=folder) as case:
        for number, structure in enumerate(drawn, 1):
            case.apply(actions.receive(case.state, as_number(structure, number)))
            if number > 1:
                right = clinical[structure.name].contours
                slices = {*structure.contours, *right}
                case.apply(actions.redraw(number, {k: right.get(k) for k in sorted(slices)}))
            case.apply(actions.approve(case.state, number, reviewer="A. Physicist"))


def as_number(structure: Structure, number: int) -> Structure:
    """Return the structure with an ROI Number."""
    return replace(structure, number=number)


def run(site: Path, *command: str) -> None:
    """Run a command of the program as the throw-away user, and print it with its output and exit code."""
    places = {name: str(site / name.lower()) for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    environment = os.environ | {"HOME": str(site), "COLUMNS": "160", **places}
    print(f"\n$ autocontour {' '.join(command)}", flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "autocontour.cli", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if '"event": "progress"' not in line]
    print("\n".join(lines))
    print(done.stderr, end="")
    print(f"(exit code {done.returncode}, {time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
