"""The list of cases on the start page: what it shows, by keyboard and mouse, and what it must never do."""

import json
import shutil
from dataclasses import replace

import pytest
from pydicom import dcmread
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from autocontour.base.jobs import Job
from autocontour.case import Edit, actions
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.phantom import build_phantom
from tests.gui.conftest import ball, disc

KEY, MODIFIER, LEFT = Qt.Key, Qt.KeyboardModifier, Qt.MouseButton.LeftButton
CONTROL, ALT = MODIFIER.ControlModifier, MODIFIER.AltModifier
PATIENTS = (("Alpha^Anna", "A-100"), ("Beta^Bert", "B-200"), ("Gamma^Gerda", "C-300"))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Three patients' CTs."""
    found = []
    for number, (name, patient_id) in enumerate(PATIENTS, 1):
        phantom = build_phantom("thorax", number, spacing_zyx_mm=(8.0, 6.0, 6.0), shape_zyx=(24, 60, 60))
        folder = tmp_path_factory.mktemp(f"scan{number}") / "CT"
        write_ct_series(phantom.hu, phantom.geometry, folder)
        for path in folder.iterdir():
            dataset = dcmread(path)
            dataset.PatientName, dataset.PatientID = name, patient_id
            dataset.save_as(path)
        found.append(folder)
    return found


def read(folder):
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


@pytest.fixture
def root(scans, tmp_path):
    """Three cases, the last changed last; the second has an approved and a rejected structure."""
    root = tmp_path / "cases"
    for number, folder in enumerate(scans):
        with actions.open_case(read(folder), root, folder) as case:
            for name in ("Heart", "Liver", "Lung")[: number + 1]:
                case.apply(actions.receive(case.state, replace(ball(case.state.next_number, name))))
            if number == 1:
                case.apply(actions.approve(case.state, 1, "A. Physicist"))
                case.apply(actions.reject(case.state, 2, "A. Physicist", "Too small"))
    return root


@pytest.fixture
def listed(root, window, qtbot):
    qtbot.waitUntil(lambda: len(window.worklist.cases) == 3, timeout=20_000)
    return window


def rows(window, column=0):
    model = window.cases.model
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def opened(window, qtbot, patient_id):
    qtbot.waitUntil(
        lambda: window.workspace.ct is not None and window.workspace.ct.reference.header.PatientID == patient_id,
        timeout=20_000,
    )


def test_the_start_page_lists_the_cases_with_their_state_the_last_change_first(listed):
    assert listed.cases.isVisible()
    assert rows(listed) == ["C-300", "B-200", "A-100"]
    assert rows(listed, 1) == ["Gamma Gerda", "Beta Bert", "Alpha Anna"]
    assert [rows(listed, column) for column in (3, 4, 5)] == [["3", "2", "1"], ["0", "1", "0"], ["0", "1", "0"]]
    assert listed.cases.heading.text() == "3 CASES"


def test_two_keys_open_the_case_changed_last(listed, qtbot):
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    QTest.keyClick(listed.focusWidget(), KEY.Key_Return)
    opened(listed, qtbot, "C-300")
    assert listed.is_working
    assert listed.workspace.case.folder.parent == listed.worklist._list.root


def test_she_filters_sorts_and_opens_by_keyboard(listed, qtbot):
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    box = listed.focusWidget()
    assert box is listed.cases.filter
    QTest.keyClicks(box, "b-2")
    assert rows(listed) == ["B-200"]
    assert listed.cases.heading.text() == "1 OF 3 CASES"
    QTest.keyClick(box, KEY.Key_Escape)
    assert rows(listed) == ["C-300", "B-200", "A-100"]
    QTest.keyClick(box, KEY.Key_1, ALT)
    assert rows(listed) == ["A-100", "B-200", "C-300"]
    QTest.keyClick(box, KEY.Key_1, ALT)
    assert rows(listed) == ["C-300", "B-200", "A-100"]
    QTest.keyClick(box, KEY.Key_4, ALT)
    assert rows(listed, 3) == ["3", "2", "1"]
    QTest.keyClick(box, KEY.Key_Down)
    QTest.keyClick(box, KEY.Key_Down)
    QTest.keyClick(box, KEY.Key_Return)
    opened(listed, qtbot, listed.cases.model.rows[2].facts.patient_id)


