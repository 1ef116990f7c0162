"""The process that contours: one for many series, so that modules and networks stay loaded.

While one series is contoured, a thread reads the next and another writes the last. The process ends with the program
that started it, also if that is killed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Any

from autocontour.base.errors import AutoContourError, Cancelled, CTError, QueueError
from autocontour.base.jobs import Job
from autocontour.patient.volume import CTVolume
from autocontour.queue.record import Content, Options

STOP_SECONDS = 5.0
PROGRESS_S = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """A series to contour, and the path of the file to write."""

    number: int
    content: Content
    options: Options
    output: Path
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Progress:
    """A task has advanced."""

    number: int
    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Contoured:
    """The file of a task is written: its SHA-256, and the report."""

    number: int
    checksum: str
    report: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A task has ended without a file."""

    number: int
    error: AutoContourError


Event = Progress | Contoured | Failed


class WorkerProcess:
    """The process, from the outside."""

    def __init__(self) -> None:
        # A fresh interpreter: a fork would inherit the database and the run's lock.
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other,), daemon=True)
        self._process.start()
        other.close()

    @property
    def process_id(self) -> int | None:
        """Process identifier, for monitoring."""
        return self._process.pid

    def send(self, task: Task) -> None:
        """Hand over a task; they are worked on in order. A process that has died says so in `poll`."""
        self._tell(task)

    def cancel(self, number: int) -> None:
        """Stop a task at its next step; it ends with `Failed`."""
        self._tell(number)

    def _tell(self, message: Task | int) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            return

    def poll(self, timeout_s: float) -> Iterator[Event]:
        """Yield what has happened; wait up to `timeout_s` for something to happen.

        Raises
        ------
        EOFError
            If the process has died.
        """
        try:
            while self._pipe.poll(timeout_s):
                event: Event = self._pipe.recv()
                yield event
                timeout_s = 0.0
        except OSError as error:
            raise EOFError from error

    def stop(self) -> None:
        """End it at once."""
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(STOP_SECONDS)
        self._pipe.close()


class _TaskJob(Job):
    """Sends the progress of a task, not too often."""

    def __init__(self, number: int, send: Callable[[Event], None]) -> None:
        super().__init__()
        self._number, self._send, self._stage, self._sent = number, send, "", 0.0

    def advance(self, stage: str, fraction: float) -> None:
        super().advance(stage, fraction)
        now = time.monotonic()
        if stage != self._stage or now - self._sent > PROGRESS_S:
            self._stage, self._sent = stage, now
            self._send(Progress(self._number, stage, fraction))


class _Worker:
    """The process, from the inside."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._jobs: dict[int, _TaskJob] = {}
        self._read: Queue[tuple[Task, _TaskJob, Future[tuple[CTVolume, float]]]] = Queue()
        self._reader, self._writer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def run(self) -> None:
        from autocontour.models.inference.runtime import keep_runners

        keep_runners()
        threading.Thread(target=self._receive, daemon=True).start()
        while True:
            task, job, reading = self._read.get()
            with self._reported(task):
                ct, seconds = reading.result()
                self._contour(task, job, ct, seconds)

    def _receive(self) -> None:
        """Accept tasks and cancellations until the pipe is closed."""
        while True:
            try:
                message: Task | int = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(1)  # the program that started this process has ended
            if isinstance(message, int):
                if job := self._jobs.get(message):
                    job.cancel()
                continue
            job = self._jobs[message.number] = _TaskJob(message.number, self._send)
            self._read.put((message, job, self._reader.submit(_read, message, job)))

    def _contour(self, task: Task, job: _TaskJob, ct: CTVolume, reading_s: float) -> None:
        from autocontour.pipeline.contour import contour_ct
        from autocontour.pipeline.plan import read_plan

        plan = read_plan(task.options.template, task.options.structures, task.options.package)
        contoured = contour_ct(ct, plan, device=task.device, job=job)
        if not contoured.structure_set.structures:
            raise CTError("AC-CT-101")
        seconds = {"reading": reading_s, **contoured.seconds}

        def write() -> None:
            with self._reported(task):
                self._send(_write(task, job, ct, contoured.structure_set, seconds))
                self._jobs.pop(task.number, None)

        self._send(Progress(task.number, "writing the structure set", 0.0))
        self._writer.submit(write)

    def _reported(self, task: Task) -> _Reported:
        return _Reported(self, task)

    def fail(self, number: int, error: AutoContourError) -> None:
        self._jobs.pop(number, None)
        self._send(Failed(number, error))

    def _send(self, event: Event) -> None:
        with self._lock:
            try:
                self._pipe.send(event)
            except OSError:
                os._exit(1)


class _Reported:
    """Turns every error of a block into the end of its task, so that no series stops the others."""

    def __init__(self, worker: _Worker, task: Task) -> None:
        self._worker, self._task = worker, task

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is None:
            return False
        if isinstance(error, AutoContourError):
            self._worker.fail(self._task.number, error)
        elif isinstance(error, MemoryError):
            self._worker.fail(self._task.number, CTError("AC-CT-043"))
        elif isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            self._worker.fail(self._task.number, QueueError("AC-QU-011", reason=reason))
        elif isinstance(error, Exception):
            self._worker.fail(self._task.number, QueueError("AC-QU-012", reason=type(error).__name__))
        return isinstance(error, Exception)


def _read(task: Task, job: Job) -> tuple[CTVolume, float]:
    from autocontour.dicom.ct import read_ct
    from autocontour.queue.intake import find_content

    start = time.perf_counter()
    if job.is_cancelled:
        raise Cancelled
    ct = read_ct(find_content(task.content, job), job, frozenset(task.options.accepted))
    return ct, time.perf_counter() - start


def _write(task: Task, job: Job, ct: CTVolume, structure_set: Any, seconds: Mapping[str, float]) -> Contoured:  # noqa: ANN401
    from autocontour.pipeline.report import build_report
    from autocontour.rtstruct import write_structure_set

    start = time.perf_counter()
    write_structure_set(structure_set, ct, task.output, job=job)
    checksum = hashlib.sha256(task.output.read_bytes()).hexdigest()
    seconds = {**seconds, "writing": time.perf_counter() - start}
    report = build_report(task.content.uid, task.output, structure_set, ct.geometry, seconds)
    return Contoured(task.number, checksum, {**report.to_json(), "output": None})


def _work(pipe: Connection) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program that started it decides
    _Worker(pipe).run()
