"""Evaluation of shapes on planes of points, limited to the neighbourhood of each shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float32]
FAR = np.float32(1000.0)
MARGIN_MM = 40.0  # distance around its box within which a shape is evaluated: more than any blend or offset
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
        """Distances already computed on the whole grid for `Shared` shapes; None for shapes outside the plane."""
        return {}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.v), len(self.u)

    @cached_property
    def xyz(self) -> tuple[Distances, Distances, Distances]:
        """LPS coordinates of the points, each broadcastable to `shape`, of minimal size."""
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
        """Return the window of the grid that may contain `box` (low and high corner, LPS), and that part, or None."""
        center, half = _project(box, self.direction)
        if abs(center[2] - self.w) > half[2] + margin_mm:
            return None
        return self.part(center.tolist(), (half + margin_mm).tolist())

    def part(self, center_uvw: list[float], half_uvw: list[float]) -> tuple[Window, Plane] | None:
        """Return the window of the grid around a centre, and that part; None if empty."""
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
    """Interface of all shapes."""

    @property
    def box(self) -> NDArray[np.float64]:
        """(2, 3) low and high corner of a box that contains the shape, LPS."""

    def distance(self, plane: Plane) -> Distances:
        """Approximate signed distance at every point of `plane`, negative inside."""


class Crowd:
    """Many shapes, of which each plane intersects few."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self.shapes = tuple(shapes)
        self._boxes = np.array([shape.box for shape in self.shapes]).reshape(-1, 2, 3)
        corners = (self._boxes[:, 0].min(axis=0), self._boxes[:, 1].max(axis=0)) if self.shapes else np.zeros((2, 3))
        self.box = np.array(corners)
        self._projected: dict[bytes, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def near(self, plane: Plane, margin_mm: float) -> Iterator[tuple[int, Window, Plane]]:
        """Yield index, window and part of the plane for every shape whose enlarged box meets the plane."""
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
    """Evaluate `shape` near its box only; all other points are `FAR`."""
    found = plane.window(shape.box, margin_mm)
    if found is None:
        return np.full(plane.shape, FAR, np.float32)
    where, part = found
    if part.shape == plane.shape:
        return np.broadcast_to(shape.distance(plane), plane.shape)
    distances = np.full(plane.shape, FAR, np.float32)
    distances[where] = shape.distance(part)
    return distances
