"""Time study: minutes by hand and with automatic contours, from real cases."""

import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from shapely import MultiPolygon, box

from autocontour.base.jobs import Job
from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.case.actions import approve, reject
from autocontour.cli import main
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, Structure
from autocontour.qa.commissioning.routine.times import TimedStructure, read_times, summarize_times

AT = datetime(2026, 1, 1, tzinfo=UTC)


def square(u=0.0):
    return MultiPolygon([box(u, 0, u + 20, 20)])


def make_case(root, number, *, auto=None, manual=None, rejected=None):
    """Write a case; a value is the seconds of drawing on that structure, 0 for an unedited one."""
    key = CaseKey(f"1.{number}", "1.3")
    case = Case(root / key.folder_name, key)
    contours = {0: square(), 1: square()}
    source = Provenance("net", "2", "a" * 64)

    def automatic(k):
        return CaseStructure(Structure(f"Heart{k}", k, contours, "Heart", provenance=source), contours)

    def draw(k, seconds):
        if seconds:
            case.apply(Edit("Brush", {k: {0: square(3 + k)}}), seconds=seconds)

    if auto is not None:
        case.apply(Edit("Auto", added=(automatic(1),)))
        draw(1, auto)
        case.apply(approve(case.state, 1, "A", AT))
    if rejected is not None:
        case.apply(Edit("Auto", added=(automatic(2),)))
        draw(2, rejected)
        case.apply(reject(case.state, 2, "A", "wrong", AT))
    if manual is not None:
        hand = Structure("Heart by hand", 3, {}, "Heart", generation=GenerationAlgorithm.MANUAL)
        case.apply(Edit("New", added=(CaseStructure(hand),)))
        draw(3, manual)
        if not manual:
            case.apply(Edit("Paste", {3: {0: square()}}))
        case.apply(approve(case.state, 3, "A", AT))
    case.close()


def test_the_kinds_of_a_structure(tmp_path):
    make_case(tmp_path, 1, auto=60)
    make_case(tmp_path, 2, auto=0)
    make_case(tmp_path, 3, manual=300)
    make_case(tmp_path, 4, manual=300, rejected=30)
    make_case(tmp_path, 5, manual=0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "case.json").write_text("")
    rows, skipped = read_times([tmp_path], Job())
    kinds = sorted((row.kind, row.seconds) for row in rows)
    assert kinds == [("corrected", 60.0), ("manual", 300.0), ("replaced", 330.0), ("unedited", 0.0)]
    assert {row.drawn_by for row in rows if row.kind != "manual"} == {"net 2"}  # also what was replaced
    assert [one.finding.code for one in skipped] == ["AC-CASE-045"]
    shutil.copytree(tmp_path / CaseKey("1.1", "1.3").folder_name, tmp_path / "a copy")
    again, skipped = read_times([tmp_path], Job())
    assert len(again) == len(rows)
    assert [one.finding.code for one in skipped] == ["AC-CASE-044", "AC-CASE-045"]


def test_saved_minutes_are_the_difference_of_the_means():
    rng = np.random.default_rng(1)
    manual, automatic = rng.uniform(300, 600, 30), rng.uniform(0, 200, 40)
    rows = [TimedStructure(f"m{k}", "Heart", "manual", s) for k, s in enumerate(manual)]
    rows += [TimedStructure(f"a{k}", "Heart", "corrected", s) for k, s in enumerate(automatic)]
    tables = summarize_times(rows)
    (heart,) = tables["structures"]
    assert heart["saved"]["mean"] == pytest.approx((manual.mean() - automatic.mean()) / 60)
    low, high = heart["saved"]["interval"]
    error = np.sqrt(manual.var(ddof=1) / 30 + automatic.var(ddof=1) / 40) / 60
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert tables["saved_per_case"]["n"] == 40
    assert tables["saved_per_case"]["mean"] == pytest.approx(heart["saved"]["mean"])
    assert heart["paired"]["n"] == 0


def test_cases_with_both_are_paired():
    rows = [
        TimedStructure(f"{k}", "Heart", kind, s)
        for k in range(9)
        for kind, s in (("manual", 300 + k), ("unedited", 60.0))
    ]
    (heart,) = summarize_times(rows)["structures"]
    assert heart["paired"]["mean"] == pytest.approx((304 - 60) / 60)
    assert heart["paired"]["interval"] is not None


def test_too_few_cases_give_no_interval_and_one_kind_no_saving():
    (heart,) = summarize_times([TimedStructure("1", "Heart", "manual", 60.0)])["structures"]
    assert heart["saved"] is None
    two = [TimedStructure("1", "Heart", "manual", 60.0), TimedStructure("2", "Heart", "corrected", 30.0)]
    assert summarize_times(two)["structures"][0]["saved"] == {"mean": 0.5, "interval": None}


def test_the_command_writes_page_csv_and_json(tmp_path, capsys):
    cases, out = tmp_path / "cases", tmp_path / "out"
    cases.mkdir()
    for number in range(9):
        make_case(cases, number, auto=60, manual=240 + number)
    (cases / "broken").mkdir()
    (cases / "broken" / "case.json").write_text("")
    assert main(["timestudy", str(cases), "-o", str(out)]) == 0
    assert "AC-CASE-045" in capsys.readouterr().out
    assert main(["timestudy", str(cases), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((out / "times.json").read_text())
    assert content["saved_per_case"]["mean"] == pytest.approx(184 / 60)
    assert (out / "times.csv").read_text().count("\n") == 19
    assert "at most 30 seconds" in (out / "times.html").read_text()
