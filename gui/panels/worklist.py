"""The list of cases on the start page: the state of each; sorted, filtered and opened by keyboard or mouse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QHeaderView, QLabel, QTableView, QVBoxLayout

from autocontour.base.errors import CaseError
from autocontour.base.findings import Severity
from autocontour.case.summary import CaseSummary
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, tr, tr_count
from autocontour.gui.panels.inputs import SearchBox
from autocontour.gui.state.worklist import Worklist

Index = QModelIndex | QPersistentModelIndex
Key = Callable[[CaseSummary], Any]
NONE = QModelIndex()


def _at(moment: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    return moment.astimezone().strftime(form) if moment else ""


def _exported(case: CaseSummary) -> str:
    if case.exported_at is None:
        return ""
    date = _at(case.exported_at, "%Y-%m-%d")
    return f"{date} ▲" if case.is_changed_since_export else date


def _patient(case: CaseSummary) -> str:
    if not case.is_ct_there:
        return tr("CT not found")
    return case.facts.name or (tr("No name") if case.facts.is_patient else tr("Research volume, no patient"))


@dataclass(frozen=True)
class Column:
    """A column of the list: its heading, what it shows, and by what it is sorted.

    Attributes
    ----------
    is_number
        Whether it is centred.
    descends
        Whether the largest comes first when it is chosen.
    """

    heading: str
    shown: Callable[[CaseSummary], str]
    key: Key
    width: int
    is_number: bool = False
    descends: bool = False


def _count(heading: str, name: str, width: int = 70) -> Column:
    def value(case: CaseSummary) -> int:
        number: int = getattr(case, name)
        return number

    return Column(heading, lambda case: str(value(case)), value, width, is_number=True, descends=True)


COLUMNS = (
    Column(later("Patient ID"), lambda c: c.facts.patient_id, lambda c: c.facts.patient_id.casefold(), 90),
    Column(later("Name"), _patient, lambda c: c.facts.name.casefold(), 120),
    Column(later("CT"), lambda c: c.facts.scan_date, lambda c: c.facts.scan_date, 84, descends=True),
    _count(later("Structures"), "structures", 78),
    _count(later("Approved"), "approved", 80),
    _count(later("Rejected"), "rejected", 76),
    _count(later("Edited"), "edited", 58),
    Column(
        later("Last change"),
        lambda c: _at(c.changed_at),
        lambda c: c.changed_at.timestamp() if c.changed_at else 0.0,
        124,
        descends=True,
    ),
    Column(later("Exported"), _exported, lambda c: c.exported_at.timestamp() if c.exported_at else 0.0, 100),
    Column(later("State"), lambda _: "", lambda c: (len(c.problems), c.is_open), 118, descends=True),
)
LAST_CHANGE, STATE = 7, 9


class CaseTable(QAbstractTableModel):
    """The cases that match the filter, in the chosen order.

    Attributes
    ----------
    open_folder
        The case that is open in this window.
    """

    def __init__(self, worklist: Worklist) -> None:
        super().__init__()
        self._worklist = worklist
        self.open_folder: Path | None = None
        self.words = ""
        self.column, self.descends = LAST_CHANGE, True
        self.rows: list[CaseSummary] = []

    def follow(self) -> None:
        """Take the cases as they were read last."""
        wanted = self.words.casefold().split()
        found = [case for case in self._worklist.cases if all(w in self._text(case) for w in wanted)]
        self.beginResetModel()
        self.rows = sorted(found, key=COLUMNS[self.column].key, reverse=self.descends)
        self.endResetModel()

    def choose_column(self, column: int) -> None:
        """Sort by a column; the other way round if that is so already."""
        self.descends = not self.descends if column == self.column else COLUMNS[column].descends
        self.column = column
        self.follow()

    def row_of(self, folder: Path | None) -> int:
        """Return the row of a case; -1 if it is not shown."""
        folders = [case.folder for case in self.rows]
        return folders.index(folder) if folder in folders else -1

    def shown(self, case: CaseSummary, column: int) -> str:
        """Return what a cell shows."""
        if column != STATE:
            return COLUMNS[column].shown(case)
        is_here = case.folder == self.open_folder
        opened = [tr("open here") if is_here else tr("open elsewhere")] if case.is_open else []
        return "  ".join([*opened, *(problem.code for problem in case.problems)])

    def notes(self, case: CaseSummary) -> list[str]:
        """Return why a case cannot be opened, its problems, and whether it was changed after its last export."""
        is_elsewhere = case.is_open and case.folder != self.open_folder
        opened = [in_window(CaseError("AC-CASE-001"))] if is_elsewhere else []
        since = [tr("▲ Changed since it was exported.")] if case.is_changed_since_export else []
        return [*opened, *map(in_window, case.problems), *since]

    def rowCount(self, parent: Index = NONE) -> int:
        """Return how many cases are shown."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = NONE) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401  (Qt's signature)
        """Return the text of a cell, its tooltip, place and colour."""
        case, column = self.rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.shown(case, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(self.notes(case)) or self.shown(case, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return _color(case, column)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Return a heading, and its key."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return tr(COLUMNS[section].heading)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr("Sort by this column; again: the other way round") + f"  (Alt+{(section + 1) % 10})"
        return None

    def _text(self, case: CaseSummary) -> str:
        cells = [self.shown(case, column) for column in range(len(COLUMNS))]
        return " ".join([*cells, case.facts.series, case.folder.name]).casefold()


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignHCenter if COLUMNS[column].is_number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _color(case: CaseSummary, column: int) -> QColor | None:
    worst = max((problem.severity for problem in case.problems), default=Severity.INFO)
    if column == STATE and worst >= Severity.WARN:
        return QColor(theme.current.bad if worst is Severity.BLOCK else theme.current.warn)
    if not case.is_usable or (column == 1 and not case.is_ct_there):
        return QColor(theme.current.muted)
    is_decided = {4: case.approved and case.approved == case.structures, 5: case.rejected}.get(column)
    return QColor(theme.current.good if column == 4 else theme.current.bad) if is_decided else None


class CaseView(QTableView):
    """The table; letters typed in it go to the filter."""

    chosen = Signal()
    typed = Signal(str)
    left = Signal()
    """Esc was pressed."""

    def event(self, event: QEvent) -> bool:
        """Take letters and the keys of a list before they become the window's."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open with Return, filter with letters."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif _is_letter(event):
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)


class FilterBox(SearchBox):
    """The filter; the arrow keys move in the table below it."""

    moved = Signal(object)
    left = Signal()
    """Esc was pressed while it is empty."""

    def event(self, event: QEvent) -> bool:
        """Keep the keys that the table and the filter need."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _is_own(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pass on the keys of the table; Esc clears."""
        if event.key() in MOVING:
            self.moved.emit(event)
        elif event.key() == Qt.Key.Key_Escape:
            self.clear() if self.text() else self.left.emit()
        else:
            super().keyPressEvent(event)


MOVING = frozenset({Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})
OWN = MOVING | {Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter}


def _is_letter(event: QKeyEvent) -> bool:
    held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    return bool(event.text()) and event.text().isprintable() and not held


def _is_own(event: QKeyEvent) -> bool:
    is_plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return _is_letter(event) or (is_plain and event.key() in OWN)


class WorklistPanel(QFrame):
    """Filter, table, and what is to be known of the selected case."""

    case_chosen = Signal(object)
    left = Signal()
    """She wants back to the case that is open."""

    def __init__(self, worklist: Worklist) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setAccessibleName(tr("Cases"))
        self.worklist, self.model = worklist, CaseTable(worklist)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(10)
        row = QHBoxLayout()
        self.heading = QLabel(tr("CASES"))
        self.heading.setObjectName("heading")
        self.filter = FilterBox(placeholderText=tr("Filter: ID, name, date, state"), clearButtonEnabled=True)
        self.filter.setAccessibleName(tr("Filter the cases"))
        self.filter.setToolTip(tr("Only cases with all of these words; Up and Down choose one, Return opens it"))
        row.addWidget(self.heading)
        row.addStretch()
        row.addWidget(self.filter, 1)
        column.addLayout(row)
        column.addWidget(self._build_table(), 1)
        self.details = QLabel(wordWrap=True)
        self.details.setObjectName("muted")
        self.details.setTextFormat(Qt.TextFormat.PlainText)
        column.addWidget(self.details)
        self.filter.textChanged.connect(self._filter)
        self.filter.returnPressed.connect(self._choose)
        self.filter.moved.connect(self.table.keyPressEvent)
        self.filter.left.connect(self.left)
        worklist.changed.connect(self.follow)
        worklist.failed.connect(lambda error: self.details.setText(in_window(error)))
        for number in range(len(COLUMNS)):
            key = QShortcut(QKeySequence(f"Alt+{(number + 1) % 10}"), self, partial(self._sort, number))
            key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _build_table(self) -> QTableView:
        self.table = CaseView()
        self.table.setModel(self.model)
        self.table.setAccessibleName(tr("Cases"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(32)
        header = self.table.horizontalHeader()
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(True)
        for number, one in enumerate(COLUMNS):
            header.resizeSection(number, one.width)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(56)
        header.sectionClicked.connect(self._sort)
        self.table.doubleClicked.connect(self._choose)
        self.table.chosen.connect(self._choose)
        self.table.typed.connect(self._type)
        self.table.left.connect(self.left)
        self.table.selectionModel().currentRowChanged.connect(self._show_details)
        return self.table

    @property
    def selected(self) -> CaseSummary | None:
        """The selected case."""
        row = self.table.currentIndex().row()
        return self.model.rows[row] if 0 <= row < len(self.model.rows) else None

    def follow(self) -> None:
        """Show the cases as they were read last; the selected one stays selected."""
        folder, place = self.selected.folder if self.selected else None, self.table.verticalScrollBar().value()
        self.model.follow()
        order = Qt.SortOrder.DescendingOrder if self.model.descends else Qt.SortOrder.AscendingOrder
        self.table.horizontalHeader().setSortIndicator(self.model.column, order)
        if self.model.rows:
            self.table.selectRow(max(self.model.row_of(folder), 0))
            self.table.verticalScrollBar().setValue(place)
        shown, count = len(self.model.rows), len(self.worklist.cases)
        words = tr_count(count, "{count} CASE", "{count} CASES")
        self.heading.setText(words if shown == count else tr("{shown} OF {cases}", shown=shown, cases=words))
        self._show_details()

    def take_focus(self) -> None:
        """Put the keyboard into the filter."""
        self.filter.setFocus()
        self.filter.selectAll()

    def _filter(self, words: str) -> None:
        self.model.words = words
        self.follow()

    def _sort(self, column: int) -> None:
        self.model.choose_column(column)
        self.follow()

    def _type(self, letters: str) -> None:
        self.filter.setFocus()
        self.filter.setText(self.filter.text() + letters)

    def _choose(self) -> None:
        if self.selected is not None:
            self.case_chosen.emit(self.selected)

    def _show_details(self) -> None:
        case = self.selected
        parts = [] if case is None else [case.facts.series, *self.model.notes(case)]
        self.details.setText("   ·   ".join(part for part in parts if part))
