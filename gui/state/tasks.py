"""Work off the window's thread: a function of a job in a thread, whose signals arrive in the window's own thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any, ClassVar

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job, seconds_left
from autocontour.gui.state.collecting import collect_on_gui_thread
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.trial import TrialOrder, TrialProcess, Tried
from autocontour.pipeline.worker import Advanced, ChildProcess, ContourProcess, Done, Drawn, Order

REPORT_S = 0.04
"""How often progress is reported: more often than can be seen would only fill the window's queue."""
POLL_S = 0.05
WORKERS = 4


class TaskJob(Job):
    """The job of a task: reports its progress to the window, and sends what is ready before the end."""

    def __init__(self, report: Callable[..., None]) -> None:
        super().__init__()
        self._report = report
        self._begun, self._reported, self._stage = time.monotonic(), 0.0, ""

    @property
    def is_cancelled(self) -> bool:
        """Whether it is to stop."""
        return self._cancel.is_set()

    def advance(self, stage: str, fraction: float) -> None:
        """Report the progress."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun, self._reported = stage, now, 0.0
        if now - self._reported >= REPORT_S or fraction >= 1:
            self._reported = now
            self._report("advanced", stage, fraction, seconds_left(self._begun, fraction))
        super().advance(stage, fraction)

    def send(self, result: object) -> None:
        """Send a part of the result that is ready."""
        self._report("sent", result)


class _Relay(QObject):
    """Relays the signals of threads to the window's thread.

    There is one, which is never destroyed: a thread that emitted signals of its task would crash the program if the
    window, and the task with it, went away at that moment.
    """

    relayed = Signal(object, str, tuple)
    """Task, which of its signals, and its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.relayed.connect(self._emit, Qt.ConnectionType.QueuedConnection)

    def _emit(self, task: Task, name: str, content: tuple[Any, ...]) -> None:
        if isValid(task):
            task.deliver() if name == "ended" else getattr(task, name).emit(*content)
        elif name == "ended":
            task.release()


class Task(QObject):
    """A function of a job, run in a thread; its signals arrive in the window's own thread.

    Signals
    -------
    advanced
        Stage, fraction, and seconds left (below zero: not known).
    sent
        A part of the result that was ready before the end.
    done, failed
        The result, or the error; one of them, once.
    """

    advanced = Signal(str, float, float)
    sent = Signal(object)
    done = Signal(object)
    failed = Signal(object)

    _pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="beside-the-window")
    _relay: ClassVar[_Relay | None] = None

    def __init__(self, function: Callable[[TaskJob], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        collect_on_gui_thread()
        if Task._relay is None:
            Task._relay = _Relay()
        self.job = TaskJob(self._report)
        self._function: Callable[[TaskJob], Any] | None = function
        self._future: Future[Any] | None = None
        self._is_delivered = False

    @property
    def is_running(self) -> bool:
        """Whether it has begun and its end was not delivered yet."""
        return self._future is not None

    def start(self) -> None:
        """Begin; it can be done once."""
        assert self._future is None
        assert not self._is_delivered
        self._future = self._pool.submit(self._run)
        self._future.add_done_callback(lambda _: self._report("ended"))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end and return whether it has come."""
        if self._future is None:
            return self._is_delivered
        try:
            self._future.exception(seconds)
        except NotYet:
            return False
        return True

    def cancel(self) -> None:
        """Ask it to stop; it ends with `Cancelled`."""
        self.job.cancel()

    def deliver(self) -> None:
        """Emit `done` or `failed`, unless that has been."""
        future = self._future
        if future is None or not future.done() or self._is_delivered:
            return
        self._is_delivered = True
        self.release()
        self.deleteLater()
        error = future.exception()
        if error is None:
            self.done.emit(future.result())
        elif isinstance(error, AutoContourError):
            self.failed.emit(error)
        else:  # a thread must not die in silence: the window shows it
            self.failed.emit(AutoContourError("AC-GUI-001", reason=f"{type(error).__name__}: {error}"))

    def release(self) -> None:
        """Release what it computed with and its result, which may be whole scans.

        It is done in the window's thread: the function may hold the last reference to a Qt object, whose destruction in
        another thread crashes the program.
        """
        self._function = self._future = None

    def _run(self) -> object:
        assert self._function is not None  # released after the end
        return self._function(self.job)

    def _report(self, name: str, *content: object) -> None:
        assert Task._relay is not None  # made with the first task
        Task._relay.relayed.emit(self, name, content)


def contour_beside(ct: CTVolume, order: Order, parent: QObject | None = None) -> Task:
    """Return a task that contours in a process of its own: it can be stopped, and if it crashes nothing is lost.

    It sends the process's number, then each structure as soon as it is ready; its result is `Done`.
    """
    return _process_beside(lambda: ContourProcess(ct, order), Done, parent)


def try_beside(ct: CTVolume, order: TrialOrder, parent: QObject | None = None) -> Task:
    """Return a task that tests a published package in a process of its own; its result is `Tried`."""
    return _process_beside(lambda: TrialProcess(ct, order), Tried, parent)


def _process_beside(start: Callable[[], ChildProcess], last: type, parent: QObject | None) -> Task:
    """Return a task that waits for a process, whose result is its event of the type `last`."""

    def run(job: TaskJob) -> object:
        process = start()
        try:
            process.start()
            job.send(process.process_id)
            while process.is_running:
                for event in process.poll(POLL_S):
                    if isinstance(event, Advanced):
                        job.advance(event.stage, event.fraction)
                    elif isinstance(event, Drawn):
                        job.send(event.structure)
                    elif isinstance(event, last):
                        return event
                    else:
                        raise event.error
                if job.is_cancelled:
                    raise Cancelled
        finally:
            process.stop()
        raise Cancelled

    return Task(run, parent)
