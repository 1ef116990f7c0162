"""Who draws what: the rules, the packages that fit, or the one that was chosen."""

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from shapely import MultiPolygon, box

from autocontour import models, rules
from autocontour.base.errors import ModelError, UsageError
from autocontour.base.findings import Finding
from autocontour.cli import main
from autocontour.models import Segmentation, available_packages
from autocontour.models.package import library
from autocontour.models.package.history import accept_package
from autocontour.models.package.library import BUNDLED, install_folder
from autocontour.models.package.members import CHECKSUMS, METADATA, checksums_of, read_members
from autocontour.models.package.package import write_members
from autocontour.models.package.patient import PatientBinding
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.identity import PatientFacts
from autocontour.patient.structures import Drawing
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.contour import check_drawn, contour_ct
from autocontour.pipeline.plan import RULES, build_plan, for_patient, list_drawable, read_plan

pytestmark = pytest.mark.skipif(not (BUNDLED / "head-and-neck").is_dir(), reason="no bundled package")
SQUARE = {0: MultiPolygon([box(-9, -9, 9, 9)])}


def install_copy(name, site="THORAX", first="Lung_L", withheld=(), **about):
    """Install the bundled package under another name; its first structure gets another name too."""
    members = dict(read_members(BUNDLED / "head-and-neck"))
    metadata = json.loads(members[METADATA])
    metadata |= {"name": name, "version": "2.0.0", "body_site": site, **about}
    text = json.dumps(metadata).replace('"Brainstem"', f'"{first}"')
    metadata = json.loads(text)
    for structure in metadata["structures"]:
        structure["drawn"] = structure["name"] not in withheld
    members[METADATA] = json.dumps(metadata).encode()
    members[CHECKSUMS] = checksums_of({key: value for key, value in members.items() if key != CHECKSUMS})
    folder = install_folder() / name
    folder.mkdir(parents=True)
    write_members(folder, members.items())


@pytest.fixture
def own_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path)
    install_copy("our-thorax", withheld=("Larynx", "PTV_High"))
    accept_package("our-thorax", reason="copied by hand", by="A. Physicist")


@pytest.fixture
def drawn(monkeypatch):
    """Everything is drawn as a square by whoever is asked; return who was."""
    asked = {}

    def by_rules(ct, names, job, **options):
        asked["rules"] = list(names)
        return {name: Drawing(SQUARE) for name in names}

    def by_network(ct, package, names, job, device):
        asked[package.name] = list(names)
        return Segmentation({name: Drawing(SQUARE) for name in names}, dict.fromkeys(names, 0.9))

    monkeypatch.setattr(rules, "draw_structures", by_rules)
    monkeypatch.setattr(models, "segment_structures", by_network)
    return asked


def ct():
    return CTVolume(np.zeros((2, 20, 20), np.int16), VolumeGeometry.regular((2, 20, 20), (3, 1, 1), (-10, -10, 0)))


def provenance(contoured):
    return {structure.name: structure.provenance.algorithm for structure in contoured.structure_set.structures}


@pytest.mark.usefixtures("own_packages")
def test_who_may_draw_is_listed():
    packages = available_packages()
    assert [package.name for package in packages] == ["our-thorax", "head-and-neck"]
    every = {one.name: one for one in list_drawable(packages)}
    assert every["Trachea"].drawn_by == (RULES,)
    assert every["Lung_L"].drawn_by == (RULES, "our-thorax 2.0.0")
    assert every["SpinalCord"].drawn_by == ("our-thorax 2.0.0", f"head-and-neck {packages[1].version}")
    assert every["Larynx"].by_default  # one of the two draws it unasked
    assert not every["PTV_High"].by_default
    chosen = {one.name: one for one in list_drawable(packages[:1], is_chosen=True)}
    assert chosen["Lung_L"].drawn_by == ("our-thorax 2.0.0",)
    assert chosen["Trachea"].drawn_by == (RULES,)
    assert "Brainstem" not in chosen


@pytest.mark.usefixtures("own_packages")
def test_without_a_choice_the_rules_come_first(drawn):
    by = provenance(contour_ct(ct()))
    assert by["Lung_L"] == RULES
    assert by["SpinalCord"] == "our-thorax"
    assert by["Brainstem"] == "head-and-neck"
    assert by["Larynx"] == "head-and-neck"
    assert "PTV_High" not in by
    assert "Lung_L" not in drawn["our-thorax"]


