"""The window of a blind review, by keys and mouse: answers, going back, pauses, drawing, and no sign of an origin."""

import json
import re
import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QInputDialog, QLabel, QMessageBox, QWidget

from autocontour.base.errors import OutputError
from autocontour.base.jobs import Job
from autocontour.gui.blind.window import BlindWindow
from autocontour.gui.blind.workspace import COLOR_RGB
from autocontour.gui.look import theme
from autocontour.qa.commissioning.blind.files import read_review
from autocontour.qa.commissioning.blind.plan import CORRECT, DRAW, JUDGE, Shares
from autocontour.qa.commissioning.blind.prepare import prepare_review
from autocontour.qa.commissioning.blind.request import ReviewRequest
from autocontour.qa.commissioning.blind.session import Session
from autocontour.qa.commissioning.blind.verify import check_review
from tests.qa.commissioning.blind_cohort import write_patient

Key = Qt.Key
KEY = "1" * 64
"""Decides the order of the tasks; a new review has a random one."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("blind")
    for number in range(2):
        write_patient(root / "cohort" / f"patient{number}", number, ("manual", "automatic"))
    (root / "review.private").mkdir()
    (root / "review.private" / "key").write_text(KEY)
    origins = {kind: f"*/{kind}/*" for kind in ("manual", "automatic")}
    prepare_review(ReviewRequest(root / "cohort", root / "review", **origins, shares=Shares(0.4, 0.1)), Job())
    kinds = [task.kind for task in Session(read_review(root / "review"), "kim").order]
    assert kinds.index(JUDGE) < kinds.index(DRAW) < kinds.index(CORRECT), kinds  # the order the tests go through
    return root


@pytest.fixture
def review(prepared, tmp_path):
    for name in ("review", "review.private"):
        shutil.copytree(prepared / name, tmp_path / name)
    return read_review(tmp_path / "review")


@pytest.fixture
def show(qtbot, qapp, review):
    theme.use_theme(qapp, theme.DARK)
    made = []

    def start(reviewer="kim"):
        window = BlindWindow(Session(review, reviewer))
        window.resize(1300, 850)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        made.append(window)
        wait_for_task(qtbot, window)
        return window

    yield start
    for window in made:
        window.close()
        window.deleteLater()


def wait_for_task(qtbot, window):
    """Wait until a task is shown, or why it is not, or the end."""
    panel = window.panel
    qtbot.waitUntil(
        lambda: window.task is not None or window.session.current is None or "Restore" in panel.words.text(),
        timeout=10000,
    )


def press(window, *keys, modifier=Qt.KeyboardModifier.NoModifier):
    for key in keys:
        QTest.keyClick(window.views.axial, key, modifier)


def answers(review, reviewer="kim"):
    found = review.place_of(reviewer).read()
    assert found.problems == ()
    return [entry for entry in found.entries if entry["type"] == "answer"]


def stroke(window, at=(0.4, 0.5), to=(0.6, 0.5)):
    view = window.views.axial
    points = [view.rect().topLeft() + (view.rect().bottomRight() * share) for share in (0.45, 0.5, 0.55)]
    QTest.mouseMove(view, points[0])
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[0])
    for point in points[1:]:
        QTest.mouseMove(view, point)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[-1])


def go_to(qtbot, window, kind):
    """Answer until a task of a kind is shown."""
    while window.session.current is not None and window.session.current.kind != kind:
        before = window.session.index
        if window.task.kind == JUDGE:
            press(window, Key.Key_1, Key.Key_5, Key.Key_Return)
        else:
            stroke(window)
            press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda before=before: window.session.index == before + 1)
        wait_for_task(qtbot, window)


def shown_texts(window):
    """Everything that the window tells: texts, tooltips, and what screen readers get."""
    texts = [window.windowTitle(), window.workspace.current.structure.description]
    for widget in window.findChildren(QWidget):
        texts += [widget.toolTip(), widget.accessibleName(), widget.accessibleDescription(), widget.statusTip()]
        texts += [widget.text()] if isinstance(widget, QLabel) or hasattr(widget, "isCheckable") else []
    height = window.views.slider.height()
    return [*texts, *(window.views.slider.describe(y) for y in range(0, height, 10))]


def test_a_contour_is_judged_by_keys_alone(show, qtbot, review):
    window = show()
    go_to(qtbot, window, JUDGE)
    task = window.task
    press(window, Key.Key_Return)
    assert window.task is task  # both questions are open
    press(window, Key.Key_3, Key.Key_H)
    assert window.panel.corrections["major"].isChecked()
    assert window.panel.origins["human"].isChecked()
    press(window, Key.Key_2, Key.Key_M, Key.Key_Return)
    wait_for_task(qtbot, window)
    last = answers(review)[-1]
    assert (last["task"], last["correction"], last["origin"]) == (task.name, "minor", "machine")
    assert last["shown"] == review.items[task.item].content
    assert window.panel.next.isEnabled() is False  # nothing of the answer before is left
    assert (window.correction, window.origin) == ("", "")


def test_a_contour_is_judged_by_mouse(show, qtbot, review):
    window = show()
    go_to(qtbot, window, JUDGE)
    task, panel = window.task, window.panel
    for button in (panel.corrections["no"], panel.origins["machine"], panel.next):
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    wait_for_task(qtbot, window)
    assert answers(review)[-1]["task"] == task.name
    QTest.mouseClick(panel.back, Qt.MouseButton.LeftButton)
    wait_for_task(qtbot, window)
    assert window.task == task


def test_going_back_changes_the_answer_of_the_task_before_and_no_other(show, qtbot, review):
    window = show()
    while True:
        go_to(qtbot, window, JUDGE)
        if window.session.following.kind == JUDGE:
            break
        press(window, Key.Key_1, Key.Key_4, Key.Key_Return)
        wait_for_task(qtbot, window)
    first = window.task
    press(window, Key.Key_1, Key.Key_4, Key.Key_Return)
    wait_for_task(qtbot, window)
    second = window.task
    press(window, Key.Key_3, Key.Key_Backspace)  # half answered: nothing of it goes to the task before
    wait_for_task(qtbot, window)
    assert window.task == first
    assert (window.correction, window.origin) == ("no", "human")
    press(window, Key.Key_Backspace)
    wait_for_task(qtbot, window)
    assert window.task == second  # one step back only; from there forward again
    press(window, Key.Key_Backspace)
    wait_for_task(qtbot, window)
    press(window, Key.Key_2, Key.Key_Return)
    wait_for_task(qtbot, window)
    assert window.task == second
    found = {entry["task"]: entry.get("correction") for entry in answers(review)}
    assert found[first.name] == "minor"
    assert second.name not in found
    assert {e["shown"] for e in answers(review) if e["task"] == first.name} == {review.items[first.item].content}


def test_it_goes_on_where_it_was_paused(show, qtbot, review):
    window = show()
    go_to(qtbot, window, JUDGE)
    press(window, Key.Key_1, Key.Key_4, Key.Key_Return)
    wait_for_task(qtbot, window)
    task = window.task
    press(window, Key.Key_Q, modifier=Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()
    again = show()
    assert again.task == task


def test_first_view_grey_scale_and_colour_are_the_same_for_every_origin(show, qtbot, review):
    kinds = json.loads((review.private / "origins.json").read_text())["items"]
    window = show()
    seen = {}
    while window.session.current is not None:
        if window.task.kind == JUDGE:
            space = window.workspace
            views = [(v.zoom, v.centre.x(), v.centre.y()) for v in window.views.slices.values()]
            look = (space.position_zyx, space.window, views, space.current.structure.color_rgb,
                    space.current.structure.name, space.current.structure.generation, space.case)  # fmt: skip
            seen.setdefault(window.task.pair, {}).setdefault(kinds[window.task.item], look)
            press(window, Key.Key_L, Key.Key_0, Key.Key_PageUp, Key.Key_Q)  # nothing of this stays
        before = window.session.index
        if window.task.kind == JUDGE:
            press(window, Key.Key_1, Key.Key_5, Key.Key_Return)
        else:
            stroke(window)
            press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda before=before: window.session.index == before + 1)
        wait_for_task(qtbot, window)
    for looks in seen.values():
        assert looks["manual"] == looks["automatic"]
        assert looks["manual"][3] == COLOR_RGB


def test_nothing_on_the_window_shows_origin_patient_or_time(show, qtbot, review):
    window = show()
    for kind in (JUDGE, DRAW, CORRECT):
        go_to(qtbot, window, kind)
        texts = "\n".join(shown_texts(window))
        telling = r"manual|automatic|corrected|secret|patient\d|approved|undo auto|minutes|/review"
        assert not re.search(telling, texts, re.IGNORECASE)
        assert not re.search(r"\bp[0-9a-f]{12}\b|\bi\d{4}\b", texts)


def test_a_structure_is_drawn_from_nothing_and_survives_a_kill(show, qtbot, review):
    window = show()
    go_to(qtbot, window, DRAW)
    task, space = window.task, window.workspace
    assert not space.drawn  # no contour of any origin is there
    press(window, Key.Key_1, Key.Key_4, Key.Key_Return)  # keys of questions do nothing here
    assert window.task is task
    press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    assert window.task is task  # nothing is drawn yet
    stroke(window)
    assert len(space.drawn) == 1
    press(window, Key.Key_Z, modifier=Qt.KeyboardModifier.ControlModifier)
    assert not space.drawn
    press(window, Key.Key_Z, modifier=Qt.KeyboardModifier.ControlModifier)
    assert space.current is not None  # the structure itself cannot be undone
    press(window, Key.Key_Y, modifier=Qt.KeyboardModifier.ControlModifier)
    drawn = space.drawn
    shutil.copytree(review.private / "work", review.private / "killed")
    window.close()
    shutil.rmtree(review.private / "work")
    (review.private / "killed").rename(review.private / "work")
    again = show()
    assert again.task == task
    assert again.workspace.drawn.keys() == drawn.keys()
    press(again, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    wait_for_task(qtbot, again)
    last = answers(review)[-1]
    assert last["task"] == task.name
    assert review.read_drawn("kim", last["drawn"]).keys() == drawn.keys()


def test_a_structure_is_drawn_without_a_network(show):
    window = show()
    by_hand = {"navigate", "brush", "eraser", "push", "freehand", "smart", "flood", "points", "ruler"}
    assert set(window.panel.tools) == set(window.tools) == by_hand
    assert not {"click"} & set(window.tools)


def test_tools_by_key_and_button(show, qtbot):
    window = show()
    go_to(qtbot, window, JUDGE)
    press(window, Key.Key_B)
    assert window.views.axial.tool.identity == "navigate"  # a contour that is judged cannot be changed
    before = window.workspace.drawn
    stroke(window)
    assert window.workspace.drawn is before
    go_to(qtbot, window, DRAW)
    press(window, Key.Key_E)
    assert window.views.axial.tool.identity == "eraser"
    QTest.mouseClick(window.panel.tools["brush"], Qt.MouseButton.LeftButton)
    brush = window.views.axial.tool
    radius = brush.radius_mm
    press(window, Key.Key_BracketRight)
    assert brush.radius_mm > radius
    stroke(window)
    press(window, Key.Key_Up, modifier=Qt.KeyboardModifier.ShiftModifier)
    assert len(window.workspace.drawn) == 2
    press(window, Key.Key_Delete)
    assert len(window.workspace.drawn) == 1
    press(window, Key.Key_Space)
    view = window.views.axial
    middle = view.rect().center()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    press(window, Key.Key_E)
    assert view.tool.identity == "brush"  # not during a stroke
    press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    assert window.task.kind == DRAW
    press(window, Key.Key_Escape)
    assert not view.tool.busy
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)


def test_a_structure_that_cannot_be_drawn(show, qtbot, review, answer):
    window = show()
    go_to(qtbot, window, DRAW)
    task = window.task
    answer(QMessageBox, lambda box: box.button(QMessageBox.StandardButton.No).click())
    QTest.mouseClick(window.panel.impossible, Qt.MouseButton.LeftButton)
    assert window.task is task
    answer(QMessageBox, lambda box: box.button(QMessageBox.StandardButton.Yes).click())
    QTest.mouseClick(window.panel.impossible, Qt.MouseButton.LeftButton)
    wait_for_task(qtbot, window)
    assert answers(review)[-1]["drawn"] == ""


def test_an_automatic_contour_is_corrected_after_all_judgements_of_it(show, qtbot, review):
    window = show()
    go_to(qtbot, window, CORRECT)
    task = window.task
    own = [one for one in window.session.order if one.pair == task.pair]
    assert own[-1] == task
    assert window.workspace.drawn
    assert not window.panel.impossible.isVisible()
    press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
    wait_for_task(qtbot, window)
    assert answers(review)[-1]["kind"] == CORRECT


def test_the_end(show, qtbot, review, answer):
    window = show()
    go_to(qtbot, window, "none")
    assert window.task is None
    press(window, Key.Key_Backspace)
    wait_for_task(qtbot, window)
    assert window.task == window.session.order[-1]
    press(window, Key.Key_Backspace)
    qtbot.waitUntil(lambda: window.session.current is None)
    answer(QMessageBox, lambda box: box.accept())
    press(window, Key.Key_Return)
    qtbot.waitUntil(lambda: not window.isVisible())
    problems, (state,) = check_review(review)
    assert problems == []
    assert state.is_sound
    assert state.is_finished
    assert state.answered == state.tasks


def test_an_answer_that_cannot_be_stored_stays_on_the_screen(show, qtbot, review, monkeypatch):
    window = show()
    go_to(qtbot, window, JUDGE)
    task = window.task

    def full(*_args):
        raise OutputError("AC-OUT-001", file="x", reason="disk full")

    monkeypatch.setattr(window.session._writer, "append", full)
    press(window, Key.Key_2, Key.Key_4, Key.Key_Return)
    assert window.task is task
    assert window.panel.corrections["minor"].isChecked()
    assert window.toast.isVisible()
    monkeypatch.undo()
    press(window, Key.Key_Return)
    wait_for_task(qtbot, window)
    assert answers(review)[-1]["task"] == task.name


def test_contours_that_were_changed_are_not_shown(show, qtbot, review):
    for path in (review.folder / "items").glob("*"):
        path.write_bytes(b"x")
    window = show()
    go_to_changed = window.session.order.index(next(t for t in window.session.order if t.kind == JUDGE))
    for _ in range(go_to_changed):
        stroke(window)
        before = window.session.index
        press(window, Key.Key_Return, modifier=Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(lambda before=before: window.session.index == before + 1)
        qtbot.wait(200)
    qtbot.waitUntil(lambda: "Restore" in window.panel.words.text())
    assert window.task is None


def test_from_the_menu_of_the_viewer_which_is_hidden_meanwhile(window, qtbot, review, monkeypatch, tmp_path):
    """The viewer could show the origin of the same contours."""
    asked = iter((str(tmp_path / "nowhere"), str(tmp_path / "review"), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(asked))
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("kim ", True))
    start = window.action_set.by_name["blind_review"].trigger
    start()
    assert window.review is None
    assert "review" in window.toast.text()
    assert window.isVisible()
    start()
    assert window.review is not None
    assert not window.isVisible()
    wait_for_task(qtbot, window.review)
    assert window.review.session.reviewer == "kim"
    window.review.close()
    assert window.isVisible()
    start()  # no folder chosen
    assert window.isVisible()
