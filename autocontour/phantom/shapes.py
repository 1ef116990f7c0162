"""Implicit shapes in patient mm: negative inside, positive outside, about the true distance near the surface.

Every shape is a function of position alone, so that a CT can be sampled from it with partial volume and contours can
be taken from it in any plane, to any precision. Lengths are mm, axes LPS; what is far from a surface may be reported
as `FAR`, which only means "well outside".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Distances = NDArray[np.float32]
FAR = np.float32(1000.0)
MARGIN_MM = 40.0  # how far around its box a shape is evaluated: more than any blend or offset
TINY = np.float32(1e-6)
Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Plane:
    """A grid of points in one plane of the patient.

    Attributes
    ----------
    direction
        (3, 3); columns are the LPS unit vectors of u, v and the normal w.
    u, v
        Plane coordinates of the grid's columns and rows, ascending.
    w
        Position of the plane along its normal.
    whole, corner
        For a part of a larger grid: that grid, and the row and column in it where this one starts.
    """

    direction: NDArray[np.float64]
    u: NDArray[np.float64]
    v: NDArray[np.float64]
    w: float
    whole: Plane | None = None
    corner: tuple[int, int] = (0, 0)

    @cached_property
    def known(self) -> dict[Shape, tuple[Window, Distances] | None]:
        """What was already computed on the whole grid, of shapes that are `Shared`; None for those it does not meet."""
        return {}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.v), len(self.u)

    @cached_property
    def xyz(self) -> tuple[Distances, Distances, Distances]:
        """LPS coordinates of the points, each broadcastable to `shape` and no larger than it must be."""
        x, y, z = (self._axis(row) for row in self.direction.tolist())
        return x, y, z

    def _axis(self, row: list[float]) -> Distances:
        value = np.array([[row[2] * self.w]])
        if abs(row[0]) > TINY:
            value = value + row[0] * self.u[None, :]
        if abs(row[1]) > TINY:
            value = value + row[1] * self.v[:, None]
        return value.astype(np.float32)

    def window(self, box: NDArray[np.float64], margin_mm: float = MARGIN_MM) -> tuple[Window, Plane] | None:
        """Return where in the grid `box` (low and high corner, LPS) may be, and that part; None if nowhere."""
        center, half = _project(box, self.direction)
        if abs(center[2] - self.w) > half[2] + margin_mm:
            return None
        return self.part(center.tolist(), (half + margin_mm).tolist())

    def part(self, center_uvw: list[float], half_uvw: list[float]) -> tuple[Window, Plane] | None:
        """Return where the rectangle about a centre is in the grid, and that part; None if nowhere."""
        left, right = self.u.searchsorted((center_uvw[0] - half_uvw[0], center_uvw[0] + half_uvw[0])).tolist()
        top, bottom = self.v.searchsorted((center_uvw[1] - half_uvw[1], center_uvw[1] + half_uvw[1])).tolist()
        if left >= right or top >= bottom:
            return None
        corner = (self.corner[0] + top, self.corner[1] + left)
        part = Plane(self.direction, self.u[left:right], self.v[top:bottom], self.w, self.whole or self, corner)
        return (slice(top, bottom), slice(left, right)), part


def _project(
    boxes: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres and half sizes along u, v, w of boxes (…, 2, 3)."""
    low, high = boxes[..., 0, :], boxes[..., 1, :]
    return (low + high) / 2 @ direction, (high - low) / 2 @ np.abs(direction)


class Shape(Protocol):
    """What every shape can do."""

    @property
    def box(self) -> NDArray[np.float64]:
        """(2, 3) low and high corner of a box that holds the shape, LPS."""

    def distance(self, plane: Plane) -> Distances:
        """Signed distance, about, at every point of `plane`, negative inside."""


class Crowd:
    """Many shapes, of which a plane meets few."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.shapes = tuple(shapes)
        self._boxes = np.array([shape.box for shape in self.shapes]).reshape(-1, 2, 3)
        corners = (self._boxes[:, 0].min(axis=0), self._boxes[:, 1].max(axis=0)) if self.shapes else np.zeros((2, 3))
        self.box = np.array(corners)
        self._projected: dict[bytes, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def near(self, plane: Plane, margin_mm: float) -> Iterator[tuple[int, Window, Plane]]:
        """Yield index, window and part of the plane for every shape whose box, grown, the plane meets; in order."""
        key = plane.direction.tobytes()
        if key not in self._projected:
            self._projected[key] = _project(self._boxes, plane.direction)
        centers, halves = self._projected[key]
        met = np.flatnonzero(np.abs(centers[:, 2] - plane.w) <= halves[:, 2] + margin_mm)
        for index, center, half in zip(
            met.tolist(), centers[met].tolist(), (halves[met] + margin_mm).tolist(), strict=True
        ):
            found = plane.part(center, half)
            if found is not None:
                yield index, *found

    def distance(self, plane: Plane, margin_mm: float = MARGIN_MM) -> Distances:
        """Distance to the nearest of the shapes."""
        nearest = np.full(plane.shape, FAR, np.float32)
        for index, where, part in self.near(plane, margin_mm):
            np.minimum(nearest[where], self.shapes[index].distance(part), out=nearest[where])
        return nearest


def sample(shape: Shape, plane: Plane, margin_mm: float = MARGIN_MM) -> Distances:
    """Evaluate `shape` near its box only and call everything else `FAR`."""
    found = plane.window(shape.box, margin_mm)
    if found is None:
        return np.full(plane.shape, FAR, np.float32)
    where, part = found
    if part.shape == plane.shape:
        return np.broadcast_to(shape.distance(plane), plane.shape)
    distances = np.full(plane.shape, FAR, np.float32)
    distances[where] = shape.distance(part)
    return distances


@dataclass(frozen=True, eq=False)
class Shared:
    """A shape that others are made from: evaluated once per plane, then remembered.

    Attributes
    ----------
    margin_mm
        How far from the shape its distance matters.
    """

    shape: Shape
    margin_mm: float = MARGIN_MM

    @property
    def box(self) -> NDArray[np.float64]:
        """The shape's box."""
        return self.shape.box

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        whole = plane.whole or plane
        if self not in whole.known:
            found = whole.window(self.shape.box, self.margin_mm)
            whole.known[self] = found and (found[0], np.broadcast_to(self.shape.distance(found[1]), found[1].shape))
        known = whole.known[self]
        return np.full(plane.shape, FAR, np.float32) if known is None else _taken(plane, *known)


