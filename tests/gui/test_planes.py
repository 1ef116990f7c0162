"""What the three planes show: every voxel where it is, cuts of contours exact, letters on the right side."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, box

from autocontour.gui.views.paths import path_of
from autocontour.gui.views.planes import Plane, PlaneGrid, body_voxels
from autocontour.gui.views.sections import FlatEdges, cut
from autocontour.gui.views.windowing import PRESETS, Window, fit_window
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from tests.gui.conftest import small_ct

GEOMETRY = VolumeGeometry.regular((9, 30, 40), (3.0, 1.5, 0.8), (-10.0, 20.0, -50.0))
UNEVEN = VolumeGeometry(30, 40, (1.5, 0.8), np.eye(3), np.c_[np.zeros((5, 2)), [0.0, 3.0, 6.0, 11.0, 16.0]])


@given(st.sampled_from(Plane), st.tuples(st.integers(0, 8), st.integers(0, 29), st.integers(0, 39)))
@settings(max_examples=80, deadline=None)
def test_every_voxel_is_found_where_it_is_shown(plane, voxel):
    grid = PlaneGrid.of(plane, GEOMETRY)
    assert grid.to_voxel(*grid.to_display(voxel), voxel[plane.value]) == voxel


@pytest.mark.parametrize("plane", Plane)
@pytest.mark.parametrize("geometry", [GEOMETRY, UNEVEN])
def test_images_show_each_voxel_at_its_position(plane, geometry):
    rng = np.random.default_rng(0)
    ct = CTVolume(rng.integers(-1000, 1000, geometry.shape_zyx).astype(np.int16), geometry)
    grid = PlaneGrid.of(plane, geometry)
    for _ in range(40):
        voxel = tuple(int(rng.integers(0, n)) for n in geometry.shape_zyx)
        index = voxel[plane.value]
        image, e = grid.image(ct, index), grid.extent_at(index)
        h, d = grid.to_display(voxel)
        row = int((d - e.top) / e.height * image.shape[0])
        column = int((h - e.left) / e.width * image.shape[1])
        assert image[row, column] == ct.hu[voxel]


@pytest.mark.parametrize(
    ("direction", "axial", "sagittal"),
    [
        (np.eye(3), ("R", "L", "A", "P"), ("A", "P", "S", "I")),
        (np.diag([-1.0, -1.0, 1.0]), ("L", "R", "P", "A"), ("A", "P", "S", "I")),
        (np.diag([-1.0, 1.0, -1.0]), ("L", "R", "A", "P"), ("A", "P", "S", "I")),
        (np.diag([1.0, -1.0, -1.0]), ("R", "L", "P", "A"), ("A", "P", "S", "I")),
    ],
)
def test_letters_follow_the_patient(direction, axial, sagittal):
    geometry = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 1.0), direction=direction)
    assert PlaneGrid.of(Plane.AXIAL, geometry).letters() == axial
    assert PlaneGrid.of(Plane.SAGITTAL, geometry).letters() == sagittal
    assert PlaneGrid.of(Plane.CORONAL, geometry).letters() == ("R", "L", "S", "I")


def test_planes_are_named_by_the_patient_also_of_one_who_lies_on_the_side():
    """HFDR, HFDL: the columns of the image run from front to back, and what cuts across them is coronal."""
    turns = (np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]))
    planes = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
    for direction in turns:
        geometry = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 2.0), direction=direction)
        grids = [PlaneGrid.of(plane, geometry) for plane in planes]
        assert [grid.title for grid in grids] == ["Axial", "Sagittal", "Coronal"]
        assert [grid.describe_position(1)[0] for grid in grids] == ["z", "x", "y"]
        assert [grid.letters()[:2] for grid in grids[1:]] == [("A", "P"), ("R", "L")]
    supine = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 2.0))
    assert [PlaneGrid.of(plane, supine).title for plane in planes] == ["Axial", "Coronal", "Sagittal"]


def test_slices_are_named_by_the_patient_s_own_axes():
    feet_first = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 2.0), (7.0, -4.0, 90.0), np.diag([-1.0, 1.0, -1.0]))
    planes = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
    positions = [PlaneGrid.of(plane, feet_first).describe_position(2) for plane in planes]
    assert positions == [("z", 84.0), ("y", -2.0), ("x", 3.0)]
    turned = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    oblique = VolumeGeometry.regular((3, 4, 5), (3.0, 1.0, 2.0), direction=turned)
    assert PlaneGrid.of(Plane.AXIAL, oblique).describe_position(1) == ("w", pytest.approx(3.0))


def test_a_box_is_cut_to_its_rectangle():
    contours = {z: MultiPolygon([box(0, 5, 20, 25)]) for z in (2, 3, 4)}
    section = cut(FlatEdges.of(contours), GEOMETRY, 0, 10.0)
    low, high = GEOMETRY.slice_positions_mm[2] - 1.5, GEOMETRY.slice_positions_mm[4] + 1.5
    assert section.rectangles[:, [0, 2]] == pytest.approx(np.array([[5, 25]] * 3))
    horizontal = section.lines[section.lines[:, 1] == section.lines[:, 3]]
    assert sorted(horizontal[:, 1]) == pytest.approx([-high, -low])  # only bottom and top, nothing between slices
    assert len(cut(FlatEdges.of(contours), GEOMETRY, 0, 30.0).lines) == 0


def test_what_lies_beyond_the_slices_is_not_cut():
    square = MultiPolygon([box(0, 5, 20, 25)])
    inside = dict.fromkeys((2, 3), square)
    section = cut(FlatEdges.of({-1: square, **inside, len(GEOMETRY.slice_positions_mm): square}), GEOMETRY, 0, 10.0)
    alone = cut(FlatEdges.of(inside), GEOMETRY, 0, 10.0)
    assert np.array_equal(section.rectangles, alone.rectangles)
    assert np.array_equal(section.lines, alone.lines)
    assert len(cut(FlatEdges.of({99: square}), GEOMETRY, 0, 10.0).lines) == 0


@given(st.floats(-24, 24), st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_ball_is_cut_to_its_chords_with_its_hole(position, axis):
    ring = MultiPolygon([Point(0, 0).buffer(25, quad_segs=64).difference(Point(0, 0).buffer(10, quad_segs=64))])
    section = cut(FlatEdges.of({4: ring}), GEOMETRY, axis, position)
    length = (section.rectangles[:, 2] - section.rectangles[:, 0]).sum()
    hole = 2 * math.sqrt(max(100 - position**2, 0))
    assert length == pytest.approx(2 * math.sqrt(625 - position**2) - hole, abs=0.15)


def test_paths_keep_points_and_holes():
    ring = MultiPolygon([Point(0, 0).buffer(10).difference(Point(0, 0).buffer(4)), box(20, 0, 30, 5)])
    path = path_of(ring)
    from PySide6.QtCore import QPointF

    assert path.contains(QPointF(7, 0))
    assert not path.contains(QPointF(0, 0))
    assert path.contains(QPointF(25, 2))
    bounds = path.boundingRect()
    assert (bounds.left(), bounds.right()) == pytest.approx((-10, 30))
    assert path_of(None).isEmpty()


def test_the_grey_scale_follows_the_standard_window():
    table = Window(400, 40).table()

    def grey(hu):
        return table[np.array([hu], np.int16).view(np.uint16)][0]

    assert (grey(-161), grey(40), grey(241)) == (0, 128, 255)
    assert grey(-32768) == 0
    assert grey(32767) == 255
    assert grey(39) <= grey(40) <= grey(41)


def test_the_body_is_found_without_the_air_around_it():
    ct = small_ct()
    low, high = body_voxels(ct)
    assert 5 <= low[2] <= 20
    assert 120 <= high[2] <= 135
    assert fit_window(ct, 12).width_hu >= 20
    assert set(PRESETS) >= {"Lung", "Bone", "Brain", "Mediastinum", "Head and neck"}
