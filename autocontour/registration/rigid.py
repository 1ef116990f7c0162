"""Rigid registration of two CTs of a patient, with measures by which it can be judged.

Every shift of one CT against the other is tried first (normalized cross-correlation within both bodies, by Fourier
transforms: Padfield, IEEE Trans Image Process 2012;21:2706), so that no start value can lead to a neighbouring
vertebra; the best is then refined with rotations (SimpleITK, mutual information). What is outside the body has no
part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from autocontour.base.jobs import Job
from autocontour.registration.grid import AIR_HU, Floats, Grid, Mask, Samples, Scan, halved

LEAST_OVERLAP = 0.25
"""Fraction of the smaller body that two CTs must share."""
RIVAL_MM = 12.0
"""A shift along z by at least this much is another position: half a vertebra."""
NEAR = 0.1
"""A correlation less than this below the best one is compared again after refinement."""
BONE_HU = 200.0
SAMPLING = 0.2
TURNS = {
    "mirrored": (1, 1, -1),
    "head to feet": (-1, 1, 1),
    "front to back": (1, -1, 1),
    "turned about z": (1, -1, -1),
    "turned about x": (-1, -1, 1),
    "turned about y": (-1, 1, -1),
}
"""Name of a wrong orientation → signs along z, y, x."""


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rotation and shift: point of the earlier CT = matrix · point of the later CT + shift.

    Attributes
    ----------
    matrix
        (3, 3) rotation.
    shift_mm
        (3,) LPS.
    """

    matrix: Floats
    shift_mm: Floats

    @classmethod
    def identity(cls) -> Rigid:
        """Return the transform between CTs of one frame of reference."""
        return cls(np.eye(3), np.zeros(3))

    def pull(self, points: Floats) -> Floats:
        """Return the points of the earlier CT, (n, 3) LPS."""
        moved: Floats = points @ self.matrix.T + self.shift_mm
        return moved

    def push(self, points: Floats) -> Floats:
        """Return the points of the later CT for points of the earlier one."""
        moved: Floats = (points - self.shift_mm) @ self.matrix
        return moved

    @property
    def angle_deg(self) -> float:
        """The rotation's angle."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.matrix) - 1) / 2, -1, 1))))

    def to_json(self) -> dict[str, Any]:
        """Return the values as plain JSON values."""
        return {"matrix": self.matrix.round(9).tolist(), "shift_mm": self.shift_mm.round(4).tolist()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Rigid:
        """Return the transform from the output of `to_json`."""
        return cls(np.array(record["matrix"], dtype=np.float64), np.array(record["shift_mm"], dtype=np.float64))


@dataclass(frozen=True)
class Match:
    """How well two CTs match under a rigid transform.

    Attributes
    ----------
    correlation
        Normalized cross-correlation within the common body.
    body_dsc, bone_dsc
        DSC of the bodies and of the bones in the common part of the scans.
    overlap
        Common part over the smaller body.
    rival
        Correlation at the best position that differs by at least `RIVAL_MM` along z; refined as well where it was near.
    turned, turned_as
        The best correlation of a wrong orientation, refined where it was near, and its name in `TURNS`.
    """

    correlation: float
    body_dsc: float
    bone_dsc: float
    overlap: float
    rival: float
    turned: float
    turned_as: str


def register_rigid(later: Scan, earlier: Scan) -> tuple[Rigid, Match]:
    """Register two CTs on grids of one spacing (about 4 mm)."""
    coarse = halved(later), halved(earlier)
    best, rival = _best_shifts(*coarse)
    rigid = _refine(later, earlier, best.rigid)
    measured = measure_match(later, earlier, rigid)
    turns = {name: _best_shifts(coarse[0], turn(coarse[1], name))[0] for name in TURNS}
    name = max(turns, key=lambda one: turns[one].correlation)
    turned = turns[name].correlation
    if turned > best.correlation - NEAR:
        # A shift by whole voxels of the coarse grid fits one of them better by chance.
        other = turn(earlier, name)
        turned = measure_match(later, other, _refine(later, other, turns[name].rigid))[0]
    second = rival.correlation
    if second > best.correlation - NEAR:
        found = _refine(later, earlier, rival.rigid)
        is_same = _apart_mm(later, rigid, found) < RIVAL_MM / 2
        second = -1.0 if is_same else measure_match(later, earlier, found)[0]
    return rigid, Match(*measured, second, turned, name)


def _apart_mm(later: Scan, first: Rigid, second: Rigid) -> float:
    """Return the mean distance between where two transforms take the body."""
    points = later.grid.points()[later.body.ravel()][::53]
    return float(np.linalg.norm(first.pull(points) - second.pull(points), axis=1).mean()) if len(points) else 0.0


def measure_match(later: Scan, earlier: Scan, rigid: Rigid) -> tuple[float, float, float, float]:
    """Return correlation, DSC of the bodies and of the bones, and overlap under a transform."""
    hu, body, scanned = move_scan(earlier, rigid, later.grid)
    both = later.scanned & scanned
    mine, yours = later.body & both, body & both
    common = mine & yours
    smaller = min(np.count_nonzero(later.body), np.count_nonzero(earlier.body))
    if not common.any() or not smaller:
        return 0.0, 0.0, 0.0, 0.0
    bones = (later.hu > BONE_HU) & mine, (hu > BONE_HU) & yours
    a, b = (_shown(values[common]) for values in (later.hu, hu))
    spread = float(a.std() * b.std())
    correlation = float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread else 0.0
    return correlation, _dsc(mine, yours), _dsc(*bones), np.count_nonzero(common) / smaller


def move_scan(earlier: Scan, rigid: Rigid, grid: Grid) -> tuple[Samples, Mask, Mask]:
    """Return HU, body and scanned region of the earlier CT on a grid of the later one."""
    index = earlier.grid.index_of(rigid.pull(grid.points()))

    def sampled(values: NDArray[Any], outside: float) -> Samples:
        whole = ndimage.map_coordinates(values, index, np.float32, order=1, mode="constant", cval=outside)
        moved: Samples = whole.reshape(grid.shape_zyx)
        return moved

    body, scanned = (sampled(mask.view(np.uint8), 0.0) >= 0.5 for mask in (earlier.body, earlier.scanned))
    return sampled(earlier.hu, AIR_HU), body, scanned


def turn(scan: Scan, name: str) -> Scan:
    """Return the scan with axes reversed as in `TURNS`, on the same grid."""
    steps = tuple(slice(None, None, sign) for sign in TURNS[name])
    return Scan(scan.grid, scan.hu[steps], scan.body[steps], scan.scanned[steps])


def _dsc(a: Mask, b: Mask) -> float:
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 0.0


def _shown(hu: Samples) -> Samples:
    """Compress HU so that soft tissue, air and bone all count."""
    return np.interp(hu, (-1000.0, -200.0, 200.0, 1200.0), (0.0, 0.3, 0.7, 1.0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Shift:
    rigid: Rigid
    correlation: float


def _best_shifts(later: Scan, earlier: Scan) -> tuple[_Shift, _Shift]:
    """Return the shift with the highest correlation, and the one with the highest at another height."""
    values, overlap = _correlations(later, earlier)
    smaller = min(np.count_nonzero(later.body), np.count_nonzero(earlier.body))
    values[overlap < LEAST_OVERLAP * smaller] = -1.0
    best = np.unravel_index(int(values.argmax()), values.shape)
    heights = np.arange(values.shape[0])
    distance = np.minimum((heights - best[0]) % len(heights), (best[0] - heights) % len(heights))
    elsewhere = values.copy()
    elsewhere[distance < RIVAL_MM / later.grid.spacing_mm] = -1.0
    second = np.unravel_index(int(elsewhere.argmax()), values.shape)

    def shift(at: tuple[np.intp, ...], correlation: float) -> _Shift:
        # Index n is a shift of the earlier grid by n against the later one; the second half is negative: a point at
        # index i of the later grid is at index i − n of the earlier one.
        steps = np.array([n if n < size // 2 else n - size for n, size in zip(at, values.shape, strict=True)])
        moved = earlier.grid.origin_lps_mm - later.grid.origin_lps_mm - steps[::-1] * later.grid.spacing_mm
        return _Shift(Rigid(np.eye(3), moved), correlation)

    return shift(best, float(values[best])), shift(second, float(elsewhere[second]))


def _correlations(later: Scan, earlier: Scan) -> tuple[Samples, Samples]:
    """Return the masked normalized cross-correlation for every shift, and the number of common points."""
    shape = [fft.next_fast_len(a + b - 1, real=True) for a, b in zip(later.hu.shape, earlier.hu.shape, strict=True)]
    spectra = []
    for scan in (later, earlier):
        level = _shown(scan.hu)
        level = np.where(scan.body, level - level[scan.body].mean() if scan.body.any() else 0.0, 0.0)
        spectra.append([fft.rfftn(part, shape) for part in (scan.body.astype(np.float32), level, level * level)])
    (mask_a, a, a2), (mask_b, b, b2) = spectra

    def correlate(p: NDArray[np.complex64], q: NDArray[np.complex64]) -> Samples:
        return np.asarray(fft.irfftn(p * np.conj(q), shape), np.float32)

    count = np.maximum(np.rint(correlate(mask_a, mask_b)), 1.0)
    sum_a, sum_b = correlate(a, mask_b), correlate(mask_a, b)
    top = correlate(a, b) - sum_a * sum_b / count
    below = (correlate(a2, mask_b) - sum_a**2 / count) * (correlate(mask_a, b2) - sum_b**2 / count)
    root = np.sqrt(np.maximum(below, 0.0))
    return np.where(root > 1e-3 * root.max(), top / np.maximum(root, 1e-6), -1.0).clip(-1, 1), count


def _refine(later: Scan, earlier: Scan, start: Rigid) -> Rigid:
    sitk = itk()
    fixed, moving = (to_itk(_shown(scan.hu), scan.grid) for scan in (later, earlier))
    body = to_itk(ndimage.binary_dilation(later.body, iterations=2).astype(np.uint8), later.grid)
    centers = np.argwhere(later.body).mean(axis=0) if later.body.any() else np.zeros(3)
    center = later.grid.origin_lps_mm + centers[::-1] * later.grid.spacing_mm
    transform = sitk.Euler3DTransform()
    transform.SetCenter(center.tolist())
    transform.SetTranslation(start.shift_mm.tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(48)
    method.SetMetricFixedMask(body)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLING, seed=7)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 120, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1.0, 0.0])
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # all samples lie outside the other scan
        return start
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    shift = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    return Rigid(matrix, shift)


def itk() -> Any:  # noqa: ANN401  (SimpleITK has no types)
    """Return the module SimpleITK, which takes a while to import."""
    import SimpleITK as sitk

    return sitk


def run_itk(method: Any, job: Job, stop: Callable[[], object], *images: Any) -> Any:  # noqa: ANN401
    """Run a SimpleITK filter or registration so that a cancelled job ends it within one iteration.

    Parameters
    ----------
    method
        Has ``Execute`` and iteration events.
    job
        May cancel.
    stop
        Ends `method` early.
    images
        Arguments of ``Execute``.

    Raises
    ------
    Cancelled
        If the job was cancelled.
    """

    def check() -> None:
        # An exception must not pass through ITK, which would report it as an error of its own.
        if job.is_cancelled:
            stop()

    job.raise_if_cancelled()
    method.AddCommand(itk().sitkIterationEvent, check)
    try:
        return method.Execute(*images)
    finally:
        job.raise_if_cancelled()  # a filter that was ended raises an error of its own


def to_itk(values: NDArray[Any], grid: Grid) -> Any:  # noqa: ANN401  (SimpleITK has no types)
    """Return values on a grid as a SimpleITK image."""
    sitk = itk()
    image = sitk.GetImageFromArray(values)
    image.SetOrigin([float(value) for value in grid.origin_lps_mm])
    image.SetSpacing([grid.spacing_mm] * 3)
    return image
