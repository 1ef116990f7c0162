"""Slices drawn between drawn ones: cones and oblique tubes come out as they are."""

import numpy as np
import pytest
import shapely

from autocontour.contouring import interpolate_contours
from autocontour.patient.geometry import VolumeGeometry

UNEVEN_MM = np.array([0.0, 2, 4, 6, 9, 12, 15, 18, 23, 28, 30])
ORIGINS = np.column_stack((np.zeros((len(UNEVEN_MM), 2)), UNEVEN_MM))
GEOMETRY = VolumeGeometry(200, 200, (1.0, 0.8), np.eye(3), ORIGINS)


def disc(radius, u=80.0, v=90.0):
    return shapely.MultiPolygon([shapely.Point(u, v).buffer(radius, 64)])


def test_cone_at_true_positions():
    drawn = {0: disc(10), 5: disc(10 + UNEVEN_MM[5]), 10: disc(10 + UNEVEN_MM[10])}
    contours = interpolate_contours(drawn, GEOMETRY)
    assert list(contours) == list(range(11))
    for k, shape in contours.items():
        assert shape.is_valid
        assert shapely.hausdorff_distance(shape, disc(10 + UNEVEN_MM[k])) < 0.2
    assert all(contours[k] is drawn[k] for k in drawn)


def test_oblique_tube_is_followed_though_its_ends_do_not_overlap():
    contours = interpolate_contours({0: disc(3, 40), 10: disc(3, 100)}, GEOMETRY)
    for k, shape in contours.items():
        assert shape.centroid.x == pytest.approx(40 + 2 * UNEVEN_MM[k], abs=0.02)
        assert shape.area == pytest.approx(disc(3).area, rel=0.01)


def test_holes_stay_open():
    ring = shapely.MultiPolygon([disc(20).geoms[0].difference(disc(8).geoms[0])])
    middle = interpolate_contours({2: ring, 6: ring}, GEOMETRY)[4]
    assert len(middle.geoms[0].interiors) == 1
    assert middle.area == pytest.approx(ring.area, rel=0.005)


def test_nothing_between_neighbours_or_beyond_the_ends():
    drawn = {3: disc(5), 4: disc(6)}
    assert interpolate_contours(drawn, GEOMETRY) == drawn
    assert interpolate_contours({}, GEOMETRY) == {}
