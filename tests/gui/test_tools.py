"""Flood, threshold, brush in the side views, and work beside the window: with the mouse and the keys."""

import math
import threading

import pytest
import shapely
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from autocontour.base.errors import StructureSetError
from autocontour.case import Edit
from autocontour.gui.dialogs.shape import BooleanDialog, MarginDialog
from autocontour.gui.dialogs.threshold import REPLACE, ThresholdDialog
from autocontour.gui.panels.cheat_sheet import ROW
from autocontour.gui.views.planes import Plane
from autocontour.patient.structures import ReviewStatus
from tests.gui.conftest import disc, small_ct
from tests.gui.test_editing import outline, press, wheel
from tests.gui.test_review import activate

KEY, NONE, SHIFT = Qt.Key, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
BALL_MM = 20.0
"""Radius of the bright ball of `small_ct` in its middle slice."""


@pytest.fixture
def empty(opened):
    """The window with a structure that has no contours yet."""
    contours = opened.workspace.current.structure.contours
    opened.workspace.redraw("Delete", dict.fromkeys(contours))
    return opened


# Flood ----------------------------------------------------------------------------------------------------------------


def test_a_click_floods_to_the_iso_line(empty, hand):
    press(empty, KEY.Key_W)
    hand.stroke([(3, 2)])
    drawn = outline(empty)
    assert drawn.area == pytest.approx(math.pi * BALL_MM**2, rel=0.03)
    assert drawn.hausdorff_distance(disc(1, 1, BALL_MM)) < 1.5  # a voxel of a ball without soft edges
    assert empty.workspace.case.undo_label == "Flood"
    press(empty, KEY.Key_Z, CONTROL)
    assert outline(empty) is None


def test_shift_takes_the_flood_away(opened, hand):
    before = outline(opened)
    press(opened, KEY.Key_W)
    hand.stroke([(3, 2)], SHIFT)
    assert outline(opened).area == pytest.approx(before.area - math.pi * BALL_MM**2, rel=0.05)


def test_a_drag_says_how_far_it_may_go(empty, hand):
    press(empty, KEY.Key_W)
    hand.stroke([(0, 0), (5, 0), (10, 0)])
    radius_mm = empty.views.axial.tool.radius_mm
    assert radius_mm == pytest.approx(10, abs=0.5)
    assert outline(empty).area == pytest.approx(math.pi * radius_mm**2, rel=0.01)


def test_the_wheel_widens_the_range_before_the_click(empty, hand):
    press(empty, KEY.Key_W)
    tool, view = empty.views.axial.tool, empty.views.axial
    QTest.mouseMove(view, hand.pixel(0, 0))
    view.repaint()
    first = tool._flooded(view._pointed(view._pointer).at)[0]
    wheel(view, 3, SHIFT)
    view.repaint()
    wider = tool._flooded(view._pointed(view._pointer).at)[0]
    assert wider.low_hu < first.low_hu
    assert empty._tool_label.text().startswith("Flood   within")
    assert "1.40" in empty._tool_label.text()
    QTest.keyClick(empty, KEY.Key_BracketLeft)
    assert tool.breadth < 1.4


def test_the_preview_is_seen_before_the_click(empty, hand):
    press(empty, KEY.Key_W)
    view = empty.views.axial
    QTest.mouseMove(view, hand.pixel(100, 80))
    plain = hand.color_at(10, 6)
    QTest.mouseMove(view, hand.pixel(0, 0))
    red, green, _ = hand.color_at(10, 6)
    assert max(plain) - min(plain) <= 2
    assert red > green + 30
    assert outline(empty) is None


def test_control_floods_through_the_slices_as_one_step(empty, hand, qtbot):
    start = empty.workspace.state
    press(empty, KEY.Key_W)
    hand.stroke([(0, 0)], CONTROL)
    qtbot.waitUntil(lambda: not empty.workspace.background.is_running)
    contours = empty.workspace.current.structure.contours
    assert list(contours) == list(range(6, 19))
    volume = sum(shape.area for shape in contours.values()) * 3
    assert volume == pytest.approx(4 / 3 * math.pi * BALL_MM**3, rel=0.06)
    press(empty, KEY.Key_Z, CONTROL)
    assert empty.workspace.state is start


def test_escape_forgets_a_flood(empty, hand):
    press(empty, KEY.Key_W)
    QTest.mousePress(hand.view, Qt.MouseButton.LeftButton, NONE, hand.pixel(0, 0))
    assert hand.view.tool.working is not None
    press(empty, KEY.Key_Escape)
    QTest.mouseRelease(hand.view, Qt.MouseButton.LeftButton, NONE, hand.pixel(0, 0))
    assert outline(empty) is None


