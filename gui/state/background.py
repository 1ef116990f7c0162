"""Work that would hold up the window: computed in a thread beside it, and applied as one step when it is ready.

What takes less than `BLINK_S` is applied at once, so that small structures feel immediate and no progress flickers.
Shapely and numpy release Python's lock while they compute, and between them the window gets its turn
(benchmarks/viewer.py measures its longest pause).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.gui.look.language import tr
from autocontour.gui.state.tasks import Task

if TYPE_CHECKING:
    from autocontour.gui.state.workspace import Workspace
    from autocontour.patient.structures import Contours

BLINK_S = 0.05
"""How long the window waits for a result before it goes on without."""
Result = TypeVar("Result")


class Background(QObject):
    """One piece of work at a time, beside the window.

    Signals
    -------
    begun
        Something takes longer than `BLINK_S`; its name.
    advanced
        Its stage, fraction, and seconds left (below zero: not known).
    ended
        It is done, failed or stopped.
    """

    begun = Signal(str)
    advanced = Signal(str, float, float)
    ended = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._label = ""
        self.can_stop = True
        self._task: Task | None = None

    @property
    def is_running(self) -> bool:
        """Whether something is being computed."""
        return self._task is not None

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
            Runs in a thread, without access to the window.
        apply
            Runs in the window's thread: takes the result into the case as one step.
        can_stop
            Whether it may be stopped; what writes a file is finished once it has begun.
        """
        if self.is_running:
            self._workspace.refuse(
                tr("{what} is still being computed: wait for it, or cancel it.", what=tr(self._label))
            )
            return
        state = self._workspace.state
        self._label, self.can_stop = label, can_stop
        self._inputs = {number: state[number].structure.contours for number in numbers}
        task = self._task = Task(compute, self)
        task.advanced.connect(self.advanced)
        task.done.connect(lambda result: self._workspace.when_free(lambda: self._finish(task, apply, result)))
        task.failed.connect(lambda error: self._workspace.when_free(lambda: self._fail(task, error)))
        task.start()
        if task.wait(BLINK_S):
            task.deliver()
        else:
            self.begun.emit(label)

    def when_free(self, act: Callable[[], object]) -> None:
        """Call `act` as soon as no tool is busy."""
        self._workspace.when_free(act)

    def stop(self) -> None:
        """Stop; nothing is applied. What cannot be stopped is waited for."""
        if self._task is None:
            return
        if self.can_stop:
            self._end()
        else:
            self._task.wait()
            self._task.deliver()

    def cancel(self) -> None:
        """Stop because the user asks for it, and say so."""
        if self.is_running and self.can_stop:
            label = self._label
            self.stop()
            self._workspace.notify(tr("{what} was stopped; nothing has changed.", what=tr(label)))

    def _finish(self, task: Task, apply: Callable[[Any], object], result: object) -> None:
        if task is not self._task:
            return  # stopped meanwhile
        self._end()
        changed = self._changed_names()
        if changed:
            self._workspace.refuse(
                tr(
                    "{what} was not applied: {names} changed while it was computed. Do it again.",
                    what=tr(self._label),
                    names=changed,
                )
            )
        else:
            apply(result)

    def _fail(self, task: Task, error: AutoContourError) -> None:
        if task is self._task:
            self._end()
            if not isinstance(error, Cancelled):
                self._workspace.report_error(error)

    def _changed_names(self) -> str:
        state = self._workspace.state
        names = []
        for number, contours in self._inputs.items():
            if number not in state:
                names.append(tr("a structure that is no longer there"))
            elif state[number].structure.contours is not contours:
                names.append(state[number].structure.name)
        return ", ".join(names)

    def _end(self) -> None:
        assert self._task is not None  # only called while running
        self._task.cancel()
        self._task = None
        self.ended.emit()


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
