"""Blind reviews from DICOM files to the report, with sources of leaks and mixed answers."""

import gzip
import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from shapely import MultiPolygon, affinity, box

from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.cli import main
from autocontour.contouring import contours_from_mask, mask_from_contours
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, Structure, hash_contours
from autocontour.qa.commissioning.blind.bias import MEASURES, read_review_ct, summarize_bias
from autocontour.qa.commissioning.blind.files import Review, dump_contours, load_contours, read_review
from autocontour.qa.commissioning.blind.form import area_dsc, compare_forms, describe_form, even_contours
from autocontour.qa.commissioning.blind.judged import (
    Judgement,
    balance,
    compare_reviewers,
    first_and_repeats,
    judge_origins,
    measure_repeats,
    summarize,
)
from autocontour.qa.commissioning.blind.plan import CORRECT, DRAW, JUDGE
from autocontour.qa.commissioning.blind.report import report_review, review_tables
from autocontour.qa.commissioning.blind.session import Session
from autocontour.rtstruct import write_structure_set
from tests.qa.commissioning.blind_cohort import SHIFTS, disc, geometry, organs, patterns, structure_set, write_patient


class Prepared:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.cts = [write_patient(root / "cohort" / f"patient{n}", n) for n in range(2)]
        self.code = main([
            "review", "prepare", str(root / "cohort"), "-o", str(root / "review"), *patterns(), "--draw", "0.5",
            "--repeat", "0.25",
        ])  # fmt: skip

    def copy(self, place: Path) -> Review:
        shutil.copytree(self.root / "review", place / "review")
        shutil.copytree(self.root / "review.private", place / "review.private")
        return read_review(place / "review")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return Prepared(tmp_path_factory.mktemp("blind"))


@pytest.fixture
def review(prepared, tmp_path):
    return prepared.copy(tmp_path)


def origins_of(review):
    return json.loads((review.private / "origins.json").read_text())


def answer_all(session, choose=lambda task: ("no", "human"), draw=lambda task: {6: disc(20, -10, 20)}):
    while (task := session.current) is not None:
        if task.kind == JUDGE:
            session.judge(task, *choose(task), hash_contours(session.review.shown(task.item)), 4.0)
        else:
            session.hand_in(task, draw(task), 60.0)


def test_prepared(prepared, capsys):
    review = read_review(prepared.root / "review")
    assert prepared.code == 0
    assert len(review.items) == 18
    kinds = [task.kind for task in review.tasks.values()]
    assert [kinds.count(kind) for kind in (JUDGE, DRAW, CORRECT)] == [18 + 5, 3, 0]
    assert sorted(origins_of(review)["items"].values()) == sorted([*SHIFTS] * 6)
    assert oct((review.private / "origins.json").stat().st_mode)[-3:] == "600"


def test_no_file_of_the_review_tells_an_origin_or_a_patient(prepared):
    review = read_review(prepared.root / "review")
    texts = [str(path.relative_to(review.folder)) for path in review.folder.rglob("*")]
    for path in review.folder.rglob("*.*"):
        data = path.read_bytes()
        texts.append(gzip.decompress(data).decode() if path.suffix == ".gz" else data.decode())
    for text in texts:
        assert not re.search(r"manual|auto(?!contour)|corrected|secret|/RS|cohort", text, re.IGNORECASE)


def test_names_order_and_times_of_the_files_do_not_follow_the_origin(prepared):
    review = read_review(prepared.root / "review")
    kinds = origins_of(review)["items"]
    by_name = [kinds[name] for name in sorted(kinds)]
    assert by_name != sorted(by_name)
    for kind in SHIFTS:
        numbers = [n for n, one in enumerate(by_name) if one == kind]
        assert 3 < np.mean(numbers) < 14
    times = [(review.folder / "items" / f"{name}.json.gz").stat().st_mtime_ns for name in sorted(kinds)]
    assert times == sorted(times)


def test_all_contours_of_a_structure_have_one_view(prepared):
    review = read_review(prepared.root / "review")
    for item in review.items.values():
        low, high = review.view_of(item.pair)
        for kind in SHIFTS:
            mine = organs(SHIFTS[kind])[item.structure]
            mask = mask_from_contours(mine, geometry())
            places = np.argwhere(mask)
            assert (places.min(axis=0) >= low).all()
            assert (places.max(axis=0) <= high).all()


def test_a_staircase_and_a_smooth_outline_look_alike_when_evened():
    grid = geometry()
    smooth = {k: disc(3, 4, 28) for k in range(3, 9)}
    stairs = contours_from_mask(mask_from_contours(smooth, grid), grid)
    forms = [describe_form(even_contours(mine, grid)[0]) for mine in (smooth, stairs)]
    for name in forms[0]:
        assert forms[0][name] == pytest.approx(forms[1][name], rel=0.02, abs=0.02)
    assert describe_form(stairs)["along_axes"] > 0.99 > 0.5 > describe_form(smooth)["along_axes"]
    assert area_dsc(even_contours(smooth, grid)[0], smooth) > 0.98


