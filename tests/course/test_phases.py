"""The phases of a 4D CT: contoured from one, united to an ITV."""

import json
from dataclasses import replace

import pydicom
import pytest

from autocontour.base.errors import CourseError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.contouring import mask_from_contours, volume_cc
from autocontour.course import link
from autocontour.course.phases import PhaseRequest, _unite, contour_phases, phase_name
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.phantom import Change, make_followup, truth_structures
from autocontour.rtstruct import read_structure_set, write_structure_set
from tests.course.conftest import describe, dsc


@pytest.fixture(scope="module")
def breathing(phantom, tmp_path_factory):
    """Folder of three phases that move by 0, 6 and 3 mm, and the true contours."""
    root = tmp_path_factory.mktemp("phases")
    made = {}
    for name, z in (("0", 0.0), ("50", 6.0), ("90", 3.0)):
        made[name] = make_followup(phantom.hu, phantom.geometry, phantom.truth, Change(setup_mm=(0.0, z, 0.0)))
        described = describe(f"phase {name}", "20260110", text=f"{name}.0%", frame_of_reference_uid="1.2.99")
        ct = write_ct_series(made[name].hu, made[name].geometry, root / "4d" / name, described)
        if name == "0":
            write_structure_set(truth_structures(made[name], ct), ct, root / "RS.dcm")
    return root, made


@pytest.fixture(scope="module", autouse=True)
def coarse():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "DEFORMABLE_MM", 6.0)
        yield


def test_every_phase_is_contoured_and_the_itv_holds_them_all(breathing, tmp_path, capsys):
    root, made = breathing
    command = ["course", "phases", root / "4d", "-o", tmp_path / "out", "--structures", root / "RS.dcm"]
    command += ["--names", "Bone_Mandible", "SpinalCord", "--itv", "Bone_Mandible", "--json"]
    assert main([str(part) for part in command]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [one["phase"] for one in printed] == ["00", "50", "90"]
    assert set(printed[0]["volumes_cc"]) == {"Bone_Mandible", "SpinalCord", "ITV_Bone_Mandible"}
    (series,) = planning_cts(scan_folder(root / "4d" / "50", Job()))
    ct = read_ct(series, Job())
    drawn = read_structure_set(tmp_path / "out" / "RS_50.dcm", ct)
    mandible = mask_from_contours(drawn["Bone_Mandible"].contours, ct.geometry)
    assert dsc(mandible, made["50"].masks["Bone_Mandible"]) > 0.8
    assert pydicom.dcmread(tmp_path / "out" / "RS_00.dcm").ApprovalStatus == "UNAPPROVED"
    (series,) = planning_cts(scan_folder(root / "4d" / "0", Job()))
    first = read_ct(series, Job())
    whole = read_structure_set(tmp_path / "out" / "RS_00.dcm", first)
    assert volume_cc(whole["ITV_Bone_Mandible"].contours, first.geometry) > 1.1 * volume_cc(
        whole["Bone_Mandible"].contours, first.geometry
    )
    codes = {finding["code"] for finding in printed[0]["findings"]}
    assert "AC-CO-084" in codes


def refusal(root, out, **options):
    with pytest.raises(CourseError) as caught:
        contour_phases(PhaseRequest(root, out, **options), Job())
    assert not out.exists()
    return caught.value.code


def test_refusals_write_nothing(breathing, tmp_path):
    root, _ = breathing
    out = tmp_path / "out"
    assert refusal(root / "4d" / "0", out) == "AC-CO-080"
    assert refusal(root / "4d", out, start="33") == "AC-CO-081"
    assert refusal(root / "4d", out, structures=root / "RS.dcm", names=("Heart",)) == "AC-CO-082"
    assert refusal(root / "4d", out, structures=root / "RS.dcm", names=("SpinalCord",), itv=("CTV",)) == "AC-CO-083"


def test_a_phase_of_another_patient_is_refused(breathing, tmp_path):
    _, made = breathing
    described = describe("other", "20260110", text="20%", frame_of_reference_uid="1.2.99", patient_id="ELSE")
    few = made["0"]
    write_ct_series(few.hu, few.geometry, tmp_path / "a", describe("x", "20260110", frame_of_reference_uid="1.2.99"))
    write_ct_series(few.hu, few.geometry, tmp_path / "b", described)
    assert refusal(tmp_path, tmp_path / "out") == "AC-CO-085"


def test_a_phase_without_the_structure_gives_no_itv(breathing):
    root, _ = breathing
    (series,) = planning_cts(scan_folder(root / "4d" / "0", Job()))
    ct = read_ct(series, Job())
    drawn = read_structure_set(root / "RS.dcm", ct).structures
    with pytest.raises(CourseError) as caught:
        _unite("SpinalCord", {"00": drawn, "50": drawn[:1]}, "00", {"00": ct, "50": ct})
    assert caught.value.code == "AC-CO-086"
    shifted = replace(ct, geometry=ct.geometry.cropped(whole_box(ct)))
    united = _unite("SpinalCord", {"00": drawn, "50": drawn}, "00", {"00": ct, "50": shifted})
    assert united.name == "ITV_SpinalCord"


def whole_box(ct):
    from autocontour.patient.geometry import Box

    return Box((0, 0, 0), ct.geometry.shape_zyx)


def test_phases_are_named_by_their_description():
    class Described:
        def __init__(self, text):
            self.description = text

    assert phase_name(Described("Thorax 50.0%")) == "50"
    assert phase_name(Described("T00 resp")) == "00"
    assert phase_name(Described("MIP")) == "MIP"
