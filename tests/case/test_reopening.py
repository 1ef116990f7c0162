"""What is there when a case is opened again: undo, what a killed program left, and what was damaged."""

import subprocess
import sys
from pathlib import Path

import pytest
from shapely import MultiPolygon, Point

import autocontour.case.history as history
from autocontour.case import Case, CaseKey, CaseStructure, Edit, ScanFacts, clear_mark, left_cases, mark_open
from autocontour.patient.structures import Structure

KEY = CaseKey("1.2.3", "1.2.4")
OPEN_AND_WAIT = """
import sys
from pathlib import Path
from autocontour.case import Case, CaseKey
from autocontour.base.errors import CaseError
try:
    case = Case(Path(sys.argv[1]), CaseKey("1.2.3", "1.2.4"))
except CaseError as error:
    print(error, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def disc(u=0.0, r=20.0):
    return MultiPolygon([Point(u, 0).buffer(r)])


def edit(step, number=1):
    return Edit(f"Brush {step}", {number: {step: disc(step)}})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cases" / "one"


def begun(folder, edits=5):
    case = Case(folder, KEY)
    case.apply(Edit("Open", added=(CaseStructure(Structure("Heart", 1, {3: disc()}), {3: disc()}),)))
    for step in range(edits):
        case.apply(edit(step))
    return case


def killed(case):
    """Let go of a case as a killed program does: nothing is written any more."""
    case._journal.close()
    case._lock.release()


def behind(case):
    """What `undone` gives for a case that is no longer open."""
    steps = case._steps[case._index :: -1]
    return list(zip(["", *(step.label for step in steps)], [step.state for step in steps], strict=False))


def undone(case):
    """Every state on the way back, with what was taken back."""
    way = [("", case.state)]
    while label := case.undo_label:
        way.append((label, case.undo()))
    return way


def test_undo_and_redo_reach_as_far_after_a_close(folder):
    case = begun(folder, edits=12)
    case.apply(Edit("Delete", removed=(1,)))
    case.undo()
    case.undo()
    case.close()
    again = Case(folder, KEY)
    assert (again.undo_label, again.redo_label) == ("Brush 10", "Brush 11")
    assert [again.redo().numbers, again.redo().numbers] == [(1,), ()]
    assert again.redo_label == ""
    assert undone(again)[3:] == behind(case)[1:]
    assert again.state.numbers == ()
    again.close()
    from_the_start = Case(folder, KEY)
    assert from_the_start.undo_label == ""
    assert from_the_start.redo_label == "Open"
    from_the_start.close()


def test_undo_reaches_over_a_close_and_a_kill(folder):
    case = begun(folder, edits=3)
    case.close()
    case = Case(folder, KEY)
    case.undo()
    case.apply(edit(7))
    killed(case)
    again = Case(folder, KEY)
    assert again.recovered == ("Undo Brush 2 Heart", "Brush 7 Heart")
    assert undone(again) == behind(case)
    again.close()


@pytest.mark.parametrize(("name", "bound", "reach"), [("STEPS_KEPT", 4, 4), ("BYTES_KEPT", 900, None)])
def test_undo_after_a_close_is_bounded(folder, monkeypatch, name, bound, reach):
    monkeypatch.setattr(history, name, bound)
    case = begun(folder, edits=10)
    now = case.state
    case.close()
    again = Case(folder, KEY)
    assert again.state == now
    steps = len(undone(again)) - 1
    assert steps == reach if reach else 0 < steps < 10
    again.apply(edit(20))
    again.close()


def test_what_was_recovered_is_taken_back_as_one_step(folder):
    case = begun(folder, edits=2)
    case.close()
    case = Case(folder, KEY)
    assert case.recovered == ()
    before = case.state
    case.undo()
    case.apply(edit(8))
    case.apply(Edit("Approve", fields={1: {"approved_by": "A"}}))
    after = case.state
    killed(case)
    again = Case(folder, KEY)
    assert again.state == after
    assert again.take_back_recovered() == before
    killed(again)
    third = Case(folder, KEY)
    assert third.state == before
    assert third.undo() == after
    third.close()


def test_a_damaged_newest_copy_is_told_and_nothing_is_lost(folder):
    case = begun(folder)
    case.snapshot()
    case.apply(edit(9))
    case.close()
    newest = sorted(folder.glob("snapshot-*.bin"))[-1]
    newest.write_bytes(newest.read_bytes()[:40])
    again = Case(folder, KEY)
    assert again.state == case.state
    assert [finding.code for finding in again.findings] == ["AC-CASE-020"]
    assert "Nothing is lost" in again.findings[0].message
    again.close()
    assert Case(folder, KEY).findings == ()


def test_a_damaged_copy_and_journal_lose_what_they_must_and_say_it(folder):
    case = begun(folder)
    case.snapshot()
    at = case._journal.end
    case.apply(edit(9))
    case.close()
    sorted(folder.glob("snapshot-*.bin"))[-1].write_bytes(b"")
    journal = folder / "journal.bin"
    content = bytearray(journal.read_bytes())
    content[at + 30] ^= 0xFF
    journal.write_bytes(content)
    again = Case(folder, KEY)
    assert 9 not in again.state[1].structure.contours
    assert again.state[1].structure.contours == {z: case.state[1].structure.contours[z] for z in (0, 1, 2, 3, 4)}
    assert "The last change is lost" in again.findings[0].message
    assert (folder / "journal.damaged").exists()
    again.close()


@pytest.mark.parametrize("left", [0, 100])
def test_edits_after_a_lost_journal_survive_the_next_kill(folder, left):
    case = begun(folder)
    case.close()
    journal = folder / "journal.bin"
    journal.write_bytes(journal.read_bytes()[:left])
    again = Case(folder, KEY)
    assert [finding.code for finding in again.findings] == ["AC-CASE-021"]
    assert again.state == case.state
    again.apply(edit(30))
    killed(again)
    third = Case(folder, KEY)
    assert third.state == again.state
    third.close()


def test_a_key_that_was_cut_short_is_written_anew(folder):
    begun(folder).close()
    (folder / "case.json").write_bytes(b"{")
    Case(folder, KEY).close()
    assert b"1.2.3" in (folder / "case.json").read_bytes()


def marked(case, source, **facts):
    mark_open(case.folder, ScanFacts(source, "1.2.3", **facts), case.sequence)


def test_a_killed_case_is_offered_until_it_is_opened_or_dismissed(folder, tmp_path):
    root = folder.parent
    case = Case(folder, KEY)
    marked(case, tmp_path, date="2026-01-02", series="3 Thorax")
    assert left_cases(root) == []  # it is open here
    case.apply(Edit("Open", added=(CaseStructure(Structure("Heart", 1, {})), CaseStructure(Structure("Lung", 2, {})))))
    case.snapshot()
    case.apply(Edit("Delete", removed=(1,)))
    case.apply(edit(3, number=2))
    killed(case)
    (left,) = left_cases(root)
    assert (left.structures, left.changes, left.scan.date, left.scan.series) == (1, 3, "2026-01-02", "3 Thorax")
    assert left.scan == ScanFacts(tmp_path, "1.2.3", "2026-01-02", "3 Thorax")
    again = Case(folder, KEY)
    assert left_cases(root) == []
    again.close()
    assert left_cases(root) == []
    again = Case(folder, KEY)
    marked(again, tmp_path)
    killed(again)
    assert left_cases(root) == []  # nothing had changed
    again = Case(folder, KEY)
    marked(again, tmp_path)
    again.apply(edit(5, number=2))
    killed(again)
    assert len(left_cases(root)) == 1
    clear_mark(folder)
    assert left_cases(root) == []


def test_a_case_whose_scan_is_gone_is_offered_as_moved_and_a_torn_mark_is_not(folder, tmp_path):
    case = Case(folder, KEY)
    marked(case, tmp_path / "unplugged")
    case.apply(Edit("x"))
    killed(case)
    assert [(left.folder, left.is_moved) for left in left_cases(folder.parent)] == [(folder, True)]
    (folder / "open.json").write_bytes(b'{"sou')
    assert left_cases(folder.parent) == []
    assert left_cases(tmp_path / "none") == []


def test_another_program_is_refused_and_the_first_goes_on(folder):
    command = [sys.executable, "-c", OPEN_AND_WAIT, str(folder)]
    case = begun(folder)
    second = subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd(), check=True)
    assert second.stdout.startswith("AC-CASE-001: This case is open in another window. Close it there first")
    case.apply(edit(40))
    case.close()
    third = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert third.stdout.readline() == "open\n"
    third.kill()
    third.communicate()
    assert Case(folder, KEY).state == case.state


def test_what_was_looked_at_is_kept_until_the_structure_is_drawn_anew(folder):
    case = begun(folder)
    for z in (3, 4):
        case.look(1, z)
    case.apply(edit(9))
    case.close()
    case = Case(folder, KEY)
    assert case.seen == {1: {3, 4}}
    case.undo()
    assert case.seen == {1: {3, 4}}
    case.apply(Edit("Auto-contour Heart", {1: {3: disc(7)}}, {1: {"automatic": {3: disc(7)}}}))
    assert case.seen == {}
    case.look(1, 3)
    case.undo()  # the contours that were looked at before are not those that were looked at last
    assert case.seen == {}
    case.close()


def test_a_number_taken_anew_has_not_been_looked_at(folder):
    case = begun(folder)
    case.look(1, 3)
    case.apply(Edit("Delete", removed=(1,)))
    case.apply(Edit("Add", added=(CaseStructure(Structure("Liver", 1, {}), {}),)))
    assert case.seen == {}
    case.close()


def test_a_kill_forgets_looks_and_never_invents_them(folder):
    case = begun(folder)
    case.look(1, 3)
    case.snapshot()
    case.apply(Edit("Auto-contour Heart", {1: {3: disc(7)}}, {1: {"automatic": {3: disc(7)}}}))
    killed(case)
    again = Case(folder, KEY)
    assert again.state[1].automatic[3].equals(disc(7))
    assert again.seen == {}
    again.close()