def test_evening_never_loses_a_small_piece_or_a_slice():
    grid = geometry()
    small = {4: disc(0, 0, 2.2), 5: MultiPolygon([*disc(0, 0, 20).geoms, *disc(60, 0, 3.0).geoms])}
    evened, kept = even_contours(small, grid)
    assert set(evened) == {4, 5}
    assert len(evened[5].geoms) == 2
    assert evened[4].area == pytest.approx(small[4].area, rel=0.16)
    assert set(kept) <= {4, 5}
    assert even_contours({}, grid) == ({}, ())


def test_the_form_of_outlines_is_compared():
    rough = [("Heart", describe_form({3: MultiPolygon([box(0, 0, 10 + n, 20)])})) for n in range(6)]
    round_ = [("Heart", describe_form({3: disc(0, 0, 10 + n), 5: disc(0, 0, 10)})) for n in range(6)]
    found = compare_forms(rough, round_)
    assert found["along_axes"] == found["empty_slices"] == 1
    assert found["pieces"] == 0.5
    assert compare_forms(rough[:3], round_) == {}
    assert compare_forms(rough, [("Liver", form) for _, form in round_]) == {}  # organs differ in form


def test_a_structure_of_one_origin_is_not_shown_because_its_name_would_state_it(tmp_path, capsys):
    ct = write_patient(tmp_path / "cohort" / "one", 1, ("manual",))
    drawn = {name: mine for name, mine in organs(4).items() if name != "Liver"}
    write_structure_set(structure_set("automatic", drawn, ct), ct, tmp_path / "cohort" / "one" / "automatic" / "RS.dcm")
    command = ["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"),
               *patterns("manual", "automatic"), "--json"]  # fmt: skip
    assert main(command) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["code"], one["structure"]) for one in found["left_out"]] == [("AC-QA-210", "Liver")]
    assert found["items"] == {"manual": 2, "automatic": 2, "corrected": 0}
    command[4] = str(tmp_path / "all")
    assert main([*command, "--unpaired"]) == 0
    assert json.loads(capsys.readouterr().out)["items"]["manual"] == 3


def test_outlines_that_state_their_origin_are_the_first_remark(tmp_path, capsys, monkeypatch):
    """The command prints the first twenty remarks: this one came after those of every structure."""
    place = tmp_path / "cohort" / "patient0"
    ct = write_patient(place, 0, ("manual", "automatic"))
    same = structure_set("corrected", organs(SHIFTS["automatic"]), ct)
    write_structure_set(same, ct, place / "corrected" / "RS.dcm")
    monkeypatch.setattr("autocontour.qa.commissioning.blind.prepare.compare_forms", lambda *_: {"along_axes": 0.97})
    assert main(["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"), *patterns()]) == 0
    remarks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Remark:")]
    assert "AC-QA-215" in remarks[0]
    assert "AC-QA-214" in remarks[1]


def judges_two_contours(review: Review, session: Session) -> bool:
    """Return whether the first two tasks are to judge contours that differ (an item can be shown again)."""
    first, second = session.order[:2]
    if first.kind != JUDGE or second.kind != JUDGE:
        return False
    return review.items[first.item].content != review.items[second.item].content


def test_structures_whose_sides_are_exchanged_in_one_set_are_not_shown(tmp_path, capsys):
    """Silent fault: the manual contour of the left side was judged as the right one."""
    ct = write_patient(tmp_path / "cohort" / "one", 1, ())
    for kind, (one, other) in {"manual": ("Kidney_L", "Kidney_R"), "automatic": ("Kidney_R", "Kidney_L")}.items():
        left, right = ({k: disc(u, 10, 14) for k in range(3, 11)} for u in (40, -40))
        drawn = {one: left, other: right, "Heart": organs(SHIFTS[kind])["Heart"]}
        write_structure_set(structure_set(kind, drawn, ct), ct, tmp_path / "cohort" / "one" / kind / "RS.dcm")
    command = ["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"),
               *patterns("manual", "automatic"), "--draw", "0", "--repeat", "0"]  # fmt: skip
    assert main(command) == 1
    assert "AC-QA-319" in capsys.readouterr().out
    items = json.loads((tmp_path / "review" / "review.json").read_text())["items"]
    assert {item["structure"] for item in items} == {"Heart"}


