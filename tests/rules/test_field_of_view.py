"""Structures cut by the field of view, square or round: right as far as it reaches, and reported."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom
from autocontour.rules import NAMES, draw_structures

SIZE = 65


def cut_field(ct, corner, size, padding_hu, *, is_round):
    """Cut a square out of a CT, and pad it outside the inscribed circle."""
    rows, columns = (slice(start, start + size) for start in corner)
    hu = np.array(ct.hu[:, rows, columns])
    middle = (size - 1) / 2
    y, x = np.ogrid[:size, :size]
    outside = np.hypot(y - middle, x - middle) > size / 2 if is_round else np.zeros((size, size), np.bool_)
    hu[:, outside] = padding_hu
    geometry = VolumeGeometry.regular(hu.shape, ct.geometry.spacing_zyx_mm)
    return CTVolume(hu, geometry), np.s_[:, rows, columns], ~outside


@pytest.fixture(scope="module")
def phantom():
    return build_phantom("thorax", spacing_zyx_mm=(4.0, 4.0, 4.0), shape_zyx=(70, 92, 120))


@pytest.mark.parametrize("padding_hu", [-1024, -3024])
@pytest.mark.parametrize("is_round", [False, True])
def test_case_05_lungs_and_external_cut_by_the_field_of_view(phantom, dsc, is_round, padding_hu):
    whole = CTVolume(phantom.hu, phantom.geometry)
    ct, box, field = cut_field(whole, (14, 27), SIZE, padding_hu, is_round=is_round)
    drawn = draw_structures(ct, NAMES, Job())
    for name in ("External", "Lung_L", "Lung_R"):
        right = mask_from_contours(phantom.truth[name], phantom.geometry)[box] & field
        assert dsc(mask_from_contours(drawn[name].contours, ct.geometry), right) > 0.95, name
        codes = {finding.code for finding in drawn[name].findings}
        assert ("AC-RU-002" if name == "External" else "AC-RU-011") in codes, name


@pytest.mark.parametrize("is_round", [False, True])
def test_a_real_thorax_in_a_small_field(dicom_data, is_round):
    from autocontour.dicom import planning_cts, read_ct, scan_folder

    whole = read_ct(planning_cts(scan_folder(dicom_data / "lung1-001" / "ct", Job()))[0], Job())
    right = draw_structures(whole, NAMES, Job())
    ct, _, _ = cut_field(whole, (126, 126), 260, -1024, is_round=is_round)
    cut = draw_structures(ct, NAMES, Job())
    _, row_mm, column_mm = whole.geometry.spacing_zyx_mm
    (u, v), (u0, v0) = whole.geometry.plane_origins_uv_mm[0], ct.geometry.plane_origins_uv_mm[0]
    shift = (u0 - u - 126 * column_mm, v0 - v - 126 * row_mm)
    field = shapely.box(u0, v0, u0 + 259 * column_mm, v0 + 259 * row_mm)
    field = field.centroid.buffer(130 * row_mm) if is_round else field
    for name in ("External", "Lung_L", "Lung_R", "SpinalCanal", "Trachea"):
        moved = {k: shapely.affinity.translate(multi, *shift) for k, multi in right[name].contours.items()}
        inside = {k: multi.intersection(field) for k, multi in moved.items()}
        both = sum(multi.intersection(inside[k]).area for k, multi in cut[name].contours.items() if k in inside)
        areas = sum(multi.area for multi in (*inside.values(), *cut[name].contours.values()))
        assert 2 * both / areas > 0.98, name


def test_a_patient_larger_than_any_is_not_drawn(thorax):
    """A pixel spacing ten times too large."""
    ct = CTVolume(thorax.hu, VolumeGeometry.regular(thorax.hu.shape, (3.0, 30.0, 30.0)))
    reasons = []
    assert not draw_structures(ct, NAMES, Job(), on_finding=reasons.append)
    assert {finding.code for finding in reasons} == {"AC-RU-012"}


def test_an_external_without_air_around_it_is_reported(thorax):
    hu = np.where(thorax.hu < -900, 0, thorax.hu).astype(np.int16)
    external = draw_structures(CTVolume(hu, thorax.ct().geometry), ["External"], Job())["External"]
    assert "AC-RU-013" in {finding.code for finding in external.findings}
