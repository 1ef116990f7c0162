"""Resuming a course: nothing of two runs is mixed, nothing changed by hand is lost."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from autocontour.base.errors import Cancelled, CourseError, CTError, OutputError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.course import contour
from autocontour.course.choice import read_table
from autocontour.course.contour import Options, contour_course, read_date, read_planning_set, read_rigid
from autocontour.course.page import write_course_page
from autocontour.course.record import read_course
from autocontour.course.trend import read_limits, read_trend


@pytest.fixture
def course(contoured, tmp_path):
    return read_course(shutil.copytree(contoured.folder, tmp_path / "course"))


@pytest.fixture
def made(monkeypatch):
    """Names of the dates that are made; each is refused at once."""
    names = []

    def make(_course, ct, *_rest):
        names.append(ct.name)
        raise CTError("AC-CT-101")

    monkeypatch.setattr(contour, "_make", make)
    return names


def state(course):
    return [one.state for one in contour_course(course, Options(), Job())]


def test_a_done_date_is_kept_and_a_file_changed_by_hand_is_not_replaced(course, made):
    assert state(course) == ["kept"]
    path = course.folder_of(course.dates[0]) / "RS.dcm"
    path.write_bytes(path.read_bytes() + b"\0\0")
    (report,) = contour_course(course, Options(), Job())
    assert report.error.code == "AC-CO-050"
    assert path.exists()
    assert made == []
    contour_course(course, Options(again=True), Job())
    assert made == [course.dates[0].name]


@pytest.mark.parametrize("damage", ["key", "state", "file", "json"])
def test_results_of_another_run_or_incomplete_ones_are_made_anew(course, made, damage):
    folder = course.folder_of(course.dates[0])
    record = json.loads((folder / "result.json").read_text())
    if damage == "file":
        (folder / "RS_methods.dcm").unlink()
    elif damage == "json":
        (folder / "result.json").write_text("{")
    else:
        record[damage] = "other"
        (folder / "result.json").write_text(json.dumps(record))
    assert state(course) == ["refused"]
    assert made == [course.dates[0].name]


def test_other_voxels_under_the_same_uids_are_made_anew(course, made):
    path = Path(course.dates[0].files[0])
    before = path.read_bytes()
    try:
        dataset = dcmread(path)
        dataset.PixelData = dataset.PixelData[:-2] + b"\1\0"
        dataset.save_as(path)
        assert state(course) == ["refused"]
        assert made == [course.dates[0].name]
    finally:
        path.write_bytes(before)


def test_a_done_date_is_kept_when_its_ct_has_been_moved_away(course, made):
    folder = Path(course.dates[0].files[0]).parent
    away = folder.rename(folder.with_name("away"))
    try:
        assert state(course) == ["kept"]
    finally:
        away.rename(folder)


def test_another_table_or_accepted_code_is_another_run(course, made, tmp_path):
    table = tmp_path / "methods.toml"
    table.write_text('[[choices]]\nstructures = ["*"]\nmethods = ["general"]\n')
    contour_course(course, Options(table=table), Job())
    assert made == [course.dates[0].name]


def test_a_killed_run_leaves_the_results_before_it(course, made):
    folder = course.folder_of(course.dates[0])
    before = (folder / "RS.dcm").read_bytes()
    folder.rename(folder.with_name(f".{folder.name}.old"))
    half = folder.with_name(f".{folder.name}.part")
    half.mkdir()
    (half / "RS.dcm").write_bytes(b"half")
    assert state(course) == ["kept"]
    assert (folder / "RS.dcm").read_bytes() == before
    assert not half.exists()
    shutil.copytree(folder, folder.with_name(f".{folder.name}.old"))
    assert state(course) == ["kept"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_cancelling_changes_nothing(course, monkeypatch):
    def make(*_):
        raise Cancelled

    monkeypatch.setattr(contour, "_make", make)
    with pytest.raises(Cancelled):
        contour_course(course, Options(again=True), Job())
    assert (course.folder_of(course.dates[0]) / "RS.dcm").exists()


def test_a_folder_that_cannot_be_written(course, made, monkeypatch):
    monkeypatch.setattr(contour.shutil, "rmtree", lambda *_, **__: None)
    (course.folder_of(course.dates[0]).with_name(f".{course.dates[0].name}.part")).mkdir()
    with pytest.raises(OutputError):
        contour_course(course, Options(again=True), Job())


def test_refused_and_waiting_dates_are_shown_and_have_no_contours(course, made, capsys):
    contour_course(course, Options(again=True), Job())
    trend = read_trend(course)
    assert trend.dates[0].state == "refused"
    assert trend.dates[0].error[0] == "AC-CT-101"
    assert read_rigid(course, course.dates[0]) is None
    with pytest.raises(CourseError) as caught:
        read_date(course, course.dates[0], Job())
    assert caught.value.code == "AC-CO-051"
    assert main(["course", "contour", str(course.folder)]) == 3
    assert main(["course", "contour", str(course.folder), "--json"]) == 3
    assert main(["course", "show", str(course.folder)]) == 0
    assert "AC-CT-101" in capsys.readouterr().out
    shutil.rmtree(course.folder_of(course.dates[0]))
    assert read_trend(course).dates[0].state == "waiting"
    assert main(["course", "show", str(course.folder), "--no-page"]) == 0


def test_the_page_is_written_although_the_ct_has_been_moved_away(course):
    gone = replace(course.planning, files=("/nowhere/1.dcm",))
    later = replace(course.dates[0], files=("/nowhere/2.dcm",))
    moved = replace(course, planning=gone, dates=(later,))
    page = write_course_page(moved, read_trend(moved), Job())
    assert "Parotid_L" in page.read_text()


def test_a_structure_set_of_another_patient_is_refused(course, monkeypatch):
    class Read:
        findings = (type("F", (), {"code": "AC-RS-012", "message": "differ"}),)

    monkeypatch.setattr(contour, "read_structure_set", lambda *_: Read())
    with pytest.raises(CourseError) as caught:
        read_planning_set(course, None)
    assert caught.value.code == "AC-CO-008"


def test_tables_that_are_wrong_or_missing(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[[choices]]\nstructures = ["*"]\nmethods = ["guessed"]\n')
    for read in (read_table, read_limits):
        with pytest.raises(CourseError) as caught:
            read(bad)
        assert caught.value.code == "AC-CO-005"
        with pytest.raises(CourseError) as caught:
            read(tmp_path / "none.toml")
        assert caught.value.code == "AC-CO-006"
    assert read_table().order_for("GTVp") == ("propagated",)
    only = tmp_path / "only.toml"
    only.write_text('[[choices]]\nstructures = ["Heart"]\nmethods = ["general"]\n')
    assert read_table(only).order_for("Brainstem") == ()
    assert read_table(only).choose(["Brainstem"], ["general"], []) == ""
