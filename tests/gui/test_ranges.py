"""She changes a range of slices: chosen by keys and mouse, always in sight, shown before it is applied."""

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from autocontour.case import actions
from autocontour.case.need import viewed
from tests.gui.conftest import ball, disc, small_ct

KEY, MODIFIER, LEFT = Qt.Key, Qt.KeyboardModifier, Qt.MouseButton.LeftButton
NONE, SHIFT, CONTROL = MODIFIER.NoModifier, MODIFIER.ShiftModifier, MODIFIER.ControlModifier


def press(window, key, modifier=NONE):
    QTest.keyClick(window, key, modifier)


def ask(window, key):
    """Press the key of a change, and wait for its preview."""
    press(window, key, SHIFT)
    bar = window.range_bar
    for _ in range(100):
        if not bar.is_open or window.workspace.range.plan is not None:
            return
        QTest.qWait(50)
    raise AssertionError("no preview")


def fill(window):
    """Interpolate at once, and wait for the result."""
    press(window, KEY.Key_I)
    for _ in range(100):
        if not window.workspace.background.is_running:
            return
        QTest.qWait(50)
    raise AssertionError("no result")


def contours_of(window, number=1):
    return window.workspace.state[number].structure.contours


def radius(outline):
    return math.sqrt(outline.area / math.pi)


@pytest.fixture
def gaps(opened):
    """One structure on every fifth slice: 2, 7, 12 and 17."""
    space = opened.workspace
    space.receive(replace(ball(), contours={z: disc(r=10 + z) for z in (2, 7, 12, 17)}))
    space.go_to_slice(5)
    return opened


def choose(window, first, last):
    window.workspace.go_to_slice(first)
    press(window, KEY.Key_Comma)
    window.workspace.go_to_slice(last)
    press(window, KEY.Key_Period)


def test_a_range_is_chosen_by_keys_and_stays_in_sight_until_it_is_cleared(gaps):
    space, shown = gaps.workspace, gaps.banner.range
    choose(gaps, 12, 5)
    assert space.range.slices == range(5, 13)
    assert shown.isVisible()
    assert shown.text() == "Range: slices 6–13  (8 slices, 21 mm)   ×"
    space.select(None)
    assert shown.isVisible()
    press(gaps, KEY.Key_A, CONTROL | SHIFT)
    assert space.range.slices is None
    assert not shown.isVisible()
    press(gaps, KEY.Key_Up, CONTROL | SHIFT)
    assert space.range.slices == range(5, 24)
    press(gaps, KEY.Key_Down, CONTROL | SHIFT)
    assert space.range.slices == range(6)
    press(gaps, KEY.Key_A, CONTROL)
    assert space.range.slices == range(24)
    QTest.mouseClick(shown, LEFT)
    assert space.range.slices is None


def test_a_feet_first_scan_has_its_head_at_the_first_slice(gaps, monkeypatch):
    monkeypatch.setattr(type(gaps.workspace), "step_to_head", -1)
    press(gaps, KEY.Key_Up, CONTROL | SHIFT)
    assert gaps.workspace.range.slices == range(6)


def test_a_range_is_chosen_on_the_slider_with_shift(gaps):
    slider = gaps.views.slider
    start, end = (QPoint(15, round(slider._y(z))) for z in (4, 15))
    QTest.mousePress(slider, LEFT, SHIFT, start)
    QTest.mouseMove(slider, end)
    QTest.mouseRelease(slider, LEFT, SHIFT, end)
    assert gaps.workspace.range.slices == range(4, 16)
    QTest.mouseClick(slider, LEFT, NONE, start)
    assert gaps.workspace.range.slices == range(4, 16)
    blue = slider.grab().toImage().pixelColor(3, round(slider._y(10)))
    assert blue.blue() > blue.red() + 20


