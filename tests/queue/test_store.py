"""The queue on disk: each series once, damage and full disks, two programs."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from autocontour.base.errors import OutputError, QueueError
from autocontour.base.files import create_atomically
from autocontour.queue.claims import MOST_STARTS
from autocontour.queue.intake import Entry
from autocontour.queue.record import State
from autocontour.queue.store import Store

Add = Callable[..., list[Entry]]


def outcomes(entries: list[Entry]) -> list[str]:
    return [entry.added.outcome if entry.added else entry.error.code if entry.error else "" for entry in entries]


def test_the_same_series_under_another_path_and_other_names_is_known(
    ct: Path, add: Add, store: Store, tmp_path: Path
) -> None:
    assert outcomes(add(ct)) == ["added"]
    other = tmp_path / "elsewhere" / ("sehr_langer_Ordnername_" * 8) / "환자 Müller ß"
    shutil.copytree(ct, other)
    for number, path in enumerate(sorted(other.iterdir())):
        path.rename(other / f"IMG{999 - number}")
    assert outcomes(add(other)) == ["known"]
    assert len(store.records()) == 1


def test_moved_files_are_found_at_their_new_place(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    moved = ct.rename(tmp_path / "moved")
    assert outcomes(add(moved)) == ["moved"]
    assert store.find(1).content.folder == moved


def test_files_that_move_while_they_are_read_are_found(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    claims = store.start_run()
    record = claims.claim()
    assert record is not None
    moved = ct.rename(tmp_path / "moved")
    assert outcomes(add(moved)) == ["moved"]
    claims.fail(record, QueueError("AC-QU-009"), State.WAITING)
    again = claims.claim()
    assert again is not None
    assert again.content.folder == moved


def test_other_options_of_a_known_series_are_reported(ct: Path, add: Add, store: Store) -> None:
    add(ct)
    assert outcomes(add(ct, structures=("Lung_L",))) == ["options"]
    assert store.find(1).options.structures == ("External",)
    store.cancel(1)
    assert outcomes(add(ct, structures=("Lung_L",), again=True)) == ["added"]
    assert store.find(1).options.structures == ("Lung_L",)


def test_a_path_that_is_not_unicode_is_kept(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    folder = ct.rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")))
    add(folder)
    assert store.find(1).content.folder == folder


def test_late_slices_replace_and_fewer_slices_do_not(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    part = Path(shutil.copytree(ct, tmp_path / "part"))
    for path in sorted(part.iterdir())[:3]:
        path.unlink()
    assert outcomes(add(part)) == ["added"]
    assert outcomes(add(ct)) == ["replaces"]
    assert outcomes(add(part)) == ["known"]  # the replaced record
    sorted(part.iterdir())[0].unlink()
    assert outcomes(add(part)) == ["fewer"]
    assert [record.state for record in store.records()] == [State.REPLACED, State.WAITING]


def test_other_contents_of_one_uid_are_refused(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    other = Path(shutil.copytree(ct, tmp_path / "other"))
    file = sorted(other.iterdir())[5]
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    add(ct)
    assert outcomes(add(other)) == ["conflict"]
    assert store.find(2).state is State.REFUSED
    assert store.find(2).error["code"] == "AC-QU-006"
    assert outcomes(add(other, again=True)) == ["added"]


def test_half_written_files_that_were_added_are_replaced_when_whole(ct: Path, add: Add, store: Store) -> None:
    file = sorted(ct.iterdir())[5]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000])
    assert outcomes(add(ct)) == ["added"]
    file.write_bytes(whole)
    assert outcomes(add(ct)) == ["replaces"]


def test_two_patients_in_one_folder_are_two_series(
    phantoms: list[Path], add: Add, tmp_path: Path, store: Store
) -> None:
    for number, folder in enumerate(phantoms):
        for path in folder.iterdir():
            (tmp_path / "mixed").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "mixed" / f"{number}-{path.name}")
    assert outcomes(add(tmp_path / "mixed")) == ["added", "added"]
    assert [len(record.content.slices) for record in store.records()] == [24, 24]


def test_two_patients_with_one_series_uid_are_both_refused(
    phantoms: list[Path], add: Add, tmp_path: Path, store: Store
) -> None:
    uid = dcmread(sorted(phantoms[0].iterdir())[0]).SeriesInstanceUID
    shutil.copytree(phantoms[0], tmp_path / "both" / "a")
    (tmp_path / "both" / "b").mkdir()
    for path in phantoms[1].iterdir():
        dataset = dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.save_as(tmp_path / "both" / "b" / path.name)
    assert outcomes(add(tmp_path / "both")) == ["conflict", "conflict"]
    assert [(record.state, record.error["code"]) for record in store.records()] == [(State.REFUSED, "AC-QU-006")] * 2


def test_a_series_without_a_valid_uid_stops_no_other(phantoms: list[Path], add: Add, tmp_path: Path) -> None:
    shutil.copytree(phantoms[0], tmp_path / "both" / "a")
    (tmp_path / "both" / "b").mkdir()
    for path in phantoms[1].iterdir():
        dataset = dcmread(path)
        dataset.SeriesInstanceUID = "../../x"
        dataset.save_as(tmp_path / "both" / "b" / path.name)
    assert sorted(outcomes(add(tmp_path / "both"))) == ["AC-QU-007", "added"]


def test_a_claimed_series_belongs_to_one_run_until_it_ends(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    first, second = Store(tmp_path / "queue"), Store(tmp_path / "queue")
    one, other = first.start_run(), second.start_run()
    record = one.claim()
    assert record is not None
    assert other.claim() is None
    assert other.take_up() == []
    first.close()  # as the operating system does when a program is killed
    assert other.take_up() == [1]
    again = other.claim()
    assert again is not None
    assert one.owner != again.owner
    second.close()


def test_a_run_that_lost_a_series_cannot_change_it(ct: Path, add: Add, tmp_path: Path) -> None:
    add(ct)
    with Store(tmp_path / "queue") as first, Store(tmp_path / "queue") as second:
        one, other = first.start_run(), second.start_run()
        record = one.claim()
        assert record is not None
        with sqlite3.connect(tmp_path / "queue" / "queue.sqlite") as base:
            base.execute("UPDATE series SET owner=?", (other.owner,))
        assert not one.finish(record, tmp_path / "x.dcm")
        assert second.find(1).state is State.RUNNING


def test_a_series_at_which_programs_die_is_not_started_for_ever(ct: Path, add: Add, tmp_path: Path) -> None:
    add(ct)
    for _ in range(MOST_STARTS):
        with Store(tmp_path / "queue") as one:
            claims = one.start_run()
            claims.take_up()
            assert claims.claim() is not None
    with Store(tmp_path / "queue") as last:
        claims = last.start_run()
        claims.take_up()
        assert claims.claim() is None
        assert last.find(1).state is State.FAILED
        assert last.find(1).error["code"] == "AC-QU-008"


def test_a_clock_that_is_set_back_does_not_prolong_a_wait(
    ct: Path, add: Add, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)
    claims = store.start_run()
    now = 1.8e9
    monkeypatch.setattr("time.time", lambda: now)
    record = claims.claim()
    assert record is not None
    claims.fail(record, QueueError("AC-QU-009"), State.WAITING, wait_s=60.0)
    assert claims.claim() is None
    now -= 86_400
    assert claims.claim() is not None


def test_higher_priorities_come_first(phantoms: list[Path], add: Add, store: Store) -> None:
    add(phantoms[0])
    add(phantoms[1], priority=5)
    first = store.start_run().claim()
    assert first is not None
    assert first.number == 2


@pytest.mark.parametrize("place", [0, 60, 4096])
def test_a_damaged_database_is_refused_and_kept(ct: Path, add: Add, store: Store, tmp_path: Path, place: int) -> None:
    add(ct)
    store.close()
    path = tmp_path / "queue" / "queue.sqlite"
    data = bytearray(path.read_bytes())
    data[place : place + 400] = b"\xff" * 400
    path.write_bytes(data)
    with pytest.raises(QueueError, match=r"AC-QU-00[234]"), Store(tmp_path / "queue") as opened:
        opened.records()
    assert path.read_bytes() == data


def test_a_changed_letter_of_a_task_is_damage(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    store.close()
    path = tmp_path / "queue" / "queue.sqlite"
    data = path.read_bytes()
    assert data.count(b'"External"') == 1
    path.write_bytes(data.replace(b'"External"', b'"Externel"'))
    with Store(tmp_path / "queue") as opened, pytest.raises(QueueError, match="AC-QU-002"):
        opened.records()


def test_a_full_disk_loses_nothing(phantoms: list[Path], add: Add, store: Store) -> None:
    add(phantoms[0])
    pages = store._base.execute("PRAGMA page_count").fetchone()[0]
    store._base.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(QueueError, match="AC-QU-003"):
        add(phantoms[1], template="x" * 100_000)
    assert store.find(1).state is State.WAITING
    store._base.execute("PRAGMA max_page_count=100000")
    assert outcomes(add(phantoms[1])) == ["added"]


def test_a_queue_of_a_newer_version_is_refused(store: Store, tmp_path: Path) -> None:
    store._base.execute("PRAGMA user_version=99")
    with pytest.raises(QueueError, match="AC-QU-004"):
        Store(tmp_path / "queue")


def test_a_new_file_never_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "RS.dcm"
    create_atomically(path, b"first")
    with pytest.raises(OutputError, match="AC-OUT-002"):
        create_atomically(path, b"second")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="AC-OUT-002"):
        create_atomically(tmp_path / "link", b"second")
    assert path.read_bytes() == b"first"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["RS.dcm", "link"]
