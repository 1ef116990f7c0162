"""Where structures are from and where they go: approved cases of the program, training."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from shapely import affinity

from autocontour.archive.build import BuildRequest, build_dataset
from autocontour.base.errors import CTError, DatasetError
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.case.follow import accept_followed
from autocontour.cli import main
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.models.data.dataset import read_index, read_patient
from autocontour.patient.structures import GenerationAlgorithm, Structure
from autocontour.qa.commissioning.cohort import read_cases
from tests.archive.conftest import build_confirmed
from tests.models.toy_patients import config_text


def write_case(patient, root, *, is_followed=False):
    """A case with an approved, an approved and edited, and an unapproved structure; in the edited one others follow."""
    folder = patient.folder / "CT"
    ct = read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())
    with actions.open_case(ct, root=root, source=folder) as case:
        for number, name in enumerate(("Heart", "Lung_L", "Liver"), 1):
            drawn = Structure(name, number, patient.contours[name], generation=GenerationAlgorithm.AUTOMATIC)
            case.apply(actions.receive(case.state, drawn))
        lung = case.state.find("Lung_L").structure
        middle = sorted(lung.contours)[10]
        case.apply(actions.redraw(lung.number, {middle: affinity.scale(lung.contours[middle], 0.9, 0.9)}))
        if is_followed:
            others = {z: affinity.scale(shape, 1.02, 1.02) for z, shape in lung.contours.items() if z != middle}
            case.apply(accept_followed(case.state, lung.number, others))
        for name in ("Heart", "Lung_L"):
            number = case.state.find(name).structure.number
            case.apply(actions.approve(case.state, number, reviewer="A. Physicist"))
        return case.folder


def test_approved_structures_of_cases_are_used_and_the_case_is_not_touched(one_patient, tmp_path):
    patient, _ = one_patient()
    (patient.folder / "RS" / "RS.dcm").unlink()
    folder = write_case(patient, tmp_path / "cases")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    request = BuildRequest(tmp_path / "archive", tmp_path / "data", cases=tmp_path / "cases")
    report = build_confirmed(request)
    (entry,) = report.index["patients"]
    origins = {name: stored["origin"] for name, stored in entry["structures"].items()}
    assert origins == {"Heart": "approved unedited", "Lung_L": "approved"}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    for path in request.output.rglob("*"):
        assert not path.is_file() or b"Physicist" not in path.read_bytes()


def test_followed_slices_that_were_approved_count_less_than_drawn_and_more_than_unedited_ones(one_patient, tmp_path):
    patient, _ = one_patient()
    (patient.folder / "RS" / "RS.dcm").unlink()
    write_case(patient, tmp_path / "cases", is_followed=True)
    request = BuildRequest(tmp_path / "archive", tmp_path / "data", cases=tmp_path / "cases")
    index = build_confirmed(request).index
    (entry,) = index["patients"]
    assert entry["structures"]["Lung_L"]["origin"] == "approved followed"
    sample = read_patient(request.output, entry, index, ["Heart", "Lung_L"])
    unedited, followed = sample.trust.tolist()
    assert 0 < unedited < followed < 1


def test_a_case_whose_ct_is_not_in_the_archive_is_read_from_its_own_place(one_patient, tmp_path):
    patient, _ = one_patient()
    write_case(patient, tmp_path / "cases")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.dcm").write_bytes((patient.folder / "RS" / "RS.dcm").read_bytes())
    request = BuildRequest(tmp_path / "other", tmp_path / "data", cases=tmp_path / "cases")
    report = build_confirmed(request)
    assert len(report.index["patients"]) == 1


def test_a_case_and_a_structure_set_on_one_ct_need_a_decision(one_patient, tmp_path):
    patient, _ = one_patient()
    write_case(patient, tmp_path / "cases")
    request = BuildRequest(tmp_path / "archive", tmp_path / "data", cases=tmp_path / "cases")
    with pytest.raises(DatasetError, match="AC-DS-002"):
        build_confirmed(request)
    sources = json.loads((request.private / "sources.json").read_text())
    ((name, source),) = sources.items()
    chosen = next(one for one, drawn in source["structure_sets"].items() if drawn["label"] == "approved case")
    request.decisions_file.write_text(f'[[decisions]]\npatient = "{name}"\nstructure_set = "{chosen}"\n')
    (entry,) = build_dataset(request, Job()).index["patients"]
    assert set(entry["structures"]) == {"Heart", "Lung_L"}


def test_a_case_without_an_approved_structure_is_set_aside(one_patient, tmp_path):
    patient, ct = one_patient()
    with actions.open_case(ct, root=tmp_path / "cases") as case:
        case.apply(actions.receive(case.state, Structure("Heart", 1, patient.contours["Heart"])))
    request = BuildRequest(tmp_path / "archive", tmp_path / "data", cases=tmp_path / "cases")
    report = build_confirmed(request)
    assert [one.finding.code for one in report.excluded] == ["AC-DS-043"]
    assert len(report.index["patients"]) == 1


@pytest.mark.slow
def test_training_reads_the_data_set(small, tmp_path, capsys):
    text = config_text(small.request.output, steps=2)
    for toy, organ in (("Brainstem", "Heart"), ("Parotid_L", "Lung_L"), ("Parotid_R", "Lung_R")):
        text = text.replace(toy, organ)
    path = tmp_path / "config.toml"
    path.write_text(text.replace("validation_patients = 2", "validation_patients = 1"))
    assert main(["train", str(path), "-o", str(tmp_path / "run"), "--stage", "segmenter", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["segmenter"]["steps"] == 2
    names = {entry["patient"] for entry in read_index(small.request.output)["patients"]}
    data = json.loads((tmp_path / "run" / "data.json").read_text())
    assert {*data["training"], *data["validation"]} == names
    assert (len(data["validation"]), data["quarantined"]) == (1, {})


def test_more_structures_than_bits_can_be_read(small):
    """An array of 16-bit numbers held 16 structures; a data set has one plane for each."""
    index = read_index(small.request.output)
    entry = index["patients"][0]
    names = [*entry["structures"], *(f"GTV_{n}" for n in range(40))]
    sample = read_patient(small.request.output, entry, index, names)
    assert len(sample.planes) == len(names) > 16
    assert np.count_nonzero(sample.known) == len(entry["structures"])


def test_measurements_read_the_data_set(small):
    package = SimpleNamespace(structures={"Heart": None, "Lung_L": None, "Brainstem": None}, metadata={})
    cases = list(read_cases(small.request.output, "train", package))
    assert len(cases) == 3
    for case in cases:
        assert set(case.references) == {"Heart", "Lung_L"}
        assert all(mask.shape == case.ct.hu.shape and mask.any() for mask in case.references.values())


@pytest.mark.parametrize("kind", ["missing", "without a DICOM file"])
def test_an_archive_that_cannot_be_read_leaves_no_folders(tmp_path, kind):
    archive = tmp_path / "archive"
    if kind != "missing":
        archive.mkdir()
        (archive / "notes.txt").write_text("no DICOM")
    with pytest.raises(CTError, match="AC-CT-063" if kind == "missing" else "AC-CT-002"):
        build_dataset(BuildRequest(archive, tmp_path / "data"), Job())
    assert [path.name for path in tmp_path.iterdir() if path != archive] == []


def test_a_data_set_that_exists_is_kept_when_its_archive_is_empty(copied, tmp_path):
    (tmp_path / "empty").mkdir()
    before = (copied.request.output / "index.json").read_bytes()
    with pytest.raises(CTError):
        build_dataset(BuildRequest(tmp_path / "empty", copied.request.output), Job())
    assert (copied.request.output / "index.json").read_bytes() == before
    assert copied.request.key_file.is_file()


@pytest.mark.parametrize("kind", ["missing", "empty", "a case itself"])
def test_a_folder_without_cases_is_not_taken_for_no_cases(small, tmp_path, kind):
    cases = tmp_path / "cases"
    if kind != "missing":
        cases.mkdir()
    if kind == "a case itself":
        (cases / "case.json").write_text("{}")
    request = BuildRequest(small.request.archive, tmp_path / "data", cases=cases)
    with pytest.raises(DatasetError, match=r"AC-DS-012.*cases"):
        build_dataset(request, Job())
    assert not request.output.exists()


def test_a_file_of_decisions_with_a_typing_error_is_not_created(small, tmp_path):
    request = BuildRequest(small.request.archive, tmp_path / "data", decisions=tmp_path / "decisoins.toml")
    with pytest.raises(DatasetError, match=r"AC-DS-013.*decisoins\.toml"):
        build_dataset(request, Job())
    assert list(tmp_path.iterdir()) == []
