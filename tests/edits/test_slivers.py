"""Operations on nearly equal outlines leave no strips and no gaps (case 17), and nothing else changes."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, box
from shapely.affinity import translate

from autocontour.edits import Boolean, clean, combined, cropped, difference, intersection, union


def disc(radius, u=0.0, v=0.0):
    return MultiPolygon([Point(u, v).buffer(radius, quad_segs=32)])


def scaled_box(inset):
    return MultiPolygon([box(inset, inset, 40 - inset, 30 - inset)])


def narrowest(shape, least_mm):
    """Area of what a disc of that diameter does not reach."""
    opened = shape.buffer(-least_mm / 2, join_style="mitre").buffer(0.51 * least_mm, join_style="mitre")
    return shape.difference(opened).area


def test_case_17_a_ring_too_narrow_to_be_written_is_not_left():
    assert difference(disc(50.002), disc(50)) is None


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 100), st.floats(1e-6, 0.018))
def test_a_difference_of_nearly_equal_shapes_is_nothing(size, inset):
    assert difference(disc(size + inset), disc(size)) is None
    assert difference(scaled_box(0), scaled_box(inset)) is None


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 100), st.floats(0.025, 3))
def test_a_ring_that_can_be_drawn_stays_exact(size, width):
    ring = difference(disc(size + width), disc(size))
    true = disc(size + width).area - disc(size).area
    if true > 0.05:
        assert ring.area == pytest.approx(true, rel=1e-9)
        assert len(ring.geoms[0].interiors) == 1


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 60), st.floats(0.0005, 0.015), st.floats(5, 60), st.floats(0, 360))
def test_strips_that_hang_on_a_wide_part_go_and_the_wide_part_stays(size, inset, part, degrees):
    """A shape less one that is a little smaller, but for a notch: the notch stays, the ring round the rest goes."""
    u, v = size * np.cos(np.radians(degrees)), size * np.sin(np.radians(degrees))
    notch = Point(u, v).buffer(min(part, size) / 2, quad_segs=32)
    outer = disc(size + inset)
    inner = MultiPolygon([disc(size).geoms[0].difference(notch)])
    left = difference(outer, inner)
    assert left.area == pytest.approx(outer.intersection(notch).area, abs=2 * inset * 0.5 + 0.02 * size * inset + 0.01)
    assert narrowest(left, 0.015) < 1e-3
    assert len(left.geoms) == 1


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 60), st.floats(1e-5, 0.018))
def test_a_union_fills_the_gap_between_shapes_that_nearly_touch(size, gap):
    around = MultiPolygon([Polygon(disc(size + 5).geoms[0].exterior, [disc(size + gap).geoms[0].exterior])])
    whole = union(around, disc(size))
    assert not whole.geoms[0].interiors
    assert whole.area == pytest.approx(disc(size + 5).area, abs=0.01)
    side_by_side = union(scaled_box(0), translate(scaled_box(0), 40 + gap, 0))
    assert len(side_by_side.geoms) == 1
    assert side_by_side.area == pytest.approx(2 * 40 * 30 + 30 * gap, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.floats(5, 60), st.floats(0.025, 3))
def test_a_gap_that_can_be_drawn_stays_open(size, gap):
    around = MultiPolygon([Polygon(disc(size + 5).geoms[0].exterior, [disc(size + gap).geoms[0].exterior])])
    assert len(union(around, disc(size)).geoms) == 2


@settings(max_examples=60, deadline=None)
@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(3, 30))
def test_nothing_else_changes(u, v, radius):
    """Where there is nothing narrow the result is that of the plain operation, point by point."""
    a, b = scaled_box(0), disc(radius, 20 + u, 15 + v)
    for made, plain in (
        (difference(a, b), a.difference(b)),
        (intersection(a, b), a.intersection(b)),
        (union(a, b), a.union(b)),
    ):
        assert shapely.symmetric_difference(made or Polygon(), plain).area < 0.11  # pieces and holes below 0.05 mm²


def test_booleans_and_crops_of_whole_structures_leave_none_either():
    organ, slightly_smaller = {1: disc(50.002), 2: disc(30)}, {1: disc(50), 2: disc(20)}
    assert set(combined(organ, slightly_smaller, Boolean.DIFFERENCE)) == {2}
    assert set(cropped(organ, slightly_smaller, 0.0, inside=False)) == {2}


def test_a_hairline_is_no_area():
    assert clean(box(0, 0, 100, 0.01)) is None
    assert clean(box(0, 0, 100, 0.03)) is not None
    pinched = Polygon(box(0, 0, 50, 50).exterior, [box(10, 10, 40, 10.01).exterior])
    assert not clean(pinched).geoms[0].interiors
