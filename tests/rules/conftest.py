"""A patient made of ellipses, known exactly, and the eight ways to put the same patient into an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from autocontour.contouring import mask_from_contours
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume

SHAPE_ZYX = (72, 120, 168)
SPACING_ZYX_MM = (3.0, 3.0, 3.0)
AIR, LUNG, FAT, MUSCLE, MARROW, CORTEX, SHELL, FOAM = -1000, -850, -90, 45, 180, 700, 50, -950


@dataclass(frozen=True)
class Toy:
    """Voxels in patient order (to the head, to the back, to the left) and the masks that are true."""

    hu: NDArray[np.int16]
    truth: dict[str, NDArray[np.bool_]]

    def ct(self, position: str = "HFS") -> CTVolume:
        """Return the same patient as scanned in another position."""
        return CTVolume(to_position(self.hu, position), geometry_of(self.hu.shape, position))

    def masks_of(self, contours: Contours, position: str = "HFS") -> NDArray[np.bool_]:
        """Return contours drawn on `ct(position)` as a mask in patient order."""
        return from_position(mask_from_contours(contours, geometry_of(self.hu.shape, position)), position)


# Columns: LPS directions of u, v, w.
DIRECTIONS = {
    "HFS": np.eye(3),
    "HFP": np.diag([-1.0, -1.0, 1.0]),
    "FFS": np.diag([-1.0, 1.0, -1.0]),
    "FFP": np.diag([1.0, -1.0, -1.0]),
    "HFDR": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "HFDL": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "FFDR": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
    "FFDL": np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
    "coronal slices": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}


def axes_and_flips(position: str) -> tuple[list[int], list[int]]:
    """For each array axis z, y, x: the patient axis it runs along, and whether backwards."""
    along = DIRECTIONS[position][::-1, ::-1]
    axes = [int(np.abs(along[:, a]).argmax()) for a in range(3)]
    return axes, [a for a in range(3) if along[axes[a], a] < 0]


def to_position(array: NDArray, position: str) -> NDArray:
    axes, flips = axes_and_flips(position)
    return np.ascontiguousarray(np.flip(array.transpose(axes), flips))


def from_position(array: NDArray, position: str) -> NDArray:
    axes, flips = axes_and_flips(position)
    return np.flip(array, flips).transpose(np.argsort(axes))


def geometry_of(shape: tuple[int, ...], position: str) -> VolumeGeometry:
    axes, flips = axes_and_flips(position)
    first = np.array([(shape[axes[a]] - 1) * 3.0 if a in flips else 0.0 for a in range(3)])
    corner = np.zeros(3)
    corner[axes] = first
    z, y, x = (shape[a] for a in axes)
    return VolumeGeometry.regular((z, y, x), SPACING_ZYX_MM, corner[::-1], DIRECTIONS[position])


class Painter:
    """Paints shapes given in mm: z to the head, y to the back, x to the left, from the middle of the volume."""

    def __init__(self) -> None:
        self.hu = np.full(SHAPE_ZYX, AIR, np.int16)
        grids = [(np.arange(n) - (n - 1) / 2) * 3.0 for n in SHAPE_ZYX]
        self.z, self.y, self.x = np.meshgrid(*grids, indexing="ij", sparse=True)

    def ellipsoid(self, middle: tuple[float, float, float], half: tuple[float, float, float]) -> NDArray[np.bool_]:
        parts = zip((self.z, self.y, self.x), middle, half, strict=True)
        return sum(((axis - m) / h) ** 2 for axis, m, h in parts) <= 1

    def tube(self, y: float, x: float, half_y: float, half_x: float, low: float = -999, high: float = 999) -> NDArray:
        inside = ((self.y - y) / half_y) ** 2 + ((self.x - x) / half_x) ** 2 <= 1
        return inside & (self.z >= low) & (self.z <= high)

    def box(self, y: tuple[float, float], x: tuple[float, float]) -> NDArray:
        inside = (self.y >= y[0]) & (self.y <= y[1]) & (self.x >= x[0]) & (self.x <= x[1])
        return inside & (self.z > -999)


def paint_spine(painter: Painter, y: float = 60.0) -> NDArray[np.bool_]:
    """Paint vertebrae 24 mm high with 6 mm of disc between; return the canal."""
    is_disc = (painter.z % 30) < 6
    body, arch = painter.tube(y, 0, 18, 21), painter.tube(y + 27, 0, 15, 18)
    canal, spine = painter.tube(y + 25, 0, 8, 10), painter.tube(y + 48, 0, 12, 4)
    inner = painter.tube(y, 0, 14, 17)
    painter.hu[arch | spine | body] = CORTEX
    painter.hu[inner] = MARROW
    painter.hu[(arch | body | spine) & is_disc] = 80
    painter.hu[canal] = 20
    return canal


def build_thorax(*, couch: bool = True, arms: bool = True, left_lung: bool = True, gap_mm: float = 60.0) -> Toy:
    """Build a chest: lungs of different size, windpipe with its fork, spine, arms beside the trunk, a couch."""
    painter = Painter()
    hu = painter.hu
    trunk = painter.tube(0, 0, 105, 165)
    arm_shafts = [painter.tube(25, x, 30, 30) for x in (-212, 212)] if arms else []
    for limb in arm_shafts:
        hu[limb] = MUSCLE
    for x in (-212, 212) if arms else ():
        hu[painter.tube(25, x, 12, 12)] = CORTEX
        hu[painter.tube(25, x, 6, 6)] = MARROW
    hu[trunk] = FAT
    hu[painter.tube(0, 0, 99, 159)] = MUSCLE
    lungs = {
        "Lung_L": painter.ellipsoid((0, -8, 50 + gap_mm / 2), (90, 72, 46)),
        "Lung_R": painter.ellipsoid((-6, -8, -56 - gap_mm / 2), (96, 75, 54)),
    }
    if not left_lung:
        del lungs["Lung_L"]
    for lung in lungs.values():
        hu[lung] = LUNG
    for y, x in ((-10, 66), (14, 84), (-20, -84), (10, -70)):  # vessels
        hu[painter.tube(y, x, 5, 5, -60, 60)] = MUSCLE
    canal = paint_spine(painter)
    trachea = painter.tube(-10, 0, 9, 10, 15) if gap_mm > 40 else painter.tube(-10, 0, 9, 10, 999)
    for side in (-1, 1) if gap_mm > 40 else ():
        for step in range(8):
            hu[painter.ellipsoid((12 - 4 * step, -10, side * (8 + 2.6 * step)), (6, 6, 6))] = AIR
    hu[trachea] = AIR
    if couch:
        hu[painter.box((108, 138), (-245, 245))] = FOAM
        for rows in ((108, 110.9), (135.1, 138)):
            hu[painter.box(rows, (-245, 245))] = SHELL
    external = trunk | np.logical_or.reduce(arm_shafts) if arms else trunk
    truth = {"External": external, "SpinalCanal": canal, "Trachea": trachea} | lungs
    return Toy(hu, {name: np.broadcast_to(mask, hu.shape) for name, mask in truth.items()})


def build_head() -> Toy:
    """Build a head and neck with a windpipe that goes up to the pharynx: no lungs in the scan."""
    painter = Painter()
    hu = painter.hu
    neck, head = painter.tube(10, 0, 60, 60, high=0), painter.ellipsoid((40, 0, 0), (68, 90, 75))
    hu[neck | head] = MUSCLE
    skull, brain = painter.ellipsoid((40, 0, 0), (63, 84, 69)), painter.ellipsoid((40, 0, 0), (57, 78, 63))
    hu[skull] = CORTEX
    hu[brain] = 35
    hu[neck & ~skull] = MUSCLE
    windpipe = painter.tube(-25, 0, 9, 9, high=-40)
    hu[windpipe] = AIR
    return Toy(hu, {"External": neck | head, "Trachea": windpipe})


def build_abdomen() -> Toy:
    """Build an abdomen with a column of bowel gas in the midline: neither lungs nor windpipe."""
    painter = Painter()
    hu = painter.hu
    trunk = painter.tube(0, 0, 100, 150)
    hu[trunk] = MUSCLE
    canal = paint_spine(painter)
    hu[painter.tube(-20, 0, 10, 10, -60, 60)] = AIR
    hu[painter.ellipsoid((30, -40, 70), (40, 30, 40))] = AIR
    return Toy(hu, {"External": np.broadcast_to(trunk, hu.shape), "SpinalCanal": canal})


@pytest.fixture(scope="session")
def thorax() -> Toy:
    return build_thorax()


@pytest.fixture(scope="session")
def make_thorax() -> Callable[..., Toy]:
    return build_thorax


@pytest.fixture(scope="session")
def head() -> Toy:
    return build_head()


@pytest.fixture(scope="session")
def abdomen() -> Toy:
    return build_abdomen()


@pytest.fixture(scope="session")
def dsc() -> Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]:
    def compute(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
        return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))

    return compute
