"""Probability → polygons: right on shapes that are known, valid on anything, wherever the grid lies."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter

from autocontour.contouring import contours_from_mask, contours_from_probability, mask_from_contours, volume_cc
from autocontour.patient.geometry import Box, VolumeGeometry

from . import shapes

CENTRE = (1.3, -0.7, 0.4)


def grid_around(spacing_zyx_mm, half_mm=36.0, shift_mm=(0.0, 0.0, 0.0)):
    counts = [int(np.ceil(2 * half_mm / spacing)) for spacing in spacing_zyx_mm]
    origin = np.array(shift_mm) - half_mm
    return VolumeGeometry.regular(tuple(counts), spacing_zyx_mm, origin)


@pytest.mark.parametrize("spacing_zyx_mm", [(1.0, 1.0, 1.0), (3.0, 0.98, 0.98), (2.0, 1.5, 0.8)])
@pytest.mark.parametrize(
    ("name", "solid"),
    [
        ("sphere", shapes.sphere(31.0)),
        ("shell", shapes.shell(33.0, 31.0 / 2)),
        ("torus", shapes.torus(20.0, 13.0)),
        ("pipe", shapes.pipe(32.0, 18.0, 48.0)),
    ],
)
def test_volume_of_known_shapes(name, solid, spacing_zyx_mm):
    inside, volume_mm3 = solid
    grid = grid_around(spacing_zyx_mm)
    # The pipe's flat ends lie between slices, so that it is as long as it should be.
    centre = (*CENTRE[:2], grid.slice_positions_mm[grid.shape_zyx[0] // 2] - grid.slice_spacing_mm / 2)
    contours = contours_from_probability(shapes.sample(inside, grid, centre), grid, grid)
    assert volume_cc(contours, grid) == pytest.approx(volume_mm3 / 1000, rel=0.005)
    assert shapely.is_valid(list(contours.values())).all()


def test_shell_and_pipe_have_their_hole_and_torus_its_two_pieces():
    grid = grid_around((3.0, 1.0, 1.0))
    middle = int(np.abs(grid.slice_positions_mm - CENTRE[2]).argmin())
    shell = contours_from_probability(shapes.sample(shapes.shell(30.0, 15.0)[0], grid, CENTRE), grid, grid)
    assert [len(part.interiors) for part in shell[middle].geoms] == [1]
    torus = contours_from_probability(shapes.sample(shapes.torus(20.0, 6.0)[0], grid, CENTRE), grid, grid)
    assert [len(part.interiors) for part in torus[middle].geoms] == [0, 0]


@pytest.mark.parametrize(("spacing_mm", "worst_mm"), [(0.7, 0.15), (2.0, 0.2), (4.0, 0.45)])
def test_line_lies_where_it_should_on_finer_and_coarser_grids(spacing_mm, worst_mm):
    """The CT's slices are uneven; the grid has its own spacing and offset."""
    positions = np.array([-21.0, -18, -15, -13, -11, -9, -4, 1, 6, 8, 10, 15, 20])
    origins = np.column_stack((np.full(len(positions), -40.0), np.full(len(positions), -41.5), positions))
    ct = VolumeGeometry(90, 80, (0.9, 1.0), np.eye(3), origins)
    grid = grid_around((spacing_mm,) * 3, half_mm=32.0, shift_mm=(0.33, -0.21, 0.17))
    z, y, x = np.ogrid[tuple(slice(n) for n in grid.shape_zyx)]
    (u0, v0), w0 = grid.plane_origins_uv_mm[0], grid.slice_positions_mm[0]
    u, v, w = u0 + x * spacing_mm - CENTRE[0], v0 + y * spacing_mm - CENTRE[1], w0 + z * spacing_mm - CENTRE[2]
    probability = 1 / (1 + np.exp((np.sqrt(u**2 + v**2 + w**2) - 24.0) / (0.4 * spacing_mm)))
    contours = contours_from_probability(probability, grid, ct)
    assert sorted(contours) == [k for k, w in enumerate(positions) if abs(w - CENTRE[2]) < 24]
    for k, shape in contours.items():
        radius = np.sqrt(24.0**2 - (positions[k] - CENTRE[2]) ** 2)
        ring = shapely.Point(CENTRE[:2]).buffer(radius, 90)
        if radius > 12:
            assert shapely.hausdorff_distance(shape.boundary, ring.boundary, densify=0.05) < worst_mm


def test_slices_outside_the_grid_get_nothing_and_its_border_is_closed():
    ct = VolumeGeometry.regular((20, 40, 40), (1.0, 1.0, 1.0))
    box = Box((5, 0, 10), (11, 7, 20))
    contours = contours_from_probability(np.ones(box.shape_zyx, np.float32), ct.cropped(box), ct)
    assert sorted(contours) == list(range(5, 11))
    for shape in contours.values():
        np.testing.assert_allclose(shape.bounds, (9.5, -0.5, 19.5, 6.5), atol=0.1)


