"""Real planning CTs and the structure sets that clinics drew on them."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from pydicom import dcmread

from autocontour.base.errors import StructureSetError
from autocontour.base.jobs import Job
from autocontour.contouring import contours_from_mask, volume_cc
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import scan_folder
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Structure, StructureSet
from autocontour.rtstruct import append_structures, check_structure_set, read_structure_set, write_structure_set

# What dciodvfy says of values that are copied unchanged from the CT: a name without ^, an empty Study ID, and the
# coding scheme in which a publisher named its de-identification.
NAME, STUDY_ID, SCHEME = "Retired Person Name form", "Study ID", "Coding Scheme Designator"
SETS = {
    "lung1-001": ("lung1-001/ct", "lung1-001/rtstruct.dcm", {NAME, STUDY_ID}),
    "lung1-002": ("lung1-002/ct", "lung1-002/rtstruct.dcm", {NAME, STUDY_ID, SCHEME}),
    "pancreas-ct-cb-001": ("pancreas-ct-cb-001/ct", "pancreas-ct-cb-001/rtstruct.dcm", {NAME, STUDY_ID}),
    "rtkit-phantom": ("rtkit-phantom", "rtkit-phantom/RS*.dcm", {STUDY_ID}),
}


@pytest.fixture(scope="module", params=SETS)
def case(request, dicom_data):
    folder, structure_set, copied = SETS[request.param]
    series = max(scan_folder(dicom_data / folder, Job()), key=lambda one: (one.modality == "CT", len(one)))
    (path,) = dicom_data.glob(structure_set)
    return read_ct(series, Job()), path, copied


def drawn(ct) -> StructureSet:
    """Make a shell with a ball in it, a voxel and a straw in the middle of the scan."""
    z, y, x = (axis - size // 2 for axis, size in zip(np.indices(ct.hu.shape, np.float32), ct.hu.shape, strict=True))
    radius = np.sqrt((z * 3.0) ** 2 + y**2 + x**2)
    masks = {
        "My_Shell": (radius < 60) & (radius > 40) | (radius < 20),
        "My_Voxel": (z == 0) & (y == 70) & (x == 1),
        "My_Straw": (y == -70) & (x == -9),
    }
    provenance = Provenance("autocontour rules", "0.1")
    return StructureSet(
        "DRAWN",
        tuple(
            Structure(name, number, contours_from_mask(mask, ct.geometry), provenance=provenance)
            for number, (name, mask) in enumerate(masks.items(), 1)
        ),
    )


def test_no_error_and_only_the_warnings_of_copied_values(case, make, tmp_path):
    ct, _, copied = case
    path = tmp_path / "RS.dcm"
    write_structure_set(drawn(ct), ct, path)
    lines = make.dciodvfy(path)
    assert not [line for line in lines if line.startswith("Error")]
    assert {reason for reason in (NAME, STUDY_ID, SCHEME) if any(reason in line for line in lines)} == copied
    assert all(any(reason in line for reason in copied) for line in lines)
    assert [f.code for f in check_structure_set(dcmread(path), ct)] == []


def test_an_imported_unedited_set_is_written_back_with_the_same_points(case, tmp_path):
    ct, path, _ = case
    read = read_structure_set(path, ct)
    write_structure_set(read, ct, tmp_path / "again.dcm")
    again = {int(item.ReferencedROINumber): item for item in dcmread(tmp_path / "again.dcm").ROIContourSequence}
    compared = 0
    for item in dcmread(path).ROIContourSequence:
        mine = again[int(item.ReferencedROINumber)].get("ContourSequence", [])
        theirs = item.get("ContourSequence", [])
        data = [sorted(contour.get_item("ContourData").value for contour in items) for items in (theirs, mine)]
        assert data[0] == data[1]
        compared += len(theirs)
    assert compared


@pytest.mark.parametrize(
    ("folder", "name"), [("lung1-007/ct", "lung1-007/rtstruct.dcm"), ("odd/ffs-sts", "odd/ffs-sts/mask/RS.dcm")]
)
def test_every_contour_is_written_back_byte_for_byte(folder, name, dicom_data, tmp_path):
    series = next(one for one in scan_folder(dicom_data / folder, Job()) if one.modality == "CT")
    ct = read_ct(series, Job())
    read = read_structure_set(dicom_data / name, ct)
    write_structure_set(read, ct, tmp_path / "again.dcm")
    data = [
        [(item.ReferencedROINumber, [c.get_item("ContourData").value for c in item.get("ContourSequence", [])])
         for item in dcmread(path).ROIContourSequence]
        for path in (dicom_data / name, tmp_path / "again.dcm")
    ]  # fmt: skip
    assert [(number, sorted(values)) for number, values in data[0]] == [(n, sorted(v)) for n, v in data[1]]
    again = read_structure_set(tmp_path / "again.dcm", ct)
    assert [dict(s.contours) for s in again.structures] == [dict(s.contours) for s in read.structures]
    assert {f.code for s in read.structures for f in s.findings}.isdisjoint({"AC-RS-047", "AC-RS-048", "AC-RS-049"})


def test_appending_to_a_clinics_set_adds_no_error_and_no_warning(case, make, tmp_path):
    ct, original, _ = case
    path = tmp_path / "RS.dcm"
    shutil.copy(original, path)
    append_structures(path, drawn(ct), ct)
    assert set(make.dciodvfy(path)) <= set(make.dciodvfy(original))
    names = read_structure_set(path, ct).names
    assert names == (*read_structure_set(original, ct).names, "My_Shell", "My_Voxel", "My_Straw")


def test_the_volume_another_system_states_is_found(dicom_data):
    """The planning system wrote the volume of the patient's outline into the file: 20022.1 cc."""
    ct = read_ct(scan_folder(dicom_data / "lung1-002/ct", Job())[0], Job())
    dataset = dcmread(dicom_data / "lung1-002/rtstruct.dcm")
    read = read_structure_set(dicom_data / "lung1-002/rtstruct.dcm", ct)
    (stated,) = (float(roi.ROIVolume) for roi in dataset.StructureSetROISequence if roi.ROIName == "Patient")
    assert volume_cc(read["Patient"].contours, ct.geometry) == pytest.approx(stated, rel=1e-4)


