"""Surface distances against analytic shapes, the peer's program and their own laws."""

import numpy as np
import pytest
import surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autocontour.qa import compute_metrics, compute_surface_distances

SPACING_ZYX_MM = (2.5, 1.0, 1.5)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the peer
shapes = st.tuples(*[st.integers(1, 7)] * 3)
spacings = st.tuples(*[st.sampled_from((0.5, 0.9765625, 1.0, 2.5, 3.0))] * 3)


@st.composite
def mask_pairs(draw):
    shape = draw(shapes)
    return tuple(draw(hnp.arrays(bool, shape)) for _ in range(2))


@given(mask_pairs(), spacings)
@settings(max_examples=60, deadline=None)
def test_equal_to_surface_distance(masks, spacing_mm):
    a, b = masks
    if not (a.any() and b.any()):
        return
    ours = compute_surface_distances(a, b, spacing_mm)
    peer = surface_distance.compute_surface_distances(a, b, spacing_mm)
    assert np.sort(ours.a_to_b_mm) == pytest.approx(np.sort(peer["distances_gt_to_pred"]), abs=1e-6)
    assert ours.area_a.sum() == pytest.approx(peer["surfel_areas_gt"].sum(), abs=1e-6)
    assert ours.area_b.sum() == pytest.approx(peer["surfel_areas_pred"].sum(), abs=1e-6)
    assert ours.directed_means_mm() == pytest.approx(surface_distance.compute_average_surface_distance(peer), abs=1e-6)
    assert ours.hausdorff_mm() == pytest.approx(surface_distance.compute_robust_hausdorff(peer, 100), abs=1e-6)
    # Off the tolerances that happen to equal a distance, where the last bit decides.
    for tau_mm in (0.01, 1.23, 3.01):
        expected = surface_distance.compute_surface_dice_at_tolerance(peer, tau_mm)
        assert ours.surface_dsc(tau_mm) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shift", [0, 1, 4, 9])
@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.95])
def test_robust_hausdorff_equals_surface_distance_on_organs(shift, fraction):
    a, b = _ellipsoid((10, 20, 20), (7, 14, 11)), _ellipsoid((10, 20 + shift, 20), (6, 13, 12))
    ours = compute_surface_distances(a, b, SPACING_ZYX_MM)
    peer = surface_distance.compute_surface_distances(a, b, SPACING_ZYX_MM)
    expected = surface_distance.compute_robust_hausdorff(peer, 100 * fraction)
    assert ours.robust_hausdorff_mm(fraction) == pytest.approx(expected, abs=1e-6)


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.data())
@settings(max_examples=40, deadline=None)
def test_equal_to_surface_distance_in_two_dimensions(a, data):
    b = data.draw(hnp.arrays(bool, a.shape))
    if not (a.any() and b.any()):
        return
    ours = compute_surface_distances(a, b, (1.5, 0.75))
    peer = surface_distance.compute_surface_distances(a, b, (1.5, 0.75))
    assert ours.directed_means_mm() == pytest.approx(surface_distance.compute_average_surface_distance(peer), abs=1e-6)
    assert ours.area_a.sum() == pytest.approx(peer["surfel_areas_gt"].sum(), abs=1e-6)


@given(mask_pairs(), spacings)
@settings(max_examples=40, deadline=None)
def test_symmetric_and_bounded(masks, spacing_mm):
    a, b = masks
    there, back = compute_surface_distances(a, b, spacing_mm), compute_surface_distances(b, a, spacing_mm)
    for name in ("hausdorff_mm", "robust_hausdorff_mm", "mean_mm"):
        assert getattr(there, name)() == pytest.approx(getattr(back, name)(), nan_ok=True)
    if not there.is_defined:
        return
    assert there.surface_dsc(2.0) == pytest.approx(back.surface_dsc(2.0))
    assert 0 <= there.surface_dsc(0.0) <= there.surface_dsc(2.0) <= 1
    assert there.mean_mm() <= there.hausdorff_mm() + 1e-9
    assert there.robust_hausdorff_mm() <= there.hausdorff_mm() + 1e-9


@pytest.mark.parametrize("shift_voxels", [1, 3, 12, 30])
def test_a_shifted_box_is_its_shift_away(shift_voxels):
    a, b = np.zeros((2, 12, 20, 90), bool)
    a[3:9, 4:16, 10:30] = True
    b[3:9, 4:16, 10 + shift_voxels : 30 + shift_voxels] = True
    distances = compute_surface_distances(a, b, SPACING_ZYX_MM)
    assert distances.hausdorff_mm() == pytest.approx(shift_voxels * 1.5)


def test_the_search_and_the_tree_agree():
    """Far-apart surfaces go through both: compare with every pair of elements."""
    rng = np.random.default_rng(3)
    a, b = np.zeros((2, 20, 60, 60), bool)
    a[2:6, 5:15, 5:15], b[3:9, 8:50, 10:52] = True, rng.random((6, 42, 42)) < 0.7
    measured = compute_surface_distances(a, b, SPACING_ZYX_MM)
    points_a, points_b = (_corners(mask) * SPACING_ZYX_MM for mask in (a, b))
    every = np.linalg.norm(points_a[:, None] - points_b[None], axis=2)
    assert np.sort(measured.a_to_b_mm) == pytest.approx(np.sort(every.min(axis=1)), abs=1e-9)
    assert np.sort(measured.b_to_a_mm) == pytest.approx(np.sort(every.min(axis=0)), abs=1e-9)
    assert measured.b_to_a_mm.max() > 40


def test_the_area_of_a_sphere():
    radius_mm = 30.0
    grid = np.ogrid[:40, :80, :80]
    mask = (
        sum(((axis - middle) * step) ** 2 for axis, middle, step in zip(grid, (20, 40, 40), (2, 1, 1), strict=True))
        < radius_mm**2
    )
    area = compute_surface_distances(mask, mask, (2.0, 1.0, 1.0)).area_a.sum()
    # Facets of a blocky sphere overstate its smooth area by a known few per cent.
    assert 4 * np.pi * radius_mm**2 < area < 1.12 * 4 * np.pi * radius_mm**2


def test_a_mask_at_the_image_border_is_closed_there():
    whole, grown = np.ones((4, 5, 6), bool), np.zeros((6, 7, 8), bool)
    grown[1:-1, 1:-1, 1:-1] = True
    at_border = compute_surface_distances(whole, whole, SPACING_ZYX_MM)
    inside = compute_surface_distances(grown, grown, SPACING_ZYX_MM)
    assert at_border.area_a.sum() == pytest.approx(inside.area_a.sum())
    assert at_border.hausdorff_mm() == 0


def test_border_and_interior_give_the_same_metrics():
    a, b = np.zeros((2, 8, 9, 10), bool)
    a[:3, :4, :5], b[:4, :4, :6] = True, True
    padded = [np.pad(mask, 5) for mask in (a, b)]
    assert compute_metrics(a, b, SPACING_ZYX_MM) == compute_metrics(*padded, SPACING_ZYX_MM)


def _ellipsoid(middle, radii):
    grid = np.ogrid[:20, :44, :40]
    return sum(((axis - m) / r) ** 2 for axis, m, r in zip(grid, middle, radii, strict=True)) < 1


def _corners(mask):
    padded = np.pad(mask, 1).astype(int)
    count = sum(
        padded[z : z + mask.shape[0] + 1, y : y + mask.shape[1] + 1, x : x + mask.shape[2] + 1]
        for z in (0, 1) for y in (0, 1) for x in (0, 1)
    )  # fmt: skip
    return np.argwhere((count > 0) & (count < 8)).astype(float)