def test_answers_stay_with_their_contours_when_she_goes_back(review):
    session = Session(review, "kim")
    while not judges_two_contours(review, session):
        session.close()
        shutil.rmtree(review.folder / "answers")
        shutil.rmtree(review.private / "heads")
        session = Session(review, f"kim{random.random()}".replace(".", ""))
    first, second = session.order[:2]
    contents = [review.items[task.item].content for task in (first, second)]
    assert not session.can_go_back
    session.go_back()  # nothing before
    session.judge(first, "no", "human", contents[0], 1)
    session.go_back()
    assert session.current == first
    assert session.answer["correction"] == "no"
    assert not session.can_go_back  # one task only
    with pytest.raises(UsageError, match="AC-QA-236"):  # contours of another task on the screen
        session.judge(first, "minor", "human", contents[1], 1)
    with pytest.raises(UsageError, match="AC-QA-236"):
        session.judge(second, "minor", "human", contents[1], 1)
    session.judge(first, "major", "machine", contents[0], 1)
    assert session.current == second
    session.go_back()
    session.go_on()
    assert session.current == second
    with pytest.raises(ValueError, match="unknown"):
        session.judge(second, "perhaps", "human", contents[1], 1)
    with pytest.raises(UsageError, match="AC-QA-236"):
        session.hand_in(second, {}, 1)
    session.judge(second, "no", "human", contents[1], 1)
    name = session.reviewer
    session.close()
    entries = review.place_of(name).read().entries
    assert [entry["type"] for entry in entries] == ["begin", "answer", "back", "answer", "back", "answer"]
    again = Session(review, name)
    assert again.index == 2
    assert again.order == session.order
    again.close()


def test_a_structure_cannot_be_drawn_again_after_its_contour_was_shown(review):
    session = Session(review, "kim")
    index = next(n for n, task in enumerate(session.order) if task.kind == DRAW)
    session.order = [session.order[index], *(t for t in session.order if t.pair == session.order[index].pair
                                              and t.kind == JUDGE), *session.order]  # fmt: skip
    session._index = 0
    session._first_open = lambda: 1
    session.hand_in(session.order[0], {6: disc(0, 0, 9)}, 5)
    assert session.index == 1
    assert not session.can_go_back
    session.close()


def test_whole_review_and_report(review, tmp_path, capsys):
    kinds = origins_of(review)["items"]

    def by_truth(task):  # a reviewer who always sees the origin, and finds manual contours good
        is_manual = kinds[task.item] == "manual"
        return ("no" if is_manual else "major"), ("human" if is_manual else "machine")

    drawn = {}

    def draw(task):
        drawn[task.pair] = organs(1.0)[task.structure]
        return drawn[task.pair]

    session = Session(review, "kim")
    answer_all(session, by_truth, draw)
    assert session.can_go_back
    session.finish()
    session.close()
    with pytest.raises(UsageError, match="AC-QA-235"):
        Session(review, "KIM")
    other = Session(review, "lee")
    answer_all(other, lambda task: ("no", "human"), lambda task: {})
    other.close()
    assert main(["review", "verify", str(review.folder)]) == 0
    assert "kim: sound; " in capsys.readouterr().out
    output = tmp_path / "report"
    assert main(["review", "report", str(review.folder), "-o", str(output)]) == 0
    assert main(["review", "report", str(review.folder), "-o", str(output), "--json"]) == 0
    content = json.loads((output / "blind-review.json").read_text())
    assert [one["finished"] for one in content["reviewers"]] == [True, False]
    kim = {one["source"]: one for one in content["proportions"]
           if one["structure"] == "all" and one["reviewer"] == "kim"}  # fmt: skip
    assert kim["manual"]["n"] == 6  # what was shown twice counts once
    assert kim["manual"]["no"]["share"] == kim["automatic"]["major"]["share"] == 1
    assert kim["corrected"]["taken_for_human"]["share"] == 0
    everyone = next(one for one in content["origins"] if (one["reviewer"], one["structure"]) == ("kim", "all"))
    assert everyone["accuracy"]["count"] == everyone["accuracy"]["n"] == 12
    assert everyone["p_against_chance"] == pytest.approx(2 / 2**12)
    assert everyone["better_than_chance"]
    lee = next(one for one in content["origins"] if (one["reviewer"], one["structure"]) == ("lee", "all"))
    assert lee["balanced_accuracy"] == 0.5  # always the same answer is chance
    assert {one["items"] for one in content["repeatability"]} == {5}
    assert content["agreement"][0]["items"] == 18
    rows = content["drawn"]
    assert {(row["patient"], row["structure"]) for row in rows} == set(drawn)
    for row in rows:
        assert row["approved_by"] == "the clinic"
        assert row["difference"]["dsc"] == row["approved"]["dsc"] - row["drawn"]["dsc"] > 0
        assert row["difference"]["added_path_length_mm"] <= 0
        assert row["drawn_against_manual_dsc"] > row["drawn"]["dsc"]
    bias = content["automation_bias"][-1]
    assert bias["structure"] == "all" or len(rows) == 1 or len({row["structure"] for row in rows}) == 1
    page = (output / "blind-review.html").read_text()
    for text in ("Automation bias", "balanced accuracy", "Repeatability", "kim"):
        assert text in page
    for path in (*output.rglob("*"), *(review.folder / "answers").rglob("*.jsonl")):
        assert not re.search("secret|ID-", path.read_text(), re.IGNORECASE)
    (output / "other.txt").write_text("x")
    assert main(["review", "report", str(review.folder), "-o", str(output)]) == 2


