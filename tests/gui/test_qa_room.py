"""The QA room: results by mouse and keys, and a patient of them in the views with both contours."""

import ast
import json
import math
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from autocontour.base.errors import UsageError
from autocontour.gui.app.qa_room import read_folder
from autocontour.gui.look.language import use_language
from autocontour.gui.qa_room.axis import Axis
from autocontour.gui.qa_room.page import TablesPage
from autocontour.gui.qa_room.table_words import HEADS, TITLES
from autocontour.qa.commissioning.blind import report as blind_report
from autocontour.qa.commissioning.routine import page as routine_page
from autocontour.qa.commissioning.routine.page import TIME_HEADS
from autocontour.qa.commissioning.routine.times import TimedStructure, summarize_times
from autocontour.qa.commissioning.study import report as study_report
from autocontour.qa.commissioning.study.results import read_results
from autocontour.report.page import Row, Table
from tests.gui.conftest import small_ct
from tests.qa.commissioning.test_dossier import PARTS
from tests.qa.commissioning.test_study_results import write_study

Key = Qt.Key


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def room(window, qtbot, report):
    window.qa_room.open_folder(report)
    qtbot.waitUntil(lambda: window.qa_room.page is not None and window.qa_room.page.isVisible(), timeout=10000)
    qtbot.waitUntil(lambda: window.qa_room.page.chart.width() > 300)
    return window


def press(widget, *keys):
    for key in keys:
        QTest.keyClick(widget, key)


def is_shown(window, result):
    state = window.workspace.state
    return window.is_working and [one.name for one in state.structures] == [
        f"{result.structure} reference", f"{result.structure} {result.method}"
    ]  # fmt: skip


