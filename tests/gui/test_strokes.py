"""A stroke lands where it was begun: in its structure, on its slice, whatever happens while the button is down."""

import threading

import numpy as np
import pytest
import shapely
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox
from shapely import Point

from autocontour.base.errors import CaseError
from autocontour.case import Edit, actions
from autocontour.gui.views.planes import Plane
from autocontour.patient.structures import Structure
from tests.gui.conftest import disc, small_ct
from tests.gui.test_editing import press, wheel
from tests.gui.test_tools import side_stroke

KEY, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton
AXIAL = {
    KEY.Key_B: [(30, 0), (36, 0), (42, 0)],
    KEY.Key_E: [(20, 0), (10, 0), (0, 0)],
    KEY.Key_P: [(25, 0), (32, 0), (38, 0)],
    KEY.Key_F: [(20, -10), (45, -10), (45, 10), (20, 10)],
    KEY.Key_G: [(30, 20), (34, 24), (38, 26)],
    KEY.Key_W: [(45, 0), (50, 0), (56, 0)],
    KEY.Key_D: [(30, 0), (36, 0), (40, 0)],
}
"""A stroke of each tool that changes the ball of `conftest.ball` on its middle slice."""
STROKES = [(Plane.AXIAL, key, points) for key, points in AXIAL.items()] + [
    (plane, key, points)
    for plane in (Plane.CORONAL, Plane.SAGITTAL)
    for key, points in ((KEY.Key_B, [(32, 0), (36, 2), (40, 4)]), (KEY.Key_E, [(25, 0), (15, 2), (5, 4)]))
]
NAMES = [f"{plane.name.lower()}-{key.name.removeprefix('Key_')}" for plane, key, _ in STROKES]
every_tool = pytest.mark.parametrize(("plane", "key", "points"), STROKES, ids=NAMES)


@pytest.fixture
def two(opened, qtbot):
    """The window with a second structure, after the first in the list, on other slices too; the first is selected."""
    liver = Structure("Liver", 2, {z: disc(60, 30, 12) for z in range(8, 16)}, color_rgb=(0, 200, 255))
    opened.workspace.receive(liver)
    opened.workspace.go_to((12, 60, 70))
    assert opened.workspace.selected == 1
    return opened


class Stroke:
    """A stroke of which the button is still down."""

    def __init__(self, window, plane, key, points):
        press(window, key)
        self.view = window.views.slices[plane]
        self.pixels = [self.view.to_pixels(*point).toPoint() for point in points]
        QTest.mouseMove(self.view, self.pixels[0])
        QTest.mousePress(self.view, LEFT, NONE, self.pixels[0])
        QTest.mouseMove(self.view, self.pixels[1])

    def end(self):
        for pixel in self.pixels[2:]:
            QTest.mouseMove(self.view, pixel)
        QTest.mouseRelease(self.view, LEFT, NONE, self.pixels[-1])


def undisturbed(window, plane, key, points):
    """What the stroke makes of the first structure when nothing happens meanwhile; it is taken back."""
    start = window.workspace.state
    Stroke(window, plane, key, points).end()
    contours = window.workspace.state[1].structure.contours
    assert window.workspace.state[1].structure.contours != start[1].structure.contours
    window.workspace.undo()
    return contours


def same(contours, others):
    assert contours.keys() == others.keys()
    for z, outline in contours.items():
        assert shapely.area(outline.symmetric_difference(others[z])) < 1e-6


def try_everything(window):
    """Press what could change structure, slice or contours."""
    for key, modifier in (
        *((KEY.Key_N, NONE), (KEY.Key_PageUp, NONE), (KEY.Key_Down, NONE), (KEY.Key_Space, NONE), (KEY.Key_J, NONE)),
        *((KEY.Key_Delete, NONE), (KEY.Key_S, NONE), (KEY.Key_L, NONE), (KEY.Key_K, NONE), (KEY.Key_Z, CONTROL)),
        *((KEY.Key_Delete, CONTROL), (KEY.Key_Up, SHIFT), (KEY.Key_D, CONTROL), (KEY.Key_E, NONE), (KEY.Key_R, NONE)),
        *((KEY.Key_A, NONE), (KEY.Key_M, NONE), (KEY.Key_O, NONE), (KEY.Key_F5, NONE), (KEY.Key_Return, CONTROL)),
    ):
        press(window, key, modifier)
    QTest.keyClick(window.panel.list, KEY.Key_Down)
    window.panel.approve.click()
    window.panel.next.click()
    for view in window.views.slices.values():
        wheel(view, 2)
    QTest.mouseClick(window.views.slider, LEFT)