def test_another_scan_has_no_range(gaps):
    choose(gaps, 5, 12)
    ct = small_ct()
    hu = ct.hu.copy()
    hu[0, 0, 0] = 7
    gaps.show_ct(replace(ct, hu=hu))
    assert gaps.workspace.range.slices is None
    assert not gaps.banner.range.isVisible()


def test_interpolation_in_a_range_is_shown_before_it_is_applied_as_one_step(gaps):
    space, bar = gaps.workspace, gaps.range_bar
    choose(gaps, 4, 9)
    before = space.state
    ask(gaps, KEY.Key_I)
    assert bar.isVisible()
    assert bar.title.text() == "Interpolate in range:  Heart,  slices 5–10"
    assert bar.words.text() == "5 empty slices filled: 5–7, 9–10."
    assert bool(space.state == before)
    assert space.range.plan.filled == (4, 5, 6, 8, 9)
    space.go_to_slice(5)
    assert is_drawn_at(gaps, radius(space.range.plan.changes[5]))
    press(gaps, KEY.Key_Return)
    assert not bar.isVisible()
    assert set(contours_of(gaps)) == {2, 4, 5, 6, 7, 8, 9, 12, 17}
    assert radius(contours_of(gaps)[5]) == pytest.approx(15, abs=0.2)
    press(gaps, KEY.Key_Z, CONTROL)
    assert set(contours_of(gaps)) == {2, 7, 12, 17}


def is_drawn_at(window, r):
    """Whether an outline is drawn in the axial view at this distance from the centre, in some direction."""
    view = window.views.axial
    image = view.grab().toImage()
    ratio = image.devicePixelRatio()
    for degrees in range(360):
        at = view.to_pixels(r * math.cos(math.radians(degrees)), r * math.sin(math.radians(degrees))) * ratio
        color = image.pixelColor(at.toPoint())
        if min(color.red(), color.green(), color.blue()) > 180:
            return True
    return False


def test_the_preview_is_drawn_dashed_in_the_side_views_and_marked_on_the_slider(gaps):
    space = gaps.workspace
    before = [gaps.views.slices[plane].grab().toImage() for plane in gaps.views.slices]
    slider = gaps.views.slider.grab().toImage()
    ask(gaps, KEY.Key_I)
    after = [gaps.views.slices[plane].grab().toImage() for plane in gaps.views.slices]
    assert all(one != other for one, other in zip(before, after, strict=True) if one.size() == other.size())
    assert gaps.views.slider.grab().toImage() != slider
    assert "These empty slices would be filled." in gaps.views.slider.describe(gaps.views.slider._y(5))
    press(gaps, KEY.Key_Escape)
    assert space.range.plan is None
    assert not gaps.range_bar.isVisible()
    assert set(contours_of(gaps)) == {2, 7, 12, 17}


def test_nothing_is_interpolated_over_a_large_gap_until_the_distance_is_raised(gaps, qtbot):
    space = gaps.workspace
    space.receive(replace(ball(), contours={z: disc() for z in (2, 7, 20)}))
    fill(gaps)
    assert set(contours_of(gaps)) == {2, 3, 4, 5, 6, 7, 20}
    assert "Left out because the gap is too large: 8–21 (39 mm)." in gaps.toast.text()
    fill(gaps)
    assert set(contours_of(gaps)) == {2, 3, 4, 5, 6, 7, 20}
    ask(gaps, KEY.Key_I)
    assert not gaps.range_bar.apply.isEnabled()
    press(gaps, KEY.Key_Return)
    assert set(contours_of(gaps)) == {2, 3, 4, 5, 6, 7, 20}
    box = gaps.range_bar.length
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "40")
    qtbot.waitUntil(lambda: space.range.plan is not None and bool(space.range.plan.changes))
    QTest.keyClick(box, KEY.Key_Return)
    assert set(contours_of(gaps)) == set(range(2, 21))
    assert gaps.views.axial.hasFocus()


