"""A case on a bad disk: flipped bits, stray files, no room. What is lost is said; what is not lost is there."""

import random
import resource
import sys
from contextlib import contextmanager

import pytest
from shapely import MultiPolygon, Point

from autocontour.base.errors import CaseError, OutputError
from autocontour.case import Case, CaseKey, CaseStructure, Edit
from autocontour.case.journal import HEADER, MAGIC
from autocontour.patient.structures import Structure

KEY = CaseKey("1.2.3", "1.2.4")
EDITS = 60


def disc(r):
    return MultiPolygon([Point(0, 0).buffer(r)])


def brush(step, number=1):
    return Edit(f"Brush {step}", {number: {step: disc(5 + step)}})


def killed(case):
    case._journal.close()
    case._lock.release()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "case"


@pytest.fixture
def left(folder):
    """A case of 61 changes whose program was killed, none of them in a snapshot."""
    case = Case(folder, KEY)
    case.apply(Edit("Add", added=(CaseStructure(Structure("Heart", 1, {})),)))
    for step in range(EDITS):
        case.apply(brush(step))
    killed(case)
    return case.state


def records(journal):
    data, starts = journal.read_bytes(), []
    at = data.find(MAGIC)
    while at >= 0:
        starts.append(at)
        _, length, _, _ = HEADER.unpack(data[at : at + HEADER.size])
        at = at + HEADER.size + length if at + HEADER.size + length < len(data) else -1
    return starts


def flip(journal, at, bit=3):
    data = bytearray(journal.read_bytes())
    data[at] ^= 1 << bit
    journal.write_bytes(data)


@pytest.mark.parametrize("where", [0, 5, 9, 17, HEADER.size + 4], ids=["magic", "length", "sequence", "crc", "payload"])
def test_a_flipped_bit_in_the_journal_loses_that_change_alone(folder, left, where):
    journal = folder / "journal.bin"
    flip(journal, records(journal)[10] + where)  # the change to slice 9
    damaged = journal.read_bytes()
    case = Case(folder, KEY)
    contours = case.state[1].structure.contours
    assert contours == {z: p for z, p in left[1].structure.contours.items() if z != 9}
    (finding,) = case.findings
    assert (finding.code, dict(finding.values)) == ("AC-CASE-024", {"count": 1})
    assert journal.read_bytes() == damaged  # nothing of it is overwritten
    case.undo()
    assert 59 not in case.state[1].structure.contours
    case.close()
    again = Case(folder, KEY)
    assert again.findings == ()
    assert again.state == case.state
    again.close()


def test_flips_anywhere_never_lose_more_than_their_own_records(folder, left):
    journal, rng = folder / "journal.bin", random.Random(7)
    starts = records(journal)
    hit = sorted(rng.sample(range(1, EDITS), 5))
    for index in hit:
        flip(journal, rng.randrange(starts[index], starts[index + 1]), rng.randrange(8))
    with Case(folder, KEY) as case:
        lost = set(left[1].structure.contours) - set(case.state[1].structure.contours)
        assert lost == {index - 1 for index in hit}
        assert dict(case.findings[0].values)["count"] == 5


def test_what_was_set_aside_is_never_overwritten(folder, left):
    journal = folder / "journal.bin"
    for number in range(3):
        journal.write_bytes(journal.read_bytes() + b"torn %d" % number)
        case = Case(folder, KEY)
        assert [finding.code for finding in case.findings] == ["AC-CASE-022"]
        killed(case)
    kept = [folder / name for name in ("journal.damaged", "journal.2.damaged", "journal.3.damaged")]
    assert [path.read_bytes() for path in kept] == [b"torn 0", b"torn 1", b"torn 2"]


def test_a_lost_rename_or_addition_leaves_no_clash(folder):
    case = Case(folder, KEY)
    for edit in (
        Edit("Add", added=(CaseStructure(Structure("Heart", 1, {})),)),
        Edit("Rename", fields={1: {"name": "Liver"}}),
        Edit("Add", added=(CaseStructure(Structure("Heart", 2, {})),)),
        Edit("Delete", removed=(1,)),
        Edit("Add", added=(CaseStructure(Structure("Lung", 1, {})),)),
        brush(4, number=2),
    ):
        case.apply(edit)
    killed(case)
    journal = folder / "journal.bin"
    for index in (1, 3):
        flip(journal, records(journal)[index] + HEADER.size + 2)
    with Case(folder, KEY) as again:
        # The rename and the removal of the first are lost: it is replaced by the one that took its number.
        assert {s.number: s.name for s in again.state.structures} == {1: "Lung", 2: "Heart_2"}
        assert 4 in again.state[2].structure.contours
        again.apply(brush(5, number=1))
        assert dict(again.findings[0].values)["count"] == 2


