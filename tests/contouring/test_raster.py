"""Polygons → masks and coverage, against shapely's own answers point by point and square by square."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from autocontour.contouring import box_of, coverage_from_contours, mask_from_contours, volume_cc
from autocontour.patient.geometry import Box, VolumeGeometry

GEOMETRY = VolumeGeometry(14, 11, (1.3, 0.9), np.eye(3), [(-3.1, 2.2, 0.0), (-2.9, 2.3, 2.0), (-3.1, 2.2, 7.0)])


def centres(geometry, k):
    u0, v0 = geometry.plane_origins_uv_mm[k]
    v_mm, u_mm = geometry.pixel_spacing_vu_mm
    return np.meshgrid(u0 + np.arange(geometry.columns) * u_mm, v0 + np.arange(geometry.rows) * v_mm)


def squares(geometry, k):
    u, v = centres(geometry, k)
    half_v, half_u = np.array(geometry.pixel_spacing_vu_mm) / 2
    return shapely.box(u - half_u, v - half_v, u + half_u, v + half_v)


@st.composite
def drawn(draw: st.DrawFn) -> dict[int, shapely.MultiPolygon]:
    """Stars, discs and rings, some reaching out of the image."""
    contours = {}
    for k in draw(st.sets(st.integers(0, 2), min_size=1)):
        pieces = []
        for _ in range(draw(st.integers(1, 3))):
            u, v = draw(st.floats(-8, 12)), draw(st.floats(-2, 24))
            radii = np.array(draw(st.lists(st.floats(0.2, 8), min_size=3, max_size=9)))
            angles = np.arange(len(radii)) * 2 * np.pi / len(radii) + draw(st.floats(0, 1))
            star = shapely.Polygon(np.column_stack((u + radii * np.cos(angles), v + radii * np.sin(angles))))
            pieces.append(star.difference(shapely.Point(u, v).buffer(draw(st.floats(0, 3)), 4)))
        union = shapely.union_all([piece.buffer(0) for piece in pieces])
        parts = [part for part in shapely.get_parts(union) if part.area > 1e-3]
        if parts:
            contours[k] = shapely.MultiPolygon(parts)
    return contours


@given(drawn())
@settings(max_examples=100, deadline=None)
def test_same_as_asking_shapely(contours):
    mask = mask_from_contours(contours, GEOMETRY)
    coverage = coverage_from_contours(contours, GEOMETRY)
    for k in range(3):
        shape = contours.get(k, shapely.MultiPolygon())
        u, v = centres(GEOMETRY, k)
        clear = shapely.distance(shape.boundary, shapely.points(u, v)) > 1e-5
        clear |= shape.is_empty
        assert np.array_equal(mask[k][clear], shapely.contains_xy(shape, u, v)[clear])
        cells = squares(GEOMETRY, k)
        shares = shapely.area(shapely.intersection(cells, shape)) / shapely.area(cells)
        np.testing.assert_allclose(coverage[k], shares, atol=1e-5)


@given(drawn(), st.tuples(st.integers(0, 2), st.integers(0, 10), st.integers(0, 8)))
@settings(max_examples=50, deadline=None)
def test_a_box_is_a_cut_of_the_whole(contours, start):
    box = Box(start, (3, 13, 11))
    assert np.array_equal(
        mask_from_contours(contours, GEOMETRY, box), mask_from_contours(contours, GEOMETRY)[box.slices]
    )
    part, whole = coverage_from_contours(contours, GEOMETRY, box), coverage_from_contours(contours, GEOMETRY)
    np.testing.assert_allclose(part, whole[box.slices], atol=1e-6)


@given(drawn())
@settings(max_examples=50, deadline=None)
def test_box_is_the_smallest_that_holds_all_that_is_touched(contours):
    touched = Box.around(coverage_from_contours(contours, GEOMETRY) > 0)
    box = box_of(contours, GEOMETRY)
    if touched is not None:
        assert all(a <= b for a, b in zip(box.start_zyx, touched.start_zyx, strict=True))
        assert all(a >= b for a, b in zip(box.stop_zyx, touched.stop_zyx, strict=True))
    image = shapely.box(-3.3, 1.7, 5.9, 19.7)
    if contours and all(image.contains(shape) for shape in contours.values()):
        assert box == touched


def test_whatever_way_rings_run():
    outer, inner = shapely.box(0, 4, 5, 14), shapely.box(1, 6, 3, 9)
    rings = [outer.exterior, outer.exterior.reverse()], [inner.exterior, inner.exterior.reverse()]
    masks = {
        mask_from_contours({0: shapely.MultiPolygon([shapely.Polygon(a, [b])])}, GEOMETRY).tobytes()
        + coverage_from_contours({0: shapely.MultiPolygon([shapely.Polygon(a, [b])])}, GEOMETRY).tobytes()
        for a in rings[0]
        for b in rings[1]
    }
    assert len(masks) == 1


def test_neighbours_share_no_voxel_and_leave_none_out():
    """Two polygons that meet along a line through voxel centres."""
    u, v = GEOMETRY.plane_origins_uv_mm[0] + np.array([4 * 0.9, 0.0])
    left = {0: shapely.MultiPolygon([shapely.box(u - 2.7, v, u, v + 10)])}
    right = {0: shapely.MultiPolygon([shapely.box(u, v, u + 2.7, v + 10)])}
    both = {0: shapely.MultiPolygon([shapely.box(u - 2.7, v, u + 2.7, v + 10)])}
    masks = [mask_from_contours(contours, GEOMETRY) for contours in (left, right, both)]
    assert not (masks[0] & masks[1]).any()
    assert np.array_equal(masks[0] | masks[1], masks[2])
    assert masks[0].any()
    assert masks[1].any()


def test_volume_counts_the_true_thickness_of_uneven_slices():
    square = shapely.MultiPolygon([shapely.box(0, 4, 2, 9)])
    assert volume_cc({0: square, 1: square}, GEOMETRY) == pytest.approx(10 * (2.0 + 3.5) / 1000)
    assert volume_cc({}, GEOMETRY) == 0.0


def test_nothing_drawn_or_all_outside():
    far = {1: shapely.MultiPolygon([shapely.box(100, 100, 110, 110)])}
    for contours in ({}, far):
        assert box_of(contours, GEOMETRY) is None
        assert not mask_from_contours(contours, GEOMETRY).any()
        assert not coverage_from_contours(contours, GEOMETRY).any()
