"""A case knows its CT: where it lies, what it holds, and where it is found when it was moved."""

import json
import os
import shutil

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from autocontour.base.errors import CaseError
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.case.source import SOURCE, cases_of, find_case_ct, read_case_ct, read_source
from autocontour.dicom import planning_cts, read_ct, read_image, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.phantom import build_phantom


@pytest.fixture
def ct_folder(tmp_path):
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(8.0, 6.0, 6.0), shape_zyx=(16, 60, 60))
    write_ct_series(phantom.hu, phantom.geometry, tmp_path / "CT")
    return tmp_path / "CT"


def read(folder):
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


@pytest.fixture
def case_folder(ct_folder, tmp_path):
    with actions.open_case(read(ct_folder), tmp_path / "cases", ct_folder) as case:
        return case.folder


def test_a_closed_case_gives_back_its_ct(ct_folder, case_folder):
    assert read_source(case_folder).path == ct_folder
    np.testing.assert_array_equal(read_case_ct(case_folder).hu, read(ct_folder).hu)


def test_a_moved_ct_is_found_by_its_uids_and_remembered(ct_folder, case_folder, tmp_path):
    moved = tmp_path / "archive" / "2026" / "CT of somebody"
    moved.parent.mkdir(parents=True)
    shutil.move(ct_folder, moved)
    with pytest.raises(CaseError, match="AC-CASE-031"):
        read_case_ct(case_folder)
    with pytest.raises(CaseError, match="AC-CASE-031"):
        read_case_ct(case_folder, [case_folder, tmp_path / "none"])
    hu = read_case_ct(case_folder, [tmp_path / "archive"]).hu
    np.testing.assert_array_equal(read_case_ct(case_folder).hu, hu)


def test_a_ct_whose_content_changed_is_refused(ct_folder, case_folder, tmp_path):
    path = sorted(ct_folder.iterdir())[5]
    dataset = dcmread(path)
    pixels = dataset.pixel_array.copy()
    pixels[10, 10] += 1
    dataset.PixelData = pixels.tobytes()
    before = path.read_bytes()
    dataset.save_as(path)
    with pytest.raises(CaseError, match="AC-CASE-030"):
        actions.open_case(read(ct_folder), tmp_path / "cases", ct_folder)
    with pytest.raises(CaseError, match="AC-CASE-030"):
        read_case_ct(case_folder)
    path.write_bytes(before)
    actions.open_case(read(ct_folder), tmp_path / "cases", ct_folder).close()


def test_a_checksum_of_another_kind_refuses_nothing_and_is_renewed(ct_folder, case_folder, tmp_path):
    known = json.loads((case_folder / SOURCE).read_bytes())
    (case_folder / SOURCE).write_text(json.dumps({**known, "checksum_of": "hu 0", "content_checksum": "abc"}))
    actions.open_case(read(ct_folder), tmp_path / "cases").close()
    assert json.loads((case_folder / SOURCE).read_bytes()) == known


def test_renamed_files_are_the_same_ct(ct_folder, case_folder, tmp_path):
    for number, path in enumerate(sorted(ct_folder.iterdir())):
        path.rename(path.with_name(f"{(number * 7) % 97:03d}"))
    actions.open_case(read(ct_folder), tmp_path / "cases").close()
    assert read_source(case_folder).path == ct_folder


def test_a_case_of_an_older_version_opens_and_learns_its_ct(ct_folder, case_folder, tmp_path):
    (case_folder / SOURCE).unlink()
    with pytest.raises(CaseError, match="AC-CASE-032"):
        read_case_ct(case_folder)
    assert read_case_ct(case_folder, [tmp_path]) is not None
    (case_folder / SOURCE).write_bytes(b"{")
    actions.open_case(read(ct_folder), tmp_path / "cases", ct_folder).close()
    assert json.loads((case_folder / SOURCE).read_bytes())["path"] == str(ct_folder)


def test_no_patient_is_named_in_what_is_kept(ct_folder, case_folder):
    header = read(ct_folder).reference.header
    kept = b"".join(path.read_bytes() for path in case_folder.iterdir() if path.suffix == ".json")
    for value in (header.PatientName, header.PatientID):
        assert str(value) not in kept.decode()


def test_a_moved_ct_is_located_without_reading_its_voxels(ct_folder, case_folder, tmp_path):
    other = build_phantom("thorax", 2, spacing_zyx_mm=(8.0, 6.0, 6.0), shape_zyx=(16, 60, 60))
    write_ct_series(other.hu, other.geometry, tmp_path / "archive" / "other", SeriesDescription(uid_seed="other"))
    moved = tmp_path / "archive" / "deep" / "renamed"
    moved.parent.mkdir(parents=True)
    shutil.move(ct_folder, moved)
    roots = [tmp_path / "none", tmp_path / "archive" / "other", tmp_path / "archive"]
    assert find_case_ct(case_folder, roots, Job()) == moved
    with pytest.raises(CaseError, match="AC-CASE-031"):
        find_case_ct(case_folder, roots[:2], Job())
    sorted(moved.iterdir())[0].unlink()
    with pytest.raises(CaseError, match="AC-CASE-031"):  # a slice less is another CT
        find_case_ct(case_folder, roots, Job())
    with pytest.raises(CaseError, match="AC-CASE-032"):
        find_case_ct(tmp_path / "none", roots, Job())


def write_image(hu, path):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.full((4, 10, 10), hu, np.int16)), str(path))


def test_a_moved_research_image_is_located_by_its_name_and_content(tmp_path):
    path = tmp_path / "a" / "ct.nrrd"
    path.parent.mkdir()
    write_image(7, path)
    with actions.open_case(read_image(path), tmp_path / "cases", path) as case:
        folder = case.folder
    (tmp_path / "b" / "c").mkdir(parents=True)
    shutil.move(path, tmp_path / "b" / "c" / "ct.nrrd")
    write_image(8, tmp_path / "b" / "ct.nrrd")
    assert find_case_ct(folder, [tmp_path / "a", tmp_path / "b"], Job()) == tmp_path / "b" / "c" / "ct.nrrd"
    with pytest.raises(CaseError, match="AC-CASE-031"):
        find_case_ct(folder, [tmp_path / "b" / "ct.nrrd"], Job())


def test_the_case_of_a_folder_is_the_one_changed_last(ct_folder, case_folder, tmp_path):
    assert cases_of(tmp_path / "cases", {ct_folder}) == {ct_folder: case_folder}
    assert cases_of(tmp_path / "cases", {tmp_path}) == {}
    newer = tmp_path / "cases" / "newer"
    shutil.copytree(case_folder, newer)
    os.utime(newer / "journal.bin", (4e9, 4e9))
    assert cases_of(tmp_path / "cases", {ct_folder}) == {ct_folder: newer}
