"""Whole outlines and several slices: areas, volumes and what must not change."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, box

from autocontour.edits import (
    Boolean,
    added_path_length_mm,
    combined,
    copied,
    cropped,
    deleted,
    filled,
    largest,
    mapped,
    moved,
    offset,
    replaced,
    rotated,
    simplified,
    smoothed,
)


def disc(u=0.0, v=0.0, r=20.0):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=32)])


@given(st.floats(5, 60), st.floats(0.5, 4))
@settings(max_examples=40, deadline=None)
def test_smoothing_keeps_a_disc(r, sigma):
    soft = smoothed(disc(r=r), sigma)
    assert soft.area == pytest.approx(disc(r=r).area, rel=5e-3)
    assert soft.hausdorff_distance(disc(r=r)) < 0.1


def test_smoothing_rounds_a_corner_and_keeps_the_area():
    square = MultiPolygon([box(0, 0, 40, 40)])
    soft = smoothed(square, 3)
    assert soft.area == pytest.approx(1600, rel=0.01)
    assert not soft.contains(Point(0.2, 0.2))
    assert soft.is_valid


def test_holes_are_filled_and_only_the_largest_piece_kept():
    ring = disc(r=20).difference(disc(r=5))
    two = MultiPolygon([*MultiPolygon([ring]).geoms, *disc(60, 0, 4).geoms])
    assert filled(two).area == pytest.approx(disc(r=20).area + disc(r=4).area)
    assert largest(two).area == pytest.approx(ring.area)


@given(st.floats(-15, 30))
@settings(max_examples=30, deadline=None)
def test_offset_of_a_disc_is_a_disc(margin):
    assert offset(disc(r=20), margin).area == pytest.approx(math.pi * (20 + margin) ** 2, rel=0.01)


def test_offset_to_nothing_is_none():
    assert offset(disc(r=5), -6) is None


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-180, 180))
@settings(max_examples=30, deadline=None)
def test_moving_and_turning_keep_the_area(u, v, degrees):
    square = MultiPolygon([box(0, 0, 30, 10)])
    assert rotated(moved(square, u, v), degrees, (u, v)).area == pytest.approx(300)


def test_turning_goes_from_u_towards_v():
    turned = rotated(MultiPolygon([box(10, -1, 12, 1)]), 90, (0, 0))
    assert turned.centroid.coords[0] == pytest.approx((0, 11))


def test_simplifying_stays_close():
    assert simplified(disc(r=30), 0.5).hausdorff_distance(disc(r=30)) <= 0.5


def test_copy_and_delete_name_the_slices_that_change():
    contours = {3: disc(), 5: disc(r=5)}
    assert copied(contours, 3, 4) == {4: contours[3]}
    assert copied(contours, 9, 4) == {}
    assert deleted(contours, range(4, 10)) == {5: None}
    assert list(mapped(contours, filled)) == [3, 5]
    assert mapped(contours, lambda p: p) == {}
    assert replaced(contours, {3: contours[3], 7: disc()}) == {7: disc(), 5: None}


def narrow_part_mm2(shift, radius, narrowest_mm=0.02):
    """Area of the crescent between two equal discs where it is narrower than what a difference keeps (analytic)."""
    if shift <= narrowest_mm:
        return 2 * radius * shift
    return 2 * radius * shift * (1 - np.sqrt(1 - (narrowest_mm / shift) ** 2))


@given(st.floats(0, 60))
@example(0.015)
@example(0.03125)
@settings(max_examples=30, deadline=None)
def test_boolean_areas_add_up(shift):
    a, b = {1: disc()}, {1: disc(u=shift), 2: disc()}
    area = {how: combined(a, b, how) for how in Boolean}
    shared = area[Boolean.INTERSECTION].get(1)
    overlap = shared.area if shared else 0.0
    assert area[Boolean.UNION][1].area == pytest.approx(2 * disc().area - overlap, abs=0.2)
    rest = area[Boolean.DIFFERENCE].get(1)
    lost = disc().area - overlap - (rest.area if rest else 0)
    assert -0.2 <= lost <= 0.2 + narrow_part_mm2(shift, np.sqrt(disc().area / np.pi))
    assert 2 in area[Boolean.UNION]
    assert 2 not in area[Boolean.INTERSECTION]


def test_cropping_keeps_the_gap():
    organ, body = {1: disc(r=20), 2: disc(r=20)}, {1: disc(u=15, r=20)}
    inside = cropped(organ, body, 3, inside=True)
    assert set(inside) == {1}
    assert inside[1].within(body[1].buffer(-2.9))
    outside = cropped(organ, body, 3, inside=False)
    assert outside[1].distance(body[1]) == pytest.approx(3, abs=0.05)
    assert outside[2].equals(organ[2])


def test_added_path_counts_what_was_drawn_anew():
    before = MultiPolygon([box(0, 0, 20, 20)])
    after = MultiPolygon([box(0, 0, 30, 20)])
    assert added_path_length_mm(before, before) == 0
    assert added_path_length_mm(None, before) == pytest.approx(80)
    assert added_path_length_mm(before, after) == pytest.approx(40, abs=1.5)
