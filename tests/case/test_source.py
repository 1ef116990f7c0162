"""A case knows its CT: where it lies, what it holds, and where it is found when it was moved."""

import json
import shutil

import numpy as np
import pytest
from pydicom import dcmread

from autocontour.base.errors import CaseError
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.case.source import SOURCE, read_case_ct, read_source
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
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
