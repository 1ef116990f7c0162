"""Linked positions: the same place in the patient, whatever the slices' numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autocontour.course.linked import linked_place
from autocontour.patient.geometry import VolumeGeometry
from autocontour.registration.rigid import Rigid

PLAN = VolumeGeometry.regular((40, 64, 64), (3.0, 2.0, 2.0), (-64.0, -64.0, 100.0))
LATER = VolumeGeometry.regular((60, 80, 80), (2.0, 1.5, 1.5), (-60.0, -60.0, 80.0))
SAME = Rigid.identity()


def turned(angle_deg: float, shift_mm: tuple[float, float, float]) -> Rigid:
    a = np.radians(angle_deg)
    return Rigid(np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]), np.array(shift_mm))


def test_slices_are_linked_by_position_and_not_by_number() -> None:
    place = linked_place((10, 32, 32), PLAN, SAME, LATER, SAME)  # z = 130 mm
    assert LATER.slice_positions_mm[place.voxel_zyx[0]] == 130.0
    assert place.voxel_zyx[0] != 10
    assert place.is_inside
    assert place.distance_mm == 0.0


def test_the_registration_is_applied() -> None:
    moved = Rigid(np.eye(3), np.array([0.0, 0.0, 12.0]))  # z of the planning CT = z of the later one + 12
    place = linked_place((10, 32, 32), PLAN, SAME, LATER, moved)
    assert LATER.slice_positions_mm[place.voxel_zyx[0]] == 118.0


def test_a_position_outside_is_named_so_and_is_not_the_last_slice_in_silence() -> None:
    beyond = Rigid(np.eye(3), np.array([0.0, 0.0, 300.0]))
    assert not linked_place((10, 32, 32), PLAN, SAME, LATER, beyond).is_inside
    beside = Rigid(np.eye(3), np.array([500.0, 0.0, 0.0]))
    assert not linked_place((10, 32, 32), PLAN, SAME, LATER, beside).is_inside


def test_between_two_slices_the_distance_is_stated() -> None:
    place = linked_place((10, 32, 32), PLAN, SAME, LATER, Rigid(np.eye(3), np.array([0.0, 0.0, 0.7])))
    assert np.isclose(place.distance_mm, 0.7)


@given(
    st.tuples(st.integers(3, 36), st.integers(20, 44), st.integers(20, 44)),
    st.floats(-8, 8),
    st.tuples(*[st.floats(-6, 6)] * 3),
)
def test_there_and_back_comes_out_at_the_same_voxel(
    voxel: tuple[int, int, int], angle: float, shift: tuple[float, float, float]
) -> None:
    fine = VolumeGeometry.regular((400, 400, 400), (0.5, 0.5, 0.5), (-100.0, -100.0, 60.0))
    rigid = turned(angle, shift)
    there = linked_place(voxel, PLAN, SAME, fine, rigid)
    assert there.is_inside
    back = linked_place(there.voxel_zyx, fine, rigid, PLAN, SAME)
    assert back.voxel_zyx == voxel
