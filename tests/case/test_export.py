"""A whole case without a window: opened, drawn, edited, approved, reverted and exported by a script."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydicom import dcmread
from shapely import MultiPolygon, Point, affinity

from autocontour.base.errors import CaseError, OutputError
from autocontour.base.jobs import Job
from autocontour.case import Edit, actions
from autocontour.case.export import ExportOptions, check_case, export_case, fix_problems
from autocontour.case.follow import accept_followed
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.patient.structures import GenerationAlgorithm, Structure, StructureSet
from autocontour.phantom import build_phantom
from autocontour.rtstruct import read_structure_set

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def ct_folder(tmp_path_factory):
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(5.0, 4.0, 4.0), shape_zyx=(30, 100, 100))
    folder = tmp_path_factory.mktemp("export") / "CT"
    write_ct_series(phantom.hu, phantom.geometry, folder)
    return folder


@pytest.fixture(scope="module")
def ct(ct_folder):
    return read_ct(planning_cts(scan_folder(ct_folder, Job()))[0], Job())


@pytest.fixture
def case(ct, tmp_path):
    with actions.open_case(ct, tmp_path / "cases") as case:
        yield case


def organ(name, number=1, r=30.0, **values):
    contours = {z: MultiPolygon([Point(40, 40).buffer(r)]) for z in (10, 11, 12)}
    return Structure(name, number, contours, tg263_name=name, **values)


def whole_case(case):
    """What a person does, step by step."""
    case.apply(actions.receive(case.state, organ("Heart")))
    hand = organ("Esophagus", generation=GenerationAlgorithm.MANUAL, color_rgb=(1, 2, 3))
    case.apply(actions.import_structures(case, StructureSet("S", (hand,))))
    for number in (1, 2):
        case.apply(Edit("Brush", {number: {11: MultiPolygon([Point(45, 40).buffer(20)])}}), seconds=2)
    case.apply(actions.revert(case.state, 2))
    case.apply(actions.set_color(1, (9, 8, 7)))
    case.apply(actions.approve(case.state, 1, "A. Physicist", NOON))
    case.apply(actions.approve(case.state, 2, "A. Physicist", NOON + timedelta(hours=1)))


def test_a_whole_case_is_written_with_what_the_case_holds(case, ct, tmp_path):
    whole_case(case)
    path = tmp_path / "RS.dcm"
    written = export_case(case, ct, path)
    again = read_structure_set(path, ct)
    assert [(s.name, s.color_rgb, s.interpreted_type) for s in again.structures] == [
        ("Heart", (9, 8, 7), "ORGAN"),
        ("Esophagus", (1, 2, 3), "ORGAN"),
    ]
    assert [s.generation for s in again.structures] == [GenerationAlgorithm.SEMIAUTOMATIC, GenerationAlgorithm.MANUAL]
    for one, other in zip(written.structures, again.structures, strict=True):
        assert one.contours.keys() == other.contours.keys()
        assert all(p.symmetric_difference(other.contours[z]).area < 0.5 for z, p in one.contours.items())
    dataset = dcmread(path)
    assert (dataset.ApprovalStatus, dataset.ReviewerName) == ("APPROVED", "A. Physicist")
    observations = dataset.RTROIObservationsSequence
    moments = [observation.ROIObservationDateTime for observation in observations]
    assert [str(observation.ROIInterpreter) for observation in observations] == ["A. Physicist"] * 2
    offset = datetime.now().astimezone().utcoffset()
    assert [str(m)[:14] for m in moments] == [
        (NOON + offset + timedelta(hours=h)).strftime("%Y%m%d%H%M%S") for h in (0, 1)
    ]
    assert dataset.ReviewTime == (NOON + offset + timedelta(hours=1)).strftime("%H%M%S")


def test_two_approvers_do_not_approve_a_set_and_each_is_named(case, ct, tmp_path):
    whole_case(case)
    case.apply(actions.approve(case.state, 2, "B. Doctor", NOON))
    assert [problem.finding.code for problem in check_case(case, ExportOptions())] == ["AC-EX-009"]
    path = tmp_path / "RS.dcm"
    with pytest.raises(OutputError, match=r"AC-EX-020.*AC-EX-009"):
        export_case(case, ct, path)
    assert not path.exists()
    export_case(case, ct, path, accepted={"AC-EX-009"})
    dataset = dcmread(path)
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in dataset
    assert [str(o.ROIInterpreter) for o in dataset.RTROIObservationsSequence] == ["A. Physicist", "B. Doctor"]


def test_what_the_system_would_refuse_is_refused_and_can_be_fixed(case, ct, tmp_path):
    case.apply(actions.add(case.state, replace(organ("Lung_L"), name="Lung_L_as_seen_by_the_clinic")))
    options = ExportOptions("eclipse", label="A label that is too long")
    with pytest.raises(OutputError, match=r"AC-EX-00[17]"):
        export_case(case, ct, tmp_path / "RS.dcm", options)
    edit, label = fix_problems(check_case(case, options))
    case.apply(edit)
    options = replace(options, label=label)
    problems = check_case(case, options)
    assert {problem.finding.code for problem in problems} == {"AC-EX-005"}
    export_case(case, ct, tmp_path / "RS.dcm", options, accepted={"AC-EX-005"})
    assert len(read_structure_set(tmp_path / "RS.dcm", ct).structures[0].name) <= 16


def test_a_slice_of_the_ct_is_never_overwritten(case, ct, ct_folder, tmp_path):
    whole_case(case)
    slice_path = sorted(ct_folder.iterdir())[3]
    before = slice_path.read_bytes()
    link = tmp_path / "RS.dcm"
    link.symlink_to(slice_path)
    for path in (slice_path, link):
        with pytest.raises(OutputError, match="AC-OUT-004"):
            export_case(case, ct, path, overwrite=True)
    assert slice_path.read_bytes() == before


def test_another_ct_is_refused(case, ct, tmp_path):
    other = replace(ct, reference=replace(ct.reference, series_instance_uid="1.2"))
    with pytest.raises(CaseError, match="AC-CASE-002"):
        export_case(case, other, tmp_path / "RS.dcm")


def test_lungs_that_no_longer_are_both_lungs_are_a_problem_of_the_export(case):
    """A stroke in one lung leaves Lungs as it was: the file would hold two different lungs."""

    def lung(name, number, *discs):
        area = MultiPolygon([Point(u, 0).buffer(20) for u in discs])
        return Structure(name, number, dict.fromkeys(range(3, 9), area), tg263_name=name)

    drawn = (lung("Lung_L", 1, 50), lung("Lung_R", 2, -50), lung("Lungs", 3, 50, -50))
    for one in drawn:
        case.apply(actions.receive(case.state, one))
    assert "AC-QA-116" not in {problem.finding.code for problem in check_case(case, ExportOptions())}
    case.apply(Edit("Brush", {1: {5: MultiPolygon([Point(50, 0).buffer(24)])}}))
    (problem,) = (one for one in check_case(case, ExportOptions()) if one.finding.code == "AC-QA-116")
    assert (problem.number, problem.finding.slices) == (3, (5,))
    left_out = ExportOptions(numbers=frozenset({1, 2}))
    assert "AC-QA-116" not in {one.finding.code for one in check_case(case, left_out)}


def _written(path):
    """Return z → the file's own strings of its only structure."""
    found = {}
    for item in dcmread(path).ROIContourSequence[0].ContourSequence:
        found.setdefault(float(item.ContourData[2]), []).append("\\".join(map(str, item.ContourData)))
    return found