@pytest.mark.parametrize("key", [KEY.Key_B, KEY.Key_E, KEY.Key_P, KEY.Key_F, KEY.Key_G, KEY.Key_D, KEY.Key_W])
def test_every_tool_names_the_structure_that_may_not_change(opened, hand, key):
    press(opened, KEY.Key_K)
    before = opened.workspace.state
    press(opened, key)
    hand.stroke([(30, 0), (40, 0), (40, 10)])
    assert opened.workspace.state is before
    assert "Heart is locked" in opened.toast.text()


@pytest.mark.parametrize("key", [KEY.Key_B, KEY.Key_P, KEY.Key_F, KEY.Key_G, KEY.Key_D, KEY.Key_W])
def test_without_a_structure_every_tool_says_what_to_do(window, qtbot, key):
    window.show_ct(small_ct())
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    press(window, key)
    QTest.mouseClick(window.views.axial, Qt.MouseButton.LeftButton, NONE, window.views.axial.rect().center())
    assert "Choose a structure to draw, or add one" in window.toast.text()
    assert window.toast.isVisible()


# Threshold ------------------------------------------------------------------------------------------------------------


def test_threshold_draws_through_the_scan_in_a_box(empty, qtbot, answer):
    seen = []

    def act(dialog):
        dialog.low.setValue(160)
        dialog.side.setValue(80)
        qtbot.waitUntil(lambda: empty.views.axial._proposal[0] is not None)
        seen.append(empty.views.axial._proposal[0].area)
        dialog.target.setCurrentIndex(dialog.target.findData(REPLACE))
        dialog.ok.click()

    empty.workspace.go_to((12, 60, 70))
    answer(ThresholdDialog, act)
    press(empty, KEY.Key_W, SHIFT)
    qtbot.waitUntil(lambda: not empty.workspace.background.is_running)
    contours = empty.workspace.current.structure.contours
    assert list(contours) == list(range(6, 19))
    assert seen[0] == pytest.approx(contours[12].area)
    assert empty.views.axial._proposal[0] is None
    assert empty.workspace.case.undo_label == "Threshold"


def test_threshold_says_when_nothing_is_found(opened, qtbot, answer):
    def act(dialog):
        dialog.tissue.setCurrentText("Metal")
        dialog.ok.click()

    before = opened.workspace.state
    answer(ThresholdDialog, act)
    press(opened, KEY.Key_W, SHIFT)
    qtbot.waitUntil(lambda: not opened.workspace.background.is_running)
    assert opened.workspace.state is before
    assert "Nothing was found" in opened.toast.text()


# Brush in the side views ----------------------------------------------------------------------------------------------


def side_stroke(view, points, modifier=NONE):
    pixels = [view.to_pixels(*point).toPoint() for point in points]
    QTest.mouseMove(view, pixels[0])
    QTest.mousePress(view, Qt.MouseButton.LeftButton, modifier, pixels[0])
    for pixel in pixels[1:]:
        QTest.mouseMove(view, pixel)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, modifier, pixels[-1])


@pytest.mark.parametrize("plane", [Plane.SAGITTAL, Plane.CORONAL])
def test_a_ball_is_painted_in_a_side_view(empty, plane):
    space = empty.workspace
    space.go_to((12, 60, 70))  # u 1, v 1, w 0
    press(empty, KEY.Key_B)
    empty.views.axial.tool.radius_mm = 15.0
    view = empty.views.slices[plane]
    side_stroke(view, [(1.0, 0.0)])
    contours = space.current.structure.contours
    assert set(range(8, 17)) <= set(contours) <= set(range(7, 18))  # a pixel of this view is a mm
    assert sum(shape.area for shape in contours.values()) * 3 == pytest.approx(4 / 3 * math.pi * 15**3, rel=0.03)
    assert all(shape.centroid.distance(disc(1, 1, 1).centroid) < 1.2 for shape in contours.values())
    assert space.case.undo_label == "Brush"
    space.undo()
    assert not space.current.structure.contours


def test_a_stroke_along_the_patient_changes_every_slice_it_meets_in_one_step(opened):
    space = opened.workspace
    space.go_to((12, 60, 70))
    start = space.state
    press(opened, KEY.Key_E)
    opened.views.axial.tool.radius_mm = 4.0
    side_stroke(opened.views.slices[Plane.CORONAL], [(1.0, -18.0), (1.0, 0.0), (1.0, 18.0)])
    before, after = start.items[0].structure.contours, space.current.structure.contours
    for z in range(7, 18):
        assert before[z].area - after[z].area == pytest.approx(math.pi * 16, rel=0.05)
    assert after[3] is before[3]
    press(opened, KEY.Key_Z, CONTROL)
    assert space.state is start