@pytest.mark.usefixtures("own_packages")
def test_the_chosen_package_draws_what_it_knows_and_the_rules_the_rest(drawn):
    by = provenance(contour_ct(ct(), read_plan(package_name="our-thorax")))
    assert by["Lung_L"] == "our-thorax"
    assert by["Lung_R"] == RULES
    assert "head-and-neck" not in drawn
    assert "Lung_L" not in drawn["rules"]
    with pytest.raises(UsageError, match="AC-US-012"):
        read_plan(names=("Brainstem",), package_name="our-thorax")
    with pytest.raises(ModelError, match="AC-MD-017"):
        read_plan(package_name="none such")


def test_what_is_withheld_is_drawn_when_asked_for_by_name(drawn):
    assert provenance(contour_ct(ct(), build_plan(names=("PTV_High",)))) == {"PTV_High": "head-and-neck"}
    assert "rules" not in drawn


def test_the_command_takes_the_choice_by_the_same_word(tmp_path, capsys):
    path = tmp_path / "ct.nrrd"
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct().hu), str(path))
    code = main(["contour", str(path), "-o", str(tmp_path / "out"), "--package", "none such"])
    assert code == ModelError.exit_code
    assert "AC-MD-017" in capsys.readouterr().err


@pytest.mark.usefixtures("own_packages")
def test_chosen_package_that_draws_nothing_is_an_error(drawn, monkeypatch, tmp_path, capsys):
    """The rules draw lungs and bones beside it: a batch job must not take these for the package's result."""
    import SimpleITK

    path = tmp_path / "ct.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct().hu), str(path))
    reason = Finding.of("AC-MD-108", site="thorax", package="our-thorax")
    nothing = Segmentation(site_matches=False, findings=(reason,))
    monkeypatch.setattr("autocontour.models.segment_structures", lambda *_, **__: nothing)
    command = ["contour", str(path), "-o", str(tmp_path / "out"), "--package", "our-thorax", "--json"]
    assert main([*command, "--accept", "AC-CT-032"]) == ModelError.exit_code
    shown = capsys.readouterr()
    assert "AC-MD-138" in shown.err
    error = json.loads(shown.out)["error"]
    assert (error["code"], [one["code"] for one in error["problems"]]) == ("AC-MD-138", ["AC-MD-108"])
    assert not (tmp_path / "out").exists()
    plan = read_plan(package_name="our-thorax")
    found = contour_ct(ct(), plan).structure_set
    with pytest.raises(ModelError, match="AC-MD-138"):
        check_drawn(found, plan)
    other = read_plan(names=("Lung_R",), package_name="our-thorax")  # nothing is asked of the package
    check_drawn(contour_ct(ct(), other).structure_set, other)


@pytest.mark.usefixtures("own_packages")
def test_a_damaged_package_leaves_the_others_at_work(drawn):
    """silent.md D: one damaged package broke ``contour`` for all others; now a finding of the set names it."""
    (install_folder() / "our-thorax" / METADATA).write_text('{"site": {"anchors": null}}')
    contoured = contour_ct(ct())
    assert provenance(contoured)["SpinalCord"] == "head-and-neck"
    (finding,) = (one for one in contoured.structure_set.findings if one.code == "AC-MD-120")
    assert "our-thorax" in finding.message
    assert "AC-MD-007" in finding.message


@pytest.mark.usefixtures("own_packages")
def test_a_package_whose_weights_are_damaged_leaves_the_others_at_work(drawn, monkeypatch):
    def by_network(ct, package, names, job, device):
        if package.name == "our-thorax":
            raise ModelError("AC-MD-013", file="segmenter.safetensors", weight="head.bias")
        return Segmentation({name: Drawing(SQUARE) for name in names}, dict.fromkeys(names, 0.9))

    monkeypatch.setattr(models, "segment_structures", by_network)
    contoured = contour_ct(ct())
    assert provenance(contoured)["SpinalCord"] == "head-and-neck"
    assert [one.code for one in contoured.structure_set.findings if one.code.startswith("AC-MD")] == ["AC-MD-120"]
    with pytest.raises(ModelError, match="AC-MD-013"):
        contour_ct(ct(), read_plan(package_name="our-thorax"))


@pytest.mark.usefixtures("own_packages")
def test_a_closed_folder_of_packages_is_a_finding(drawn, monkeypatch):
    """silent.md D: a closed data folder broke even the rules."""

    def closed(folder):
        if folder == install_folder():
            raise PermissionError(13, "Permission denied")
        return iterdir(folder)

    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", closed)
    contoured = contour_ct(ct())
    assert provenance(contoured)["SpinalCord"] == "head-and-neck"
    assert "AC-MD-121" in {one.code for one in contoured.structure_set.findings}


