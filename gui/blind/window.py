"""The window of one reviewer of a blind review."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMessageBox, QWidget

from autocontour.base.errors import AutoContourError
from autocontour.base.jobs import Job
from autocontour.gui.app import commands, ranges
from autocontour.gui.blind.questions import BY_HAND, CORRECTION_KEYS, DRAWING, ORIGIN_KEYS, QuestionPanel
from autocontour.gui.blind.views import BlindViews
from autocontour.gui.blind.workspace import BlindWorkspace, Scan
from autocontour.gui.look.language import in_window, tr
from autocontour.gui.panels.toast import Toast
from autocontour.gui.state.tasks import Task as BackgroundTask
from autocontour.gui.views.planes import Plane, body_voxels
from autocontour.gui.views.windowing import PRESETS
from autocontour.patient.structures import Contours, hash_contours
from autocontour.qa.commissioning.blind.bias import read_review_ct
from autocontour.qa.commissioning.blind.files import CORRECTED, Review
from autocontour.qa.commissioning.blind.plan import CORRECT, CORRECTIONS, DRAW, JUDGE, ORIGINS, Task
from autocontour.qa.commissioning.blind.session import Session

SCANS_KEPT = 3
FIRST_SIZE = QSize(1440, 900)
STRIDE = 5
SIZE_STEP = 1.15


class BlindWindow(QMainWindow):
    """Shows the tasks of a session one after the other.

    Nothing that could state the origin of a contour is on the screen: no patient, no file, no findings, no review
    status, no times, no history of another task; colour, name, grey scale, first view and zoom are those of the
    structure.

    Parameters
    ----------
    session
        The reviewer's, which the window closes.

    Signals
    -------
    closed
        The window is closed, and everything is stored.
    """

    closed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setWindowTitle(tr("autocontour — blind review"))
        self.workspace = BlindWorkspace()
        self.views, self.panel = BlindViews(self.workspace), QuestionPanel()
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.views, 1)
        row.addWidget(self.panel)
        self.setCentralWidget(holder)
        self.toast = Toast(holder, over=self.views)
        self.workspace.message.connect(self.toast.notify)
        self.tools = {identity: tool(self.workspace) for identity, tool in BY_HAND.items()}
        self.task: Task | None = None
        """The task on the screen; None while another one is prepared, and at the end."""
        self.correction = self.origin = ""
        self._shown_at = 0.0
        self._preset = 0
        self._scans: dict[str, Scan] = {}
        self._loading: BackgroundTask | None = None
        self._ahead: BackgroundTask | None = None
        self._build_keys()
        self.panel.correction_chosen.connect(self.choose_correction)
        self.panel.origin_chosen.connect(self.choose_origin)
        self.panel.asked.connect(self.carry_out)
        self.panel.tool_chosen.connect(self.take_tool)
        self.resize(FIRST_SIZE.boundedTo(self.screen().availableGeometry().size()))
        self.show_task()

    # Keys and commands ------------------------------------------------------------------------------------------------

    def _build_keys(self) -> None:
        self.handlers: dict[str, Callable[[], object]] = {
            "next": self.go_on,
            "finish": self.finish,
            "back": self.go_back,
            "pause": self.close,
            "done": self.hand_in,
            "impossible": self.give_up,
            "undo": self.workspace.undo,
            "redo": self.workspace.redo,
            "interpolate": lambda: ranges.interpolate(self.workspace),
            "copy_up": lambda: commands.copy_to_neighbour(self.workspace, 1),
            "copy_down": lambda: commands.copy_to_neighbour(self.workspace, -1),
            "delete_here": lambda: commands.delete_here(self.workspace),
            "smaller": partial(self._size_tool, 1 / SIZE_STEP),
            "larger": partial(self._size_tool, SIZE_STEP),
        }
        for name, keys in (("next", "Return Enter"), ("back", "Backspace"), ("pause", "Ctrl+Q Ctrl+W")):
            self._add_key(keys, partial(self.carry_out, name))
        self._add_key("Ctrl+Return Ctrl+Enter", partial(self.carry_out, "done"))
        for name, _, keys in DRAWING:
            self._add_key(keys, partial(self.carry_out, name))
        for answer, keys in zip(CORRECTIONS, CORRECTION_KEYS, strict=True):
            self._add_key(keys, partial(self.choose_correction, answer))
        for answer, keys in zip(ORIGINS, ORIGIN_KEYS, strict=True):
            self._add_key(keys, partial(self.choose_origin, answer))
        for identity, tool in BY_HAND.items():
            self._add_key(tool.keys, partial(self.take_tool, identity))
        for keys, by in (("Up PgUp", 1), ("Down PgDown", -1), ("Shift+PgUp", STRIDE), ("Shift+PgDown", -STRIDE)):
            self._add_key(keys, partial(self.workspace.step, Plane.AXIAL, by))
        self._add_key("Space", self._focus)
        self._add_key("0", partial(self.views.focus_on, None))
        self._add_key("Q", self._toggle_outlines)
        self._add_key("L", self._next_preset)

    def _add_key(self, keys: str, run: Callable[[], object]) -> None:
        action = QAction(self)
        action.setShortcuts([QKeySequence(key) for key in keys.split()])
        action.triggered.connect(lambda _=False: run())
        self.addAction(action)

    def carry_out(self, name: str) -> None:
        """Carry out a command, if it belongs to what is on the screen; during a stroke none but the size."""
        if self.workspace.is_held and name not in ("smaller", "larger"):
            return
        kind = self.task.kind if self.task else ""
        drawing = {"done", "impossible", *(command for command, _, _ in DRAWING)}
        if name in drawing and kind not in (DRAW, CORRECT):
            return
        if name == "next" and self.task is None and self.session.current is None:
            name = "finish"
        self.handlers[name]()

    # Tasks ------------------------------------------------------------------------------------------------------------

    def show_task(self) -> None:
        """Prepare the session's task and show it."""
        self.views.finish_stroke()
        self.task = None
        self.correction = self.origin = ""
        self.workspace.close()
        self.workspace.ct_changed.emit()
        self.panel.back.setEnabled(self.session.can_go_back)
        task = self.session.current
        if task is None:
            self._show_end()
        elif task.patient in self._scans:
            self._show(task, self._scans[task.patient])
        else:
            self.panel.progress.setText("")
            self.panel.show_words(tr("Loading the scan…"), "")
            self._loading = self._load(task.patient, partial(self._show_loaded, task), self._show_failure)

    def _load(
        self, patient: str, done: Callable[[object], object], failed: Callable[[AutoContourError], object]
    ) -> BackgroundTask:
        review = self.session.review
        task = BackgroundTask(partial(_read_scan, review, patient), self)
        task.done.connect(done)
        task.failed.connect(failed)
        task.start()
        return task

    def _keep(self, patient: str, scan: object) -> Scan:
        assert isinstance(scan, Scan)  # what `_read_scan` returns
        self._scans[patient] = scan
        for other in list(self._scans)[:-SCANS_KEPT]:
            del self._scans[other]
        return scan

    def _show_loaded(self, task: Task, scan: object) -> None:
        self._loading = None
        kept = self._keep(task.patient, scan)
        if self.task is None and task == self.session.current:
            self._show(task, kept)

    def _show_failure(self, error: AutoContourError) -> None:
        self.task = None
        self.panel.show_words(tr("This task cannot be shown"), in_window(error))

    def _show(self, task: Task, scan: Scan) -> None:
        review = self.session.review
        try:
            if task.kind == JUDGE:
                view = review.view_of(task.pair)
                self.workspace.show_contours(scan, task.structure, review.shown(task.item), view)
                self.views.focus_on(view)
            else:
                begin: Contours = {}
                if task.kind == CORRECT:
                    begin = review.shown(str(review.read_private(CORRECTED)[task.name]))
                self.workspace.show_drawing(scan, self.session.work_folder, task.structure, begin)
        except AutoContourError as error:
            self._show_failure(error)
            return
        self.task, self._preset = task, 0
        self.take_tool("navigate" if task.kind == JUDGE else "brush")
        self.panel.ask(task, self.session.index + 1, len(self.session.order))
        answer = self.session.answer
        if answer is not None and task.kind == JUDGE:
            self.correction, self.origin = answer["correction"], answer["origin"]
        self.panel.show_answer(self.correction, self.origin)
        self.panel.impossible.setVisible(task.kind == DRAW)
        self._shown_at = time.monotonic()
        self.views.axial.setFocus()
        self._load_ahead()

    def _load_ahead(self) -> None:
        """Read the scan of the next task, so that it is shown at once."""
        following = self.session.following
        if following is not None and following.patient not in self._scans and self._ahead is None:
            self._ahead = self._load(following.patient, partial(self._kept_ahead, following.patient), self._not_ahead)

    def _kept_ahead(self, patient: str, scan: object) -> None:
        self._ahead = None
        self._keep(patient, scan)

    def _not_ahead(self, _: AutoContourError) -> None:
        self._ahead = None  # it is reported when it is needed

    def _show_end(self) -> None:
        self.panel.progress.setText("")
        words = tr("All {count} tasks are answered. After finishing, no answer can be changed.",
                   count=len(self.session.order))  # fmt: skip
        self.panel.show_words(tr("Finished?"), words, is_end=True)

    # Answers ----------------------------------------------------------------------------------------------------------

    def choose_correction(self, answer: str) -> None:
        """Choose an answer to the first question."""
        if self.task is not None and self.task.kind == JUDGE:
            self.correction = answer
        self.panel.show_answer(self.correction, self.origin)

    def choose_origin(self, answer: str) -> None:
        """Choose an answer to the second question."""
        if self.task is not None and self.task.kind == JUDGE:
            self.origin = answer
        self.panel.show_answer(self.correction, self.origin)

    def go_on(self) -> None:
        """Store the answers and show the next task."""
        task = self.task
        if task is None or task.kind != JUDGE:
            return
        if not (self.correction and self.origin):
            self.workspace.refuse(tr("Answer both questions: 1, 2 or 3, and 4 or 5."))
            return
        shown = hash_contours(self.workspace.drawn)
        seconds = time.monotonic() - self._shown_at
        self._store(partial(self.session.judge, task, self.correction, self.origin, shown, seconds))

    def hand_in(self) -> None:
        """Store what was drawn and show the next task."""
        if self.task is None:
            return
        if not self.workspace.drawn:
            self.workspace.refuse(tr("Nothing is drawn yet."))
            return
        task, drawn, seconds = self.task, self.workspace.drawn, self.workspace.seconds_drawn
        self._store(partial(self.session.hand_in, task, drawn, seconds))

    def give_up(self) -> None:
        """Store that the structure cannot be drawn on this scan."""
        if self.task is None or self.task.kind != DRAW:
            return
        buttons = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No
        question = tr("{name} cannot be drawn on this scan?", name=self.task.structure)
        if QMessageBox.question(self, self.windowTitle(), question, buttons) == QMessageBox.StandardButton.Yes:
            self._store(partial(self.session.hand_in, self.task, {}, self.workspace.seconds_drawn))

    def _store(self, store: Callable[[], object]) -> None:
        """Store an answer; where that fails the task stays, with the answer on the screen."""
        try:
            store()
        except AutoContourError as error:
            self.workspace.report_error(error)
            return
        self.show_task()

    def go_back(self) -> None:
        """Show the task before again; from there, back to where she was."""
        try:
            if self.session.can_go_back:
                self.session.go_back()
            elif self.session.answer is not None:
                self.session.go_on()
            else:
                self.workspace.refuse(tr("Only the task before can be answered again."))
                return
        except AutoContourError as error:
            self.workspace.report_error(error)
            return
        self.show_task()

    def finish(self) -> None:
        """End the review and close the window; the last hash is shown to be written down."""
        if self.session.current is not None:
            return
        try:
            self.session.finish()
        except AutoContourError as error:
            self.workspace.report_error(error)
            return
        words = tr("The review is finished. Last hash, to be written down: {hash}", hash=self.session.last_hash[:16])
        QMessageBox.information(self, self.windowTitle(), words)
        self.close()

    # Looking and drawing ----------------------------------------------------------------------------------------------

    def take_tool(self, identity: str) -> None:
        """Select a tool; a contour that is judged can only be looked at."""
        if self.task is None or (self.task.kind == JUDGE and self.tools[identity].draws):
            return
        if self.workspace.is_held:
            if identity == "navigate":  # Esc gives a stroke up
                self.views.cancel_stroke()
            return
        self.views.set_tool(self.tools[identity])
        for name, button in self.panel.tools.items():
            button.setChecked(name == identity)

    def _size_tool(self, factor: float) -> None:
        self.views.axial.tool.resize(factor)
        for view in self.views.slices.values():
            view.update()

    def _focus(self) -> None:
        if self.task is not None and self.task.kind == JUDGE:
            view = self.session.review.view_of(self.task.pair)
            (z0, y0, x0), (z1, y1, x1) = view
            self.workspace.go_to(((z0 + z1) // 2, (y0 + y1) // 2, (x0 + x1) // 2))
            self.views.focus_on(view)
        else:
            self.workspace.go_to_structure(1)

    def _toggle_outlines(self) -> None:
        self.workspace.outlines_shown = not self.workspace.outlines_shown
        self.workspace.display_changed.emit()

    def _next_preset(self) -> None:
        self._preset = (self._preset + 1) % len(PRESETS)
        self.workspace.set_window(list(PRESETS.values())[self._preset])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what Shift, Alt and Ctrl make of the tool."""
        self._show_modifier(event)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what is left without them."""
        self._show_modifier(event)
        super().keyReleaseEvent(event)

    def _show_modifier(self, event: QKeyEvent) -> None:
        for view in self.views.slices.values():
            view.hold(event.modifiers())

    def closeEvent(self, event: QCloseEvent) -> None:
        """Pause: everything that was answered or drawn is on the disk."""
        self.views.finish_stroke()
        self.task = None
        for task in (self._loading, self._ahead):
            if task is not None:
                task.cancel()
        self.workspace.close()
        self.session.close()
        event.accept()
        self.closed.emit()


def _read_scan(review: Review, patient: str, job: Job) -> Scan:
    ct = read_review_ct(review, patient, job)
    return Scan(ct, body_voxels(ct))
