"""What a person does to a case, done by a script."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from shapely import MultiPolygon, Point

from autocontour.base.errors import CaseError
from autocontour.base.findings import Finding
from autocontour.case import Case, CaseKey, CaseState, Edit, actions
from autocontour.case.records import decode_edit, decode_item, encode_edit, encode_item, pack, unpack
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus, Structure, StructureSet

KEY = CaseKey("1.2.3", "1.2.4")
AUTOMATIC, SEMI, MANUAL = GenerationAlgorithm


def disc(r):
    return MultiPolygon([Point(0, 0).buffer(r)])


def organ(name="Heart", generation=AUTOMATIC, **values):
    return Structure(name, 1, {3: disc(20), 4: disc(21)}, generation=generation, **values)


@pytest.fixture
def case(tmp_path):
    with Case(tmp_path / "case", KEY) as case:
        yield case


@pytest.mark.parametrize("origin", GenerationAlgorithm)
def test_revert_gives_back_the_contours_and_their_origin(case, origin):
    case.apply(actions.import_structures(case, StructureSet("S", (organ(generation=origin),))))
    came = case.state[1].structure
    case.apply(Edit("Brush", {1: {3: disc(5), 9: disc(6)}}))
    assert case.state[1].structure.generation is (SEMI if origin is AUTOMATIC else origin)
    case.apply(actions.revert(case.state, 1))
    reverted = case.state[1].structure
    assert (dict(reverted.contours), reverted.generation) == (dict(came.contours), origin)
    assert reverted.status is (ReviewStatus.AUTO if origin is AUTOMATIC else ReviewStatus.EDITED)
    case.undo()
    assert case.state[1].structure.contours[3] == disc(5)
    assert case.state[1].origin is origin


def test_what_is_drawn_again_comes_from_the_network_whatever_it_was_before(case):
    case.apply(actions.import_structures(case, StructureSet("S", (organ(generation=MANUAL),))))
    case.apply(actions.receive(case.state, replace(organ("heart"), contours={7: disc(9)})))
    item = case.state[1]
    assert (item.structure.name, item.origin, item.structure.generation) == ("Heart", AUTOMATIC, AUTOMATIC)
    assert item.automatic.keys() == item.structure.contours.keys() == {7}
    case.undo()
    assert case.state[1].origin is MANUAL


@pytest.mark.parametrize(
    ("generation", "provenance", "origin"),
    [
        (MANUAL, None, MANUAL),
        (SEMI, Provenance("net", "1"), AUTOMATIC),
        (SEMI, None, SEMI),
        (AUTOMATIC, None, AUTOMATIC),
    ],
)
def test_a_case_of_an_older_version_knows_its_origins_as_far_as_can_be(generation, provenance, origin):
    (item,) = actions.add(CaseState(), organ(generation=generation, provenance=provenance)).added
    record = encode_item(item)
    assert decode_item(unpack(pack(record))).origin is generation
    del record["review"]["origin"]
    assert decode_item(unpack(pack(record))).origin is origin


def test_what_an_older_version_drew_again_has_that_origin():
    (item,) = actions.add(CaseState(), organ(generation=MANUAL)).added
    edit = encode_edit(actions.receive(CaseState((item,)), organ()))
    del edit["fields"][1]["origin"]
    assert decode_edit(unpack(pack(edit))).fields[1]["origin"] is AUTOMATIC


def test_approval_names_a_person_and_a_time(case):
    case.apply(actions.add(case.state, organ()))
    with pytest.raises(CaseError, match="AC-CASE-015"):
        actions.approve(case.state, 1, "  ")
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    case.apply(actions.approve(case.state, 1, "A. Physicist ", moment))
    item = case.state[1]
    assert (item.approved_by, item.approved_at) == ("A. Physicist", "2026-03-04T05:06:07+00:00")
    with pytest.raises(CaseError, match="AC-CASE-012"):
        case.apply(actions.revert(case.state, 1))
    case.apply(actions.withdraw_approval(case.state, 1))
    item = case.state[1]
    assert (item.approved_by, item.approved_at, item.structure.status) == ("", "", ReviewStatus.AUTO)


def test_the_other_actions(case):
    case.apply(actions.add(case.state, actions.new_structure("Lung_L", {2: disc(8)}), actions.new_structure("X", {})))
    with pytest.raises(CaseError, match="AC-CASE-016"):
        actions.rename(case.state, 2, " ")
    case.apply(actions.rename(case.state, 2, " PTV "))
    with pytest.raises(CaseError, match="AC-CASE-013"):
        case.apply(actions.rename(case.state, 2, "lung_l "))
    case.apply(actions.set_type(case.state, 1, "AVOIDANCE"))
    case.apply(actions.set_color(1, (1, 2, 3)))
    case.apply(actions.set_locked(case.state, 1, locked=True))
    lung, ptv = case.state.items
    assert (lung.structure.interpreted_type, lung.structure.color_rgb, lung.locked) == ("AVOIDANCE", (1, 2, 3), True)
    assert (ptv.structure.name, ptv.structure.interpreted_type, ptv.origin) == ("PTV", "PTV", MANUAL)
    with pytest.raises(CaseError, match="AC-CASE-011"):
        case.apply(actions.remove(case.state, 1))
    case.apply(actions.duplicate(case.state, 1))
    assert case.state.structures[-1].name == "Lung_L_2"
    with pytest.raises(CaseError, match="AC-CASE-014"):
        actions.revert(case.state, 2)
    with pytest.raises(CaseError, match="AC-CASE-003"):
        actions.import_structures(case, StructureSet("Foreign", (organ(),), "9", "9.9"))


def test_findings_that_show_beside_others_are_noted_on_what_is_as_drawn(case):
    """Left and right, overlaps and places are known only once every structure of a run is there."""
    finding = Finding.of("AC-QA-103", "Lung_L, Lung_R", left="Lung_L", right="Lung_R")
    for number, name in ((50, "Lung_L"), (51, "Lung_R")):
        case.apply(actions.receive(case.state, Structure(name, number, {3: disc(9)}), run="Auto#1"))
    edited = case.state.find("Lung_R").structure.number
    case.apply(Edit("Brush", {edited: {4: disc(9)}}))
    found = {"Lung_L": (finding,), "Lung_R": (finding,), "Gone": (finding,)}
    case.apply(actions.note_findings(case.state, found, "Auto#1"))
    assert case.state.find("Lung_L").structure.findings == (finding,)
    assert case.state.find("Lung_R").structure.findings == ()  # she has changed it since
    assert actions.note_findings(case.state, {"Lung_L": (finding,)}) is None


def test_no_edit_draws_beyond_the_slices_of_the_ct(tmp_path):
    with Case(tmp_path / "case", KEY, slice_count=5) as case:
        case.apply(actions.receive(case.state, organ()))
        before = case.state
        for edit in (
            Edit("Brush", {1: {5: disc(9)}}),
            Edit("Brush", {1: {3: disc(9), -1: disc(9)}}),
            actions.add(before, replace(organ("Lung_L"), contours={4: disc(9), 70: disc(9)})),
            actions.receive(before, replace(organ(), contours={5: disc(9)})),
        ):
            with pytest.raises(CaseError, match="AC-CASE-017"):
                case.apply(edit)
        assert case.state is before
        case.apply(Edit("Erase", {1: {4: None, 9: None}}))
        assert list(case.state[1].structure.contours) == [3]


def test_contours_beyond_the_slices_of_the_ct_in_an_older_case_are_reported(tmp_path):
    with Case(tmp_path / "case", KEY) as case:
        case.apply(actions.receive(case.state, organ()))
    with Case(tmp_path / "case", KEY, slice_count=4) as case:
        assert [(f.code, f.where, dict(f.values)["count"]) for f in case.findings] == [("AC-CASE-026", "Heart", 1)]
        assert list(case.state[1].structure.contours) == [3, 4]


def test_several_structures_are_approved_by_one_person_in_one_step(case):
    for number, name in enumerate(("Heart", "Liver", "Lung"), 1):
        case.apply(actions.receive(case.state, replace(organ(name), number=number)))
    before, at = case.state, datetime(2026, 1, 2, tzinfo=UTC)
    case.apply(actions.approve_several(before, [1, 3], " A. Physicist ", at))
    assert [(item.is_approved, item.approved_by) for item in case.state.items] == [
        (True, "A. Physicist"),
        (False, ""),
        (True, "A. Physicist"),
    ]
    assert {item.approved_at for item in case.state.items} == {"", at.isoformat(timespec="seconds")}
    assert case.undo_label == "Approve Heart, Lung"
    assert case.undo() == before
    with pytest.raises(CaseError, match="AC-CASE-015"):
        actions.approve_several(before, [1], " ")


def test_one_of_several_drawers_is_kept_under_the_name():
    def drawn(name, number, tg263_name="Heart"):
        return Structure(name, number, {3: disc(20)}, tg263_name=tg263_name)

    state = CaseState()
    for one in (drawn("Heart", 1), drawn("Heart^2", 2), drawn("Heart^3", 3), drawn("Liver", 4, "Liver")):
        state = state.after(actions.add(state, one))
    numbers = {item.structure.name: item.structure.number for item in state.items}
    assert actions.rivals_of(state, numbers["Heart"]) == (numbers["Heart^2"], numbers["Heart^3"])
    assert actions.rivals_of(state, numbers["Liver"]) == ()
    compared = Finding.of("AC-PL-012", "Heart^2", structure="Heart^2", other="b", first="Heart", drawer="a", dsc=0.9)
    found = {"findings": (compared, Finding.of("AC-MD-134", "Heart", package="b", structure="Heart"))}
    state = state.after(Edit("Findings", fields={numbers["Heart^2"]: found}))
    kept = state.after(actions.keep_drawer(state, numbers["Heart^2"]))
    assert [one.code for one in kept[numbers["Heart^2"]].structure.findings] == ["AC-MD-134"]
    assert {item.structure.name: item.structure.number for item in kept.items} == {
        "Heart": numbers["Heart^2"],
        "Liver": numbers["Liver"],
    }
    first = state.after(actions.keep_drawer(state, numbers["Heart"]))
    assert [item.structure.name for item in first.items] == ["Heart", "Liver"]
