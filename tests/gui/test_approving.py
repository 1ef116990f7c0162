"""She approves all that she has viewed at once; the list keeps its place."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from autocontour.base.findings import Finding, Severity
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.review import SeveralDialog
from tests.gui.conftest import ball, disc

KEY, MODIFIER = Qt.Key, Qt.KeyboardModifier
BOTH = MODIFIER.ControlModifier | MODIFIER.ShiftModifier


@pytest.fixture
def viewed(opened):
    """Heart and Liver were viewed; Lung was never; Cord has a finding that was not viewed; Eye not where it is."""
    space = opened.workspace
    doubt = Finding("AC-QA-001", Severity.WARN, "A part is missing.", slices=(20,))
    for number, name in enumerate(("Liver", "Lung", "Cord", "Eye"), 2):
        contours = {3: ball().contours[3]} if name == "Eye" else ball().contours
        findings = (doubt,) if name == "Cord" else ()
        space.receive(replace(ball(number, name), contours=contours, findings=findings))
    for number in (1, 2, 4, 5):
        space.select(number)
    space.go_to_slice(12)
    return opened


def ask(window):
    window.activateWindow()
    QTest.keyClick(window, KEY.Key_Return, BOTH)


def test_all_viewed_structures_are_approved_in_one_step(viewed, qtbot, answer):
    space, seen = viewed.workspace, {}

    def act(dialog):
        seen["rows"] = [dialog.list.item(k).text().partition(" ")[0] for k in range(dialog.list.count())]
        assert not dialog.ok.isEnabled()
        QTest.keyClicks(dialog.name, "A. Physicist")
        QTest.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)

    answer(SeveralDialog, act)
    before = space.state
    ask(viewed)
    assert seen["rows"] == ["Heart", "Liver"]
    assert [(i.structure.name, i.approved_by) for i in space.state.items if i.is_approved] == [
        ("Heart", "A. Physicist"),
        ("Liver", "A. Physicist"),
    ]
    assert len({item.approved_at for item in space.state.items if item.is_approved}) == 1
    assert viewed.settings.reviewer == "A. Physicist"
    viewed.activateWindow()
    qtbot.waitUntil(viewed.isActiveWindow)
    QTest.keyClick(viewed, KEY.Key_Z, MODIFIER.ControlModifier)
    assert not any(item.is_approved for item in space.state.items)
    assert bool(space.state == before)
    assert viewed.toast.text() == "Undone: Approve Heart, Liver"


def test_what_is_unticked_is_not_approved(viewed, answer):
    def act(dialog):
        dialog.name.setText("A. Physicist")
        dialog.list.setFocus()
        dialog.list.setCurrentRow(0)
        QTest.keyClick(dialog.list, KEY.Key_Space)
        assert dialog.numbers == [2]
        QTest.keyClick(dialog.list, KEY.Key_Return)

    answer(SeveralDialog, act)
    ask(viewed)
    assert [item.structure.name for item in viewed.workspace.state.items if item.is_approved] == ["Liver"]


@pytest.mark.parametrize("keys", [BOTH, MODIFIER.ControlModifier])
def test_a_result_that_arrives_while_the_dialog_is_open_is_not_approved(viewed, answer, keys):
    def act(dialog):
        viewed.workspace.receive(replace(ball(), contours={12: disc(5)}))
        dialog.name.setText("A. Physicist")
        dialog.accept()

    viewed.workspace.select(1)
    answer(Dialog, act)
    viewed.activateWindow()
    QTest.keyClick(viewed, KEY.Key_Return, keys)
    assert not any(item.is_approved for item in viewed.workspace.state.items)
    assert viewed.toast.text().startswith("Not approved: Heart changed")


def test_without_anything_viewed_it_says_so(opened):
    opened.workspace.case.seen.clear()
    ask(opened)
    assert opened.toast.text() == "No structure was viewed that is not approved yet."


def test_the_list_sorted_by_need_keeps_its_place(opened, qtbot):
    space, panel = opened.workspace, opened.panel
    for number in range(2, 40):
        space.receive(ball(number, f"Organ{number}"))
    opened.resize(1000, 700)
    panel.sort.click()
    bar = panel.list.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 500)
    bar.setValue(300)
    shown = panel.model.item(panel.list.indexAt(QPoint(20, 20))).structure.number
    space.select(shown)
    place = bar.value()
    space.approve(shown, "A. Physicist")
    assert panel.model.row_of(shown) == 38
    assert bar.value() == place


def test_sixteen_keys_review_and_approve_fourteen_structures(opened, answer):
    space = opened.workspace
    for number in range(2, 15):
        space.receive(ball(number, f"Organ{number}"))
    space.case.seen.clear()
    opened.settings.reviewer = "A. Physicist"
    answer(SeveralDialog, lambda dialog: QTest.keyClick(dialog, KEY.Key_Return))
    for _ in range(14):
        QTest.keyClick(opened, KEY.Key_N)
    ask(opened)
    assert sum(item.is_approved for item in space.state.items) == 14


def test_the_list_shows_the_selected_structure_after_a_step_a_search_and_another_order(opened, qtbot):
    space, panel = opened.workspace, opened.panel
    for number in range(2, 40):
        space.receive(ball(number, f"Organ{number}"))
    opened.resize(1000, 700)
    qtbot.waitUntil(lambda: panel.list.verticalScrollBar().maximum() > 500)

    def is_seen():
        row = panel.list.visualRect(panel.model.index(panel.model.row_of(space.selected)))
        return panel.list.viewport().rect().contains(row)

    space.select(35)
    assert is_seen()
    panel.search.setText("Organ1")
    panel.search.clear()
    assert is_seen()
    panel.sort.click()
    assert is_seen()
    space.select_beside(1)
    assert is_seen()
