"""Long work beside the window: in a thread where it only reads, in a process of its own where it computes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, ClassVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from shiboken6 import isValid

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.gui.look.language import tr
from autocontour.patient.volume import CTVolume

POLL_MS = 40
STOP_SECONDS = 2.0


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

    def __init__(
        self, ct: CTVolume, template: str, names: tuple[str, ...], package: str = "", parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        # A fresh interpreter: a fork would inherit the window's X connection.
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        arguments = (sender, ct, template, names, package)
        self._process = context.Process(target=contour_in_process, args=arguments, daemon=True)
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._sender = sender
        self._started = 0.0

    def start(self) -> None:
        """Begin."""
        self._started = time.monotonic()
        self._process.start()
        self._sender.close()
        self._timer.start()

    @property
    def is_running(self) -> bool:
        """Whether it still draws."""
        return self._timer.isActive()

    @property
    def process_id(self) -> int | None:
        """Of the process, for those who watch it."""
        return self._process.pid

    def cancel(self) -> None:
        """Stop at once; what was drawn so far stays."""
        if self.is_running:
            self._stop()
            self.failed.emit(Cancelled())

    def _poll(self) -> None:
        # A pipe whose other end has died is ready, and then has nothing but its end.
        try:
            while self.is_running and self._receiver.poll():
                self._take(*self._receiver.recv())
        except (EOFError, OSError):
            self._stop()
            message = tr("Auto-contouring stopped unexpectedly; your structures are as they were.")
            self.failed.emit(AutoContourError("AC-GUI-002", message, tr("Try again.")))

    def _take(self, kind: str, content: Any) -> None:  # noqa: ANN401  (what the process sent)
        if kind == "progress":
            stage, fraction = content
            self.advanced.emit(stage, fraction, self._seconds_left(fraction))
        elif kind == "structure":
            self.drawn.emit(content)
        else:
            self._stop()
            (self.done if kind == "done" else self.failed).emit(content)

    def _seconds_left(self, fraction: float) -> float:
        passed = time.monotonic() - self._started
        return passed * (1 - fraction) / fraction if fraction > 0.05 else -1.0

    def _stop(self) -> None:
        self._timer.stop()
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._receiver.close()


def contour_in_process(sender: Connection, ct: CTVolume, template: str, names: tuple[str, ...], package: str) -> None:
    """Contour `ct` and send what happens: progress, structures, then done or failed."""
    job = _SignalJob(lambda stage, fraction: sender.send(("progress", (stage, fraction))))
    try:
        from autocontour.pipeline.contour import contour_ct
        from autocontour.site.template import read_template

        chosen = read_template(template) if template else None
        contoured = contour_ct(
            ct,
            template=chosen,
            names=names,
            package=package,
            job=job,
            on_structure=lambda s: sender.send(("structure", s)),
        )
        sender.send(("done", contoured.structure_set.findings))
    except AutoContourError as error:
        sender.send(("failed", error))
    except Exception as error:  # noqa: BLE001  (the window shows it)
        sender.send(("failed", AutoContourError("AC-GUI-003", f"Auto-contouring failed: {error}.")))
    sender.close()
