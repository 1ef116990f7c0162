"""The target dialog with real keys and clicks: made, previewed, refreshed, stale, and what may go wrong silently."""

import time
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QLocale, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from autocontour.case import Edit, actions
from autocontour.case.export import ExportOptions, check_case
from autocontour.case.targets import add_target
from autocontour.edits import EndCount
from autocontour.gui.dialogs.review import SeveralDialog
from autocontour.gui.dialogs.target import ends_in_words
from autocontour.gui.views.planes import Plane
from autocontour.patient.recipe import Minus, Recipe
from autocontour.patient.structures import GenerationAlgorithm

from .conftest import disc, small_ct


def drawn(name, r, u=0.0, v=0.0, number=1):
    squares = {z: r**2 - ((z - 12) * 3) ** 2 for z in range(24)}
    contours = {z: disc(u, v, float(np.sqrt(s))) for z, s in squares.items() if s > 1}
    new = actions.new_structure(name, contours)
    return replace(new, number=number, generation=GenerationAlgorithm.MANUAL)


def body():
    return replace(actions.new_structure("External", {z: disc(r=60.0) for z in range(24)}), number=1)


@pytest.fixture
def case(window, qtbot):
    """A window with External (radius 60 mm), CTV (radius 20 mm) and Cord beside it; CTV is selected."""
    window.show_ct(small_ct())
    space = window.workspace
    space.apply(actions.add(space.state, body(), drawn("CTV", 20), drawn("Cord", 6, u=27.0)))
    space.go_to_slice(12)
    space.select(number(window, "CTV"))
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    return window


def number(window, name):
    return window.workspace.state.find(name).structure.number


def structure(window, name):
    return window.workspace.state.find(name).structure


def radius(window, name, z=12):
    return structure(window, name).contours[z].bounds[2]


