"""Focus, keys and crosshair; results say what they are derived from."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest

from autocontour.case import Edit
from autocontour.edits import Boolean
from autocontour.gui.app.shaping import grown_structure, joined_structure
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.gui.dialogs.shape import BooleanDialog, MarginDialog, NameDialog
from autocontour.patient.structures import Structure
from tests.gui.conftest import ball, disc
from tests.gui.test_editing import press
from tests.gui.test_review import activate, patient, phantom_folder  # noqa: F401  (fixtures)

KEY, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton
DRAWING = [KEY.Key_B, KEY.Key_E, KEY.Key_P, KEY.Key_F, KEY.Key_G, KEY.Key_D]


@pytest.fixture
def three(opened):
    """The window with three structures; the first is selected."""
    for name, color in (("Liver", (0, 200, 255)), ("CTV", (255, 128, 0))):
        opened.workspace.receive(Structure(name, 9, {z: disc(30, 20, 15) for z in range(8, 16)}, color_rgb=color))
    assert opened.workspace.selected == 1
    return opened


def test_b11_a_click_into_a_view_takes_the_keys_from_the_search_box(three, hand):
    three.panel.search.setFocus()
    QTest.keyClicks(three.panel.search, "b")
    assert three.panel.search.text() == "b"
    QTest.mouseClick(three.views.axial, LEFT, NONE, hand.pixel(100, 80))
    assert three.views.axial.hasFocus()
    QTest.keyClick(three.focusWidget(), KEY.Key_B)
    assert three.panel.search.text() == "b"
    assert three.views.axial.tool.name == "Brush"


def test_b11_tab_steps_through_the_structures(three):
    three.views.axial.setFocus()
    numbers = three.workspace.state.numbers
    seen = []
    for key, modifier in ((KEY.Key_Tab, NONE),) * 3 + ((KEY.Key_Backtab, SHIFT),) * 3:
        QTest.keyClick(three.views.axial, key, modifier)
        seen.append(numbers.index(three.workspace.selected))
    assert seen == [1, 2, 0, 2, 1, 0]
    assert three.views.axial.hasFocus()


def test_b11_arrow_keys_in_the_list_step_through_the_list(three):
    three.panel.list.setFocus()
    z = three.workspace.slice_index
    QTest.keyClick(three.panel.list, KEY.Key_Down)
    assert three.workspace.selected == three.workspace.state.numbers[1]
    QTest.keyClick(three.panel.list, KEY.Key_Up)
    assert three.workspace.selected == 1
    assert three.workspace.slice_index == z
    press(three, KEY.Key_PageUp)  # elsewhere they turn slices
    three.views.axial.setFocus()
    QTest.keyClick(three.views.axial, KEY.Key_Up)
    assert three.workspace.slice_index > z


def test_ctrl_e_opens_the_export_from_the_search_box(patient, qtbot, answer):  # noqa: F811  (the fixture)
    patient.workspace.receive(ball())
    activate(patient, qtbot)
    patient.panel.search.setFocus()
    seen = []
    answer(ExportDialog, lambda dialog: (seen.append(dialog), dialog.reject()))
    QTest.keyClick(patient.panel.search, KEY.Key_E, CONTROL)
    assert seen
    patient.panel.search.setText("Heart")
    QTest.keyClick(patient.panel.search, KEY.Key_A, CONTROL)
    assert patient.panel.search.selectedText() == "Heart"


@pytest.mark.parametrize("key", DRAWING)
def test_ctrl_click_moves_the_crosshair_while_drawing(three, hand, key):
    before = three.workspace.state
    press(three, key)
    QTest.mouseClick(three.views.axial, LEFT, CONTROL, hand.pixel(41, 31))
    assert three.workspace.position_zyx == (12, round((31 + 119) / 2), round((41 + 139) / 2))
    assert three.workspace.state is before


def test_b12_a_margin_of_a_ctv_is_a_ptv_with_its_own_type_colour_and_origin(three, qtbot, answer):
    space = three.workspace
    space.select(space.state.find("CTV").structure.number)
    answer(MarginDialog, lambda dialog: (dialog.boxes[0].setValue(5), dialog.accept()))
    press(three, KEY.Key_M)
    qtbot.waitUntil(lambda: not space.background.is_running)
    ptv = space.current
    assert (ptv.structure.name, ptv.structure.interpreted_type) == ("PTV", "PTV")
    assert ptv.structure.description == "derived: CTV + 5 mm"
    assert len({structure.color_rgb for structure in space.state.structures}) == len(space.state.items)
    assert "derived: CTV + 5 mm" in three.panel.model.details(ptv)
    space.redraw("Brush", {12: disc(0, 0, 5)})
    assert "edited" in three.panel.model.details(space.current)


def test_b12_b14_a_boolean_opens_with_two_structures_and_names_its_result(three, qtbot, answer):
    space = three.workspace
    seen = []

    def act(dialog):
        seen.append((dialog.first.currentText(), dialog.second.currentText()))
        dialog.how.setCurrentIndex(dialog.how.findData(Boolean.DIFFERENCE))
        dialog.ok.click()

    answer(BooleanDialog, act)
    press(three, KEY.Key_O)
    qtbot.waitUntil(lambda: not space.background.is_running)
    assert seen == [("Heart", "Liver")]
    assert space.current.structure.name == "Heart-Liver"
    assert space.current.structure.description == "derived: Heart minus Liver"


def test_b12_names_of_margins():
    from autocontour.case import CaseState

    def name(source, *margins, kind="ORGAN"):
        made = grown_structure(
            CaseState(), Structure(source, 1, {}, interpreted_type=kind), margins * (6 // len(margins))
        )
        return made.name, made.interpreted_type, made.description

    assert name("CTV_High", 5.0, kind="CTV") == ("PTV_High", "PTV", "derived: CTV_High + 5 mm")
    assert name("GTV", 5.0, kind="GTV")[:2] == ("CTV", "CTV")
    assert name("SpinalCord", 5.0) == ("SpinalCord_PRV05", "ORGAN", "derived: SpinalCord + 5 mm")
    assert name("PTV", -3.0, kind="PTV") == ("PTV-03", "PTV", "derived: PTV − 3 mm")
    assert name("CTV", 5.0, 8.0, kind="CTV")[2] == "derived: CTV + (L 5, R 8, A 5, P 8, S 5, I 8) mm"
    both = Structure("CTV", 1, {}, interpreted_type="CTV"), Structure("External", 2, {}, interpreted_type="EXTERNAL")
    joined = joined_structure(CaseState(), both, (0.0, -5.0), Boolean.INTERSECTION)
    assert joined.name == "CTV_and_External"
    assert joined.interpreted_type == "CTV"
    assert joined.description == "derived: CTV and (External − 5 mm)"


@pytest.mark.parametrize("marked", [False, True])
def test_b15_one_return_adds_a_structure(three, qtbot, answer, marked):
    def act(dialog):
        QTest.keyClicks(dialog.edit, "Kidney_L")
        qtbot.waitUntil(lambda: dialog.edit.completer().popup().isVisible())
        popup = dialog.edit.completer().popup()
        if marked:
            QTest.keyClick(popup, KEY.Key_Down)
        QTest.keyClick(popup, KEY.Key_Return)

    answer(NameDialog, act)
    press(three, KEY.Key_A)
    assert three.workspace.current.structure.name.startswith("Kidney_L")


def in_tree(interface, words, depth=0):
    """Whether something of the accessibility tree says `words`."""
    if interface is None or depth > 12:
        return False
    if words in (interface.text(QAccessible.Text.Name) or ""):
        return not interface.state().invisible
    return any(in_tree(interface.child(i), words, depth + 1) for i in range(interface.childCount()))


def test_a_refusal_and_a_recovery_are_in_the_accessibility_tree(three):
    tree = QAccessible.queryAccessibleInterface(three)
    press(three, KEY.Key_K)
    press(three, KEY.Key_Delete)
    assert "locked" in three.toast.text()
    assert in_tree(tree, three.toast.text())
    three.recovery_bar.words.setText("2 changes recovered")
    three.recovery_bar.words.setAccessibleName(three.recovery_bar.words.text())
    three.recovery_bar.show()
    assert in_tree(tree, "2 changes recovered")


def test_tooltips_name_the_keys(three):
    for name, key in (("brush", "B"), ("margin", "M"), ("export", "Ctrl+E"), ("next", "N"), ("centre", "Space")):
        assert key in three.action_set.by_name[name].toolTip()
    assert "Ctrl+Return" in three.panel.approve.toolTip()
    assert "(N)" in three.panel.next.toolTip()


def test_the_list_keeps_the_selection_while_a_stroke_is_under_way(three, hand):
    press(three, KEY.Key_B)
    QTest.mousePress(hand.view, LEFT, NONE, hand.pixel(60, 0))
    three.panel.list.setCurrentIndex(three.panel.model.index(2))
    assert three.workspace.selected == 1
    assert three.panel.list.currentIndex().row() == 0
    QTest.mouseRelease(hand.view, LEFT, NONE, hand.pixel(60, 0))
    three.workspace.apply(Edit("Lock", fields={1: {"locked": True}}))
