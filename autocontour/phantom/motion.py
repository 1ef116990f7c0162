"""Smooth invertible maps of space with known Jacobians, of which a patient's change between two CTs is composed.

Every map takes points of the later CT to the points of the earlier CT where the same tissue was (LPS, mm). Each is
invertible by its parameters' limits and gives the exact determinant of its Jacobian; a chain of such maps is
invertible, and its determinant is the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEEPEST_BUMP = float(np.exp(-0.5))
"""Largest slope of exp(−r²/2) along r."""
INVERSE_MM = 1e-4
INVERSE_STEPS = 200


class Motion(Protocol):
    """An invertible map of points."""

    def pull(self, points: Floats) -> Floats:
        """Return where the (n, 3) points came from."""

    def jacobian(self, points: Floats) -> Floats:
        """Return the (n,) determinant of the Jacobian of `pull`."""


@dataclass(frozen=True)
class Setup:
    """A rigid shift and rotation of the patient about a point.

    Attributes
    ----------
    shift_mm, rotation_deg
        Along and about LPS x, y, z.
    center
        Point that the rotation keeps.
    """

    shift_mm: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]
    center: tuple[float, float, float]

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        moved: Floats = (points - self.center) @ _rotation(self.rotation_deg).T + self.center + self.shift_mm
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return ones: a rigid map keeps volumes."""
        return np.ones(len(points))


@dataclass(frozen=True)
class Flexion:
    """A bend of the neck: rotation about the x axis by an angle that grows from 0 at `low_mm` to `angle_deg`.

    With θ(z) the determinant is 1 + θ'(z)·(y − y of the pivot).

    Attributes
    ----------
    angle_deg
        Of the head; positive bends the chin down.
    pivot_yz
        LPS y and z of the axis, in the vertebrae.
    low_mm, length_mm
        LPS z where it begins, and how far up it grows.
    """

    angle_deg: float
    pivot_yz: tuple[float, float]
    low_mm: float
    length_mm: float

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        angle = np.deg2rad(self.angle_deg) * _ramp((points[:, 2] - self.low_mm) / self.length_mm)
        y, z = points[:, 1] - self.pivot_yz[0], points[:, 2] - self.pivot_yz[1]
        cos, sin = np.cos(angle), np.sin(angle)
        moved = points.copy()
        moved[:, 1] = self.pivot_yz[0] + cos * y - sin * z
        moved[:, 2] = self.pivot_yz[1] + sin * y + cos * z
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant."""
        slope = np.deg2rad(self.angle_deg) / self.length_mm * _slope((points[:, 2] - self.low_mm) / self.length_mm)
        determinant: Floats = 1 + slope * (points[:, 1] - self.pivot_yz[0])
        return determinant


@dataclass(frozen=True)
class Shoulders:
    """Shoulders higher or lower: a shift along z, below `top_mm` and away from the midline.

    Attributes
    ----------
    shift_mm
        Of the lowest, most lateral part.
    top_mm, length_mm
        LPS z where it begins, and how far down it grows.
    middle_x, lateral_mm
        LPS x of the midline, and how far from it the shift is complete.
    """

    shift_mm: float
    top_mm: float
    length_mm: float
    middle_x: float
    lateral_mm: float

    def _aside(self, points: Floats) -> Floats:
        return _ramp(np.abs(points[:, 0] - self.middle_x) / self.lateral_mm)

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        moved = points.copy()
        depth = (self.top_mm - points[:, 2]) / self.length_mm
        moved[:, 2] += self.shift_mm * _ramp(depth) * self._aside(points)
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant."""
        depth = (self.top_mm - points[:, 2]) / self.length_mm
        determinant: Floats = 1 - self.shift_mm / self.length_mm * _slope(depth) * self._aside(points)
        return determinant