def test_dangling_references_open_by_position(dicom_data):
    ct = read_ct(scan_folder(dicom_data / "lung1-002/ct", Job())[0], Job())
    read = read_structure_set(dicom_data / "lung1-002/rtstruct.dcm", ct)
    assert "AC-RS-015" in {finding.code for finding in read.findings}
    assert len(read["Spinal cord"].contours) == 111
    assert [len(read[f"Isocenter {i}"].carried) for i in range(1, 6)] == [1] * 5


def test_the_set_of_another_deidentification_is_of_another_frame_of_reference(dicom_data):
    """Its UIDs were all replaced by others: nothing in it says that it belongs to this CT."""
    ct = read_ct(scan_folder(dicom_data / "lung1-001/ct", Job())[0], Job())
    with pytest.raises(StructureSetError, match="AC-RS-003"):
        read_structure_set(dicom_data / "lung1-001/rtstruct_dangling_references.dcm", ct)


def test_feet_first_scan(dicom_data, make, tmp_path):
    folder = dicom_data / "odd/ffs-sts"
    series = next(one for one in scan_folder(folder, Job()) if one.modality == "CT")
    ct = read_ct(series, Job())
    read = read_structure_set(folder / "mask/RS.dcm", ct)
    (mass,) = read.structures
    assert mass.interpreted_type == "GTV"
    assert len(mass.contours) == 53
    assert volume_cc(mass.contours, ct.geometry) == pytest.approx(296.1, abs=0.1)
    write_structure_set(drawn(ct), ct, tmp_path / "RS.dcm")
    errors = [line for line in make.dciodvfy(tmp_path / "RS.dcm") if line.startswith("Error")]
    # The CT's own Study ID has 17 characters.
    assert all("Study ID" in line or "invalid data values" in line for line in errors)
