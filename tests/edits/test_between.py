"""Interpolation between drawn slices, against shapes whose cuts are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, box

from autocontour.edits import interpolated
from autocontour.geometry import VolumeGeometry

EVEN = VolumeGeometry.regular((11, 10, 10), (3.0, 1.0, 1.0))


def disc(u=0.0, v=0.0, r=20.0):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=48)])


@given(st.floats(6, 40), st.floats(6, 40))
@settings(max_examples=15, deadline=None)
def test_a_cone_is_cut_where_it_is(r1, r2):
    made = interpolated({2: disc(r=r1), 6: disc(r=r2)}, EVEN)
    assert list(made) == [3, 4, 5]
    for z, outline in made.items():
        radius = r1 + (r2 - r1) * (z - 2) / 4
        assert outline.is_valid
        assert math.sqrt(outline.area / math.pi) == pytest.approx(radius, abs=0.05)


def test_an_oblique_vessel_stays_whole():
    made = interpolated({0: disc(-30, 0, 6), 10: disc(30, 10, 6)}, EVEN)
    for z, outline in made.items():
        assert outline.area == pytest.approx(math.pi * 36, rel=0.01)
        assert outline.centroid.x == pytest.approx(-30 + 6 * z, abs=0.05)


def test_uneven_slices_count_by_their_positions():
    origins = np.c_[np.zeros((3, 2)), [0.0, 1.0, 10.0]]
    geometry = VolumeGeometry(10, 10, (1.0, 1.0), np.eye(3), origins)
    made = interpolated({0: disc(r=10), 2: disc(r=20)}, geometry)
    assert math.sqrt(made[1].area / math.pi) == pytest.approx(11, abs=0.05)


def test_holes_and_pieces_go_through():
    ring = MultiPolygon([Point(0, 0).buffer(20).difference(Point(0, 0).buffer(8))])
    pair = MultiPolygon([box(-30, -5, -10, 5), box(10, -5, 30, 5)])
    between = interpolated({0: ring, 2: ring}, EVEN)[1]
    assert len(between.geoms[0].interiors) == 1
    assert between.area == pytest.approx(ring.area, rel=0.01)
    assert len(interpolated({0: pair, 2: pair}, EVEN)[1].geoms) == 2


def test_drawn_slices_are_left_alone():
    assert interpolated({1: disc(), 2: disc(), 3: disc()}, EVEN) == {}
    assert interpolated({4: disc()}, EVEN) == {}
