"""A watched folder: nothing is read before it is complete, nothing is lost."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from autocontour.base.errors import CTError
from autocontour.queue.record import Options, State
from autocontour.queue.store import Store
from autocontour.queue.watch import Watcher


class Arrivals:
    """A folder with a watcher on a clock of the test's own."""

    def __init__(self, store: Store, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.now, self.events = folder, 0.0, list[tuple[str, dict[str, Any]]]()
        self.store = store
        self.watch()

    def watch(self) -> None:
        """Start (again)."""
        options = Options(output=str(self.folder.parent / "out"))

        def note(event: str, values: dict[str, Any]) -> None:
            self.events.append((event, values))

        self.watcher = Watcher(self.store, self.folder, lambda _: options, note, clock=lambda: self.now)

    def wait(self, seconds: float) -> None:
        """Let the time pass, reading the folder every 5 seconds."""
        for _ in range(int(seconds / 5)):
            self.now += 5.0
            self.watcher.turn()

    def counts(self) -> list[int]:
        return [len(record.content.slices) for record in self.store.records() if record.state is not State.REPLACED]


@pytest.fixture
def arrivals(store: Store, tmp_path: Path) -> Arrivals:
    return Arrivals(store, tmp_path / "inbox")


def test_a_series_is_added_once_nothing_changed_for_the_quiet_time(ct: Path, arrivals: Arrivals) -> None:
    for path in sorted(ct.iterdir()):
        shutil.copy(path, arrivals.folder)
        arrivals.wait(20)
        assert arrivals.store.records() == []
    arrivals.wait(30)
    assert arrivals.store.records() == []
    arrivals.wait(15)
    assert arrivals.counts() == [24]


def test_series_that_arrive_slowly_and_interleaved_are_complete(
    phantoms: list[Path], arrivals: Arrivals, tmp_path: Path
) -> None:
    chance = random.Random(1)
    files = [(number, path) for number, folder in enumerate(phantoms) for path in folder.iterdir()]
    chance.shuffle(files)
    for number, path in files:
        target = arrivals.folder / f"{number}-{path.name}"
        data = path.read_bytes()
        if chance.random() < 0.3:  # half-written for a while
            target.write_bytes(data[: chance.randrange(0, len(data))])
            arrivals.wait(5)
        if chance.random() < 0.3:  # under a temporary name
            target.with_suffix(".tmp").write_bytes(data)
            target.unlink(missing_ok=True)
            arrivals.wait(5)
            target.with_suffix(".tmp").rename(target)
        target.write_bytes(data)
        arrivals.wait(5)
    arrivals.wait(70)
    assert arrivals.counts() == [24, 24]
    arrivals.wait(100)
    assert len(arrivals.store.records()) == 2


def test_a_late_slice_reopens_the_series(ct: Path, arrivals: Arrivals) -> None:
    late = sorted(ct.iterdir())[-1]
    for path in sorted(ct.iterdir())[:-1]:
        shutil.copy(path, arrivals.folder)
    arrivals.wait(70)
    assert arrivals.counts() == [23]
    shutil.copy(late, arrivals.folder)
    arrivals.wait(70)
    assert arrivals.counts() == [24]
    assert [record.state for record in arrivals.store.records()] == [State.REPLACED, State.WAITING]


def test_a_half_written_last_slice_is_waited_for(ct: Path, arrivals: Arrivals) -> None:
    files = sorted(ct.iterdir())
    for path in files[:-1]:
        shutil.copy(path, arrivals.folder)
    target = arrivals.folder / files[-1].name
    data = files[-1].read_bytes()
    for size in range(100, len(data), len(data) // 12):  # slow, but never quiet
        target.write_bytes(data[:size])
        arrivals.wait(30)
    assert arrivals.store.records() == []
    target.write_bytes(data)
    arrivals.wait(70)
    assert arrivals.counts() == [24]


def test_a_renamed_folder_is_not_added_twice(ct: Path, arrivals: Arrivals) -> None:
    folder = arrivals.folder / "incoming"
    shutil.copytree(ct, folder)
    arrivals.wait(30)
    folder = folder.rename(arrivals.folder / "환자 42")
    arrivals.wait(70)
    folder = folder.rename(arrivals.folder / "done")
    arrivals.wait(70)
    assert arrivals.counts() == [24]
    assert arrivals.store.find(1).content.folder == folder


def test_a_restarted_watcher_reads_nothing_again(ct: Path, arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ct, arrivals.folder / "CT")
    arrivals.wait(70)
    arrivals.watch()
    monkeypatch.setattr("autocontour.queue.watch.add_each", lambda *_, **__: pytest.fail("read again"))
    arrivals.wait(140)
    assert arrivals.counts() == [24]


def test_a_share_that_is_gone_for_a_while_loses_nothing(ct: Path, arrivals: Arrivals, tmp_path: Path) -> None:
    shutil.copytree(ct, arrivals.folder / "CT")
    arrivals.wait(20)
    arrivals.folder.rename(tmp_path / "away")
    arrivals.wait(200)
    assert [event for event, _ in arrivals.events] == ["folder cannot be read"]
    (tmp_path / "away").rename(arrivals.folder)
    arrivals.wait(70)
    assert arrivals.counts() == [24]
    with pytest.raises(CTError, match="AC-CT-063"):
        Watcher(arrivals.store, tmp_path / "away", lambda _: None, lambda *_: None)


def state_count(folder: Path, count: int) -> None:
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.add_new(0x00201209, "IS", str(count))
        dataset.save_as(path)


def test_an_outage_is_no_quiet_time(ct: Path, arrivals: Arrivals, tmp_path: Path) -> None:
    """The sender was interrupted by the same outage: half a series must not be complete when the share is back."""
    files = sorted(ct.iterdir())
    for path in files[:12]:
        shutil.copy(path, arrivals.folder)
    arrivals.wait(20)
    away = arrivals.folder.rename(tmp_path / "away")
    arrivals.wait(600)
    away.rename(arrivals.folder)
    arrivals.wait(50)
    assert arrivals.store.records() == []
    for path in files[12:]:
        shutil.copy(path, arrivals.folder)
    arrivals.wait(70)
    assert arrivals.counts() == [24]


def test_a_stated_number_of_slices_decides(ct: Path, arrivals: Arrivals) -> None:
    state_count(ct, 24)
    files = sorted(ct.iterdir())
    for path in files[:-1]:
        shutil.copy(path, arrivals.folder)
    arrivals.wait(300)
    assert arrivals.store.records() == []  # longer than the quiet time
    arrivals.wait(400)
    assert [values["code"] for event, values in arrivals.events if event == "not added"] == ["AC-QU-018"]
    shutil.copy(files[-1], arrivals.folder)
    arrivals.wait(15)
    assert arrivals.counts() == [24]  # at once


def test_results_and_other_objects_in_the_folder_are_ignored(ct: Path, arrivals: Arrivals) -> None:
    shutil.copytree(ct, arrivals.folder / "CT")
    dataset = dcmread(sorted(ct.iterdir())[0])
    dataset.Modality, dataset.SeriesInstanceUID = "RTSTRUCT", "1.2.3"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    dataset.save_as(arrivals.folder / "CT" / "RS.1.2.3.dcm")
    (arrivals.folder / "notes.txt").write_text("text")
    arrivals.wait(70)
    assert arrivals.counts() == [24]
    assert "not added" not in [event for event, _ in arrivals.events]


def test_a_rule_may_skip_a_series(ct: Path, store: Store, tmp_path: Path) -> None:
    now = [0.0]
    events = list[str]()
    watcher = Watcher(store, ct, lambda _: None, lambda event, _: events.append(event), clock=lambda: now[0])
    for _ in range(30):
        now[0] += 5.0
        watcher.turn()
    assert store.records() == []
    assert events == ["skipped"]


def test_the_program_watches_contours_and_stops(
    ct: Path, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The result of the late slice replaces the first one."""
    inbox, out = tmp_path / "NEVERSHOWN inbox", tmp_path / "out"
    inbox.mkdir()
    late = sorted(ct.iterdir())[-1]
    command = [sys.executable, "-m", "autocontour.cli", "queue", "watch", str(inbox), "-o", str(out), "--json"]
    times = ["--quiet-seconds", "1", "--poll-seconds", "0.2", "--least-free-gb", "0", "--minutes", "3"]
    queue = ["--queue", str(store.folder), "--structures", "External"]
    process = subprocess.Popen([*command, *times, *queue], stdout=subprocess.PIPE, text=True)
    for path in sorted(ct.iterdir())[:-1]:
        shutil.copy(path, inbox)
    done, lines = 0, list[str]()
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if json.loads(line)["event"] == "done":
            done += 1
            if done == 2:
                break
            shutil.copy(late, inbox)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert [record.state for record in store.records()] == [State.REPLACED, State.DONE]
    assert [path.name for path in out.iterdir()] == [store.find(2).output.name]
    assert "NEVERSHOWN" not in "".join(lines)
