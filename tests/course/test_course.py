"""A course from the command line: added, contoured, shown; never approved, never the planning CT's references."""

import json

import pydicom
import pytest

from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.contouring import mask_from_contours
from autocontour.course import Options, contour_course, read_course, read_date, read_planning, read_rigid, read_trend
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus
from tests.course.conftest import NAME, PATIENT, dsc


@pytest.fixture(scope="module")
def date(contoured):
    return read_date(contoured, contoured.dates[0], Job())


def test_the_chosen_contours_lie_on_the_true_ones(contoured, date, followup):
    ct, chosen, _ = date
    truth = followup.masks
    for name, least in (("Brainstem", 0.9), ("SpinalCord", 0.75), ("Parotid_L", 0.8), ("Bone_Mandible", 0.8)):
        assert dsc(mask_from_contours(chosen[name].contours, ct.geometry), truth[name]) > least, name
    assert read_rigid(contoured, contoured.dates[0]).angle_deg < 10


def test_nothing_of_the_approval_is_carried_over(contoured, date):
    _, planned = read_planning(contoured, Job())
    written = pydicom.dcmread(contoured.folder_of(contoured.dates[0]) / "RS.dcm")
    assert contoured.is_approved
    assert written.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in written
    assert "Kim" not in str(written)
    for structure in date[1].structures:
        assert structure.status is ReviewStatus.AUTO
        assert structure.generation is GenerationAlgorithm.AUTOMATIC
    assert {one.name for one in planned.structures} >= {one.name for one in date[1].structures}


def test_the_file_references_the_later_ct_only(contoured, date):
    ct = date[0]
    folder = contoured.folder_of(contoured.dates[0])
    for name in ("RS.dcm", "RS_methods.dcm"):
        written = pydicom.dcmread(folder / name)
        frames = {item.FrameOfReferenceUID for item in written.ReferencedFrameOfReferenceSequence}
        assert frames == {contoured.dates[0].frame_of_reference_uid}
        referenced = {
            image.ReferencedSOPInstanceUID
            for roi in written.ROIContourSequence
            for contour in roi.ContourSequence
            for image in contour.ContourImageSequence
        }
        assert referenced <= set(ct.reference.sop_instance_uids)
        assert contoured.planning.series_instance_uid not in str(written)


def test_a_propagated_ctv_is_flagged_and_other_methods_cannot_be_mistaken(contoured, date):
    _, chosen, others = date
    trend = read_trend(contoured)
    codes = {finding.code for finding in trend.dates[0].findings if finding.where == "CTV_54"}
    assert "AC-CO-043" in codes
    assert trend.dates[0].points["CTV_54"].method == "propagated"
    assert not set(chosen.names) & set(others.names)
    assert all(name.endswith(("^prop", "^net", "^own")) for name in others.names)
    assert {"External^net", "External^prop"} <= set(others.names)
    assert "CTV_54^net" not in others.names


def test_the_trend_sees_the_shrinking_parotid_and_the_weight_loss(contoured):
    trend = read_trend(contoured)
    (one,) = trend.dates
    assert one.points["Parotid_L"].volume_change == pytest.approx(-0.3, abs=0.1)
    assert one.points["Brainstem"].volume_change == pytest.approx(0.0, abs=0.1)
    assert one.body_change == pytest.approx(-0.07, abs=0.04)
    codes = {finding.code for finding in one.findings}
    assert {"AC-CO-060", "AC-CO-063"} <= codes
    assert [label for label, _ in trend.curve("Parotid_L", "volume_cc")] == ["", "2026-01-15"]
    assert one.points["SpinalCord"].target_mm["CTV_54"] >= 0


def test_a_second_run_keeps_what_is_done_and_another_table_makes_it_anew(contoured, tmp_path):
    result = contoured.folder_of(contoured.dates[0]) / "result.json"
    before = result.stat().st_mtime_ns
    assert [one.state for one in contour_course(contoured, Options(), Job())] == ["kept"]
    assert result.stat().st_mtime_ns == before


def test_no_patient_appears_in_what_is_written_or_printed(contoured, capsys):
    assert main(["course", "show", str(contoured.folder), "--json"]) == 0
    shown = capsys.readouterr().out
    trend = json.loads(shown)
    assert trend["dates"][0]["state"] == "contoured"
    page = (contoured.folder / "index.html").read_text(encoding="utf-8")
    texts = [shown, page] + [path.read_text(encoding="utf-8") for path in contoured.folder.rglob("*.json")]
    for text in texts:
        assert NAME not in text
        assert NAME.split("^")[0] not in text.replace(PATIENT, "")
        assert PATIENT not in text
    assert page.count("data:image/png") >= 2
    assert main(["course", "show", str(contoured.folder), "--no-page"]) == 0
    assert "Parotid_L" in capsys.readouterr().out


def test_a_course_is_read_back_as_it_was_written(contoured):
    again = read_course(contoured.folder)
    assert again == contoured
    assert again.find("2026-01-15") == again.dates[0]
    with pytest.raises(KeyError):
        again.find("2027-01-01")
