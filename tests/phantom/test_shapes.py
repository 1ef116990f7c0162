"""Shapes: their contours and voxels against analytic truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from autocontour.contouring import volume_cc
from autocontour.patient.geometry import VolumeGeometry
from autocontour.phantom.combine import Difference, Intersection, Offset, Shared, Union, Wavy
from autocontour.phantom.plane import Plane, sample
from autocontour.phantom.positions import direction_of
from autocontour.phantom.render import contours_of, plane_of, render_plane
from autocontour.phantom.shapes import Ellipsoid, Loft, Tube
from autocontour.phantom.sketch import Anatomy, Painting, Part

GEOMETRY = VolumeGeometry.regular((80, 100, 100), (1.0, 1.0, 1.0), (-50.0, -50.0, -40.0))
ROUND = np.eye(3)


def sphere(center=(0, 0, 0), radius=20.0):
    return Ellipsoid(np.array(center, float), np.full(3, float(radius)), ROUND)


def volume_of(shape, geometry=GEOMETRY, step_mm=0.5):
    return volume_cc(contours_of(shape, geometry, step_mm), geometry)


@pytest.mark.parametrize("tilt", [(0, 0, 0), (20, -35, 50)])
def test_ellipsoid_volume(tilt):
    axes = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
    ellipsoid = Ellipsoid(np.array([1.3, -2.1, 0.4]), np.array([30.0, 18.0, 22.0]), axes)
    assert volume_of(ellipsoid) == pytest.approx(ellipsoid.volume_cc, rel=1e-3)


def test_tube_loft_and_offset_volumes():
    path = np.array([[-2.0, 3, -15.5], [-2.0, 3, 14.5]])
    capsule = Tube(path, np.array([12.0, 12.0]), np.zeros(2))
    assert volume_of(capsule) * 1000 == pytest.approx(np.pi * 144 * 30 + 4 / 3 * np.pi * 1728, rel=2e-3)
    cylinder = Loft(np.array([(z, 2.0, 1.0, 25.0, 15.0, 15.0, 2.0) for z in (-30.5, 30.5)]))
    assert volume_of(cylinder) * 1000 == pytest.approx(np.pi * 25 * 15 * 61, rel=2e-3)
    assert volume_of(Offset(sphere(), 5.0)) == pytest.approx(sphere(radius=25).volume_cc, rel=1e-3)


def test_boolean_shapes():
    left, right, far = sphere((-8, 0, 0)), sphere((8, 0, 0)), sphere((30, 30, 0), 5)
    both, either = volume_of(Intersection((left, right))), volume_of(Union((left, right)))
    assert both + either == pytest.approx(2 * sphere().volume_cc, rel=3e-3)
    assert volume_of(Difference(left, (right,))) == pytest.approx(sphere().volume_cc - both, rel=4e-3)
    assert volume_of(Union((left, far))) == pytest.approx(left.volume_cc + far.volume_cc, rel=2e-3)
    assert volume_of(Union((left, right), blend_mm=10)) > either


@given(st.tuples(*[st.floats(-25, 25)] * 3), st.floats(4, 20))
@settings(max_examples=20, deadline=None)
def test_contours_lie_on_the_sphere(center, radius):
    sparse = VolumeGeometry.regular((16, 100, 100), (5.0, 1.0, 1.0), (-50.0, -50.0, -40.0))
    contours = contours_of(sphere(center, radius), sparse, 0.5)
    assert contours
    for index, polygons in contours.items():
        points = np.asarray(polygons.geoms[0].exterior.coords)
        height = sparse.slice_positions_mm[index] - center[2]
        if radius - abs(height) > 1:
            distance = np.hypot(*(points - center[:2]).T)
            assert distance == pytest.approx(np.sqrt(radius**2 - height**2), abs=0.03)


def test_a_shape_is_cut_at_the_images_edge():
    contours = contours_of(sphere((50, 0, 0), 30), GEOMETRY, 0.5)
    assert max(polygons.bounds[2] for polygons in contours.values()) == pytest.approx(49.5)


def test_a_hole_stays_a_hole():
    shell = Difference(sphere(radius=20), (sphere(radius=12),))
    contours = contours_of(shell, GEOMETRY, 0.5)
    assert len(contours[40].geoms[0].interiors) == 1


@pytest.mark.parametrize("position", ["HFS", "FFDR", "HFP"])
@pytest.mark.parametrize("oblique_deg", [0.0, 4.0])
def test_every_direction_cuts_the_same_volume(position, oblique_deg):
    direction = direction_of(position, oblique_deg)
    geometry = VolumeGeometry.regular((80, 100, 100), (1.0, 1.0, 1.0), direction @ (-50, -50, -40), direction)
    ellipsoid = Ellipsoid(np.array([3.0, 1.0, -2.0]), np.array([25.0, 12.0, 18.0]), ROUND)
    assert volume_of(ellipsoid, geometry) == pytest.approx(ellipsoid.volume_cc, rel=2.5e-3)


def test_windows_change_nothing():
    """What is evaluated near a shape only, or shared, equals what is evaluated everywhere."""
    shape = Wavy(
        Union((sphere((-9, 4, 0), 12), sphere((12, -3, 3), 9)), blend_mm=6), 1.0, 25.0, np.array([0.1, 1.0, 2.0])
    )
    plane = plane_of(GEOMETRY, 41)
    everywhere = shape.distance(plane)
    near = np.abs(everywhere) < 5
    assert np.abs(sample(shape, plane) - everywhere)[near].max() < 1e-4
    shared, whole = Shared(shape), sample(shape, plane)
    for box_mm in (sphere((12, -3, 3), 9).box, sphere((-20, 30, 0), 18).box):
        where, part = plane.window(box_mm, 2.0)
        assert np.allclose(shared.distance(part), whole[where], atol=1e-4)


def test_sphere_distance_is_true():
    plane = Plane(np.eye(3), np.linspace(-40, 40, 81), np.linspace(-40, 40, 81), 6.0)
    x, y, z = plane.xyz
    true = np.sqrt(x**2 + y**2 + z**2) - 20
    assert np.abs(sphere().distance(plane) - true).max() < 1e-3


def test_partial_volume_keeps_the_volume():
    """Half-covered voxels are half grey: the grey sums to the analytic volume."""
    ball = sphere((0.3, -0.2, 0.1), 17.0)
    body = sphere(radius=45.0)
    anatomy = Anatomy(Painting((Part(body, 0.0), Part(ball, 1000.0))), {}, body)
    total = 0.0
    for index in range(80):
        hu, _ = render_plane(anatomy, Painting(()), plane_of(GEOMETRY, index), 1.2)
        total += float((hu[25:75, 25:75] / 1000).sum()) if 20 <= index < 60 else 0.0
    assert total / 1000 == pytest.approx(ball.volume_cc, rel=5e-3)
