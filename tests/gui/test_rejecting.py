"""She rejects a structure with a reason; it is seen in the list, in the review and before export."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from autocontour.case.actions import approve
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.gui.dialogs.review import RejectDialog, SeveralDialog
from autocontour.patient.structures import ReviewStatus
from tests.gui.conftest import ball, disc

KEY, MODIFIER, LEFT = Qt.Key, Qt.KeyboardModifier, Qt.MouseButton.LeftButton
ALT, CONTROL, SHIFT = MODIFIER.AltModifier, MODIFIER.ControlModifier, MODIFIER.ShiftModifier


@pytest.fixture
def three(opened):
    for number, name in ((2, "Liver"), (3, "Lung")):
        opened.workspace.receive(ball(number, name))
    for number in (1, 2, 3):
        opened.workspace.select(number)
    opened.workspace.select(1)
    return opened


def press(window, qtbot, key, modifier):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(window, key, modifier)


def reject(window, qtbot, answer, reason="Too small", number=1):
    window.workspace.select(number)
    window.settings.reviewer = "A. Physicist"

    def act(dialog):
        assert not dialog.ok.isEnabled()
        QTest.keyClicks(dialog.why.lineEdit(), reason)
        QTest.keyClick(dialog, KEY.Key_Return)

    answer(RejectDialog, act)
    press(window, qtbot, KEY.Key_Return, ALT)


def test_she_rejects_by_key_with_a_reason_and_undo_restores_the_approval(three, qtbot, answer):
    space = three.workspace
    space.apply(approve(space.state, 1, "B. Physician"))
    reject(three, qtbot, answer)
    item = space.state[1]
    assert (item.rejected_by, item.reject_reason, item.is_approved) == ("A. Physicist", "Too small", False)
    assert three.panel.model.details(item).endswith("rejected: Too small")
    assert "rejected by A. Physicist on" in three.panel.model._tooltip(item)
    press(three, qtbot, KEY.Key_Z, CONTROL)
    assert three.toast.text() == "Undone: Reject Heart"
    assert space.state[1].is_approved
    assert space.state[1].approved_by == "B. Physician"


def test_a_reason_of_her_own_is_kept_as_typed(three, qtbot, answer):
    reject(three, qtbot, answer, "runs into the aorta")
    assert three.workspace.state[1].reject_reason == "runs into the aorta"


def test_the_same_key_withdraws_it_after_a_question(three, qtbot, answer):
    reject(three, qtbot, answer)
    answer(QMessageBox, lambda box: QTest.keyClick(box, KEY.Key_Return))
    press(three, qtbot, KEY.Key_Return, ALT)
    assert three.workspace.state[1].is_rejected
    answer(QMessageBox, lambda box: next(b for b in box.buttons() if b.text() == "Withdraw").click())
    press(three, qtbot, KEY.Key_Return, ALT)
    assert not three.workspace.state[1].is_rejected
    assert three.workspace.state[1].structure.status is ReviewStatus.AUTO


def test_an_edit_keeps_the_rejection_in_sight(three, qtbot, answer):
    reject(three, qtbot, answer)
    three.workspace.redraw("Brush", {12: disc(r=10)}, 1)
    item = three.workspace.state[1]
    assert three.panel.model.details(item).endswith("rejected, edited since")
    assert "Rejected by A. Physicist on" in three.panel.facts.text()
    assert three.panel.facts.text().endswith("edited since")


def test_approve_viewed_leaves_it_out_and_names_it(three, qtbot, answer):
    reject(three, qtbot, answer)
    seen = {}

    def act(dialog):
        seen["rows"] = dialog.numbers
        seen["words"] = [label.text() for label in dialog.findChildren(type(three.panel.facts))]
        dialog.reject()

    answer(SeveralDialog, act)
    press(three, qtbot, KEY.Key_Return, CONTROL | SHIFT)
    assert seen["rows"] == [2, 3]
    assert "Rejected: Heart" in seen["words"]


def test_a_result_that_arrives_while_the_dialog_is_open_is_not_rejected(three, qtbot, answer):
    def act(dialog):
        three.workspace.receive(ball())
        dialog.why.setCurrentIndex(0)
        dialog.name.setText("A.")
        dialog.accept()

    answer(RejectDialog, act)
    press(three, qtbot, KEY.Key_Return, ALT)
    assert not three.workspace.state[1].is_rejected
    assert three.toast.text().startswith("Not rejected: Heart changed")


def test_the_export_leaves_it_unticked_and_warns_where_it_is_ticked(three, qtbot, answer, tmp_path):
    reject(three, qtbot, answer)
    space = three.workspace
    dialog = ExportDialog(three, space.ct, space.case, "generic", tmp_path / "x.dcm", space.apply)
    assert dialog.numbers == {2, 3}
    assert dialog.structures.item(0).text() == "Heart   ·   rejected"
    dialog.leave_out.click()
    dialog.leave_out.click()
    assert dialog.numbers == {2, 3}
    assert "AC-EX-013" not in {problem.finding.code for problem in dialog.problems}
    dialog.structures.item(0).setCheckState(Qt.CheckState.Checked)
    assert dialog.numbers == {1, 2, 3}
    assert "AC-EX-013" in {problem.finding.code for problem in dialog.problems}
    dialog._fix_all()
    assert dialog.structures.item(0).text() == "Heart   ·   rejected"
    dialog.reject()