def test_the_ball_is_seen_while_it_is_painted_and_escape_takes_it_back(empty):
    space = empty.workspace
    space.go_to((12, 60, 70))
    press(empty, KEY.Key_B)
    empty.views.axial.tool.radius_mm = 15.0
    view = empty.views.slices[Plane.SAGITTAL]
    at = view.to_pixels(1.0, 0.0).toPoint()
    plain = view.grab().toImage().pixelColor(at + QPoint(12, 12))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, NONE, at)
    painted = view.grab().toImage().pixelColor(at + QPoint(12, 12))
    assert plain.red() == plain.blue()
    assert painted.red() > painted.blue() + 15
    press(empty, KEY.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, NONE, at)
    assert not space.current.structure.contours
    assert empty.views.axial.tool.name == "Brush"


def test_side_views_leaf_size_and_keep_the_crosshair(opened):
    space, view = opened.workspace, opened.views.slices[Plane.CORONAL]
    press(opened, KEY.Key_B)
    radius = opened.views.axial.tool.radius_mm
    y = space.position_zyx[1]
    wheel(view, 2)
    assert space.position_zyx[1] == y + 2
    wheel(view, 2, SHIFT)
    assert opened.views.axial.tool.radius_mm > radius
    side_stroke(view, [(21.0, 9.0)], CONTROL)
    assert space.position_zyx == (9, y + 2, 80)
    press(opened, KEY.Key_P)
    side_stroke(view, [(1.0, 0.0)])
    assert space.position_zyx == (12, y + 2, 70)


# Work beside the window -----------------------------------------------------------------------------------------------


class Gate:
    """A computation that waits until it is told to go on."""

    def __init__(self, result):
        self.open = threading.Event()
        self.result = result

    def __call__(self, job):
        job.advance("waiting", 0.5)
        assert self.open.wait(20)
        job.advance("waiting", 1.0)
        return self.result


def test_small_work_is_done_before_the_key_is_up(opened):
    begun = []
    opened.workspace.background.begun.connect(begun.append)
    opened.workspace.background.run("Quick", (1,), lambda job: 5, begun.append)
    assert begun == [5]


def test_long_work_shows_its_progress_and_is_applied(opened, qtbot):
    gate, taken = Gate("result"), []
    opened.workspace.background.run("Margin", (1,), gate, taken.append)
    qtbot.waitUntil(opened.work_strip.isVisible)
    qtbot.waitUntil(lambda: opened.work_strip._bar.value() == 500)
    assert opened.work_strip._stage.text() == "Margin: waiting"
    opened.workspace.background.run("Smooth", (1,), gate, taken.append)
    assert "Margin is still being computed" in opened.toast.text()
    gate.open.set()
    qtbot.waitUntil(lambda: taken == ["result"])
    assert not opened.work_strip.isVisible()


def test_work_is_not_applied_to_what_has_changed_meanwhile(opened, hand, qtbot):
    gate, taken = Gate("result"), []
    opened.workspace.background.run("Margin", (1,), gate, taken.append)
    press(opened, KEY.Key_B)
    hand.stroke([(60, 0), (70, 0)])
    gate.open.set()
    qtbot.waitUntil(lambda: not opened.workspace.background.is_running)
    assert not taken
    assert "Heart changed while it was computed" in opened.toast.text()


def test_work_can_be_cancelled_at_once(opened, qtbot):
    gate, taken = Gate("result"), []
    opened.workspace.background.run("Margin", (1,), gate, taken.append)
    qtbot.waitUntil(opened.work_strip.isVisible)
    QTest.mouseClick(opened.work_strip.cancel, Qt.MouseButton.LeftButton)
    assert not opened.workspace.background.is_running
    assert not opened.work_strip.isVisible()
    assert "Margin was stopped" in opened.toast.text()
    gate.open.set()
    QTest.qWait(100)
    assert not taken


def test_a_failure_of_the_work_is_said(opened):
    def fail(job):
        raise StructureSetError("AC-RS-002")

    def break_down(job):
        raise ZeroDivisionError

    opened.workspace.background.run("Margin", (1,), fail, print)
    assert "The file is not a structure set." in opened.toast.text()
    opened.workspace.background.run("Margin", (1,), break_down, print)
    assert "ZeroDivisionError" in opened.toast.text()


