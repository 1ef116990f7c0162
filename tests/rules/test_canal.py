"""A spinal canal is drawn where a spine is, to its ends, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules import NAMES, draw_structures

LIMBS = ("sts-009", "sts-016", "sts-019", "sts-028", "sts-034", "sts-037", "sts-044")


def draw_canal(ct):
    reasons = []
    drawn = draw_structures(ct, ["SpinalCanal"], Job(), on_finding=reasons.append)
    return drawn.get("SpinalCanal"), reasons


def codes_of(findings):
    return {finding.code for finding in findings}


@pytest.mark.parametrize("patient", LIMBS)
def test_a_limb_has_no_spinal_canal(dicom_data, patient):
    ct = read_ct(planning_cts(scan_folder(dicom_data / "limbs" / patient, Job()))[0], Job())
    drawn = draw_structures(ct, NAMES, Job())
    assert set(drawn) <= {"External", "Bone"} | ({"Lungs"} if patient == "sts-037" else set())


@pytest.mark.parametrize("marrow_hu", [-60, 35])
def test_the_marrow_of_a_long_bone_is_not_a_canal(marrow_hu):
    y, x = np.ogrid[:80, :80]
    away_mm = np.hypot(y - 40, x - 40) * 2.5
    plane = np.select([away_mm < 8, away_mm < 15, away_mm < 75], [marrow_hu, 1100, 50], -1000)
    hu = np.broadcast_to(plane.astype(np.int16), (60, 80, 80)).copy()
    canal, reasons = draw_canal(CTVolume(hu, VolumeGeometry.regular(hu.shape, (3.0, 2.5, 2.5))))
    assert canal is None
    assert codes_of(reasons) == {"AC-RU-007"}


def test_canal_reaches_the_ends_of_an_osteoporotic_spine(dicom_data):
    """The lowest vertebrae of this scan have a thin shell and dark marrow."""
    ct = read_ct(planning_cts(scan_folder(dicom_data / "lung1-001" / "ct", Job()))[0], Job())
    canal, _ = draw_canal(ct)
    assert set(canal.contours) == set(range(len(ct.hu)))
    assert not canal.findings
    lumbar_mm2 = [canal.contours[k].area for k in range(30)]
    assert max(lumbar_mm2) < 480, "no part of a vertebral body"
    assert min(lumbar_mm2) > 200


def test_a_canal_that_ends_inside_the_scan_is_reported(thorax):
    hu = thorax.hu.copy()
    hu[:25][(thorax.hu[:25] > 70)] = 45  # no bone in the lowest 25 slices
    canal, _ = draw_canal(CTVolume(hu, thorax.ct().geometry))
    (ends,) = (finding for finding in canal.findings if finding.code == "AC-RU-008")
    assert set(range(18)) <= set(ends.slices) <= set(range(26))
    assert min(canal.contours) > max(ends.slices)


def test_a_canal_under_a_skull_ends_without_a_finding(shared_data):
    with np.load(shared_data / "openkbp" / "val" / "pt_230.npz") as arrays:
        hu, spacing = arrays["hu"], arrays["spacing_zyx_mm"]
    canal, _ = draw_canal(CTVolume(hu, VolumeGeometry.regular(hu.shape, tuple(map(float, spacing)))))
    assert 105 < max(canal.contours) < 113, "the foramen magnum"
    assert not canal.findings