def test_letters_typed_in_the_table_filter_and_do_nothing_else(listed):
    table = listed.cases.table
    table.setFocus()
    QTest.keyClicks(table, "7")  # a window preset elsewhere
    assert listed.cases.filter.text() == "7"
    QTest.keyClick(listed.cases.filter, KEY.Key_Escape)
    QTest.keyClicks(table, "anna")
    assert rows(listed) == ["A-100"]


def test_a_double_click_opens_and_the_headings_sort(listed, qtbot):
    table = listed.cases.table
    header = table.horizontalHeader()
    QTest.mouseClick(header.viewport(), LEFT, pos=_at(header, 0))
    assert rows(listed) == ["A-100", "B-200", "C-300"]
    at = table.visualRect(listed.cases.model.index(1, 0)).center()
    QTest.mouseClick(table.viewport(), LEFT, pos=at)
    QTest.mouseDClick(table.viewport(), LEFT, pos=at)
    opened(listed, qtbot, "B-200")


def _at(header, section):
    point = header.rect().center()
    point.setX(header.sectionViewportPosition(section) + 20)
    return point


def test_the_open_case_is_shown_again_and_marked_and_nothing_acts_on_it_meanwhile(listed, qtbot):
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    QTest.keyClick(listed.focusWidget(), KEY.Key_Return)
    opened(listed, qtbot, "C-300")
    space, before = listed.workspace, listed.workspace.state
    space.go_to_slice(12)
    listed.activateWindow()
    qtbot.waitUntil(listed.isActiveWindow)
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    assert not listed.is_working
    qtbot.waitUntil(lambda: "open here" in rows(listed, 9), timeout=20_000)
    for key, modifier in ((KEY.Key_Delete, MODIFIER.NoModifier), (KEY.Key_Z, CONTROL), (KEY.Key_Delete, CONTROL)):
        QTest.keyClick(listed, key, modifier)
    QTest.keyClick(listed.cases.table, KEY.Key_Delete)
    assert space.state is before
    QTest.keyClick(listed.cases.filter, KEY.Key_Return)
    assert listed.is_working
    assert listed.toast.text() != "This scan is open already."
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    QTest.keyClick(listed.cases.filter, KEY.Key_Escape)
    assert listed.is_working
    QTest.keyClick(listed, KEY.Key_Delete)
    assert space.state is not before


def test_a_case_that_is_open_elsewhere_is_refused_and_its_state_is_that_of_its_last_change(listed, scans, root, qtbot):
    with actions.open_case(read(scans[0]), root, scans[0]) as elsewhere:
        listed.worklist.read()
        qtbot.waitUntil(lambda: "open elsewhere" in rows(listed, 9), timeout=20_000)
        elsewhere.apply(actions.approve(elsewhere.state, 1, "B. Physician"))
        listed.worklist.read()
        qtbot.waitUntil(lambda: rows(listed, 4)[rows(listed).index("A-100")] == "1", timeout=20_000)
        listed.cases.filter.setText("A-100")
        assert "This case is open in another window" in listed.cases.details.text()
        QTest.keyClick(listed.cases.filter, KEY.Key_Return)
        qtbot.waitUntil(lambda: listed.toast.text().startswith("This case is open in another window"), timeout=20_000)
        assert listed.workspace.ct is None
        assert not listed.is_working
    listed.worklist.read()
    qtbot.waitUntil(lambda: "open elsewhere" not in rows(listed, 9), timeout=20_000)


