"""Killing a scripted editing run at random moments, and what must be there afterwards."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import scripted_run

from autocontour.case import Case, CaseState


def expected_states(folder: Path) -> dict[int, CaseState]:
    """Return the state after every sequence number of a run that nobody disturbs."""
    case = Case(folder, scripted_run.KEY)
    scripted_run.begin(case)
    states = {0: CaseState(), case.sequence: case.state}
    for count in range(scripted_run.STEPS):
        scripted_run.step(case, count)
        states[case.sequence] = case.state
    case.close()
    return states


def kill_once(folder: Path, seconds: float, ct_folder: Path | None = None) -> tuple[int, int]:
    """Start a run, kill it `seconds` after its first step; return the last step it said and the one recovered."""
    export = [str(ct_folder), str(folder / "out.dcm")] if ct_folder else []
    command = [sys.executable, str(Path(scripted_run.__file__)), str(folder / "case"), *export]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.kill()
    said = [first, *process.communicate()[0].splitlines(keepends=True)]
    last = int([line for line in said if line.endswith(b"\n")][-1])
    case = Case(folder / "case", scripted_run.KEY)
    recovered, state = case.sequence, case.state
    case.close()
    assert expected_states_cached()[recovered] == state, "the recovered state is not the one that was"
    assert last <= recovered <= last + 1, f"{last} was on the disk, {recovered} came back"
    if ct_folder and (folder / "out.dcm").exists():
        from autocontour.rtstruct import read_structure_set

        assert len(read_structure_set(folder / "out.dcm", scripted_run.read(ct_folder)).structures) == 2
    return last, recovered


_EXPECTED: dict[int, CaseState] = {}


def expected_states_cached() -> dict[int, CaseState]:
    """Return `expected_states`, worked out once."""
    if not _EXPECTED:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            _EXPECTED.update(expected_states(Path(folder) / "whole"))
    return _EXPECTED


def random_moments(count: int, seed: int) -> list[float]:
    """Return `count` moments from at once to well into the run."""
    return [random.Random(seed + k).uniform(0.0, 1.2) for k in range(count)]