@every_tool
def test_b1_b3_no_key_wheel_or_button_redirects_a_stroke(two, plane, key, points):
    expected = undisturbed(two, plane, key, points)
    space = two.workspace
    liver, tool = space.state[2], two.views.axial.tool
    stroke = Stroke(two, plane, key, points)
    try_everything(two)
    stroke.end()
    assert (space.selected, space.slice_index) == (1, 12)
    assert space.state[2] is liver
    assert two.views.axial.tool is tool
    same(space.state[1].structure.contours, expected)
    assert space.case.undo_label == tool.name


@every_tool
def test_b2_a_result_waits_for_the_end_of_the_stroke_and_selects_nothing(two, qtbot, plane, key, points):
    expected = undisturbed(two, plane, key, points)
    space, go_on = two.workspace, threading.Event()
    hands = space.hands
    grown = Structure("Grown", 9, {12: disc(0, 0, 50)})
    space.background.run("Margin", (2,), lambda job: go_on.wait(20), lambda _: space.add_structure(grown, hands=hands))
    stroke = Stroke(two, plane, key, points)
    go_on.set()
    two.auto_bar._hands = hands
    space.when_free(lambda: two.auto_bar._receive(Structure("Heart", 1, {12: disc(0, 0, 3)}, tg263_name="Heart")))
    QTest.qWait(150)
    assert [s.name for s in space.state.structures] == ["Heart", "Liver"]
    assert space.state[1].structure.contours[12].area > 100
    stroke.end()
    assert space.selected == 1
    same(space.state[1].structure.contours, expected)  # the stroke first; what waited follows
    qtbot.waitUntil(lambda: space.state.find("Grown") is not None)
    assert space.selected == 1
    assert "Grown" in two.toast.text()


@every_tool
def test_b2_no_progress_moves_the_views_under_the_pointer(two, qtbot, plane, key, points):
    """The strip that shows progress takes room from the views: it waits for the end of the stroke."""
    expected, go_on = undisturbed(two, plane, key, points), threading.Event()
    two.workspace.background.run("Margin", (2,), lambda job: go_on.wait(20), lambda _: None)
    stroke = Stroke(two, plane, key, points)
    size = stroke.view.size()
    QTest.qWait(500)
    assert stroke.view.size() == size
    stroke.end()
    same(two.workspace.state[1].structure.contours, expected)
    qtbot.waitUntil(two.work_strip.isVisible)
    go_on.set()
    qtbot.waitUntil(lambda: not two.work_strip.isVisible())


def test_b2_a_result_is_selected_only_where_nothing_was_done_since(two):
    space = two.workspace
    hands = space.hands
    press(two, KEY.Key_B)  # a tool taken in hand is enough
    space.add_structure(Structure("PTV", 9, {12: disc(0, 0, 50)}), hands=hands)
    assert space.selected == 1
    space.add_structure(Structure("PTV2", 9, {12: disc(0, 0, 50)}), hands=space.hands)
    assert space.current.structure.name == "PTV2"


def test_b6_undo_keeps_the_structure_being_drawn(two, hand):
    space = two.workspace
    space.select(2)
    space.add_structure(Structure("CTV_and_Liver", 9, {12: disc(0, 0, 50)}))
    press(two, KEY.Key_Z, CONTROL)
    assert space.selected == 2
    heart = space.state[1]
    press(two, KEY.Key_B)
    hand.stroke([(0, 0), (4, 0)])
    assert space.state[1] is heart
    assert space.case.undo_label == "Brush"


