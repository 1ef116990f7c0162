"""Where the image holds nothing measured: padding, and what lies outside the reconstruction circle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocontour.dicom.field import find_outside_field

SHAPE = (8, 96, 96)
ROW, COLUMN = np.mgrid[: SHAPE[1], : SHAPE[2]]


def body(noise=8.0, half_axes=(26, 38), seed=0):
    """An ellipse of water that widens towards the last slice, in noisy air."""
    rng = np.random.default_rng(seed)
    hu = np.full(SHAPE, -1000.0)
    for z, plane in enumerate(hu):
        a, b = (axis * (0.9 + 0.1 * z / SHAPE[0]) for axis in half_axes)
        plane[((ROW - 50) / a) ** 2 + ((COLUMN - 46) / b) ** 2 <= 1] = 40
    return np.maximum(np.rint(hu + rng.normal(0, noise, SHAPE)), -1024).astype(np.int16)


def disc(radius, y=47.5, x=47.5):
    return (ROW - y) ** 2 + (COLUMN - x) ** 2 <= radius**2


@given(st.floats(44, 60), st.floats(45, 50), st.floats(45, 50), st.sampled_from([-3024, -2000, -1024, -1000]))
@settings(deadline=None, max_examples=60)
def test_a_reconstruction_circle_wherever_it_lies(radius, y, x, value):
    hu, field = body(), disc(radius, y, x)
    if field[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return
    hu[:, ~field] = value
    found = find_outside_field(hu)
    assert found.shape == (1, *SHAPE[1:])
    assert (found[0] != ~field).sum() <= 0.02 * field.size


@pytest.mark.parametrize("value", [-2000, -1024])
def test_a_square_field(value):
    hu = body()
    field = (abs(ROW - 47) < 40) & (abs(COLUMN - 47) < 44)
    hu[:, ~field] = value
    np.testing.assert_array_equal(find_outside_field(hu)[0], ~field)


def test_the_circle_through_a_patient_in_air_of_the_same_value():
    """Air cut to -1024 and padding of -1024 are one: the circle shows where it cuts the patient."""
    hu = body(noise=0, half_axes=(30, 60))
    hu[hu < -900] = -1024
    hu[:, ~disc(47.5)] = -1024
    found = find_outside_field(hu)[0]
    assert (found != ~disc(47.5)).mean() < 0.02


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_no_field_is_seen_where_there_is_only_air(noise):
    assert find_outside_field(body(noise)) is None


def test_a_body_cut_out_is_no_field():
    hu = body()
    hu[hu < -500] = -1024
    assert find_outside_field(hu) is None


@pytest.mark.parametrize("value", [0, 40, -1024, -3024])
def test_a_uniform_image_has_no_field(value):
    assert find_outside_field(np.full(SHAPE, value, np.int16)) is None


@pytest.mark.parametrize("radius_px", [26, 40, 56])
def test_a_small_round_field_in_a_large_image_is_found_by_its_circle(radius_px):
    """The value outside is that of air; only the circle states where the scanner measured."""
    v, u = np.ogrid[:128, :128]
    inside = np.hypot(v - 63.5, u - 63.5) <= radius_px
    tissue = np.random.default_rng(0).integers(-100, 100, (8, 128, 128)).astype(np.int16)
    outside = find_outside_field(np.where(inside, tissue, np.int16(-1024)))
    assert outside is not None
    assert (outside[0] ^ ~inside).mean() < 0.01
