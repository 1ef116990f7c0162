"""A trachea is drawn where its surroundings show that it is one."""

from __future__ import annotations

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rules import draw_structures


def draw_trachea(hu, spacing_zyx_mm):
    reasons = []
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, tuple(map(float, spacing_zyx_mm))))
    drawn = draw_structures(ct, ["Trachea"], Job(), on_finding=reasons.append)
    return drawn.get("Trachea"), {finding.code for finding in reasons}


@pytest.fixture(scope="module")
def chest(dicom_data):
    """A thorax whose carina is at slice 85."""
    ct = read_ct(planning_cts(scan_folder(dicom_data / "lung1-001" / "ct", Job()))[0], Job())
    return ct.hu, ct.geometry.spacing_zyx_mm


@pytest.mark.parametrize("top", [80, 84, 87, 90])
def test_case_06_a_bronchus_is_not_the_trachea(chest, top):
    hu, spacing = chest
    trachea, reasons = draw_trachea(np.ascontiguousarray(hu[:top]), spacing)
    assert trachea is None
    assert reasons == {"AC-RU-010"}


def test_a_trachea_cut_by_the_top_of_the_scan_is_drawn_down_to_the_carina(chest):
    hu, spacing = chest
    trachea, _ = draw_trachea(np.ascontiguousarray(hu[:100]), spacing)
    assert (min(trachea.contours), max(trachea.contours)) == (85, 99)


@pytest.mark.parametrize("count", [2, 3])
def test_thick_slices_do_not_lead_past_the_carina(chest, count):
    hu, (z, y, x) = chest
    kept = len(hu) // count * count
    thick = hu[:kept].reshape(-1, count, *hu.shape[1:]).mean(axis=1).astype(np.int16)
    trachea, _ = draw_trachea(thick, (z * count, y, x))
    assert abs(min(trachea.contours) * count - 85) <= count
    assert abs(max(trachea.contours) * count - 113) <= count


@pytest.mark.parametrize("below_skull_mm", [20, 50, 80])
def test_mouth_pharynx_and_sinuses_are_not_the_trachea(shared_data, below_skull_mm):
    """Heads whose scan begins above the larynx."""
    foramen = {"pt_201": 95, "pt_214": 88, "pt_230": 110}  # slice of the foramen magnum
    for patient, top in foramen.items():
        with np.load(shared_data / "openkbp" / "val" / f"{patient}.npz") as arrays:
            hu, spacing = arrays["hu"], arrays["spacing_zyx_mm"]
        start = top - round(below_skull_mm / float(spacing[0]))
        trachea, _ = draw_trachea(np.ascontiguousarray(hu[start:]), spacing)
        assert trachea is None
