"""Lungs, canal and External against clinical contours on real planning CTs."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct import read_structure_set
from autocontour.rules import draw_structures

CLINICAL = {
    "lung1-001": {"Lung-Left": "Lung_L", "Lung-Right": "Lung_R", "Spinal-Cord": "SpinalCanal"},
    "lung1-002": {"Lung L": "Lung_L", "Lung R": "Lung_R", "Spinal cord": "SpinalCanal", "Patient": "External"},
    "pancreas-ct-cb-001": {"LUNG_L": "Lung_L", "LUNG_R": "Lung_R"},
}
NAMES = ("External", "Lung_L", "Lung_R", "Trachea", "SpinalCanal")


@pytest.fixture(scope="module", params=list(CLINICAL))
def case(request, dicom_data):
    folder = dicom_data / request.param
    ct = read_ct(planning_cts(scan_folder(folder / "ct", Job()))[0], Job())
    return request.param, ct, draw_structures(ct, NAMES, Job()), read_structure_set(folder / "rtstruct.dcm", ct)


def dsc_where_drawn(contours, clinical):
    """DSC of areas over the slices that have a clinical contour."""
    shared = sum(contours[k].intersection(shapely.make_valid(c)).area for k, c in clinical.items() if k in contours)
    return 2 * shared / sum((contours[k].area if k in contours else 0) + c.area for k, c in clinical.items())


def test_structures_agree_with_clinical_contours(case):
    name, _, drawn, clinical = case
    consolidated = name == "lung1-002"
    for theirs, ours in CLINICAL[name].items():
        if ours == "SpinalCanal":
            continue
        least = 0.99 if ours == "External" else 0.92 if consolidated else 0.96
        assert dsc_where_drawn(drawn[ours].contours, clinical[theirs].contours) >= least, ours


def test_canal_holds_the_clinical_cord(case):
    name, _, drawn, clinical = case
    for theirs in [theirs for theirs, ours in CLINICAL[name].items() if ours == "SpinalCanal"]:
        canal, cord = drawn["SpinalCanal"].contours, clinical[theirs].contours
        inside = sum(shapely.make_valid(c).intersection(canal[k]).area for k, c in cord.items())
        assert inside >= 0.93 * sum(c.area for c in cord.values())


def test_trachea_only_where_it_is(case):
    name, _, drawn, _ = case
    assert ("Trachea" in drawn) == name.startswith("lung1")


def test_a_thigh_has_neither_lungs_nor_windpipe_nor_spine(dicom_data):
    folder = dicom_data / "odd" / "ffs-sts" / "image"
    drawn = draw_structures(read_ct(planning_cts(scan_folder(folder, Job()))[0], Job()), (*NAMES, "Bone"), Job())
    assert set(drawn) == {"External", "Bone"}
    assert "AC-RU-002" in {finding.code for finding in drawn["External"].findings}


@pytest.mark.parametrize("patient", ["pt_201", "pt_214", "pt_230"])
def test_heads_with_shoulders(shared_data, patient):
    """The canal holds the clinical cord also at 3.9 mm pixels; lungs are apices and windpipes are no part of them."""
    with np.load(shared_data / "openkbp" / "val" / f"{patient}.npz") as arrays:
        hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, tuple(map(float, spacing))))
    drawn = draw_structures(ct, NAMES, Job())
    assert set(drawn) == set(NAMES)
    assert max(drawn["Lung_R"].contours) < min(60, max(drawn["Trachea"].contours) + 1)
    cord = np.argwhere(labels & 2)
    hits = [k for k in drawn["SpinalCanal"].contours if (cord[:, 0] == k).any()]
    middles = {k: cord[cord[:, 0] == k][:, :0:-1].mean(axis=0) * spacing[:0:-1] for k in hits}
    inside = [drawn["SpinalCanal"].contours[k].buffer(2).contains(shapely.Point(middles[k])) for k in hits]
    assert not hits or np.mean(inside) > 0.9
