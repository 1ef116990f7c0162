"""Habits of a clinic: learnt only where they are certain, stated where they are applied."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon

from autocontour.base.errors import UsageError
from autocontour.cli import main
from autocontour.models import read_package
from autocontour.models.inference.infer import _as_the_clinic
from autocontour.models.package.habit import Habit
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume
from autocontour.qa.commissioning import habits
from autocontour.qa.commissioning.cohort import CohortCase
from autocontour.qa.commissioning.habits import _summarize, find_habits, measure_change, with_habits
from autocontour.qa.commissioning.measure import CaseResult

SPACING = (3.0, 1.0, 1.0)


def case_of(masks, patient="p"):
    shape = next(iter(masks.values())).shape
    ct = CTVolume(np.zeros(shape, np.int16), VolumeGeometry.regular(shape, SPACING))
    return CohortCase(patient, ct, masks, np.ones(shape[0], bool), dict.fromkeys(masks, 1.0))


def cylinder(first, last, radius):
    y, x = np.ogrid[:80, :80]
    mask = np.zeros((40, 80, 80), bool)
    mask[first : last + 1] = (y - 40) ** 2 + (x - 40) ** 2 <= radius**2
    return mask


@pytest.mark.parametrize(("up", "down", "wider"), [(0, 0, 0), (4, 0, 0), (-3, 2, 0), (0, -5, 3), (2, 2, -2)])
def test_a_change_is_measured_in_mm(up, down, wider):
    drawn, reference = cylinder(10, 30, 15), cylinder(10 - down, 30 + up, 15 + wider)
    superior, inferior, margin = measure_change(reference, drawn, case_of({"a": reference}))
    assert superior == 3 * up
    assert inferior == 3 * down
    assert margin == pytest.approx(wider, rel=0.07, abs=0.12)  # of a disc of voxels


def test_an_end_at_the_end_of_the_scan_says_nothing():
    drawn, reference = cylinder(5, 30, 15), cylinder(0, 39, 15)
    superior, inferior, margin = measure_change(reference, drawn, case_of({"a": reference}))
    assert np.isnan(superior)
    assert np.isnan(inferior)
    assert margin == pytest.approx(0, abs=0.1)


def test_contours_that_do_not_meet_are_not_compared():
    assert measure_change(cylinder(0, 5, 5), cylinder(10, 20, 5), case_of({"a": cylinder(0, 5, 5)})) is None


def changes(superior, n=6, spread=0.0):
    rng = np.random.default_rng(0)
    return [(superior + rng.normal(0, spread), 0.0, 0.0) for _ in range(n)]


def test_only_what_is_always_changed_is_a_habit():
    assert _summarize("a", changes(-12)).habit == Habit(-12.0, 0.0, 0.0, 6)
    assert _summarize("a", changes(-12, spread=2)).habit.superior_mm == pytest.approx(-12, abs=2)
    assert _summarize("a", changes(2.5, spread=12)).habit is None  # as often up as down
    assert _summarize("a", changes(1.0)).habit is None  # less than a slice
    assert _summarize("a", changes(-12, n=4)).habit is None  # too few
    assert _summarize("a", [(float("nan"), float("nan"), float("nan"))] * 6).habit is None


def test_a_habit_changes_the_contours_and_is_stated():
    grid = VolumeGeometry.regular((40, 80, 80), SPACING)
    ct = CTVolume(np.zeros((40, 80, 80), np.int16), grid)
    box = {k: MultiPolygon([shapely.box(30, 30, 50, 50)]) for k in range(10, 21)}
    drawing = _as_the_clinic(Drawing(box), "SpinalCord", Habit(-9.0, 6.0, 1.0, 7), ct)
    assert min(drawing.contours) == 8
    assert max(drawing.contours) == 17
    assert drawing.contours[14].area == pytest.approx(22**2, abs=2)
    (finding,) = drawing.findings
    assert finding.code == "AC-MD-111"
    assert "-9.0" in finding.message
    assert "+6.0" in finding.message
    assert "7 cases" in finding.message


def test_without_a_habit_nothing_is_changed():
    drawing = Drawing({1: MultiPolygon([shapely.box(0, 0, 1, 1)])})
    assert _as_the_clinic(drawing, "a", None, None) is drawing


@pytest.fixture
def clinic(toy_package, monkeypatch):
    """Six cases of a clinic that ends the left gland 9 mm higher than the package does."""
    names = list(toy_package.structures)[:2]
    references = {names[0]: cylinder(10, 30, 12), names[1]: cylinder(13, 30, 12)}
    drawn = {name: cylinder(10, 30, 12) for name in names}
    cases = [case_of(references, f"p{n}") for n in range(6)]
    monkeypatch.setattr(habits, "list_patients", lambda *_: ({}, [{}] * len(cases)))
    monkeypatch.setattr(habits, "read_cases", lambda *_: iter(cases))
    monkeypatch.setattr(habits, "run_case", lambda *_: CaseResult(dict(drawn), {}, 0.0))
    return cases


def test_the_habit_of_a_clinic_is_found_and_the_other_structure_left_alone(clinic, toy_package):
    from autocontour.base.jobs import Job

    first, second = find_habits(toy_package, None, "train", Job())
    assert first.habit is None
    assert second.habit == Habit(0.0, -9.0, 0.0, 6)
    entries = {entry["name"]: entry for entry in with_habits(toy_package, [first, second])["structures"]}
    assert "habit" not in entries[first.structure]
    assert entries[second.structure]["habit"]["inferior_mm"] == -9.0


def test_the_command_writes_a_package_that_must_pass_the_gate(clinic, toy_package, tmp_path, capsys):
    output = tmp_path / "mine"
    assert main(["models", "habits", str(toy_package.path), str(tmp_path), "-o", str(output)]) == 0
    assert "gate" in capsys.readouterr().out
    package = read_package(output)
    assert package.version == f"{toy_package.version}-habits"
    assert [one.habit for one in package.structures.values()].count(None) == len(package.structures) - 1
    assert main(["models", "habits", str(output), str(tmp_path)]) != 0
    assert "AC-QA-046" in capsys.readouterr().err
    assert main(["models", "habits", str(toy_package.path), str(tmp_path), "-o", str(output)]) != 0
    assert "AC-OUT-002" in capsys.readouterr().err
    assert main(["models", "habits", str(toy_package.path), str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1]["inferior"]["is_habit"]


def test_too_few_cases_are_refused(toy_package, monkeypatch):
    monkeypatch.setattr(habits, "list_patients", lambda *_: ({}, [{}] * 4))
    with pytest.raises(UsageError, match="AC-QA-045"):
        find_habits(toy_package, None, "train", None)


def test_habits_are_limited(toy_package):
    from autocontour.base.errors import ModelError
    from autocontour.models.package.package import parse_metadata

    entries = [dict(entry) for entry in toy_package.metadata["structures"]]
    entries[0]["habit"] = {"superior_mm": 500}
    with pytest.raises(ModelError, match="AC-MD-010"):
        parse_metadata({**toy_package.metadata, "structures": entries}, path=toy_package.path, checksum="")
    assert replace(Habit(), margin_mm=1.0).margins_mm == (1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
