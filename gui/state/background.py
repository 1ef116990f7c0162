"""Work that would hold up the window: computed in a thread beside it, and handed in as one step when it is ready.

What takes less than a blink is handed in before the key is up, so that small structures feel immediate and no progress
flickers. Shapely and numpy let go of Python's lock while they compute, and between them the window gets its turn
(benchmarks/viewer.py measures its longest pause).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.gui.look.language import tr

if TYPE_CHECKING:
    from autocontour.gui.state.workspace import Workspace
    from autocontour.patient.structures import Contours

BLINK_S = 0.05
"""How long the window waits for a result before it goes on without."""
POLL_MS = 40
"""How often the progress is looked at."""
Result = TypeVar("Result")


class _WatchedJob(Job):
    """A job that remembers how far it is."""

    stage, fraction = "", 0.0

    def advance(self, stage: str, fraction: float) -> None:
        self.stage, self.fraction = stage, fraction
        super().advance(stage, fraction)


class Background(QObject):
    """One piece of work at a time, beside the window.

    Signals
    -------
    begun
        Something takes longer than a blink; its name.
    advanced
        Its stage, fraction, and seconds left (below zero: not known).
    ended
        It is done, failed or stopped.
    """

    begun = Signal(str)
    advanced = Signal(str, float, float)
    ended = Signal()

    _pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="computing")

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._label = ""
        self.can_stop = True
        self._future: Future[Any] | None = None
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def is_running(self) -> bool:
        """Whether something is being computed."""
        return self._future is not None

    def run(
        self,
        label: str,
        numbers: Iterable[int],
        compute: Callable[[Job], Result],
        apply: Callable[[Result], object],
        *,
        can_stop: bool = True,
    ) -> None:
        """Compute something of structures, and apply it if they are then still what they are now.

        Parameters
        ----------
        label
            What the user asked for ("Margin").
        numbers
            The structures it is computed from.
        compute
            Runs in a thread; knows nothing of the window.
        apply
            Runs in the window's thread: takes the result into the case as one step.
        can_stop
            Whether it may be stopped; what writes a file is finished once it has begun.
        """
        if self.is_running:
            self._workspace.said.emit(
                tr("{what} is still being computed: wait for it, or cancel it.", what=tr(self._label)), True
            )
            return
        state = self._workspace.state
        self._label, self._apply, self.can_stop = label, apply, can_stop
        self._inputs = {number: state[number].structure.contours for number in numbers}
        self._job, self._started = _WatchedJob(), time.monotonic()
        self._future = self._pool.submit(compute, self._job)
        try:
            self._future.exception(BLINK_S)
        except NotYet:
            self._timer.start()
            self.begun.emit(label)
        else:
            self._workspace.when_free(partial(self._finish, self._future))

    def stop(self) -> None:
        """Stop; nothing is applied. What cannot be stopped is waited for."""
        if self._future is None:
            return
        if self.can_stop:
            self._end()
        else:
            self._future.exception()
            self._finish(self._future)

    def cancel(self) -> None:
        """Stop because the user asks for it, and say so."""
        if self.is_running and self.can_stop:
            label = self._label
            self.stop()
            self._workspace.say(tr("{what} was stopped; nothing has changed.", what=tr(label)))

    def _poll(self) -> None:
        if self._future is None:
            return
        if self._future.done():
            self._timer.stop()
            self._workspace.when_free(partial(self._finish, self._future))
            return
        job, passed = self._job, time.monotonic() - self._started
        left = passed * (1 - job.fraction) / job.fraction if job.fraction > 0.05 else -1.0
        self.advanced.emit(job.stage, job.fraction, left)

    def _finish(self, finished: Future[Any]) -> None:
        if finished is not self._future:
            return  # stopped while it waited for the end of a stroke
        future, apply, changed = self._end(), self._apply, self._changed_names()
        try:
            result = future.result()
        except Cancelled:
            return
        except AutoContourError as error:
            self._workspace.say_error(error)
        except Exception as error:  # noqa: BLE001  (a thread must not die in silence: the window shows it)
            words = tr("{what} failed: {why}.", what=tr(self._label), why=f"{type(error).__name__}: {error}")
            self._workspace.say_error(AutoContourError("AC-GUI-004", words, tr("Nothing has changed.")))
        else:
            if changed:
                words = tr(
                    "{what} was not applied: {names} changed while it was computed. Do it again.",
                    what=tr(self._label),
                    names=changed,
                )
                self._workspace.said.emit(words, True)
            else:
                apply(result)

    def _changed_names(self) -> str:
        state = self._workspace.state
        names = []
        for number, contours in self._inputs.items():
            if number not in state:
                names.append(tr("a structure that is no longer there"))
            elif state[number].structure.contours is not contours:
                names.append(state[number].structure.name)
        return ", ".join(names)

    def _end(self) -> Future[Any]:
        assert self._future is not None  # only called while running
        self._job.cancel()
        self._timer.stop()
        future, self._future = self._future, None
        self.ended.emit()
        return future


def redraw_beside(
    space: Workspace, label: str, compute: Callable[[Contours, Job], Any], apply: Callable[[int, Any], object]
) -> None:
    """Compute something of the selected structure beside the window and apply it, unless the structure may not change.

    Parameters
    ----------
    space
        The workspace.
    label
        Name of the change in the history.
    compute
        Takes the structure's contours and a job.
    apply
        Takes the structure's number and the result.
    """
    current = space.current
    if current is None or not space.may_change():
        return
    number, contours = current.structure.number, current.structure.contours
    space.background.run(label, (number,), lambda job: compute(contours, job), lambda result: apply(number, result))
