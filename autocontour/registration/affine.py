"""Affine registration of CTs of two patients, for atlases; between CTs of one patient a rigid one is enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.registration.grid import Floats, Scan, halved
from autocontour.registration.rigid import Rigid, _best_shifts, _shown, itk, run_itk, to_itk

LARGEST_SCALE = 1.5
SAMPLING = 0.15
ITERATIONS = 80


@dataclass(frozen=True, eq=False)
class Affine(Rigid):
    """A linear map and shift: point of the atlas = matrix · point of the patient + shift."""

    def push(self, points: Floats) -> Floats:
        """Return the points of the patient for points of the atlas."""
        moved: Floats = (points - self.shift_mm) @ np.linalg.inv(self.matrix).T
        return moved


def find_shift(patient: Scan, atlas: Scan) -> tuple[Floats, float]:
    """Return the shift of the highest correlation, on a grid of twice the spacing, and that correlation."""
    best, _ = _best_shifts(halved(patient), halved(atlas))
    return best.rigid.shift_mm, best.correlation


def register_affine(patient: Scan, atlas: Scan, shift: Floats, job: Job | None = None) -> Affine:
    """Register an atlas with a patient, from a shift; the shift alone if the result is not an anatomy.

    Mattes' mutual information within the patient's body (SimpleITK). A map that mirrors, or scales by more than
    `LARGEST_SCALE`, is not used.
    """
    sitk = itk()
    fixed, moving = (to_itk(_shown(scan.hu), scan.grid) for scan in (patient, atlas))
    start = Affine(np.eye(3), shift)
    if not patient.body.any():
        return start
    body = to_itk(ndimage.binary_dilation(patient.body, iterations=2).astype(np.uint8), patient.grid)
    center = patient.grid.origin_lps_mm + np.argwhere(patient.body).mean(axis=0)[::-1] * patient.grid.spacing_mm
    transform = sitk.AffineTransform(3)
    transform.SetCenter(center.tolist())
    transform.SetTranslation(shift.tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(body)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLING, seed=7)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, ITERATIONS, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([2.0, 1.0])
    try:
        run_itk(method, job or Job(), method.StopRegistration, fixed, moving)
    except RuntimeError:  # all samples lie outside the atlas
        return start
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    scales = np.linalg.svd(matrix, compute_uv=False)
    if np.linalg.det(matrix) <= 0 or scales.max() > LARGEST_SCALE or scales.min() < 1 / LARGEST_SCALE:
        return start
    return Affine(matrix, np.array(transform.TransformPoint((0.0, 0.0, 0.0))))
