"""A CT as the array that a published network expects, and the way back to the patient.

nnU-Net and MONAI see an array and a spacing, not a position. `Oriented` keeps where every voxel lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from autocontour.base.findings import Finding
from autocontour.models.inference.sampling import SHEAR_TOLERANCE_MM, Frame, Grid, Triple, sample_ct
from autocontour.patient.geometry import Box
from autocontour.patient.volume import CTVolume

Image = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)
SIGNS = {"LPS": (1, 1, 1), "RAS": (1, -1, -1)}
"""Direction of z, y, x relative to the patient's (superior, posterior, left)."""


@dataclass(frozen=True)
class Axes:
    """Position of an array's voxels along its own axes, in patient coordinates.

    Attributes
    ----------
    first_mm
        Centre of the first voxel along each axis.
    step_mm
        From a voxel to the next; negative where the axis runs against the patient's.
    """

    first_mm: tuple[float, ...]
    step_mm: tuple[float, ...]

    def reordered(self, order: Sequence[int]) -> Axes:
        """Return the axes in another order."""
        return Axes(tuple(self.first_mm[a] for a in order), tuple(self.step_mm[a] for a in order))

    def cropped(self, start: Sequence[int]) -> Axes:
        """Return the axes of an array without the voxels before `start`."""
        first = (f + n * s for f, n, s in zip(self.first_mm, start, self.step_mm, strict=True))
        return Axes(tuple(first), self.step_mm)

    def between_edges(self, old: Sequence[int], new: Sequence[int]) -> Axes:
        """Return the axes after a resampling from `old` to `new` voxels within the same edges."""
        step = [s * a / b for s, a, b in zip(self.step_mm, old, new, strict=True)]
        first = (f - s / 2 + t / 2 for f, s, t in zip(self.first_mm, self.step_mm, step, strict=True))
        return Axes(tuple(first), tuple(step))

    def between_centres(self, old: Sequence[int], new: Sequence[int]) -> Axes:
        """Return the axes after a resampling from `old` to `new` voxels between the same outermost centres."""
        step = (s * (a - 1) / (b - 1) if b > 1 else s for s, a, b in zip(self.step_mm, old, new, strict=True))
        return Axes(self.first_mm, tuple(step))


@dataclass(frozen=True)
class Oriented:
    """A CT as the array of a network's orientation.

    Attributes
    ----------
    hu
        (z, y, x), the axes as in `SIGNS` of the orientation.
    grid
        Its voxels, along the patient's z, y, x.
    orientation
        ``LPS`` or ``RAS``.
    findings
        ``AC-MD-131`` if the CT's own voxels had to be resampled.
    resampled
        Whether they were.
    """

    hu: Image
    grid: Grid
    orientation: str
    findings: tuple[Finding, ...] = ()
    resampled: bool = False

    def cropped(self, box: Box) -> Oriented:
        """Return the voxels of a box of the grid."""
        place = flip_box(box, self.grid.shape_zyx, self.orientation).slices
        return replace(self, hu=self.hu[place], grid=self.grid.cropped(box))

    @property
    def axes(self) -> Axes:
        """Positions of the voxels along z, y, x."""
        first, step = [], []
        for axis, sign in enumerate(SIGNS[self.orientation]):
            positions = self.grid.positions_mm(axis)
            first.append(float(positions[0] if sign > 0 else positions[-1]))
            step.append(sign * self.grid.spacing_zyx_mm[axis])
        return Axes(tuple(first), tuple(step))


def orient(ct: CTVolume, orientation: str) -> Oriented:
    """Return a CT as an array of an orientation; its own voxels where they are regular.

    Raises
    ------
    ModelError
        ``AC-MD-030`` for a CT too oblique to the patient's axes.
    """
    frame = Frame.of(ct.geometry)
    grid = own_grid(ct, frame)
    findings: tuple[Finding, ...] = ()
    if grid is None:
        spacing = np.asarray(ct.geometry.spacing_zyx_mm)[list(frame.axes)]
        grid = Grid.over(frame, (float(spacing[0]), float(spacing[1]), float(spacing[2])))
        hu, findings = sample_ct(ct, grid), (Finding.of("AC-MD-131"),)
    else:
        hu = frame.to_patient(ct.hu.astype(np.float32))
    return Oriented(np.ascontiguousarray(flip(hu, orientation)), grid, orientation, findings, resampled=bool(findings))


def flip(array: NDArray[Scalar], orientation: str) -> NDArray[Scalar]:
    """Return a (…, z, y, x) array with the axes flipped from the patient's to an orientation's, or back."""
    z, y, x = (slice(None, None, sign) for sign in SIGNS[orientation])
    flipped: NDArray[Scalar] = array[..., z, y, x]
    return flipped


def own_grid(ct: CTVolume, frame: Frame) -> Grid | None:
    """Return the grid of a CT's own voxels; None if its slices are uneven or not above each other."""
    geometry = ct.geometry
    origins = geometry.plane_origins_uv_mm
    if not geometry.is_evenly_spaced or np.abs(origins - origins[0]).max() > SHEAR_TOLERANCE_MM:
        return None
    steps, counts = geometry.spacing_zyx_mm, geometry.shape_zyx
    first: Triple = (float(geometry.slice_positions_mm[0]), float(origins[0, 1]), float(origins[0, 0]))
    origin, spacing, shape = [], [], []
    for axis, sign in zip(frame.axes, frame.signs, strict=True):
        last = first[axis] + (counts[axis] - 1) * steps[axis]
        origin.append(first[axis] if sign > 0 else -last)
        spacing.append(steps[axis])
        shape.append(counts[axis])
    z, y, x = origin
    return Grid(frame, (z, y, x), (spacing[0], spacing[1], spacing[2]), (shape[0], shape[1], shape[2]))


def grid_of(axes: Axes, shape: Sequence[int], frame: Frame) -> Grid:
    """Return the grid of an array over z, y, x whose axes may run against the patient's."""
    ends = [f + (n - 1) * s for f, n, s in zip(axes.first_mm, shape, axes.step_mm, strict=True)]
    origin = [min(first, end) for first, end in zip(axes.first_mm, ends, strict=True)]
    spacing = [abs(step) for step in axes.step_mm]
    z, y, x = shape
    return Grid(
        frame, (origin[0], origin[1], origin[2]), (spacing[0], spacing[1], spacing[2]), (int(z), int(y), int(x))
    )


def flip_box(box: Box, shape_zyx: Sequence[int], orientation: str) -> Box:
    """Return the box of the same voxels in an array that is flipped (see `flip`)."""
    spans = zip(box.start_zyx, box.stop_zyx, shape_zyx, SIGNS[orientation], strict=True)
    pairs = [(a, b) if sign > 0 else (n - b, n - a) for a, b, n, sign in spans]
    return Box((pairs[0][0], pairs[1][0], pairs[2][0]), (pairs[0][1], pairs[1][1], pairs[2][1]))
