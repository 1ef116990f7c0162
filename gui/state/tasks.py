"""Long work beside the window: in a thread where it only reads, in a process of its own where it computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.gui.look.language import tr
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.worker import Advanced, ContourProcess, Done, Drawn, Order

POLL_MS = 40


class _SignalJob(Job):
    """A job that tells the window how far it is."""

    def __init__(self, say: Callable[[str, float], None]) -> None:
        super().__init__()
        self._say = say

    def advance(self, stage: str, fraction: float) -> None:
        """Tell it."""
        self._say(stage, fraction)
        super().advance(stage, fraction)


class _Courier(QObject):
    """Carries what a thread says into the window's thread.

    There is one, which is never destroyed: a thread that spoke through its task would crash the program if the window,
    and the task with it, went away at that moment.
    """

    sent = Signal(object, str, tuple)
    """Task, which of its signals, and what it carries."""

    def __init__(self) -> None:
        super().__init__()
        self.sent.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)

    def _hand_over(self, task: ThreadTask, name: str, content: tuple[Any, ...]) -> None:
        if isValid(task):
            getattr(task, name).emit(*content)


class ThreadTask(QObject):
    """A function of a job, run in a thread; its signals arrive in the window's own thread."""

    advanced = Signal(str, float)
    done = Signal(object)
    failed = Signal(object)

    _pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reading")
    _courier: ClassVar[_Courier | None] = None

    def __init__(self, function: Callable[[Job], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        if ThreadTask._courier is None:
            ThreadTask._courier = _Courier()
        self.job: Job = _SignalJob(partial(self._say, "advanced"))
        self._function = function

    def start(self) -> None:
        """Begin."""
        self._pool.submit(self._run)

    def _run(self) -> None:
        try:
            result = self._function(self.job)
        except AutoContourError as error:
            self._say("failed", error)
        except Exception as error:  # noqa: BLE001  (a thread must not die in silence: the window shows it)
            self._say(
                "failed",
                AutoContourError("AC-GUI-001", tr("This failed: {why}.", why=f"{type(error).__name__}: {error}")),
            )
        else:
            self._say("done", result)

    def _say(self, name: str, *content: object) -> None:
        assert ThreadTask._courier is not None  # made with the first task
        ThreadTask._courier.sent.emit(self, name, content)


class ContourTask(QObject):
    """Auto-contouring in a process of its own: it can be stopped at once, and if it crashes nothing is lost."""

    advanced = Signal(str, float, float)
    """Stage, fraction, and seconds left (below zero: not known)."""
    drawn = Signal(object)
    """A structure as soon as it is ready."""
    done = Signal(object)
    """The findings about the whole."""
    failed = Signal(object)

    def __init__(self, ct: CTVolume, order: Order, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = ContourProcess(ct, order)
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._poll)

    def start(self) -> None:
        """Begin."""
        self._worker.start()
        self._timer.start()

    @property
    def is_running(self) -> bool:
        """Whether it still draws."""
        return self._worker.is_running

    @property
    def process_id(self) -> int | None:
        """Of the process, for those who watch it."""
        return self._worker.process_id

    def cancel(self) -> None:
        """Stop at once; what was drawn so far stays."""
        if self.is_running:
            self._timer.stop()
            self._worker.stop()
            self.failed.emit(Cancelled())

    def _poll(self) -> None:
        for event in self._worker.poll():
            if not self.is_running:
                self._timer.stop()
            if isinstance(event, Advanced):
                self.advanced.emit(event.stage, event.fraction, event.seconds_left)
            elif isinstance(event, Drawn):
                self.drawn.emit(event.structure)
            elif isinstance(event, Done):
                self.done.emit(event.findings)
            else:
                self.failed.emit(event.error)
