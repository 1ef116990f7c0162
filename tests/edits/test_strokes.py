"""Strokes: valid outlines, true areas, and clay that never tears."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, box

from autocontour.edits import brushed, clean, enclosed, erased, pushed, swept_disc, thinned
from autocontour.edits.polygons import SMALLEST_MM2

coordinate = st.floats(-80, 80, allow_nan=False)
point = st.tuples(coordinate, coordinate)
stroke_points = st.lists(point, min_size=1, max_size=12)
radius = st.floats(0.5, 30)

NARROWEST_MM = 0.02  # Boolean operations leave out narrower strips and fill narrower gaps


def disc(u=0.0, v=0.0, r=20.0):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=32)])


def valid(outline):
    return outline is None or (outline.is_valid and outline.geom_type == "MultiPolygon" and not outline.is_empty)


@given(stroke_points, radius)
@settings(max_examples=60, deadline=None)
def test_brush_adds_exactly_the_stroke(points, r):
    start, stroke = disc(), swept_disc(points, r)
    after = brushed(start, stroke)
    assert valid(after)
    expected = start.area + stroke.area - start.intersection(stroke).area
    closed = start.union(stroke).buffer(NARROWEST_MM / 2).buffer(-NARROWEST_MM / 2)  # with the gaps narrower than that
    assert expected - 0.2 <= after.area <= max(expected, closed.area) + 0.2  # pinholes below 0.05 mm² are closed


@given(stroke_points, radius)
@example([(0.0, 0.0)], 20.0)
@settings(max_examples=60, deadline=None)
def test_erasing_a_stroke_leaves_nothing_of_it(points, r):
    start, stroke = disc(), swept_disc(points, r)
    after = erased(start, stroke)
    assert valid(after)
    left, exact = after.area if after else 0.0, start.difference(stroke)
    opened = exact.buffer(-NARROWEST_MM / 2).buffer(NARROWEST_MM / 2)
    parts = [part for part in shapely.get_parts(opened) if part.area >= 2 * SMALLEST_MM2]
    wide = sum(part.area for part in parts if 2 * part.area / part.length > 1.5 * NARROWEST_MM)
    assert wide - 0.2 <= left <= exact.area + 0.2


def test_a_dot_of_the_brush_has_the_area_of_its_disc():
    assert swept_disc([(3, 4)], 10).area == pytest.approx(math.pi * 100, rel=2e-3)
    assert swept_disc([(3, 4), (3, 4)], 10).area == pytest.approx(math.pi * 100, rel=2e-3)


def test_a_straight_stroke_is_a_capsule():
    assert swept_disc([(0, 0), (50, 0)], 5).area == pytest.approx(math.pi * 25 + 500, rel=1e-3)


def test_freehand_fills_a_figure_of_eight():
    t = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    lobe = np.c_[20 * np.sin(t), 10 * np.sin(2 * t)]
    outline = enclosed(lobe)
    assert valid(outline)
    assert outline.area == pytest.approx(2 * 20 * 10 * 4 / 3, rel=0.01)  # lemniscate of Gerono


@given(st.lists(point, min_size=0, max_size=30))
@settings(max_examples=60, deadline=None)
def test_freehand_is_always_valid(points):
    assert valid(enclosed(points))


@given(point, st.floats(0, 2 * math.pi), st.floats(0.1, 1.5), st.floats(6, 40))
@settings(max_examples=80, deadline=None)
def test_push_keeps_pieces_and_holes(start, direction, way, r):
    ring = MultiPolygon([Point(0, 0).buffer(40).difference(Point(5, 0).buffer(15))])
    end = start[0] + way * r * math.cos(direction), start[1] + way * r * math.sin(direction)
    after = pushed(ring, start, end, r)
    assert valid(after)
    assert len(after.geoms) == 1
    assert len(after.geoms[0].interiors) == 1


@given(point, point, st.floats(2, 40))
@settings(max_examples=60, deadline=None)
def test_even_the_longest_push_leaves_a_valid_outline(start, end, r):
    after = pushed(disc(), start, end, r)
    assert valid(after)
    assert after is not None


def test_push_moves_the_outline_by_the_finger_at_its_centre():
    square = MultiPolygon([box(-30, -30, 30, 30)])
    after = pushed(square, (30, 0), (33, 0), 12)
    assert after.bounds[2] == pytest.approx(33, abs=0.15)
    assert after.bounds[0] == -30


def test_push_far_from_the_outline_changes_nothing():
    start = disc()
    assert pushed(start, (60, 60), (70, 70), 5) is start


def test_push_and_back_nearly_restores():
    start = disc(r=30)
    there = pushed(start, (30, 0), (35, 0), 20)
    back = pushed(there, (35, 0), (30, 0), 20)
    assert back.symmetric_difference(start).area < 0.02 * start.area


def test_thinning_stays_within_tolerance():
    outline = disc(r=25)
    thin = thinned(outline, 0.02)
    assert len(thin.geoms[0].exterior.coords) <= len(outline.geoms[0].exterior.coords)
    assert thin.hausdorff_distance(outline) <= 0.02


def test_cleaning_drops_slivers_and_mends_a_bow_tie():
    bow_tie = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert clean(bow_tie).area == pytest.approx(50)
    assert clean(box(0, 0, 0.1, 0.1)) is None
    assert clean(Point(0, 0)) is None