def test_one_voxel_survives_and_so_does_a_straw():
    grid = VolumeGeometry.regular((6, 9, 9), (3.0, 1.0, 1.0))
    mask = np.zeros(grid.shape_zyx, np.float32)
    mask[2, 4, 4] = 1.0
    assert list(contours_from_probability(mask, grid, grid)) == [2]
    mask[:, 4, 4] = 1.0
    straw = contours_from_probability(mask, grid, grid)
    assert list(straw) == list(range(6))
    assert volume_cc(straw, grid) == pytest.approx(18.0 / 1000, rel=0.2)
    assert np.array_equal(mask_from_contours(straw, grid), mask > 0)


def test_slivers_are_dropped():
    grid = VolumeGeometry.regular((1, 9, 9), (3.0, 1.0, 1.0))
    probability = np.zeros(grid.shape_zyx)
    probability[0, 2, 2], probability[0, 6, 6] = 0.501, 1.0
    shape = contours_from_probability(probability, grid, grid)[0]
    assert len(shape.geoms) == 1
    assert shape.centroid.coords[0] == pytest.approx((6.0, 6.0), abs=0.01)


def test_softened_mask_follows_the_shape_better_than_its_voxels():
    grid = VolumeGeometry.regular((1, 80, 80), (3.0, 1.0, 1.0))
    true = shapely.Point(40.2, 39.6).buffer(25.0, 64)
    mask = mask_from_contours({0: shapely.MultiPolygon([true])}, grid)
    soft = gaussian_filter(mask.astype(np.float32), (0, 0.7, 0.7))
    smooth = contours_from_probability(soft, grid, grid)[0]
    blocky = contours_from_mask(mask, grid)[0]
    assert smooth.area == pytest.approx(blocky.area, rel=0.003)
    assert smooth.symmetric_difference(true).area < 0.7 * blocky.symmetric_difference(true).area
    assert smooth.length < 1.03 * true.length < 1.25 * true.length < blocky.length


PROBABILITIES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    elements=st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1, width=32)),
)


@given(PROBABILITIES, st.floats(0.4, 5.0), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=200, deadline=None)
def test_always_valid_and_inside_where_samples_are(probability, spacing_mm, tolerance_mm):
    grid = VolumeGeometry.regular(probability.shape, (2.0, spacing_mm, 1.1))
    contours = contours_from_probability(probability, grid, grid, tolerance_mm=tolerance_mm)
    assert all(shape.is_valid and not shape.is_empty for shape in contours.values())
    if tolerance_mm == 0:
        mask = mask_from_contours(contours, grid)
        assert mask[probability > 0.7].all()
        assert not mask[probability < 0.3].any()


def test_same_input_same_contours_however_it_is_cut_out():
    grid = grid_around((3.0, 1.0, 1.0))
    probability = shapes.sample(shapes.torus(20.0, 9.0)[0], grid, CENTRE)
    box = Box.around(probability > 0).padded((1, 3, 2), grid.shape_zyx)
    first = contours_from_probability(probability, grid, grid)
    again = contours_from_probability(probability.copy(), grid, grid)
    cut_out = contours_from_probability(probability[box.slices], grid.cropped(box), grid)
    assert list(first) == list(again) == list(cut_out)
    for k, shape in first.items():
        assert shape.wkb == again[k].wkb
        assert shapely.equals_exact(shape, cut_out[k], 1e-9)


def test_tolerance_is_kept_and_so_is_the_area():
    grid = grid_around((3.0, 1.0, 1.0))
    probability = shapes.sample(shapes.torus(20.0, 9.0)[0], grid, CENTRE)
    exact = contours_from_probability(probability, grid, grid, tolerance_mm=0)
    for tolerance_mm in (0.1, 0.3):
        simple = contours_from_probability(probability, grid, grid, tolerance_mm=tolerance_mm)
        for k, shape in exact.items():
            assert shapely.hausdorff_distance(simple[k], shape, densify=0.2) <= 1.2 * tolerance_mm
            assert simple[k].area == pytest.approx(shape.area, rel=0.0005)
            assert shapely.count_coordinates(simple[k]) < shapely.count_coordinates(shape) / 2


def test_not_a_number_is_refused():
    grid = VolumeGeometry.regular((1, 3, 3), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="NaN"):
        contours_from_probability(np.full((1, 3, 3), np.nan), grid, grid)
    with pytest.raises(ValueError, match="fit"):
        contours_from_probability(np.zeros((1, 3, 4)), grid, grid)
    assert contours_from_probability(np.zeros((1, 3, 3)), grid, grid) == {}


def test_rings_within_rings():
    """Islands in holes in islands, two families side by side, on slices that differ."""
    grid = VolumeGeometry.regular((3, 50, 100), (2.0, 1.0, 1.0))
    z, y, x = np.ogrid[:3, :50, :100]
    radius = np.minimum(np.hypot(y - 25, x - 25), np.hypot(y - 25, x - 75)) + z / 2
    probability = np.where(radius < 22, 0.5 + 0.5 * np.cos(radius * 2 * np.pi / 8), 0.0)
    clear = np.abs(probability - 0.5) > 0.1
    contours = contours_from_probability(probability, grid, grid, tolerance_mm=0.05)
    for k, shape in contours.items():
        assert shape.is_valid
        assert sorted(len(part.interiors) for part in shape.geoms) == [0, 0, 1, 1, 1, 1]
        mask = mask_from_contours({k: shape}, grid)[k]
        assert np.array_equal(mask[clear[k]], probability[k][clear[k]] > 0.5)
