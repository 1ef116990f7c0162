"""Views: centred and zoomed to the structure, filled by the patient, head up in every patient position."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtTest import QTest

from autocontour.gui.panels.banner import Banner
from autocontour.gui.views.planes import Plane, PlaneGrid, body_voxels
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume, SeriesReference
from tests.gui.conftest import disc, small_ct
from tests.gui.test_editing import press, wheel
from tests.gui.test_tools import side_stroke

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
POSITIONS = {
    "HFS": np.eye(3),
    "HFP": np.diag([-1.0, -1.0, 1.0]),
    "FFS": np.diag([-1.0, 1.0, -1.0]),
    "FFP": np.diag([1.0, -1.0, -1.0]),
}


def on_screen(view, number):
    """The structure's rectangle in pixels of a view."""
    low, high = view.workspace.voxels_of(number)
    grid = view.scene.grid
    a, b = view.to_pixels(*grid.to_display(low)), view.to_pixels(*grid.to_display(high))
    return QRectF(a, b).normalized()


@pytest.mark.parametrize("key", [KEY.Key_Space, KEY.Key_N])
def test_b8_every_view_centres_and_zooms_to_the_structure(opened, key):
    small = Structure("Lens", 2, {z: disc(-40, 30, 4) for z in (17, 18)}, color_rgb=(0, 200, 255))
    opened.workspace.receive(small)
    for view in opened.views.slices.values():
        view.centre = QPointF(500, 500)
    if key == KEY.Key_Space:
        opened.workspace.select(2)
    else:
        opened.workspace.case.look(1, 12)
    press(opened, key)
    assert opened.workspace.selected == 2
    for view in opened.views.slices.values():
        box, middle = on_screen(view, 2), QPointF(view.rect().center())
        assert (box.center() - middle).manhattanLength() < 0.1 * view.width()
        assert QRectF(view.rect()).contains(box)
        assert min(view.width(), view.height()) / view.scale == pytest.approx(120, rel=0.02)  # mm across


def test_b8_zoom_is_linked(opened):
    views = opened.views.slices
    before = {plane: view.zoom for plane, view in views.items()}
    crosshair = {plane: view.to_pixels(*view.scene.grid.to_display((12, 60, 70))) for plane, view in views.items()}
    opened.workspace.go_to((12, 60, 70))
    wheel(views[Plane.AXIAL], 2, CONTROL)
    for plane, view in views.items():
        assert view.zoom / before[plane] == pytest.approx(1.44)
        if plane is not Plane.AXIAL:
            now = view.to_pixels(*view.scene.grid.to_display((12, 60, 70)))
            assert (now - crosshair[plane]).manhattanLength() < 0.01


def test_b9_the_patient_fills_the_first_picture_not_the_couch():
    ct = small_ct()
    hu = ct.hu.copy()
    hu[:, 112:114, 2:138] = -100  # a couch top, as wide as the image, below the body
    hu[:, 117:119, 2:138] = 200
    (_, top, left), (_, bottom, right) = body_voxels(CTVolume(hu, ct.geometry))
    assert (left, right) == pytest.approx((15, 125), abs=6)
    assert (top, bottom) == pytest.approx((15, 105), abs=6)


def test_b9_a_patient_lying_on_the_couch_is_still_framed_alone():
    ct = small_ct()
    hu = ct.hu.copy()
    hu[:, 105:107, 2:138] = 200
    low, high = body_voxels(CTVolume(hu, ct.geometry))
    assert (low[2], high[2]) == pytest.approx((15, 125), abs=8)


def test_b16_3d_shows_what_came_in_later(opened, qtbot):
    surfaces = opened.views.surfaces
    qtbot.waitUntil(lambda: surfaces._scene is not None and surfaces._image is not None, timeout=10_000)
    body = Structure("External", 5, {z: disc(0, 0, 100) for z in range(24)}, interpreted_type="EXTERNAL")
    opened.workspace.receive(body)
    number = opened.workspace.state.find("External").structure.number
    qtbot.waitUntil(lambda: number in surfaces._scene._actors, timeout=10_000)
    qtbot.wait(300)
    image = surfaces._image
    background = image.pixelColor(1, 1)
    edges = [image.pixelColor(x, y) for x in (1, image.width() - 2) for y in range(0, image.height(), 7)]
    assert all(color == background for color in edges)  # nothing runs out of the picture


