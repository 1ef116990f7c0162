"""A scripted editing run that another process kills; it says every step that is on the disk.

``python scripted_run.py CASE_FOLDER [CT_FOLDER EXPORT]`` prints each sequence number after the step returned.
With a CT it also exports after every fifth step.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from shapely import MultiPolygon, Point

from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.edits import brushed, erased, pushed, swept_disc
from autocontour.patient.structures import Structure

KEY = CaseKey("1.2.3", "1.2.4")
STEPS = 400


def begin(case: Case) -> None:
    ball = {z: MultiPolygon([Point(0, 0).buffer(30 - abs(z - 6))]) for z in range(12)}
    added = [CaseStructure(Structure(name, n, ball), ball) for n, name in enumerate(("Heart", "Liver"), 1)]
    case.apply(Edit("Open", added=tuple(added)))


def step(case: Case, count: int) -> None:
    """Do step `count`: the same in every run."""
    rng = np.random.default_rng(count)
    number, z = int(rng.integers(1, 3)), int(rng.integers(0, 12))
    a, b = rng.uniform(-40, 40, (2, 2))
    outline = case.state[number].structure.contours.get(z)
    kind = rng.integers(0, 6)
    if kind == 0 and case.undo_label and case.undo_label != "Open":
        case.undo()
    elif kind == 1 and case.redo_label:
        case.redo()
    elif kind == 2:
        case.apply(Edit("Push", {number: {z: pushed(outline, tuple(a), tuple(b), 12.0)}}), seconds=1)
    else:
        change = erased if kind == 3 else brushed
        case.apply(Edit("Brush", {number: {z: change(outline, swept_disc([a, b], 6.0))}}), seconds=1)
    if count % 50 == 49:
        case.snapshot()


def run(folder: Path, ct_folder: Path | None, export: Path | None) -> None:
    case = Case(folder, KEY)
    ct = read(ct_folder) if ct_folder else None
    begin(case)
    sys.stdout.write(f"{case.sequence}\n")
    sys.stdout.flush()
    for count in range(STEPS):
        step(case, count)
        sys.stdout.write(f"{case.sequence}\n")
        sys.stdout.flush()
        if ct and export and count % 5 == 4:
            from autocontour.rtstruct import write_structure_set

            write_structure_set(case.to_structure_set("SET"), ct, export, overwrite=True)


def read(ct_folder: Path):
    from autocontour.base.jobs import Job
    from autocontour.dicom import planning_cts, read_ct, scan_folder

    return read_ct(planning_cts(scan_folder(ct_folder, Job()))[0], Job())


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    run(paths[0], *(paths[1:] or [None, None]))