def test_a_click_on_an_outlier_opens_the_patient_at_its_worst_slice(room, qtbot, report):
    page = room.qa_room.page
    chart = page.chart
    row = next(n for n, box in enumerate(page.boxes) if box.structure == "Stomach")
    result = page.boxes[row].results[0]
    assert result.patient in page.boxes[row].outliers
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
                     chart.point_of(row, result).toPoint())  # fmt: skip
    qtbot.waitUntil(lambda: is_shown(room, result), timeout=10000)
    space = room.workspace
    assert space.slice_index == result.worst_slice
    reference, drawn = read_results(report).contours(result)
    shown = [one.contours for one in space.state.structures]
    assert [set(one) for one in shown] == [set(reference), set(drawn)]
    assert all(shown[0][k].equals(reference[k]) for k in reference)
    assert all(item.locked for item in space.state.items)
    assert space.case.folder.is_relative_to(report.with_name("report.private"))
    assert not list((room.intake.case_root).glob("*"))  # none of the user's own cases
    folder = space.case.folder
    QTest.keyClick(room.views.axial, Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert page.isVisible()
    assert page.chart.result == result
    press(chart, Key.Key_Return)
    qtbot.waitUntil(lambda: room.is_working)
    assert space.case.folder == folder  # the same case again, not a second one


def test_everything_by_keys(room, qtbot):
    page = room.qa_room.page
    chart = page.chart
    assert chart.hasFocus()
    first = chart.result
    press(chart, Key.Key_Down)
    assert chart.row == 1
    assert chart.result == page.boxes[1].results[0]
    press(chart, Key.Key_Right, Key.Key_Right, Key.Key_Left)
    assert chart.result == page.boxes[1].results[1]
    assert page.cases.currentRow() == 1
    press(page.cases, Key.Key_Down)
    assert chart.result == page.boxes[1].results[2]
    press(chart, Key.Key_Up)
    assert chart.result == first
    profile = page.profile
    assert profile.slice_index == first.worst_slice
    press(profile, Key.Key_Right, Key.Key_Right)
    wanted = profile.slice_index
    press(profile, Key.Key_Return)
    qtbot.waitUntil(lambda: is_shown(room, first), timeout=10000)
    assert room.workspace.slice_index == wanted
    QTest.keyClick(room.views.axial, Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    press(page.cases, Key.Key_Return)
    qtbot.waitUntil(lambda: room.is_working, timeout=10000)
    QTest.keyClick(room.views.axial, Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    press(chart, Key.Key_Escape)
    assert room.is_working


def test_a_structure_that_was_not_drawn_shows_its_reference(room, qtbot):
    page = room.qa_room.page
    page.structure_box.setCurrentIndex(page.structure_box.findData("Pancreas"))
    assert [box.structure for box in page.boxes] == ["Pancreas"]
    page.metric_box.setCurrentIndex(page.metric_box.findData("hd95_mm"))
    worst = page.chart.result
    assert worst.is_missing
    assert "∞" in page.chart.describe(worst)
    assert math.isfinite(page.chart.point_of(0, worst).x())
    assert page.cases.item(0, 0).text().startswith(worst.patient)
    press(page.chart, Key.Key_Return)
    qtbot.waitUntil(lambda: is_shown(room, worst), timeout=10000)
    assert room.workspace.selected == 1
    assert room.workspace.slice_index == worst.worst_slice


def test_the_chosen_patient_stays_with_another_metric(room):
    page = room.qa_room.page
    press(page.chart, Key.Key_Down, Key.Key_Right)
    before = page.chart.result
    page.metric_box.setCurrentIndex(page.metric_box.findData("added_path_length_mm"))
    assert (page.chart.result.patient, page.chart.result.structure) == (before.patient, before.structure)
    values = [one.values["added_path_length_mm"] for one in page.boxes[1].results]
    assert values == sorted(values, reverse=True)


def test_tables_of_the_report(room):
    page = room.qa_room.page
    page.tabs.setCurrentWidget(page.tables)
    tables = page.results.tables
    assert page.tables.list.count() == len(tables)
    page.tables.list.setCurrentRow(1)
    table = page.tables.table
    assert table.columnCount() == len(tables[1].heads)
    assert table.item(0, 0).text() == tables[1].rows[0].cells[0]


def test_a_ct_that_is_gone_is_refused_and_the_room_stays(room, qtbot, report, monkeypatch):
    page = room.qa_room.page
    monkeypatch.setitem(page.results.records[page.chart.result.patient], "ct_hash", "another")
    press(page.chart, Key.Key_Return)
    qtbot.waitUntil(lambda: "another" not in room.toast.text() and "CT" in room.toast.text(), timeout=10000)
    assert page.isVisible()
    assert room.workspace.ct is None


def test_the_own_case_of_the_same_ct_stays_as_it_is(window, qtbot, report):
    window.show_ct(small_ct())
    own = window.workspace.case.folder
    window.qa_room.open_folder(report)
    qtbot.waitUntil(lambda: window.qa_room.page is not None and window.qa_room.page.isVisible(), timeout=10000)
    window.qa_room.leave()
    assert window.is_working
    assert window.workspace.case.folder == own


def test_the_key_asks_for_a_folder_and_a_wrong_one_is_refused(window, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    QTest.keyClick(window, Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "report" in window.toast.text(), timeout=10000)
    assert window.qa_room.page is None


def month(number, mean, z=0.0):
    figures = {"mean": mean, "z": z, "standard_error": 0.01, "n": 8}
    return {"month": f"2026-{number:02d}", "n": 8, "dsc": figures,
            "added_path_length_mm": {**figures, "mean": 100 * mean, "standard_error": 4.0}}  # fmt: skip


def test_routine_qa_shows_alarms_first(window, qtbot, tmp_path):
    baseline = {"n": 100, "wanted": 100, "dsc": {"mean": 0.9}, "added_path_length_mm": {"mean": 90.0}}
    stable = {"structure": "Heart", "status": "stable", "baseline": baseline, "months": [month(1, 0.9), month(2, 0.91)],
              "alarms": [], "changes": [], "signals": []}  # fmt: skip
    alarm = {**stable, "structure": "Parotid_L", "status": "alarm", "months": [month(1, 0.9), month(2, 0.7, -9)],
             "alarms": [{"month": "2026-02", "metric": "dsc"}], "changes": [{"month": "2026-02"}]}  # fmt: skip
    empty = {**stable, "structure": "Liver", "status": "collecting", "months": []}
    content = {"format": "autocontour routine QA", "observations": 200, "last": "2026-02-20",
               "structures": [stable, empty, alarm]}  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps(content))
    window.qa_room.open_folder(tmp_path)
    qtbot.waitUntil(lambda: window.qa_room.page is not None and window.qa_room.page.isVisible(), timeout=10000)
    routine = window.qa_room.page.routine
    assert routine.list.item(0).text().startswith("Parotid_L")
    assert "alarms 1" in routine.words.text()
    for row in range(3):
        routine.list.setCurrentRow(row)
        for chart in routine.charts:
            assert not chart.grab().isNull()


def open_content(window, qtbot, folder, name, content):
    (folder / name).write_text(json.dumps(content))
    window.qa_room.open_folder(folder)
    qtbot.waitUntil(lambda: window.qa_room.page is not None and window.qa_room.page.isVisible(), timeout=10000)
    return window.qa_room.page


def test_a_time_study_and_a_blind_review_are_shown_as_tables(window, qtbot, tmp_path):
    rows = [TimedStructure(f"case{number}", "Heart", kind, seconds) for number in range(9)
            for kind, seconds in (("manual", 300.0), ("corrected", 60.0))]  # fmt: skip
    times = {"format": "autocontour time study", **summarize_times(rows), "skipped": []}
    page = open_content(window, qtbot, tmp_path, "times.json", times)
    assert page.tabs.tabText(0) == "Time study"
    assert "18 approved structures" in page.about.text()
    assert page.tables.table.item(0, 1).text() == "5.0 ± 0.0"
    assert page.tables.list.hasFocus()
    (tmp_path / "times.json").unlink()
    page = open_content(window, qtbot, tmp_path, "blind-review.json", PARTS["review"] | {"drawn": []})
    qtbot.waitUntil(lambda: page.tabs.tabText(0) == "Blind review")
    assert "18 contours, 1 reviewer" in page.about.text()
    assert page.tables.table.item(0, 1).text() == "automatic"
    (tmp_path / "blind-review.json").write_text('{"format": "another"}')
    window.qa_room.open_folder(tmp_path)
    qtbot.waitUntil(lambda: "report" in window.toast.text(), timeout=10000)


@pytest.mark.parametrize("name", ["report.json", "times.json", "blind-review.json"])
def test_a_report_of_a_version_with_other_values_is_refused(window, qtbot, tmp_path, report, name):
    """Read after an update: a value that the page shows is not there."""
    contents = {
        "report.json": json.loads((report / "report.json").read_text()),
        "times.json": {"format": "autocontour time study", "idle_seconds": 30.0, "skipped": [], "cases": 1,
                       "structures": [{"structure": "Heart", "counts": {"unedited": 1}}]},
        "blind-review.json": PARTS["review"] | {"drawn": []},
    }  # fmt: skip
    content = contents[name]
    content.get("results", content.get("proportions", [{}]))[0].pop("n", None)
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(UsageError, match="AC-QA-243"):
        read_folder(tmp_path)
    window.qa_room.open_folder(tmp_path)
    qtbot.waitUntil(lambda: "another version" in window.toast.text(), timeout=10000)
    assert window.qa_room.page is None


def test_routine_qa_of_another_version_is_refused(tmp_path):
    content = {"format": "autocontour routine QA", "observations": 1, "structures": [{"structure": "Heart"}]}
    for other in (content, content | {"structures": [], "version": 2}):
        (tmp_path / "report.json").write_text(json.dumps(other))
        with pytest.raises(UsageError, match="AC-QA-243"):
            read_folder(tmp_path)


def test_rows_state_n_and_no_head_of_a_column_is_cut(room):
    page = room.qa_room.page
    assert page.chart.count_text(page.boxes[0]) == f"n={len(page.boxes[0].results)}"
    header = page.cases.horizontalHeader()
    for column in range(page.cases.columnCount()):
        assert header.sectionSize(column) >= header.sectionSizeHint(column)
    assert header.length() <= page.cases.viewport().width()
    assert f"autocontour {page.results.content['program']}" in page.about.text()


def test_the_words_of_all_tables_can_be_translated():
    """A heading that the list lacks would stay English in the Korean window."""
    known = {*TITLES, *HEADS}
    found = set(TIME_HEADS)
    for module in (study_report, blind_report, routine_page):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
        for function in (one for one in functions if one.name in ("study_tables", "review_tables", "times_tables")):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call) and len(node.args) == 3):
                title, heads, _ = call.args
                found.add(title.value)
                found |= set(heads.value.split(",")) if isinstance(heads, ast.Constant) else set()
    assert len(found) > 80
    assert found <= known


def test_headings_are_korean_in_a_korean_window(qapp, qtbot):
    use_language(qapp, "ko")
    try:
        page = TablesPage()
        qtbot.addWidget(page)
        page.show_tables([Table("Against limits", ("structure", "within"), (Row(("Heart", "yes")),))])
        heads = [page.table.horizontalHeaderItem(column).text() for column in range(2)]
        assert (page.list.item(0).text(), *heads) == ("한계값과의 비교", "구조물", "범위 내")
        assert [page.table.item(0, column).text() for column in range(2)] == ["Heart", "예"]
    finally:
        use_language(qapp, "en")


def test_axes():
    axis = Axis.around([0.2, math.inf, 0.9], 100, 500, whole=(0.0, 1.0))
    assert axis.pixel(math.inf) == 500
    assert axis.pixel(-math.inf) == 100
    assert 0.0 in axis.ticks
    assert 1.0 in axis.ticks
    assert Axis.around([3.0, 3.0], 0, 10, whole=None).pixel(3.0) == 5
    assert Axis.around([], 0, 10, whole=None).ticks
    assert QPointF(axis.pixel(0.5), 0).x() == 300
