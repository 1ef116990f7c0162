"""Which patients and sets of a cohort count: copies, two CTs of a patient, contours outside the CT, tolerances."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from autocontour.base.errors import UsageError
from autocontour.base.jobs import Job
from autocontour.qa.commissioning.study.request import SetRole, StudyRequest
from autocontour.qa.commissioning.study.run import run_study
from autocontour.selftest.planted import base_phantom, make_patient

ORGANS = ("Heart", "Liver")


def write_patient(folder, number, **description):
    patient = make_patient(base_phantom(number), number)
    patient.contours = {name: patient.contours[name] for name in ORGANS}
    patient.description = replace(patient.description, **description)
    patient.write(folder)
    return patient


def run(root, **values):
    """Run a study without pictures; the first run writes the names, which are confirmed."""
    request = StudyRequest(root / "cohort", root / "report", reference="*/RS/*", pictures=0, **values)
    with pytest.raises(UsageError, match="AC-QA-072"):
        run_study(request, Job())
    path = request.names_file
    path.write_text(path.read_text().replace("confirmed = false", "confirmed = true", 1))
    return run_study(request, Job()).content


def others():
    return [SetRole("vendor", "*/vendor/*")]


def test_a_copy_of_a_set_in_the_folder_of_another_patient_has_its_own_message(tmp_path):
    places = [tmp_path / "cohort" / f"patient{number}" for number in range(2)]
    for number, place in enumerate(places):
        write_patient(place, number)
    shutil.copy(places[0] / "RS" / "RS.dcm", places[1] / "RS" / "RS.dcm")
    content = run(tmp_path, others=others(), with_rules=False)
    found = {one["code"]: one for one in content["left_out"]}
    assert {"AC-DS-048", "AC-DS-030"} <= found.keys()
    sources = json.loads((tmp_path / "report.private" / "sources.json").read_text())
    assert sources[found["AC-DS-048"]["patient"]]["file"] == str(places[1] / "RS" / "RS.dcm")
    assert found["AC-DS-030"]["patient"] in found["AC-DS-048"]["message"]
    assert len(content["patients"]) == 1


def test_a_copy_beside_the_own_ct_is_no_fault(tmp_path):
    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    shutil.copytree(place / "RS", place / "RS" / "again")
    content = run(tmp_path, others=others())
    assert {one["code"] for one in content["left_out"]} == {"AC-QA-066"}


def test_a_copy_of_the_reference_in_the_place_of_another_program_is_stated(tmp_path):
    """Its folder sorts before that of the reference: the reference still counts."""
    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    (place / "AA").mkdir()
    shutil.copy(place / "RS" / "RS.dcm", place / "AA" / "RS.dcm")
    content = run(tmp_path, others=[SetRole("vendor", "*/AA/*")])
    (remark,) = [one for one in content["left_out"] if one["code"] == "AC-QA-087"]
    assert "reference" in remark["message"]
    assert "vendor" in remark["message"]
    assert [sorted(one["sets"]) for one in content["patients"]] == [["reference"]]


def test_two_cts_of_one_patient_are_recognized_by_name_and_date_of_birth(tmp_path, monkeypatch):
    """Without a Patient ID both counted as patients of their own."""
    for number in range(2):
        write_patient(tmp_path / "cohort" / f"patient{number}", number, patient_id="")
    content = run(tmp_path, others=others())
    assert [one["code"] for one in content["left_out"]].count("AC-DS-044") == 2  # nothing recognizes them
    assert len(content["patients"]) == 2
    person = frozenset({"person canary 19500101"})
    monkeypatch.setattr("autocontour.qa.commissioning.study.cohort.read_identities", lambda _: person)
    content = run_study(StudyRequest(tmp_path / "cohort", tmp_path / "report", reference="*/RS/*", pictures=0,
                                     others=others()), Job()).content  # fmt: skip
    assert [one["code"] for one in content["left_out"]].count("AC-QA-064") == 1
    assert len(content["patients"]) == 1


def test_tolerances_with_a_typing_error_in_a_name_are_stated(tmp_path):
    """The default tau was used for the organ without a word."""
    write_patient(tmp_path / "cohort" / "patient0", 0)
    tolerances = tmp_path / "tolerances.toml"
    entries = "".join(f'[structures.{name}]\ntau_mm = 1.0\nsource = "own"\n' for name in ("Hart", "Liver", "Parotid"))
    default = '[default]\ntau_mm = 3.0\nwhere_drawn = true\nsource = "own"\n'
    tolerances.write_text(f'[sources]\nown = "a test"\n{default}{entries}')
    content = run(tmp_path, others=others(), tolerances=tolerances)
    (remark,) = [one for one in content["remarks"] if one["code"] == "AC-QA-088"]
    assert remark["message"].count("'") == 2 and "Hart" in remark["message"]  # noqa: PT018


def rewrite(path, change, out):
    """Write a changed copy of a structure set under a UID of its own."""
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    out.parent.mkdir()
    dataset.save_as(out)


def shift(dataset, offset_mm):
    for roi in dataset.ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.reshape([float(value) for value in contour.ContourData], (-1, 3)) + offset_mm
            contour.ContourData = [f"{value:.3f}" for value in points.ravel()]
            del contour.ContourImageSequence


def other_frame(dataset, count):
    for roi in list(dataset.StructureSetROISequence)[:count]:
        roi.ReferencedFrameOfReferenceUID = "1.2.3"


@pytest.mark.parametrize("offset", [(0, 0, 160.0), (200.0, 0, 0)])
def test_contours_of_a_program_outside_the_ct_are_stated(tmp_path, offset):
    """What lies outside was cut off without a word, and the volume was that of the rest."""
    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    rewrite(place / "RS" / "RS.dcm", lambda dataset: shift(dataset, offset), place / "vendor" / "RS.dcm")
    content = run(tmp_path, others=others())
    remarks = [one for one in content["remarks"] if one["code"] == "AC-QA-089"]
    assert {one["subject"] for one in remarks} == {"vendor"}
    codes = " ".join(one["message"] for one in remarks)
    assert "AC-RS-02" in codes or "AC-RS-032" in codes, codes


def test_a_set_in_another_frame_of_reference_is_no_failure_of_the_program(tmp_path):
    """Every structure counted as not drawn, with a DSC of 0."""
    for number, count in enumerate((1, 2)):
        place = tmp_path / "cohort" / f"patient{number}"
        write_patient(place, number)
        rewrite(place / "RS" / "RS.dcm", lambda dataset, n=count: other_frame(dataset, n), place / "vendor" / "RS.dcm")
    content = run(tmp_path, others=others())
    left_out = {(one["code"], one["structure"]) for one in content["left_out"]}
    assert left_out == {("AC-QA-090", "Heart"), ("AC-DS-049", "")}
    assert [(one["structure"], one["n"], one["failures"]) for one in content["results"]] == [("Liver", 1, 0)]


def test_an_organ_under_a_name_that_is_not_known_is_not_called_missing_without_a_word(tmp_path):
    """Confirming the whole file leaves out names that are in no nomenclature: the program seemed not to draw it."""

    def rename(dataset):
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.StructureSetROISequence[0].ROIName = "心臓"

    for number, change in enumerate((rename, str)):  # the program drew the organ of the second patient
        place = tmp_path / "cohort" / f"patient{number}"
        write_patient(place, number)
        rewrite(place / "RS" / "RS.dcm", change, place / "vendor" / "RS.dcm")
    content = run(tmp_path, others=others())
    (remark,) = [one for one in content["remarks"] if one["code"] == "AC-QA-091"]
    assert "no Heart" in remark["message"]
    assert next(one for one in content["results"] if one["structure"] == "Heart")["failures"] == 1


def half_a_slice(dataset):
    """Move every contour half the distance of its first two slices."""
    for roi in dataset.ROIContourSequence:
        heights = sorted({float(contour.ContourData[2]) for contour in roi.ContourSequence})
        step = (heights[1] - heights[0]) / 2
        for contour in roi.ContourSequence:
            points = np.reshape([float(value) for value in contour.ContourData], (-1, 3)) + np.array([0, 0, step])
            contour.ContourData = [f"{value:.3f}" for value in points.ravel()]


def test_a_set_half_a_slice_off_is_not_called_identical(tmp_path):
    """Reading places it on the slices of the reference; it was called a copy, and left out of the spread."""
    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    rewrite(place / "RS" / "RS.dcm", half_a_slice, place / "second" / "RS.dcm")
    rewrite(place / "RS" / "RS.dcm", lambda dataset: setattr(dataset, "StructureSetLabel", "COPY"),
            place / "third" / "RS.dcm")  # fmt: skip
    observers = [SetRole(name, f"*/{name}/*") for name in ("second", "third")]
    content = run(tmp_path, observers=observers, others=others())
    found = {(one["code"], one["subject"]) for one in content["remarks"]}
    assert {("AC-QA-089", "second"), ("AC-QA-069", "third")} <= found
    assert ("AC-QA-069", "second") not in found
    assert [(one["pairs"], len(one["identical"])) for one in content["observers"]] == [(2, 1)] * 2


def test_an_organ_that_one_of_several_observers_did_not_draw_is_stated(tmp_path):
    """The figures between the observers were of fewer patients without a word."""

    def drop(dataset, count):
        for keyword in ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"):
            setattr(dataset, keyword, dataset[keyword].value[count:])

    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    for count, name in enumerate(("second", "third")):
        rewrite(place / "RS" / "RS.dcm", lambda dataset, n=count: drop(dataset, n), place / name / "RS.dcm")
    observers = [SetRole(name, f"*/{name}/*") for name in ("second", "third")]
    content = run(tmp_path, observers=observers, others=others())
    (remark,) = [one for one in content["remarks"] if one["code"] == "AC-QA-092"]
    assert remark["subject"] == "third"
    assert "no Heart, which" in remark["message"]
    assert [(one["structure"], one["n"]) for one in content["volumes"]] == []


def test_names_are_not_asked_to_be_confirmed_where_none_waits(tmp_path):
    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    request = StudyRequest(tmp_path / "cohort", tmp_path / "report", reference="*/RS/*", pictures=0, others=others())
    with pytest.raises(UsageError, match="AC-QA-072"):
        run_study(request, Job())
    path = request.names_file
    path.write_text(path.read_text().replace("confirmed = false", "confirmed = true", 1))
    with pytest.raises(UsageError, match="AC-QA-093"):
        run_study(replace(request, reference="*/nowhere/*"), Job())


def test_a_reference_that_is_an_unchanged_contour_of_the_program_is_stated(tmp_path):
    """Its DSC of 1 counted as a result of the program, unless the whole set was a copy."""

    def change(dataset):
        (liver,) = [one.ROINumber for one in dataset.StructureSetROISequence if one.ROIName == "Liver"]
        for roi in dataset.ROIContourSequence:
            for contour in roi.ContourSequence if roi.ReferencedROINumber == liver else ():
                points = np.reshape([float(value) for value in contour.ContourData], (-1, 3)) + np.array([3, 0, 0])
                contour.ContourData = [f"{value:.3f}" for value in points.ravel()]

    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    rewrite(place / "RS" / "RS.dcm", change, place / "vendor" / "RS.dcm")
    content = run(tmp_path, others=others())
    (remark,) = [one for one in content["remarks"] if one["subject"] == "vendor"]
    assert remark["code"] == "AC-QA-094", content["remarks"]
    assert "of Heart is" in remark["message"]


def test_kappa_and_consensus_are_without_an_observer_who_is_left_out(tmp_path):
    """A set that lies nowhere on the reference was left out of the pairs only."""

    def exchange_names(dataset):
        first, second = dataset.StructureSetROISequence
        first.ROIName, second.ROIName = str(second.ROIName), str(first.ROIName)

    place = tmp_path / "cohort" / "patient0"
    write_patient(place, 0)
    rewrite(place / "RS" / "RS.dcm", lambda dataset: shift(dataset, (2, 0, 0)), place / "second" / "RS.dcm")
    rewrite(place / "RS" / "RS.dcm", exchange_names, place / "third" / "RS.dcm")
    content = run(tmp_path, observers=[SetRole(name, f"*/{name}/*") for name in ("second", "third")], others=others())
    assert "AC-QA-068" in {one["code"] for one in content["left_out"]}
    for one in content["observers"]:
        assert (one["pairs"], one["kappa_patients"], one["consensus_dsc"]) == (1, 1, None)
        assert one["kappa_mean"] > 0.8
