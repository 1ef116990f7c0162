"""Checks of any structure set: sound sets pass, each planted fault is found and named."""

import json
from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely.affinity import scale, translate

from autocontour.base.findings import Severity
from autocontour.cli import main
from autocontour.contouring import contours_from_mask
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom, truth_structures
from autocontour.qa.checks import check_set, with_findings
from autocontour.qa.checks.anatomy import read_anatomy
from autocontour.qa.checks.drawn import differing_slices
from autocontour.qa.checks.relations import added_outside, find_external
from autocontour.qa.checks.sides import heart_offset_mm
from autocontour.selftest import demo


def structure(name, contours, kind="ORGAN", number=1):
    return Structure(name, number, contours, tg263_name=name, interpreted_type=kind)


@pytest.fixture(scope="module")
def patient():
    """A real patient with the clinic's contours."""
    with np.load(demo.DATA / "pt_236.npz") as arrays:
        hu, labels, spacing = arrays["hu"], arrays["labels"], arrays["spacing_zyx_mm"]
    geometry = VolumeGeometry.regular(hu.shape, tuple(spacing), (-249.0, -249.0, 0.0))
    structures = tuple(
        replace(structure(organ, contours_from_mask(labels >> bit & 1 > 0, geometry)), number=bit + 1)
        for bit, organ in enumerate(demo.ORGANS)
    )
    return CTVolume(hu, geometry), StructureSet("CLINICAL", structures)


@pytest.fixture(scope="module")
def thorax():
    phantom = build_phantom("thorax", 2, spacing_zyx_mm=(5.0, 3.0, 3.0), shape_zyx=(60, 170, 170))
    ct = CTVolume(phantom.hu, phantom.geometry)
    return ct, truth_structures(phantom, ct)


def codes(found, least=Severity.WARN):
    return {finding.code for finding in found if finding.severity >= least}


def changed(structure_set, name, change):
    return replace(
        structure_set,
        structures=tuple(
            replace(s, contours={k: change(shape) for k, shape in s.contours.items()}) if s.name == name else s
            for s in structure_set.structures
        ),
    )


def renamed(structure_set, names):
    return replace(
        structure_set,
        structures=tuple(
            replace(s, name=names.get(s.name, s.name), tg263_name=names.get(s.name, s.name))
            for s in structure_set.structures
        ),
    )


def test_a_clinical_set_and_a_phantoms_truth_pass(patient, thorax):
    assert codes(check_set(*patient)) <= {"AC-QA-006", "AC-QA-109"}  # its hand-drawn larynx has a jump
    assert codes(check_set(*thorax)) == set()


def test_exchanged_sides_are_found(patient):
    ct, sound = patient
    found = check_set(ct, renamed(sound, {"Parotid_L": "Parotid_R", "Parotid_R": "Parotid_L"}))
    assert [f.where for f in found if f.code == "AC-QA-103"] == ["Parotid_L, Parotid_R"]


def test_one_structure_on_the_wrong_side_is_found(patient):
    ct, sound = patient
    alone = replace(sound, structures=tuple(s for s in sound.structures if s.name != "Parotid_R"))
    found = check_set(ct, renamed(alone, {"Parotid_L": "Parotid_R"}))
    assert [f.where for f in found if f.code == "AC-QA-102"] == ["Parotid_R"]


def test_contours_of_other_images_are_found_by_their_grey_values(patient, thorax):
    """Silent fault: contours of another CT under the UIDs of this one."""
    ct, sound = patient
    upside_down = CTVolume(np.ascontiguousarray(ct.hu[::-1]), ct.geometry)
    assert "AC-QA-119" in codes(check_set(upside_down, sound))
    ct, sound = thorax
    mirrored = CTVolume(np.ascontiguousarray(ct.hu[::-1, :, ::-1]), ct.geometry)
    found = {(f.code, f.where) for f in check_set(mirrored, sound)}
    assert {("AC-QA-117", "Lung_L"), ("AC-QA-118", "Heart")} <= found


def test_small_structures_are_not_judged_by_their_grey_values(thorax):
    ct, sound = thorax
    tiny = changed(sound, "Heart", lambda shape: scale(shape, 0.01, 0.01))
    mirrored = CTVolume(np.ascontiguousarray(ct.hu[::-1, :, ::-1]), ct.geometry)
    assert "Heart" not in {f.where for f in check_set(mirrored, tiny) if f.code == "AC-QA-118"}


def test_a_structure_of_the_middle_beside_it_is_found(patient):
    ct, sound = patient
    found = check_set(ct, changed(sound, "Larynx", lambda shape: translate(shape, -45, 0)))
    assert [f.where for f in found if f.code == "AC-QA-113"] == ["Larynx"]


