"""The worker keeps networks, and results do not depend on what was contoured before."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from autocontour.base.errors import ModelError
from autocontour.models import find_package
from autocontour.models.inference import runtime
from autocontour.queue import tasks, worker
from autocontour.queue.intake import Entry
from autocontour.queue.store import Store
from tests.queue.conftest import OPTIONS, Runner


def test_a_kept_network_gives_what_a_new_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    package = find_package("head-and-neck")
    stage = package.stages["localizer"]
    shape = (len(stage.intensity_windows_hu), *stage.window_zyx)
    chance = np.random.default_rng(1)
    windows = [chance.uniform(0, 1, shape).astype(np.float32) for _ in range(3)]
    expected = [result.copy() for result in runtime.open_runner(package, "localizer", "cpu")(windows)]
    monkeypatch.setattr(runtime, "_most_kept", 1)
    monkeypatch.setattr(runtime, "_kept_runners", {})
    kept = runtime.open_runner(package, "localizer", "cpu")
    stopped = kept(windows)
    next(stopped)
    del stopped  # as when a series is cancelled
    again = runtime.open_runner(package, "localizer", "cpu")
    assert again is kept
    found = [result.copy() for result in again(windows)]
    np.testing.assert_array_equal(found, expected)
    assert runtime.open_runner(package, "segmenter", "cpu") is not kept
    assert len(runtime._kept_runners) == 1


class Inside:
    """The worker's loop in a thread of this process, at the other end of a pipe."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended = threading.Event()
        monkeypatch.setattr(worker.os, "_exit", self._end)
        monkeypatch.setattr(runtime, "keep_runners", lambda: None)
        self.pipe, other = multiprocessing.Pipe()
        threading.Thread(target=worker._Worker(other).run, daemon=True).start()

    def _end(self, code: int) -> None:
        self.ended.set()
        raise SystemExit(code)

    def result(self, message: tasks.Task) -> tasks.Contoured | tasks.Failed:
        self.pipe.send(message)
        while True:
            assert self.pipe.poll(60)
            event = self.pipe.recv()
            if not isinstance(event, tasks.Progress):
                return event


def test_from_the_inside(
    monkeypatch: pytest.MonkeyPatch, store: Store, add: Callable[..., list[Entry]], ct: Path, tmp_path: Path
) -> None:
    """A series is contoured, a changed one is refused, an unexpected error is the end of its task alone."""
    assert add(ct)[0].error is None
    (record,) = store.records()
    inside = Inside(monkeypatch)
    task = tasks.Task(record.number, record.content, record.options, tmp_path / "RS.part")
    done = inside.result(task)
    assert isinstance(done, tasks.Contoured)
    assert done.checksum == hashlib.sha256(task.output.read_bytes()).hexdigest()
    assert [row["name"] for row in done.report["structures"]] == ["External"]
    monkeypatch.setattr("autocontour.pipeline.contour.contour_ct", _fail)
    failed = inside.result(replace(task, number=8))
    assert isinstance(failed, tasks.Failed)
    assert failed.error.code == "AC-QU-012"
    (next(ct.rglob("*.dcm"))).write_bytes(b"changed")
    refused = inside.result(replace(task, number=9))
    assert isinstance(refused, tasks.Failed)
    inside.pipe.send(8)  # a cancellation that comes too late
    inside.pipe.close()
    assert inside.ended.wait(30)


def _fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError


class Busy(worker.WorkerProcess):
    """A process whose GPU is in use for the first tasks."""

    failures: ClassVar[list[str]] = []
    stopped: ClassVar[list[int]] = []

    def poll(self, timeout_s: float) -> Iterator[tasks.Event]:
        for event in super().poll(timeout_s):
            if isinstance(event, tasks.Contoured) and self.failures:
                yield tasks.Failed(event.number, ModelError(self.failures.pop(0), reason="x"))
            else:
                yield event

    def stop(self) -> None:
        self.stopped.append(1)
        super().stop()


def test_a_busy_gpu_is_tried_again_with_longer_pauses_in_a_new_process(
    ct: Path, add: Callable[..., list[Entry]], run: Runner, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never recorded as permanent; the process that failed is ended, so that it holds no memory of the GPU."""
    monkeypatch.setattr(worker, "WorkerProcess", Busy)
    Busy.failures[:] = ["AC-MD-034", "AC-MD-038"]
    Busy.stopped.clear()
    add(ct)
    assert run().ended == {"done": 1}
    assert [(values["code"], values["seconds"]) for values in run.names("waits")] == [
        ("AC-MD-034", 0.1),
        ("AC-MD-038", 0.2),
    ]
    assert len(Busy.stopped) == 3  # after each error, and at the end
    assert store.find(1).error == {}


def test_a_gpu_that_stays_busy_can_be_tried_again_by_hand(
    ct: Path, add: Callable[..., list[Entry]], run: Runner, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "WorkerProcess", Busy)
    Busy.failures[:] = ["AC-MD-034", "AC-MD-034"]
    add(ct)
    assert run(replace(OPTIONS, attempts=2)).ended == {"failed": 1}  # not refused
    store.retry(1)
    assert run().ended == {"done": 1}
