"""The task that a dialog waits for, with its progress and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autocontour.base.errors import AutoContourError
from autocontour.gui.panels.progress_strip import ProgressStrip
from autocontour.gui.state.tasks import Task


class Running:
    """At most one task; the results of one that was stopped or replaced do not arrive.

    Parameters
    ----------
    progress
        Shown while a task runs.
    changed
        Called when a task has begun or ended.
    fail
        Called with the error of a task.
    """

    def __init__(
        self, progress: ProgressStrip, changed: Callable[[], None], fail: Callable[[AutoContourError], None]
    ) -> None:
        self._progress, self._changed, self._fail = progress, changed, fail
        self._task: Task | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no task runs."""
        return self._task is None

    def start(self, task: Task, take: Callable[[Any], None], words: str) -> None:
        """Start a task without a parent: the dialog may be gone before a task that was stopped."""
        self._task = task
        task.advanced.connect(self._progress.show_progress)

        def end(act: Callable[[Any], None], content: Any) -> None:  # noqa: ANN401  (a result or an error)
            if task is self._task:
                self._task = None
                self._progress.hide()
                self._changed()
                act(content)

        task.done.connect(lambda result: end(take, result))
        task.failed.connect(lambda error: end(self._fail, error))
        self._progress.show_progress(words, 0.0)
        self._progress.show()
        task.start()
        self._changed()

    def stop(self) -> bool:
        """Stop the task; return whether there was one."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._progress.hide()
        self._changed()
        return task is not None
