"""Changes of a range of slices: what is planned is within the range, and what is left out is named."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, unary_union

from autocontour.edits import plan_copy, plan_deletion, plan_interpolation, plan_margin, plan_smoothing
from autocontour.patient.geometry import VolumeGeometry

GEOMETRY = VolumeGeometry.regular((40, 200, 200), (3.0, 1.0, 1.0), (-100.0, -100.0, 0.0))


def disc(u=0.0, v=0.0, r=20.0):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=64)])


def two(first, second):
    return MultiPolygon([*first.geoms, *second.geoms])


def test_every_fifth_slice_is_filled_with_the_radius_between():
    contours = {z: disc(r=10 + z) for z in range(0, 21, 5)}
    plan = plan_interpolation(contours, GEOMETRY, range(40))
    assert plan.filled == tuple(z for z in range(21) if z % 5)
    assert (plan.changed, plan.removed, plan.still_empty, plan.wide, plan.unpaired) == ((), (), (), (), ())
    for z, outline in plan.changes.items():
        assert math.sqrt(outline.area / math.pi) == pytest.approx(10 + z, abs=0.15)


def test_a_range_that_cuts_a_gap_is_filled_from_both_ends_of_the_gap_but_only_inside():
    contours = {0: disc(r=10), 10: disc(r=20)}
    plan = plan_interpolation(contours, GEOMETRY, range(4, 7))
    assert plan.filled == (4, 5, 6)
    assert math.sqrt(plan.changes[5].area / math.pi) == pytest.approx(15, abs=0.15)


def test_nothing_is_interpolated_over_a_gap_larger_than_the_distance_unless_it_is_asked_for():
    contours = {0: disc(), 5: disc(), 16: disc()}
    plan = plan_interpolation(contours, GEOMETRY, range(40), largest_gap_mm=30.0)
    assert plan.filled == (1, 2, 3, 4)
    assert [(gap.low, gap.high, gap.distance_mm) for gap in plan.wide] == [(5, 16, 33.0)]
    assert plan.still_empty == tuple(range(6, 16))
    asked = plan_interpolation(contours, GEOMETRY, range(40), largest_gap_mm=33.0)
    assert asked.filled == (1, 2, 3, 4, *range(6, 16))
    assert not asked.wide


def test_a_gap_outside_the_range_is_neither_filled_nor_named():
    contours = {0: disc(), 5: disc(), 30: disc()}
    plan = plan_interpolation(contours, GEOMETRY, range(6))
    assert plan.filled == (1, 2, 3, 4)
    assert not plan.wide


def test_a_part_without_a_counterpart_is_left_out_and_named():
    whole = two(disc(-40, 0, 10), disc(60, 0, 10))
    plan = plan_interpolation({2: whole, 6: disc(-40, 0, 10)}, GEOMETRY, range(40))
    assert plan.filled == (3, 4, 5)
    assert [(gap.low, gap.high, gap.unpaired) for gap in plan.unpaired] == [(2, 6, (1, 0))]
    assert all(outline.bounds[2] < 0 for outline in plan.changes.values())


def test_outlines_that_do_not_meet_are_not_bridged():
    plan = plan_interpolation({2: disc(-60, 0, 5), 6: disc(60, 0, 5)}, GEOMETRY, range(40))
    assert not plan.changes
    assert plan.still_empty == (3, 4, 5)
    assert [gap.unpaired for gap in plan.unpaired] == [(1, 1)]


def test_a_copy_keeps_drawn_slices_unless_they_are_to_be_replaced():
    contours = {2: disc(), 4: disc(r=5)}
    plan = plan_copy(contours, GEOMETRY, range(1, 6), 2)
    assert (plan.filled, plan.changed) == ((1, 3, 5), ())
    assert all(outline is contours[2] for outline in plan.changes.values())
    plan = plan_copy(contours, GEOMETRY, range(1, 6), 2, replaces=True)
    assert (plan.filled, plan.changed) == ((1, 3, 5), (4,))


def test_a_copy_from_an_empty_slice_changes_nothing():
    assert not plan_copy({2: disc()}, GEOMETRY, range(10), 5, replaces=True).changes


def test_a_margin_in_a_range_is_in_plane_and_adds_nothing_beyond_the_ends():
    contours = {z: disc(r=10) for z in range(5, 10)}
    plan = plan_margin(contours, GEOMETRY, range(7, 20), 3.0)
    assert plan.changed == (7, 8, 9)
    assert not plan.filled
    for outline in plan.changes.values():
        assert math.sqrt(outline.area / math.pi) == pytest.approx(13, abs=0.03)
    gone = plan_margin(contours, GEOMETRY, range(7, 8), -11.0)
    assert (gone.removed, gone.changed) == ((7,), ())


def test_a_margin_stays_within_the_image():
    plan = plan_margin({3: disc(u=85, r=10)}, GEOMETRY, range(5), 10.0)
    assert plan.changes[3].bounds[2] == pytest.approx(99.5)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 39), min_size=1, max_size=8), st.integers(0, 39), st.integers(1, 20), st.integers(0, 4))
def test_only_slices_of_the_range_ever_change(drawn, first, count, what):
    contours = {z: disc(u=z, r=10 + z / 4) for z in drawn}
    slices = range(first, min(first + count, 40))
    plan = (
        plan_interpolation(contours, GEOMETRY, slices),
        plan_copy(contours, GEOMETRY, slices, min(drawn), replaces=True),
        plan_deletion(contours, slices),
        plan_margin(contours, GEOMETRY, slices, -12.0),
        plan_smoothing(contours, slices, 2.0),
    )[what]
    assert set(plan.changes) <= set(slices)
    assert sorted((*plan.filled, *plan.changed, *plan.removed)) == sorted(plan.changes)
    assert not set(plan.filled) & set(contours)
    assert {*plan.changed, *plan.removed} <= set(contours)
    assert all(unary_union(o).is_valid for o in plan.changes.values() if o is not None)