@pytest.mark.usefixtures("own_packages")
def test_what_several_draw_is_kept_and_compared(drawn):
    """The bundled package and the installed one both draw the parotids: the second one is a structure of its own."""
    plan = build_plan(names=["Parotid_L"])
    assert len([one for one in contour_ct(ct(), plan).structure_set.structures if "Parotid_L" in one.name]) == 1
    found = contour_ct(ct(), replace(plan, compare=True)).structure_set
    names = [one.name for one in found.structures]
    assert names == ["Parotid_L", "Parotid_L^2"]
    first, second = found.structures
    assert first.provenance.algorithm != second.provenance.algorithm
    assert len({one.number for one in found.structures}) == 2
    assert second.tg263_name == "Parotid_L"
    assert any(one.code == "AC-PL-012" and "DSC is 1.00" in one.message for one in second.findings)


def test_published_networks_come_last_and_the_finer_ones_first(monkeypatch):
    def package(name, *, bundled=False, spacing=None):
        stage = SimpleNamespace(spacing_zyx_mm=spacing or (1.0, 1.0, 1.0))
        return SimpleNamespace(name=name, bundled=bundled, procedure=spacing, stages={"segmenter": stage})

    ours, bundled = package("z-ours"), package("a-bundled", bundled=True)
    fine, coarse = package("fine", spacing=(1.5, 1.5, 1.5)), package("coarse", spacing=(3.0, 3.0, 3.0))
    entries = [SimpleNamespace(package=one, rival=None) for one in (coarse, fine, bundled, ours)]
    monkeypatch.setattr(library, "read_library", lambda: entries)
    assert [one.name for one in available_packages()] == ["z-ours", "a-bundled", "fine", "coarse"]


def test_a_chosen_published_package_is_asked_for_all_it_draws():
    one = SimpleNamespace(name="total", version="1", structures={"Liver": None, "Spleen": None}, drawn_names=())
    unasked = {entry.name: entry.by_default for entry in list_drawable([one])}
    chosen = {entry.name: entry.by_default for entry in list_drawable([one], is_chosen=True)}
    assert unasked["Liver"] is False
    assert chosen["Liver"] is True


MINE = PatientFacts(patient_id="P1", birth_date="1950-01-01")


@pytest.fixture
def patients_package(tmp_path, monkeypatch):
    """A package of one patient that alone draws CTV_High, and draws by default what the general one does not."""
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path)
    binding = PatientBinding.of(MINE, 60, date.today())
    install_copy("neck-patient-1", site="HEAD AND NECK", first="CTV_High", patient=asdict(binding))
    accept_package("neck-patient-1", reason="copied by hand", by="A. Physicist")


def codes_about(contoured, name):
    return {one.code for one in contoured.structure_set.findings if one.where == name}


@pytest.mark.usefixtures("patients_package")
def test_what_only_the_package_of_another_patient_draws_is_not_missing(drawn):
    found = contour_ct(ct())
    assert "neck-patient-1" not in drawn
    assert codes_about(found, "CTV_High") == set()
    assert provenance(found)["SpinalCord"] == "head-and-neck"
    assert "PTV_High" not in provenance(found)
    assert not {one.code for one in found.structure_set.findings} & {"AC-PL-001", "AC-MD-063"}


@pytest.mark.usefixtures("patients_package")
def test_what_is_off_by_default_in_the_general_package_is_still_drawn_by_it_for_others(drawn):
    found = contour_ct(ct(), build_plan(names=["PTV_High"]))  # on by default in the patient's package
    assert provenance(found) == {"PTV_High": "head-and-neck"}


@pytest.mark.usefixtures("patients_package")
def test_a_structure_asked_for_that_only_the_package_of_another_patient_draws_states_why(drawn):
    found = contour_ct(ct(), build_plan(names=["CTV_High", "SpinalCord"]))
    (reason,) = [one for one in found.structure_set.findings if one.code == "AC-MD-063"]
    assert reason.severity.name == "WARN"
    assert codes_about(found, "CTV_High") == {"AC-PL-001"}


@pytest.mark.usefixtures("patients_package")
def test_the_package_of_the_patient_is_kept_for_its_patient_and_where_it_was_chosen():
    plan = build_plan()
    assert for_patient(plan, MINE) == plan
    chosen = read_plan(package_name="neck-patient-1")
    assert for_patient(chosen, PatientFacts()) == chosen