def test_a_part_without_a_counterpart_is_named_and_not_bridged(gaps):
    space = gaps.workspace
    both = type(disc())([*disc(-40, 0, 8).geoms, *disc(40, 0, 8).geoms])
    space.receive(replace(ball(), contours={2: both, 6: disc(-40, 0, 8)}))
    ask(gaps, KEY.Key_I)
    assert "Not bridged, parts without a counterpart: 3–7 (1)." in gaps.range_bar.words.text()
    press(gaps, KEY.Key_Return)
    assert [len(contours_of(gaps)[z].geoms) for z in range(2, 7)] == [2, 1, 1, 1, 1]


def test_i_fills_only_the_range_where_one_is_chosen(gaps):
    choose(gaps, 3, 6)
    fill(gaps)
    assert set(contours_of(gaps)) == {2, 3, 4, 5, 6, 7, 12, 17}
    assert "Only in the range of slices." in gaps.toast.text()


def test_a_copy_keeps_its_source_while_she_scrolls_and_spares_drawn_slices(gaps, qtbot):
    space = gaps.workspace
    choose(gaps, 6, 9)
    space.go_to_slice(12)
    source = contours_of(gaps)[12]
    ask(gaps, KEY.Key_C)
    assert gaps.range_bar.title.text() == "Copy slice 13 to range:  Heart,  slices 7–10"
    space.go_to_slice(7)
    press(gaps, KEY.Key_Return)
    assert set(contours_of(gaps)) == {2, 6, 7, 8, 9, 12, 17}
    assert all(contours_of(gaps)[z].equals(source) for z in (6, 8, 9))
    assert radius(contours_of(gaps)[7]) == pytest.approx(17, abs=0.1)
    space.go_to_slice(12)
    ask(gaps, KEY.Key_C)
    gaps.range_bar.tick.click()
    qtbot.waitUntil(lambda: space.range.plan is not None)
    assert "4 slices changed: 7–10" in gaps.range_bar.words.text()
    press(gaps, KEY.Key_Return)
    assert contours_of(gaps)[7].equals(source)


def test_delete_margin_and_smooth_change_the_range_alone(opened, qtbot):
    whole = dict(contours_of(opened))
    choose(opened, 10, 12)
    ask(opened, KEY.Key_Delete)
    press(opened, KEY.Key_Return)
    assert set(whole) - set(contours_of(opened)) == {10, 11, 12}
    press(opened, KEY.Key_Z, CONTROL)
    ask(opened, KEY.Key_M)
    assert "nothing is added above or below" in opened.range_bar.words.text()
    QTest.keyClicks(opened.range_bar.length, "5")
    qtbot.waitUntil(lambda: opened.workspace.range.plan is not None)
    QTest.keyClick(opened.range_bar.length, KEY.Key_Return)
    assert set(contours_of(opened)) == set(whole)
    for z, outline in contours_of(opened).items():
        assert radius(outline) == pytest.approx(radius(whole[z]) + (5 if z in (10, 11, 12) else 0), abs=0.05)
    ask(opened, KEY.Key_S)
    press(opened, KEY.Key_Return)
    changed = [z for z in whole if contours_of(opened)[z] is not whole[z]]
    assert changed == [10, 11, 12]


@pytest.mark.parametrize("key", [KEY.Key_C, KEY.Key_Delete, KEY.Key_M, KEY.Key_S])
def test_without_a_range_nothing_but_interpolation_is_offered(opened, key):
    press(opened, key, SHIFT)
    assert not opened.range_bar.isVisible()
    assert opened.toast.text().startswith("Choose a range of slices first")


