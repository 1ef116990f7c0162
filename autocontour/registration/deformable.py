"""Deformable registration of two CTs after the rigid one, with its Jacobian and its inverse consistency.

Symmetric-forces demons (Vercauteren et al., NeuroImage 2009;45:S61) on compressed HU in three resolutions, the
displacement smoothed by a Gaussian. It is run in both directions: where there and back does not come out at the same
point, the registration is not to be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.registration.grid import Floats, Grid, Mask, Samples, Scan
from autocontour.registration.rigid import Rigid, itk, move_scan, run_itk, to_itk

LEVELS = ((4, 60), (2, 40), (1, 20))
"""Shrink factor and iterations of each resolution."""
SMOOTHING_MM, LEAST_SMOOTHING_VOXELS = 7.5, 1.2
INVERSE_STEPS = 30


@dataclass(frozen=True, eq=False)
class Deformation:
    """A rigid transform and a displacement: takes points of the later CT to the earlier one.

    Attributes
    ----------
    rigid
        Applied after the displacement.
    grid
        Of the displacement, in the later CT.
    displacement_mm
        (z, y, x, 3) LPS.
    inconsistency_mm
        (z, y, x) how far there and back misses the point.
    difference, slope
        (z, y, x) mean squares over 8 mm: of the difference of the compressed HU after registration, and of their
        gradient per mm. Root of their quotient: by how many mm a surface may still be off.
    measured
        (z, y, x) where both CTs were scanned.
    """

    rigid: Rigid
    grid: Grid
    displacement_mm: Samples
    inconsistency_mm: Samples = field(repr=False)
    difference: Samples = field(repr=False)
    slope: Samples = field(repr=False)
    measured: Mask = field(repr=False)

    def pull(self, points: Floats) -> Floats:
        """Return the points of the earlier CT, (n, 3) LPS."""
        return self.rigid.pull(points + self._at(self.displacement_mm, points))

    def push(self, points: Floats) -> Floats:
        """Return the points of the later CT for points of the earlier one, by iteration."""
        goal = self.rigid.push(points)
        found = goal.copy()
        for _ in range(INVERSE_STEPS):
            found = goal - self._at(self.displacement_mm, found)
        return found

    def values_at(self, values: Samples, points: Floats) -> Floats:
        """Return values on the grid at points of the later CT."""
        return self._at(values[..., None], points)[:, 0]

    def _at(self, values: Samples, points: Floats) -> Floats:
        index = self.grid.index_of(points)
        columns = [
            ndimage.map_coordinates(values[..., axis], index, np.float64, order=1, mode="nearest")
            for axis in range(values.shape[-1])
        ]
        return np.stack(columns, axis=1)

    @cached_property
    def jacobian(self) -> Samples:
        """(z, y, x) determinant of the Jacobian, volume in the earlier CT over the later; ≤ 0 where it folds."""
        slopes = np.empty((*self.grid.shape_zyx, 3, 3), np.float32)
        for axis in range(3):
            for along in range(3):
                part = np.gradient(self.displacement_mm[..., axis], self.grid.spacing_mm, axis=2 - along)
                slopes[..., axis, along] = part
        slopes += np.eye(3, dtype=np.float32)
        determinant: Samples = np.linalg.det(slopes)
        return determinant


def register_deformable(later: Scan, earlier: Scan, rigid: Rigid, job: Job | None = None) -> Deformation:
    """Register two CTs on grids of one spacing (about 3 mm) that are roughly aligned by `rigid`."""
    job = job or Job()
    hu, _, scanned = move_scan(earlier, rigid, later.grid)
    both = later.scanned & scanned
    fixed, moving = compress(later.hu), compress(hu)
    # Where one of them was not scanned nothing pulls.
    fixed, moving = np.where(both, fixed, 0.0).astype(np.float32), np.where(both, moving, 0.0).astype(np.float32)
    job.advance("deforming", 0.0)
    there = _demons(fixed, moving, later.grid, job)
    job.advance("deforming", 0.5)
    back = _demons(moving, fixed, later.grid, job)
    job.advance("deforming", 1.0)
    missed = there + _moved(back, there, later.grid)
    after = _moved(moving[..., None], there, later.grid)[..., 0]
    spacing = later.grid.spacing_mm
    steepness = np.sum(np.square(np.gradient(fixed, spacing)), axis=0)
    difference, slope = (ndimage.gaussian_filter(part, 8.0 / spacing) for part in ((after - fixed) ** 2, steepness))
    inconsistency = np.linalg.norm(missed, axis=-1).astype(np.float32)
    return Deformation(rigid, later.grid, there, inconsistency, difference, slope.astype(np.float32), both)


def compress(hu: Samples) -> Samples:
    """Return HU from 0 to 1, with most of the range for soft tissue."""
    return np.interp(hu, (-1000.0, -200.0, 200.0, 1200.0), (0.0, 0.3, 0.7, 1.0)).astype(np.float32)


def _demons(fixed: Samples, moving: Samples, grid: Grid, job: Job) -> Samples:
    """Return the displacement (z, y, x, 3) by which `moving` is sampled to look like `fixed`."""
    sitk = itk()
    whole = to_itk(fixed, grid), to_itk(moving, grid)
    displacement: Any = None
    for factor, iterations in LEVELS:
        pair = [_shrunk(image, factor, grid.spacing_mm) for image in whole]
        demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetStandardDeviations(max(LEAST_SMOOTHING_VOXELS, SMOOTHING_MM / grid.spacing_mm))
        demons.SetSmoothDisplacementField(True)
        start = [] if displacement is None else [sitk.Resample(displacement, pair[0])]
        displacement = run_itk(demons, job, demons.Abort, *pair, *start)
    return np.asarray(sitk.GetArrayFromImage(sitk.Resample(displacement, whole[0])), np.float32)


def _shrunk(image: Any, factor: int, spacing_mm: float) -> Any:  # noqa: ANN401  (SimpleITK has no types)
    sitk = itk()
    if factor == 1:
        return image
    factors = [min(factor, max(1, size // 8)) for size in image.GetSize()]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, 0.5 * factor * spacing_mm), factors)


def _moved(values: NDArray[np.float32], displacement: Samples, grid: Grid) -> Samples:
    """Return values on the grid (z, y, x, n) at the displaced points."""
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in grid.shape_zyx), indexing="ij"))
    index += np.moveaxis(displacement[..., ::-1], -1, 0) / np.float32(grid.spacing_mm)
    parts = [
        ndimage.map_coordinates(values[..., part], index, np.float32, order=1, mode="nearest")
        for part in range(values.shape[-1])
    ]
    return np.stack(parts, axis=-1)
