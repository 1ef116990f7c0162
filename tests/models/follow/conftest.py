"""A cylinder of water with an organ of the same HU, and networks with a known result."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Point

from autocontour.models.follow.follow import Scan, prepare_scan
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

Network = object


def disc(radius_mm: float, u: float = 20.0, v: float = 10.0) -> MultiPolygon:
    return MultiPolygon([Point(u, v).buffer(radius_mm, quad_segs=32)])


def build_ct(direction: NDArray[np.float64] | None = None, slices: int = 40, step_mm: float = 3.0) -> CTVolume:
    """A cylinder around the origin of the plane coordinates, whatever the direction of the axes."""
    axes = np.eye(3) if direction is None else direction
    origin = axes @ np.array([-127.0, -127.0, 0.0])
    geometry = VolumeGeometry.regular((slices, 128, 128), (step_mm, 2.0, 2.0), origin, axes)
    rows, columns = np.mgrid[:128, :128]
    hu = np.full(geometry.shape_zyx, -1000, np.int16)
    hu[:, np.hypot(rows - 63.5, columns - 63.5) < 50] = 0
    return CTVolume(hu, geometry)


@pytest.fixture(scope="session")
def scan() -> Scan:
    return prepare_scan(build_ct())


@pytest.fixture
def automatic() -> dict[int, MultiPolygon]:
    return {k: disc(18) for k in range(12, 29)}


def adding(logit: float):
    """A network that moves every outline outwards by 2 mm for each unit."""
    return lambda channels: np.full(channels.shape[1:], logit, np.float32)


def radius_mm(shape: MultiPolygon) -> float:
    return float((shapely.area(shape) / np.pi) ** 0.5)