def _taken(plane: Plane, window: Window, distances: Distances) -> Distances:
    """Return the `distances` known in a window of the whole grid where `plane` is, `FAR` beyond them."""
    starts = [corner - known.start for corner, known in zip(plane.corner, window, strict=True)]
    spans = [(start, start + size) for start, size in zip(starts, plane.shape, strict=True)]
    inside = [(max(0, low), min(size, high)) for (low, high), size in zip(spans, distances.shape, strict=True)]
    if inside == spans:
        return distances[slice(*spans[0]), slice(*spans[1])]
    taken = np.full(plane.shape, FAR, np.float32)
    if all(low < high for low, high in inside):
        source = tuple(slice(*span) for span in inside)
        target = tuple(slice(low - start, high - start) for (low, high), start in zip(inside, starts, strict=True))
        taken[target] = distances[source]
    return taken


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
        How far from the tube its distance matters: further than the next blend.
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
        weight = along * (1, 1, 0) if flat else along  # a ribbon is measured across its path as seen from above
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
    """Everything on one side of a plane: inside where ``(p - point) · normal < 0``."""

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


@dataclass(frozen=True, eq=False)
class Union:
    """What lies in any of the shapes.

    Attributes
    ----------
    blend_mm
        Rounds the joints (polynomial smooth minimum).
    margin_mm
        How far from the shapes, when not blended, their distance matters.
    """

    shapes: tuple[Shape, ...]
    blend_mm: float = 0.0
    margin_mm: float = 5.0

    @cached_property
    def _crowd(self) -> Crowd:
        return Crowd(self.shapes)

    @property
    def box(self) -> NDArray[np.float64]:
        """The box around all shapes."""
        return self._crowd.box

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        if not self.blend_mm:
            return self._crowd.distance(plane, self.margin_mm)
        return reduce(self._blend, (sample(shape, plane) for shape in self.shapes))

    def _blend(self, a: Distances, b: Distances) -> Distances:
        blend = np.float32(self.blend_mm)
        overlap = np.maximum(blend - np.abs(a - b), 0)
        return np.asarray(np.minimum(a, b) - overlap * overlap / (4 * blend))


@dataclass(frozen=True, eq=False)
class Intersection:
    """What lies in every one of the shapes."""

    shapes: tuple[Shape, ...]

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The box common to all shapes."""
        boxes = np.array([shape.box for shape in self.shapes])
        low = boxes[:, 0].max(axis=0)
        return np.array([low, np.maximum(boxes[:, 1].min(axis=0), low)])

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        return reduce(np.maximum, (sample(shape, plane) for shape in self.shapes))


@dataclass(frozen=True, eq=False)
class Difference:
    """What lies in `kept` and in none of `removed`."""

    kept: Shape
    removed: tuple[Shape, ...]

    @property
    def box(self) -> NDArray[np.float64]:
        """The box of `kept`."""
        return self.kept.box

    @cached_property
    def _crowd(self) -> Crowd:
        return Crowd(self.removed)

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        return np.maximum(sample(self.kept, plane), -self._crowd.distance(plane))


@dataclass(frozen=True, eq=False)
class Offset:
    """A shape grown by `margin_mm` (shrunk where negative), by less than `MARGIN_MM`."""

    shape: Shape
    margin_mm: float

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The shape's box, grown."""
        grown: NDArray[np.float64] = self.shape.box + np.array([[-1.0], [1.0]]) * max(self.margin_mm, 0.0)
        return grown

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        return np.asarray(sample(self.shape, plane) - np.float32(self.margin_mm))


@dataclass(frozen=True, eq=False)
class Wavy:
    """A shape whose surface swells and sinks gently, as organs do: by `amplitude_mm`, every `wavelength_mm`."""

    shape: Shape
    amplitude_mm: float
    wavelength_mm: float
    phases: NDArray[np.float64]

    @cached_property
    def box(self) -> NDArray[np.float64]:
        """The shape's box, grown by the amplitude."""
        grown: NDArray[np.float64] = self.shape.box + np.array([[-1.0], [1.0]]) * self.amplitude_mm
        return grown

    def distance(self, plane: Plane) -> Distances:
        """See `Shape.distance`."""
        number = np.float32(2 * np.pi / self.wavelength_mm)
        ripple = reduce(
            np.multiply,
            (np.sin(number * axis + np.float32(phase)) for axis, phase in zip(plane.xyz, self.phases, strict=True)),
        )
        return np.asarray(sample(self.shape, plane) + np.float32(self.amplitude_mm) * ripple)
