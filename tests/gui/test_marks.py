"""Where findings point: marks on the slider, the key that leafs through them, links in the panel, what is next."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolTip

from autocontour.base.findings import Finding, Severity
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.gui.look import theme
from autocontour.patient.provenance import Provenance
from tests.gui.conftest import Hand, ball, small_ct

KEY, SHIFT, NO_KEY = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
GAP = Finding("AC-QA-005", Severity.WARN, "Heart is missing on 2 slices.", "Heart", "Draw it there.", (7, 8))
JUMP = Finding("AC-QA-006", Severity.WARN, "Heart <changes> suddenly.", "Heart", "", (18,))
SCAN = Finding("AC-CT-032", Severity.WARN, "1 slice missing.", slices=(1, 2))


@pytest.fixture
def doubtful(window, qtbot):
    """A heart with two findings and a lung that the network was unsure of, on a scan with a finding of its own."""
    window.show_ct(replace(small_ct(), findings=(SCAN,)))
    window.workspace.receive(replace(ball(), findings=(JUMP, GAP)))
    source = Provenance("net", "1", confidence=0.62)
    window.workspace.receive(replace(ball(2, "Liver", (0, 255, 0)), provenance=source))
    window.workspace.go_to_slice(12)
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    return window


@pytest.fixture
def hand_on(doubtful):
    return Hand(doubtful)


def mark_color(window, z):
    slider = window.views.slider
    image = slider.grab().toImage()
    return image.pixelColor((QPointF(3, slider._y(z)) * image.devicePixelRatio()).toPoint())


def test_marks_stand_beside_the_slices_and_say_what_they_mean(doubtful):
    warn = QColor(theme.current.warn)
    assert all(mark_color(doubtful, z) == warn for z in (8, 18, 2))
    assert mark_color(doubtful, 12) != warn
    slider = doubtful.views.slider
    at = QPoint(3, round(slider._y(18)))
    slider.event(QHelpEvent(QHelpEvent.Type.ToolTip, at, slider.mapToGlobal(at)))
    assert QToolTip.text() == JUMP.message
    assert slider.describe(slider._y(1)) == SCAN.message
    assert "head up" in slider.describe(slider._y(12))
    doubtful.workspace.go_to_slice(18)
    assert mark_color(doubtful, 18) != warn  # hollow: it was looked at


def test_a_key_goes_from_mark_to_mark_and_says_why(doubtful):
    space, stops = doubtful.workspace, []
    for _ in range(4):
        QTest.keyClick(doubtful, KEY.Key_J)
        stops.append(space.slice_index)
    assert stops == [18, 2, 8, 18]
    assert JUMP.message in doubtful.toast.text()
    QTest.keyClick(doubtful, KEY.Key_J, SHIFT)
    assert space.slice_index == 8


def test_marks_are_those_of_the_selected_structure(doubtful):
    doubtful.workspace.select(2)
    assert set(doubtful.workspace.marked_slices()) == {1, 2}


def test_a_finding_in_the_panel_leads_to_its_slices(doubtful, qtbot):
    facts = doubtful.panel.facts
    assert "&lt;changes&gt;" in facts.text()
    assert "slices&nbsp;8–9" in facts.text()
    QTest.mouseClick(facts, Qt.MouseButton.LeftButton, pos=a_link(facts, range(2, facts.height(), 5)))
    assert doubtful.workspace.slice_index == 18
    QTest.mouseClick(facts, Qt.MouseButton.LeftButton, pos=a_link(facts, range(facts.height(), 0, -5)))
    assert doubtful.workspace.slice_index == 8


def a_link(label, heights):
    """Return the first place on a link of a label, going through `heights`: where the pointer becomes a hand."""
    for y in heights:
        for x in range(2, label.width(), 5):
            at = QPointF(x, y)
            none = Qt.MouseButton.NoButton
            move = QMouseEvent(QMouseEvent.Type.MouseMove, at, label.mapToGlobal(at), none, none, NO_KEY)
            QApplication.sendEvent(label, move)
            if label.cursor().shape() == Qt.CursorShape.PointingHandCursor:
                return at.toPoint()
    raise AssertionError("no link in the label")


def test_next_to_review_walks_through_what_is_open_and_says_why(doubtful):
    space, walked = doubtful.workspace, []
    for _ in range(3):
        QTest.keyClick(doubtful, KEY.Key_N)
        walked.append((space.selected, space.slice_index, doubtful.toast.text()))
    assert [(number, z) for number, z, _ in walked] == [(1, 8), (1, 18), (2, 12)]
    assert "2 findings, 2 places not viewed" in walked[0][2]
    assert "network unsure (0.62), not viewed" in walked[2][2]


def test_sorting_by_need_says_why(doubtful):
    doubtful.panel.sort.click()
    model = doubtful.panel.model
    rows = [model.item(model.index(row)) for row in range(2)]
    assert [item.structure.name for item in rows] == ["Heart", "Liver"]
    assert model.line(rows[1]) == "network unsure (0.62), not viewed"
    doubtful.panel.sort.click()
    assert "automatic" in model.line(rows[1])


def test_who_approves_sees_what_it_took_and_what_nobody_looked_at(doubtful, hand_on, answer):
    space, said = doubtful.workspace, []
    QTest.keyClick(doubtful, KEY.Key_B)
    hand_on.stroke([(30, 0), (40, 0)])
    space.go_to_slice(8)

    def act(dialog):
        said.extend(label.text() for label in dialog.findChildren(QLabel))
        dialog.reject()

    answer(ApprovalDialog, act)
    QTest.keyClick(doubtful, KEY.Key_Return, Qt.KeyboardModifier.ControlModifier)
    (work,) = (words for words in said if "new outline" in words)
    assert work.endswith("on 1 slice")
    assert " 0 mm" not in work
    assert any("not viewed slice 19" in words for words in said)


def test_only_a_hand_spends_time_of_editing(doubtful, hand_on):
    space = doubtful.workspace
    assert space.case.seconds == {}
    space.approve(2, "A. Physicist")
    assert space.case.seconds == {}
    QTest.keyClick(doubtful, KEY.Key_B)
    hand_on.stroke([(30, 0), (40, 0)])
    assert set(space.case.seconds) == {1}