def test_b6_a_structure_that_redo_brings_back_is_selected_again(window):
    window.show_ct(small_ct())
    window.workspace.add_structure(Structure("Liver", 9, {12: disc(0, 0, 50)}))
    press(window, KEY.Key_Z, CONTROL)
    assert window.workspace.selected is None
    press(window, KEY.Key_Y, CONTROL)
    assert window.workspace.current.structure.name == "Liver"


def test_b6_nothing_is_selected_where_no_choice_is_left(opened, hand):
    space = opened.workspace
    space.add_structure(Structure("Liver", 9, {12: disc(0, 0, 50)}))
    space.apply(Edit("Delete", removed=(1,)))
    press(opened, KEY.Key_Delete, CONTROL)
    assert space.selected is None
    press(opened, KEY.Key_B)
    hand.stroke([(0, 0)])
    assert "Choose a structure" in opened.toast.text()


@every_tool
def test_b7_a_hidden_structure_is_shown_again_when_it_is_drawn_on(two, plane, key, points):
    space = two.workspace
    press(two, KEY.Key_Z)
    assert 1 in space.hidden
    stroke = Stroke(two, plane, key, points)
    assert 1 not in space.hidden
    assert "shown again" in two.toast.text()
    stroke.end()


def test_b7_outlines_are_shown_again_when_one_is_drawn_on(two, hand):
    press(two, KEY.Key_Q)
    press(two, KEY.Key_B)
    before = hand.color_at(60, 0)
    hand.stroke([(50, 0), (60, 0), (70, 0)])
    assert two.workspace.outlines_shown
    red, green, _ = hand.color_at(60, 0)
    assert red - green > 10 > before[0] - before[1]


def test_b7_a_hidden_structure_is_shown_again_when_a_key_changes_it(two):
    press(two, KEY.Key_Z)
    press(two, KEY.Key_Delete)
    assert 1 not in two.workspace.hidden


@every_tool
def test_a_protected_structure_is_not_drawn_on_in_any_plane(two, plane, key, points):
    press(two, KEY.Key_K)
    before = two.workspace.state
    Stroke(two, plane, key, points).end()
    assert two.workspace.state is before
    assert "locked" in two.toast.text()


@every_tool
def test_a_dialog_that_opens_in_a_stroke_ends_it_where_the_pointer_is(two, plane, key, points, answer):
    before = two.workspace.state[1].structure.contours
    stroke = Stroke(two, plane, key, points)
    for pixel in stroke.pixels[2:]:
        QTest.mouseMove(stroke.view, pixel)
    answer(QMessageBox, lambda box: box.reject())
    QMessageBox.question(two, "Question", "A question that nobody has asked for")
    assert not two.workspace.is_held
    assert two.workspace.state[1].structure.contours != before


def test_a_lost_release_does_not_join_two_strokes(two, hand):
    Stroke(two, Plane.AXIAL, KEY.Key_B, [(40, 0), (42, 0)])
    two.workspace.case.look(1, 12)
    hand.stroke([(-40, 0), (-42, 0)])
    labels = []
    while two.workspace.case.undo_label == "Brush":
        labels.append("Brush")
        two.workspace.undo()
    assert labels == ["Brush", "Brush"]


def test_a_second_view_does_not_begin_a_stroke_while_one_is_under_way(two):
    stroke = Stroke(two, Plane.AXIAL, KEY.Key_B, [(40, 0), (42, 0), (44, 0)])
    side_stroke(two.views.slices[Plane.CORONAL], [(1.0, 0.0)])
    assert two.workspace.case.undo_label != "Brush"
    stroke.end()
    changed = two.workspace.state[1].structure.contours
    assert len({z for z in changed if changed[z] is not two.workspace.current.automatic.get(z)}) == 1


