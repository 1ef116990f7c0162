from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point, Polygon, box

from autocontour.contouring import contours_from_mask
from autocontour.contouring.rings import keyhole_rings, nested_rings, polygon_from_ring, polygon_from_rings
from autocontour.patient.geometry import VolumeGeometry

FLAT = VolumeGeometry.regular((1, 24, 24), (3.0, 1.25, 0.8))
blobs = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((24, 24)))


def polygons_of(noise: np.ndarray, share: float) -> MultiPolygon:
    """Return the holes, islands in holes and touching corners that a random mask brings."""
    return contours_from_mask((noise < share)[None], FLAT).get(0, MultiPolygon())


def even_odd(rings: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """The definition: a point is inside if a ray from it crosses the rings an odd number of times."""
    inside = np.zeros(len(points), dtype=bool)
    for ring in rings:
        for (u0, v0), (u1, v1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            spans = (v0 > points[:, 1]) != (v1 > points[:, 1])
            inside ^= spans & (points[:, 0] < u0 + (points[:, 1] - v0) / ((v1 - v0) or 1.0) * (u1 - u0))
    return inside


def same(a, b) -> bool:
    return a.symmetric_difference(b).area < 1e-6 * max(1.0, a.area)


@settings(max_examples=60, deadline=None)
@given(blobs, st.sampled_from([0.2, 0.5, 0.8, 0.95]))
def test_every_way_of_writing_holes_reads_back_the_same(noise, share):
    area = polygons_of(noise, share)
    keyholes = keyhole_rings(area)
    assert len(keyholes) == len(area.geoms)
    found = polygon_from_rings(keyholes)
    assert same(found.area, area)
    assert not found.overlapping
    assert not found.nested
    nested = polygon_from_rings(nested_rings(area))
    assert same(nested.area, area)
    assert not nested.overlapping
    assert nested.nested == any(len(p.interiors) for p in area.geoms)
    assert same(polygon_from_rings(nested_rings(area), xor=True).area, area)


@settings(max_examples=40, deadline=None)
@given(blobs, st.sampled_from([0.5, 0.9]))
def test_a_point_in_polygon_reader_of_keyholes_sees_the_mask(noise, share):
    v, u = np.indices((24, 24))
    centres = np.column_stack([u.ravel() * 0.8, v.ravel() * 1.25])
    inside = even_odd([ring.round(3) for ring in keyhole_rings(polygons_of(noise, share))], centres)
    assert np.array_equal(inside, (noise < share).ravel())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=3, max_size=14))
def test_any_ring_means_its_even_odd_inside(corners):
    """Rings that cross, touch and retrace themselves at will."""
    ring = np.array(corners, dtype=float)
    area = polygon_from_ring(ring)
    assert area.is_valid
    u, v = np.meshgrid(np.arange(-8.3, 8, 0.71), np.arange(-8.4, 8, 0.73))
    points = np.column_stack([u.ravel(), v.ravel()])
    clear = shapely.distance(shapely.linearrings(ring), shapely.points(points)) > 1e-3
    assert np.array_equal(shapely.contains_xy(area, points[clear]), even_odd([ring], points[clear]))


def test_channels_lie_inside_the_polygon_and_along_u():
    disc = Point(0, 0).buffer(30)
    holes = [Point(x, y).buffer(3) for x, y in ((-15, 0), (0, 0), (15, 0), (3, 14), (-8, -12))]
    area = MultiPolygon([disc.difference(shapely.union_all(holes))])
    (ring,) = keyhole_rings(area)
    steps = np.abs(np.diff(np.vstack([ring, ring[:1]]), axis=0))
    assert steps.max(axis=1).min() > 0
    edges = shapely.linestrings(np.stack([ring, np.roll(ring, -1, axis=0)], axis=1))
    assert all(area.buffer(1e-9).covers(edge) for edge in edges)
    boundary = area.boundary.buffer(1e-9)
    channels = [edge for edge in edges if not boundary.covers(edge)]
    assert len(channels) == 2 * len(holes)
    assert all(c.coords[0][1] == c.coords[1][1] for c in channels)