def test_a_structure_moved_sideways_onto_another_is_found(patient):
    ct, sound = patient
    middle = {s.name: shapely.union_all(list(s.contours.values())).centroid for s in sound.structures}
    dx, dy = (
        middle["SpinalCord"].x - middle["Larynx"].x,
        middle["SpinalCord"].y - middle["Larynx"].y,
    )
    found = check_set(ct, changed(sound, "Larynx", lambda shape: translate(shape, dx, dy)))
    assert "AC-QA-104" in codes(found)
    assert any({"Larynx", "SpinalCord"} == set(f.where.split(", ")) for f in found if f.code == "AC-QA-104")


def test_a_structure_outside_the_body_is_found(patient):
    ct, sound = patient
    body = structure("External", contours_from_mask(ct.hu > -500, ct.geometry), "EXTERNAL", 20)
    with_body = replace(sound, structures=(*sound.structures, body))
    assert "AC-QA-101" not in codes(check_set(ct, with_body))
    found = check_set(ct, changed(with_body, "Larynx", lambda shape: translate(shape, 0, -60)))
    assert [f.where for f in found if f.code == "AC-QA-101"] == ["Larynx"]


def square(left, right):
    return shapely.MultiPolygon([shapely.box(left, 0, right, 10)])


def test_what_a_change_adds_outside_the_body_is_measured():
    """Exact areas of squares; 2 mm outside External are tolerated (its corners are away from the strokes)."""
    outline = shapely.MultiPolygon([shapely.box(-100, -100, 100, 100)])
    body = structure("External", {3: outline, 4: outline}, "EXTERNAL", 9)
    parotid = structure("Parotid_L", {3: square(80, 120)})
    added = added_outside(body, parotid, {3: square(80, 140), 4: square(90, 140)})
    assert added == pytest.approx({3: 200.0, 4: 380.0})
    assert added_outside(body, parotid, {3: square(80, 120), 4: square(90, 101.9)}) == {}
    assert added_outside(body, parotid, {3: square(50, 100), 4: None}) == {}
    assert added_outside(body, parotid, {5: square(150, 160)}) == {}
    assert added_outside(body, replace(parotid, interpreted_type="BOLUS"), {3: square(150, 160)}) == {}
    assert added_outside(body, body, {3: square(150, 160)}) == {}
    assert find_external([body, parotid]) is body
    assert find_external([body, replace(body, number=10)]) is None


@pytest.mark.parametrize("factor", [0.3, 2.6])
def test_a_volume_out_of_range_is_found_with_its_source(patient, factor):
    ct, sound = patient
    found = check_set(ct, changed(sound, "Bone_Mandible", lambda shape: scale(shape, factor, factor)))
    (finding,) = (f for f in found if f.code == "AC-QA-107")
    assert finding.where == "Bone_Mandible"
    assert "OpenKBP" in finding.message


def test_sides_of_very_different_volume_are_found(patient):
    ct, sound = patient
    found = check_set(ct, changed(sound, "Parotid_L", lambda shape: scale(shape, 0.5, 0.5)))
    assert [f.where for f in found if f.code == "AC-QA-108"] == ["Parotid_L, Parotid_R"]


def test_names_exchanged_along_the_body_are_found(patient):
    ct, sound = patient
    found = check_set(ct, renamed(sound, {"Brainstem": "Larynx", "Larynx": "Brainstem"}))
    assert "AC-QA-114" in codes(found)


def test_names_exchanged_from_front_to_back_are_found(patient):
    ct, sound = patient
    found = check_set(ct, renamed(sound, {"Esophagus": "SpinalCord", "SpinalCord": "Esophagus"}))
    assert "AC-QA-115" in codes(found)


def test_a_gap_a_stray_piece_and_a_sliver_are_found_with_their_slices(patient):
    ct, sound = patient
    larynx = sound["Larynx"].contours
    middle = sorted(larynx)[len(larynx) // 2]
    speck = shapely.MultiPolygon([shapely.box(-100, -100, -98, -98), *larynx[middle].geoms])
    line = shapely.MultiPolygon([shapely.box(0, 0, 30, 0.2), *larynx[middle].geoms])
    for contours, code in (
        ({k: v for k, v in larynx.items() if k != middle}, "AC-QA-005"),
        ({**larynx, middle: speck}, "AC-QA-109"),
        ({**larynx, middle: line}, "AC-QA-110"),
    ):
        one = replace(sound, structures=(replace(sound["Larynx"], contours=contours),))
        assert [f.slices for f in check_set(ct, one) if f.code == code] == [(middle,)]


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [("CTV", "PTV", True), ("CTV_High", "PTV_High", True), ("GTV", "CTV", True), ("CTV_High", "PTV_Low", True)],
)
def test_a_target_outside_the_next_larger_one_is_found(patient, inner, outer, expected):
    ct, _ = patient
    disc = shapely.MultiPolygon([shapely.Point(0, 0).buffer(20)])
    large = {k: disc.buffer(5) for k in range(50, 60)}
    large = {k: shapely.MultiPolygon([v]) for k, v in large.items()}
    inside = dict.fromkeys(range(50, 60), disc)
    beyond = dict.fromkeys(range(50, 62), disc)
    for contours, found in ((inside, False), (beyond, expected)):
        targets = (structure(inner, contours, inner[:3]), structure(outer, large, outer[:3], 2))
        assert ("AC-QA-105" in codes(check_set(ct, StructureSet("RS", targets)))) is found


