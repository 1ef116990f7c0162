"""Positions of slices, from Image Orientation and Image Position (Patient) only (PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_UNIT_TOLERANCE = 1e-2


@lru_cache(maxsize=64)
def direction_of(orientation: tuple[float, ...] | None) -> Floats | None:
    """Convert the six cosines to a right-handed direction matrix.

    Returns
    -------
    (3, 3) float64, read-only, or None
        Columns are the unit vectors along the rows, down the columns, and along the slice normal; None if the cosines
        are not two perpendicular unit vectors.
    """
    if orientation is None or len(orientation) != 6:
        return None
    u, v = np.array(orientation[:3], dtype=np.float64), np.array(orientation[3:], dtype=np.float64)
    lengths = np.linalg.norm(u), np.linalg.norm(v)
    if max(abs(length - 1) for length in lengths) > _UNIT_TOLERANCE or abs(u @ v) > _UNIT_TOLERANCE:
        return None
    u /= lengths[0]
    w = np.cross(u, v)
    w /= np.linalg.norm(w)
    direction = np.stack([u, np.cross(w, u), w], axis=1)
    direction.setflags(write=False)
    return direction


def normal_positions(origins_lps_mm: Floats, direction: Floats) -> Floats:
    """(slices,) positions along the slice normal, in mm."""
    positions: Floats = origins_lps_mm @ direction[:, 2]
    return positions


def stray_from_normal_mm(origins_lps_mm: Floats, direction: Floats) -> Floats:
    """(slices, 2) in-plane distance of each slice from the normal through the first."""
    stray: Floats = (origins_lps_mm - origins_lps_mm[0]) @ direction[:, :2]
    return stray


def is_axial(direction: Floats) -> bool:
    """Whether the normal is nearer to the patient's long axis than to any other."""
    return bool(np.abs(direction[:, 2]).argmax() == 2)


def angle_to_axial_deg(direction: Floats) -> float:
    """Angle of the turn from the nearest orientation along the patient's axes whose normal is the long axis."""
    nearest = np.zeros((3, 3))
    nearest[2, 2] = np.copysign(1.0, direction[2, 2])
    along = int(np.abs(direction[:2, 0]).argmax())
    nearest[along, 0] = np.copysign(1.0, direction[along, 0])
    nearest[:, 1] = np.cross(nearest[:, 2], nearest[:, 0])
    cosine = (np.trace(nearest.T @ direction) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
