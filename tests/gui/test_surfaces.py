"""The 3D view: bone and skin from the CT, the cut at the slice, pictures and films."""

import io

import numpy as np
import pytest
import shapely
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from shapely import MultiPolygon

from autocontour.gui.views.film import SIGNATURE, animated, as_png, chunks
from autocontour.gui.views.surface_scene import build_actor, coarse_mask
from autocontour.gui.views.surface_view import FILM_FRAMES
from autocontour.gui.views.volume import AIR_HU, Tissue, even_volume
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume, SeriesReference
from tests.gui.conftest import disc, small_ct
from tests.gui.test_editing import press
from tests.gui.test_views import POSITIONS

KEY, CONTROL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
HEAD_RGB, FEET_RGB = (255, 0, 0), (0, 0, 255)


def places(grid, mask):
    """The mean place in patient mm of the voxels in a mask."""
    z, y, x = np.argwhere(mask).mean(axis=0)
    step_w, step_v, step_u = grid.spacing_zyx_mm
    return grid.slice_origins_lps_mm[0] + grid.direction @ (x * step_u, y * step_v, z * step_w)


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("kind", ["even", "uneven", "sheared"])
def test_the_volume_lies_where_the_slices_lie(name, kind):
    direction = POSITIONS[name]
    steps = np.arange(24) * 3.0
    if kind == "uneven":
        steps[10:] += 7.0
    origins = np.array([-139.0, -119.0, -36.0]) + steps[:, None] * direction[:, 2]
    if kind == "sheared":
        origins = origins + np.arange(24)[:, None] * 2.0 * direction[:, 1]
    geometry = VolumeGeometry(120, 140, (2.0, 2.0), direction, origins)
    hu = np.full((24, 120, 140), -1000, np.int16)
    hu[16:20, 30:50, 60:90] = 1000
    wanted = np.mean([origins[z] + direction[:, :2] @ (74.5 * 2, 39.5 * 2) for z in range(16, 20)], axis=0)
    volume, grid = even_volume(CTVolume(hu, geometry), 400_000)
    assert volume.size < 900_000
    assert places(grid, volume > 0) == pytest.approx(wanted, abs=2.5)
    assert volume.min() == AIR_HU


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("kind", ["even", "uneven", "sheared"])
def test_a_surface_lies_where_the_slices_lie(name, kind):
    """A box over a gap in the slices: its surface reaches half a slice beyond the outermost contours, no further."""
    direction = POSITIONS[name]
    steps = np.arange(24) * 3.0
    if kind == "uneven":
        steps[10:] += 7.0
    origins = np.array([-139.0, -119.0, -36.0]) + steps[:, None] * direction[:, 2]
    if kind == "sheared":
        origins = origins + np.arange(24)[:, None] * 2.0 * direction[:, 1]
    geometry = VolumeGeometry(120, 140, (2.0, 2.0), direction, origins)
    u0, v0 = origins[0] @ direction[:, :2] + (70, 50)
    contours = {z: MultiPolygon([shapely.box(u0, v0, u0 + 60, v0 + 40)]) for z in range(6, 16)}
    bounds = np.reshape(build_actor(*coarse_mask(contours, geometry)).GetBounds(), (3, 2))
    levels = origins @ direction[:, 2]
    corners = np.array([direction @ (u, v, levels[z]) for z in (6, 15) for u in (u0, u0 + 60) for v in (v0, v0 + 40)])
    wanted = np.stack((corners.min(axis=0), corners.max(axis=0)), axis=1)
    assert bounds == pytest.approx(wanted, abs=3.5)


def shown(view):
    """The picture without the words at the top and the axes at the right."""
    image = view.picture().convertToFormat(QImage.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8)
    return flat.reshape(image.height(), image.width(), 4)[26:, :-70, 2::-1].astype(int)


def reddish(picture):
    return int((picture[..., 0] - picture[..., 1:].max(axis=-1) > 40).sum())


def bluish(picture):
    return int((picture[..., 2] - picture[..., :2].max(axis=-1) > 40).sum())


def complete(view, qtbot):
    qtbot.waitUntil(lambda: not view.is_meshing and view._image is not None, timeout=20_000)


@pytest.fixture
def bony(window, qtbot):
    """A CT with a bright ball, without a structure."""
    window.show_ct(small_ct())
    complete(window.views.surfaces, qtbot)
    return window


def test_bone_and_skin_are_off_until_the_key_asks_and_off_again(bony, qtbot):
    view = bony.views.surfaces
    nothing = shown(view)
    assert (nothing.max(axis=-1) < 60).all()
    lit = {}
    for tissue in (Tissue.BONE, Tissue.BONE_AND_SKIN):
        press(bony, KEY.Key_B, CONTROL)
        assert view.tissue is tissue
        complete(view, qtbot)
        lit[tissue] = int((shown(view).max(axis=-1) > 60).sum())
    assert 0 < lit[Tissue.BONE] < lit[Tissue.BONE_AND_SKIN]
    press(bony, KEY.Key_B, CONTROL)
    assert view.tissue is Tissue.NONE
    complete(view, qtbot)
    assert (shown(view).max(axis=-1) < 60).all()


def test_another_ct_shows_its_own_bone(bony, qtbot):
    view = bony.views.surfaces
    press(bony, KEY.Key_B, CONTROL)
    complete(view, qtbot)
    ct = small_ct()
    bony.show_ct(CTVolume(np.minimum(ct.hu, 20).copy(), ct.geometry))
    qtbot.waitUntil(lambda: bony.workspace.ct.hu.max() == 20)
    complete(view, qtbot)
    assert (shown(view).max(axis=-1) < 60).all()  # no bone in it


