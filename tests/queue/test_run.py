"""Working on the queue: every result once, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from typing import Any

import pytest

from autocontour.base.errors import CTError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.queue import run as run_module
from autocontour.queue.claims import Claims
from autocontour.queue.intake import Entry
from autocontour.queue.record import State
from autocontour.queue.store import Store
from autocontour.queue.worker import LocalWorker
from autocontour.rtstruct import read_structure_set
from tests.queue.conftest import OPTIONS, Runner

Add = Callable[..., list[Entry]]


def results(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*"))}


def test_every_series_has_one_result_and_a_bad_one_stops_no_other(
    phantoms: list[Path], ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    for path in sorted(ct.iterdir())[8:10]:  # a gap, which blocks
        path.unlink()
    add(ct, priority=9)
    add(phantoms[1])
    summary = run()
    assert summary.ended == {"refused": 1, "done": 1}
    assert summary.exit_code == 3
    refused, done = store.records()
    assert refused.error["code"] == "AC-CT-032"
    assert refused.attempts == 1  # not tried again
    assert done.state is State.DONE
    volume = read_ct(planning_cts(scan_folder(phantoms[1], Job()))[0], Job())
    assert read_structure_set(Path(done.result), volume).names == ("External",)
    assert list(results(tmp_path / "out")) == [f"RS.{done.content.uid}.dcm"]
    before = results(tmp_path / "out")
    assert run().ended == {}
    assert results(tmp_path / "out") == before
    assert list((tmp_path / "queue" / "results").iterdir()) == []


def test_an_accepted_finding_does_not_refuse(ct: Path, add: Add, run: Runner, store: Store) -> None:
    for path in sorted(ct.iterdir())[8:10]:
        path.unlink()
    add(ct, accepted=("AC-CT-032",))
    assert run().ended == {"done": 1}
    assert "AC-CT-032" in {finding["code"] for finding in store.find(1).report["findings"]}


def test_an_existing_file_of_anyone_else_is_never_overwritten(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    add(ct)
    output = store.find(1).output
    output.parent.mkdir(exist_ok=True)
    output.write_bytes(b"of another patient")
    assert run().ended == {"refused": 1}
    assert store.find(1).error["code"] == "AC-QU-014"
    assert output.read_bytes() == b"of another patient"
    output.unlink()
    assert store.retry(1) is State.CONTOURED  # the contoured file was kept
    run.events.clear()
    assert run().ended == {"done": 1}
    assert run.names("started") == []


def test_a_late_slice_replaces_the_result_unless_it_was_changed(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    late = sorted(ct.iterdir())[-2:]
    kept = [path.read_bytes() for path in late]
    for path in late:
        path.unlink()
    add(ct)
    run()
    first = results(tmp_path / "out")
    late[0].write_bytes(kept[0])
    assert add(ct)[0].added == (2, "replaces")
    assert run().ended == {"done": 1}
    second = results(tmp_path / "out")
    assert first.keys() == second.keys()
    assert first != second
    assert [record.state for record in store.records()] == [State.REPLACED, State.DONE]
    output = store.find(2).output
    output.write_bytes(b"corrected by a person")
    late[1].write_bytes(kept[1])
    add(ct)
    assert run().ended == {"refused": 1}
    assert output.read_bytes() == b"corrected by a person"


def test_an_earlier_result_at_another_place_is_reported(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    late = sorted(ct.iterdir())[-1]
    data = late.read_bytes()
    late.unlink()
    add(ct, output=str(tmp_path / "first"))
    run()
    late.write_bytes(data)
    add(ct)
    run()
    assert store.find(1).state is State.REPLACED
    assert [values["number"] for values in run.names("earlier result remains")] == [1]


def test_files_that_changed_after_adding_are_read_again(ct: Path, add: Add, run: Runner, store: Store) -> None:
    last = sorted(ct.iterdir())[-1]
    data = last.read_bytes()
    last.unlink()
    add(ct)
    last.write_bytes(data)
    assert run().ended == {"done": 1}
    assert len(store.find(1).content.slices) == 24
    assert [values["code"] for values in run.names("changed")] == ["AC-QU-010"]


def test_copies_of_slices_that_come_after_adding_are_no_change(ct: Path, add: Add, run: Runner) -> None:
    add(ct)
    shutil.copy(sorted(ct.iterdir())[3], ct / "copy.dcm")
    assert run().ended == {"done": 1}
    assert run.names("changed") == []


def test_a_damaged_file_beside_the_slices_stays_a_finding(ct: Path, add: Add, run: Runner, store: Store) -> None:
    (ct / "damaged.dcm").write_bytes(sorted(ct.iterdir())[0].read_bytes()[:300])
    add(ct)
    run()
    assert store.find(1).state is State.DONE
    assert {"AC-CT-001", "AC-CT-008"} & {finding["code"] for finding in store.find(1).report["findings"]}


def test_a_share_that_is_gone_is_tried_again(
    ct: Path, add: Add, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)
    away = ct.parent.rename(tmp_path / "unmounted")
    note = run.note

    def mount(event: str, values: dict[str, Any]) -> None:
        note(event, values)
        if event == "waits" and away.exists():
            away.rename(tmp_path / "in")

    monkeypatch.setattr(run, "note", mount)
    assert run(replace(OPTIONS, retry_s=1.0)).ended == {"done": 1}
    assert {values["code"] for values in run.names("waits")} == {"AC-CT-007"}


def test_a_share_that_stays_away_fails_in_the_end(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct)
    shutil.rmtree(ct)
    assert run(replace(OPTIONS, attempts=3)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-CT-007"
    assert len(run.names("waits")) == 2


def test_a_result_that_cannot_be_written_is_kept_and_written_later(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "out").write_bytes(b"a file in the way")
    add(ct)
    assert run(replace(OPTIONS, attempts=2)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-OUT-001"
    (tmp_path / "out").unlink()
    store.retry(1)
    run.events.clear()
    assert run().ended == {"done": 1}
    assert run.names("started") == []


def test_nothing_is_written_below_a_mount_point_whose_share_is_gone(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be hidden by the share when that is back, and be done in the queue."""
    is_mount, mounted = os.path.ismount, [tmp_path / "out"]
    monkeypatch.setattr(os.path, "ismount", lambda path: path in mounted or is_mount(path))
    add(ct)
    assert store.find(1).mount == str(tmp_path / "out")
    mounted.clear()
    assert run(replace(OPTIONS, attempts=2)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-QU-029"
    assert results(tmp_path / "out") == {}
    mounted.append(tmp_path / "out")
    assert store.retry(1) is State.CONTOURED
    assert run().ended == {"done": 1}
    assert len(results(tmp_path / "out")) == 1


def test_a_contoured_file_that_was_damaged_is_contoured_again(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "out").write_bytes(b"a file in the way")
    add(ct)
    run(replace(OPTIONS, attempts=1))
    staged = tmp_path / "queue" / "results" / store.find(1).staged
    staged.write_bytes(staged.read_bytes()[:-10] + b"0123456789")
    (tmp_path / "out").unlink()
    store.retry(1)
    assert run().ended == {"done": 1}
    assert [values["code"] for values in run.names("waits")] == ["AC-QU-015"]


def test_too_little_free_space_begins_nothing(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct)
    assert run(replace(OPTIONS, least_free_gb=1e9, attempts=2)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-QU-013"
    assert run.names("started") == []


def test_a_worker_that_is_killed_is_replaced(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct)
    killed: list[int] = []
    local = LocalWorker()

    def kill_once(event: str, _values: dict[str, Any]) -> None:
        if event == "progress" and not killed and (process := local.process_id):
            killed.append(process)
            os.kill(process, signal.SIGKILL)

    with Store(run.folder) as opened:
        assert run_module.Run(opened, OPTIONS, kill_once, Job(), local).work().ended == {"done": 1}
    assert killed


def test_a_running_series_is_cancelled_and_leaves_no_file(
    phantoms: list[Path], add: Add, run: Runner, store: Store, tmp_path: Path
) -> None:
    add(phantoms[0])
    add(phantoms[1])

    def cancel(event: str, values: dict[str, Any]) -> None:
        if event == "started" and values["number"] == 1:
            assert store.cancel(1) is State.RUNNING

    with Store(run.folder) as opened:
        ended = run_module.Run(opened, OPTIONS, cancel, Job()).work().ended
    assert ended == {"cancelled": 1, "done": 1}
    assert [record.state for record in store.records()] == [State.CANCELLED, State.DONE]
    assert list(results(tmp_path / "out")) == [store.find(2).output.name]


def test_a_run_killed_between_the_file_and_its_record_does_not_repeat(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Claims, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            run()
    before = results(tmp_path / "out")
    assert len(before) == 1
    run.events.clear()
    assert run().ended == {"done": 1}
    assert run.names("started") == []
    assert results(tmp_path / "out") == before


def test_a_cancellation_that_comes_too_late_is_recorded_as_done(
    ct: Path, add: Add, run: Runner, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)
    finish = Claims.finish

    def late(self: Claims, record: Any, result: Path) -> bool:
        store.cancel(1)
        return finish(self, record, result)

    monkeypatch.setattr(Claims, "finish", late)
    assert run().ended == {"done": 1}
    assert len(results(tmp_path / "out")) == 1


def test_results_beside_the_ct_are_no_change_of_it(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct, output="")
    before = results(ct)
    assert run().ended == {"done": 1}
    after = results(ct)
    assert set(after) - set(before) == {store.find(1).output.name}
    assert before.items() <= after.items()
    assert add(ct, output="")[0].added == (1, "known")


def test_a_full_disk_is_waited_for(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    """A limit on the size of files, which is smaller than the structure set, stands for the disk."""
    add(ct, structures=("External", "Lung_L", "Lung_R", "Bone"))
    # The data file of a coverage measurement would be cut off by the limit, too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    limit = partial(setrlimit, RLIMIT_FSIZE, (100_000,) * 2)
    limited = start(tmp_path / "queue", "--attempts", "2", env=environment, preexec_fn=limit)
    limited.communicate(timeout=120)
    assert limited.returncode in (5, 12)  # the structure set or the database could not be written
    assert results(tmp_path / "out") == {}
    store.retry(1)
    again = start(tmp_path / "queue")
    again.communicate(timeout=120)
    assert again.returncode == 0
    assert len(results(tmp_path / "out")) == 1
    assert list((tmp_path / "queue" / "results").iterdir()) == []


def test_a_run_that_is_asked_to_stop_returns_its_series(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    process = start(tmp_path / "queue")
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert store.find(1).state is State.WAITING
    assert store.find(1).owner == ""


def test_the_time_budget_returns_what_is_not_finished(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct)
    summary = run(replace(OPTIONS, minutes=0.005))
    assert summary.is_time_up
    assert summary.waiting == 1
    assert store.find(1).state is State.WAITING
    assert store.find(1).attempts == 0


def test_reports_are_removed_with_age_and_records_stay(ct: Path, add: Add, run: Runner, store: Store) -> None:
    add(ct)
    run()
    store.forget_reports(1.0)
    assert store.find(1).report
    store.forget_reports(-1.0)
    assert not store.find(1).report
    assert add(ct)[0].added == (1, "known")


# The program itself, killed


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "autocontour.cli", "queue", "run", "--queue", str(folder), "--json"]
    limits = ["--least-free-gb", "0", "--retry-seconds", "0.1"]
    return subprocess.Popen([*command, *limits, *arguments], stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("event", ["started", "reading the CT", "rules", "writing the structure set"])
def test_a_run_that_is_killed_is_continued(
    event: str, phantoms: list[Path], add: Add, store: Store, tmp_path: Path
) -> None:
    for folder in phantoms:
        add(folder)
    process = start(tmp_path / "queue")
    assert process.stdout
    for line in process.stdout:
        values = json.loads(line)
        if event in (values["event"], values.get("stage", "")) or values["event"] == "end":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results(tmp_path / "out")
    second = start(tmp_path / "queue")
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert [record.state for record in store.records()] == [State.DONE, State.DONE]
    after = results(tmp_path / "out")
    assert len(after) == 2
    assert before.items() <= after.items()  # no result was written twice
    assert list((tmp_path / "queue" / "results").iterdir()) == []
    ends = [line for line in output.splitlines() if json.loads(line)["event"] == "done"]
    assert len(ends) == 2 - len(before)


def test_two_runs_share_one_queue(phantoms: list[Path], add: Add, store: Store, tmp_path: Path) -> None:
    for folder in phantoms:
        add(folder)
    runs = [start(tmp_path / "queue"), start(tmp_path / "queue")]
    lines = [json.loads(line) for run in runs for line in run.communicate(timeout=120)[0].splitlines()]
    assert [run.returncode for run in runs] == [0, 0]
    done = [line["number"] for line in lines if line["event"] == "done"]
    assert sorted(done) == [1, 2]


def test_the_worker_ends_with_the_program(ct: Path, add: Add, store: Store, tmp_path: Path) -> None:
    add(ct)
    process = start(tmp_path / "queue")
    assert process.stdout
    for line in process.stdout:
        if json.loads(line)["event"] == "progress":
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("needs Linux")
    workers = [int(number) for number in children.read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{number}").exists() for number in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert workers
    assert not any(Path(f"/proc/{number}").exists() for number in workers)


def test_commands_and_the_log_show_no_identity_and_no_path(
    phantoms: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ct = Path(shutil.copytree(phantoms[0], tmp_path / "NEVERSHOWN John" / "CT"))
    bad = Path(shutil.copytree(phantoms[1], tmp_path / "NEVERSHOWN Jane" / "CT"))
    for path in sorted(bad.iterdir())[8:10]:
        path.unlink()
    queue = ["--queue", str(tmp_path / "queue")]
    out = ["-o", str(tmp_path / "NEVERSHOWN out")]
    assert main(["queue", "add", str(ct), str(bad), *queue, *out, "--structures", "External"]) == 0
    assert main(["queue", "run", *queue, "--least-free-gb", "0"]) == 3
    assert main(["queue", "list", *queue]) == 0
    assert main(["queue", "list", "--json", *queue]) == 0
    assert main(["queue", "cancel", "1", *queue]) == 0
    assert main(["queue", "retry", "1", *queue]) == 12  # it is done
    shown = capfd.readouterr()
    assert "NEVERSHOWN" not in shown.out + shown.err
    log = (tmp_path / "queue" / "queue.log").read_text()
    assert "NEVERSHOWN" not in log
    assert "AC-CT-032" in log
    assert main(["queue", "show", "1", "--json", *queue]) == 0
    record = json.loads(capfd.readouterr().out)
    assert record["state"] == "done"
    assert [one["name"] for one in record["report"]["structures"]] == ["External"]
    database = (tmp_path / "queue" / "queue.sqlite").read_bytes()
    assert b"NEVERSHOWN^NAME" not in database


def test_what_does_not_exist_is_refused(ct: Path, tmp_path: Path) -> None:
    queue = ["--queue", str(tmp_path / "queue")]
    assert main(["queue", "run", *queue]) == 12  # and no new, empty queue is made
    assert not (tmp_path / "queue").exists()
    assert main(["queue", "add", str(tmp_path / "nowhere"), *queue]) == CTError.exit_code
    assert main(["queue", "show", "7", *queue]) == 12


def test_an_error_is_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "run", "--queue", str(tmp_path / "none"), "--json"]) != 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"]["code"].startswith("AC-")
