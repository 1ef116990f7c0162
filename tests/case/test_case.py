"""A case: what may change, undo to the letter, and what survives."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Point

from autocontour.base.errors import CaseError
from autocontour.base.findings import Finding, Severity
from autocontour.case import Case, CaseKey, CaseStructure, Edit, actions
from autocontour.case.actions import import_structures
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import GenerationAlgorithm, ImportedContour, ReviewStatus, Structure, StructureSet

KEY = CaseKey("1.2.3", "1.2.4")


def disc(u=0.0, r=20.0):
    return MultiPolygon([Point(u, 0).buffer(r)])


def heart(number=1, name="Heart"):
    return Structure(
        name,
        number,
        {3: disc(), 4: disc(1)},
        provenance=Provenance("rules", "1"),
        findings=(Finding("AC-QA-001", Severity.WARN, "Small.", where=name, slices=(1, 2)),),
        imported={3: (ImportedContour("CLOSED_PLANAR", "1\\2\\3", b"\x01\x02"),)},
        carried=(ImportedContour("POINT", "0\\0\\0"),),
    )


@pytest.fixture
def case(tmp_path):
    case = Case(tmp_path / "case", KEY)
    structure = heart()
    case.apply(Edit("Open", added=(CaseStructure(structure, structure.contours),)))
    yield case
    case.close()


def test_an_edited_slice_loses_its_imported_points_and_only_that(case):
    case.apply(Edit("Brush", {1: {3: disc(5)}}), seconds=2)
    structure = case.state[1].structure
    assert structure.status is ReviewStatus.EDITED
    assert structure.generation is GenerationAlgorithm.SEMIAUTOMATIC
    assert structure.imported == {}
    assert structure.carried
    assert structure.contours[4] is case.state[1].automatic[4]
    assert case.seconds == {1: 2}


def test_undo_to_the_start_is_the_very_state(case):
    start = case.state
    for step in range(30):
        case.apply(Edit("Brush", {1: {step: disc(step)}}))
    end = case.state
    for _ in range(30):
        case.undo()
    assert case.state is start
    for _ in range(30):
        case.redo()
    assert case.state is end
    assert case.redo_label == ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"locked": True}, "AC-CASE-011"), ({"status": ReviewStatus.APPROVED}, "AC-CASE-012")],
)
def test_protected_structures_refuse(case, fields, code):
    case.apply(Edit("Protect", fields={1: fields}))
    before = case.state
    for edit in (
        Edit("Brush", {1: {3: None}}),
        Edit("Delete", removed=(1,)),
        Edit("Rename", fields={1: {"name": "X"}}),
    ):
        with pytest.raises(CaseError) as refused:
            case.apply(edit)
        assert refused.value.code == code
    assert case.state is before
    case.apply(Edit("Colour", fields={1: {"color_rgb": (1, 2, 3)}}))


def test_names_stay_unique_whatever_their_case(case):
    with pytest.raises(CaseError, match="AC-CASE-013"):
        case.apply(Edit("Add", added=(CaseStructure(heart(2, "HEART")),)))
    assert case.state.next_number == 2


def test_import_finds_free_numbers_and_names_and_refuses_another_scan(case):
    case.apply(import_structures(case, StructureSet("Other", (heart(), heart(7, "Cord")), "9", "1.2.4")))
    assert [s.name for s in case.state.structures] == ["Heart", "Heart_2", "Cord"]
    assert case.state.numbers == (1, 2, 7)
    with pytest.raises(CaseError, match="AC-CASE-003"):
        import_structures(case, StructureSet("Foreign", (heart(),), "9", "9.9"))


def reopened(case):
    case.close()
    return Case(case.folder, KEY)


def test_everything_comes_back_when_reopened(case):
    case.apply(Edit("Brush", {1: {3: disc(5), 9: disc(6)}}, {1: {"color_rgb": (1, 2, 3)}}), seconds=1.5)
    again = reopened(case)
    assert again.state == case.state
    assert again.seconds == case.seconds
    assert again.state[1].automatic[4] is again.state[1].structure.contours[4]
    again.close()
    case._lock = Case(case.folder, KEY)._lock


def killed_copy(case, folder):
    """Return the case as a program killed at this moment would have left it."""
    folder.mkdir()
    for path in case.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


steps = st.lists(st.sampled_from(["edit", "undo", "redo", "remove", "snapshot"]), max_size=25)


@given(steps)
@settings(max_examples=25, deadline=None)
def test_replay_after_a_kill_gives_the_same_state_and_undo(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("kill")
    case = Case(root / "case", KEY)
    case.apply(Edit("Open", added=(CaseStructure(heart()), CaseStructure(heart(5, "Lung")))))
    for count, step in enumerate(steps):
        if step == "edit" and case.state.numbers:
            case.apply(Edit("Brush", {case.state.numbers[0]: {count: disc(count), 3: None}}))
        elif step == "remove" and len(case.state.numbers) > 1:
            case.apply(Edit("Delete", removed=case.state.numbers[:1]))
        elif step in ("undo", "redo", "snapshot"):
            getattr(case, step)()
    again = Case(killed_copy(case, root / "copy"), KEY)
    assert again.state == case.state
    labels = []
    while again.undo_label:
        assert again.undo_label == case.undo_label
        labels.append(again.undo_label)
        assert again.undo() == case.undo()
    for _ in labels:
        assert again.redo() == case.redo()
    again.close()
    case.close()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_torn_tail_loses_only_the_step_in_progress(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("torn")
    case = Case(root / "case", KEY)
    states = [case.state]
    sizes = [0]
    for step in range(6):
        added = (CaseStructure(heart(step + 1, f"S{step}")),)
        states.append(case.apply(Edit("Add", added=added)))
        sizes.append((case.folder / "journal.bin").stat().st_size)
    folder = killed_copy(case, root / "copy")
    case.close()
    cut = data.draw(st.integers(0, sizes[-1]))
    journal = folder / "journal.bin"
    content = bytearray(journal.read_bytes()[:cut])
    if content and data.draw(st.booleans()):
        content[data.draw(st.integers(0, cut - 1))] ^= 0x55
        journal.write_bytes(content)
        Case(folder, KEY).close()  # opens, whatever the damage
        return
    journal.write_bytes(content)
    again = Case(folder, KEY)
    whole = sum(size <= cut for size in sizes) - 1
    assert again.state == states[whole]
    again.apply(Edit("Add", added=(CaseStructure(heart(99, "After")),)))
    after = again.state
    again.close()
    final = Case(folder, KEY)
    assert final.state == after
    final.close()


def test_a_damaged_snapshot_falls_back_to_the_older_one(case):
    for step in range(5):
        case.apply(Edit("Brush", {1: {step: disc(step)}}))
        case.snapshot()
    snapshots = sorted(case.folder.glob("snapshot-*.bin"))
    assert len(snapshots) == 2
    snapshots[-1].write_bytes(b"torn")
    folder = killed_copy(case, case.folder.parent / "copy")
    again = Case(folder, KEY)
    assert again.state == case.state
    for path in folder.glob("snapshot-*.bin"):
        path.write_bytes(b"")
    again.close()
    for path in folder.glob("snapshot-*.bin"):
        path.write_bytes(b"")
    bare = Case(folder, KEY)
    assert bare.state == case.state
    bare.close()


def test_two_windows_on_one_case_are_refused(case):
    with pytest.raises(CaseError, match="AC-CASE-001"):
        Case(case.folder, KEY)


def test_a_case_is_for_its_own_ct(case, tmp_path):
    case.apply(Edit("x"))
    folder = killed_copy(case, tmp_path / "copy")
    with pytest.raises(CaseError, match="AC-CASE-002"):
        Case(folder, replace(KEY, series_instance_uid="8.8"))


def test_edits_of_one_run_are_one_step_of_undo_also_after_a_restart(tmp_path):
    with Case(tmp_path, KEY) as case:
        start = case.state
        for name in ("Heart", "Lung_L", "Lung_R"):
            case.apply(actions.receive(case.state, Structure(name, 1, {0: disc()}), "Auto-contour#1"))
        drawn = case.state
        assert case.undo_label == "Auto-contour"
    with Case(tmp_path, KEY) as case:
        assert case.undo() is not drawn
        assert case.state == start
        assert (case.undo_label, case.redo_label) == ("", "Auto-contour")
        assert case.redo() == drawn
        case.apply(Edit("Brush", {1: {1: disc()}}))
        case.apply(actions.receive(case.state, Structure("Liver", 1, {0: disc()}), "Auto-contour#1"))
        assert case.undo_label == "Auto-contour Liver"  # what was drawn by hand meanwhile parts the run
        case.undo()
        case.undo()
        assert case.state == drawn


def test_two_runs_are_two_steps(tmp_path):
    with Case(tmp_path, KEY) as case:
        for run, names in (("Auto-contour#1", ("A", "B")), ("Auto-contour#2", ("C", "D"))):
            for name in names:
                case.apply(actions.receive(case.state, Structure(name, 1, {0: disc()}), run))
        case.undo()
        assert [s.name for s in case.state.structures] == ["A", "B"]
        case.redo()
        assert len(case.state.structures) == 4
