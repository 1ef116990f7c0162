"""A package for one patient: bound, expiring, learnt from approved contours only."""

import copy
import json
from dataclasses import replace
from datetime import date

import pytest

from autocontour.base.errors import AdaptError, Cancelled, ModelError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.course import Adaptation, adapt_package
from autocontour.course.adapt import _choose, unused_structures
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.models import read_package, segment_structures
from autocontour.models.inference.infer import check_patient
from autocontour.models.package.patient import PatientBinding, patient_key
from autocontour.patient.identity import PatientFacts
from autocontour.patient.structures import ReviewStatus
from autocontour.rtstruct import read_structure_set
from tests.models.toy_patients import toy_data, train_package
from tests.models.training.test_loop import StopAfter

__all__ = ["toy_data"]
TODAY = date(2026, 11, 26)


@pytest.fixture(scope="module")
def general(toy_data, tmp_path_factory):
    return train_package(toy_data, tmp_path_factory.mktemp("run"), 2)


@pytest.fixture(scope="module")
def planning(tmp_path_factory):
    """Folder of a phantom head and neck: CT and true contours."""
    folder = tmp_path_factory.mktemp("phantom") / "hn"
    command = ["phantom", "-o", folder, "--spacing", "6", "4", "4", "--shape", "67", "128", "128", "--seed", "3"]
    assert main([str(part) for part in command]) == 0
    return folder


@pytest.fixture(scope="module")
def adaptation(planning, general):
    (series,) = planning_cts(scan_folder(planning / "CT", Job()))
    ct = read_ct(series, Job())
    drawn = read_structure_set(planning / "RS_truth.dcm", ct)
    approved = tuple(replace(one, status=ReviewStatus.APPROVED) for one in drawn.structures)
    return Adaptation(ct, replace(drawn, structures=approved), general, steps=1)


@pytest.fixture(scope="module")
def adapted(adaptation, tmp_path_factory):
    return adapt_package(adaptation, tmp_path_factory.mktemp("adapted") / "mine", Job(), TODAY)


def test_the_package_has_a_name_of_its_own_and_states_what_it_learnt(adapted, general):
    assert adapted.name.startswith(f"{general.name}-patient-")
    learnt = adapted.metadata["training"]["retrained"][-1]
    assert learnt["structures"] == ["Brainstem", "Parotid_R", "Parotid_L"]
    assert not adapted.path.with_name("mine.run").exists()


def test_neither_the_patient_nor_the_ct_is_in_the_package(adapted, adaptation):
    facts = PatientFacts.of(adaptation.ct)
    files = list(adapted.path.iterdir())
    assert {path.suffix for path in files} <= {".json", ".safetensors", ""}
    for path in files:
        data = path.read_bytes()
        for secret in (facts.patient_id, *facts.name.split()):
            assert len(secret) < 3 or secret.encode() not in data


def test_it_is_used_for_its_patient_until_it_expires(adapted, adaptation):
    check_patient(adaptation.ct, adapted, TODAY)
    check_patient(adaptation.ct, adapted, date(2027, 1, 24))
    with pytest.raises(ModelError, match=r"AC-MD-064.*2027-01-25"):
        check_patient(adaptation.ct, adapted, date(2027, 1, 25))


@pytest.mark.parametrize("keyword", ["PatientID", "PatientBirthDate"])
def test_it_is_refused_for_anyone_else(adapted, adaptation, keyword):
    header = copy.deepcopy(adaptation.ct.reference.header)
    setattr(header, keyword, "19000101" if keyword.endswith("Date") else "OTHER")
    other = replace(adaptation.ct, reference=replace(adaptation.ct.reference, header=header))
    with pytest.raises(ModelError, match="AC-MD-063"):
        segment_structures(other, adapted, device="torch-cpu")


def test_a_ct_without_patient_id_gets_no_package_and_no_contours(adapted, adaptation, tmp_path):
    header = copy.deepcopy(adaptation.ct.reference.header)
    header.PatientID = ""
    nameless = replace(adaptation.ct, reference=replace(adaptation.ct.reference, header=header))
    with pytest.raises(ModelError, match="AC-MD-063"):
        check_patient(nameless, adapted, TODAY)
    with pytest.raises(AdaptError, match="AC-AD-001"):
        adapt_package(replace(adaptation, ct=nameless), tmp_path / "p", Job())


def test_unapproved_contours_are_not_learnt_unless_asked(adaptation, tmp_path):
    drawn = [
        replace(one, status=ReviewStatus.AUTO) if one.name == "Parotid_L" else one
        for one in adaptation.structure_set.structures
    ]
    plan = replace(adaptation, structure_set=replace(adaptation.structure_set, structures=tuple(drawn)))
    with pytest.raises(AdaptError, match=r"AC-AD-003.*Parotid_L"):
        adapt_package(plan, tmp_path / "p", Job())
    assert adapt_package(replace(plan, unapproved=True), tmp_path / "p", Job()).patient is not None