@every_tool
def test_the_name_and_colour_of_the_structure_stand_at_the_cursor_and_in_the_axial_view(two, plane, key, points):
    press(two, key)
    view = two.views.slices[plane]
    at = view.to_pixels(*points[0]).toPoint()
    QTest.mouseMove(view, at)
    image = view.grab().toImage()

    def squares(color):
        ratio = image.devicePixelRatio()
        grid = [[image.pixelColor(x, y) for x in range(0, image.width(), 2)] for y in range(0, image.height(), 2)]
        pixels = np.array([[(c.red(), c.green(), c.blue()) for c in row] for row in grid])
        return int((np.abs(pixels - color).max(axis=2) <= 3).sum() / ratio**2)

    needed = 2 if plane is Plane.AXIAL else 1
    two.workspace.select(2)
    image = view.grab().toImage()
    first = squares((0, 200, 255))
    assert first >= needed * 16  # a square of 10 pixels at every second pixel, outlines beside it


@pytest.mark.parametrize("edge", [(-135, 0), (0, -115)])
def test_b17_what_is_drawn_outside_the_image_is_left_out_and_said(two, hand, edge):
    press(two, KEY.Key_B)
    two.views.axial.tool.radius_mm = 20
    image = two.workspace.image_box(12)
    two.views.axial.zoom = 0.8
    hand.stroke([edge])
    assert image.buffer(1e-6).contains(two.workspace.current.structure.contours[12])
    assert "outside the image" in two.toast.text()


def test_the_last_point_of_a_stroke_is_where_the_button_was_let_go(two, hand):
    """A movement that the system left out is not lost."""
    press(two, KEY.Key_B)
    two.views.axial.tool.radius_mm = 5
    QTest.mouseMove(hand.view, hand.pixel(40, 0))
    QTest.mousePress(hand.view, LEFT, NONE, hand.pixel(40, 0))
    QTest.mouseRelease(hand.view, LEFT, NONE, hand.pixel(70, 0))
    assert two.workspace.current.structure.contours[12].bounds[2] == pytest.approx(75, abs=0.6)


def test_b17_what_was_imported_outside_the_image_stays(two, hand):
    space = two.workspace
    space.apply(Edit("Import", {1: {12: shapely.MultiPolygon([shapely.box(-200, -10, 0, 10)])}}))
    press(two, KEY.Key_B)
    hand.stroke([(5, 0), (10, 0)])
    assert space.current.structure.contours[12].bounds[0] == -200


def test_a_stroke_outside_the_body_is_reported_with_its_slice(two, hand, qtbot):
    space = two.workspace
    body = Structure("BODY", 3, {z: disc(r=100) for z in range(24)}, interpreted_type="EXTERNAL")
    space.apply(actions.add(space.state, body))
    space.select(1)
    press(two, KEY.Key_B)
    hand.stroke([(20, 0), (50, 0)])
    assert "outside" not in two.toast.text()
    hand.stroke([(115, 0), (115, 5)])
    assert "cm² of the stroke lie outside BODY (slice 13)" in two.toast.text()
    assert two.workspace.state[1].structure.contours[12].intersects(Point(115, 0))
    space.notify("")
    press(two, KEY.Key_E)
    hand.stroke([(115, 0), (115, 5)])
    assert "outside" not in two.toast.text()
    space.select(3)
    press(two, KEY.Key_B)
    hand.stroke([(115, 0), (115, 5)])
    assert "outside" not in two.toast.text()


def test_undo_and_redo_on_a_full_disk_are_refused_with_the_reason(two, monkeypatch):
    """They raised; the message stated that an error occurred and that the contours are saved."""
    space = two.workspace
    space.redraw("Brush", {12: disc(r=40)})
    space.undo()
    space.redraw("Brush", {12: disc(r=41)})
    before = space.state

    def full(*_):
        raise CaseError("AC-CASE-005", reason="No space left on device")

    monkeypatch.setattr(space.case._journal, "append", full)
    for key, modifier in ((KEY.Key_Z, CONTROL), (KEY.Key_Y, CONTROL)):
        space.notify("")
        press(two, key, modifier)
        assert space.state is before
        assert ("was not made: No space left" in two.toast.text()) is (key == KEY.Key_Z)  # there is nothing to redo
    monkeypatch.undo()
    press(two, KEY.Key_Z, CONTROL)
    monkeypatch.setattr(space.case._journal, "append", full)
    press(two, KEY.Key_Y, CONTROL)
    assert "was not made: No space left" in two.toast.text()
    assert space.state is not before
