"""The process that contours: one for many series, so that modules and networks stay loaded.

While one series is contoured, a thread reads the next and another writes the last. The process ends with the program
that started it, also if that is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import Queue

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.patient.volume import CTVolume
from autocontour.queue.tasks import (
    CRASH,
    GPU_ERRORS,
    WRITING,
    Contoured,
    Event,
    Failed,
    Progress,
    Returned,
    Task,
    TaskJob,
    contour_task,
    error_of,
    read_task,
    write_task,
)

STOP_SECONDS = 5.0


class LocalWorker:
    """The workers of a run on this computer: one process, which is started again if it ends."""

    places = 1

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._tasks: dict[int, Task] = {}
        self._writing: set[int] = set()
        self._returned: list[Event] = []

    @property
    def process_id(self) -> int | None:
        """Process identifier, for monitoring."""
        return self._process.process_id if self._process else None

    def has_place(self) -> bool:
        """Whether there is less than one series to contour and one to read, and none that goes alone."""
        is_alone = any(task.alone for task in self._tasks.values())
        return not is_alone and len(self._tasks.keys() - self._writing) < 2

    def takes(self, task: Task) -> bool:
        """Whether this series may be sent now: one that ended a process goes alone, so that no other is blamed."""
        return not self._tasks or not task.alone

    def send(self, task: Task) -> str:
        """Send a task; tasks are worked on in order."""
        if self._process is None:
            self._process = WorkerProcess()
        self._tasks[task.number] = task
        self._process.send(task)
        return ""

    def cancel(self, number: int) -> None:
        """Stop a task at its next step."""
        if self._process:
            self._process.cancel(number)

    def poll(self, timeout_s: float) -> Iterator[Event]:
        """Yield what has happened. If the process has died, the task that it contoured has failed."""
        returned, self._returned = self._returned, []
        yield from returned
        if self._process is None:
            time.sleep(timeout_s)
            return
        try:
            for event in self._process.poll(timeout_s):
                self._note(event)
                yield event
                if isinstance(event, Failed) and event.error.code in GPU_ERRORS:
                    self._replace()
                    return
        except EOFError:
            first = next(iter(self._tasks), None)
            if first is not None:
                self._forget(first)
                yield Failed(first, QueueError(CRASH))
            self._replace()

    def _note(self, event: Event) -> None:
        if isinstance(event, Progress) and event.stage == WRITING:
            self._writing.add(event.number)
        elif isinstance(event, Contoured | Failed):
            self._forget(event.number)

    def _forget(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._writing.discard(number)

    def end(self, number: int) -> None:
        """Stop a task with the process; the others are returned."""
        self._forget(number)
        self._replace()

    def _replace(self) -> None:
        self._returned += [Returned(number) for number in self._tasks]
        self.stop()

    def require(self) -> None:
        """Nothing: a process can always be started."""

    def stop(self) -> None:
        """Stop the process at once."""
        if self._process:
            self._process.stop()
        self._process = None
        self._tasks.clear()
        self._writing.clear()


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
        """Send a task; tasks are worked on in order. `poll` reports a process that has died."""
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


class _Worker:
    """The process, from the inside."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._jobs: dict[int, TaskJob] = {}
        self._read: Queue[tuple[Task, TaskJob, Future[tuple[CTVolume, dict[str, float]]]]] = Queue()
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
            job = self._jobs[message.number] = TaskJob(message.number, self._send)
            self._read.put((message, job, self._reader.submit(read_task, message, job)))

    def _contour(self, task: Task, job: TaskJob, ct: CTVolume, seconds: dict[str, float]) -> None:
        structure_set, all_seconds = contour_task(task, job, ct, seconds)

        def write() -> None:
            with self._reported(task):
                self._send(write_task(task, job, ct, structure_set, all_seconds))
                self._jobs.pop(task.number, None)

        self._send(Progress(task.number, WRITING, 0.0))
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
        if isinstance(error, Exception):
            self._worker.fail(self._task.number, error_of(error))
        return isinstance(error, Exception)


def _work(pipe: Connection) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program that started it decides
    _Worker(pipe).run()
