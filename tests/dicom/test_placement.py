"""Placement of slices: tolerances as stated, whatever the patient position."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from autocontour.dicom.checks import check_series
from autocontour.dicom.placement import angle_to_axial_deg, direction_of, is_axial
from autocontour.patient.geometry import VolumeGeometry

SPACING_CODES = {"AC-CT-031", "AC-CT-032", "AC-CT-033"}
quarter_turns = st.integers(0, 3)


@pytest.fixture
def header(ct, write):
    (only,) = ct.scan_one(write(ct.build_series(slices=1))).slices
    return replace(only, slice_thickness_mm=None, patient_position="")


def placed(header, positions, direction):
    """Headers of slices along the third axis of `direction`."""
    orientation = tuple(direction[:, :2].T.ravel())
    return [replace(header, position_lps_mm=tuple(w * direction[:, 2]), orientation=orientation) for w in positions]


@given(
    st.lists(st.sampled_from([0.0, 0.005, 2.95, 2.99, 3.0, 3.01, 3.02, 3.05, 4.0, 6.0, 9.0]), min_size=1, max_size=9),
    quarter_turns,
    st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_series_are_refused_exactly_when_their_steps_are_not_equal(header, steps, turns, feet_first):
    turn = Rotation.from_euler("yz", [180 * feet_first, 90 * turns], degrees=True).as_matrix()
    positions = np.append(0, np.cumsum(steps))
    codes = {finding.code for finding in check_series(placed(header, positions, turn))}
    grid = VolumeGeometry(4, 4, (1.0, 1.0), turn, positions[:, None] * turn[:, 2])
    is_sound = grid.is_evenly_spaced and min(steps) >= 0.01
    assert bool(codes & SPACING_CODES) != is_sound
    assert not codes - SPACING_CODES


@given(st.floats(0.2, 44), quarter_turns, st.sampled_from("xyz"), st.booleans())
@settings(deadline=None)
def test_angle_from_the_nearest_axial_orientation(degrees, turns, axis, feet_first):
    axial = Rotation.from_euler("yz", [180 * feet_first, 90 * turns], degrees=True).as_matrix()
    turned = Rotation.from_euler(axis, degrees, degrees=True).as_matrix() @ axial
    assert angle_to_axial_deg(turned) == pytest.approx(degrees, abs=1e-4)
    assert is_axial(turned)


@given(st.floats(-0.009, 0.009), st.floats(-0.009, 0.009), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_direction_is_right_handed_and_orthonormal(longer, skew, seed):
    """Rounded cosines are set straight, the rows' direction is kept."""
    u, v, _ = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    direction = direction_of((*(u * (1 + longer)), *(v + skew * u / 2)))
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-12)
    assert np.linalg.det(direction) == pytest.approx(1)
    np.testing.assert_allclose(direction[:, 0], u, atol=1e-12)
    assert direction[:, 1] @ v > 0.9999


@pytest.mark.parametrize(
    "orientation",
    [None, (1, 0, 0), (1, 0, 0, 1, 0, 0), (2, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 0), (1, 0, 0, 0.1, 1, 0)],
)
def test_no_direction(orientation):
    assert direction_of(orientation) is None


@pytest.mark.parametrize(("degrees", "codes"), [(0.05, set()), (4.9, {"AC-CT-030"}), (5.1, {"AC-CT-029"})])
def test_limits_of_obliquity(header, degrees, codes):
    turn = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    assert {finding.code for finding in check_series(placed(header, [0, 3, 6, 9], turn))} == codes


def test_a_tilt_is_measured(header):
    slices = placed(header, [0, 3, 6, 9], np.eye(3))
    leaning = [replace(s, position_lps_mm=(0, k * 3 * np.tan(np.radians(10)), 3.0 * k)) for k, s in enumerate(slices)]
    (finding,) = check_series(leaning)
    assert finding.code == "AC-CT-027"
    assert "10.0°" in finding.message