def key(window, code, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(window.views.axial, code, modifier)


def ready(window, qtbot):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.views.axial.setFocus()


def ask(window, qtbot):
    """Shift+T, and wait for the preview."""
    ready(window, qtbot)
    key(window, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    desk = window.target_desk
    qtbot.waitUntil(lambda: desk.dialog is not None and desk.dialog.isVisible())
    qtbot.waitUntil(desk.dialog.isActiveWindow)
    settled(window, qtbot)
    return desk.dialog


def settled(window, qtbot):
    desk = window.target_desk
    qtbot.waitUntil(lambda: not desk.dialog._timer.isActive() and not desk.is_computing, timeout=10_000)


def typed(dialog, text):
    widget = dialog.focusWidget()
    QTest.keyClicks(widget, text)


def enter(dialog):
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)


def finished(window, qtbot, name):
    qtbot.waitUntil(lambda: window.workspace.state.find(name) is not None, timeout=10_000)


def redraw(window, name, r, u=0.0):
    n = number(window, name)
    new = drawn(name, r, u).contours
    assert window.workspace.redraw("Brush", {**dict.fromkeys(structure(window, name).contours), **new}, n)


def test_a_ptv_takes_two_keys(case, qtbot):
    """Shift+T, Return: the margin used last, 3 mm inside External, name, type and colour."""
    dialog = ask(case, qtbot)
    assert (dialog.name, dialog.interpreted_type) == ("PTV", "PTV")
    assert dialog.recipe.text == "CTV + 5 mm, 3 mm inside External"
    enter(dialog)
    finished(case, qtbot, "PTV")
    assert radius(case, "PTV") == pytest.approx(25, abs=0.1)
    space = case.workspace
    assert space.selected == number(case, "PTV")
    assert structure(case, "PTV").color_rgb not in {structure(case, n).color_rgb for n in ("CTV", "Cord", "External")}
    assert case.target_desk.dialog is None
    qtbot.waitUntil(case.isActiveWindow)  # without a click
    key(case, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert space.state.find("PTV") is None


def test_a_typed_margin_goes_to_every_side_and_is_kept_for_the_next(case, qtbot):
    dialog = ask(case, qtbot)
    typed(dialog, "8")  # and at once Return: what is not shown yet is computed, not the preview before
    enter(dialog)
    finished(case, qtbot, "PTV")
    assert radius(case, "PTV") == pytest.approx(28, abs=0.1)
    assert case.workspace.state.find("PTV").recipe.recipe.margins_mm == (8,) * 6
    case.workspace.select(number(case, "CTV"))
    dialog = ask(case, qtbot)
    assert dialog.recipe.margins_mm == (8,) * 6
    assert not dialog.ok.isEnabled()  # there is a PTV
    typed_name(dialog, "PTV_2")
    settled(case, qtbot)
    assert dialog.ok.isEnabled()
    dialog.reject()
    assert case.workspace.state.find("PTV_2") is None


@pytest.mark.parametrize("language", [QLocale.Language.English, QLocale.Language.German])
@pytest.mark.parametrize("text", ["2.5", "2,5"])
def test_a_margin_with_decimals_is_what_was_typed_in_every_language(case, qtbot, language, text):
    before = QLocale()
    QLocale.setDefault(QLocale(language))
    try:
        dialog = ask(case, qtbot)
        typed(dialog, text)
        assert dialog.recipe.margins_mm == (2.5,) * 6
        dialog.reject()
    finally:
        QLocale.setDefault(before)


def typed_name(dialog, text):
    dialog.name_edit.setFocus()
    dialog.name_edit.selectAll()
    QTest.keyClicks(dialog.name_edit, text)
    dialog.name_edit.completer().popup().hide()


def test_margins_of_each_side_reach_the_patients_side(case, qtbot):
    dialog = ask(case, qtbot)
    QTest.mouseClick(dialog.same, Qt.MouseButton.LeftButton, pos=QPoint(8, dialog.same.height() // 2))
    assert not dialog.same.isChecked()
    dialog.margin_boxes["L"].setValue(9)
    settled(case, qtbot)
    enter(dialog)
    finished(case, qtbot, "PTV")
    left, _, right, _ = structure(case, "PTV").contours[12].bounds
    assert (right, -left) == pytest.approx((29, 25), abs=0.1)  # head first, supine: +x is the patient's left


def test_the_preview_is_dashed_in_every_view_and_gone_with_the_dialog(case, qtbot):
    space = case.workspace

    def pictures():
        return [view.grab().toImage() for view in case.views.slices.values()]

    QTest.qWait(100)
    before = pictures()
    dialog = ask(case, qtbot)
    QTest.qWait(100)
    assert case.target_desk.preview[0][12].bounds[2] == pytest.approx(25, abs=0.1)
    assert all(a != b for a, b in zip(before, pictures(), strict=True))
    assert space.state.find("PTV") is None
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: case.target_desk.dialog is None)
    QTest.qWait(100)
    assert case.target_desk.preview is None
    assert all(a == b for a, b in zip(before, pictures(), strict=True))


def test_the_slices_can_be_looked_at_while_the_dialog_is_open(case, qtbot):
    ask(case, qtbot)
    ready(case, qtbot)
    key(case, Qt.Key.Key_PageUp)
    assert case.workspace.slice_index == 13


def test_the_ends_are_stated_in_slices(case, qtbot):
    dialog = ask(case, qtbot)
    assert dialog.ends.text() == "S 5 mm = 2 slices of 3 mm (6 mm)   ·   I 5 mm = 2 slices of 3 mm (6 mm)"
    assert ends_in_words(EndCount("S", 4.0, 2, (2.0, 3.0))) == "S 4 mm = 2 slices (5 mm)"
    assert ends_in_words(EndCount("I", 1.0, 0, ())) == "I 1 mm = no slice"
    assert ends_in_words(EndCount("I", -3.0, -1, (3.0,))) == "I -3 mm = 1 slice of 3 mm fewer (3 mm)"


def test_minus_plus_and_a_second_source(case, qtbot):
    dialog = ask(case, qtbot)
    QTest.keyClick(dialog, Qt.Key.Key_M, Qt.KeyboardModifier.AltModifier)
    assert "(Alt+M)" in dialog.minus.add_button.toolTip()
    qtbot.waitUntil(lambda: len(dialog.minus.rows) == 1)
    _, box, gap = dialog.minus.rows[0]
    box.setCurrentText("Cord")
    gap.setValue(2)
    settled(case, qtbot)
    assert dialog.recipe.minus == (Minus("Cord", 2),)
    enter(dialog)
    finished(case, qtbot, "PTV")
    ptv, cord = (structure(case, name).contours[12] for name in ("PTV", "Cord"))
    assert ptv.distance(cord) == pytest.approx(2, abs=0.1)
    assert structure(case, "PTV").description == "derived: CTV + 5 mm, 3 mm inside External, minus (Cord + 2 mm)"
    case.workspace.select(number(case, "CTV"))
    dialog = ask(case, qtbot)
    QTest.mouseClick(dialog.sources.add_button, Qt.MouseButton.LeftButton)
    dialog.sources.rows[1][1].setCurrentText("Cord")
    QTest.mouseClick(dialog.plus.add_button, Qt.MouseButton.LeftButton)
    dialog.plus.rows[0][1].setCurrentText("PTV")
    settled(case, qtbot)
    assert dialog.recipe.text == "((CTV or Cord) + 5 mm) or PTV, 3 mm inside External"
    remove = dialog.sources.rows[1][0].findChildren(type(dialog.color))[-1]
    QTest.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert dialog.recipe.sources == ("CTV",)


def test_a_crop_that_leaves_nothing_is_refused_with_its_reason(case, qtbot):
    dialog = ask(case, qtbot)
    dialog.inside_mm.setValue(70)
    settled(case, qtbot)
    assert "would be empty" in dialog.problem.text()
    assert not dialog.ok.isEnabled()
    assert case.target_desk.preview is None
    enter(dialog)
    assert case.workspace.state.find("PTV") is None
    dialog.inside_mm.setValue(3)
    settled(case, qtbot)
    assert dialog.ok.isEnabled()


def test_a_source_that_changes_while_the_dialog_is_open_is_used_as_it_is_then(case, qtbot):
    dialog = ask(case, qtbot)
    redraw(case, "CTV", 15)
    enter(dialog)  # at once, before the preview is computed again
    finished(case, qtbot, "PTV")
    assert radius(case, "PTV") == pytest.approx(20, abs=0.1)
    assert not case.workspace.recipe_statuses[number(case, "PTV")].is_stale


def test_a_source_that_is_deleted_or_renamed_while_the_dialog_is_open(case, qtbot):
    dialog, space = ask(case, qtbot), case.workspace
    space.apply(actions.rename(space.state, number(case, "CTV"), "CTV_7"))
    assert dialog.recipe.sources == ("CTV_7",)
    settled(case, qtbot)
    assert dialog.name == "PTV"
    space.apply(actions.remove(space.state, number(case, "CTV_7")))
    space.apply(actions.add(space.state, drawn("CTV_7", 9)))  # another one of this name is not taken
    settled(case, qtbot)
    assert not dialog.ok.isEnabled()
    assert "there is no structure" in dialog.problem.text()


def test_the_list_shows_what_is_stale_and_f6_refreshes_it(case, qtbot):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    space, panel = case.workspace, case.panel
    assert not panel.refresh_all.isVisible()
    redraw(case, "CTV", 15)
    assert "out of date: CTV changed" in panel.model.details(space.state.find("PTV"))
    assert panel.refresh.isVisible()
    assert panel.refresh_all.text() == "Refresh all (1)"
    space.undo()
    assert "out of date" not in panel.model.details(space.state.find("PTV"))
    assert not panel.refresh_all.isVisible()
    space.redo()
    ready(case, qtbot)
    key(case, Qt.Key.Key_F6)
    qtbot.waitUntil(lambda: not space.recipe_statuses[number(case, "PTV")].is_stale, timeout=10_000)
    assert radius(case, "PTV") == pytest.approx(20, abs=0.1)
    assert space.case.undo_label == "Refresh PTV"
    space.undo()
    assert radius(case, "PTV") == pytest.approx(25, abs=0.1)
    QTest.mouseClick(panel.refresh, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not space.recipe_statuses[number(case, "PTV")].is_stale, timeout=10_000)


def with_ring(case, qtbot):
    """PTV from CTV, and a ring of 10 mm around PTV."""
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    dialog = ask(case, qtbot)
    typed(dialog, "10")
    QTest.mouseClick(dialog.minus.add_button, Qt.MouseButton.LeftButton)
    dialog.minus.rows[0][1].setCurrentText("PTV")
    settled(case, qtbot)
    assert dialog.name == "Ring_PTV"
    dialog.margin_boxes["R"].setFocus()
    enter(dialog)
    finished(case, qtbot, "Ring_PTV")


def test_a_chain_is_refreshed_in_order_as_one_step(case, qtbot):
    with_ring(case, qtbot)
    space = case.workspace
    assert len(structure(case, "Ring_PTV").contours[12].geoms[0].interiors) == 1
    redraw(case, "CTV", 15)
    assert case.panel.refresh_all.text() == "Refresh all (2)"
    ready(case, qtbot)
    key(case, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: not any(s.is_stale for s in space.recipe_statuses.values()), timeout=10_000)
    assert radius(case, "Ring_PTV") == pytest.approx(30, abs=0.2)
    space.undo()
    assert sum(s.is_stale for s in space.recipe_statuses.values()) == 2


def test_edits_by_hand_are_asked_for_before_a_refresh_replaces_them(case, qtbot, answer):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    space = case.workspace
    redraw(case, "PTV", 40)
    redraw(case, "CTV", 15)
    assert "edited" in case.panel.model.details(space.state.find("PTV"))
    asked = []

    def no(box):
        asked.append(box.informativeText())
        box.reject()

    answer(QMessageBox, no)
    case.action_set.trigger("refresh")
    assert asked == ["PTV"]
    assert radius(case, "PTV") == pytest.approx(40, abs=0.1)
    answer(QMessageBox, lambda box: box.buttons()[0].click())
    case.action_set.trigger("refresh_all")
    qtbot.waitUntil(lambda: radius(case, "PTV") < 30, timeout=10_000)


def test_a_protected_result_is_not_changed_and_said(case, qtbot):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    space, said = case.workspace, []
    space.approve(number(case, "PTV"), "A. Physicist")
    redraw(case, "CTV", 15)
    assert "out of date" in case.panel.model.details(space.state.find("PTV"))
    space.message.connect(lambda words, refused: said.append((words, refused)))
    case.action_set.trigger("refresh")
    case.action_set.trigger("refresh_all")
    qtbot.waitUntil(lambda: len(said) >= 2, timeout=10_000)
    assert all(refused and "PTV is approved" in words for words, refused in said)
    assert radius(case, "PTV") == pytest.approx(25, abs=0.1)
    (problem,) = [p for p in check_case(space.case, ExportOptions()) if p.finding.code == "AC-EX-011"]
    assert "PTV" in problem.finding.message
    assert "CTV" in problem.finding.message


def test_a_source_that_is_gone_or_empty_is_shown_and_said(case, qtbot):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    space, said = case.workspace, []
    space.message.connect(lambda words, refused: said.append(words))
    ctv = number(case, "CTV")
    space.redraw("Delete", dict.fromkeys(structure(case, "CTV").contours), ctv)
    details = case.panel.model.details
    assert "source CTV is empty" in details(space.state.find("PTV"))
    space.select(number(case, "PTV"))
    case.action_set.trigger("refresh")
    qtbot.waitUntil(lambda: any("CTV has no contours" in words for words in said), timeout=10_000)
    space.apply(actions.remove(space.state, ctv))
    assert "source CTV deleted" in details(space.state.find("PTV"))
    space.apply(actions.add(space.state, drawn("CTV", 30, number=50)))
    assert "CTV was deleted, another has its name" in details(space.state.find("PTV"))
    case.action_set.trigger("refresh")
    qtbot.waitUntil(lambda: any("another structure has this name" in words for words in said), timeout=10_000)
    assert radius(case, "PTV") == pytest.approx(25, abs=0.1)


def test_a_recipe_is_changed_as_one_step(case, qtbot):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    ready(case, qtbot)
    key(case, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dialog = case.target_desk.dialog
    assert dialog.windowTitle() == "Recipe of PTV"
    assert dialog.recipe.text == "CTV + 5 mm, 3 mm inside External"
    typed(dialog, "7")
    settled(case, qtbot)
    enter(dialog)
    qtbot.waitUntil(lambda: radius(case, "PTV") == pytest.approx(27, abs=0.1), timeout=10_000)
    assert structure(case, "PTV").description.startswith("derived: CTV + 7 mm")
    assert len(case.workspace.state.items) == 4
    case.workspace.undo()
    assert radius(case, "PTV") == pytest.approx(25, abs=0.1)


def test_a_recipe_of_fractions_of_millimetres_is_shown_and_kept_as_it_is(case, qtbot):
    space = case.workspace
    recipe = Recipe(("CTV",), (2.25, 2.25, 2.25, 2.25, 3.125, 0.0), minus=(Minus("Cord", 0.75),))
    space.apply(add_target(space.state, "PTV", recipe, space.ct.geometry))
    space.select(number(case, "PTV"))
    case.action_set.trigger("recipe")
    settled(case, qtbot)
    dialog = case.target_desk.dialog
    assert dialog.recipe == recipe
    assert [dialog.margin_boxes[side].text() for side in "LSI"] == ["2.25 mm", "3.125 mm", "0 mm"]
    assert not dialog.same.isChecked()


def test_a_structure_cannot_become_its_own_source(case, qtbot):
    with_ring(case, qtbot)
    space = case.workspace
    space.select(number(case, "PTV"))
    case.action_set.trigger("recipe")
    dialog = case.target_desk.dialog
    assert dialog.sources.rows[0][1].findData(number(case, "PTV")) < 0
    dialog.sources.rows[0][1].setCurrentText("Ring_PTV")
    settled(case, qtbot)
    assert "made from itself: PTV ← Ring_PTV ← PTV" in dialog.problem.text()
    assert not dialog.ok.isEnabled()


def test_the_dialog_closes_with_its_scan_and_with_its_structure(case, qtbot):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    case.action_set.trigger("recipe")
    assert case.target_desk.dialog is not None
    space = case.workspace
    space.apply(actions.remove(space.state, number(case, "PTV")))
    assert case.target_desk.dialog is None
    space.select(number(case, "CTV"))
    case.action_set.trigger("target")
    other = small_ct()
    other = replace(other, hu=other.hu + 1)
    case.show_ct(other)
    qtbot.waitUntil(lambda: case.target_desk.dialog is None)


def test_recipes_survive_closing_and_are_stale_as_before(case, qtbot, another_window, tmp_path):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    redraw(case, "CTV", 15)
    case.close()
    again = another_window()
    again.show_ct(small_ct())
    assert again.workspace.recipe_statuses[number(again, "PTV")].changed == ("CTV",)


def test_a_stale_result_is_not_ticked_for_approval_and_says_why(case, qtbot, answer):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    space, shown = case.workspace, {}
    redraw(case, "CTV", 15)
    space.select(number(case, "CTV"))
    space.look()
    space.select(number(case, "PTV"))
    space.look()

    def look(dialog):
        rows = [dialog.list.item(k) for k in range(dialog.list.count())]
        shown.update({row.text(): row.checkState() is Qt.CheckState.Checked for row in rows})
        dialog.reject()

    answer(SeveralDialog, look)
    case.action_set.trigger("approve_viewed")
    ticks = {text.split()[0]: ticked for text, ticked in shown.items()}
    assert (ticks["CTV"], ticks["PTV"]) == (True, False)
    assert any("out of date: CTV changed" in text for text in shown)


def test_a_changed_recipe_asks_before_it_replaces_edits_by_hand(case, qtbot, answer):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    redraw(case, "PTV", 40)
    case.action_set.trigger("recipe")
    settled(case, qtbot)
    asked = []

    def no(box):
        asked.append(box.informativeText())
        box.reject()

    answer(QMessageBox, no)
    case.target_desk.dialog.ok.click()
    assert asked == ["PTV"]
    assert case.target_desk.dialog is not None  # it stays open
    assert radius(case, "PTV") == pytest.approx(40, abs=0.1)


@pytest.fixture
def slow(monkeypatch):
    """Every computation takes as long as it is not stopped."""
    from autocontour.gui.app import targets

    ended = []

    def make(*arguments, **values):
        job = arguments[4]
        try:
            for step in range(1000):
                job.advance("growing", step / 1000)
                time.sleep(0.02)
        finally:
            ended.append(job)

    monkeypatch.setattr(targets, "make", make)
    return ended


def test_a_long_preview_shows_its_progress_and_ends_with_the_dialog(case, qtbot, slow):
    key(case, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    dialog = case.target_desk.dialog
    qtbot.waitUntil(dialog.progress.isVisible, timeout=10_000)
    case.workspace.step(Plane.AXIAL, 1)  # the window answers meanwhile
    assert case.workspace.slice_index == 13
    typed(dialog, "9")  # another recipe stops the computation of the one before
    qtbot.waitUntil(lambda: len(slow) == 1, timeout=10_000)
    qtbot.waitUntil(lambda: case.target_desk.is_computing)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(slow) == 2, timeout=10_000)
    assert case.target_desk.dialog is None
    assert len(case.workspace.state.items) == 3


def test_what_was_accepted_before_it_was_computed_can_be_stopped(case, qtbot, slow):
    key(case, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    dialog = case.target_desk.dialog
    qtbot.waitUntil(lambda: case.target_desk.is_computing)
    enter(dialog)
    qtbot.waitUntil(case.work_strip.isVisible, timeout=10_000)
    assert case.target_desk.dialog is None
    QTest.mouseClick(case.work_strip.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(slow) == 2, timeout=10_000)
    assert len(case.workspace.state.items) == 3
    assert not case.workspace.background.is_running


def test_a_second_computation_is_refused_and_the_dialog_stays(case, qtbot):
    dialog, said = ask(case, qtbot), []
    case.workspace.message.connect(lambda words, refused: said.append(words))
    stop = []
    case.workspace.background.run("Margin", (), lambda job: wait_for(job, stop), lambda _: None)
    dialog.ok.click()
    assert case.target_desk.dialog is dialog
    assert any("Another computation is running" in words for words in said)
    stop.append(True)
    qtbot.waitUntil(lambda: not case.workspace.background.is_running, timeout=10_000)
    dialog.ok.click()
    finished(case, qtbot, "PTV")


def wait_for(job, stop):
    while not stop:
        job.advance("growing", 0.5)
        time.sleep(0.02)


TEMPLATE = """
[[structures]]
name = "External"
type = "EXTERNAL"
[[recipes]]
name = "PTV_High"
sources = ["CTV"]
margin_mm = 6
color = "#0a0b0c"
[[recipes]]
name = "Ring"
sources = ["PTV_High"]
margin_mm = 10
minus = [{ name = "PTV_High" }]
[[recipes]]
name = "PTV_Low"
sources = ["CTV_Low"]
margin_mm = 5
"""


def test_a_templates_recipes_are_made_after_auto_contouring_where_their_sources_are(case, qtbot, tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text(TEMPLATE, encoding="utf-8")
    space, said = case.workspace, []
    space.message.connect(lambda words, refused: said.append(words))
    case.auto_bar.start(str(path), ("External",))
    qtbot.waitUntil(lambda: space.state.find("Ring") is not None, timeout=60_000)
    assert radius(case, "PTV_High") == pytest.approx(26, abs=0.1)
    assert structure(case, "PTV_High").color_rgb == (10, 11, 12)
    assert space.state.find("PTV_Low") is None
    assert any("PTV_Low" in words for words in said)
    redraw(case, "CTV", 15)
    assert sum(s.is_stale for s in space.recipe_statuses.values()) == 2


def test_a_templates_recipes_wait_for_their_sources(case, qtbot, tmp_path, monkeypatch):
    from autocontour.gui.app import structures as module
    from autocontour.site import template as templates

    path = tmp_path / "ours.toml"
    path.write_text(TEMPLATE, encoding="utf-8")
    monkeypatch.setattr(templates, "FOLDER", tmp_path)
    monkeypatch.setattr(module.QInputDialog, "getItem", lambda *_: ("ours", True))
    space = case.workspace
    case.action_set.trigger("add_site")
    assert "waits for CTV_Low" in case.panel.model.details(space.state.find("PTV_Low"))
    assert "not made yet" in case.panel.model.details(space.state.find("PTV_High"))
    case.action_set.trigger("refresh_all")
    qtbot.waitUntil(lambda: bool(structure(case, "Ring").contours), timeout=10_000)
    assert radius(case, "PTV_High") == pytest.approx(26, abs=0.1)
    assert not structure(case, "PTV_Low").contours
    space.undo()
    space.undo()
    assert space.state.find("PTV_High") is None


def test_a_stale_result_is_named_in_the_export_dialog(case, qtbot, answer):
    enter(ask(case, qtbot))
    finished(case, qtbot, "PTV")
    case.workspace.apply(Edit("Brush", {number(case, "CTV"): {12: disc(r=5.0)}}))
    problems = check_case(case.workspace.case, ExportOptions())
    assert [p.finding.message for p in problems if p.finding.code == "AC-EX-011"] == [
        "PTV is out of date: CTV changed after it was made."
    ]