def test_lungs_that_do_not_follow_an_edited_lung_are_found(thorax):
    ct, truth = thorax
    left, right = truth["Lung_L"], truth["Lung_R"]
    slices = left.contours.keys() | right.contours.keys()
    both = {k: shapely.union_all([s.contours[k] for s in (left, right) if k in s.contours]) for k in slices}
    both = {k: shapely.MultiPolygon(shapely.get_parts(shape).tolist()) for k, shape in both.items()}
    lungs = structure("Lungs", both, number=90)
    whole = replace(truth, structures=(*truth.structures, lungs))
    assert "AC-QA-116" not in codes(check_set(ct, whole))
    middle = sorted(left.contours)[len(left.contours) // 2]
    edited = {**left.contours, middle: scale(left.contours[middle], 0.9, 0.9)}
    changed_set = replace(
        whole, structures=tuple(replace(s, contours=edited) if s.name == "Lung_L" else s for s in whole.structures)
    )
    (finding,) = (f for f in check_set(ct, changed_set) if f.code == "AC-QA-116")
    assert (finding.where, finding.slices) == ("Lungs, Lung_L, Lung_R", (middle,))


def test_a_mirrored_ct_is_found_by_its_heart(thorax):
    ct, truth = thorax
    left, right = truth["Lung_L"].contours, truth["Lung_R"].contours
    offset = heart_offset_mm(ct, left, right)
    assert offset is not None
    assert offset > 0
    assert "AC-QA-112" not in codes(check_set(ct, truth))


def test_a_name_that_is_not_tg263_is_noted(patient):
    ct, sound = patient
    odd = replace(sound, structures=(replace(sound["Parotid_L"], name="lt parotid", tg263_name=""),))
    (finding,) = (f for f in check_set(ct, odd) if f.code == "AC-QA-106")
    assert finding.severity is Severity.INFO
    assert "Parotid_L" in finding.message


def test_what_the_program_draws_is_the_second_look(patient):
    ct, sound = patient
    moved = changed(sound, "Bone_Mandible", lambda shape: translate(shape, 25, 0))
    found = check_set(ct, moved, drawn=sound)
    (finding,) = (f for f in found if f.code == "AC-QA-111")
    assert finding.where == "Bone_Mandible"
    assert set(finding.slices) <= set(sound["Bone_Mandible"].contours)
    assert not any(f.code == "AC-QA-111" for f in check_set(ct, sound, drawn=sound))


def test_a_small_difference_everywhere_names_the_slices_to_look_at(patient):
    """A finding on 0 slices leaves nothing to check."""
    _, sound = patient
    contours = sound["Bone_Mandible"].contours
    some = {k: shape.buffer(1.0) for k, shape in contours.items()}
    assert differing_slices(contours, some)
    assert differing_slices(contours, contours) == []
    apart = {k: translate(shape, 200, 0) if k == min(contours) else shape for k, shape in contours.items()}
    assert differing_slices(contours, apart) == [min(contours)]


def test_findings_go_to_the_structures_they_name(patient):
    ct, sound = patient
    exchanged = renamed(sound, {"Parotid_L": "Parotid_R", "Parotid_R": "Parotid_L"})
    marked = with_findings(exchanged, check_set(ct, exchanged))
    assert {s.name for s in marked.structures if any(f.code == "AC-QA-103" for f in s.findings)} == {
        "Parotid_L",
        "Parotid_R",
    }


def test_the_table_of_anatomy_uses_known_names_and_has_sources():
    anatomy = read_anatomy()
    names = set(anatomy.volumes) | {n for pair in (*anatomy.above, *anatomy.in_front) for n in pair}
    names |= set(anatomy.contains) | {n for parts in anatomy.contains.values() for n in parts if n != "*"}
    for name in names:
        assert find_term(name).known or find_term(f"{name}_L").known, name
    assert all(0 < row.low < row.high and len(row.source) > 10 for row in anatomy.volumes.values())


def test_the_command_reports_and_exits_with_1(tmp_path, capsys):
    grid = ["--shape", "60", "170", "170", "--spacing", "5", "3", "3"]
    assert main(["phantom", "-o", str(tmp_path / "p"), "--site", "thorax", *grid]) == 0
    capsys.readouterr()
    command = ["check", str(tmp_path / "p" / "RS_truth.dcm"), "--ct", str(tmp_path / "p" / "CT"), "--json", "--no-draw"]
    code = main(command)
    report = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in report["structures"]} >= {"External", "Lung_L", "Lung_R"}
    assert code == int(any(f["severity"] != "INFO" for f in report["findings"]))
    assert main([*command[:4], "--no-draw"]) == code
    assert "External" in capsys.readouterr().out
    assert main(command[:4]) in (0, 1)
    assert "cm³" in capsys.readouterr().out