TOY = ("Brainstem", "Parotid_R", "Parotid_L")


def test_a_structure_that_the_general_package_does_not_have_is_learnt_too(adaptation, tmp_path):
    package = adapt_package(replace(adaptation, added=("SpinalCord",)), tmp_path / "p", Job())
    assert list(package.structures) == [*TOY, "SpinalCord"]


def test_a_structure_that_is_not_in_the_set_is_named(adaptation, tmp_path):
    with pytest.raises(AdaptError, match=r"AC-AD-004.*CTV_High"):
        adapt_package(replace(adaptation, added=("CTV_High",)), tmp_path / "p", Job())


def with_structures(adaptation, *structures):
    return replace(adaptation, structure_set=replace(adaptation.structure_set, structures=tuple(structures)))


def test_the_structure_with_the_very_name_is_learnt_not_an_older_one_with_the_same_tg263_name(adaptation):
    by_name = {one.name: one for one in adaptation.structure_set.structures}
    left, right = by_name["Parotid_L"], by_name["Parotid_R"]
    older = replace(left, name="Parotid L old", number=77, contours=right.contours, tg263_name="Parotid_L")
    plan = with_structures(adaptation, older, left)
    assert [(one.name, one.contours) for one in _choose(plan)] == [("Parotid_L", left.contours)]
    assert [(one.code, one.where) for one in unused_structures(plan)] == [("AC-AD-011", "Parotid L old")]


def test_two_structures_with_one_tg263_name_are_not_chosen_between(adaptation, tmp_path):
    left = next(one for one in adaptation.structure_set.structures if one.name == "Parotid_L")
    both = [replace(left, name=name, number=k, tg263_name="Parotid_L") for k, name in enumerate(("P li", "P L"), 80)]
    with pytest.raises(AdaptError, match=r"AC-AD-008.*Parotid_L.*P li, P L"):
        adapt_package(with_structures(adaptation, *both), tmp_path / "p", Job())
    plan = with_structures(adaptation, both[0])
    assert [one.name for one in _choose(plan)] == ["Parotid_L"]
    assert list(unused_structures(plan)) == []


def test_a_structure_without_contours_is_stated(adaptation):
    brainstem, *_ = (one for one in adaptation.structure_set.structures if one.name == "Brainstem")
    plan = with_structures(adaptation, replace(brainstem, contours={}))
    assert [(one.code, one.where) for one in unused_structures(plan)] == [("AC-AD-011", "Brainstem")]


def test_no_package_is_made_from_the_package_of_a_patient(adaptation, adapted, tmp_path):
    with pytest.raises(AdaptError, match="AC-AD-005"):
        adapt_package(replace(adaptation, package=adapted), tmp_path / "p", Job())


def test_a_stopped_run_goes_on_and_leaves_no_voxels(adaptation, tmp_path):
    plan = replace(adaptation, steps=3)
    with pytest.raises(Cancelled):
        adapt_package(plan, tmp_path / "p", StopAfter(3))
    assert not (tmp_path / "p").exists()
    assert adapt_package(plan, tmp_path / "p", Job()).metadata["training"]["retrained"][-1]["steps"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_the_command(planning, general, tmp_path, capsys):
    ct, rs, output = planning / "CT", planning / "RS_truth.dcm", tmp_path / "mine"
    command = ["adapt", ct, rs, "-o", output, "--package", general.path, "--steps", "1", "--json"]
    refused = main([str(part) for part in command])
    assert refused == AdaptError.exit_code
    assert "AC-AD-003" in capsys.readouterr().out
    assert main([*(str(part) for part in command), "--unapproved"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["learnt"] == list(TOY)
    assert "AC-AD-010" in {finding["code"] for finding in report["findings"]}
    assert read_package(output).patient.expires == report["expires"]
    assert main([*(str(part) for part in command), "--unapproved"]) == AdaptError.exit_code
    assert "AC-AD-007" in capsys.readouterr().out


def test_the_key_needs_id_and_birth_date():
    facts = PatientFacts(patient_id="12", birth_date="1950-01-01")
    salt = "0" * 64
    same = replace(facts, patient_id=" 12 ", name="Other^Name")
    assert patient_key(facts, salt) == patient_key(same, salt)
    assert patient_key(facts, salt) != patient_key(replace(facts, patient_id="1", birth_date="21950-01-01"), salt)
    assert PatientBinding.of(facts, 3, TODAY).salt != PatientBinding.of(facts, 3, TODAY).salt
