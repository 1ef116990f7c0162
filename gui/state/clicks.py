"""Clicks on a structure and the answer to them, until it is accepted: a session with a click server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.edits import Outline, union
from autocontour.gui.look.language import tr, tr_count
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Workspace
from autocontour.models.prompted import Answer, PromptSession, contours_of
from autocontour.patient.structures import Contours

LABEL = "Click"


@dataclass(frozen=True)
class Click:
    """A click: its voxel, and whether it belongs to the structure."""

    voxel_zyx: tuple[int, int, int]
    is_positive: bool


class Clicks(QObject):
    """The clicks on the selected structure, one prompt at a time.

    They belong to the structure and the contours that they began with: if another one is selected, or these contours
    change, they are forgotten.

    Signals
    -------
    changed
        Clicks, answer or session changed.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.session: PromptSession | None = None
        self.clicks: tuple[Click, ...] = ()
        self.proposed: Contours = {}
        self._number: int | None = None
        self._before: Contours = {}
        self._task: Task | None = None
        self._needs_reset = False
        workspace.ct_changed.connect(self.disconnect_from_server)
        workspace.selection_changed.connect(self.forget)
        workspace.structures_changed.connect(self._follow_changes)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._task is not None

    def use(self, session: PromptSession) -> None:
        """Ask this session from now on."""
        self.disconnect_from_server()
        self.session = session
        self.changed.emit()

    def disconnect_from_server(self) -> None:
        """Let go of the session; another scan needs another one."""
        self.forget()
        session, self.session = self.session, None
        self._needs_reset = False
        if session is not None:
            Task(lambda _: session.close()).start()
            self.changed.emit()

    def add(self, voxel_zyx: tuple[int, int, int], *, positive: bool) -> None:
        """Ask with one more click, in the selected structure or beside it."""
        click = Click(voxel_zyx, positive)
        space, session = self._workspace, self.session
        if session is None:
            space.refuse(tr("There is no click server: connect to one first (Tools, Click server…)."))
            return
        if self.is_busy:
            space.refuse(tr("The answer to the last click is still awaited."))
            return
        current = space.current
        if current is None or not space.may_draw():
            return
        if self._number is None:
            self._number, self._before = current.structure.number, current.structure.contours
        self.clicks = (*self.clicks, click)
        ct, is_new = space.ct, self._needs_reset
        self._needs_reset = False
        assert ct is not None  # a structure is selected

        def ask(_: object) -> Contours:
            if is_new:
                session.reset()
            answer: Answer = session.add_point(click.voxel_zyx, positive=click.is_positive)
            return contours_of(answer, ct.geometry)

        self._run(ask, self._take)

    def accept(self) -> bool:
        """Add what is proposed to the structure, as one step of undo; return whether there was anything."""
        if not self.proposed or self._number is None or self.is_busy:
            return False
        number, before = self._number, self._before
        changes: dict[int, Outline] = {z: union(before.get(z), outline) for z, outline in self.proposed.items()}
        count = len(changes)
        self.forget()
        if self._workspace.redraw(LABEL, changes, number, is_viewed=False):
            self._workspace.notify(tr_count(count, "Accepted on {count} slice.", "Accepted on {count} slices."))
        return True

    def forget(self) -> None:
        """Forget the clicks and what is proposed; the next click begins anew."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._needs_reset = self._needs_reset or bool(self.clicks)
        had, self.clicks, self.proposed = bool(self.clicks or self.proposed), (), {}
        self._number, self._before = None, {}
        if had:
            self.changed.emit()

    def _take(self, proposed: Contours) -> None:
        self.proposed = proposed
        if not proposed:
            self._workspace.notify(tr("Nothing was found for these clicks."))

    def _run(self, work: Callable[[Any], Any], take: Callable[[Any], None]) -> None:
        task = self._task = Task(work, self)

        def end(act: Callable[[Any], None], content: Any) -> None:  # noqa: ANN401  (a result or an error)
            if task is self._task:
                self._task = None
                act(content)
                self.changed.emit()

        task.done.connect(lambda result: self._workspace.when_free(lambda: end(take, result)))
        task.failed.connect(lambda error: self._workspace.when_free(lambda: end(self._fail, error)))
        task.start()
        self.changed.emit()

    def _fail(self, error: AutoContourError) -> None:
        """Show why there is no answer; the state of the server is unknown, so the session begins anew."""
        self._needs_reset = True
        self.clicks, self.proposed = (), {}
        self._number, self._before = None, {}
        if not isinstance(error, Cancelled):
            self._workspace.report_error(error)

    def _follow_changes(self, changed: frozenset[int]) -> None:
        if self._number is None or self._number not in changed:
            return
        state = self._workspace.state
        if self._number not in state or state[self._number].structure.contours is not self._before:
            self.forget()
