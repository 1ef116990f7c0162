"""Adding a patient's folder: every way in which a wrong CT or structure set could get into a course."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import shapely

from autocontour.base.errors import CourseError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.course.contour import Options, contour_course
from autocontour.course.intake import Intake, add_course, default_folder
from autocontour.course.record import read_course, working_on
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import ReviewStatus, Structure, StructureSet
from autocontour.rtstruct import write_structure_set

GRID = VolumeGeometry.regular((5, 24, 24), (3.0, 2.0, 2.0))
SQUARE = shapely.MultiPolygon([shapely.box(10, 10, 30, 20)])


def write_ct(folder, key, date, **changes):
    described = replace(SeriesDescription("SAME^NAME", "P1", uid_seed=key, date=date), **changes)
    hu = np.random.default_rng(len(key)).integers(-100, 100, (5, 24, 24)).astype(np.int16)
    return write_ct_series(hu, GRID, folder, described)


def write_rs(ct, path, *, approved=True):
    status = ReviewStatus.APPROVED if approved else ReviewStatus.AUTO
    moment = datetime(2026, 1, 6, tzinfo=UTC)
    heart = Structure("Heart", 1, {2: SQUARE}, status=status, reviewer="R" * approved, reviewed_at=moment)
    reference = ct.reference
    drawn = StructureSet("PLAN", (heart,), reference.series_instance_uid, reference.frame_of_reference_uid)
    write_structure_set(drawn, ct, path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "patient"
    plan = write_ct(root / "plan", "plan", "20260105")
    write_rs(plan, root / "RS.dcm")
    write_ct(root / "later", "later", "20260120")
    return root


def edit(folder, **values):
    """Change attributes of every slice in a folder."""
    for path in folder.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)


def refusal(source, **options):
    with pytest.raises(CourseError) as caught:
        add_course(Intake(source, **options), Job())
    return caught.value.code


def test_the_ct_with_the_approved_set_is_the_planning_ct(folder):
    course, findings = add_course(Intake(folder), Job())
    assert not findings
    assert course.folder == default_folder(folder)
    assert course.planning.date == "2026-01-05"
    assert [ct.date for ct in course.dates] == ["2026-01-20"]
    assert course.is_approved


def test_sources_are_never_changed_and_adding_twice_is_adding_once(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    first, _ = add_course(Intake(folder), Job())
    second, _ = add_course(Intake(folder), Job())
    assert first == second
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_further_ct_is_added_to_the_course(folder):
    add_course(Intake(folder), Job())
    write_ct(folder / "third", "third", "20260110")
    course, _ = add_course(Intake(folder), Job())
    assert [ct.date for ct in course.dates] == ["2026-01-10", "2026-01-20"]


def test_planning_and_daily_ct_exchanged(folder):
    edit(folder / "later", AcquisitionDate="20251224")
    assert refusal(folder) == "AC-CO-014"
    course, findings = add_course(Intake(folder, accepted=frozenset({"AC-CO-014"})), Job())
    assert [finding.code for finding in findings] == ["AC-CO-014"]
    assert findings[0].accepted
    assert read_course(course.folder).accepted == {"AC-CO-014"}


def test_times_of_one_day_count_only_if_both_are_known(folder):
    edit(folder / "later", AcquisitionDate="20260105", AcquisitionTime="090000")
    assert refusal(folder) == "AC-CO-014"
    edit(folder / "later", AcquisitionTime="")
    add_course(Intake(folder), Job())


def test_another_patient_of_the_same_name(folder):
    edit(folder / "later", PatientID="P2")
    assert refusal(folder) == "AC-CO-013"


def test_another_name_with_the_same_id_is_refused_until_it_is_accepted(folder):
    """Silent fault: the CT of another person under the same ID was taken into the course."""
    edit(folder / "later", PatientName="Another^Person")
    assert refusal(folder) == "AC-CO-032"
    _, findings = add_course(Intake(folder, accepted=frozenset({"AC-CO-032"})), Job())
    assert "AC-CO-032" in {one.code for one in findings}


def test_a_name_in_other_letters_and_spacing_is_the_same(folder):
    edit(folder / "plan", PatientName="Kim^Chulsoo=金^哲秀")
    edit(folder / "later", PatientName=" KIM^CHULSOO")
    add_course(Intake(folder), Job())


def test_another_patient_with_the_same_id_but_another_birth_date(folder):
    edit(folder / "plan", PatientBirthDate="19500101")
    edit(folder / "later", PatientBirthDate="19500102")
    assert refusal(folder) == "AC-CO-013"


def test_a_planning_ct_without_patient_id(folder):
    edit(folder / "plan", PatientID="")
    edit(folder / "later", PatientID="")
    assert refusal(folder) == "AC-CO-015"


def test_without_or_with_too_many_structure_sets(folder):
    plan = write_ct(folder / "second", "second", "20260108")
    write_rs(plan, folder / "RS2.dcm")
    assert refusal(folder) == "AC-CO-011"
    course, _ = add_course(Intake(folder, structures=folder / "RS.dcm"), Job())
    assert course.planning.date == "2026-01-05"
    for path in folder.glob("RS*.dcm"):
        path.unlink()
    assert refusal(folder) == "AC-CO-010"


def test_an_unapproved_set_is_used_only_on_request(folder, tmp_path):
    (folder / "RS.dcm").unlink()
    plan = write_ct(tmp_path / "again", "plan", "20260105")
    write_rs(plan, folder / "RS.dcm", approved=False)
    assert refusal(folder) == "AC-CO-012"
    course, _ = add_course(Intake(folder, unapproved=True), Job())
    assert not course.is_approved


def test_a_damaged_set_beside_the_sound_one(folder):
    data = (folder / "RS.dcm").read_bytes()
    (folder / "RS_cut.dcm").write_bytes(data[: len(data) // 2])
    course, _ = add_course(Intake(folder), Job())
    assert course.structures.name == "RS.dcm"


def test_results_are_never_written_among_the_sources(folder):
    assert refusal(folder, folder=folder / "course") == "AC-CO-004"


def test_a_folder_with_the_planning_ct_only(folder):
    for path in (folder / "later").glob("*"):
        path.unlink()
    assert refusal(folder) == "AC-CO-018"


def test_a_course_is_of_one_planning_ct(folder):
    course, _ = add_course(Intake(folder), Job())
    (folder / "RS.dcm").write_bytes((folder / "RS.dcm").read_bytes().replace(b"Heart", b"Liver"))
    assert refusal(folder) == "AC-CO-016"
    with pytest.raises(CourseError) as caught:
        contour_course(course, Options(), Job())
    assert caught.value.code == "AC-CO-017"


def test_a_ct_without_a_date_is_reported(folder):
    edit(folder / "later", AcquisitionDate="", SeriesDate="", StudyDate="", ContentDate="")
    course, findings = add_course(Intake(folder), Job())
    assert [finding.code for finding in findings] == ["AC-CO-019"]
    assert course.dates[0].name.startswith("undated_")


def test_slices_that_are_gone_or_others_are_noticed(folder):
    course, _ = add_course(Intake(folder), Job())
    next(iter((folder / "later").glob("*.dcm"))).unlink()
    (report,) = contour_course(replace(course, planning=course.planning), Options(), Job())
    assert report.error is not None


def test_another_program_holds_the_course(folder):
    course, _ = add_course(Intake(folder), Job())
    with working_on(course.folder), pytest.raises(CourseError) as caught:
        contour_course(course, Options(), Job())
    assert caught.value.code == "AC-CO-003"


def test_courses_that_are_missing_or_damaged(folder, tmp_path):
    with pytest.raises(CourseError) as caught:
        read_course(tmp_path)
    assert caught.value.code == "AC-CO-001"
    course, _ = add_course(Intake(folder), Job())
    with pytest.raises(CourseError) as caught:
        contour_course(course, Options(names=("2030-01-01",)), Job())
    assert caught.value.code == "AC-CO-007"
    for text in ("{", "[]", json.dumps({"format": "other"})):
        (course.folder / "course.json").write_text(text)
        with pytest.raises(CourseError) as caught:
            read_course(course.folder)
        assert caught.value.code == "AC-CO-002"
    (course.folder / "course.json").unlink()
    (course.folder / "course.json").mkdir()
    with pytest.raises(CourseError) as caught:
        read_course(course.folder)
    assert caught.value.code == "AC-CO-002"


def test_the_command_prints_the_course_without_the_patient(folder, capsys):
    edit(folder / "later", AcquisitionDate="", SeriesDate="", StudyDate="")
    assert main(["course", "add", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "2026-01-05" in shown
    assert "AC-CO-019" in shown
    assert main(["course", "add", str(folder), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["is_approved"]
    assert "SAME" not in shown + json.dumps(printed)
    edit(folder / "later", PatientID="P2")
    assert main(["course", "add", str(folder), "--json"]) == 15
