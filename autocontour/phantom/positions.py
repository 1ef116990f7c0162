"""Patient positions (Patient Position, PS3.3 C.7.3.1.1.2)."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

DOWN_LPS = MappingProxyType({"S": (0, 1, 0), "P": (0, -1, 0), "DL": (1, 0, 0), "DR": (-1, 0, 0)})
"""Supine, prone, decubitus left and right → the direction of gravity in the patient."""

PATIENT_POSITIONS = tuple(entry + posture for entry in ("HF", "FF") for posture in DOWN_LPS)
"""Head first or feet first, in each posture."""


def down_lps(position: str) -> NDArray[np.float64]:
    """Return the direction of gravity in the patient."""
    return np.array(DOWN_LPS[position[2:]], dtype=np.float64)


def direction_of(position: str, oblique_deg: float = 0.0) -> NDArray[np.float64]:
    """Return the direction matrix (columns u, v, w) of an axial scan as on the scanner's console.

    Image columns run downwards; the slice normal runs to the head when the patient lies head first.

    Parameters
    ----------
    position
        Patient Position, such as ``HFS``.
    oblique_deg
        Turn of the slices about their rows.
    """
    down = down_lps(position)
    normal = np.array([0.0, 0.0, 1.0 if position.startswith("HF") else -1.0])
    direction: NDArray[np.float64] = np.column_stack([np.cross(down, normal), down, normal])
    if not oblique_deg:
        return direction
    turn: NDArray[np.float64] = Rotation.from_rotvec(np.radians(oblique_deg) * direction[:, 0]).as_matrix()
    return turn @ direction
