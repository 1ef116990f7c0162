"""The list of cases, read beside the window whenever it is shown and while it is in sight."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from autocontour.base.errors import AutoContourError, Cancelled, CaseError
from autocontour.base.jobs import Job
from autocontour.case.summary import CaseList, CaseSummary
from autocontour.gui.state.tasks import Task

EVERY_MS = 5000
"""How often the list is read while it is in sight; unchanged cases cost a look at their files."""


class Worklist(QObject):
    """Summaries of the cases in a folder.

    Signals
    -------
    changed
        `cases` were read, and differ from before.
    failed
        The folder cannot be read.

    Attributes
    ----------
    cases
        As read last, the one changed last first.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cases: list[CaseSummary] = []
        self._list = CaseList(root)
        self._task: Task | None = None
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self.read)

    @property
    def root(self) -> Path:
        """Folder of the cases."""
        return self._list.root

    @property
    def is_reading(self) -> bool:
        """Whether it is being read."""
        return self._task is not None

    def watch(self, *, on: bool) -> None:
        """Read it now and from time to time, or no more."""
        if on:
            self._timer.start()
            self.read()
        else:
            self._timer.stop()

    def read(self) -> None:
        """Read it, unless that is going on."""
        if self._task is not None:
            return
        task = self._task = Task(self._read, self)
        task.done.connect(self._take)
        task.failed.connect(self._fail)
        task.start()

    def stop(self) -> None:
        """Read no more."""
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()

    def _take(self, cases: list[CaseSummary]) -> None:
        self._task = None
        if cases != self.cases:
            self.cases = cases
            self.changed.emit()

    def _fail(self, error: AutoContourError) -> None:
        self._task = None
        if not isinstance(error, Cancelled):
            self._timer.stop()
            self.failed.emit(error)

    def _read(self, job: Job) -> list[CaseSummary]:
        """Read the list; runs in a thread."""
        try:
            return self._list.read(job)
        except OSError as error:
            raise CaseError("AC-CASE-004", reason=error.strerror or type(error).__name__) from error
