"""Commissioning studies of phantom patients, from DICOM files to the report, with planted faults."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from shapely import affinity

from autocontour.base.errors import Cancelled, UsageError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom.protocol import read_protocol
from autocontour.models.data.fingerprint import ct_fingerprint
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import Structure, StructureSet
from autocontour.pipeline.plan import Plan
from autocontour.qa.commissioning.study.methods import Method, read_methods
from autocontour.qa.commissioning.study.patient import PATIENTS
from autocontour.qa.commissioning.study.request import SetRole, StudyRequest
from autocontour.qa.commissioning.study.run import StudyReport, run_study
from autocontour.rtstruct import write_structure_set
from autocontour.selftest.planted import base_phantom, make_patient
from autocontour.site.template import TemplateStructure
from tests.qa.test_dose import write_dose

ORGANS = ("Heart", "Liver", "Lung_L", "Lung_R")


def moved(contours, across_mm):
    return {name: {k: affinity.translate(s, across_mm, 0) for k, s in mine.items()} for name, mine in contours.items()}


def write_cohort(folder: Path) -> dict[str, Path]:
    """Write five patients with the sets of two observers and a vendor, and return fault → folder."""
    places = {}
    written = []
    for number, fault in enumerate(("none", "no heart", "other ct", "sides", "nowhere")):
        patient = make_patient(base_phantom(number), number)
        patient.contours = {name: patient.contours[name] for name in ORGANS}
        place = places[fault] = folder / f"patient{number}"
        ct = patient.write(place)
        vendor = moved(patient.contours, 5)
        second = moved(patient.contours, 2)
        if fault == "no heart":
            del vendor["Heart"]
        if fault == "sides":
            vendor["Lung_L"], vendor["Lung_R"] = vendor["Lung_R"], vendor["Lung_L"]
        if fault == "nowhere":
            second = moved({"Heart": patient.contours["Heart"], "Liver": patient.contours["Liver"]}, 0)
            second = {"Heart": second["Liver"], "Liver": second["Heart"]}
        patient.write_set(written[0] if fault == "other ct" else ct, place / "second" / "RS.dcm", second)
        patient.write_set(ct, place / "vendor" / "RS.dcm", vendor)
        written.append(ct)
    twin = make_patient(base_phantom(1), 1)
    twin.contours = {name: twin.contours[name] for name in ORGANS}
    twin.description = replace(twin.description, patient_id="ANOTHER", uid_seed="twin")
    places["twin"] = folder / "twin"
    twin.write(places["twin"])
    return places


def request_of(root: Path, output: str = "report") -> StudyRequest:
    return StudyRequest(
        root / "cohort",
        root / output,
        reference="*/RS/RS.dcm",
        observers=[SetRole("second", "*/second/*")],
        others=[SetRole("vendor", "*/vendor/*")],
    )


def confirm(request: StudyRequest) -> None:
    path = request.names_file
    path.write_text(path.read_text().replace("confirmed = false", "confirmed = true", 1))


class Study:
    def __init__(self, root: Path) -> None:
        self.places = write_cohort(root / "cohort")
        self.request = request_of(root)
        with pytest.raises(UsageError, match="AC-QA-072"):
            run_study(self.request, Job())
        confirm(self.request)
        self.report: StudyReport = run_study(self.request, Job())
        sources = json.loads((self.request.private / "sources.json").read_text())
        self.names = {
            fault: name for fault, place in self.places.items() for name, source in sources.items()
            if str(place / "CT") == source.get("ct")
        }  # fmt: skip

    def left_out(self, fault):
        return {
            (one["subject"], one["structure"], one["code"])
            for one in self.report.content["left_out"] if one["patient"] == self.names[fault]
        }  # fmt: skip

    def row(self, fault, structure, b="vendor", a="reference"):
        record = next(one for one in self.report.records if one["patient"] == self.names[fault])
        return next((x for x in record["rows"] if (x["structure"], x["a"], x["b"]) == (structure, a, b)), None)

    def result(self, structure):
        return next(one for one in self.report.content["results"] if one["structure"] == structure)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("study"))


def test_a_sound_patient_has_every_comparison(study):
    assert study.row("no heart", "Liver", "second")["dsc"] > study.row("no heart", "Liver")["dsc"] > 0.8
    assert study.row("no heart", "Liver", "vendor", "second")["dsc"] > 0.8
    assert not study.left_out("no heart")


def test_a_missing_organ_is_a_failure_and_not_absent(study):
    row = study.row("no heart", "Heart")
    assert (row["missing"], row["dsc"], row["surface_dsc"]) == (True, 0, 0)
    result = study.result("Heart")
    assert (result["n"], result["failures"]) == (len(study.report.records), 1)
    figures = result["metrics"]["hd95_mm"]
    assert (figures["mean"], figures["infinite"], figures["n"]) == ("infinity", 1, result["n"])
    assert figures["finite_mean"] < 20


def test_an_observers_set_on_another_ct_is_not_used(study):
    """It references the CT of another patient, who then has two sets of that observer."""
    assert ("second", "", "AC-QA-066") in study.left_out("other ct")
    assert study.row("other ct", "Heart", "second") is None
    assert ("second", "", "AC-QA-062") in study.left_out("none")
    assert study.row("none", "Heart", "second") is None


def test_an_observers_set_that_overlaps_nowhere_is_left_out(study):
    assert any(code in ("AC-QA-068", "AC-DS-037") for _, _, code in study.left_out("nowhere"))
    assert study.row("nowhere", "Heart", "second") is None


def test_exchanged_sides_of_a_program_are_failures_of_its_own(study):
    assert study.row("sides", "Lung_L")["dsc"] < 0.1
    assert study.row("none", "Lung_L")["dsc"] > 0.8


def test_a_patient_twice_counts_once(study):
    codes = {code for fault in ("twin", "no heart") for _, _, code in study.left_out(fault)}
    assert "AC-QA-064" in codes
    assert len({record["ct_hash"] for record in study.report.records}) == len(study.report.records)


def test_nothing_is_dropped_silently(study):
    counted = {record["patient"] for record in study.report.records}
    stated = {one["patient"] for one in study.report.content["left_out"]}
    assert set(study.names.values()) <= counted | stated
    assert not study.report.is_complete


def test_the_second_run_reuses_every_record_and_gives_the_same_files(study):
    before = {path.name: path.read_bytes() for path in study.request.output.iterdir() if path.is_file()}
    again = run_study(study.request, Job())
    assert again.reused == len(again.records) == len(study.report.records)
    assert {path.name: path.read_bytes() for path in study.request.output.iterdir() if path.is_file()} == before


def test_other_settings_reuse_nothing(study, tmp_path):
    shutil.copytree(study.request.output, tmp_path / "report")
    shutil.copytree(study.request.private, tmp_path / "report.private")
    tolerances = tmp_path / "tolerances.toml"
    tolerances.write_text(
        '[sources]\nown = "a test"\n[default]\ntau_mm = 3.0\nsource = "own"\n'
        '[structures.Lung]\ntau_mm = 1.0\ndsc = 0.99\nsource = "own"\n'
    )
    request = replace(study.request, output=tmp_path / "report", tolerances=tolerances, pictures=0)
    report = run_study(request, Job())
    assert report.reused == 0
    taus = {row["structure"]: row["tau_mm"] for record in report.records for row in record["rows"]}
    assert taus == {"Heart": 3.0, "Liver": 3.0, "Lung_L": 1.0, "Lung_R": 1.0}
    limits = next(one["limits"] for one in report.content["results"] if one["structure"] == "Lung_L")
    assert limits[0]["within"] is False
    assert limits[0]["source"] == "a test"


def test_a_stopped_run_is_continued(study, tmp_path):
    """Cancelled after two patients: their records are kept."""

    class Stopped(Job):
        def advance(self, stage, fraction):
            super().advance(stage, fraction)
            if stage == "contouring and comparing" and fraction > 0.3:
                self.cancel()

    request = replace(study.request, output=tmp_path / "report", names=study.request.names_file,
                      key=study.request.key_file, pictures=0)  # fmt: skip
    with pytest.raises(Cancelled):
        run_study(request, Stopped())
    assert not (request.output / "report.html").exists()
    stored = len(list((request.output / PATIENTS).glob("*.json")))
    assert stored
    assert run_study(request, Job()).reused >= stored - 1  # one of them may be the twin


def test_a_killed_run_leaves_nothing_that_stops_the_next_one(study):
    """An unfinished file of a process on another machine, and half a record."""
    (study.request.output / ".autocontour-elsewhere-1-x.part").write_bytes(b"x")
    record = next((study.request.output / PATIENTS).glob("*.json"))
    whole = record.read_bytes()
    record.write_bytes(whole[: len(whole) // 2])
    report = run_study(replace(study.request, pictures=0), Job())
    assert report.reused == len(report.records) - 1
    assert record.read_bytes() == whole


def test_the_report_is_one_page_without_identities(study):
    page = (study.request.output / "report.html").read_text()
    assert "data:image/png;base64" in page
    assert not re.search(r"(src|href)=.http", page)
    for path in study.request.output.rglob("*"):
        if path.is_file():
            assert b"Canary" not in path.read_bytes()
            assert b"ID-0000" not in path.read_bytes()
    rows = list(csv.DictReader((study.request.output / "results.csv").open()))
    assert {row["structure"] for row in rows} == set(ORGANS)
    slices = [one for one in csv.DictReader((study.request.output / "slices.csv").open())
              if (one["structure"], one["b"], one["patient"]) == ("Liver", "vendor", study.names["none"])]  # fmt: skip
    total = study.row("none", "Liver")["added_path_length_mm"]
    assert sum(float(one["added_path_length_mm"]) for one in slices) == pytest.approx(total)


def test_an_exchanged_reference_is_reported(study, tmp_path):
    """The program's own contours as the reference, the clinic's as the tested set."""
    cohort = tmp_path / "cohort"
    patient = make_patient(base_phantom(0), 0)
    ct = patient.write(cohort / "one")
    structures = tuple(
        Structure(name, n, patient.contours[name], provenance=Provenance("test", "1"))
        for n, name in enumerate(ORGANS, 1)
    )
    reference = ct.reference
    drawn = StructureSet("AUTO", structures, reference.series_instance_uid, reference.frame_of_reference_uid)
    write_structure_set(drawn, ct, cohort / "one" / "auto" / "RS.dcm")
    request = StudyRequest(cohort, tmp_path / "report", reference="*/auto/*", others=[SetRole("x", "*/RS/*")],
                           names=study.request.names_file)  # fmt: skip
    content = run_study(request, Job()).content
    assert {"AC-QA-067", "AC-QA-069"} <= {one["code"] for one in content["remarks"]}


def test_dose_differences(study, tmp_path):
    """A dose that rises by 0.1 Gy a mm to the left: a set moved by 5 mm gets 0.5 Gy more."""
    place = tmp_path / "cohort" / "one"
    patient = make_patient(base_phantom(0), 0)
    patient.contours = {name: patient.contours[name] for name in ORGANS}
    ct = patient.write(place)
    patient.write_set(ct, place / "vendor" / "RS.dcm", moved(patient.contours, 5))
    write_gradient(place / "dose.dcm", ct.reference.frame_of_reference_uid)
    write_gradient(place / "other.dcm", "1.2.3")
    request = replace(study.request, cohort=tmp_path / "cohort", output=tmp_path / "report", observers=[],
                      names=study.request.names_file, pictures=0)  # fmt: skip
    report = run_study(request, Job())
    found = {(one["structure"], one["figure"]): one for one in report.content["dose_differences"]}
    assert found["Heart", "mean_gy"]["difference"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert found["Liver", "d50_gy"]["difference"]["mean"] == pytest.approx(0.5, abs=0.3)
    assert [one["code"] for one in report.content["left_out"]] == ["AC-QA-082"]
    # A second dose of this CT: neither is used.
    write_gradient(place / "again.dcm", ct.reference.frame_of_reference_uid)
    report = run_study(request, Job())
    assert report.reused == 0
    assert not report.content["dose_differences"]
    assert sorted(one["code"] for one in report.content["left_out"]) == ["AC-QA-082", "AC-QA-083"]


def write_gradient(path, frame):
    values = (100 * (50 + 0.1 * (-400 + 10 * np.arange(81))))[None, None] * np.ones((81, 81, 1))
    write_dose(
        path, Rows=81, Columns=81, NumberOfFrames=81, PixelSpacing=[10, 10], ImagePositionPatient=[-400, -400, -400],
        GridFrameOffsetVector=(10.0 * np.arange(81)).tolist(), FrameOfReferenceUID=frame,
        PixelData=np.rint(values).astype(np.uint32).tobytes(),
    )  # fmt: skip


def test_a_patient_of_the_training_is_left_out(study, tmp_path, monkeypatch):
    """Its figures would be too good; the package that lists nothing is named."""
    place = tmp_path / "cohort" / "one"
    patient = make_patient(base_phantom(0), 0)
    patient.contours = {name: patient.contours[name] for name in ORGANS}
    ct = patient.write(place)
    print_ = ct_fingerprint(ct.hu, ct.geometry.spacing_zyx_mm)
    package = SimpleNamespace(name="net", version="1", metadata={"training": {"fingerprints": [print_]}})
    other = SimpleNamespace(name="old", version="2", metadata={})
    heart = (TemplateStructure("Heart", "Heart"),)
    method = Method("net 1", "net 1 abc", Plan(heart, frozenset(), (package, other), package_is_chosen=True))
    monkeypatch.setattr("autocontour.qa.commissioning.study.run.read_methods", lambda _: [method])
    request = replace(study.request, cohort=tmp_path / "cohort", output=tmp_path / "report", observers=[], others=[],
                      names=study.request.names_file, packages=["net"])  # fmt: skip
    report = run_study(request, Job())
    assert [(one["code"], one["subject"]) for one in report.content["left_out"]] == [("AC-QA-320", "net 1")]
    assert report.content["results"] == []
    assert report.content["without_fingerprints"] == ["old 2"]
    assert "old 2: the package does not list" in (request.output / "report.html").read_text()


def test_the_protocol_of_a_scan_is_recorded_without_free_text(tmp_path, study):
    assert study.report.records[0]["protocol"]["PatientPosition"] == "HFS"
    dataset = pydicom.dcmread(next((study.places["none"] / "CT").iterdir()))
    dataset.ContrastBolusAgent = "given to Mrs Canary"
    dataset.KVP, dataset.ManufacturerModelName = 120, "A\nB"
    dataset.save_as(tmp_path / "one.dcm")
    found = read_protocol(tmp_path / "one.dcm")
    assert (found["ContrastBolusAgent"], found["KVP"], found["ManufacturerModelName"]) == ("stated", "120", "A B")


def write_faulty_sets(folder: Path) -> None:
    """Write patients whose reference has exchanged lungs only, an empty heart, and references to another series."""
    for number, fault in enumerate(("sides", "empty", "series")):
        patient = make_patient(base_phantom(number), number)
        patient.contours = {name: patient.contours[name] for name in ORGANS}
        if fault == "sides":
            left, right = patient.contours["Lung_L"], patient.contours["Lung_R"]
            patient.contours = {"Lung_L": right, "Lung_R": left}
        place = folder / fault
        ct = patient.write(place)
        patient.write_set(ct, place / "vendor" / "RS.dcm")
        path = place / "RS" / "RS.dcm"
        dataset = pydicom.dcmread(path)
        if fault == "empty":
            del dataset.ROIContourSequence[0].ContourSequence
        if fault == "series":
            frame = dataset.ReferencedFrameOfReferenceSequence[0]
            frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID += ".9"
        dataset.save_as(path)


def test_reasons_are_kept_when_all_structures_are_set_aside(study, tmp_path):
    """Each reason for which a structure is not used is in the report, although the patient is left out."""
    write_faulty_sets(tmp_path / "cohort")
    request = StudyRequest(
        tmp_path / "cohort",
        tmp_path / "report",
        reference="*/RS/RS.dcm",
        others=[SetRole("vendor", "*/vendor/*")],
        names=study.request.names_file,
    )
    report = run_study(request, Job())
    places = json.loads((request.private / "sources.json").read_text())
    found = {
        (Path(places[one["patient"]]["ct"]).parent.name, one["structure"], one["code"])
        for one in [*report.content["left_out"], *report.content["remarks"]]
    }
    assert found >= {
        ("sides", "Lung_L", "AC-QA-065"), ("sides", "Lung_R", "AC-QA-065"), ("sides", "", "AC-DS-037"),
        ("empty", "Heart", "AC-QA-085"), ("series", "", "AC-DS-034"),
    }  # fmt: skip
    (reason,) = [one["message"] for one in report.content["left_out"] if one["structure"] == "Lung_L"]
    assert "AC-QA-103 " in reason, "the code alone explains nothing"
    assert len(reason) > 60
    assert len(report.records) == 1
    accepted = run_study(replace(request, with_dangling=True), Job())
    assert len(accepted.records) == 2
    assert accepted.content["settings"]["with_dangling"]
    assert [one["subject"] for one in accepted.content["remarks"] if one["code"] == "AC-QA-086"] == ["reference"]


def test_several_roles_for_one_set_are_refused(study, tmp_path):
    request = replace(study.request, output=tmp_path / "report", others=[SetRole("vendor", "*")],
                      names=study.request.names_file)  # fmt: skip
    with pytest.raises(UsageError, match="AC-QA-093"):
        run_study(request, Job())
    left_out = json.loads((tmp_path / "report" / "report.json").read_text())["left_out"]
    assert "AC-QA-061" in {one["code"] for one in left_out}


@pytest.mark.parametrize("name", ["reference", "consensus", "second"])
def test_a_name_stands_for_one_set(study, tmp_path, name):
    request = replace(study.request, output=tmp_path / "report", others=[SetRole(name, "*/vendor/*")])
    with pytest.raises(UsageError, match="AC-QA-074"):
        run_study(request, Job())


def test_a_package_the_rules_and_the_program_are_methods_of_their_own(study):
    request = replace(study.request, packages=["head-and-neck"], with_rules=True, with_program=True)
    package, rules, program = read_methods(request)
    assert package.plan.by_rules == frozenset()
    assert {"Parotid_L", "Brainstem"} <= package.offered
    assert "Parotid_L" not in rules.offered
    assert not rules.plan.packages
    assert program.offered >= rules.offered
    some = package.plan_for(["Parotid_L", "Heart"])
    assert (some.sources, some.package_is_chosen) == ({"Parotid_L"}, True)
    assert package.plan.packages[0].checksum in package.identity


def test_a_report_inside_the_cohort_or_over_other_files_is_refused(study, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    for output in (study.request.cohort / "report", tmp_path):
        with pytest.raises(UsageError, match="AC-QA-073"):
            run_study(replace(study.request, output=output), Job())


def test_the_number_of_patients_before_a_study(capsys):
    assert main(["commission", "--plan", "--sd", "0.05", "--half-width", "0.02", "--margin", "0.03", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["interval"]["patients"] == 27
    assert content["non_inferiority"]["patients"] == 18
    assert main(["commission", "--plan", "--sd", "0.05"]) == 2
    assert main(["commission", "somewhere"]) == 2


def test_a_batch_job_sees_what_was_left_out_in_the_exit_code(study, capsys):
    command = ["commission", str(study.request.cohort), "-o", str(study.request.output), "--no-contouring"]
    command += ["--reference", "*/RS/RS.dcm", "--observer", "second=*/second/*", "--other", "vendor=*/vendor/*"]
    assert main([*command, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["left_out"]
    assert main([*command, "--rules"]) == 2
    assert main([*command, "--other", "nothing"]) == 2


def test_rules_against_clinical_lungs(dicom_data, tmp_path):
    for name in ("lung1-001", "lung1-002", "lung1-007"):
        shutil.copytree(dicom_data / name / "ct", tmp_path / "cohort" / name / "ct")
        shutil.copy(dicom_data / name / "rtstruct.dcm", tmp_path / "cohort" / name)
    request = StudyRequest(
        tmp_path / "cohort", tmp_path / "report", with_rules=True, structures=["Lung_L", "Lung_R"], pictures=1
    )
    with pytest.raises(UsageError, match="AC-QA-072"):
        run_study(request, Job())
    confirm(request)
    report = run_study(request, Job())
    # One set refers to images that are not in its CT; it is left out with that reason.
    assert [one["code"] for one in report.content["left_out"] if one["severity"] == "BLOCK"] == ["AC-DS-034"]
    for result in report.content["results"]:
        assert (result["n"], result["failures"]) == (2, 0)
        assert result["metrics"]["dsc"]["minimum"] > 0.93
        assert result["metrics"]["dsc"]["mean_interval"] is None
