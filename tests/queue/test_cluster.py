"""Several computers: each series is contoured as on one, written once, and only by workers that are alike."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from autocontour.base.errors import CTError, ModelError, OutputError, QueueError
from autocontour.base.jobs import Job
from autocontour.cli import main
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.models import find_package
from autocontour.models.package.history import install_package
from autocontour.models.package.members import CHECKSUMS, WEIGHTS, checksums_of, read_members
from autocontour.patient.structures import StructureSet
from autocontour.phantom import build_phantom
from autocontour.queue import cluster as cluster_module
from autocontour.queue import remote, tasks
from autocontour.queue import serve as serve_module
from autocontour.queue.cluster import ClusterWorkers
from autocontour.queue.installation import describe_installation, differences
from autocontour.queue.intake import Entry
from autocontour.queue.record import Options, State
from autocontour.queue.run import Run, RunOptions, Summary
from autocontour.queue.store import Store
from autocontour.rtstruct import read_structure_set
from tests.queue.conftest import OPTIONS

distributed = pytest.importorskip("distributed")

Add = Callable[..., list[Entry]]
Values = dict[str, Any]
PROGRAM = [sys.executable, "-m", "autocontour.cli", "queue"]
RETRIED = replace(OPTIONS, attempts=4, retry_s=0.3)


class Working:
    """Runs the queue on a cluster, and keeps the events; `react` is called with each."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.events: list[tuple[str, Values]] = []
        self.react: Callable[[str, Values], None] = lambda _event, _values: None

    def __call__(
        self, options: RunOptions = OPTIONS, minutes: float = 1.0, each_turn: Callable[[], bool] = lambda: False
    ) -> Summary:
        workers = ClusterWorkers(self.address, options.device, minutes)
        with Store(self.folder) as store:
            return Run(store, options, self._note, Job(), workers).work(each_turn)

    def _note(self, event: str, values: Values) -> None:
        self.events.append((event, values))
        self.react(event, values)

    def names(self, name: str) -> list[Values]:
        return [values for event, values in self.events if event == name]


def structures_of(file: Path, ct: Path) -> StructureSet:
    return read_structure_set(file, read_ct(planning_cts(scan_folder(ct, Job()))[0], Job()))


def results(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*"))}


# A scheduler and a worker in this process


@pytest.fixture(scope="module")
def inside() -> Iterator[str]:
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**settings, resources={"autocontour": 1}, scheduler_port=0) as started:
        yield started.scheduler_address


@pytest.fixture
def work(inside: str, tmp_path: Path) -> Working:
    return Working(tmp_path / "queue", inside)


def test_contours_are_those_of_one_computer(ct: Path, add: Add, work: Working, store: Store, tmp_path: Path) -> None:
    add(ct)
    assert work().ended == {"done": 1}
    assert main(["contour", str(ct), "-o", str(tmp_path / "one.dcm"), "--structures", "External"]) == 0
    record = store.find(1)
    (found,) = structures_of(Path(record.result), ct).structures
    (expected,) = structures_of(tmp_path / "one.dcm", ct).structures
    assert found.contours.keys() == expected.contours.keys()
    assert all(found.contours[key].equals(expected.contours[key]) for key in expected.contours)
    assert record.report["worker"] == work.names("started")[0]["worker"]
    assert {"reading the CT", "writing the structure set"} <= {one["stage"] for one in work.names("progress")}
    assert list((tmp_path / "queue" / "results").iterdir()) == []
    assert work().ended == {}


def test_a_blocked_series_is_refused_and_another_done(
    phantoms: list[Path], ct: Path, add: Add, work: Working, store: Store
) -> None:
    for path in sorted(ct.iterdir())[8:10]:
        path.unlink()
    add(ct)
    add(phantoms[1])
    assert work().ended == {"refused": 1, "done": 1}
    assert [record.error.get("code") for record in store.records()] == ["AC-CT-032", None]


