"""What is drawn between slices belongs to pieces that meet (case 13); everything else ends on its slice."""

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon

from autocontour.contouring import interpolate_contours
from autocontour.contouring.pairing import Neighbour, pair_pieces
from autocontour.patient.geometry import VolumeGeometry


def disc(radius, u=0.0, v=0.0):
    return Point(u, v).buffer(radius, quad_segs=32)


def shape(*polygons):
    return MultiPolygon(list(polygons))


def grid(spacing_mm=3.0, slices=30):
    return VolumeGeometry.regular((slices, 200, 200), (spacing_mm, 1.0, 1.0), (-99.5, -99.5, 0))


def between(contours, geometry):
    return {k: found for k, found in interpolate_contours(contours, geometry).items() if k not in contours}


def test_case_13_two_nodes_apart_are_not_joined():
    left, right = shape(disc(8, -40)), shape(disc(8, 40))
    assert between({10: left, 11: left, 20: right, 21: right}, grid()) == {}
    left, right = shape(disc(10, -40)), shape(disc(10, 40))
    assert between({10: left, 12: right}, grid()) == {}


@settings(max_examples=60, deadline=None)
@given(st.floats(2, 15), st.floats(2, 15), st.floats(0, 360), st.floats(0.1, 60), st.integers(2, 9), st.floats(1, 5))
def test_discs_further_apart_than_twice_the_gap_are_never_joined(r1, r2, degrees, more, step, spacing):
    apart = r1 + r2 + 2 * step * spacing + more
    u, v = apart * np.cos(np.radians(degrees)), apart * np.sin(np.radians(degrees))
    assert between({3: shape(disc(r1)), 3 + step: shape(disc(r2, u, v))}, grid(spacing)) == {}


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 12), st.floats(20, 80), st.integers(2, 9))
def test_pieces_that_stood_still_are_not_joined_to_one_that_lies_beyond_the_gap(radius, apart, step):
    assume(apart - 2 * radius > 3.0 * step + 0.1)
    left, right = shape(disc(radius)), shape(disc(radius, apart))
    assert between({5: left, 6: left, 6 + step: right, 7 + step: right}, grid()) == {}


@settings(max_examples=40, deadline=None)
@given(st.floats(3, 12), st.floats(0, 60), st.integers(3, 9), st.floats(0, 360))
def test_an_oblique_tube_is_followed_whatever_its_slope(radius, shift, step, degrees):
    """The slices beyond the gap show where it goes."""
    per_slice = shift / step
    assume(per_slice < 1.8 * radius)
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]) * per_slice
    tube = {k: shape(disc(radius, *(way * (k - 10)))) for k in range(8, 14 + step)}
    drawn = {k: tube[k] for k in tube if not 10 < k < 10 + step}
    found = between(drawn, grid())
    assert sorted(found) == list(range(11, 10 + step))
    for k, outline in found.items():
        assert outline.area == pytest.approx(tube[k].area, rel=0.02)
        assert outline.centroid.distance(tube[k].centroid) < 0.1


@settings(max_examples=40, deadline=None)
@given(st.floats(4, 15), st.floats(4, 15), st.floats(4, 15), st.floats(4, 15), st.integers(2, 8))
def test_separate_cones_are_drawn_as_if_each_were_alone(a1, a2, b1, b2, step):
    geometry = grid()
    low, high = shape(disc(a1, -40), disc(b1, 40)), shape(disc(a2, -40), disc(b2, 40))
    for k, found in between({4: low, 4 + step: high}, geometry).items():
        share = (k - 4) / step
        radii = (1 - share) * a1 + share * a2, (1 - share) * b1 + share * b2
        true = shape(disc(radii[0], -40), disc(radii[1], 40))
        assert found.is_valid
        assert shapely.hausdorff_distance(found, true) < 0.3


def test_a_piece_without_partner_ends_on_its_slice():
    geometry = grid()
    low, high = shape(disc(10), disc(6, 60)), shape(disc(12))
    found = between({4: low, 10: high}, geometry)
    assert sorted(found) == list(range(5, 10))
    assert all(outline.bounds[2] < 13 for outline in found.values())


def test_an_island_in_a_cavity_stays_one():
    ring = Polygon(disc(30).exterior, [disc(20).exterior])
    wide = Polygon(disc(36).exterior, [disc(26).exterior])
    middle = between({4: shape(ring, disc(8)), 10: shape(wide, disc(14))}, grid())[7]
    assert len(middle.geoms) == 2
    assert middle.area == pytest.approx(np.pi * (33**2 - 23**2 + 11**2), rel=0.01)


def test_a_fork_is_one_group():
    (pair,) = pair_pieces(shape(disc(10)), shape(disc(5, -7), disc(5, 7)), 6.0)
    assert [len(side.geoms) for side in pair] == [1, 2]
    (pair,) = pair_pieces(shape(disc(10)), shape(disc(5, -7), disc(5, 18)), 6.0)  # the second is 3 mm away
    assert [len(side.geoms) for side in pair] == [1, 2]
    (pair,) = pair_pieces(shape(disc(10)), shape(disc(5, -7), disc(5, 28)), 6.0)  # 13 mm
    assert [len(side.geoms) for side in pair] == [1, 1]


def test_the_direction_decides_between_near_and_far():
    piece, other = shape(disc(5)), shape(disc(5, 25))
    still = Neighbour(shape(disc(5)), 3.0)
    oblique = Neighbour(shape(disc(5, -5)), 3.0)
    assert pair_pieces(piece, other, 10.0)  # 15 mm apart over 10 mm: nothing speaks against it
    assert not pair_pieces(piece, other, 10.0, before=still)
    assert pair_pieces(piece, other, 10.0, before=oblique)
    assert not pair_pieces(piece, other, 10.0, before=oblique, after=Neighbour(shape(disc(5, 25)), 3.0))


polygons = st.lists(st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(2, 12)), min_size=1, max_size=4).map(
    lambda discs: shapely.union_all([disc(r, u, v) for u, v, r in discs])
)


@settings(max_examples=60, deadline=None)
@given(polygons, polygons, st.integers(2, 6))
def test_whatever_is_drawn_is_valid_and_within_the_hulls_of_the_pairs(low, high, step):
    low, high = (MultiPolygon([*shapely.get_parts(one)]) for one in (low, high))
    geometry = grid()
    hulls = shapely.union_all([shapely.union_all(pair).convex_hull for pair in pair_pieces(low, high, 3.0 * step)])
    for outline in between({4: low, 4 + step: high}, geometry).values():
        assert outline.is_valid
        assert outline.difference(hulls.buffer(1.0)).area < 0.1