def test_island_in_a_hole_in_an_island():
    rings = [np.array(Point(0, 0).buffer(r).exterior.coords)[:-1] for r in (20, 15, 10, 5)]
    truth = sum(sign * Polygon(r).area for sign, r in zip((1, -1, 1, -1), rings, strict=True))
    for order in (rings, rings[::-1], [rings[2], rings[0], rings[3], rings[1]]):
        assert polygon_from_rings(order).area.area == pytest.approx(truth)
    area = polygon_from_rings(rings).area
    assert same(polygon_from_rings(keyhole_rings(area)).area, area)


def ring_of(*bounds: float) -> np.ndarray:
    return np.array(box(*bounds).exterior.coords)[:-1]


def test_what_rings_together_mean():
    a, b, inner, touching = ring_of(0, 0, 10, 10), ring_of(5, 5, 15, 15), ring_of(2, 2, 8, 8), ring_of(0, 2, 4, 6)
    assert polygon_from_rings([]).area.is_empty
    assert polygon_from_rings([a, a]).area.area == pytest.approx(100)
    assert polygon_from_rings([a, a], xor=True).area.is_empty
    assert polygon_from_rings([a, b])[1:] == (True, False)
    assert polygon_from_rings([a, b]).area.area == pytest.approx(175)
    assert polygon_from_rings([a, b], xor=True).area.area == pytest.approx(150)
    assert polygon_from_rings([a, inner])[1:] == (False, True)
    assert polygon_from_rings([a, inner, inner]).area.area == pytest.approx(64)
    assert polygon_from_rings([a, touching]).area.area == pytest.approx(84)
    assert polygon_from_rings([a, ring_of(0.0, 2, 4.0004, 6) - [0.0004, 0]]).nested


def test_degenerate_rings_enclose_nothing():
    for points in ([[0, 0], [1, 1]], [[0, 0], [1, 0], [2, 0]], [[0, 0]] * 5, [[0, 0], [1, 0], [0, 0], [1, 0]]):
        assert polygon_from_ring(np.array(points, dtype=float)).is_empty


def test_closing_point_and_repeated_points_do_not_matter():
    ring = ring_of(0, 0, 4, 3)
    closed = np.vstack([ring[:1], ring, ring[:1]])
    assert same(polygon_from_ring(closed), box(0, 0, 4, 3))


def test_hole_that_touches_the_outer_ring_in_a_point_and_along_an_edge():
    at_a_point = Polygon(ring_of(0, 0, 10, 10), [[(10, 5), (6, 3), (6, 7)]])
    assert at_a_point.is_valid
    assert same(polygon_from_rings(keyhole_rings(MultiPolygon([at_a_point]))).area, at_a_point)
    retraced = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [0, 4], [5, 4], [5, 6], [0, 6]], dtype=float)
    assert polygon_from_ring(retraced).area == pytest.approx(90)


def test_a_crossing_by_less_than_the_rounding_leaves_no_speck():
    """A ring of an outline rounded in the file, which crosses itself by a few micrometres."""
    ring = np.array([(0, 0), (40, 0), (40, 30), (20, 30), (20.0, 0.0), (19.9999, -0.0001), (19, 30), (0, 30)], float)
    area = polygon_from_ring(ring)
    assert all(part.area > 1 for part in area.geoms)
    assert area.area == pytest.approx(19.5 * 30 + 600, rel=0.01)
    bow_tie = np.array([(0, 0), (10, 10), (10, 0), (0, 10)], float)
    assert polygon_from_ring(bow_tie).area == pytest.approx(50)


def test_a_contour_that_is_nothing_but_narrow_is_kept():
    """What a file draws is read, however thin: only remainders beside a wider part are left out."""
    crossed = np.array([(0, 0), (10, 0.01), (10, 0), (0, 0.01)], float)
    assert not polygon_from_ring(crossed).is_empty
