"""Phantoms as DICOM: valid, exact, whole or not at all; and the command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from autocontour.base.errors import Cancelled, OutputError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom import read_ct, scan_folder
from autocontour.dicom.series import SeriesDescription, decimal, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.phantom import truth_structures
from autocontour.phantom.positions import direction_of

DCIODVFY = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")


def _volume(position="HFS", oblique_deg=0.0):
    hu = np.random.default_rng(0).integers(-1024, 3500, (5, 20, 30)).astype(np.int16)
    geometry = VolumeGeometry.regular(
        hu.shape, (2.5, 0.9765625, 1.1), (-123.456, 7.0, -1 / 3), direction_of(position, oblique_deg)
    )
    return hu, geometry, SeriesDescription(position=position, uid_seed="test")


@pytest.mark.parametrize(("position", "oblique_deg"), [("HFS", 0), ("FFDL", 0), ("HFP", 2.5)])
def test_dciodvfy_has_nothing_to_say(tmp_path, position, oblique_deg):
    if DCIODVFY is None:
        pytest.skip("dciodvfy is not installed")
    hu, geometry, description = _volume(position, oblique_deg)
    write_ct_series(hu, geometry, tmp_path / "ct", description)
    for path in sorted((tmp_path / "ct").iterdir()):
        found = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
        assert found.returncode == 0
        assert "Error" not in found.stderr
        assert "Warning" not in found.stderr


@pytest.mark.parametrize("position", ["HFS", "HFDR", "FFS"])
def test_simpleitk_and_our_reader_read_it_back(tmp_path, position):
    hu, geometry, description = _volume(position)
    written = write_ct_series(hu, geometry, tmp_path / "ct", description)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    image = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(image), hu)
    assert image.GetSpacing() == pytest.approx(geometry.spacing_zyx_mm[::-1], abs=1e-6)
    assert image.GetOrigin() == pytest.approx(geometry.slice_origins_lps_mm[0], abs=1e-6)
    assert np.reshape(image.GetDirection(), (3, 3)) == pytest.approx(geometry.direction, abs=1e-6)
    (series,) = scan_folder(tmp_path / "ct", Job())
    assert series.findings == ()
    ct = read_ct(series, Job())
    assert np.array_equal(ct.hu, hu)
    assert ct.geometry.slice_origins_lps_mm == pytest.approx(geometry.slice_origins_lps_mm, abs=1e-6)
    assert ct.reference.sop_instance_uids == written.reference.sop_instance_uids
    assert ct.reference.frame_of_reference_uid == written.reference.frame_of_reference_uid


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    hu, geometry, description = _volume()
    for name in ("one", "two"):
        write_ct_series(hu, geometry, tmp_path / name, description)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    uids = {write_ct_series(hu, geometry, tmp_path / n).reference.series_instance_uid for n in ("three", "four")}
    assert len(uids) == 2


def test_a_folder_that_holds_something_is_refused_and_kept(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError) as refused:
        write_ct_series(*_volume()[:2], tmp_path)
    assert refused.value.code == "AC-OUT-002"
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_cancelling_leaves_nothing(tmp_path):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        write_ct_series(*_volume()[:2], tmp_path / "ct", job=job)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as refused:
        write_ct_series(*_volume()[:2], tmp_path / "file" / "ct")
    assert refused.value.code == "AC-OUT-001"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0, "0"), (2.5, "2.5"), (-123456.789012345, "-123456.78901235"), (1 / 3, "0.333333333333")]
)
def test_decimal_strings_fit(value, text):
    assert decimal(value) == text
    assert len(decimal(value)) <= 16


def test_the_truth_names_the_series(head_neck, tmp_path):
    ct = write_ct_series(head_neck.hu, head_neck.geometry, tmp_path / "ct")
    truth = truth_structures(head_neck, ct)
    assert truth.series_instance_uid == ct.reference.series_instance_uid
    assert truth["External"].interpreted_type == "EXTERNAL"
    assert len({structure.number for structure in truth.structures}) == len(head_neck.truth)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "patient"
    grid = ["--shape", "40", "100", "100", "--spacing", "10", "5", "5"]
    assert main(["phantom", "-o", str(folder), "--site", "thorax", "--seed", "7", "--position", "FFS", *grid]) == 0
    return folder


def test_the_command_writes_series_and_truth(patient):
    files = sorted((patient / "CT").iterdir())
    assert len(files) == 40
    first = pydicom.dcmread(files[0])
    assert (first.PatientName, first.PatientPosition, first.BodyPartExamined) == ("PHANTOM^SEED7", "FFS", "CHEST")
    truth = pydicom.dcmread(patient / "RS_truth.dcm")
    assert "Lung_L" in {item.ROIName for item in truth.StructureSetROISequence}


def test_evaluate_the_truth_against_itself(patient, capsys):
    truth = str(patient / "RS_truth.dcm")
    assert main(["evaluate", truth, truth, "--ct", str(patient / "CT"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    names = [row["name_a"] for row in report["structures"]]
    assert {"External", "Lung_L", "Heart"} <= set(names)
    assert all(row["dsc"] == row["surface_dsc"] == 1 and row["hausdorff_mm"] == 0 for row in report["structures"])
    assert main(["evaluate", truth, truth, "--ct", str(patient / "CT"), "--structures", "Heart", "--tau", "2"]) == 0
    printed = capsys.readouterr().out
    assert "Heart" in printed
    assert "Lung_L" not in printed
    assert "2 mm" in printed


def test_evaluate_states_a_partial_comparison_and_infinite_distances(patient, tmp_path, capsys):
    """A table of a part of the slices looked like one of all; distances to an empty structure looked unknown."""
    truth, empty = str(patient / "RS_truth.dcm"), tmp_path / "empty.dcm"
    dataset = pydicom.dcmread(truth)
    number = next(item.ROINumber for item in dataset.StructureSetROISequence if item.ROIName == "Heart")
    del next(roi for roi in dataset.ROIContourSequence if roi.ReferencedROINumber == number).ContourSequence
    dataset.save_as(empty)
    command = ["evaluate", truth, str(empty), "--ct", str(patient / "CT"), "--structures", "Heart", "Liver"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "∞" in next(line for line in printed.splitlines() if "Heart" in line)
    assert "first and the last slice" not in printed
    assert main([*command, "--drawn-slices"]) == 0
    assert "only between the first and the last slice of A" in capsys.readouterr().out
    assert main([*command, "--drawn-slices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["drawn_slices"]


def test_evaluate_refuses_a_senseless_tolerance(patient, capsys):
    truth = str(patient / "RS_truth.dcm")
    assert main(["evaluate", truth, truth, "--ct", str(patient / "CT"), "--tau", "-1"]) == 2
    assert "AC-US-050" in capsys.readouterr().err


def test_the_command_refuses_a_folder_in_use(patient, capsys):
    assert main(["phantom", "-o", str(patient)]) == 5
    assert "AC-OUT-002" in capsys.readouterr().err
