"""The strip over the views that shows a change of a range of slices before it is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
)

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.case.need import runs
from autocontour.contouring import Gap
from autocontour.edits import (
    LARGEST_GAP_MM,
    RangePlan,
    plan_copy,
    plan_deletion,
    plan_interpolation,
    plan_margin,
    plan_smoothing,
)
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.gui.look.numbers import DecimalBox
from autocontour.gui.state.background import BLINK_S
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Workspace
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours

NAMED = 4
"""Places named in one sentence."""


@dataclass(frozen=True)
class Asked:
    """What a change is computed from.

    Attributes
    ----------
    source
        The slice that is copied.
    millimetres, is_ticked
        As in the bar.
    """

    contours: Contours
    geometry: VolumeGeometry
    slices: range
    source: int
    millimetres: float
    is_ticked: bool


@dataclass(frozen=True)
class Operation:
    """A change of a range.

    Attributes
    ----------
    label
        Name of the step, as its action.
    plan
        Computes it.
    length
        What its length in mm is; empty if it has none.
    values_mm
        Lowest, highest and usual length.
    tick
        What its tick box offers; empty if it has none.
    note
        How it treats the ends.
    is_typed
        Whether its length is usually typed.
    """

    label: str
    plan: Callable[[Asked, Job], RangePlan]
    length: str = ""
    values_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tick: str = ""
    note: str = ""
    is_typed: bool = False


OPERATIONS = {
    "interpolate": Operation(
        "Interpolate in range",
        lambda a, job: plan_interpolation(a.contours, a.geometry, a.slices, a.millimetres, job),
        later("Largest gap"),
        (1.0, 500.0, LARGEST_GAP_MM),
    ),
    "copy": Operation(
        "Copy to range",
        lambda a, _: plan_copy(a.contours, a.geometry, a.slices, a.source, replaces=a.is_ticked),
        tick=later("Replace drawn slices"),
    ),
    "delete": Operation("Delete in range", lambda a, _: plan_deletion(a.contours, a.slices)),
    "margin": Operation(
        "Margin in range",
        lambda a, job: plan_margin(a.contours, a.geometry, a.slices, a.millimetres, job),
        later("Margin"),
        (-50.0, 50.0, 3.0),
        note=later("In the plane of each slice only: nothing is added above or below."),
        is_typed=True,
    ),
    "smooth": Operation(
        "Smooth in range",
        lambda a, job: plan_smoothing(a.contours, a.slices, a.millimetres, job),
        later("Smoothing"),
        (0.5, 10.0, 2.0),
    ),
}


class RangeBar(QFrame):
    """Shows a change of the selected structure on the chosen slices; Return applies it, Esc does not.

    It belongs to the structure it was opened for: if another one is selected, it closes.
    """

    opened = Signal()
    """It is shown or hidden, or Return means something else (see `takes_return`)."""
    left = Signal()
    """It is hidden while it has the keyboard."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setAccessibleName(tr("Change of a range of slices"))
        self.workspace = workspace
        self._name = ""
        self._number = self._source = -1
        self._task: Task | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(12)
        self.title, self.words, self._length_name = QLabel(), QLabel(wordWrap=True), QLabel()
        self.title.setObjectName("heading")
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.length = DecimalBox(decimals=1, singleStep=1, suffix=" mm")
        self.tick = QCheckBox()
        self.apply, self.cancel = QPushButton(tr("Apply")), QPushButton(tr("Cancel"))
        self.apply.setObjectName("primary")
        self.apply.setToolTip(tr("Apply the change that is shown, as one step") + "  (Return)")
        self.cancel.setToolTip(tr("Change nothing") + "  (Esc)")
        for widget in (self.title, self._length_name, self.length, self.tick):
            row.addWidget(widget)
        row.addWidget(self.words, 1)
        row.addWidget(self.apply)
        row.addWidget(self.cancel)
        self.length.valueChanged.connect(self._plan)
        self.tick.toggled.connect(self._plan)
        self.apply.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.shut)
        workspace.ct_changed.connect(self.shut)
        workspace.selection_changed.connect(self._follow_selection)
        workspace.structures_changed.connect(self._follow_structures)
        workspace.range.changed.connect(self._follow_range)
        app = QApplication.instance()
        assert isinstance(app, QApplication)  # there is no widget without one
        app.focusChanged.connect(self._follow_focus)
        self.hide()

    @property
    def is_open(self) -> bool:
        """Whether a change is shown."""
        return bool(self._name)

    @property
    def takes_return(self) -> bool:
        """Whether Return applies the change: not while text is typed elsewhere, such as a new name."""
        focus = QApplication.focusWidget()
        is_elsewhere = isinstance(focus, QLineEdit | QAbstractSpinBox) and not self.isAncestorOf(focus)
        return self.is_open and not is_elsewhere

    def ask(self, name: str) -> None:
        """Show a change of the selected structure on the chosen slices.

        Parameters
        ----------
        name
            A key of `OPERATIONS`.
        """
        space, operation = self.workspace, OPERATIONS[name]
        current = space.current
        if current is None or not space.may_change():
            return
        if space.range.slices is None and name != "interpolate":
            space.refuse(
                tr("Choose a range of slices first: , begins it on this slice, . ends it, Ctrl+A chooses all slices.")
            )
            return
        if name == "copy" and space.slice_index not in current.structure.contours:
            space.refuse(tr("{name} has no contour on this slice to copy.", name=current.structure.name))
            return
        self.shut()
        self._name, self._number, self._source = name, current.structure.number, space.slice_index
        low, high, usual = operation.values_mm
        self.length.blockSignals(True)
        self.length.setRange(low, high)
        self.length.setValue(usual)
        self.length.blockSignals(False)
        self.tick.blockSignals(True)
        self.tick.setChecked(False)
        self.tick.blockSignals(False)
        for widget, words in ((self._length_name, operation.length), (self.tick, operation.tick)):
            widget.setText(tr(words) if words else "")
            widget.setVisible(bool(words))
        self.length.setVisible(bool(operation.length))
        self.length.setAccessibleName(tr(operation.length) if operation.length else "")
        self.show()
        if operation.is_typed:
            self.length.setFocus()
            self.length.selectAll()
        self.opened.emit()
        self._plan()

    def accept(self) -> None:
        """Apply the change that is shown as one step, unless it is still being computed."""
        space, plan, operation = self.workspace, self.workspace.range.plan, OPERATIONS.get(self._name)
        if operation is None or space.is_held:
            return
        if plan is None:
            space.refuse(tr("The preview is still being computed."))
            return
        if not plan.changes:
            space.refuse(self.words.text())
            return
        number = self._number
        self.shut()
        if space.redraw(operation.label, plan.changes, number, is_viewed=False):
            space.notify(result_in_words(plan))

    def shut(self) -> None:
        """Change nothing, and show no change."""
        if not self.is_open:
            return
        self._stop()
        self._name = ""
        focus = QApplication.focusWidget()
        if focus is not None and self.isAncestorOf(focus):
            self.left.emit()
        self.hide()
        self.workspace.range.show_plan(None, {})
        self.opened.emit()

    def _slices(self) -> range:
        chosen = self.workspace.range.slices
        return range(self.workspace.range.count) if chosen is None else chosen

    def _plan(self) -> None:
        """Compute the change beside the window, and show it."""
        space = self.workspace
        if not self.is_open or space.ct is None or self._number not in space.state:
            return
        self._stop()
        operation, contours = OPERATIONS[self._name], space.state[self._number].structure.contours
        asked = Asked(
            contours, space.ct.geometry, self._slices(), self._source, self.length.value(), self.tick.isChecked()
        )
        space.range.show_plan(None, {})
        self.title.setText(self._titled(operation))
        self._say(tr("Computing the preview…"))
        self.apply.setEnabled(False)
        task = self._task = Task(lambda job: operation.plan(asked, job), self)
        task.done.connect(lambda plan: self._show(task, plan, contours))
        task.failed.connect(lambda error: self._fail(task, error))
        task.start()
        if task.wait(BLINK_S):
            task.deliver()

    def _show(self, task: Task, plan: RangePlan, contours: Contours) -> None:
        if task is not self._task:
            return  # another one was asked for meanwhile
        self._task = None
        self.workspace.range.show_plan(plan, contours)
        note = OPERATIONS[self._name].note
        self._say(" ".join(part for part in (plan_in_words(plan), tr(note) if note else "") if part))
        self.apply.setEnabled(bool(plan.changes))

    def _fail(self, task: Task, error: AutoContourError) -> None:
        if task is self._task and not isinstance(error, Cancelled):
            self.shut()
            self.workspace.report_error(error)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _titled(self, operation: Operation) -> str:
        name, slices = self.workspace.state[self._number].structure.name, self._slices()
        what = tr(operation.label)
        if self._name == "copy":
            what = tr("Copy slice {slice} to range", slice=self._source + 1)
        where = (
            tr("all slices")
            if self.workspace.range.slices is None
            else tr("slices {places}", places=_numbered([slices]))
        )
        return f"{what}:  {name},  {where}"

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setAccessibleName(words)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.words, words))

    def _follow_focus(self) -> None:
        if self.is_open:
            self.opened.emit()

    def _follow_selection(self) -> None:
        if self.is_open and self.workspace.selected != self._number:
            self.shut()

    def _follow_structures(self, changed: frozenset[int]) -> None:
        if not self.is_open:
            return
        if self._number not in self.workspace.state or self.workspace.state[self._number].is_protected:
            self.shut()
        elif self._number in changed:
            self._plan()

    def _follow_range(self) -> None:
        if self.is_open and self.workspace.range.slices is None and self._name != "interpolate":
            self.shut()
        else:
            self._plan()