@pytest.mark.parametrize("key", [KEY.Key_I, KEY.Key_C, KEY.Key_Delete, KEY.Key_M, KEY.Key_S])
@pytest.mark.parametrize("protect", ["approve", "lock"])
def test_an_approved_or_locked_structure_is_never_changed_in_a_range(gaps, key, protect):
    space = gaps.workspace
    choose(gaps, 0, 20)
    space.go_to_slice(7)
    is_approval, state = protect == "approve", space.state
    edit = actions.approve(state, 1, "A.") if is_approval else actions.set_locked(state, 1, locked=True)
    # before the preview, and while it is shown
    space.apply(edit)
    before = space.state
    press(gaps, key, SHIFT)
    assert not gaps.range_bar.isVisible()
    space.undo()
    press(gaps, key, SHIFT)
    assert gaps.range_bar.isVisible()
    space.redo()
    assert not gaps.range_bar.isVisible()
    press(gaps, KEY.Key_Return)
    assert contours_of(gaps) is before[1].structure.contours
    assert space.state[1].is_protected


def test_the_preview_belongs_to_its_structure_and_follows_its_changes(gaps, qtbot):
    space = gaps.workspace
    space.receive(ball(2, "Liver"))
    ask(gaps, KEY.Key_I)
    space.redraw("Brush", {5: disc(r=5)})
    qtbot.waitUntil(lambda: space.range.plan is not None)
    assert space.range.plan.filled == (3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 16)
    space.select(2)
    assert not gaps.range_bar.isVisible()
    before = space.state
    press(gaps, KEY.Key_Return)
    assert bool(space.state == before)


def test_a_structure_changed_on_slices_that_were_not_shown_counts_as_not_viewed(gaps):
    space = gaps.workspace
    space.go_to_slice(7)
    assert [item.structure.number for item in viewed(space.state, space.seen)] == [1]
    fill(gaps)
    assert not viewed(space.state, space.seen)
    press(gaps, KEY.Key_PageUp)
    assert [item.structure.number for item in viewed(space.state, space.seen)] == [1]


def test_the_longer_step_moves_five_slices(gaps):
    gaps.workspace.go_to_slice(5)
    press(gaps, KEY.Key_PageUp, SHIFT)
    assert gaps.workspace.slice_index == 10
    press(gaps, KEY.Key_PageDown, SHIFT)
    assert gaps.workspace.slice_index == 5


def test_a_stroke_under_way_keeps_every_key_of_a_range_away(gaps, hand):
    space = gaps.workspace
    choose(gaps, 3, 6)
    gaps.take_tool("brush")
    QTest.mousePress(hand.view, LEFT, NONE, hand.pixel(0, 0))
    for key, modifier in ((KEY.Key_Period, NONE), (KEY.Key_I, SHIFT), (KEY.Key_A, CONTROL | SHIFT)):
        press(gaps, key, modifier)
    assert space.range.slices == range(3, 7)
    assert not gaps.range_bar.isVisible()
    QTest.mouseRelease(hand.view, LEFT, NONE, hand.pixel(0, 0))


def test_return_ends_a_new_name_and_does_not_apply_the_change_that_is_shown(gaps, qtbot):
    ask(gaps, KEY.Key_I)
    before = contours_of(gaps)
    press(gaps, KEY.Key_F2)
    editor = gaps.focusWidget()
    assert editor is not gaps.views.axial
    QTest.keyClicks(editor, "Liver")
    QTest.keyClick(editor, KEY.Key_Return)
    qtbot.waitUntil(lambda: gaps.workspace.state[1].structure.name == "Liver")
    assert contours_of(gaps) is before
    gaps.views.axial.setFocus()
    qtbot.waitUntil(lambda: gaps.workspace.range.plan is not None)
    press(gaps, KEY.Key_Return)
    assert contours_of(gaps) is not before


@pytest.mark.parametrize("width", [1000, 1280])
def test_the_views_do_not_move_when_a_range_is_chosen(gaps, qtbot, width):
    gaps.resize(width, 760)
    qtbot.waitUntil(lambda: gaps.width() == width)
    qtbot.wait(100)
    before = gaps.views.axial.mapTo(gaps, QPoint(0, 0))
    choose(gaps, 5, 12)
    qtbot.wait(100)
    assert gaps.banner.range.isVisible()
    assert gaps.views.axial.mapTo(gaps, QPoint(0, 0)) == before
