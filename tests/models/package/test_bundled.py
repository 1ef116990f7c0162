"""The packages that come with the program: sound, small, free to use, and of use."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.jobs import Job
from autocontour.contouring import mask_from_contours
from autocontour.models import find_package, segment_structures
from autocontour.models.package.library import BUNDLED
from autocontour.models.package.package import read_package, verify_package
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom

pytestmark = pytest.mark.slow
FOLDERS = sorted(path for path in BUNDLED.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))
PHANTOM = {"spacing_zyx_mm": (3.0, 3.0, 3.0), "shape_zyx": (110, 134, 190)}
ON_PHANTOM = ("Brainstem", "SpinalCord", "Parotid_L", "Parotid_R", "Bone_Mandible")


def dsc(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def package():
    return find_package("head-and-neck")


@pytest.fixture(scope="module")
def phantom():
    return build_phantom("head-neck", 3, **PHANTOM)


@pytest.fixture(scope="module")
def drawn(package, phantom):
    return segment_structures(CTVolume(phantom.hu, phantom.geometry), package, device="cpu")


def test_there_is_one():
    assert "head-and-neck" in [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_package_is_sound_small_and_free(folder):
    package = read_package(folder, bundled=True)
    verify_package(package)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20_000_000
    assert package.license
    assert "NC" not in package.license
    for name in package.structures:
        term = find_term(name)
        assert term.known or term.interpreted_type == "PTV"
    for field in ("task", "description", "authors", "data_source", "intended_use", "network_data_format", "training"):
        assert package.metadata[field]


@pytest.mark.parametrize("name", ON_PHANTOM)
def test_draws_the_phantoms_organs(drawn, phantom, name):
    mask = mask_from_contours(drawn.drawings[name].contours, phantom.geometry)
    truth = mask_from_contours(phantom.truth[name], phantom.geometry)
    assert dsc(mask, truth) > 0.5


def test_feet_first_prone_is_the_same_patient(package, drawn, phantom):
    """The same voxels stored from the feet and from the back."""
    geometry = phantom.geometry
    last_row = (geometry.rows - 1) * geometry.pixel_spacing_vu_mm[0] * geometry.direction[:, 1]
    turned = VolumeGeometry(
        geometry.rows,
        geometry.columns,
        geometry.pixel_spacing_vu_mm,
        geometry.direction * [1, -1, -1],
        geometry.slice_origins_lps_mm[::-1] + last_row,
    )
    found = segment_structures(CTVolume(phantom.hu[::-1, ::-1].copy(), turned), package, device="cpu")
    for name in ON_PHANTOM:
        mask = mask_from_contours(found.drawings[name].contours, turned)[::-1, ::-1]
        assert dsc(mask, mask_from_contours(drawn.drawings[name].contours, geometry)) > 0.98


def test_scan_that_ends_mid_neck(package, phantom):
    places = [k for name in ("Parotid_L", "Bone_Mandible") for k in phantom.truth[name]]
    box = Box((min(places), 0, 0), (len(phantom.hu), *phantom.hu.shape[1:]))
    ct = CTVolume(phantom.hu[box.slices].copy(), phantom.geometry.cropped(box))
    found = segment_structures(ct, package, device="cpu")
    assert {"Brainstem", "Parotid_L", "Parotid_R", "Bone_Mandible"} <= set(found.drawings)
    assert "AC-MD-102" in [finding.code for finding in found.drawings["SpinalCord"].findings]


def test_thorax_phantom_is_another_site(package):
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(4.0, 4.0, 4.0), shape_zyx=(96, 100, 130))
    found = segment_structures(CTVolume(phantom.hu, phantom.geometry), package, device="cpu")
    assert not found.drawings
    assert [finding.code for finding in found.findings] == ["AC-MD-108"]


@pytest.mark.parametrize("series", ["lung1-001/ct", "pancreas-ct-cb-001/ct"])
def test_real_scan_of_another_site(package, dicom_data, series):
    from autocontour.dicom import planning_cts, read_ct, scan_folder

    ct = read_ct(planning_cts(scan_folder(dicom_data / series, Job()))[0], Job())
    found = segment_structures(ct, package, device="cpu")
    assert not found.drawings
    assert [finding.code for finding in found.findings] == ["AC-MD-108"]


def test_whole_ct_of_a_patient_kept_out_of_training(package, shared_data):
    """A repacked patient brought back to 512 × 512 voxels on a couch."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "whole_ct.py"
    spec = importlib.util.spec_from_file_location("whole_ct", path)
    whole_ct = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(whole_ct)
    patient = "pt_106"
    assert patient in package.metadata["training"]["validation_patients"]
    index = json.loads((shared_data / "openkbp" / "index.json").read_text())
    record = next(one for one in index["patients"] if one["patient"] == patient)
    ct, labels, spacing = whole_ct.build_whole_ct(
        shared_data / "openkbp" / "train" / f"{patient}.npz", whole_ct.solid_box(record)
    )
    found = segment_structures(ct, package, device="cpu")
    nearest = np.round(ct.geometry.slice_positions_mm / spacing[0]).astype(int)
    for name in ("Parotid_L", "Parotid_R", "Bone_Mandible", "SpinalCord"):
        bit = index["structures_by_bit"].index(name)
        truth = (labels[nearest] >> bit & 1).astype(bool).repeat(4, axis=1).repeat(4, axis=2)
        assert dsc(mask_from_contours(found.drawings[name].contours, ct.geometry), truth) > 0.65