@dataclass(frozen=True)
class WeightLoss:
    """The surface comes nearer to the body's axis in every axial plane, the middle stays.

    With ρ the distance from the axis over the body's half widths, a point comes from ρ·(1 + k·ramp(ρ)) and the
    determinant is (1 + k·ramp)·(1 + k·ramp + ρ·k·ramp').

    Attributes
    ----------
    fraction
        k: how much nearer the surface comes; negative for a gain.
    levels_mm
        (n,) ascending LPS z of the following.
    middles_xy, halves_xy
        (n, 2) the body's middle and half widths at each level; interpolated between.
    """

    fraction: float
    levels_mm: Floats
    middles_xy: Floats
    halves_xy: Floats

    def _local(self, points: Floats) -> tuple[Floats, Floats]:
        def at(values: Floats) -> Floats:
            columns = [np.interp(points[:, 2], self.levels_mm, values[:, axis]) for axis in (0, 1)]
            return np.stack(columns, axis=1)

        middle = at(self.middles_xy)
        scaled = (points[:, :2] - middle) / at(self.halves_xy)
        return middle, np.hypot(scaled[:, 0], scaled[:, 1])

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        middle, radius = self._local(points)
        moved = points.copy()
        moved[:, :2] = middle + (points[:, :2] - middle) * (1 + self.fraction * _ramp(radius))[:, None]
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant."""
        _, radius = self._local(points)
        factor = 1 + self.fraction * _ramp(radius)
        determinant: Floats = factor * (factor + radius * self.fraction * _slope(radius))
        return determinant


@dataclass(frozen=True)
class Shrinkage:
    """An organ gets smaller about its middle; the tissue round it follows.

    With r the distance from the middle over `sigma_mm`, a point comes from r·(1 + s·exp(−r²/2)).

    Attributes
    ----------
    strength
        s, from −0.7 to 2: the middle of the organ shrinks by 1/(1 + s)³.
    center, sigma_mm
        LPS.
    """

    strength: float
    center: tuple[float, float, float]
    sigma_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not -0.7 <= self.strength <= 2.0:
            raise ValueError("the map folds")

    def _bell(self, points: Floats) -> tuple[Floats, Floats]:
        squared = (((points - self.center) / self.sigma_mm) ** 2).sum(axis=1)
        return squared, self.strength * np.exp(-squared / 2)

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        _, bell = self._bell(points)
        moved: Floats = self.center + (points - self.center) * (1 + bell)[:, None]
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant."""
        squared, bell = self._bell(points)
        determinant: Floats = (1 + bell) ** 2 * (1 + bell * (1 - squared))
        return determinant


@dataclass(frozen=True)
class Bump:
    """A local shift that fades as a Gaussian.

    Attributes
    ----------
    shift_mm
        At the center, LPS.
    center, sigma_mm
        LPS, and the same width in all directions.
    """

    shift_mm: tuple[float, float, float]
    center: tuple[float, float, float]
    sigma_mm: float

    def __post_init__(self) -> None:
        if np.linalg.norm(self.shift_mm) * STEEPEST_BUMP >= self.sigma_mm:
            raise ValueError("the map folds")

    def _bell(self, points: Floats) -> Floats:
        bell: Floats = np.exp(-((points - self.center) ** 2).sum(axis=1) / (2 * self.sigma_mm**2))
        return bell

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        moved: Floats = points + self._bell(points)[:, None] * np.array(self.shift_mm)
        return moved

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant."""
        along = (points - self.center) @ np.array(self.shift_mm)
        determinant: Floats = 1 - self._bell(points) * along / self.sigma_mm**2
        return determinant


@dataclass(frozen=True)
class Chain:
    """Maps one after another; the first is applied to the later CT's points."""

    motions: Sequence[Motion]

    def pull(self, points: Floats) -> Floats:
        """Return where the points came from."""
        for motion in self.motions:
            points = motion.pull(points)
        return points

    def jacobian(self, points: Floats) -> Floats:
        """Return the determinant: the product along the way."""
        product = np.ones(len(points))
        for motion in self.motions:
            product *= motion.jacobian(points)
            points = motion.pull(points)
        return product

    def push(self, points: Floats) -> Floats:
        """Return where the points of the earlier CT went: the inverse of `pull`, within 0.0001 mm."""
        for motion in reversed(self.motions):
            points = _invert(motion, points)
        return points


def _invert(motion: Motion, points: Floats) -> Floats:
    """Solve ``motion.pull(found) = points`` by Newton's method with numerical derivatives."""
    found = points.copy()
    for _ in range(INVERSE_STEPS):
        error = motion.pull(found) - points
        if not len(error) or np.abs(error).max() < INVERSE_MM:
            return found
        columns = [motion.pull(found + 0.01 * axis) - motion.pull(found - 0.01 * axis) for axis in np.eye(3)]
        derivative = np.stack(columns, axis=2) / 0.02
        step = np.linalg.solve(derivative, error[:, :, None])[:, :, 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        found -= step * np.minimum(1.0, 10.0 / np.maximum(length, 1e-12))
    raise ValueError("the map has no inverse at a point")


def _rotation(degrees: tuple[float, float, float]) -> Floats:
    x, y, z = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    turned: Floats = about_z @ about_y @ about_x
    return turned


def _ramp(t: Floats) -> Floats:
    """Return 0 below 0, 1 above 1, and 3t² − 2t³ between."""
    t = np.clip(t, 0.0, 1.0)
    ramp: Floats = t * t * (3 - 2 * t)
    return ramp


def _slope(t: Floats) -> Floats:
    """Return the derivative of `_ramp`."""
    t = np.clip(t, 0.0, 1.0)
    slope: Floats = 6 * t * (1 - t)
    return slope