def test_verification_finds_every_change(review, capsys):
    session = Session(review, "kim")
    answer_all(session)
    session.close()
    path = review.folder / "answers" / "kim.jsonl"
    sound = path.read_bytes()
    drawn = sorted((review.folder / "drawn" / "kim").glob("*"))[0]
    item = sorted((review.folder / "items").glob("*"))[0]
    for file in (path, drawn, item):
        whole = file.read_bytes()
        file.write_bytes(whole[:-3] if file is path else b"x")
        assert main(["review", "verify", str(review.folder), "--json"]) == 1
        assert not json.loads(capsys.readouterr().out)["sound"]
        assert main(["review", "verify", str(review.folder)]) == 1
        assert main(["review", "report", str(review.folder), "-o", str(review.folder.parent / "r")]) == 2
        file.write_bytes(whole)
        capsys.readouterr()
    path.write_bytes(sound + b'{"at":')
    assert main(["review", "verify", str(review.folder)]) == 0
    assert "AC-QA-225" in capsys.readouterr().out


def exchange(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def swap_two_origins(content):
    names = {kind: name for name, kind in content["items"].items()}
    first, second = names["manual"], names["automatic"]
    content["items"][first], content["items"][second] = "automatic", "manual"


@pytest.mark.parametrize("version", ["new", "old"])
def test_origins_of_another_review_or_changed_ones_are_not_reported(review, tmp_path, capsys, version):
    """Items of all reviews have the same names: every answer would have counted for another origin without a word."""
    session = Session(review, "kim")
    answer_all(session)
    session.close()
    report = ["review", "report", str(review.folder), "-o", str(tmp_path / "r")]
    assert main(report) == 0
    if version == "new":
        exchange(review.private / "origins.json", swap_two_origins)
    else:  # another key, as of another review
        (review.private / "key").write_text("0" * 64)
    assert main(["review", "verify", str(review.folder)]) == 1
    assert main(report) == 2
    found = capsys.readouterr()
    assert "AC-QA-228" in found.out
    assert "AC-QA-238" in found.err


def test_automatic_contours_that_were_exchanged_are_not_compared(review, tmp_path, capsys):
    """The automation bias was computed with whatever lay in the private folder."""
    session = Session(review, "kim")
    answer_all(session)
    session.close()
    folder = review.private / "contours"
    for name, kind in origins_of(review)["items"].items():
        if kind == "automatic":
            (folder / f"{name}.json.gz").write_bytes(dump_contours({6: disc(0, 0, 9)}))
    assert main(["review", "report", str(review.folder), "-o", str(tmp_path / "r")]) == 2
    assert "AC-QA-226" in capsys.readouterr().err


def test_answers_of_another_reviewer_or_review_do_not_pass(review, prepared, tmp_path):
    for name in ("kim", "lee"):
        session = Session(review, name)
        answer_all(session)
        session.close()
    places = [review.place_of(name) for name in ("kim", "lee")]
    first, second = (place.file.read_bytes() for place in places)
    places[0].file.write_bytes(second)
    places[1].file.write_bytes(first)
    for place in places:
        assert place.read().problems
    places[0].file.write_bytes(first)
    plan = json.loads((review.folder / "review.json").read_text())
    first_item = plan["items"][0]  # others may show the same contours again
    first_item["content"] = next(one["content"] for one in plan["items"] if one["content"] != first_item["content"])
    (review.folder / "review.json").write_text(json.dumps(plan))
    changed = read_review(review.folder)
    assert changed.place_of("kim").read().problems
    with pytest.raises(UsageError, match="AC-QA-226"):
        changed.shown(plan["items"][0]["name"])


def test_lines_that_fit_no_task_are_found(review):
    from autocontour.qa.commissioning.blind.session import check_entries

    begin = {"type": "begin", "reviewer": "kim", "order": sorted(review.tasks), "review": review.plan_hash}
    judged = next(task for task in review.tasks.values() if task.kind == JUDGE)
    drawn = next(task for task in review.tasks.values() if task.kind == DRAW)
    good = {"type": "answer", "task": judged.name, "kind": JUDGE, "item": judged.item, "patient": judged.patient,
            "structure": judged.structure, "correction": "no", "origin": "human",
            "shown": review.items[judged.item].content}  # fmt: skip
    assert check_entries([begin, good], review, "KIM") == []
    bad = [
        good | {"task": "t9999"}, good | {"item": drawn.item}, good | {"patient": "p"}, good | {"correction": "x"},
        good | {"shown": "0" * 64}, {"type": "other"}, begin,
        good | {"task": drawn.name, "kind": DRAW, "item": "", "patient": drawn.patient, "structure": drawn.structure,
                "drawn": "../../x"},
    ]  # fmt: skip
    for entry in bad:
        assert [one.code for one in check_entries([begin, entry], review, "kim")] == ["AC-QA-224"]
    for first in (begin | {"reviewer": "lee"}, begin | {"order": []}, begin | {"review": "x"}, good):
        assert check_entries([first], review, "kim")
    assert check_entries([{"type": "unfinished"}, begin, good], review, "kim") == []


def test_a_reviewer_corrects_where_the_clinic_has_no_approved_contour(tmp_path, capsys):
    write_patient(tmp_path / "cohort" / "one", 5, ("manual", "automatic"))
    command = ["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"), *patterns("automatic"),
               "--draw", "1", "--repeat", "0", "--structures", "Heart", "liver", "--json", "--as-drawn"]  # fmt: skip
    assert main(command) == 1  # the manual set has no origin
    found = json.loads(capsys.readouterr().out)
    assert found["tasks"] == {"judge": 2, "draw": 2, "correct": 2}
    assert [one["code"] for one in found["left_out"]] == ["AC-QA-216"]
    assert found["form"] == {}
    review = read_review(tmp_path / "review")
    assert review.content["outlines"] == "as drawn"
    corrected = review.read_private("corrected.json")
    assert all(task.item == "" for task in review.tasks.values() if task.kind == CORRECT)
    assert set(corrected) == {task.name for task in review.tasks.values() if task.kind == CORRECT}
    session = Session(review, "kim")
    answer_all(session, draw=lambda task: organs(0.0 if task.kind == DRAW else 4.0)[task.structure])
    session.close()
    assert main(["review", "report", str(tmp_path / "review"), "-o", str(tmp_path / "report"), "--json"]) == 0
    content = json.loads((tmp_path / "report" / "blind-review.json").read_text())
    for row in content["drawn"]:
        assert row["approved_by"] == "the reviewer"
        assert row["approved"]["dsc"] == 1
        assert row["approved"]["added_path_length_mm"] == 0
        assert row["manual"] is None
    assert content["automation_bias"][-1]["dsc"]["by"] == "too few patients"
    assert content["agreement"] == []