@pytest.mark.usefixtures("patients_package")
def test_a_template_that_names_the_package_of_one_patient_goes_on_to_the_next_for_others(drawn, tmp_path):
    text = '[[structures]]\nname = "SpinalCord"\ndrawn_by = ["neck-patient-1", "head-and-neck"]\n'
    assert provenance(contour_ct(ct(), read_plan(write_template(tmp_path, text)))) == {"SpinalCord": "head-and-neck"}


def test_an_expired_package_of_the_patient_is_not_called_damaged(own_packages, drawn, monkeypatch):
    def expired(ct, package, names, job, **options):
        raise ModelError("AC-MD-064", package=package.name, day="2026-01-01")

    monkeypatch.setattr(models, "segment_structures", expired)
    found = contour_ct(ct(), build_plan(names=["Brainstem"])).structure_set
    (finding,) = [one for one in found.findings if one.code.startswith("AC-MD-")]
    assert (finding.code, finding.severity.name) == ("AC-MD-064", "WARN")


TEMPLATE = """
[[structures]]
name = "Mandible"
tg263 = "Bone_Mandible"
drawn_by = ["our-thorax", "head-and-neck"]
[[structures]]
name = "Lung_R"
drawn_by = ["our-thorax", "rules"]
[[structures]]
name = "Lung_L"
"""


def write_template(folder, text=TEMPLATE):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_template_states_who_draws_a_structure(own_packages, drawn, tmp_path):
    plan = read_plan(write_template(tmp_path))
    assert plan.orders == {"Bone_Mandible": ("our-thorax", "head-and-neck"), "Lung_R": ("rules",)}
    assert [(one.code, one.where) for one in plan.findings if one.code == "AC-PL-013"] == [("AC-PL-013", "Lung_R")]
    found = contour_ct(ct(), plan).structure_set
    by = {one.name: one.provenance.algorithm for one in found.structures}
    assert by == {"Mandible": "our-thorax", "Lung_R": RULES, "Lung_L": RULES}
    assert any(one.code == "AC-PL-013" for one in found.findings)


def test_next_drawer_of_a_template_draws_what_the_first_does_not_find(own_packages, drawn, monkeypatch, tmp_path):
    asked = []

    def nothing(ct, package, names, job, **options):
        asked.append((package.name, list(names)))
        if package.name == "our-thorax":
            return Segmentation()
        return Segmentation({name: Drawing(SQUARE) for name in names}, dict.fromkeys(names, 0.5))

    monkeypatch.setattr(models, "segment_structures", nothing)
    found = contour_ct(ct(), read_plan(write_template(tmp_path), ["Bone_Mandible"])).structure_set
    assert [one.provenance.algorithm for one in found.structures] == ["head-and-neck"]
    assert asked == [("our-thorax", ["Bone_Mandible"]), ("head-and-neck", ["Bone_Mandible"])]


def test_no_other_drawer_than_those_of_the_template_is_used(own_packages, drawn, tmp_path):
    text = '[[structures]]\nname = "Lung_R"\ndrawn_by = ["gone"]\n'
    found = contour_ct(ct(), read_plan(write_template(tmp_path, text))).structure_set
    assert found.structures == ()
    assert {"AC-PL-013", "AC-PL-001"} <= {one.code for one in found.findings}


def test_no_other_drawer_than_those_of_the_template_is_used_when_all_are_compared(own_packages, drawn, tmp_path):
    """With --compare another package drew the structure under the template's name for it."""
    text = '[[structures]]\nname = "Bone_Mandible"\ndrawn_by = ["gone"]\n[[structures]]\nname = "Parotid_L"\n'
    plan = replace(read_plan(write_template(tmp_path, text)), compare=True)
    found = contour_ct(ct(), plan).structure_set
    assert [one.name for one in found.structures] == ["Parotid_L", "Parotid_L^2"]
    assert {"AC-PL-013", "AC-PL-001"} <= {one.code for one in found.findings}


def test_drawers_of_a_margin_are_refused(tmp_path):
    text = '[[structures]]\nname = "Lung_R"\n[[structures]]\nname = "P"\nmargin_of = "Lung_R"\ndrawn_by = ["rules"]\n'
    with pytest.raises(UsageError, match="no effect beside margin_of"):
        read_plan(write_template(tmp_path, text))
