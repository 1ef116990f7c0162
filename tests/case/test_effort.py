"""What a review took: time and new outline, recorded with the case and without the patient."""

import json
from dataclasses import replace

import pytest
from shapely import MultiPolygon, box

from autocontour.base.errors import OutputError
from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.case.effort import FILE, measure_effort, read_efforts
from autocontour.cli import main
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import ReviewStatus, Structure


def square(side=20.0, u=0.0):
    return MultiPolygon([box(u, 0, u + side, side)])


def item():
    contours = {z: square() for z in range(6)}
    source = Provenance("net", "2", confidence=0.9)
    return CaseStructure(Structure("Heart", 1, contours, provenance=source), contours)


@pytest.fixture
def case(tmp_path):
    made = Case(tmp_path / "cases" / "abc", CaseKey("1.2", "1.3"))
    made.apply(Edit("Open", added=(item(),)))
    yield made
    made.close()


def test_new_outline_is_what_does_not_lie_on_the_first_one():
    one = item()
    wider = MultiPolygon([box(0, 0, 30, 20)])  # two sides of 10 mm and one of 20 mm lie elsewhere
    contours = {**one.structure.contours, 2: wider, 3: square()}
    del contours[5]
    effort = measure_effort(replace(one, structure=replace(one.structure, contours=contours)), 130.2)
    assert effort.new_outline_mm == pytest.approx(39.0, abs=0.2)
    assert (effort.edited_slices, effort.drawn_slices) == (2, 5)  # an equal outline is no edit, a deleted one is
    assert effort.summary().message == "2 min 10 s, 39 mm of new outline on 2 slices"
    assert (effort.drawn_by, effort.confidence) == ("net 2", 0.9)


def test_what_nobody_changed_says_so():
    assert measure_effort(item(), 0.0).summary().message == "unchanged since import"


def test_it_is_recorded_at_approval_and_at_the_end(case):
    path = case.folder / FILE
    case.apply(Edit("Brush", {1: {2: square(24)}}), seconds=7)
    assert not path.exists()
    values = {"status": ReviewStatus.APPROVED, "approved_by": "A. Physicist", "approved_at": "2026-01-02T03:04:05Z"}
    case.apply(Edit("Approve", fields={1: values}))
    (row,) = json.loads(path.read_bytes())["structures"]
    assert (row["name"], row["status"], row["editing_seconds"]) == ("Heart", "approved", 7)
    assert row["new_outline_mm"] == pytest.approx(56, abs=1)
    assert "A. Physicist" not in path.read_text()


def test_an_approval_stands_although_the_record_cannot_be_written(case, monkeypatch):
    def full(*_):
        raise OutputError("AC-OUT-001", file="effort.json", reason="No space left on device")

    monkeypatch.setattr("autocontour.case.effort.write_atomically", full)
    assert case.apply(Edit("Approve", fields={1: {"status": ReviewStatus.APPROVED}}))[1].is_approved
    assert not (case.folder / FILE).exists()


def test_the_command_lists_it(tmp_path, capsys):
    root = tmp_path / "cases"
    case = Case(root / "abc", CaseKey("1.2", "1.3"))
    case.apply(Edit("Open", added=(item(),)))
    case.apply(Edit("Brush", {1: {2: square(24)}}), seconds=7)
    case.close()
    (root / "damaged").mkdir()
    (root / "damaged" / FILE).write_text("{")
    assert main(["info", "--reviews", str(root), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("AC-CASE-048 damaged")
    (row,) = json.loads(printed.out)
    assert (row["case"], row["name"], row["edited_slices"]) == ("abc", "Heart", 1)
    assert main(["info", "--reviews", str(root)]) == 0
    assert "Heart" in capsys.readouterr().out
    assert [name for name, _ in read_efforts(root)] == ["abc"]


def test_a_missing_folder_of_cases_is_not_an_empty_one(tmp_path, capsys):
    assert main(["info", "--reviews", str(tmp_path / "missing"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "AC-US-003"