def test_a_scan_that_moved_is_stated(review, capsys):
    session = Session(review, "kim")
    answer_all(session)
    session.close()
    scans = review.private / "scans.json"
    content = json.loads(scans.read_text())
    for scan in content.values():
        scan["folder"] = str(review.folder / "nowhere")
    scans.write_text(json.dumps(content))
    assert main(["review", "report", str(review.folder), "-o", str(review.folder.parent / "r"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["code"] for one in found["not_compared"]} == {"AC-QA-237"}
    assert found["drawn"] == []
    for changed in ({}, {next(iter(content)): "x"}):
        scans.write_text(json.dumps(changed))
        with pytest.raises(UsageError, match="AC-QA-237"):
            read_review_ct(review, next(iter(content)), Job())
    scans.unlink()
    with pytest.raises(UsageError, match="AC-QA-233"):
        review.read_private("scans.json")


def test_a_scan_with_other_values_is_refused(review):
    patient = next(iter(review.content["scans"]))
    review.content["scans"][patient] = "0" * 64
    with pytest.raises(UsageError, match="AC-QA-237"):
        read_review_ct(review, patient, Job())


def test_what_cannot_be_used_is_listed(tmp_path, capsys):
    cohort = tmp_path / "cohort"
    ct = write_patient(cohort / "one", 1, ())
    write_patient(cohort / "copy", 1, ("corrected",), "copy")
    write_patient(cohort / "none", 2, ())
    write_patient(cohort / "two", 3, ("automatic",))
    two = cohort / "two" / "automatic" / "RS.dcm"
    dataset = dcmread(two)
    dataset.PatientID = "another"
    dataset.save_as(two)
    manual = organs()
    del manual["Liver"]
    write_structure_set(structure_set("automatic", manual, ct), ct, cohort / "one" / "manual" / "RS.dcm")
    twice = {**organs(4), "Kidney_Left": organs(9)["Kidney_L"], "Heart": manual["Heart"]}
    write_structure_set(structure_set("automatic", twice, ct), ct, cohort / "one" / "automatic" / "RS.dcm")
    for number in (1, 2):
        drawn = structure_set("corrected", organs(number), ct)
        write_structure_set(drawn, ct, cohort / "one" / "corrected" / f"RS{number}.dcm")
    write_structure_set(structure_set("manual", organs(1), ct), ct, cohort / "one" / "other" / "RS.dcm")
    write_structure_set(structure_set("manual", organs(3), ct), ct, cohort / "one" / "automatic" / "manual" / "RS.dcm")
    write_patient(cohort / "damaged", 4, ("manual",))
    slices = sorted((cohort / "damaged" / "CT").glob("*"))
    slices[5].unlink()
    command = ["review", "prepare", str(cohort), "-o", str(tmp_path / "review"), "--manual", "*/manual/RS.dcm",
               "--automatic", "*/automatic/*", "--corrected", "*/corrected/*", "--unpaired"]  # fmt: skip
    assert main([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    codes = {one["code"] for one in found["left_out"]}
    assert codes >= {"AC-QA-212", "AC-QA-216", "AC-QA-217", "AC-QA-218", "AC-DS-030", "AC-QA-064", "AC-DS-050"}
    assert [one["code"] for one in found["remarks"] if one["code"] != "AC-QA-213"] == ["AC-QA-211"]
    assert found["items"] == {"manual": 1, "automatic": 1, "corrected": 0}  # Kidney_L by hand, Liver
    shutil.rmtree(tmp_path / "review")
    shutil.rmtree(tmp_path / "review.private")
    assert main(command) == 1
    assert "Not used: AC-QA-217" in capsys.readouterr().out


def test_a_set_of_another_patient_is_not_shown(prepared, tmp_path, capsys):
    shutil.copytree(prepared.root / "cohort" / "patient0", tmp_path / "cohort" / "one")
    drawn = structure_set("automatic", organs(4), prepared.cts[1])
    other = write_patient(tmp_path / "other", 7, ())
    path = tmp_path / "cohort" / "one" / "automatic" / "RS.dcm"
    path.unlink()
    write_structure_set(drawn, prepared.cts[1], path)
    dataset = dcmread(path)
    frame = prepared.cts[0].reference.frame_of_reference_uid
    dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = frame
    dataset.save_as(path)
    assert other.reference.frame_of_reference_uid != frame
    main(["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"), *patterns(), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["items"]["automatic"] == 0
    assert found["left_out"]


def test_requests_that_are_refused(prepared, tmp_path, capsys):
    cohort, review = str(prepared.root / "cohort"), str(tmp_path / "review")
    assert main(["review", "prepare", cohort, "-o", review]) == 2
    assert main(["review", "prepare", cohort, "-o", review, "--manual", "*nothing*"]) == 2
    assert "AC-QA-202" in capsys.readouterr().err
    assert main(["review", "prepare", cohort, "-o", cohort + "/x", *patterns()]) == 2
    assert main(["review", "prepare", cohort, "-o", str(prepared.root / "review"), *patterns()]) == 2
    assert "AC-QA-200" in capsys.readouterr().err
    assert main(["review", "prepare", cohort, "-o", review, *patterns(), "--draw", "2"]) == 2
    assert main(["review", "verify", cohort]) == 2
    assert main(["review", "verify", str(prepared.root / "review")]) == 0
    assert main(["review", "report", str(prepared.root / "review"), "-o", str(tmp_path / "report")]) == 2
    assert "AC-QA-239" in capsys.readouterr().err
    for content in ("[]", "{}", '{"format": "x", "version": 1, "seed": 1, "items": [], "tasks": [{"a": 1}]}'):
        Path(tmp_path, "review.json").write_text(content)
        with pytest.raises(UsageError, match="AC-QA-234"):
            read_review(tmp_path)


def test_damaged_contours_are_refused(tmp_path):
    for content in (b"", gzip.compress(b"[]"), gzip.compress(b'{"1": "00"}'),
                    gzip.compress(json.dumps({"1": box(0, 0, 1, 1).wkb.hex()}).encode())):  # fmt: skip
        Path(tmp_path, "x.json.gz").write_bytes(content)
        with pytest.raises(UsageError, match="AC-QA-226"):
            load_contours(tmp_path / "x.json.gz")


def test_cases_of_the_program_give_automatic_and_approved_contours(prepared, tmp_path, capsys):
    from autocontour.dicom.ct import read_ct
    from autocontour.dicom.scan import planning_cts, scan_folder

    place = prepared.root / "cohort" / "patient0" / "CT"
    (series,) = planning_cts(scan_folder(place, Job()))
    ct = read_ct(series, Job())
    drawn = organs(4)
    with actions.open_case(ct, tmp_path / "cases", place) as case:
        for number, name in enumerate(("Heart", "Liver", "Kidney_L"), 1):
            is_manual = name == "Kidney_L"
            generation = GenerationAlgorithm.MANUAL if is_manual else GenerationAlgorithm.AUTOMATIC
            case.apply(actions.add(case.state, Structure(name, number, drawn[name], generation=generation)))
        case.apply(actions.redraw(1, {5: affinity.scale(drawn["Heart"][5], 0.9, 0.9)}))
        case.apply(actions.approve_several(case.state, [1, 2, 3], "A. Reviewer"))
    assert main(["review", "prepare", str(place), "-o", str(tmp_path / "review"), "--cases", str(tmp_path / "cases"),
                 "--draw", "1", "--repeat", "0", "--json"]) == 1  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in found["left_out"]] == ["AC-QA-210"]  # drawn by hand from the beginning
    assert found["items"] == {"manual": 0, "automatic": 2, "corrected": 1}
    assert [one["code"] for one in found["remarks"] if one["code"] != "AC-QA-213"] == ["AC-QA-214"]
    review = read_review(tmp_path / "review")
    approved = origins_of(review)["approved"]
    assert [one["structure"] for one in approved] == ["Heart", "Liver"]
    assert found["tasks"]["correct"] == 0


def test_the_report_separates_methods_that_the_reviewer_does_not_see(tmp_path):
    """The automatic contours of one patient are of one package, those of the other of its successor."""
    for number, version in enumerate(("1", "2")):
        place = tmp_path / "cohort" / f"patient{number}"
        ct = write_patient(place, number, ("manual",))
        drawn = structure_set("automatic", organs(4), ct)
        own = [replace(one, provenance=Provenance("netlike", version, version * 64)) for one in drawn.structures]
        write_structure_set(replace(drawn, structures=tuple(own)), ct, place / "automatic" / "RS.dcm")
    assert main(["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"),
                 *patterns("manual", "automatic"), "--draw", "0", "--repeat", "0"]) == 0  # fmt: skip
    review = read_review(tmp_path / "review")
    stated = origins_of(review)["methods"]
    assert sorted(set(stated.values())) == [f"netlike {v} {v * 12}" for v in "12"]
    for path in review.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"netlike" not in (gzip.decompress(content) if path.suffix == ".gz" else content)
    session = Session(review, "kim")
    answer_all(session, lambda task: ("no" if stated.get(task.item, "").startswith("netlike 1") else "major", "human"))
    session.close()
    content = report_review(review, tmp_path / "report", Job())
    rows = {one["method"]: one for one in content["methods"] if one["structure"] == "all"}
    assert [(one["n"], one["no"]["share"], one["source"]) for _, one in sorted(rows.items())] == [
        (3, 1.0, "automatic"), (3, 0.0, "automatic")
    ]  # fmt: skip
    page = (tmp_path / "report" / "blind-review.html").read_text()
    assert "netlike 2 222222222222" in page
    assert "method" in (tmp_path / "report" / "answers.csv").read_text().splitlines()[0]
    del content["methods"]  # a report of an older version
    assert "By the method" not in " ".join(table.title for table in review_tables(content))


def test_structure_sets_come_before_cases(prepared, tmp_path, capsys):
    place = prepared.root / "cohort" / "patient0"
    with actions.open_case(prepared.cts[0], tmp_path / "cases", place / "CT") as case:
        drawn = Structure("Heart", 1, organs(6)["Heart"], generation=GenerationAlgorithm.MANUAL)
        case.apply(actions.add(case.state, drawn))
        case.apply(actions.approve(case.state, 1, "A. Reviewer"))
    shutil.copytree(place, tmp_path / "cohort" / "one")
    assert main(["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"), *patterns(), "--cases",
                 str(tmp_path / "cases"), "--json"]) == 1  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in found["left_out"]] == ["AC-QA-219"]
    assert found["items"] == {"manual": 3, "automatic": 3, "corrected": 3}


def test_a_case_that_cannot_be_read_is_listed(prepared, tmp_path, capsys):
    shutil.copytree(prepared.root / "cohort" / "patient0", tmp_path / "cohort" / "one")
    (tmp_path / "cases" / "x").mkdir(parents=True)
    (tmp_path / "cases" / "x" / "case.json").write_text("{}")
    assert main(["review", "prepare", str(tmp_path / "cohort"), "-o", str(tmp_path / "review"), *patterns(), "--cases",
                 str(tmp_path / "cases"), "--json"]) == 1  # fmt: skip
    assert json.loads(capsys.readouterr().out)["left_out"]


def judged(reviewer, item, kind, correction="no", origin="human", order=0, patient=None):
    return Judgement(reviewer, patient or item, "Heart", item, kind, "", correction, origin, 3.0, order)


def test_proportions_are_over_patients_where_several_reviewers_are_pooled():
    ones = [judged(name, f"i{n}", "manual", "no" if n < 6 else "major", patient=f"p{n}")
            for name in ("kim", "lee") for n in range(10)]  # fmt: skip
    rows = summarize(ones)
    pooled = next(one for one in rows if one["reviewer"] == "all" and one["structure"] == "Heart")
    assert pooled["no"]["share"] == 0.6
    assert pooled["no"]["interval_by"] == "bootstrap over patients"
    # Both reviewers agree always: the interval must be that of 10 patients, not of 20 answers.
    width = pooled["no"]["interval"]["high"] - pooled["no"]["interval"]["low"]
    own = next(one for one in rows if one["reviewer"] == "kim" and one["structure"] == "Heart")["no"]["interval"]
    assert width == pytest.approx(own["high"] - own["low"], abs=0.12)
    few = summarize([one for one in ones if one.patient < "p4"])
    assert next(one for one in few if one["reviewer"] == "all")["no"]["interval"] is None


def test_repeats_count_once_and_measure_the_reviewer():
    ones = [judged("kim", f"i{n}", "manual", "no", order=n) for n in range(4)]
    ones += [judged("kim", "i0", "manual", "major", order=9), judged("kim", "i1", "manual", "no", order=8)]
    first, pairs = first_and_repeats(ones)
    assert len(first) == 4
    assert all(one.correction == "no" for one in first)
    row = measure_repeats(pairs)[0]
    assert (row["items"], row["same"]) == (2, 1)


def test_agreement_of_reviewers_is_that_of_common_items():
    ones = [judged("kim", f"i{n}", "manual", "no" if n % 2 else "major") for n in range(6)]
    ones += [judged("lee", one.item, "manual", one.correction) for one in ones[:4]]
    ones += [judged("ann", one.item, "manual", one.correction) for one in ones[:4]]
    rows = compare_reviewers(ones)
    assert [len(one["reviewers"]) for one in rows] == [2] * 6 + [3] * 2
    assert {one["items"] for one in rows} == {4}
    assert rows[0]["kappa"] == 1
    assert rows[1]["kappa"] is None  # all answers are the same: no kappa


def test_balanced_accuracy_of_one_origin_has_no_value():
    assert balance((3, 3), (0, 0)) == (None, None)
    row = judge_origins([judged("kim", "i1", "manual")])[0]
    assert row["balanced_accuracy"] is None
    assert row["better_than_chance"] is None
    assert judge_origins([judged("kim", "i1", "corrected")]) == []


@pytest.mark.parametrize(
    ("patients", "by"), [(2, "too few patients"), (4, "t distribution"), (9, "bootstrap over patients")]
)
def test_bias_is_over_patients(patients, by):
    rows = [
        {"reviewer": "kim", "patient": f"p{n}", "structure": name, "approved": dict.fromkeys(MEASURES, 0.9),
         "drawn": dict.fromkeys(MEASURES, 0.8 - 0.01 * n), "difference": dict.fromkeys(MEASURES, 0.1 + 0.01 * n)}
        for n in range(patients) for name in ("Heart", "Liver")
    ]  # fmt: skip
    row = summarize_bias(rows)[-1]
    assert (row["structure"], row["n"], row["patients"]) == ("all", 2 * patients, patients)
    assert row["dsc"]["by"] == by
    assert row["dsc"]["mean"] == pytest.approx(0.1 + 0.01 * (patients - 1) / 2)
    if by == "t distribution":
        from scipy.stats import t

        half = t.ppf(0.975, 3) * np.std(0.01 * np.arange(4), ddof=1) / 2
        assert row["dsc"]["interval"]["high"] - row["dsc"]["mean"] == pytest.approx(half)
    assert row["dsc"]["approved"] - row["dsc"]["drawn"] == pytest.approx(row["dsc"]["mean"])
    more = [*rows, *(dict(rows[0], structure=name) for name in ("Lung_L", "Lung_R"))]  # one patient has more structures
    row = summarize_bias(more)[-1]
    assert row["dsc"]["approved"] - row["dsc"]["drawn"] == pytest.approx(row["dsc"]["mean"])
    unknown = [{**row, "difference": dict.fromkeys(MEASURES, float("nan"))} for row in rows]
    assert summarize_bias(unknown)[-1]["dsc"]["mean"] is None
