"""Linked positions: which voxel of another CT of the course shows the same anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autocontour.patient.geometry import VolumeGeometry
from autocontour.registration.rigid import Rigid

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class LinkedPlace:
    """A position in another CT.

    Attributes
    ----------
    voxel_zyx
        The nearest voxel; the nearest one of the CT if the position is outside it.
    is_inside
        Whether the position is inside the CT: no further than half a voxel or slice from its outermost centres.
    distance_mm
        From the position to the nearest slice, along the normal.
    """

    voxel_zyx: Voxel
    is_inside: bool
    distance_mm: float


def linked_place(
    voxel_zyx: Voxel, geometry: VolumeGeometry, rigid: Rigid, other: VolumeGeometry, other_rigid: Rigid
) -> LinkedPlace:
    """Return where a voxel lies in another CT, by positions in the patient and never by slice numbers.

    Parameters
    ----------
    voxel_zyx, geometry
        The voxel and the CT that it is of.
    rigid, other_rigid
        From each CT to the planning CT; the identity for the planning CT itself.
    other
        Geometry of the other CT.
    """
    z, y, x = voxel_zyx
    step_v, step_u = geometry.pixel_spacing_vu_mm
    point = geometry.slice_origins_lps_mm[z] + geometry.direction[:, :2] @ (x * step_u, y * step_v)
    moved = other_rigid.push(rigid.pull(point[None]))
    u, v, w = other.to_plane(moved)[0]
    nearest = int(np.abs(other.slice_positions_mm - w).argmin())
    u0, v0 = other.plane_origins_uv_mm[nearest]
    step_v, step_u = other.pixel_spacing_vu_mm
    row, column = float((v - v0) / step_v), float((u - u0) / step_u)
    distance = float(abs(other.slice_positions_mm[nearest] - w))
    within = distance <= float(other.slice_thicknesses_mm[nearest]) / 2 + 1e-6
    is_inside = within and -0.5 <= row <= other.rows - 0.5 and -0.5 <= column <= other.columns - 0.5
    voxel = nearest, _clipped(row, other.rows), _clipped(column, other.columns)
    return LinkedPlace(voxel, bool(is_inside), distance)


def _clipped(index: float, count: int) -> int:
    return min(max(round(index), 0), count - 1)
