"""Implicit shapes in patient mm: negative inside, positive outside, approximately the true distance near the surface.

Every shape is a function of position only, so that a CT can be sampled from it with partial volume and contours can be
computed in any plane, to any precision. Lengths are in mm, axes are LPS; points far from a surface may have the value
`FAR`, which only means that they are outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from autocontour.phantom.plane import TINY, Crowd, Distances, Plane


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid; the distance is of first order (value over gradient), exact for spheres near the surface.

    Attributes
    ----------
    center, radii
        Centre and semi-axes.
    axes
        (3, 3) rotation; columns are the directions of the semi-axes.
    """

    center: NDArray[np.float64]
    radii: NDArray[np.float64]
    axes: NDArray[np.float64]

    @property
    def volume_cc(self) -> float:
        """The exact volume."""
        return float(4 / 3 * np.pi * np.prod(self.radii) / 1000)

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The tight box of the rotated ellipsoid."""
        half = np.sqrt(((self.axes * self.radii) ** 2).sum(axis=1))
        return np.array([self.center - half, self.center + half])

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        level, slope = np.float32(0), np.float32(0)
        for local, radius in zip(self._local(plane), self.radii.astype(np.float32), strict=True):
            squared = (local / radius) ** 2
            level = level + squared
            slope = slope + squared / radius**2
        level = np.sqrt(level)
        return np.asarray(level * (level - 1) / np.sqrt(np.maximum(slope, TINY)))

    def _local(self, plane: Plane) -> list[Distances]:
        offset = [axis - np.float32(c) for axis, c in zip(plane.xyz, self.center, strict=True)]
        if np.array_equal(self.axes, np.eye(3)):
            return offset
        turned = self.axes.T.astype(np.float32)
        return [row[0] * offset[0] + row[1] * offset[1] + row[2] * offset[2] for row in turned]


@dataclass(frozen=True, eq=False)
class Loft:
    """Superellipses stacked along z, their sizes interpolated smoothly between stations; cut flat at both ends.

    Attributes
    ----------
    stations
        (n, 7): z, centre x, centre y, half width, half depth to the front, half depth to the back, exponent
        (2 an ellipse, more a rounded rectangle); z ascending.
    """

    stations: NDArray[np.float64]

    @cached_property
    def _dense(self) -> NDArray[np.float64]:
        z = self.stations[:, 0]
        fine = np.linspace(z[0], z[-1], max(2, round(z[-1] - z[0]) + 1))
        return np.column_stack([fine, PchipInterpolator(z, self.stations[:, 1:])(fine)])

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The box of all stations."""
        z, x, y, half, front, back, _ = self._dense.T
        return np.array([[(x - half).min(), (y - front).min(), z[0]], [(x + half).max(), (y + back).max(), z[-1]]])

    def at(self, z: float | Distances) -> list[Distances]:
        """Centre x, y, half width, half depths and exponent at `z`."""
        dense = self._dense
        return [np.interp(np.asarray(z), dense[:, 0], column).astype(np.float32) for column in dense.T[1:]]

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        x, y, z = plane.xyz
        center_x, center_y, half, front, back, exponent = self.at(z)
        dx, dy = np.abs(x - center_x) + TINY, y - center_y
        depth = np.where(dy < 0, front, back)
        dy = np.abs(dy) + TINY
        p, q = (dx / half) ** exponent, (dy / depth) ** exponent
        total = np.maximum(p + q, TINY)
        level = total ** (1 / exponent)
        side = (level - 1) * total / (level * np.sqrt((p / dx) ** 2 + (q / dy) ** 2))
        ends = np.maximum(np.float32(self.stations[0, 0]) - z, z - np.float32(self.stations[-1, 0]))
        return np.asarray(np.maximum(side, ends))

    def boundary(self, z: float, angle: float) -> NDArray[np.float64]:
        """Return the point of the surface at `z`, `angle` from the back (0) by the left (π/2) to the front (π)."""
        x, y, half, front, back, exponent = (float(value) for value in self.at(z))
        sine, cosine = np.sin(angle), np.cos(angle)
        depth = back if cosine > 0 else front
        reach = (abs(sine / half) ** exponent + abs(cosine / depth) ** exponent) ** (-1 / exponent)
        return np.array([x + reach * sine, y + reach * cosine, z])


@dataclass(frozen=True, eq=False)
class Tube:
    """Round cones joined along a path, optionally stretched to a vertical ribbon.

    Attributes
    ----------
    points
        (n, 3) path.
    radii
        (n,) radius at each point.
    half_heights
        (n,) half height along z of the ribbon's core at each point; all 0 for a round tube.
    margin_mm
        Largest distance from the tube that is used: more than the next blend.
    """

    points: NDArray[np.float64]
    radii: NDArray[np.float64]
    half_heights: NDArray[np.float64]
    margin_mm: float = 5.0

    @cached_property
    def _cones(self) -> Crowd:
        return Crowd(
            [
                _Cone(*self.points[i : i + 2], *self.radii[i : i + 2].tolist(), *self.half_heights[i : i + 2].tolist())
                for i in range(len(self.points) - 1)
            ]
        )

    @property
    def box(self) -> NDArray[np.float64]:
        """The box of all spheres along the path."""
        return self._cones.box

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        return self._cones.distance(plane, self.margin_mm)


@dataclass(frozen=True, eq=False)
class _Cone:
    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    start_radius: float
    stop_radius: float
    start_height: float
    stop_height: float

    @cached_property
    def box(self) -> NDArray[np.float64]:
        reach = np.array([[self.start_radius], [self.stop_radius]]) + np.outer(
            (self.start_height, self.stop_height), (0, 0, 1)
        )
        ends = np.array([self.start, self.stop])
        return np.array([(ends - reach).min(axis=0), (ends + reach).max(axis=0)])

    def distance(self, plane: Plane) -> Distances:
        along = self.stop - self.start
        flat = self.start_height > 0 or self.stop_height > 0
        weight = along * (1, 1, 0) if flat else along  # the distance to a ribbon is computed in projection along z
        weight = weight / max(float(weight @ along), 1e-9)
        offset = [axis - np.float32(c) for axis, c in zip(plane.xyz, self.start, strict=True)]
        t = offset[0] * np.float32(weight[0]) + offset[1] * np.float32(weight[1]) + offset[2] * np.float32(weight[2])
        t = np.clip(t, 0, 1)
        dx, dy, dz = (o - t * np.float32(step) for o, step in zip(offset, along, strict=True))
        if flat:
            height = np.float32(self.start_height) + t * np.float32(self.stop_height - self.start_height)
            dz = np.maximum(np.abs(dz) - height, 0)
        radius = np.float32(self.start_radius) + t * np.float32(self.stop_radius - self.start_radius)
        return np.asarray(np.sqrt(dx * dx + dy * dy + dz * dz) - radius)


@dataclass(frozen=True, eq=False)
class HalfSpace:
    """A half-space: inside where ``(p - point) · normal < 0``."""

    point: NDArray[np.float64]
    normal: NDArray[np.float64]

    @property
    def box(self) -> NDArray[np.float64]:
        """Everywhere."""
        return np.array([[-1e4] * 3, [1e4] * 3])

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        level = np.float32(-self.point @ self.normal)
        for axis, component in zip(plane.xyz, self.normal.astype(np.float32), strict=True):
            if component:
                level = level + axis * component
        return np.asarray(level)