@pytest.mark.parametrize("name", ["snapshot-xx.bin", "snapshot-99999999.bin", "snapshot-00000003 (1).bin", "notes.txt"])
@pytest.mark.parametrize("content", [b"", b"ACJ1 of another"])
def test_a_stray_file_is_ignored_and_reported(folder, left, name, content):
    (folder / name).write_bytes(content)
    case = Case(folder, KEY)
    assert case.state == left
    (finding,) = case.findings
    assert finding.code == "AC-CASE-025"
    assert name in finding.message
    for step in range(250):
        case.apply(brush(step))
    state = case.state
    case.close()
    assert (folder / name).read_bytes() == content
    with Case(folder, KEY) as again:
        assert again.state == state


def test_a_copy_of_an_old_snapshot_under_a_newer_name_is_not_taken(folder, left):
    with Case(folder, KEY):
        pass
    (old,) = folder.glob("snapshot-*.bin")
    case = Case(folder, KEY)
    case.apply(brush(80))
    killed(case)
    (folder / "snapshot-00000900.bin").write_bytes(old.read_bytes())
    with Case(folder, KEY) as again:
        assert 80 in again.state[1].structure.contours
        assert [finding.code for finding in again.findings] == ["AC-CASE-023"]


@contextmanager
def file_size_limit(size):
    """No file grows beyond `size` bytes, as on a disk or a quota that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")


@needs_limits
@pytest.mark.parametrize("room", [0, 1, 30, 90])
def test_a_change_that_the_full_disk_does_not_take_is_not_made(folder, left, room):
    case = Case(folder, KEY)
    before, size = case.state, (folder / "journal.bin").stat().st_size
    with file_size_limit(size + room):
        for act in (lambda: case.apply(brush(70)), case.undo, case.take_back_recovered):
            with pytest.raises(CaseError, match="AC-CASE-005"):
                act()
            assert case.state is before
            assert (folder / "journal.bin").stat().st_size == size
    case.apply(brush(71))
    killed(case)
    with Case(folder, KEY) as again:
        assert again.state == case.state
        assert 71 in again.state[1].structure.contours
        assert again.findings == ()


@needs_limits
def test_changes_go_on_where_only_the_snapshot_has_no_room(folder, monkeypatch):
    def full(*_):
        raise OutputError("AC-OUT-001", file="snapshot", reason="No space left on device")

    case = Case(folder, KEY)
    case.apply(Edit("Add", added=(CaseStructure(Structure("Heart", 1, {})),)))
    monkeypatch.setattr("autocontour.case.case.write_snapshot", full)
    for step in range(150):
        case.apply(brush(step))
    case.close()
    with Case(folder, KEY) as again:
        assert again.state == case.state
    monkeypatch.undo()
    with Case(folder, KEY) as again:
        assert again.state == case.state


@needs_limits
def test_a_case_on_a_full_disk_opens_or_is_refused_by_code(folder, left):
    journal = folder / "journal.bin"
    with file_size_limit(0):
        case = Case(folder, KEY)  # nothing to write but the snapshot, which can wait
        assert case.state == left
        case.close()
        journal_bytes = journal.read_bytes()
    journal.write_bytes(journal_bytes + b"torn")
    with file_size_limit(2), pytest.raises(CaseError, match="AC-CASE-004"):
        Case(folder, KEY)
    assert journal.read_bytes() == journal_bytes + b"torn"
    with Case(folder, KEY) as again:
        assert again.state == left
    with file_size_limit(0), pytest.raises((CaseError, OutputError)):
        Case(folder.with_name("new"), KEY)


def test_a_folder_that_is_a_file_is_refused_by_code(tmp_path):
    (tmp_path / "case").write_bytes(b"")
    with pytest.raises(CaseError, match="AC-CASE-004"):
        Case(tmp_path / "case", KEY)
    with pytest.raises(CaseError, match="AC-CASE-004"):
        Case(tmp_path / ("x" * 300), KEY)