def test_a_moved_case_shows_no_patient_not_even_the_one_who_lies_there_now(listed, scans, root, qtbot, tmp_path):
    folder = next(case.folder for case in listed.worklist.cases if case.facts.patient_id == "A-100")
    source = json.loads((folder / "ct.json").read_text())
    (folder / "ct.json").write_text(json.dumps({**source, "path": str(scans[1])}))
    listed.worklist.read()
    qtbot.waitUntil(lambda: "CT not found" in rows(listed, 1), timeout=20_000)
    at = rows(listed, 1).index("CT not found")
    assert rows(listed)[at] == ""
    assert rows(listed, 9)[at] == "AC-CASE-041"
    assert rows(listed, 1).count("Beta Bert") == 1
    moved = tmp_path / "moved" / "CT"
    shutil.copytree(scans[0], moved)
    listed.settings.remember(moved.parent)
    listed.cases.filter.setText("AC-CASE-041")
    QTest.keyClick(listed.cases.filter, KEY.Key_Return)
    opened(listed, qtbot, "A-100")


def test_a_damaged_case_is_shown_with_its_code_and_is_not_opened(listed, qtbot):
    folder = next(case.folder for case in listed.worklist.cases if case.facts.patient_id == "A-100")
    (folder / "case.json").write_bytes(b"{")
    listed.worklist.read()
    qtbot.waitUntil(lambda: "AC-CASE-045" in rows(listed, 9), timeout=20_000)
    assert len(rows(listed)) == 3
    listed.cases.filter.setText("AC-CASE-045")
    assert "case.json is missing or damaged" in listed.cases.details.text()
    QTest.keyClick(listed.cases.filter, KEY.Key_Return)
    assert "case.json is missing or damaged" in listed.toast.text()
    assert listed.workspace.ct is None


def test_the_selected_case_stays_selected_when_the_list_is_read_again(listed, qtbot, root):
    listed.cases.table.selectRow(1)
    first = listed.cases.model.rows[0].folder
    shutil.rmtree(first)
    listed.worklist.read()
    qtbot.waitUntil(lambda: len(rows(listed)) == 2, timeout=20_000)
    assert listed.cases.selected.facts.patient_id == "B-200"
    assert root.exists()


def test_without_cases_the_start_page_is_as_before(window, qtbot):
    qtbot.wait(300)
    assert not window.cases.isVisible()
    assert window.welcome.open.isVisible()
    assert window.welcome.card.width() == 560


def test_a_case_is_gone_on_with_where_it_was_left(listed, another_window, qtbot):
    QTest.keyClick(listed, KEY.Key_L, CONTROL)
    QTest.keyClick(listed.focusWidget(), KEY.Key_Return)
    opened(listed, qtbot, "C-300")
    listed.workspace.select(3)
    listed.workspace.go_to_slice(17)
    listed.panel.sort.click()
    listed.close()
    again = another_window()
    qtbot.waitUntil(lambda: len(again.worklist.cases) == 3, timeout=20_000)
    again.toggle_cases()
    QTest.keyClick(again.cases.filter, KEY.Key_Return)
    opened(again, qtbot, "C-300")
    assert (again.workspace.selected, again.workspace.slice_index) == (3, 17)
    assert again.panel.model.by_need
    assert again.panel.list.currentIndex().row() == again.panel.model.row_of(3)


def test_review_goes_on_with_the_structure_she_edits(opened_with_doubts):
    window = opened_with_doubts
    space = window.workspace
    QTest.keyClick(window, KEY.Key_N)
    first, at = space.selected, space.slice_index
    space.apply(Edit("Brush", {first: {at: disc(r=5)}}))
    QTest.keyClick(window, KEY.Key_N)
    assert space.selected == first
    assert space.slice_index != at


@pytest.fixture
def opened_with_doubts(opened):
    from autocontour.base.findings import Finding, Severity

    def doubts(*slices):
        return tuple(Finding("AC-QA-001", Severity.WARN, "Look.", slices=(z,)) for z in slices)

    opened.workspace.receive(replace(ball(), findings=doubts(5, 15)))
    opened.workspace.receive(replace(ball(2, "Liver"), findings=doubts(6, 16)))
    return opened
