"""Metrics of pairs: analytic values, empty masks, laws."""

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autocontour.qa import added_path_length_mm, compute_metrics

SPACING_ZYX_MM = (3.0, 1.0, 2.0)
EMPTY = np.zeros((6, 8, 10), bool)


def _box(z, y, x):
    mask = EMPTY.copy()
    mask[slice(*z), slice(*y), slice(*x)] = True
    return mask


def test_shifted_boxes():
    metrics = compute_metrics(_box((1, 3), (2, 6), (2, 6)), _box((1, 3), (2, 6), (3, 7)), SPACING_ZYX_MM)
    assert metrics.dsc == pytest.approx(0.75)
    assert metrics.hausdorff_mm == pytest.approx(2.0)
    assert metrics.centroid_distance_mm == pytest.approx(2.0)
    assert metrics.volume_a_cc == pytest.approx(32 * 6 / 1000)
    assert metrics.volume_difference_cc == 0


def test_identical_masks_are_perfect():
    mask = _box((0, 6), (0, 8), (4, 10))
    metrics = compute_metrics(mask, mask, SPACING_ZYX_MM)
    assert (metrics.dsc, metrics.surface_dsc) == (1.0, 1.0)
    zeros = (metrics.hd95_mm, metrics.hausdorff_mm, metrics.mean_surface_distance_mm, metrics.added_path_length_mm)
    assert zeros == (0.0, 0.0, 0.0, 0.0)


def test_two_empty_masks_are_undefined_not_perfect():
    metrics = compute_metrics(EMPTY, EMPTY, SPACING_ZYX_MM)
    undefined = (metrics.dsc, metrics.surface_dsc, metrics.hd95_mm, metrics.hausdorff_mm, metrics.centroid_distance_mm)
    assert all(math.isnan(value) for value in undefined)
    assert metrics.volume_a_cc == metrics.volume_b_cc == metrics.added_path_length_mm == 0


@pytest.mark.parametrize("empty_first", [True, False])
def test_empty_against_full_is_the_worst(empty_first):
    pair = (EMPTY, ~EMPTY) if empty_first else (~EMPTY, EMPTY)
    metrics = compute_metrics(*pair, SPACING_ZYX_MM)
    assert (metrics.dsc, metrics.surface_dsc) == (0.0, 0.0)
    assert metrics.hd95_mm == metrics.hausdorff_mm == metrics.mean_surface_distance_mm == math.inf
    assert math.isnan(metrics.centroid_distance_mm)
    written = json.dumps(metrics.to_json(), allow_nan=False)
    assert json.loads(written)["hd95_mm"] is None


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        compute_metrics(EMPTY, EMPTY[1:], SPACING_ZYX_MM)


def test_added_path_length_counts_the_reference_outline_that_is_new():
    reference, drawn = _box((2, 4), (2, 6), (2, 7)), _box((2, 3), (2, 6), (2, 7))
    pixel_mm = math.sqrt(1.0 * 2.0)
    outline = 2 * (4 + 5) - 4
    assert added_path_length_mm(reference, drawn, SPACING_ZYX_MM) == pytest.approx(outline * pixel_mm)
    assert added_path_length_mm(drawn, reference, SPACING_ZYX_MM) == 0
    assert added_path_length_mm(reference, EMPTY, SPACING_ZYX_MM) == pytest.approx(2 * outline * pixel_mm)
    # At the image border an outline pixel is one too.
    assert added_path_length_mm(~EMPTY, EMPTY, SPACING_ZYX_MM) == pytest.approx(6 * (2 * 18 - 4) * pixel_mm)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_laws(data):
    shape = data.draw(st.tuples(*[st.integers(1, 6)] * 3))
    a, b = (data.draw(hnp.arrays(bool, shape)) for _ in range(2))
    there, back = compute_metrics(a, b, SPACING_ZYX_MM), compute_metrics(b, a, SPACING_ZYX_MM)
    assert there.dsc == pytest.approx(back.dsc, nan_ok=True)
    assert there.volume_difference_cc == pytest.approx(-back.volume_difference_cc)
    assert there.added_path_length_mm >= 0
    if a.any() or b.any():
        assert 0 <= there.dsc <= 1
        assert (there.dsc == 1) == np.array_equal(a, b)


def test_dice_and_hausdorff_equal_simpleitk_on_spheres():
    z, y, x = np.ogrid[:24, :40, :40]
    a = ((z - 12) * 3) ** 2 + (y - 19) ** 2 + ((x - 18) * 2) ** 2 < 14**2
    b = ((z - 12) * 3) ** 2 + (y - 21) ** 2 + ((x - 19) * 2) ** 2 < 16**2
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (a, b)]
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    metrics = compute_metrics(a, b, SPACING_ZYX_MM)
    assert metrics.dsc == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-12)
    moments = []
    for image in images:
        image.SetSpacing(SPACING_ZYX_MM[::-1])
        shape = sitk.LabelShapeStatisticsImageFilter()
        shape.Execute(image)
        moments.append((np.array(shape.GetCentroid(1)), shape.GetPhysicalSize(1)))
    assert metrics.centroid_distance_mm == pytest.approx(np.linalg.norm(moments[0][0] - moments[1][0]), abs=1e-6)
    assert metrics.volume_difference_cc == pytest.approx((moments[1][1] - moments[0][1]) / 1000)


def test_clipped_contours_differ_only_where_they_were_drawn_apart():
    """Two rods that the scan's end cuts, moved by 2 mm: the cut faces add no distance."""
    a = np.zeros((10, 60, 60), dtype=bool)
    a[:, 20:40, 20:40] = True  # from the first to the last slice
    moved = compute_metrics(a, np.roll(a, 2, axis=2), (3.0, 1.0, 1.0))
    assert (moved.hausdorff_mm, moved.centroid_distance_mm) == (2.0, 2.0)
    shorter = a.copy()
    shorter[8:] = False  # drawn two slices short of the end
    assert compute_metrics(a, shorter, (3.0, 1.0, 1.0)).hausdorff_mm == pytest.approx(6.0)


def test_a_surface_dsc_without_tolerance_counts_only_what_coincides():
    a = np.zeros((10, 40, 40), dtype=bool)
    a[2:8, 10:30, 10:30] = True
    assert compute_metrics(a, a, (3.0, 1.0, 1.0), 0.0).surface_dsc == 1.0
    moved = compute_metrics(a, np.roll(a, 1, axis=2), (3.0, 1.0, 1.0), 0.0).surface_dsc
    assert 0.5 < moved < 1.0
    assert moved < compute_metrics(a, np.roll(a, 1, axis=2), (3.0, 1.0, 1.0), 1.0).surface_dsc