def test_a_worker_with_another_program_is_refused(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(remote, "describe_program", lambda: {"version": "0.0.9"})
    add(ct)
    with pytest.raises(QueueError, match=r"AC-QU-027.*version, program files"):
        work(minutes=0.01)
    assert {values["code"] for values in work.names("worker refused")} == {"AC-QU-023"}
    assert store.find(1).state is State.WAITING
    assert store.find(1).attempts == 0
    assert results(tmp_path / "out") == {}


def test_a_worker_with_other_weights_is_refused(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = describe_installation(Options())
    other = replace(here, plan={**here.plan, "package head-and-neck": "1.1.2 0123"})
    monkeypatch.setattr(remote, "describe_installation", lambda _: other)
    add(ct)
    assert work(replace(RETRIED, attempts=2)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-QU-025"
    assert "package head-and-neck" in store.find(1).error["message"]
    assert results(tmp_path / "out") == {}


def test_a_worker_without_the_template_is_refused(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Options) -> None:
        raise ModelError("AC-MD-017", package="mine")

    monkeypatch.setattr(remote, "describe_installation", missing)
    add(ct)
    assert work(replace(RETRIED, attempts=1)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-QU-025"


@pytest.mark.parametrize("code", ["AC-CT-007", "AC-QU-010"])
def test_a_worker_that_sees_other_files_is_no_fault_of_the_series(
    code: str, phantoms: list[Path], ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other series is contoured; this one waits, and is done when the share is back."""
    read, seen = remote.read_task, []

    def read_elsewhere(task: tasks.Task, job: Job) -> Any:
        seen.append(task.number)
        if task.number == 1 and seen.count(1) == 1:
            raise CTError(code, files="x", count=1) if code.startswith("AC-CT") else QueueError(code)
        return read(task, job)

    monkeypatch.setattr(remote, "read_task", read_elsewhere)
    add(ct)
    add(phantoms[1])
    assert work(RETRIED).ended == {"done": 2}
    assert [values["code"] for values in work.names("waits")] == ["AC-QU-024"]
    assert work.names("changed") == []


def test_files_that_are_gone_everywhere_are_no_fault_of_the_worker(ct: Path, add: Add, work: Working) -> None:
    add(ct)
    shutil.rmtree(ct)
    assert work(replace(RETRIED, attempts=1)).ended == {"failed": 1}
    assert work.names("worker refused") == []


def test_an_unexpected_error_ends_its_series_alone(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "contour_task", lambda *_: 1 / 0)
    add(ct)
    assert work().ended == {"refused": 1}
    assert store.find(1).error["code"] == "AC-QU-012"


def test_a_result_that_was_changed_on_the_way_is_not_written(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = remote.write_task
    monkeypatch.setattr(remote, "write_task", lambda *args: replace(write(*args), checksum="0"))
    add(ct)
    assert work(replace(RETRIED, attempts=1)).ended == {"failed": 1}
    assert store.find(1).error["code"] == "AC-QU-015"


def test_a_full_disk_of_the_queue_is_waited_for(
    ct: Path, add: Add, work: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = cluster_module.write_atomically, [1]

    def full(path: Path, data: bytes) -> None:
        if failures:
            failures.pop()
            raise OutputError("AC-OUT-001", file="x", reason="No space left on device")
        write(path, data)

    monkeypatch.setattr(cluster_module, "write_atomically", full)
    add(ct)
    assert work(RETRIED).ended == {"done": 1}
    assert [values["code"] for values in work.names("waits")] == ["AC-OUT-001"]


def test_a_running_series_is_cancelled_on_the_worker(
    phantoms: list[Path], add: Add, work: Working, store: Store, tmp_path: Path
) -> None:
    add(phantoms[0])
    add(phantoms[1])
    at_progress_of_first(work, lambda _: store.cancel(1) and None)
    ended = work().ended
    assert ended == {"cancelled": 1, "done": 1}
    assert list(results(tmp_path / "out")) == [store.find(2).output.name]


def test_a_template_that_is_gone_here_ends_the_series(ct: Path, add: Add, work: Working, store: Store) -> None:
    add(ct, template="/nowhere/gone.toml")
    assert work().ended == {"refused": 1}
    assert store.find(1).error["code"].startswith("AC-")


def test_without_a_worker_that_has_a_gpu_nothing_is_sent(ct: Path, add: Add, work: Working, store: Store) -> None:
    add(ct)
    with pytest.raises(QueueError, match="AC-QU-027"):
        work(replace(OPTIONS, device="cuda"), minutes=0.01)
    assert work.names("started") == []
    assert store.find(1).state is State.WAITING


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_reported(
    address: str, ct: Path, add: Add, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 0.2)
    add(ct)
    with pytest.raises(QueueError, match="AC-QU-026"):
        Working(tmp_path / "queue", address)(minutes=0.01)
    assert store.find(1).state is State.WAITING


@pytest.mark.usefixtures("store")
def test_without_dask_the_package_to_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    queue = ["--queue", str(tmp_path / "queue"), "--scheduler", "tcp://127.0.0.1:9"]
    assert main(["queue", "run", *queue]) == 12
    assert main(["queue", "worker", "tcp://127.0.0.1:9"]) == 12
    assert "autocontour[cluster]" in capsys.readouterr().err


def test_differences_are_named() -> None:
    here = describe_installation(Options()).program
    assert differences(here, here) == []
    assert differences(here, {**here, "numpy": "1.0", "torch": "2"}) == ["numpy", "torch"]


def test_no_path_is_in_what_dask_may_print(ct: Path, add: Add, store: Store) -> None:
    add(ct)
    record = store.find(1)
    task = tasks.Task(1, record.content, record.options, store.results / "x.dcm")
    assert str(ct.parent) not in repr(task)
    assert record.content.uid not in repr(task)


# Real processes


@dataclass
class Processes:
    """A scheduler and its workers."""

    port: int
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
        return subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL, env=environment, cwd=self.folder)

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        command = [*PROGRAM, "worker", self.address]
        settings = {**os.environ, "TMPDIR": str(self.folder), **environment}
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=settings)

    def process_at(self, worker: str) -> int:
        """Return the process that listens on a worker's port."""
        import psutil

        port = int(worker.rpartition(":")[2])
        (found,) = {one.pid for one in psutil.net_connections("tcp") if one.laddr[1] == port and one.status == "LISTEN"}
        assert found
        return found

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = Processes(port, tmp_path_factory.mktemp("cluster"), None, [])  # type: ignore[arg-type]
    started.scheduler = started.start_scheduler()
    started.workers = [started.start_worker(), started.start_worker()]
    yield started
    started.stop()


@pytest.fixture
def far(processes: Processes, tmp_path: Path) -> Working:
    return Working(tmp_path / "queue", processes.address)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three series of three patients in one folder."""
    folder = tmp_path_factory.mktemp("many")
    for seed in range(3):
        phantom = build_phantom("thorax", seed, spacing_zyx_mm=(10.0, 4.0, 4.0), shape_zyx=(24, 120, 120))
        description = SeriesDescription(f"N^{seed}", f"P{seed}", uid_seed=f"cluster {seed}")
        write_ct_series(phantom.hu, phantom.geometry, folder / str(seed), description)
    return folder


def stop_machine(process: int, number: signal.Signals) -> None:
    """Send a signal to a worker and to the process that supervises it."""
    import psutil

    worker = psutil.Process(process)
    for one in (worker.parent(), worker):
        assert one is not None
        os.kill(one.pid, number)


def at_progress_of_first(work: Working, act: Callable[[str], None]) -> None:
    """Call `act` with the worker of series 1 once, when it has begun."""
    done: list[str] = []

    def react(event: str, values: Values) -> None:
        if event == "progress" and values["number"] == 1 and not done:
            done.append(next(one["worker"] for one in work.names("started") if one["number"] == 1))
            act(done[0])

    work.react = react


def assert_each_once(work: Working, store: Store, out: Path, count: int) -> dict[str, str]:
    """Check that every series is done, reported once and written once, and nothing is left in the queue's folder."""
    assert [record.state for record in store.records()] == [State.DONE] * count
    assert sorted(values["number"] for values in work.names("done")) == list(range(1, count + 1))
    assert list(store.results.iterdir()) == []
    found = results(out)
    assert found == {record.output.name: record.result_checksum for record in store.records()}
    return found


def test_a_killed_worker_loses_and_repeats_nothing(
    many: Path, add: Add, far: Working, processes: Processes, store: Store, tmp_path: Path
) -> None:
    add(many, structures=("External", "Lung_L"))
    at_progress_of_first(far, lambda worker: os.kill(processes.process_at(worker), signal.SIGKILL))
    assert far(RETRIED).ended == {"done": 3}
    assert_each_once(far, store, tmp_path / "out", 3)
    assert [values["code"] for values in far.names("waits")] == ["AC-QU-009"]


def test_a_lost_worker_that_comes_back_writes_nothing(
    many: Path, add: Add, far: Working, processes: Processes, store: Store, tmp_path: Path
) -> None:
    add(many, structures=("External", "Lung_L"))
    stopped: list[int] = []

    def stop(worker: str) -> None:
        stopped.append(processes.process_at(worker))
        stop_machine(stopped[0], signal.SIGSTOP)

    at_progress_of_first(far, stop)
    try:
        assert far(RETRIED).ended == {"done": 3}
        before = assert_each_once(far, store, tmp_path / "out", 3)
    finally:
        stop_machine(stopped[0], signal.SIGCONT)
    time.sleep(1.0)
    assert results(tmp_path / "out") == before
    assert [record.state for record in store.records()] == [State.DONE] * 3


def test_a_restarted_scheduler_loses_and_repeats_nothing(
    many: Path, add: Add, far: Working, processes: Processes, store: Store, tmp_path: Path
) -> None:
    add(many, structures=("External", "Lung_L"))

    def restart(_: str) -> None:
        processes.scheduler.kill()
        processes.scheduler.wait()
        processes.scheduler = processes.start_scheduler()

    at_progress_of_first(far, restart)
    assert far(RETRIED).ended == {"done": 3}
    assert_each_once(far, store, tmp_path / "out", 3)
    assert far.names("scheduler lost") == [{}]
    assert far.names("waits") == []  # no fault of any series


def test_of_two_workers_with_different_weights_one_is_used(
    many: Path, add: Add, far: Working, processes: Processes, store: Store, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        install_package(other_weights(tmp_path / "package"), replace=True, reason="another weight", by="Test")
    other = processes.start_worker(XDG_DATA_HOME=str(tmp_path / "data"))
    processes.workers.append(other)
    added: list[Entry] = []

    def add_when_all_are_there() -> bool:
        if not added and {"count": 3} in far.names("workers"):
            added.extend(add(many))
        return not added

    assert far(each_turn=add_when_all_are_there).ended == {"done": 3}
    refused = {values["worker"] for values in far.names("worker refused") if values["code"] == "AC-QU-025"}
    assert len(refused) == 1
    assert not refused & {record.report["worker"] for record in store.records()}
    assert_each_once(far, store, tmp_path / "out", 3)
    other.terminate()


def other_weights(folder: Path) -> Path:
    """Return a copy of the bundled package in which one weight of the segmenter differs."""
    package = find_package("head-and-neck")
    members = read_members(package.path)
    name = WEIGHTS["segmenter"]
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    members[CHECKSUMS] = checksums_of({key: data for key, data in members.items() if key != CHECKSUMS})
    folder.mkdir()
    for key, data in members.items():
        (folder / key).write_bytes(data)
    return folder


# Without a cluster: what the run decides


class Future:
    """A task of Dask that has ended."""

    def __init__(self, outcome: remote.Result | Exception) -> None:
        self.outcome = outcome

    def result(self, timeout: float) -> remote.Result:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def cancel(self, *, force: bool) -> None:
        assert force


@pytest.fixture
def decide(ct: Path, add: Add, store: Store) -> Callable[[remote.Result | Exception], list[tasks.Event]]:
    """Return the events of a task that ended on the first of two workers."""
    add(ct)
    record = store.find(1)

    def deciding(outcome: remote.Result | Exception) -> list[tasks.Event]:
        workers = ClusterWorkers("tcp://127.0.0.1:9")
        workers._workers = ["tcp://a:1", "tcp://b:1"]
        task = tasks.Task(1, record.content, record.options, store.results / "x.dcm")
        sent = cluster_module._Sent(task, "autocontour-1-k", "tcp://a:1", Future(outcome))  # type: ignore[arg-type]
        workers._sent[1] = sent
        found = list(workers._ended(sent))
        assert workers._sent == {}
        assert workers.takes(task)  # the other worker may do it
        return found

    return deciding


def test_a_series_that_ended_several_workers_has_failed(
    decide: Callable[[Exception], list[tasks.Event]],
) -> None:
    (event,) = decide(distributed.KilledWorker("k", "tcp://a:1", 3))
    assert isinstance(event, tasks.Failed)
    assert event.error.code == "AC-QU-009"


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), distributed.client.FutureCancelledError("k", "lost")])
def test_a_broken_connection_returns_the_series(
    error: Exception, decide: Callable[[Exception], list[tasks.Event]]
) -> None:
    assert decide(error) == [tasks.Returned(1)]


def test_a_worker_that_cannot_even_begin_is_refused(decide: Callable[[Exception], list[tasks.Event]]) -> None:
    notice, returned = decide(ModuleNotFoundError("autocontour.queue.remote"))
    assert isinstance(notice, tasks.Notice)
    assert notice.values["code"] == "AC-QU-023"
    assert returned == tasks.Returned(1)


def test_another_worker_takes_what_one_does_not_see(
    decide: Callable[[remote.Result], list[tasks.Event]],
) -> None:
    notice, returned = decide(remote.Result(tasks.Failed(1, CTError("AC-CT-007", files="x", count=1))))
    assert isinstance(notice, tasks.Notice)
    assert (notice.values["code"], notice.values["worker"]) == ("AC-QU-024", "a:1")
    assert returned == tasks.Returned(1)


def test_refused_workers_are_tried_again_after_longer_pauses(
    ct: Path, add: Add, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    workers = ClusterWorkers("tcp://127.0.0.1:9")
    workers._workers = ["tcp://a:1"]
    record = store.find(1)
    task = tasks.Task(1, record.content, record.options, store.results / "x.dcm")
    sent = cluster_module._Sent(task, "k", "tcp://a:1", Future(OSError()))  # type: ignore[arg-type]
    for pause_s in (60.0, 120.0):
        list(workers._refuse(sent, QueueError("AC-QU-023", parts="numpy")))
        assert not workers.has_place()
        now += pause_s
        assert workers.has_place()


class Lost:
    """A client whose scheduler is gone."""

    status = "running"

    def __getattr__(self, name: str) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise OSError

        return fail


def test_a_scheduler_that_is_gone_when_a_series_is_sent(ct: Path, add: Add, store: Store) -> None:
    add(ct)
    record = store.find(1)
    workers = ClusterWorkers("tcp://127.0.0.1:9")
    workers._workers, workers._client = ["tcp://a:1"], Lost()  # type: ignore[assignment]
    task = tasks.Task(1, record.content, record.options, store.results / "x.dcm")
    assert workers.send(task) == "a:1"
    workers._looked = time.monotonic() + 60  # not connected again here
    assert tasks.Returned(1) in list(workers.poll(0.0))
    workers._client = Lost()  # type: ignore[assignment]
    assert workers._ask() is None
    workers._sent[1] = cluster_module._Sent(task, "k", "tcp://a:1", Future(OSError()))  # type: ignore[arg-type]
    workers.stop()
    workers._sent[1] = cluster_module._Sent(task, "k", "tcp://a:1", Future(OSError()))  # type: ignore[arg-type]
    workers.end(1)
    assert workers._sent == {}
    workers.end(1)


def test_a_series_that_takes_too_long_ends_with_its_worker(
    ct: Path, add: Add, work: Working, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "read_task", lambda *_: time.sleep(1.5))
    monkeypatch.setattr(cluster_module, "RESTART_S", 0.1)
    add(ct)
    assert work(replace(OPTIONS, series_minutes=0.01)).ended == {"refused": 1}
    assert store.find(1).error["code"] == "AC-QU-016"


def test_what_a_worker_that_left_was_contouring_has_failed(
    ct: Path, add: Add, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ct)
    record = store.find(1)
    workers = ClusterWorkers("tcp://127.0.0.1:9")
    task = tasks.Task(1, record.content, record.options, store.results / "x.dcm")
    other = {"status": "running", "resources": {"autocontour": 1}}
    workers._workers, workers._client = ["tcp://a:1"], Lost()  # type: ignore[assignment]
    workers._excluded[1] = {"tcp://b:1"}
    workers._sent[1] = cluster_module._Sent(task, "k", "tcp://a:1", Future(OSError()))  # type: ignore[arg-type]
    monkeypatch.setattr(workers, "_ask", lambda: {"tcp://b:1": other, "tcp://c:1": {**other, "status": "paused"}})
    notice, failed = list(workers.poll(0.0))
    assert notice == tasks.Notice("workers", {"count": 1})
    assert isinstance(failed, tasks.Failed)
    assert failed.error.code == "AC-QU-009"
    assert workers.takes(task)  # no other is left that has not been tried
    monkeypatch.setattr(workers, "_ask", lambda: None)
    workers._looked = -1e9
    assert tasks.Notice("scheduler lost", {}) in list(workers.poll(0.0))


def test_a_worker_without_a_scheduler_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_module, "CONNECT_S", 0.1)
    events: list[str] = []

    class Nanny:
        def __init__(self, address: str, **options: Any) -> None:
            assert options["resources"] == {"autocontour": 1, "GPU": 1}
            assert options["env"] == {"CUDA_VISIBLE_DEVICES": "1"}
            assert options["memory_limit"] == 4_000_000_000

        async def __aenter__(self) -> Nanny:
            if not events:
                raise OSError
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def finished(self) -> None:
            return None

    def note(event: str, _: Values) -> None:
        events.append(event)
        if event == "disconnected":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(distributed, "Nanny", Nanny)
    serve_module.serve(serve_module.WorkerOptions("tcp://127.0.0.1:9", memory_gb=4.0, gpu="1"), note)
    assert events == ["not connected", "connected", "disconnected"]