def test_boolean_with_margins_and_crop_go_beside_the_window(opened, qtbot, answer):
    space = opened.workspace
    opened.workspace.add_structure(space.current.structure)

    def act(dialog):
        dialog.first_margin.setValue(5)
        dialog.how.setCurrentIndex(dialog.how.findText("minus", Qt.MatchFlag.MatchContains))
        dialog.second.setCurrentIndex(1)
        dialog.ok.click()

    answer(BooleanDialog, act)
    activate(opened, qtbot)
    press(opened, KEY.Key_O)
    qtbot.waitUntil(lambda: len(space.state.items) == 3)
    shell = space.state.structures[2].contours[12]
    assert shell.area == pytest.approx(math.pi * (35**2 - 30**2), rel=0.03)


def test_a_locked_structure_is_refused_before_anything_is_computed(opened, qtbot, answer):
    space = opened.workspace
    space.apply(Edit("Lock", fields={1: {"locked": True}}))
    for key, modifier in ((KEY.Key_H, NONE), (KEY.Key_S, CONTROL | SHIFT)):
        opened.toast.hide()
        press(opened, key, modifier)
        assert "Heart is locked" in opened.toast.text()
        assert opened.toast.isVisible()

    def act(dialog):
        dialog.target.setCurrentIndex(1)
        dialog.ok.click()

    opened.toast.hide()
    answer(MarginDialog, act)
    press(opened, KEY.Key_M)
    assert opened.toast.isVisible()
    assert space.state.items[0].structure.status is not ReviewStatus.EDITED


def test_every_tool_shows_what_it_will_do(opened, hand, qtbot):
    """The pointer of each tool changes pixels round it, before anything is drawn."""
    view = opened.views.axial
    for key in (KEY.Key_B, KEY.Key_E, KEY.Key_P, KEY.Key_G, KEY.Key_D, KEY.Key_W):
        press(opened, key)
        pictures = []
        for at in ((100, -80), (5, 5)):
            QTest.mouseMove(view, hand.pixel(*at))
            qtbot.waitUntil(lambda at=at: (view._pointer - view.to_pixels(*at)).manhattanLength() < 3)
            pictures.append(view.grab().toImage())
        assert pictures[0] != pictures[1] or key == KEY.Key_D
        if key == KEY.Key_D:
            assert bright_dots(pictures[1], view, outline(opened)) > 10


def test_the_brush_shows_a_minus_as_soon_as_shift_is_held(opened, hand, qtbot):
    press(opened, KEY.Key_B)
    view = opened.views.axial
    QTest.mouseMove(view, hand.pixel(60, 0))
    qtbot.waitUntil(lambda: (view._pointer - view.to_pixels(60, 0)).manhattanLength() < 3)
    # The upright arm of the plus, over the soft tissue beside the structure.
    arm = [QPoint(hand.pixel(60, 0).x(), hand.pixel(60, 0).y() + dy) for dy in (-3, -2, 2, 3)]

    def reds():
        image = view.grab().toImage()
        return [image.pixelColor(at).red() - image.pixelColor(at).blue() for at in arm]

    assert min(reds()) > 60
    QTest.keyPress(opened, KEY.Key_Shift)
    assert max(reds()) < 20
    QTest.keyRelease(opened, KEY.Key_Shift, SHIFT)
    assert min(reds()) > 60


@pytest.mark.parametrize("size", [(1280, 728), (1366, 768), (1600, 1000)])
def test_every_key_and_every_tool_is_in_sight_on_a_small_screen(opened, qtbot, size):
    opened.resize(*size)
    opened.work_strip.show()
    qtbot.waitUntil(lambda: opened.width() == size[0])
    last = opened.side_bar.widgetForAction(opened.action_set.by_name["ruler"])
    qtbot.waitUntil(lambda: last.isVisible() and last.geometry().bottom() <= opened.side_bar.height())
    opened.show_keys()
    scale, columns = opened.cheat_sheet._fitted()
    assert opened.cheat_sheet.column_px * len(columns) * scale <= size[0]
    rows = max(sum(len(rows) + 2 for _, rows in column) for column in columns)
    assert (46 + rows * ROW) * scale <= opened.cheat_sheet.height()


def bright_dots(image, view, contour):
    """How many of the outline's points carry a handle in the structure's lighter colour."""
    ratio = image.devicePixelRatio()
    corners = shapely.get_coordinates(contour.simplify(0.4)).tolist()
    colors = [image.pixelColor((view.to_pixels(u, v) * ratio).toPoint()) for u, v in corners]
    return sum(color.red() > 200 and color.green() < 120 for color in colors)