@pytest.mark.parametrize("name", POSITIONS)
def test_b17_side_views_are_head_up_with_right_at_left_and_draw_where_the_pointer_is(window, qtbot, name):
    """A mark at the head, at the patient's right and front is where the letters say; strokes land under the pointer."""
    direction = POSITIONS[name]
    shape, spacing = (24, 120, 140), (3.0, 2.0, 2.0)
    geometry = VolumeGeometry.regular(shape, spacing, tuple(-direction @ (139.0, 119.0, 34.5)), direction)
    places = geometry.origin_lps_mm if hasattr(geometry, "origin_lps_mm") else geometry.slice_origins_lps_mm[0]
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    step = np.stack([x * 2.0, y * 2.0, z * 3.0], axis=-1)
    lps = np.asarray(places) + step @ direction.T
    hu = np.full(shape, -1000, np.int16)
    hu[np.abs(lps / (120, 100, 30)).max(axis=-1) < 1] = 0
    mark = (np.abs(lps - (-80, -60, 20)) < (20, 20, 8)).all(axis=-1)  # right, front, head
    hu[mark] = 1000
    window.show_ct(CTVolume(hu, geometry))
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    space = window.workspace
    voxel = tuple(int(i) for i in np.argwhere(mark).mean(axis=0))
    space.go_to(voxel)
    for plane, corner in ((Plane.CORONAL, (-1, -1)), (Plane.SAGITTAL, (-1, -1))):
        view = window.views.slices[plane]
        view.fit()
        assert view.scene.grid.letters()[2:] == ("S", "I")
        assert view.scene.grid.letters()[0] == ("R" if plane is Plane.CORONAL else "A")
        at = view.to_pixels(*view.scene.grid.to_display(voxel))
        offset = at - QPointF(view.rect().center())
        assert (np.sign(offset.x()), np.sign(offset.y())) == corner
        grey = view.grab().toImage().pixelColor((at + QPointF(9, 9)).toPoint())
        assert grey.red() > 200
    space.add_structure(Structure("Heart", 1, {}))
    press(window, KEY.Key_B)
    window.views.axial.tool.radius_mm = 10
    coronal = window.views.slices[Plane.CORONAL]
    side_stroke(coronal, [coronal.scene.grid.to_display(voxel)])
    (low, high) = space.voxels_of(space.selected)
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        assert (a + b) / 2 == pytest.approx(voxel[axis], abs=1.5)


def test_b17_panning_a_mirrored_view_follows_the_hand(window, qtbot):
    ct = small_ct()
    feet_first = VolumeGeometry.regular(ct.geometry.shape_zyx, ct.geometry.spacing_zyx_mm, direction=POSITIONS["FFS"])
    window.show_ct(CTVolume(ct.hu, feet_first))
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    view = window.views.slices[Plane.CORONAL]
    voxel = (12, 60, 70)
    before = view.to_pixels(*view.scene.grid.to_display(voxel))
    centre = view.centre
    sign_h, sign_d = view.scene.grid.signs
    assert (sign_h, sign_d) == (-1, -1)
    view._drag_from = QPointF(50, 50)
    view.centre = centre - QPointF(sign_h * 20, sign_d * 10) / view.scale
    after = view.to_pixels(*view.scene.grid.to_display(voxel))
    assert (after - before).x() == pytest.approx(20)
    assert (after - before).y() == pytest.approx(10)


def test_b17_the_patient_position_stands_in_the_banner(qtbot):
    ct = small_ct()
    reference = SeriesReference("1", "2", "3", "4", (), {"PatientName": "DOE^JANE", "PatientPosition": "FFP"})
    banner = Banner()
    qtbot.addWidget(banner)
    banner.show_ct(CTVolume(ct.hu, ct.geometry, reference))
    assert "FFP  feet first, prone" in banner._facts.text()
    assert "FFP" in banner.accessibleDescription()


def test_fit_shows_the_whole_patient_again(opened):
    press(opened, KEY.Key_Space)
    QTest.keyClick(opened, KEY.Key_0)
    grid = PlaneGrid.of(Plane.AXIAL, opened.workspace.ct.geometry)
    view = opened.views.axial
    assert view.scale == pytest.approx(
        view.zoom * min(view.width() / grid.extent.width, view.height() / grid.extent.height)
    )
    low, high = opened.workspace.body_voxels
    a, b = view.to_pixels(*grid.to_display(low)), view.to_pixels(*grid.to_display(high))
    assert QRectF(view.rect()).contains(QRectF(a, b).normalized())


@pytest.mark.parametrize("slices", [(10, 11, 24), (24,), range(20, 40), (-1, 0, 1), (500,)], ids=str)
def test_a_case_with_contours_beyond_the_scan_is_shown(window, qtbot, slices):
    window.show_ct(small_ct())
    space = window.workspace
    space.case.slice_count = None  # as a case of a version that let them in
    space.receive(Structure("Heart", 1, dict.fromkeys(slices, disc()), color_rgb=(255, 0, 0)))
    qtbot.waitUntil(lambda: not window.views.surfaces.is_meshing)
    within = [z for z in slices if 0 <= z < 24]
    assert f"{len(within) * 3 * disc().area / 1000:.1f} cc" in window.panel.model.details(space.current)
    space.go_to_structure(1)
    QTest.keyClick(window.views.axial, Qt.Key.Key_Tab)
    for z in (23, 0):
        space.go_to_slice(z)
        window.grab()
    assert (space.voxels_of(1) is not None) == bool(within)


def test_a_contour_beyond_the_scan_is_refused(opened):
    space = opened.workspace
    refused = []
    space.message.connect(lambda sentence, is_refusal: refused.append(sentence) if is_refusal else None)
    before = space.state
    assert not space.redraw("Brush", {24: disc()})
    assert space.state is before
    assert [sentence.partition(".")[0] for sentence in refused] == [
        "Heart would be drawn on slice 25, but the CT has slices 1 to 24"
    ]


def test_what_lies_under_the_pointer_is_of_the_slice_shown_now(opened):
    view, label = opened.views.axial, opened._hover_label
    QTest.mouseMove(view, view.rect().center() + QPoint(3, 3))
    QTest.mouseMove(view, view.rect().center())
    for key in (KEY.Key_Down, KEY.Key_Down, KEY.Key_Up):
        before = label.text()
        press(opened, key)
        z = opened.workspace.ct.geometry.slice_origins_lps_mm[opened.workspace.position_zyx[0], 2]
        assert label.text() != before
        assert label.text().endswith(f"z {z:.1f} mm")
