"""Correcting contours with the mouse and the keys."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from autocontour.gui.views.planes import Plane
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import ReviewStatus
from autocontour.patient.volume import CTVolume
from tests.gui.conftest import ball, small_ct

FEET_FIRST_SUPINE = np.diag([-1.0, 1.0, -1.0])
KEY, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier


def outline(window, z=None):
    contours = window.workspace.current.structure.contours
    return contours.get(window.workspace.slice_index if z is None else z)


def press(window, key, modifier=NONE):
    QTest.keyClick(window, key, modifier)


def wheel(view, notches, modifier=NONE):
    at = QPointF(view.rect().center())
    event = QWheelEvent(
        at, view.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, modifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def test_a_brush_stroke_adds_its_swept_disc(opened, hand):
    before = outline(opened)
    press(opened, KEY.Key_B)
    tool = opened.views.axial.tool
    tool.radius_mm = 10
    hand.stroke([(60, 0), (70, 0), (80, 0)])
    after = outline(opened)
    expected = math.pi * 10**2 + 20 * 20
    assert after.area - before.area == pytest.approx(expected, rel=0.02)
    assert opened.workspace.current.structure.status is ReviewStatus.EDITED


def test_shift_turns_the_brush_into_an_eraser_and_back(opened, hand):
    before = outline(opened)
    press(opened, KEY.Key_B)
    hand.stroke([(0, 0)], Qt.KeyboardModifier.ShiftModifier)
    assert outline(opened).area == pytest.approx(before.area - math.pi * opened.views.axial.tool.radius_mm**2, rel=0.01)
    assert len(outline(opened).geoms[0].interiors) == 1
    press(opened, KEY.Key_E)
    hand.stroke([(0, 0)], Qt.KeyboardModifier.ShiftModifier)
    assert outline(opened).area == pytest.approx(before.area, rel=0.01)


def test_strokes_on_five_slices_undo_to_the_start_and_redo(opened, hand):
    start = opened.workspace.state
    press(opened, KEY.Key_B)
    for z in range(8, 13):
        opened.workspace.go_to_slice(z)
        hand.stroke([(-60, 20), (-50, 25)])
    end = opened.workspace.state
    assert all(end.items[0].structure.contours[z] != start.items[0].structure.contours[z] for z in range(8, 13))
    for _ in range(5):
        press(opened, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.workspace.state is start
    for _ in range(5):
        press(opened, KEY.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert opened.workspace.state is end


def test_pushing_the_rim_outwards_grows_it_there_only(opened, hand):
    before = outline(opened)
    press(opened, KEY.Key_P)
    opened.views.axial.tool.radius_mm = 12
    hand.stroke([(30 - 1, 0), (32, 0), (36, 0)])
    after = outline(opened)
    assert after.bounds[2] > before.bounds[2] + 4
    assert after.bounds[0] == pytest.approx(before.bounds[0], abs=0.1)
    assert opened.workspace.case.undo_label == "Push"


def test_freehand_adds_what_the_line_goes_round_and_shift_cuts(opened, hand):
    before = outline(opened)
    square = [(60, -10), (80, -10), (80, 10), (60, 10)]
    press(opened, KEY.Key_F)
    hand.stroke(square)
    assert outline(opened).area - before.area == pytest.approx(400, rel=0.05)
    hand.stroke(square, Qt.KeyboardModifier.ShiftModifier)
    assert outline(opened).area == pytest.approx(before.area, rel=0.01)


def test_a_stroke_that_changes_nothing_is_no_step(opened, hand):
    label = opened.workspace.case.undo_label
    press(opened, KEY.Key_B)
    hand.stroke([(0, 0), (5, 0)])
    assert opened.workspace.case.undo_label == label


def test_escape_breaks_a_stroke_off(opened, hand):
    before = opened.workspace.state
    press(opened, KEY.Key_B)
    QTest.mousePress(hand.view, Qt.MouseButton.LeftButton, NONE, hand.pixel(70, 0))
    press(opened, KEY.Key_Escape)
    QTest.mouseRelease(hand.view, Qt.MouseButton.LeftButton, NONE, hand.pixel(70, 0))
    assert opened.workspace.state is before
    assert opened.views.axial.tool.name == "Brush"
    press(opened, KEY.Key_Escape)
    assert opened.views.axial.tool.name == "Navigate"


def test_a_locked_structure_refuses_every_stroke(opened, hand):
    press(opened, KEY.Key_K)
    before = opened.workspace.state
    press(opened, KEY.Key_B)
    hand.stroke([(60, 0), (80, 0)])
    press(opened, KEY.Key_Delete)
    assert opened.workspace.state is before
    assert "locked" in opened.toast.text()
    assert opened.toast.isVisible()


def test_copy_delete_and_smooth_by_key(opened):
    space = opened.workspace
    space.go_to_slice(21)
    press(opened, KEY.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert space.slice_index == 22
    assert outline(opened, 22) is outline(opened, 21)
    press(opened, KEY.Key_Delete)
    assert outline(opened, 22) is None
    space.go_to_slice(12)
    press(opened, KEY.Key_Up, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    assert max(space.current.structure.contours) == 12
    press(opened, KEY.Key_Down, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    assert list(space.current.structure.contours) == [12]
    before = outline(opened)
    press(opened, KEY.Key_S)
    assert outline(opened).area == pytest.approx(before.area, rel=0.01)


def test_up_is_towards_the_head_also_where_the_slices_run_to_the_feet(window):
    ct = small_ct()
    feet_first = VolumeGeometry.regular(ct.geometry.shape_zyx, ct.geometry.spacing_zyx_mm, direction=FEET_FIRST_SUPINE)
    window.show_ct(CTVolume(ct.hu, feet_first))
    window.workspace.receive(replace(ball()))
    space, slider = window.workspace, window.views.slider
    space.go_to_slice(12)
    press(window, KEY.Key_Up)
    assert space.slice_index == 11
    press(window, KEY.Key_Up, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    assert min(space.current.structure.contours) == 11
    space.go_to_slice(21)
    press(window, KEY.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert space.slice_index == 22
    assert 22 in space.current.structure.contours
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(13, slider.height() - 12))
    assert space.slice_index == 23
    QTest.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(13, 12))
    assert space.slice_index == 0


def test_revert_brings_the_automatic_contours_back(opened, hand):
    automatic = opened.workspace.current.automatic
    press(opened, KEY.Key_E)
    hand.stroke([(0, 0), (30, 0)])
    press(opened, KEY.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
    assert opened.workspace.current.structure.contours == automatic
    assert opened.workspace.current.structure.status is ReviewStatus.AUTO


def test_the_smart_brush_keeps_to_the_ball(opened, hand):
    press(opened, KEY.Key_Delete)
    press(opened, KEY.Key_G)
    opened.views.axial.tool.radius_mm = 30
    hand.stroke([(0, 0), (1, 0)])
    assert outline(opened).area == pytest.approx(math.pi * 20**2, rel=0.12)


def test_points_can_be_dragged(opened, hand):
    press(opened, KEY.Key_D)
    hand.stroke([(30, 0), (40, 0)])
    assert outline(opened).bounds[2] == pytest.approx(40, abs=0.6)


def test_the_wheel_leafs_zooms_and_sizes(opened):
    view, space = opened.views.axial, opened.workspace
    wheel(view, 2)
    assert space.slice_index == 14
    zoom = view.zoom
    wheel(view, 1, Qt.KeyboardModifier.ControlModifier)
    assert view.zoom > zoom
    press(opened, KEY.Key_B)
    radius = view.tool.radius_mm
    wheel(view, -1, Qt.KeyboardModifier.ShiftModifier)
    assert view.tool.radius_mm < radius
    assert space.slice_index == 14


def test_the_crosshair_links_the_views(opened, hand):
    hand.stroke([(31, 21), (41, 31)])
    z, y, x = opened.workspace.position_zyx
    assert (z, y, x) == (12, round((31 + 119) / 2), round((41 + 139) / 2))
    assert opened.views.slices[Plane.SAGITTAL].scene.index == x


def test_pixels_show_the_outline_where_it_is(opened, hand):
    opened.workspace.fill_opacity = 0.0
    opened.workspace.display_changed.emit()
    radius = math.sqrt(outline(opened).area / math.pi)
    red, green, blue = hand.color_at(-radius * math.cos(0.5), -radius * math.sin(0.5))
    assert red > 150
    assert max(green, blue) < 90
    inside = hand.color_at(-radius * 0.8, 3)
    assert max(inside) - min(inside) <= 2  # grey
    press(opened, KEY.Key_Q)
    plain = hand.color_at(-radius * math.cos(0.5), -radius * math.sin(0.5))
    assert max(plain) - min(plain) <= 2


def test_window_presets_change_the_grey(opened, hand):
    press(opened, KEY.Key_1)
    soft = hand.color_at(80, 0)
    press(opened, KEY.Key_4)
    bone = hand.color_at(80, 0)
    assert soft != bone
    hand.stroke([(0, 0), (20, 0)], button=Qt.MouseButton.RightButton)
    assert opened.workspace.window.width_hu != 2000