@pytest.mark.parametrize("name", ["HFS", "FFS"])
def test_the_cut_leaves_out_the_head_side_of_the_slice_in_every_position(window, qtbot, name):
    direction = POSITIONS[name]
    geometry = VolumeGeometry.regular((24, 120, 140), (3.0, 2.0, 2.0), -direction @ (139.0, 119.0, 34.5), direction)
    hu = np.full((24, 120, 140), -1000, np.int16)
    hu[:, 50:70, 60:80] = 0
    window.show_ct(CTVolume(hu, geometry))
    space, view = window.workspace, window.views.surfaces
    to_head = geometry.step_to_head
    at_head, at_feet = (range(18, 23), range(2, 7)) if to_head > 0 else (range(2, 7), range(18, 23))
    space.receive(Structure("Head", 1, dict.fromkeys(at_head, disc(r=40)), color_rgb=HEAD_RGB))
    space.receive(Structure("Feet", 2, dict.fromkeys(at_feet, disc(r=40)), color_rgb=FEET_RGB))
    space.go_to_slice(12)
    complete(view, qtbot)
    whole = shown(view)
    assert reddish(whole) > 50
    assert bluish(whole) > 50
    press(window, KEY.Key_U)
    complete(view, qtbot)
    assert reddish(shown(view)) == 0
    assert bluish(shown(view)) > 50
    space.go_to_slice(23 if to_head > 0 else 0)  # beyond the head
    qtbot.wait(20)
    complete(view, qtbot)
    assert reddish(shown(view)) > 50
    press(window, KEY.Key_U)
    space.go_to_slice(12)
    complete(view, qtbot)
    assert reddish(shown(view)) > 50


def test_the_cut_shows_the_slice_there(bony, qtbot):
    view = bony.views.surfaces
    bony.workspace.go_to_slice(12)
    press(bony, KEY.Key_U)
    view.turn(0, 40)
    view.fit()
    assert (shown(view).min(axis=-1) > 200).sum() > 20  # the bright ball, white in the slice


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """Answer the dialog that asks for a file."""
    asked = []

    def choose(path):
        def answer(parent, title, proposed, kinds):
            asked.append(proposed)
            return str(path), kinds

        monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
        return asked

    return choose


def named_ct():
    ct = small_ct()
    uids = tuple(f"1.2.{z}" for z in range(24))
    patient = {"PatientName": "DOE^JANE", "PatientID": "77"}
    return CTVolume(ct.hu, ct.geometry, SeriesReference("1", "2", "3", "4", uids, patient))


def test_a_picture_is_written_without_the_patients_name(window, qtbot, chosen, tmp_path):
    window.show_ct(named_ct())
    window.workspace.receive(Structure("Heart", 1, {z: disc() for z in range(5, 15)}, color_rgb=HEAD_RGB))
    complete(window.views.surfaces, qtbot)
    asked = chosen(tmp_path / "view")
    window.action_set.trigger("picture")
    data = (tmp_path / "view.png").read_bytes()
    assert not {"DOE", "JANE"} & set(asked[0].upper().replace("-", " ").replace("/", " ").split())
    assert b"DOE" not in data
    assert {kind for kind, _ in chunks(data)} <= {b"IHDR", b"IDAT", b"IEND", b"pHYs"}
    written = QImage.fromData(data)
    assert written.size() == window.views.surfaces.picture().size()


def test_what_is_no_png_is_never_replaced(opened, qtbot, chosen, tmp_path):
    complete(opened.views.surfaces, qtbot)
    path = tmp_path / "CT.png"
    path.write_bytes(b"a slice")
    chosen(path)
    said = []
    opened.workspace.message.connect(lambda sentence, is_refusal: said.append(sentence) if is_refusal else None)
    opened.action_set.trigger("picture")
    assert path.read_bytes() == b"a slice"
    assert said
    assert "PNG" in said[0]


def test_a_film_turns_once_and_comes_back(opened, qtbot, chosen, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    view = opened.views.surfaces
    complete(view, qtbot)
    before = shown(view)
    chosen(tmp_path / "film.png")
    opened.action_set.trigger("film")
    qtbot.waitUntil((tmp_path / "film.png").exists, timeout=60_000)
    assert np.abs(shown(view) - before).mean() < 1
    film = pil.open(io.BytesIO((tmp_path / "film.png").read_bytes()))
    assert film.n_frames == FILM_FRAMES
    film.seek(FILM_FRAMES // 2)
    other = np.asarray(film.convert("RGB"))
    film.seek(0)
    assert np.abs(np.asarray(film.convert("RGB")).astype(int) - other).mean() > 0.1


def test_a_click_cancels_the_film_and_nothing_is_written(opened, qtbot, chosen, tmp_path):
    view = opened.views.surfaces
    complete(view, qtbot)
    chosen(tmp_path / "film.png")
    opened.action_set.trigger("film")
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(20, 40))
    qtbot.waitUntil(lambda: not view._turntable.isActive())
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(20, 40))
    assert not list(tmp_path.glob("film*"))


def test_an_animated_png_is_one_to_readers_that_know_none():
    pictures = []
    for red in (10, 200, 90):
        image = QImage(30, 20, QImage.Format.Format_RGB32)
        image.fill(QColor(red, 0, 0))
        image.setText("Patient", "DOE")
        pictures.append(as_png(image))
    film = animated(pictures, 40)
    assert film.startswith(SIGNATURE)
    assert b"DOE" not in film
    assert QImage.fromData(film).pixelColor(3, 3).red() == 10
    small = QImage(10, 20, QImage.Format.Format_RGB32)
    with pytest.raises(ValueError, match="one size"):
        animated([pictures[0], as_png(small)], 40)
    with pytest.raises(ValueError, match="one size"):
        animated([], 40)
