"""Pictures in three views: the right way round, in true proportions, with outlines in their colours."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import shapely
from PIL import Image

from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom
from autocontour.report.fonts import find_korean
from autocontour.report.pictures import middle_of, render_slices, voxel_at

POSITIONS = ("HFS", "HFP", "FFS", "FFP")
HEIGHT_PX, BORDER_PX = 240, 26


def picture_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)


def views_of(picture: np.ndarray, ct: CTVolume) -> list[np.ndarray]:
    """Cut the picture into its three views, without title and names."""
    z, y, x = np.multiply(ct.hu.shape, ct.geometry.spacing_zyx_mm)
    edges = np.rint(np.cumsum([0, x / y, y / z, x / z]) / (x / y + y / z + x / z) * picture.shape[1]).astype(int)
    inner = picture[BORDER_PX:-BORDER_PX]
    return [inner[:, a:b] for a, b in pairwise(edges)]


def bright_spot(view: np.ndarray) -> tuple[float, float]:
    """Where the large white block lies, as fractions down and across."""
    grey = (view.min(axis=2) > 230).astype(float)
    blurred = np.pad(grey, 4)
    dense = sum(np.roll(blurred, (a, b), (0, 1)) for a in range(-3, 4) for b in range(-3, 4))[4:-4, 4:-4] > 40
    rows, columns = np.nonzero(dense)
    return rows.mean() / view.shape[0], columns.mean() / view.shape[1]


@pytest.mark.parametrize("position", POSITIONS)
def test_every_position_is_shown_the_same_way_round(thorax, position):
    """A block at the patient's left, front and head is at the right and at the top, however the patient lay."""
    patient = np.full(thorax.hu.shape, -1000, np.int16)
    patient[45:65, 20:40, 110:140] = 3000  # to the head, to the front, to the left
    directions = {"HFS": (1, 1, 1), "HFP": (1, -1, -1), "FFS": (-1, 1, -1), "FFP": (-1, -1, 1)}
    z, y, x = directions[position]
    hu = np.ascontiguousarray(patient[::z, ::y, ::x])
    geometry = VolumeGeometry.regular(hu.shape, (3.0, 3.0, 3.0), (0, 0, 0), np.diag([float(x), float(y), float(z)]))
    ct = CTVolume(hu, geometry)
    at = tuple(int(np.argwhere(hu > 0)[:, axis].mean()) for axis in range(3))
    slice_view, sagittal, coronal = views_of(picture_of(render_slices(ct, [], at, height_px=HEIGHT_PX)), ct)
    down, across = bright_spot(slice_view)
    assert down < 0.4
    assert across > 0.6
    down, across = bright_spot(sagittal)
    assert down < 0.4
    assert across < 0.4
    down, across = bright_spot(coronal)
    assert down < 0.4
    assert across > 0.6


def box_structure(ct: CTVolume, color: tuple[int, int, int] = (255, 0, 0)) -> Structure:
    mask = np.zeros(ct.hu.shape, np.bool_)
    mask[10:30, 30:60, 40:90] = True
    return Structure("Box", 1, contours_from_mask(mask, ct.geometry), color_rgb=color)


def test_outline_runs_where_the_structure_is_in_all_views():
    hu = np.full((40, 80, 120), -1000, np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 1.0, 1.0), (-55.0, 12.0, 7.0)))
    views = views_of(picture_of(render_slices(ct, [box_structure(ct)], height_px=HEIGHT_PX)), ct)
    expected = [((30, 60, 80), (40, 90, 120)), ((10, 30, 40), (30, 60, 80)), ((10, 30, 40), (40, 90, 120))]
    for number, (view, (down, across)) in enumerate(zip(views, expected, strict=True)):
        red = (view[:, :, 0] > 150) & (view[:, :, 1] < 90) & (view[:, :, 2] < 90)
        rows, columns = np.nonzero(red)
        low, high, size = down
        top, bottom = (low / size, high / size) if number == 0 else (1 - high / size, 1 - low / size)
        assert abs(rows.min() / len(view) - top) < 0.03
        assert abs(rows.max() / len(view) - bottom) < 0.03
        assert abs(columns.min() / view.shape[1] - across[0] / across[2]) < 0.03
        assert abs(columns.max() / view.shape[1] - across[1] / across[2]) < 0.03


def test_proportions_are_true():
    hu = np.zeros((20, 50, 100), np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (5.0, 2.0, 1.0)))
    picture = picture_of(render_slices(ct, [], height_px=200))
    assert picture.shape[0] == 200 + 2 * BORDER_PX
    assert abs(picture.shape[1] / 200 - (100 / 100 + 100 / 100 + 100 / 100)) < 0.03


def test_a_structure_elsewhere_or_empty_is_no_trouble():
    hu = np.zeros((40, 80, 120), np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 1.0, 1.0)))
    png = render_slices(ct, [box_structure(ct), Structure("Nothing", 2, {})], (39, 79, 119), title="far away")
    assert png.startswith(b"\x89PNG")


def test_uneven_slices_stand_where_they_are():
    """The outline of a structure on the last, far slice is cut at that slice's own position."""
    hu = np.full((4, 30, 30), -1000, np.int16)
    origins = np.array([[0, 0, z] for z in (0.0, 3.0, 6.0, 21.0)])
    ct = CTVolume(hu, VolumeGeometry(30, 30, (1.0, 1.0), np.eye(3), origins))
    contours = {3: shapely.MultiPolygon([shapely.box(5, 5, 25, 25)])}
    picture = picture_of(render_slices(ct, [Structure("Far", 1, contours, color_rgb=(255, 0, 0))], (3, 15, 15)))
    red = (picture[:, :, 0] > 150) & (picture[:, :, 1] < 90)
    coronal = red[BORDER_PX:-BORDER_PX, -picture.shape[1] // 3 :]
    rows = np.flatnonzero(coronal.any(axis=1))
    assert rows[0] < 5
    assert 0.25 < rows[-1] / coronal.shape[0] < 0.5


def test_the_middle_is_inside_what_is_drawn():
    hu = np.zeros((40, 80, 120), np.int16)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 1.0, 1.0), (-55.0, 12.0, 7.0)))
    z, y, x = middle_of(ct.geometry, [box_structure(ct).contours])
    assert (10 <= z < 30, 30 <= y < 60, 40 <= x < 90) == (True, True, True)
    assert middle_of(ct.geometry, []) == (20, 40, 60)
    assert voxel_at(ct.geometry, 3, -55.0 + 7.2, 12.0 + 500) == (3, 79, 7)


@pytest.mark.skipif(find_korean() is None, reason="no Korean font on this computer")
def test_hangul_in_a_title_is_drawn_and_not_an_empty_box(recwarn: pytest.WarningsRecorder) -> None:
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(9.0, 8.0, 8.0), shape_zyx=(12, 60, 60))
    ct = CTVolume(phantom.hu, phantom.geometry)
    pictures = {title: render_slices(ct, (), title=title, height_px=120) for title in ("자동", "수동", "한글", "A")}
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert len(set(pictures.values())) == len(pictures)
