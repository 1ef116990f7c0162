"""Folders as they are found: thousands of files, links in circles, files that come, go and change."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from autocontour.base.errors import Cancelled, CTError
from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder


def code_of(action):
    with pytest.raises(CTError) as caught:
        action()
    assert caught.value.remedy
    return caught.value.code


def test_several_patients_and_subfolders(ct, tmp_path):
    for number in range(1, 4):
        slices = ct.build_series(series=number)
        for dataset in slices:
            dataset.PatientID = f"PHANTOM-{number}"
            dataset.StudyInstanceUID += f".{number}"
        ct.write_slices(tmp_path / f"patient {number}" / "study" / "CT", slices)
    found = planning_cts(scan_folder(tmp_path, Job()))
    assert [series.number for series in found] == ["1", "2", "3"]
    assert all(series.is_sound and len(series) == ct.SLICES for series in found)


def test_the_files_stand_in_spatial_order(ct, write, slices):
    series = ct.scan_one(write(slices))
    assert [s.sop_instance_uid for s in series.slices] == [dataset.SOPInstanceUID for dataset in slices]
    assert [path.name for path in series.files] != sorted(path.name for path in series.files)


def test_scanning_twice_gives_the_same(ct, write, slices):
    folder = write(slices)
    (folder / "readme.txt").write_text("text " * 100)
    first, second = ct.scan_one(folder), ct.scan_one(folder)
    assert first.files == second.files
    assert first.findings == second.findings


def test_links_in_a_circle(ct, write, slices):
    folder = write(slices)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "dangling").symlink_to(folder / "nothing")
    assert len(ct.scan_one(folder)) == ct.SLICES


def test_a_linked_folder_is_scanned(ct, tmp_path, slices):
    ct.write_slices(tmp_path / "archive", slices)
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "ct").symlink_to(tmp_path / "archive", target_is_directory=True)
    assert len(ct.load(tmp_path / "job").hu) == ct.SLICES


def test_a_file_without_permission_is_said(ct, write, slices, monkeypatch):
    folder, really_open = write(slices), Path.open

    def open_most(path, *args, **kwargs):
        if path.name == "003-0.dcm":
            raise PermissionError(13, "Permission denied")
        return really_open(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_most)
    series = ct.scan_one(folder)
    assert "AC-CT-007" in ct.codes(series)
    assert len(series) == ct.SLICES - 1


def test_a_pipe_in_the_folder_does_not_hang(ct, write, slices):
    folder = write(slices)
    os.mkfifo(folder / "pipe")
    assert len(ct.load(folder).hu) == ct.SLICES


def test_names_that_are_no_unicode(ct, write, slices):
    folder = write(slices)
    odd = os.fsdecode(b"\xff\xfe.txt")
    (folder / odd).write_text("no image " * 100)
    (finding,) = ct.scan_one(folder).findings
    assert finding.code == "AC-CT-003"
    assert finding.where.encode()


def test_no_folder_and_empty_folder(tmp_path):
    assert code_of(lambda: scan_folder(tmp_path / "none", Job())) == "AC-CT-063"
    assert code_of(lambda: scan_folder(tmp_path, Job())) == "AC-CT-002"
    (tmp_path / "a.txt").write_text("no image")
    assert code_of(lambda: scan_folder(tmp_path, Job())) == "AC-CT-002"


def test_a_file_that_changed_since_the_scan_is_refused(ct, write, slices):
    folder = write(slices)
    series = ct.scan_one(folder)
    path = series.files[3]
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert code_of(lambda: read_ct(series, Job())) == "AC-CT-006"


def test_a_file_rewritten_in_place_is_refused(ct, write, slices):
    folder = write(slices)
    series = ct.scan_one(folder)
    status = series.files[0].stat()
    os.utime(series.files[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    assert code_of(lambda: read_ct(series, Job())) == "AC-CT-006"


def test_a_file_that_went_away_is_refused(ct, write, slices):
    series = ct.scan_one(write(slices))
    series.files[3].unlink()
    assert code_of(lambda: read_ct(series, Job())) == "AC-CT-007"


def test_slices_that_came_after_the_scan_are_noticed(ct, tmp_path, slices):
    folder = ct.write_slices(tmp_path / "ct", slices[:-1])
    series = ct.scan_one(folder)
    slices[-1].save_as(folder / "late.dcm", enforce_file_format=True)
    assert code_of(lambda: read_ct(series, Job())) == "AC-CT-006"


def test_a_file_that_became_a_slice_after_the_scan_is_noticed(ct, tmp_path, slices):
    """Some systems reserve the file first and fill it later."""
    folder = ct.write_slices(tmp_path / "ct", slices[:-1])
    (folder / "late.dcm").touch()
    series = ct.scan_one(folder)
    slices[-1].save_as(folder / "late.dcm", enforce_file_format=True)
    assert code_of(lambda: read_ct(series, Job())) == "AC-CT-006"


def test_an_output_beside_the_slices_does_not_disturb(ct, write, slices):
    folder = write(slices)
    series = ct.scan_one(folder)
    ct.write_slices(folder / "more", ct.build_series(series=2))
    assert len(read_ct(series, Job()).hu) == ct.SLICES


def test_a_half_copied_last_file_blocks(ct, write, slices):
    folder = write(slices)
    last = ct.scan_one(folder).files[-1]
    last.write_bytes(last.read_bytes()[:-100])
    assert ct.refusal(ct.scan_one(folder)) == "AC-CT-040"


def test_a_damaged_file_is_said(ct, write, slices):
    folder = write(slices)
    path = ct.scan_one(folder).files[-1]
    path.write_bytes(path.read_bytes()[:300])
    series = ct.scan_one(folder)
    assert "AC-CT-001" in ct.codes(series)
    assert "AC-CT-001" in {finding.code for finding in read_ct(series, Job()).findings}


def test_copies_that_another_program_wrote(ct, write, slices):
    """The File Meta Information names the program that wrote the file; the image is the same."""
    folder = write(slices)
    for dataset in slices:
        dataset.file_meta.ImplementationVersionName = "OTHER"
    ct.write_slices(folder / "again", slices)
    series = ct.scan_one(folder)
    assert ct.codes(series) == {"AC-CT-004"}
    assert len(series) == ct.SLICES


def test_sources_are_never_modified(ct, write, slices):
    folder = write(slices)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    ct.load(folder)
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("stage", ["scanning the folder", "reading the CT"])
def test_cancel(ct, write, slices, stage):
    class Stopping(Job):
        def advance(self, at, fraction):
            if at == stage and fraction > 0:
                self.cancel()
            super().advance(at, fraction)

    folder, job = write(slices), Stopping()
    with pytest.raises(Cancelled):
        read_ct(scan_folder(folder, job)[0], job)


def test_no_identity_in_messages_or_representations(ct, write, slices):
    for dataset in slices:
        dataset.PatientName, dataset.PatientID = "Secret^Name", "SECRET-ID"
    slices[3].ImagePositionPatient = slices[4].ImagePositionPatient
    series = ct.scan_one(write(slices))
    said = repr(series) + repr(series.slices[0]) + repr(series.findings)
    assert "ecret" not in said
    assert "SECRET" not in said
    assert series.patient_name == "Secret^Name"


def test_forty_series_in_one_flat_folder(ct, tmp_path, slices):
    """Many series of few slices: every one is found, whole."""
    for number in range(40):
        ct.write_slices(tmp_path / "flat", [])
        for index, dataset in enumerate(slices):
            dataset.SeriesInstanceUID = f"{ct.UID}77.{number}"
            dataset.SOPInstanceUID = f"{ct.UID}77.{number}.{index}"
            dataset.save_as(tmp_path / "flat" / f"{index}-{number}.dcm", enforce_file_format=True)
    found = scan_folder(tmp_path, Job())
    assert [len(series) for series in found] == [ct.SLICES] * 40


def test_geometry_of_a_series_is_known_before_reading(ct, write, slices):
    series = ct.scan_one(write(slices))
    volume = read_ct(series, Job())
    np.testing.assert_array_equal(series.geometry.slice_origins_lps_mm, volume.geometry.slice_origins_lps_mm)
    shutil.rmtree(series.folder)
    assert series.geometry.shape_zyx == (ct.SLICES, ct.ROWS, ct.COLUMNS)
