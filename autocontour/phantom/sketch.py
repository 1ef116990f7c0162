"""Drawing of anatomy: shapes are given in nominal millimetres, and scaled and posed by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from autocontour.phantom.combine import Offset, Shared, Union, Wavy
from autocontour.phantom.plane import Crowd, Shape
from autocontour.phantom.shapes import Ellipsoid, Loft, Tube

AIR_HU, FAT_HU, MUSCLE_HU = -1000, -98, 52
SIDES = ((1, "L"), (-1, "R"))
Points = Sequence[tuple[float, float, float]]
Station = Sequence[float]


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of tissue: inside `shape` the CT has `level_hu`. Later parts cover earlier ones."""

    shape: Shape
    level_hu: float


@dataclass(frozen=True, eq=False)
class Painting:
    """Parts in the order they are painted."""

    parts: tuple[Part, ...]

    @cached_property
    def crowd(self) -> Crowd:
        """The shapes of the parts, as a `Field`."""
        return Crowd([part.shape for part in self.parts])


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient as shapes.

    Attributes
    ----------
    tissues
        The tissues inside the skin.
    truth
        TG-263 name → the structure.
    fillings
        (n, 3) centres of metal, LPS mm.
    surface
        The skin.
    """

    tissues: Painting
    truth: dict[str, Shape]
    surface: Shape
    fillings: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))


class Sketch:
    """Draws shapes for one seed.

    Nominal coordinates (LPS mm of an average adult) are scaled by the patient's size, then bent sideways and
    forwards above the nominal height `bend_from` by the patient's pose.
    """

    def __init__(self, seed: Sequence[int], bend_from: float, bend_deg: float = 3.0) -> None:
        self.rng = np.random.default_rng(list(seed))
        build = self.rng.normal(1.0, 0.035)
        self.scale = build * np.clip(self.rng.normal(1.0, 0.02, 3), 0.95, 1.05)
        self._bend_from = bend_from
        self._bend = np.tan(np.radians(np.clip(self.rng.normal(0, bend_deg / 2, 2), -bend_deg, bend_deg)))
        self.parts: list[Part] = []

    def vary(self, value: float, relative: float = 0.05) -> float:
        """Return `value` with a random variation of at most twice `relative`."""
        return value * (1 + relative * float(np.clip(self.rng.normal(), -2, 2)))

    def place(self, points: ArrayLike) -> NDArray[np.float64]:
        """Convert nominal (n, 3) points to this patient's."""
        nominal = np.atleast_2d(np.asarray(points, dtype=np.float64))
        above = np.maximum(nominal[:, 2] - self._bend_from, 0.0)
        above = above**2 / (above + 40.0)  # starts smoothly
        bent = nominal.copy()
        bent[:, :2] += above[:, None] * self._bend
        return bent * self.scale

    def paint(self, shape: Shape, level_hu: float) -> Shape:
        """Add a tissue on top of those painted before, and return its shape."""
        self.parts.append(Part(shape, level_hu))
        return shape

    def ellipsoid(
        self,
        center: tuple[float, float, float],
        radii: tuple[float, float, float],
        tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Ellipsoid:
        """Draw an ellipsoid, rotated about x, then y, then z."""
        axes = Rotation.from_euler("xyz", tilt_deg, degrees=True).as_matrix() if any(tilt_deg) else np.eye(3)
        return Ellipsoid(self.place(center)[0], np.array(radii) * self.scale, axes)

    def tube(
        self,
        points: Points,
        radii: float | Sequence[float],
        half_heights: float | Sequence[float] = 0.0,
        margin_mm: float = 5.0,
    ) -> Tube:
        """Draw a tube or ribbon along `points`."""
        size = float(np.cbrt(self.scale.prod()))
        count = len(points)
        widths, heights = (np.broadcast_to(np.asarray(v, np.float64), (count,)) for v in (radii, half_heights))
        return Tube(self.place(points), widths * size, heights * self.scale[2], margin_mm)

    def loft(self, stations: Sequence[Station]) -> Loft:
        """Draw a loft; stations are z, x, y, half width, front, back[, exponent], in any order of z."""
        rows = np.array(sorted([*row, 2.0][:7] for row in stations), dtype=np.float64)
        placed = self.place(rows[:, [1, 2, 0]])
        sizes = rows[:, 3:6] * self.scale[[0, 1, 1]]
        return Loft(np.column_stack([placed[:, 2], placed[:, :2], sizes, rows[:, 6]]))

    def wavy(self, shape: Shape, amplitude_mm: float, wavelength_mm: float) -> Wavy:
        """Make a surface uneven."""
        return Wavy(shape, amplitude_mm, wavelength_mm, self.rng.uniform(0, 2 * np.pi, 3))

    def muscle(self, shape: Shape, level_hu: float) -> None:
        """Paint a muscle within its sheath of fat."""
        sheath = Shared(self.wavy(shape, 1.5, 32), margin_mm=5.0)
        self.paint(Offset(sheath, 1.4), FAT_HU)
        self.paint(sheath, level_hu + float(self.rng.normal(0, 4)))

    def bone(self, shape: Shape, *, shell_mm: float = 2.5, cortical_hu: float = 950, marrow_hu: float = 260) -> Shape:
        """Paint a bone: a dense shell around marrow."""
        shape = Shared(shape, margin_mm=5.0)
        self.paint(shape, cortical_hu)
        self.paint(Offset(shape, -shell_mm), marrow_hu)
        return shape


def tapered(stations: Sequence[Station], end_mm: float = 10.0) -> list[Station]:
    """Let a loft of (z, x, y, half width, front, back, exponent) taper at both ends instead of ending flat."""
    rows = sorted(stations, key=lambda row: row[0])
    low, high = ([*row[:3], *(0.3 * size for size in row[3:6]), *row[6:]] for row in (rows[0], rows[-1]))
    return [[low[0] - end_mm, *low[1:]], *rows, [high[0] + end_mm, *high[1:]]]


def union(*shapes: Shape, blend_mm: float = 0.0) -> Union:
    """Unite shapes."""
    return Union(shapes, blend_mm)


def mirrored(point: tuple[float, float, float], side: int) -> tuple[float, float, float]:
    """Return a point of the patient's left unchanged (`side` 1) or mirrored to the right (-1)."""
    return side * point[0], point[1], point[2]