def test_accepted_followed_slices_leave_the_drawn_ones_byte_equal_in_the_file(case, ct, tmp_path):
    case.apply(actions.add(case.state, organ("Heart")))
    slices = sorted(case.state[1].structure.contours)
    drawn, followed = slices[1::4], [z for z in slices if z not in slices[1::4]]
    old = dict(case.state[1].structure.contours)
    case.apply(Edit("Brush", {1: {z: affinity.scale(old[z], 1.1, 1.1) for z in drawn}}))
    export_case(case, ct, tmp_path / "before.dcm", accepted={"AC-EX-005"})
    proposed = {z: affinity.translate(old[z], 3.0) for z in followed[:-1]} | {followed[-1]: None}
    case.apply(accept_followed(case.state, 1, proposed))
    export_case(case, ct, tmp_path / "after.dcm", accepted={"AC-EX-005"})
    before, after = _written(tmp_path / "before.dcm"), _written(tmp_path / "after.dcm")
    z_of = ct.geometry.slice_origins_lps_mm[:, 2]
    place = {z: next(key for key in before if abs(key - z_of[z]) < 0.01) for z in slices}
    assert all(after[place[z]] == before[place[z]] for z in drawn)
    assert all(after[place[z]] != before[place[z]] for z in followed[:-1])
    assert place[followed[-1]] not in after
    read = read_structure_set(tmp_path / "after.dcm", ct).structures[0].contours
    assert all(read[z].hausdorff_distance(proposed[z]) < 0.01 for z in followed[:-1])
