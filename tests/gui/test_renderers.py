"""Qt's painter and VTK draw the same slices from one description, and the choice between them is never silent."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QMessageBox
from shapely import MultiPolygon, Point, Polygon, box

from autocontour.cli import main
from autocontour.gui.app import window as window_module
from autocontour.gui.dialogs.about import about_lines
from autocontour.gui.views import renderers
from autocontour.gui.views.content import Content, Frame, Shape, ShownShape
from autocontour.gui.views.painted import PaintedSlices
from autocontour.gui.views.planes import Extent, Plane
from autocontour.gui.views.renderers import AUTO, QT, VTK, Choice, are_same, asked_for, choose, picture_of
from autocontour.gui.views.sections import Section
from autocontour.gui.views.triangles import line_triangles, rectangle_triangles, triangles_of
from autocontour.gui.views.vtk_slices import VtkSlices
from autocontour.gui.views.windowing import Window
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from tests.gui.conftest import disc, small_ct
from tests.gui.test_views import POSITIONS


@pytest.fixture
def vtk(qapp):
    renderer = VtkSlices()
    yield renderer
    renderer.close()


def image(rows=60, columns=80):
    r, c = np.mgrid[:rows, :columns].astype(np.float32)
    return (15 * r - 9 * c + 250 * ((r // 7 + c // 7) % 2) - 200).astype(np.int16)


WHOLE, WIDE = Extent(-80, -60, 160, 120), Window(900, 0)


def content(hu=None, extent=WHOLE, window=WIDE, shapes=(), at=(0.0, 0.0)):
    moved = Extent(extent.left + at[0], extent.top + at[1], extent.width, extent.height)
    return Content(image() if hu is None else hu, moved, window, tuple(shapes))


def shapes(at=(0.0, 0.0)):
    u, v = at
    ring = Point(u + 10, v - 6).buffer(40).difference(Point(u + 20, v).buffer(12))
    far = Point(u - 50, v + 30).buffer(9)
    corner = box(u + 40, v + 10, u + 120, v + 75)  # out of the image and of the view
    square = box(u - 60, v - 50, u - 59, v - 49)
    return [
        ShownShape(Shape.of_outline(MultiPolygon([ring, far])), (255, 60, 20), 1.5, 0.12),
        ShownShape(Shape.of_outline(MultiPolygon([corner])), (40, 120, 255), 1.5, 0.5),
        ShownShape(Shape.of_outline(MultiPolygon([Point(u, v).buffer(25)])), (60, 255, 90), 2.4, 0.0),
        ShownShape(Shape.of_outline(MultiPolygon([square])), (255, 255, 0), 2.4, 0.12),
    ]


def frame(at=(0.0, 0.0), signs=(1, 1), ratio=1.0, scale=2.5):
    return Frame(360, 300, ratio, scale, (at[0] + 5, at[1] - 3), signs)


def assert_same(vtk, shown, seen):
    a, b = picture_of(PaintedSlices(), shown, seen), picture_of(vtk, shown, seen)
    assert a.std() > 5
    assert are_same(a, b)


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)], ids=str)
def test_both_draw_the_same_also_mirrored(vtk, signs):
    assert_same(vtk, content(shapes=shapes()), frame(signs=signs))


@pytest.mark.parametrize(("ratio", "scale"), [(2.0, 2.5), (1.25, 2.5), (1.0, 0.7), (1.0, 14.0), (2.0, 30.0)])
def test_both_draw_the_same_at_every_zoom_and_on_screens_of_finer_pixels(vtk, ratio, scale):
    assert_same(vtk, content(shapes=shapes()), frame(ratio=ratio, scale=scale))


@pytest.mark.parametrize("at", [(-3000.0, 2500.0), (4.0e5, -7.0e5)], ids=str)
def test_both_draw_the_same_far_from_the_origin(vtk, at):
    assert_same(vtk, content(shapes=shapes(at), at=at), frame(at))


@pytest.mark.parametrize("size", [(1, 80), (60, 1), (2, 3), (60, 80)], ids=str)
def test_both_draw_images_of_one_row_and_of_pixels_that_are_not_square(vtk, size):
    hu = image()[: size[0], : size[1]]
    assert_same(vtk, content(np.ascontiguousarray(hu), Extent(-70, -20, 140, 40)), frame())


@pytest.mark.parametrize("window", [Window(1, 40), Window(8000, 0), Window(80, -900), Window(350, 5000)], ids=str)
def test_both_take_extreme_values_and_windows(vtk, window):
    hu = image()
    hu[:10], hu[10:20] = -32768, 32767
    a, b = (picture_of(r, content(hu, window=window), frame()) for r in (PaintedSlices(), vtk))
    assert are_same(a, b)


def test_both_fill_the_slabs_of_a_side_view(vtk):
    rectangles = np.array([[-30.0, 5 * k, 20 + 3 * k, 5 * k + 5] for k in range(-5, 5)])
    lines = np.array([[-30.0, -25, -30, 25], [20, 0, 20, 25]])
    shown = ShownShape(Shape.of_section(Section(rectangles, lines)), (255, 90, 0), 2.4, 0.4)
    assert_same(vtk, content(shapes=[shown]), frame())


def test_what_was_shown_before_does_not_stay(vtk):
    all_of_them = shapes()
    for few in (all_of_them, all_of_them[:1], [], all_of_them[2:], all_of_them):
        assert_same(vtk, content(shapes=few), frame())
    recoloured = [ShownShape(s.shape, (0, 255, 255), s.width_px, s.opacity) for s in all_of_them]
    assert_same(vtk, content(shapes=recoloured), frame())
    assert_same(vtk, content(image().T.copy(), Extent(-60, -80, 120, 160), shapes=recoloured), frame())
    assert_same(vtk, content(-image(), shapes=recoloured), frame(scale=4))
    changed = image()
    shown = content(changed)
    picture_of(vtk, shown, frame())
    assert_same(vtk, content(np.ascontiguousarray(changed[::-1])), frame())


def test_triangles_cover_exactly_the_polygons():
    rough = np.random.default_rng(3).uniform(5, 30, 200)
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    star = Polygon(np.c_[rough * np.cos(turn), rough * np.sin(turn)])
    for outline in (MultiPolygon([star]), shapes()[0].shape.outline, MultiPolygon()):
        cut = triangles_of(outline)
        a, b = cut[:, 1] - cut[:, 0], cut[:, 2] - cut[:, 0]
        assert np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2 == pytest.approx(outline.area)
    assert rectangle_triangles(np.empty((0, 4))).shape == (0, 3, 2)
    assert np.isfinite(line_triangles(np.array([[1.0, 1, 1, 1], [0, 0, 3, 4]]), 2.0)).all()


def test_a_ring_on_which_vtk_gives_up_is_filled_all_the_same(monkeypatch):
    outline = MultiPolygon([box(0, 0, 10, 10)])
    monkeypatch.setattr("autocontour.gui.views.triangles._ears", lambda _: np.empty((0, 3, 2)))
    cut = triangles_of(outline)
    a, b = cut[:, 1] - cut[:, 0], cut[:, 2] - cut[:, 0]
    assert np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2 == pytest.approx(100)


def grabbed(view):
    picture = view.grab().toImage().convertToFormat(view.grab().toImage().Format.Format_RGB32)
    flat = np.frombuffer(picture.constBits(), np.uint8)
    return flat.reshape(picture.height(), picture.width(), 4)[..., :3].astype(np.int16)


def assert_views_same(window):
    pictures = {}
    for name in (QT, VTK):
        window.views.use_renderer(name)
        pictures[name] = {plane: grabbed(view) for plane, view in window.views.slices.items()}
    for plane in Plane:
        assert are_same(pictures[QT][plane], pictures[VTK][plane]), plane


def test_the_three_views_show_the_same_with_both(opened):
    space = opened.workspace
    space.receive(Structure("External", 5, {z: disc(0, 0, 100) for z in range(24)}, interpreted_type="EXTERNAL"))
    ring = MultiPolygon([disc(30, 10, 30).difference(disc(35, 8, 9))])
    space.receive(Structure("Ring", 6, dict.fromkeys((11, 12, 13), ring)))
    assert_views_same(opened)
    space.select(6)
    space.go_to((11, 50, 90))
    space.set_window(Window(1600, -500))
    opened.views.axial.zoom = 3.0
    opened.views.axial.centre = QPointF(20, 10)
    assert_views_same(opened)
    space.redraw("Brush", {11: disc(0, 0, 30)}, 6)
    assert_views_same(opened)
    opened.toggle_outlines()
    assert_views_same(opened)


@pytest.mark.parametrize("name", POSITIONS)
def test_every_patient_position_shows_the_same_with_both(window, name):
    direction = POSITIONS[name]
    geometry = VolumeGeometry.regular((24, 120, 140), (3.0, 2.0, 2.0), (-139.0, -119.0, -36.0), direction)
    hu = small_ct().hu.copy()
    hu[16:20, 20:40, 30:50] = 1000
    window.show_ct(CTVolume(hu, geometry))
    window.workspace.receive(Structure("Mark", 1, {z: disc(-60, -60, 20) for z in range(14, 20)}))
    window.workspace.go_to((17, 30, 40))
    assert_views_same(window)


def test_uneven_slices_and_shifted_ones_show_the_same_with_both(window):
    ct = small_ct()
    g = ct.geometry
    origins = g.slice_origins_lps_mm.copy()
    origins[12:, 2] += 9.0
    geometry = VolumeGeometry(g.rows, g.columns, g.pixel_spacing_vu_mm, g.direction, origins)
    window.show_ct(CTVolume(ct.hu, geometry))
    window.workspace.receive(Structure("Mark", 1, {z: disc(10, 20, 30) for z in range(8, 18)}))
    window.workspace.go_to_slice(13)
    assert_views_same(window)


@pytest.mark.parametrize("name", ["llvmpipe (LLVM 15.0.6, 256 bits)", "softpipe", "SWR (swrast)", "GDI Generic", ""])
def test_software_opengl_leaves_the_slices_to_qt(name):
    assert choose(AUTO, name) == Choice(AUTO, QT, name)


def test_hardware_opengl_draws_the_slices_by_vtk(qapp):
    name = "NVIDIA RTX A2000/PCIe/SSE2"
    assert choose(AUTO, name) == Choice(AUTO, VTK, name)
    assert choose(QT, name) == Choice(QT, QT, name)
    assert choose(VTK, "llvmpipe").name == VTK


def test_the_command_line_goes_before_the_environment_and_that_before_the_setting():
    variable = renderers.VARIABLE
    assert asked_for("vtk", "qt", {variable: "vtk"}) == "qt"
    assert asked_for("vtk", "", {variable: " QT "}) == "qt"
    assert asked_for("vtk", "", {variable: "metal"}) == "vtk"
    assert asked_for("nonsense", "", {}) == "auto"


def test_the_command_line_takes_a_renderer(monkeypatch):
    called = []
    monkeypatch.setattr("autocontour.gui.app.app.run_viewer", lambda *args: called.append(args) or 0)
    assert main(["gui", "--renderer", "vtk"]) == 0
    assert called == [(None, "vtk", None)]


class Mirrored(PaintedSlices):
    """A driver that mirrors."""

    name = "vtk"

    def draw(self, painter, content, frame):
        turned = Frame(frame.width_px, frame.height_px, frame.ratio, frame.scale, frame.centre_mm, (1, 1))
        super().draw(painter, content, turned)


class WithoutShapes(PaintedSlices):
    """A driver that leaves the outlines out."""

    def draw(self, painter, content, frame):
        super().draw(painter, Content(content.hu, content.extent, content.window, ()), frame)


class Black(PaintedSlices):
    """A driver that draws nothing."""

    def draw(self, painter, content, frame):
        painter.fillRect(0, 0, frame.width_px, frame.height_px, 0)


@pytest.mark.parametrize("driver", [Mirrored, WithoutShapes, Black])
def test_a_driver_that_draws_wrongly_is_not_used_and_named(opened, monkeypatch, driver):
    said = []
    opened.workspace.message.connect(lambda sentence, is_refusal: said.append((sentence, is_refusal)))
    monkeypatch.setattr(renderers, "VtkSlices", driver)
    monkeypatch.setattr(window_module, "opengl_name", lambda _: "Some driver 1.0")
    opened.choose_renderer(AUTO)
    assert opened.renderer == Choice(AUTO, QT, "Some driver 1.0", is_faulty=True)
    assert all(view.renderer.name == QT for view in opened.views.slices.values())
    assert any("Some driver 1.0" in sentence and is_refusal for sentence, is_refusal in said)
    assert any("wrongly" in line for line in about_lines(opened.renderer))


def test_the_choice_is_in_the_menu_remembered_and_shown_in_about(opened, another_window, answer, qtbot):
    actions = {action.data(): action for action in opened.action_set.renderers.actions()}
    actions[VTK].trigger()
    assert actions[VTK].isChecked()
    assert not actions[AUTO].isChecked()
    assert opened.settings.renderer == VTK
    assert {view.renderer.name for view in opened.views.slices.values()} == {VTK}
    shown = []

    def read(box):
        shown.append(box.text())
        box.reject()

    answer(QMessageBox, read)
    opened.action_set.trigger("about")
    assert "VTK (OpenGL)" in shown[0]
    assert f"OpenGL: {opened.renderer.opengl}" in shown[0]
    assert opened.renderer.opengl
    again = another_window()
    again.intake.prepare_to_open(asked_for(again.settings.renderer, "", {}))
    qtbot.waitUntil(lambda: again.renderer.name == VTK, timeout=20_000)
    actions[QT].trigger()
    assert {view.renderer.name for view in opened.views.slices.values()} == {QT}
