"""Mask → polygons → mask is exact, whatever the mask and the geometry."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autocontour.contouring import (
    box_of,
    contours_from_mask,
    coverage_from_contours,
    mask_from_contours,
    volume_cc,
)
from autocontour.patient.geometry import Box, VolumeGeometry

SUPINE = np.eye(3)
DECUBITUS = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
PRONE_FEET_FIRST = np.diag([1.0, -1.0, -1.0])
TILT = np.radians(3.0)
OBLIQUE = np.array([[1, 0, 0], [0, np.cos(TILT), -np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])


@st.composite
def geometries(draw: st.DrawFn, shape_zyx: tuple[int, int, int]) -> VolumeGeometry:
    """Any direction, non-square pixels, uneven slices."""
    direction = draw(st.sampled_from([SUPINE, DECUBITUS, PRONE_FEET_FIRST, OBLIQUE]))
    spacing = st.floats(0.3, 5.0)
    steps = draw(st.lists(spacing, min_size=shape_zyx[0], max_size=shape_zyx[0]))
    start = np.array(draw(st.tuples(*[st.floats(-900, 900)] * 3)))
    origins = start + np.cumsum(steps)[:, None] * direction[:, 2]
    return VolumeGeometry(shape_zyx[1], shape_zyx[2], (draw(spacing), draw(spacing)), direction, origins)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, VolumeGeometry, tuple[int, int, int]]:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12)))
    mask = draw(hnp.arrays(np.bool_, shape))
    start = draw(st.tuples(*[st.integers(0, 3)] * 3))
    after = draw(st.tuples(*[st.integers(0, 2)] * 3))
    whole = tuple(a + n + b for a, n, b in zip(start, shape, after, strict=True))
    return mask, draw(geometries(whole)), start


def check_round_trip(mask, geometry, start):
    contours = contours_from_mask(mask, geometry, start)
    assert sorted(contours) == [start[0] + k for k in np.flatnonzero(mask.any(axis=(1, 2)))]
    assert all(shapely.is_valid(list(contours.values())))
    box = Box(start, tuple(a + n for a, n in zip(start, mask.shape, strict=True)))
    assert np.array_equal(mask_from_contours(contours, geometry, box), mask)
    np.testing.assert_allclose(coverage_from_contours(contours, geometry, box), mask, atol=1e-5)

    whole = np.zeros(geometry.shape_zyx, bool)
    whole[box.slices] = mask
    assert np.array_equal(mask_from_contours(contours, geometry), whole)
    assert box_of(contours, geometry) == Box.around(whole)
    area = geometry.pixel_spacing_vu_mm[0] * geometry.pixel_spacing_vu_mm[1]
    volume = (whole.sum(axis=(1, 2)) * geometry.slice_thicknesses_mm).sum() * area / 1000
    assert volume_cc(contours, geometry) == pytest.approx(volume, rel=1e-9)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_any_mask_comes_back_exactly(case):
    check_round_trip(*case)


def test_equal_masks_give_identical_contours_wherever_they_are_cut():
    mask = np.random.default_rng(3).random((3, 30, 30)) < 0.6
    geometry = VolumeGeometry.regular((6, 40, 40), (2.5, 0.7, 1.3), (-17.3, 5.1, 99))
    whole = np.zeros(geometry.shape_zyx, bool)
    whole[1:4, 4:34, 5:35] = mask
    part, again = contours_from_mask(mask, geometry, (1, 4, 5)), contours_from_mask(whole, geometry)
    assert {k: shape.wkb for k, shape in part.items()} == {k: shape.wkb for k, shape in again.items()}


def test_rings_turn_the_same_way_without_needless_points():
    mask = np.ones((1, 5, 6), bool)
    mask[0, 2, 2:4] = False
    (shape,) = contours_from_mask(mask, VolumeGeometry.regular((1, 5, 6), (1.0, 1.0, 1.0))).values()
    (part,) = shape.geoms
    assert list(part.exterior.coords) == [(-0.5, -0.5), (5.5, -0.5), (5.5, 4.5), (-0.5, 4.5), (-0.5, -0.5)]
    assert len(part.interiors[0].coords) == 5
    assert part.exterior.is_ccw
    assert not part.interiors[0].is_ccw


def test_a_mask_out_of_the_volume_is_refused():
    geometry = VolumeGeometry.regular((2, 4, 4), (1.0, 1.0, 1.0))
    for start in ((-1, 0, 0), (0, 2, 0), (1, 0, 0)):
        with pytest.raises(ValueError, match="fit"):
            contours_from_mask(np.ones((2, 3, 3), bool), geometry, start)


@pytest.mark.parametrize("density", [0.1, 0.4, 0.6, 0.9])
def test_noise_comes_back_exactly(density):
    rng = np.random.default_rng(7)
    mask = rng.random((6, 70, 90)) < density
    check_round_trip(mask, VolumeGeometry.regular((6, 70, 90), (2.5, 0.7, 1.3), (-17.3, 5.1, 99)), (0, 0, 0))
