"""Rejecting a structure: who, when and why is kept, it is not exported unless chosen, and undo brings all back."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydicom import dcmread
from shapely import MultiPolygon, Point

from autocontour.base.errors import CaseError, OutputError
from autocontour.case import Case, CaseKey, Edit, actions
from autocontour.case.export import ExportOptions, check_case, export_case, exported_set
from autocontour.case.need import assess_need, choose_next, viewed
from autocontour.case.targets import add_target
from autocontour.patient.recipe import Recipe
from autocontour.patient.structures import ReviewStatus, Structure
from tests.case.test_export import ct, ct_folder  # noqa: F401  (fixtures)

KEY = CaseKey("1.2.3", "1.2.4")
NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def disc(u=40.0, r=20.0):
    return MultiPolygon([Point(u, 40).buffer(r)])


def organ(name, number):
    return Structure(name, number, {z: disc() for z in (10, 11, 12)})


@pytest.fixture
def case(tmp_path):
    case = Case(tmp_path / "case", KEY)
    for number, name in enumerate(("Heart", "Liver", "Lung"), 1):
        case.apply(actions.receive(case.state, organ(name, number)))
    yield case
    if not case._journal._file.closed:
        case.close()


def rejected(case, number=1, reason="Too small"):
    case.apply(actions.reject(case.state, number, "A. Physicist", reason, NOON))
    return case.state[number]


def reopened(case):
    case.close()
    return Case(case.folder, KEY)


def killed(case):
    case._journal.close()
    case._lock.release()
    return Case(case.folder, KEY)


def test_a_rejection_is_kept_with_who_when_and_why(case):
    first = rejected(case)
    with killed(case) as last:
        second = last.state[1]
    for again in (first, second):
        assert again.is_rejected
        assert again.structure.status is ReviewStatus.REJECTED
        assert (again.rejected_by, again.rejected_at, again.reject_reason) == (
            "A. Physicist",
            "2026-03-04T12:00:00+00:00",
            "Too small",
        )


@pytest.mark.parametrize(("reviewer", "reason"), [("", "Too small"), ("A.", " "), (" ", "x")])
def test_without_a_name_or_a_reason_it_is_refused(case, reviewer, reason):
    with pytest.raises(CaseError, match="AC-CASE-018"):
        actions.reject(case.state, 1, reviewer, reason)


def test_rejecting_ends_an_approval_and_undo_restores_it_also_after_a_restart(case):
    case.apply(actions.approve(case.state, 1, "B. Physician", NOON))
    approved = case.state[1]
    item = rejected(case)
    assert not item.is_approved
    assert (item.approved_by, item.approved_at) == ("", "")
    case.undo()
    assert case.state[1] is approved
    with killed(case) as again:
        assert again.state[1].is_approved
        assert not again.state[1].is_rejected
        assert again.state[1].approved_by == "B. Physician"
        again.redo()
        assert again.state[1].is_rejected
        assert again.state[1].approved_by == ""
    with Case(case.folder, KEY) as last:
        last.undo()
        assert last.state[1].is_approved
        assert not last.state[1].rejected_at


def test_a_locked_structure_can_be_rejected_and_stays_locked(case):
    case.apply(actions.set_locked(case.state, 1, locked=True))
    item = rejected(case)
    assert item.locked
    assert item.is_rejected


def test_an_edit_keeps_the_rejection_until_it_is_approved_or_withdrawn(case):
    rejected(case)
    case.apply(Edit("Brush", {1: {11: disc(50)}}))
    assert case.state[1].is_rejected
    assert case.state[1].structure.status is ReviewStatus.EDITED
    assert assess_need(case.state[1], {1: {11}}).reason.startswith("rejected before, edited since")
    case.apply(actions.receive(case.state, organ("Heart", 1)))
    assert case.state[1].is_rejected
    case.apply(actions.withdraw_rejection(case.state, 1))
    assert not case.state[1].is_rejected
    assert case.state[1].structure.status is ReviewStatus.AUTO
    rejected(case)
    case.apply(actions.approve(case.state, 1, "A. Physicist"))
    assert not case.state[1].rejected_at
    case.apply(actions.withdraw_approval(case.state, 1))
    assert not case.state[1].is_rejected


def test_withdrawing_a_current_rejection_restores_the_status(case):
    rejected(case)
    case.apply(actions.withdraw_rejection(case.state, 1))
    assert case.state[1].structure.status is ReviewStatus.AUTO
    with reopened(case) as again:
        assert not again.state[1].is_rejected


def test_a_copy_of_a_rejected_structure_is_rejected(case):
    rejected(case)
    case.apply(actions.duplicate(case.state, 1))
    assert case.state.items[-1].is_rejected
    assert case.state.items[-1].structure.status is ReviewStatus.REJECTED
    case.apply(actions.duplicate(case.state, 2))
    assert not case.state.items[-1].is_rejected


def test_review_goes_on_after_a_rejection_and_comes_back_to_it_last(case):
    seen = {1: {11}, 2: {11}}
    rejected(case)
    assert assess_need(case.state[1], seen).reason == "rejected"
    assert [item.structure.number for item in viewed(case.state, seen)] == [2]
    assert choose_next(case.state, 1, seen)[0].structure.number == 3
    seen[3] = {11}
    assert choose_next(case.state, 3, seen)[0].structure.number == 2
    case.apply(actions.approve_several(case.state, [2, 3], "A."))
    assert choose_next(case.state, 3, seen)[0].structure.number == 1


def test_a_rejected_structure_is_not_exported_unless_chosen_by_its_number(case):
    rejected(case)
    assert exported_set(case, ExportOptions()).names == ("Liver", "Lung")
    left_out = [p.finding for p in check_case(case, ExportOptions()) if p.number == 1]
    assert [(finding.code, finding.severity.name) for finding in left_out] == [("AC-EX-014", "INFO")]
    chosen = ExportOptions(numbers=frozenset({1, 2}))
    assert exported_set(case, chosen).names == ("Heart", "Liver")
    assert ("AC-EX-013", "WARN") in {(p.finding.code, p.finding.severity.name) for p in check_case(case, chosen)}
    assert exported_set(case, replace(chosen, approved_only=True)).names == ()


def test_a_set_with_a_rejected_structure_is_written_unapproved_and_only_if_accepted(ct, tmp_path):  # noqa: F811
    with actions.open_case(ct, tmp_path / "cases") as case:
        for number, name in enumerate(("Heart", "Esophagus"), 1):
            case.apply(actions.receive(case.state, organ(name, number)))
        case.apply(actions.approve(case.state, 1, "A. Physicist", NOON))
        rejected(case, 2)
        export_case(case, ct, tmp_path / "one.dcm", accepted={"AC-EX-002", "AC-EX-005"})
        assert dcmread(tmp_path / "one.dcm").ApprovalStatus == "APPROVED"
        both = ExportOptions(numbers=frozenset({1, 2}))
        with pytest.raises(OutputError, match="AC-EX-013"):
            export_case(case, ct, tmp_path / "two.dcm", both, accepted={"AC-EX-002", "AC-EX-005"})
        assert not (tmp_path / "two.dcm").exists()
        codes = {"AC-EX-002", "AC-EX-005", "AC-EX-013"}
        export_case(case, ct, tmp_path / "two.dcm", both, accepted=codes)
        assert dcmread(tmp_path / "two.dcm").ApprovalStatus == "UNAPPROVED"


def test_a_structure_made_from_a_rejected_one_is_named_before_export(ct, tmp_path):  # noqa: F811
    with actions.open_case(ct, tmp_path / "cases") as case:
        for number, name in enumerate(("CTV", "Heart"), 1):
            case.apply(actions.receive(case.state, organ(name, number)))
        case.apply(add_target(case.state, "PTV", Recipe(("CTV",), (5.0,) * 6), ct.geometry))
        case.apply(add_target(case.state, "PTV_All", Recipe(("PTV",), (2.0,) * 6), ct.geometry))
        assert not [p for p in check_case(case, ExportOptions()) if p.finding.code == "AC-EX-015"]
        rejected(case, 1)
        named = [p.finding for p in check_case(case, ExportOptions()) if p.finding.code == "AC-EX-015"]
        assert [(f.where, dict(f.values)["source"]) for f in named] == [("PTV", "CTV"), ("PTV_All", "CTV")]
        only = ExportOptions(numbers=frozenset({2}))
        assert "AC-EX-015" not in {p.finding.code for p in check_case(case, only)}