DONE = (
    ("filled", later("{count} empty slice filled: {places}"), later("{count} empty slices filled: {places}")),
    ("changed", later("{count} slice changed: {places}"), later("{count} slices changed: {places}")),
    ("removed", later("{count} slice deleted: {places}"), later("{count} slices deleted: {places}")),
)
"""Attribute of a plan → what it does to one slice, and to many."""


def plan_in_words(plan: RangePlan) -> str:
    """Return what a change would do, and what it leaves out."""
    counted = [(getattr(plan, name), one, many) for name, one, many in DONE]
    done = [tr_count(len(z), one, many, places=_numbered(runs(z))) for z, one, many in counted if z]
    return " ".join([("; ".join(done) or tr("Nothing would change")) + ".", *left_out_in_words(plan)])


def left_out_in_words(plan: RangePlan) -> list[str]:
    """Return what an interpolation leaves out: large gaps, pieces without a counterpart, slices that stay empty."""
    lines = []
    if plan.wide:
        lines.append(tr("Left out because the gap is too large: {gaps}.", gaps=_gaps(plan.wide, "mm")))
    if plan.unpaired:
        lines.append(tr("Not bridged, parts without a counterpart: {gaps}.", gaps=_gaps(plan.unpaired, "parts")))
    wide = {z for gap in plan.wide for z in gap.slices}
    empty = [z for z in plan.still_empty if z not in wide]
    if empty:
        lines.append(tr("Still empty: {places}.", places=_numbered(runs(empty))))
    return lines


def result_in_words(plan: RangePlan) -> str:
    """Return what a change did, and what it left out."""
    count = len(plan.changes)
    return " ".join([tr_count(count, "{count} slice changed.", "{count} slices changed."), *left_out_in_words(plan)])


def _gaps(gaps: Iterable[Gap], of: str) -> str:
    found = list(gaps)
    named = [
        f"{gap.low + 1}–{gap.high + 1} ({gap.distance_mm:.0f} mm)"
        if of == "mm"
        else f"{gap.low + 1}–{gap.high + 1} ({sum(gap.unpaired)})"
        for gap in found[:NAMED]
    ]
    return ", ".join(named) + (" …" if len(found) > NAMED else "")


def _numbered(places: Iterable[range]) -> str:
    """Return ranges of slices as they are numbered in the views."""
    found = list(places)
    named = [f"{p[0] + 1}" if len(p) == 1 else f"{p[0] + 1}–{p[-1] + 1}" for p in found[:NAMED]]
    return ", ".join(named) + (" …" if len(found) > NAMED else "")
