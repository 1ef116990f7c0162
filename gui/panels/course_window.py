"""The course of a patient in a window of its own: another CT, linked, each method's contours, and the curves."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor, QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from autocontour.base.findings import Severity
from autocontour.contouring import volume_cc
from autocontour.course.alternatives import Alternative
from autocontour.course.choice import GENERAL, PATIENT, PROPAGATED
from autocontour.course.record import CourseCT
from autocontour.course.trend import CONTOURED, REFUSED, WAITING
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, sentence_of, tr
from autocontour.gui.panels.banner import Banner
from autocontour.gui.panels.course_curve import MEASURES, CourseCurve, Curve, build_curve
from autocontour.gui.state.course import CourseDesk
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.slice_view import CrosshairTool, SliceView

SIZE = QSize(1000, 900)
ENTRY = Qt.ItemDataRole.UserRole
METHOD_NAMES = {
    PROPAGATED: later("Propagated from the planning CT"),
    GENERAL: later("Rules and networks"),
    PATIENT: later("The patient's own package"),
}
STATES = {
    CONTOURED: later("contoured"),
    REFUSED: later("refused"),
    WAITING: later("not contoured yet"),
}


class CourseWindow(QWidget):
    """A tool window of the main one.

    Signals
    -------
    open_asked
        A CT of the course is to be opened in the main window.
    folder_asked
        Another course is to be opened.
    key_changed
        A key was pressed or released.
    """

    open_asked = Signal(object)
    folder_asked = Signal()
    key_changed = Signal(QKeyEvent)

    def __init__(self, parent: QWidget, desk: CourseDesk) -> None:
        kind = Qt.WindowType.Tool | Qt.WindowType.WindowMaximizeButtonHint | Qt.WindowType.WindowCloseButtonHint
        super().__init__(parent, kind)
        self.setWindowTitle(f"autocontour — {tr('Course')}")
        self.desk = desk
        self.banner = Banner()
        self.dates = QListWidget()
        self.dates.setAccessibleName(tr("CTs of the course"))
        self.open_button = QPushButton(tr("Open in the main window"))
        self.other_button = QPushButton(tr("Another course…"))
        self.heading, self.link = _label("heading"), _label("muted")
        self.views = {plane: SliceView(desk.reference, plane) for plane in Plane}
        for plane in (Plane.CORONAL, Plane.SAGITTAL):
            self.views[plane].set_tool(CrosshairTool(desk.reference, plane))
        self.planes = QComboBox()
        self.planes.setAccessibleName(tr("Plane"))
        for plane in Plane:
            self.planes.addItem(plane.title, plane)
        self.cover = QLabel()
        self.methods = QGridLayout()
        self.take_buttons: dict[str, tuple[QPushButton, QPushButton]] = {}
        self.structure = _label("heading")
        self.measures = QComboBox()
        self.measures.setAccessibleName(tr("Measure"))
        for measure in MEASURES:
            self.measures.addItem(tr(measure.title), measure)
        self.curve = CourseCurve()
        self._lay_out()
        self._listen()
        self.resize(SIZE.boundedTo(parent.screen().availableGeometry().size() * 0.8))
        self.follow()

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.dates, 1)
        left.addWidget(self.open_button)
        left.addWidget(self.other_button)
        side = QWidget()
        side.setLayout(left)
        self._stack = QStackedLayout()
        for view in self.views.values():
            self._stack.addWidget(view)
        self.cover.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.cover.setWordWrap(True)
        self.cover.setAutoFillBackground(True)
        self._stack.addWidget(self.cover)
        picture = QVBoxLayout()
        row = QHBoxLayout()
        row.addWidget(self.heading, 1)
        row.addWidget(self.planes)
        picture.addLayout(row)
        picture.addLayout(self._stack, 1)
        picture.addWidget(self.link)
        beside = QWidget()
        beside.setLayout(picture)
        upper = QSplitter(Qt.Orientation.Horizontal)
        upper.addWidget(side)
        upper.addWidget(beside)
        upper.setSizes([240, 760])
        upper.setStretchFactor(1, 1)
        below = QHBoxLayout()
        methods = QVBoxLayout()
        methods.addWidget(self.structure)
        methods.addLayout(self.methods)
        methods.addStretch(1)
        below.addLayout(methods, 1)
        curve = QVBoxLayout()
        curve.addWidget(self.measures)
        curve.addWidget(self.curve, 1)
        below.addLayout(curve, 1)
        lower = QFrame()
        lower.setLayout(below)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(upper)
        whole.addWidget(lower)
        whole.setStretchFactor(0, 1)
        whole.setSizes([620, 240])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(whole, 1)

    def _listen(self) -> None:
        desk = self.desk
        desk.changed.connect(self.follow)
        desk.looked_at.connect(self.follow)
        desk.moved.connect(self._follow_place)
        desk.begun.connect(self._follow_place)
        desk.ended.connect(self._follow_place)
        desk.workspace.structures_changed.connect(lambda _: self._follow_structure())
        self.dates.currentItemChanged.connect(self._look_at)
        self.dates.itemActivated.connect(lambda item: self.open_asked.emit(item.data(ENTRY)))
        self.open_button.clicked.connect(self._ask_to_open)
        self.other_button.clicked.connect(self.folder_asked)
        self.planes.currentIndexChanged.connect(lambda _: self._follow_place())
        self.measures.currentIndexChanged.connect(lambda _: self._follow_structure())

    def _look_at(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.desk.look_at(item.data(ENTRY))

    def _ask_to_open(self) -> None:
        item = self.dates.currentItem()
        if item is not None:
            self.open_asked.emit(item.data(ENTRY))

    # Following --------------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Show the course as it stands."""
        reference = self.desk.reference
        self.banner.show_ct(reference.ct or self.desk.workspace.ct)
        self._follow_dates()
        self._follow_place()
        self._follow_structure()

    def _follow_dates(self) -> None:
        """List the CTs; the one that is open in the main window is marked."""
        entry = self.desk.entry_of(self.desk.workspace.ct)
        rows = [(ct, self._row_of(ct, is_open=ct is entry)) for ct in self.desk.cts]
        shown = [self.dates.item(row) for row in range(self.dates.count())]
        if [item.data(ENTRY) for item in shown] != [ct for ct, _ in rows]:
            self.dates.blockSignals(True)
            self.dates.clear()
            for ct, _ in rows:
                item = QListWidgetItem()
                item.setData(ENTRY, ct)
                self.dates.addItem(item)
            self.dates.blockSignals(False)
        for row, (_, (words, tip)) in enumerate(rows):
            item = self.dates.item(row)
            item.setText(words)
            item.setToolTip(tip)
        self.open_button.setEnabled(bool(rows))

    def _row_of(self, ct: CourseCT, *, is_open: bool) -> tuple[str, str]:
        state, reason = self.desk.state_of(ct)
        planning = self.desk.loaded is not None and ct is self.desk.loaded.course.planning
        second = "" if planning else f"\n{tr(STATES[state])}"
        mark = f"\n● {tr('open in the main window')}" if is_open else ""
        return f"{self.desk.title_of(ct)}{second}{mark}", reason

    def _follow_place(self) -> None:
        """Show the slice, or why there is none; the heading names the CT that is really shown."""
        desk = self.desk
        beside, place = desk.reference.loaded, desk.place
        self.heading.setText(desk.title_of(beside.ct) if beside else "")
        if beside is None:
            words = tr("Reading…") if desk.is_reading else tr("Choose a CT of the course.")
            self._cover(words if desk.loaded else tr("No course is open."))
            self.link.setText("")
            return
        if desk.own is None:
            self._uncover()
            self.link.setText(tr("Not linked: the CT in the main window is not a contoured CT of this course."))
        elif place is not None and not place.is_inside:
            self._cover(tr("This position is outside this CT: {date}.", date=desk.title_of(beside.ct)))
            self.link.setText("")
        else:
            self._uncover()
            own = desk.title_of(desk.own.ct)
            distance = place.distance_mm if place else 0.0
            self.link.setText(tr("Linked with {date}; the nearest slice is {mm:.1f} mm away.", date=own, mm=distance))

    def _cover(self, words: str) -> None:
        self.cover.setText(words)
        self.cover.setStyleSheet("background: black; color: #cbd5e1")
        self._stack.setCurrentWidget(self.cover)

    def _uncover(self) -> None:
        for number, view in enumerate(self.views.values()):
            self.planes.setItemText(number, view.title)
        self._stack.setCurrentWidget(self.views[self.planes.currentData()])

    def _follow_structure(self) -> None:
        """Show the methods and the curve of the selected structure."""
        desk, current = self.desk, self.desk.workspace.current
        self._clear_methods()
        own = desk.title_of(desk.own.ct) if desk.own else ""
        if current is None or desk.loaded is None:
            self.structure.setText(tr("No structure is selected") if desk.loaded else "")
            self.curve.show_curve(build_curve_of(desk, "", self.measures.currentIndex()), own)
            return
        name = current.structure.name
        self.structure.setText(tr("{name} on {date}", name=name, date=own) if own else name)
        for row, one in enumerate(desk.alternatives):
            self._add_method(row, one)
        if desk.own and not desk.alternatives:
            words = tr("The course has no contours of this structure on this CT.")
            self.methods.addWidget(_label("muted", words), 0, 0)
        self.curve.show_curve(build_curve_of(desk, name, self.measures.currentIndex()), own)

    def _clear_methods(self) -> None:
        self.take_buttons = {}
        while (item := self.methods.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()

    def _add_method(self, row: int, one: Alternative) -> None:
        """Show one method: its volume, what is doubtful about it, and the buttons that take it."""
        assert self.desk.own is not None  # there are alternatives
        title = tr(METHOD_NAMES[one.method]) + (f"  ({tr('chosen')})" if one.is_chosen else "")
        volume = volume_cc(one.structure.contours, self.desk.own.volume.geometry)
        warned = [finding for finding in one.structure.findings if finding.severity >= Severity.WARN]
        words = "\n".join(sentence_of(finding) for finding in warned)
        name = _label("", f"{title}\n{volume:.1f} cc")
        doubt = _label("", f"▲ {len(warned)}" if warned else "")
        doubt.setStyleSheet(f"color: {QColor(theme.current.warn).name()}")
        doubt.setToolTip(words)
        doubt.setAccessibleDescription(words)
        whole, slice_ = QPushButton(tr("Take structure")), QPushButton(tr("Take slice"))
        whole.clicked.connect(partial(self._take, one, only_slice=False))
        slice_.clicked.connect(partial(self._take, one, only_slice=True))
        for column, widget in enumerate((name, doubt, whole, slice_)):
            self.methods.addWidget(widget, row, column)
        self.methods.setColumnStretch(0, 1)
        self.take_buttons[one.method] = whole, slice_

    def _take(self, one: Alternative, _checked: bool = False, *, only_slice: bool) -> None:
        self.desk.take(one, only_slice=only_slice)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pass on what is held."""
        self.key_changed.emit(event)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Pass on what is still held."""
        self.key_changed.emit(event)
        super().keyReleaseEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Only hide it: the course stays open."""
        event.accept()
        self.hide()


def build_curve_of(desk: CourseDesk, name: str, measure: int) -> Curve:
    """Return the curve of a structure of the course that is open."""
    if desk.loaded is None or not name:
        return Curve(MEASURES[measure])
    planning = desk.loaded.course.planning
    return build_curve(desk.loaded.trend, desk.loaded.limits, name, MEASURES[measure], planning.date)


def _label(kind: str, words: str = "") -> QLabel:
    label = QLabel(words)
    label.setObjectName(kind)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
