"""Shapes made of other shapes: union, intersection, difference, offset, uneven and cached shapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from autocontour.phantom.plane import FAR, MARGIN_MM, Crowd, Distances, Plane, Shape, Window, sample


@dataclass(frozen=True, eq=False)
class Shared:
    """A shape used by several others: evaluated once per plane, then cached.

    Attributes
    ----------
    margin_mm
        Largest distance from the shape that is used.
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
class Union:
    """The union of the shapes.

    Attributes
    ----------
    blend_mm
        Rounds the joints (polynomial smooth minimum).
    margin_mm
        Largest distance from the shapes that is used, if they are not blended.
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
    """The intersection of the shapes."""

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
    """`kept` without `removed`."""

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
    """A shape with an undulating surface, as of an organ: by `amplitude_mm`, every `wavelength_mm`."""

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
