"""Building: de-identification, arrays against the contours, decisions, continuing, training."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from shapely import affinity

from autocontour.archive import check
from autocontour.archive.build import BuildRequest, build_dataset
from autocontour.archive.check import check_dataset
from autocontour.archive.convert import hash_ct
from autocontour.base.errors import Cancelled, DatasetError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.contouring import mask_from_contours
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.alter import alter_series
from autocontour.models.data.dataset import read_dataset, read_index, read_patient
from autocontour.models.training.config import DataConfig
from autocontour.rtstruct import read_structure_set
from autocontour.selftest.planted import base_phantom, make_patient
from autocontour.site.site import read_site
from tests.archive.conftest import build_confirmed, confirm


def index_of(request):
    return json.loads((request.output / "index.json").read_text())


def entry_of(built, patient):
    sources = json.loads((built.request.private / "sources.json").read_text())
    (name,) = (name for name, source in sources.items() if source.get("ct") == str(patient.folder / "CT"))
    return next(entry for entry in index_of(built.request)["patients"] if entry["patient"] == name)


def decide(request, text):
    request.decisions_file.write_text(text, encoding="utf-8")


def test_arrays_are_the_ct_and_the_masks_of_the_contours(small):
    index = read_index(small.request.output)
    for patient in small.patients:
        entry = entry_of(small, patient)
        names = list(entry["structures"])
        sample = read_patient(small.request.output, entry, index, names, cut=False)
        ct = read_ct(planning_cts(scan_folder(patient.folder / "CT", Job()))[0], Job())
        drawn = read_structure_set(patient.folder / "RS" / "RS.dcm", ct)
        whole = sample.to_ct()
        assert whole.hu.shape == ct.hu.shape
        kept = whole.hu > -1024
        np.testing.assert_array_equal(whole.hu[kept], ct.hu[kept])
        assert kept[patient.hu > -200].mean() > 0.9  # all but the couch
        np.testing.assert_allclose(whole.geometry.spacing_zyx_mm, ct.geometry.spacing_zyx_mm, atol=1e-5)
        for k, name in enumerate(names):
            expected = mask_from_contours(drawn[name].contours, ct.geometry)
            np.testing.assert_array_equal(sample.reference(k), expected)
            assert entry["structures"][name]["voxels"] == expected.sum()
        cut = read_patient(small.request.output, entry, index, names)
        np.testing.assert_array_equal(cut.to_ct().hu, whole.hu)
        assert isinstance(cut.hu.base, np.memmap) or isinstance(cut.hu, np.memmap)


def test_a_scan_that_is_ordered_towards_the_feet_gives_the_same_voxels(one_patient, tmp_path):
    patient, _ = one_patient(number=1)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    build_confirmed(request)
    index = read_index(request.output)
    first = read_patient(request.output, index["patients"][0], index, ["Heart", "Lung_L"], cut=False)
    # The same patient scanned feet first: rows and slices run the other way.
    grid = patient.geometry
    turned = make_patient(base_phantom(1), 1)
    turned.hu = patient.hu[::-1, :, ::-1].copy()
    direction = grid.direction @ np.diag([-1.0, 1.0, -1.0])
    corner = grid.slice_origins_lps_mm[::-1] + np.array(((grid.columns - 1) * grid.pixel_spacing_vu_mm[1], 0, 0))
    turned.geometry = replace(grid, direction=direction, slice_origins_lps_mm=corner)
    count = len(patient.hu)
    turned.contours = {
        name: {count - 1 - k: affinity.scale(p, -1, 1, origin=(0, 0)) for k, p in mine.items()}
        for name, mine in patient.contours.items()
    }
    turned.description = replace(turned.description, position="FFS", uid_seed="turned")
    turned.write(tmp_path / "second" / "x")
    other = BuildRequest(tmp_path / "second", tmp_path / "data2")
    build_confirmed(other)
    index2 = read_index(other.output)
    again = read_patient(other.output, index2["patients"][0], index2, ["Heart", "Lung_L"], cut=False)
    np.testing.assert_array_equal(again.to_ct().hu, first.to_ct().hu)
    for k in range(2):
        assert (again.reference(k) != first.reference(k)).sum() <= 2  # voxels whose centre lies on an outline
    assert index["patients"][0]["ct_hash"] == index2["patients"][0]["ct_hash"]


def test_resampling_keeps_volumes_and_positions(one_patient, tmp_path):
    one_patient()
    kept = BuildRequest(tmp_path / "archive", tmp_path / "kept")
    build_confirmed(kept)
    fine = BuildRequest(tmp_path / "archive", tmp_path / "fine", names=kept.names_file, spacing_zyx_mm=(4.0, 3.0, 3.0))
    build_dataset(fine, Job())
    (a,), (b,) = (index_of(request)["patients"] for request in (kept, fine))
    assert b["spacing_zyx_mm"] == [4.0, 3.0, 3.0]
    for name in ("Heart", "Lung_L", "Liver"):
        one, other = a["features"][name], b["features"][name]
        assert other["volume_cc"] == pytest.approx(one["volume_cc"], rel=0.03)  # slices of 8 mm
        np.testing.assert_allclose(other["centre_zyx_mm"], one["centre_zyx_mm"], atol=1.0)
    assert a["ct_hash"] == b["ct_hash"]


CANARY = "Zwetschgenbaum"
TAGS = (
    *("PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientAddress"),
    *("PatientMotherBirthName", "PatientComments", "ReferringPhysicianName", "OperatorsName"),
    *("PerformingPhysicianName", "InstitutionName", "InstitutionAddress", "StationName", "StudyDescription"),
    *("SeriesDescription", "AccessionNumber", "StudyID"),
    *("ProtocolName", "ImageComments", "ConvolutionKernel", "BodyPartExamined", "ManufacturerModelName"),
    *("DeviceSerialNumber", "RequestingPhysician", "AdditionalPatientHistory", "AcquisitionProtocolDescription"),
)  # fmt: skip


def test_no_name_or_uid_of_a_patient_is_anywhere_in_the_data_set(one_patient, tmp_path):
    """Canaries in 27 attributes, private ones, nested ones, names of files, label and names of the structure set."""
    patient, ct = one_patient(
        lambda p: p.contours.update({f"Heart {CANARY}": p.contours.pop("Heart")}), folder=f"{CANARY}_Hilde"
    )

    def plant(dataset, _number):
        for keyword in TAGS:
            setattr(dataset, keyword, CANARY)
        dataset.PatientBirthDate = "19470911"
        block = dataset.private_block(0x0011, f"{CANARY} private", create=True)
        block.add_new(1, "LO", CANARY)
        nested = Dataset()
        nested.PatientName, nested.TextValue = CANARY, CANARY
        dataset.RequestAttributesSequence = [nested]

    def plant_set(dataset, _number):
        dataset.StructureSetLabel, dataset.StructureSetName = CANARY, CANARY
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = CANARY, CANARY, "19470911"
        for roi in dataset.StructureSetROISequence:
            roi.ROIDescription = CANARY
        for observation in dataset.RTROIObservationsSequence:
            observation.ROIInterpreter = CANARY

    alter_series(patient.folder / "CT", plant)
    alter_series(patient.folder / "RS", plant_set)
    for path in (patient.folder / "CT").iterdir():
        path.rename(path.with_name(f"{CANARY}{path.name}"))
    damaged = tmp_path / "archive" / f"damaged {CANARY}.dcm"
    damaged.write_bytes((patient.folder / "RS" / "RS.dcm").read_bytes()[:4000])
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    report = build_confirmed(request, **{f"Heart {CANARY}": "Heart"})
    assert "Heart" in report.index["structures"]
    reference = ct.reference
    uids = [reference.study_instance_uid, reference.series_instance_uid, reference.frame_of_reference_uid]
    uids += reference.sop_instance_uids
    forbidden = [CANARY, "Hilde", "19470911", str(tmp_path), *uids]
    files = [path for path in request.output.rglob("*") if path.is_file()]
    assert len(files) >= 6
    for path in files:
        content = path.read_bytes()
        for text in forbidden:
            for variant in {text, text.lower(), text.upper()}:
                assert variant.encode() not in content, (path.name, text)
                assert variant.encode("utf-16-le") not in content
        assert not any(text in path.name for text in forbidden)
    assert CANARY in (request.private / "sources.json").read_text()
    assert (request.private.stat().st_mode & 0o077, request.key_file.stat().st_mode & 0o077) == (0, 0)


def test_uids_are_replaced_by_one_map_that_keeps_references(small):
    entries = index_of(small.request)["patients"]
    frames = set()
    for patient in small.patients:
        entry = entry_of(small, patient)
        folder = small.request.output / "patients" / entry["folder"]
        references = json.loads((folder / "patient.json").read_text())["references"]
        header = entry["header"]
        assert header["SeriesInstanceUID"] == references["series_instance_uid"]
        assert header["StudyInstanceUID"] == references["study_instance_uid"]
        assert header["FrameOfReferenceUID"] == references["frame_of_reference_uid"]
        assert len(set(references["sop_instance_uids"])) == len(patient.hu)
        assert all(len(uid) <= 64 and uid.startswith("2.25.") for uid in references["sop_instance_uids"])
        frames.add(references["frame_of_reference_uid"])
    assert len(frames) == len(entries) == 3


def test_unconfirmed_names_are_not_used(copied):
    path = copied.request.names_file
    row = 'name = "Heart"\n'
    path.write_text(path.read_text().replace(row, f"{row}confirmed = false\n"))
    report = build_dataset(copied.request, Job())
    assert "Heart" not in report.index["structures"]
    assert report.waiting == ("Heart",)
    assert [finding.code for finding in report.findings] == ["AC-DS-028"]
    assert report.reused == 0


def test_a_second_build_reuses_what_has_not_changed(copied):
    before = index_of(copied.request)
    times = {path: path.stat().st_mtime_ns for path in copied.request.output.rglob("ct.npy")}
    report = build_dataset(copied.request, Job())
    assert report.reused == 3
    assert index_of(copied.request) == before
    assert {path: path.stat().st_mtime_ns for path in copied.request.output.rglob("ct.npy")} == times
    damaged = next(iter(times))
    damaged.write_bytes(damaged.read_bytes()[:-5] + b"xxxxx")
    assert build_dataset(copied.request, Job()).reused == 2
    assert check_dataset(copied.request.output, Job()) == []


def test_decisions_are_obeyed(copied):
    entries = index_of(copied.request)["patients"]
    one, two, three = (entry["patient"] for entry in entries)
    decide(
        copied.request,
        f'[[decisions]]\npatient = "{one}"\nexclude = true\n'
        f'[[decisions]]\npatient = "{two}"\nstructures = ["Heart"]\nexclude = true\nreason = "x"\n'
        f'[[decisions]]\npatient = "{three}"\nsplit = "test"\n'
        '[[decisions]]\npatient = "p000000000000"\nexclude = true\n',
    )
    report = build_dataset(copied.request, Job())
    left = {entry["patient"]: entry for entry in report.index["patients"]}
    assert set(left) == {two, three}
    assert "Heart" not in left[two]["structures"]
    assert left[two]["set_aside"] == {"Heart": ["AC-DS-040"]}
    assert (left[two]["split"], left[three]["split"]) == ("train", "test")
    assert [(one["patient"], one["code"]) for one in report.index["quarantine"]] == [(one, "AC-DS-040")]
    assert "AC-DS-026" in {finding.code for finding in report.findings}  # a decision about nobody is not ignored
    decide(copied.request, "")
    assert len(build_dataset(copied.request, Job()).index["patients"]) == 3


def test_a_finding_is_accepted_only_by_its_code(one_patient, tmp_path):
    def half(patient):
        patient.contours["Heart"] = {k: p for k, p in patient.contours["Heart"].items() if k % 2}

    one_patient(half)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    report = build_confirmed(request)
    (entry,) = report.index["patients"]
    assert entry["set_aside"] == {"Heart": ["AC-DS-051"]}
    decide(request, f'[[decisions]]\npatient = "{entry["patient"]}"\nstructures = ["Heart"]\nkeep = ["AC-DS-051"]\n')
    (entry,) = build_dataset(request, Job()).index["patients"]
    assert "Heart" in entry["structures"]
    assert not entry["set_aside"]
    assert "AC-DS-051" in {finding["code"] for finding in entry["findings"]}


@pytest.mark.parametrize(
    "text",
    ['patient = "p1"', 'patient = "p1"\nexclude = true\nkeep = ["AC-DS-051"]', 'patient = "../x"\nexclude = true',
     'patient = "p1"\nkeep = ["all"]', 'patient = "p1"\nsplit = "../test"', 'patient = "p1"\nexcluded = true'],
)  # fmt: skip
def test_a_decision_that_is_unclear_is_refused(copied, text):
    decide(copied.request, f"[[decisions]]\n{text}\n")
    with pytest.raises(DatasetError, match="AC-DS-004"):
        build_dataset(copied.request, Job())


def test_two_ct_of_one_patient_are_in_one_split_and_one_fold(one_patient, tmp_path):
    """Silent fault: two CTs of one patient in training and in validation."""
    patient, _ = one_patient(number=0)
    later = make_patient(base_phantom(0), 7, scale=1.0)
    later.description = replace(patient.description, uid_seed="later")
    later.write(tmp_path / "archive" / "later")
    one_patient(number=1)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    report = build_confirmed(request)
    entries = report.index["patients"]
    hashes = [entry["patient_hash"] for entry in entries]
    (same,) = {one for one in hashes if hashes.count(one) == 2}
    pair = {entry["patient"] for entry in entries if entry["patient_hash"] == same}
    for seed in range(6):
        config = DataConfig(str(request.output), ("Heart", "Lung_L"), validation_patients=1, seed=seed)
        dataset = read_dataset(config, Job())
        held_out = {sample.patient for sample in dataset.validation}
        assert pair <= held_out or not pair & held_out
    for share in (0.3, 0.6, 0.9):
        shared = replace(request, test_share=share)
        splits = {entry["patient"]: entry["split"] for entry in build_dataset(shared, Job()).index["patients"]}
        assert len({splits[name] for name in pair}) == 1
    one, other = sorted(pair)
    decide(request, f'[[decisions]]\npatient = "{one}"\nsplit = "test"\n')
    splits = {entry["patient"]: entry["split"] for entry in build_dataset(request, Job()).index["patients"]}
    assert splits[one] == splits[other] == "test"
    decide(
        request,
        f'[[decisions]]\npatient = "{one}"\nsplit = "test"\n[[decisions]]\npatient = "{other}"\nsplit = "train"\n',
    )
    with pytest.raises(DatasetError, match="AC-DS-010"):
        build_dataset(request, Job())


def test_a_leak_between_splits_is_found_and_not_trained_on(copied, tmp_path):
    index = index_of(copied.request)
    index["patients"][1]["ct_hash"] = index["patients"][0]["ct_hash"]
    index["patients"][1]["split"] = "test"
    (copied.request.output / "index.json").write_text(json.dumps(index))
    assert [finding.code for finding in check_dataset(copied.request.output, Job())] == ["AC-DS-064"]
    with pytest.raises(DatasetError, match="AC-DS-010"):
        read_index(copied.request.output)


def test_a_patient_in_two_data_sets_is_found_by_hash(small, one_patient, tmp_path):
    """The CT's voxels identify it under any key and UIDs; the patient's hash needs the same key."""
    one_patient(lambda p: setattr(p, "description", replace(p.description, uid_seed="x", patient_id="Y")))
    other = BuildRequest(tmp_path / "archive", tmp_path / "other")
    build_confirmed(other)
    codes = [finding.code for finding in check_dataset(other.output, Job(), [small.request.output])]
    assert codes == ["AC-DS-066", "AC-DS-065"]
    shared = BuildRequest(tmp_path / "archive", tmp_path / "shared", names=other.names_file, key=small.request.key_file)
    build_dataset(shared, Job())
    assert [f.code for f in check_dataset(shared.output, Job(), [small.request.output])] == ["AC-DS-065"]


def test_the_hash_of_a_ct_does_not_depend_on_uids_but_on_values(small):
    patient = small.patients[0]
    ct = read_ct(planning_cts(scan_folder(patient.folder / "CT", Job()))[0], Job())
    assert hash_ct(ct) == hash_ct(replace(ct, reference=None))
    hu = ct.hu.copy()
    hu[3, 4, 5] += 1
    assert hash_ct(ct) != hash_ct(replace(ct, hu=hu))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda place: (place / "ct.npy").write_bytes(b"x" + (place / "ct.npy").read_bytes()[1:]), "AC-DS-060"),
        (lambda place: (place / "planes.npy").unlink(), "AC-DS-060"),
        (lambda place: shutil.copytree(place, place.with_name("stray")), "AC-DS-062"),
    ],
)
def test_a_damaged_data_set_fails_its_check(copied, damage, code, capsys):
    entry = index_of(copied.request)["patients"][0]
    damage(copied.request.output / "patients" / entry["folder"])
    assert code in {finding.code for finding in check_dataset(copied.request.output, Job())}
    assert main(["dataset", "check", str(copied.request.output), "--json"]) == 1
    assert code in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda e: e.update(shape_zyx=[44, 2, 2]), "AC-DS-061"),
        (lambda e: e["structures"]["Heart"].update(offset=10**9), "AC-DS-061"),
        (lambda e: e["structures"]["Heart"].update(voxels=3), "AC-DS-063"),
        (lambda e: e["structures"]["Heart"].update(start_zyx=[43, 0, 0]), "AC-DS-061"),
        (lambda e: e.update(solid_slices=[[0, 99]]), "AC-DS-061"),
        (lambda e: e.update(folder="../../x"), "AC-DS-061"),
        (lambda e: e.update(patient_hash="no"), "AC-DS-061"),
    ],
)
def test_a_wrong_entry_fails_the_check_and_sets_only_its_patient_aside(copied, change, code):
    index = index_of(copied.request)
    change(index["patients"][0])
    (copied.request.output / "index.json").write_text(json.dumps(index))
    assert code in {finding.code for finding in check_dataset(copied.request.output, Job())}
    if code == "AC-DS-061":
        config = DataConfig(str(copied.request.output), ("Heart",), validation_patients=0)
        dataset = read_dataset(config, Job())
        assert set(dataset.quarantined) == {index["patients"][0]["patient"]}
        assert len(dataset.training) == 2


def test_a_lost_or_wrong_key_is_refused(copied):
    """Silent fault: with a new key every patient would look new and leaks could not be found."""
    key = copied.request.key_file
    text = key.read_text()
    for wrong in (text[:-9], "0" * 64, "x"):
        key.write_text(wrong)
        with pytest.raises(DatasetError, match="AC-DS-005"):
            build_dataset(copied.request, Job())
    key.unlink()
    with pytest.raises(DatasetError, match="AC-DS-005"):
        build_dataset(copied.request, Job())


def test_the_data_set_must_be_new_and_outside_the_archive(copied, tmp_path):
    with pytest.raises(DatasetError, match="AC-DS-009"):
        build_dataset(replace(copied.request, output=copied.request.archive / "data"), Job())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(DatasetError, match="AC-DS-001"):
        build_dataset(replace(copied.request, output=tmp_path / "mine"), Job())


def test_a_site_chooses_the_structures_and_their_order(copied):
    site = read_site("thorax")
    report = build_dataset(replace(copied.request, site=site), Job())
    names = report.index["structures"]
    assert names == [name for name in site.names if name in names]
    assert {"Lung_L", "Heart", "Liver"} <= set(names)
    pelvis = replace(copied.request, site=read_site("pelvis"))
    assert build_dataset(pelvis, Job()).index["structures"] == ["External"]


def test_a_cancelled_build_keeps_the_old_data_set_and_is_continued(copied):
    class Stop(Job):
        def advance(self, stage, fraction):
            super().advance(stage, fraction)
            if stage == "building the data set" and fraction > 0.3:
                self.cancel()

    before = index_of(copied.request)
    wider = replace(copied.request, spacing_zyx_mm=(9.0, 6.0, 6.0))
    with pytest.raises(Cancelled):
        build_dataset(wider, Stop())
    assert index_of(copied.request) == before
    findings = {finding.code for finding in check_dataset(copied.request.output, Job())}
    assert findings <= {"AC-DS-062"}
    assert build_dataset(wider, Job()).reused >= 1
    assert check_dataset(copied.request.output, Job()) == []


@pytest.mark.slow
def test_a_killed_build_is_continued(copied, tmp_path):
    shutil.rmtree(copied.request.output)
    command = [sys.executable, "-m", "autocontour.cli", "dataset", "build", str(copied.request.archive)]
    command += ["-o", str(copied.request.output)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    patients = copied.request.output / "patients"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if patients.is_dir() and any(not path.name.startswith(".") for path in patients.iterdir()):
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = [path for path in patients.iterdir() if not path.name.startswith(".")]
    report = build_dataset(copied.request, Job())
    assert report.reused >= len(done) >= 1
    assert len(report.index["patients"]) == 3
    assert check_dataset(copied.request.output, Job()) == []
    assert not [path for path in copied.request.output.rglob("*") if path.name.startswith(".")]


def test_the_command_builds_shows_and_checks(copied, capsys):
    out = str(copied.request.output)
    assert main(["dataset", "build", str(copied.request.archive), "-o", out, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["patients"], report["reused"], report["quarantine"]) == (3, 3, [])
    assert main(["dataset", "show", out]) == 0
    shown = capsys.readouterr().out
    assert "Heart" in shown
    assert "3 patients (train: 3)" in shown
    assert main(["dataset", "show", out, "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["structures"]}
    assert rows["Heart"]["count"] == 3
    assert 300 < rows["Heart"]["median_cc"] < 900
    assert main(["dataset", "check", out]) == 0
    assert "Nothing found." in capsys.readouterr().out
    assert main(["dataset", "show", str(copied.request.archive), "--json"]) == 10
    page = (copied.request.output / "inspection.html").read_text()
    assert page.count("<figure>") == 3
    assert "Heart" in page
    for arguments in (["--test", "1"], ["--spacing", "0", "1", "1"]):
        assert main(["dataset", "build", str(copied.request.archive), "-o", out, *arguments]) == 2


def test_a_first_build_writes_the_names_and_uses_none(one_patient, tmp_path):
    one_patient()
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    with pytest.raises(DatasetError, match="AC-DS-002") as error:
        build_dataset(request, Job())
    assert error.value.values["waiting"] == 8
    assert not (request.output / "index.json").exists()
    confirm(request.names_file)
    assert len(build_dataset(request, Job()).index["patients"]) == 1


def test_real_scans_are_built_as_they_are(dicom_data, tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    for name in ("lung1-001", "lung1-002", "lung1-007", "pancreas-ct-cb-001"):
        (archive / name).symlink_to(dicom_data / name)
    request = BuildRequest(archive, tmp_path / "data")
    report = build_confirmed(request)
    assert len(report.index["patients"]) == 3
    assert sorted(one.finding.code for one in report.excluded) == ["AC-DS-031", "AC-DS-034"]
    assert {"Lung_L", "Lung_R", "Heart", "SpinalCord", "GTV-1"} <= set(report.index["structures"])
    assert check_dataset(request.output, Job()) == []
    dangling = next(one.name for one in report.excluded if one.finding.code == "AC-DS-034")
    decide(request, f'[[decisions]]\npatient = "{dangling}"\nkeep = ["AC-DS-034"]\n')
    again = build_dataset(request, Job())
    assert (len(again.index["patients"]), again.reused) == (4, 3)


@pytest.mark.parametrize("name", sorted(path.stem for path in Path("autocontour/site/sites").glob("*.toml")))
def test_every_site_has_known_structures(name):
    from autocontour.patient.nomenclature import find_term

    site = read_site(name)
    assert all(find_term(one).known for one in site.names)
    assert len(set(site.names)) == len(site.names)


def test_uneven_slices_are_used_only_when_accepted_and_resampled_at_their_true_positions(one_patient, tmp_path):
    """Silent fault: slices with a gap in the array as if they were even, so that organs are too short."""
    grid = base_phantom(0).geometry

    def widen(patient):
        origins = patient.geometry.slice_origins_lps_mm.copy()
        origins[20:, 2] += 5.0
        patient.geometry = replace(patient.geometry, slice_origins_lps_mm=origins)

    patient, _ = one_patient(widen)
    alter_series(patient.folder / "CT", lambda dataset, _number: setattr(dataset, "SliceThickness", "8"))
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    with pytest.raises(DatasetError, match="AC-DS-002"):
        build_confirmed(request)
    name = json.loads((request.private / "sources.json").read_text()).popitem()[0]
    decide(request, f'[[decisions]]\npatient = "{name}"\nkeep = ["AC-CT-033"]\n')
    with pytest.raises(DatasetError, match="AC-DS-002"):
        build_dataset(request, Job())
    assert "AC-DS-035" in (request.output / "inspection.html").read_text()
    (entry,) = build_dataset(replace(request, spacing_zyx_mm=(4.0, 4.0, 4.0)), Job()).index["patients"]
    drawn = np.flatnonzero(mask_from_contours(patient.contours["Lung_L"], patient.geometry).any(axis=(1, 2)))
    places, even = (one.slice_positions_mm[[drawn[0], drawn[-1]]] for one in (patient.geometry, grid))
    assert entry["features"]["Lung_L"]["extent_zyx_mm"][0] == pytest.approx(np.ptp(places) + 8.0, abs=6.0)
    assert np.ptp(places) > np.ptp(even)


@pytest.mark.parametrize("name", ["Heart", "Heart " + "long " * 11 + "x"])
def test_two_structures_of_one_name_in_a_set_are_both_left_out(one_patient, tmp_path, name):
    """Silent fault: reading calls the second one Heart_2, and the first was used as if it were the only one."""
    patient, _ = one_patient()

    def rename(dataset, _number):
        for roi in dataset.StructureSetROISequence:
            if roi.ROIName in ("Heart", "Liver"):
                roi.ROIName = name

    alter_series(patient.folder / "RS", rename)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data")
    (entry,) = build_confirmed(request, **{name: "Heart"}).index["patients"]
    assert entry["set_aside"] == {"Heart": ["AC-DS-050"]}
    assert "Lung_L" in entry["structures"]


def test_test_patients_that_move_into_the_training_are_reported(copied):
    """The share of test patients was given in the first build and forgotten in the next."""
    all_test = build_dataset(replace(copied.request, test_share=0.999999), Job())
    assert {entry["split"] for entry in all_test.index["patients"]} == {"test"}
    (found,) = [one for one in all_test.findings if one.code == "AC-DS-014"]
    assert dict(found.values)["count"] == 3
    again = build_dataset(replace(copied.request, test_share=0.999999), Job())
    assert "AC-DS-014" not in {one.code for one in again.findings}
    forgotten = build_dataset(copied.request, Job())
    assert "AC-DS-014" in {one.code for one in forgotten.findings}


def test_patients_whom_a_decision_puts_into_another_split_are_not_reported(copied):
    name = copied.report.index["patients"][0]["patient"]
    decide(copied.request, f'[[decisions]]\npatient = "{name}"\nsplit = "test"\n')
    report = build_dataset(copied.request, Job())
    assert report.index["patients"][0]["split"] == "test"
    assert not report.findings


def test_a_fault_of_the_program_is_no_finding_about_a_patient(small, monkeypatch):
    monkeypatch.setattr(check, "open_arrays", lambda folder: folder)
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        check_dataset(small.request.output, Job())
