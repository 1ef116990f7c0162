"""The page of results: box plots, patients, slice profile, the report's tables, and control charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.gui.qa_room.box_chart import BoxChart, value_text
from autocontour.gui.qa_room.control_chart import LABELS, ControlChart
from autocontour.gui.qa_room.profile_chart import ProfileChart
from autocontour.gui.qa_room.table_words import CELLS
from autocontour.qa.commissioning.study.results import Box, Result, StudyResults
from autocontour.report.page import Table

METRICS = {
    "dsc": later("DSC"),
    "surface_dsc": later("Surface DSC"),
    "hd95_mm": later("HD95, mm"),
    "hausdorff_mm": later("HD, mm"),
    "mean_surface_distance_mm": later("Mean surface distance, mm"),
    "added_path_length_mm": later("Added path length, mm"),
    "volume_difference_cc": later("Volume difference, cm³"),
    "centroid_distance_mm": later("Distance of centroids, mm"),
}
HEAD_CHARACTERS = 10
"""In a line of a column's head, so that all columns fit beside the box plots."""
COLUMNS = ("dsc", "surface_dsc", "hd95_mm", "added_path_length_mm", "volume_difference_cc")
STATUSES = {
    "alarm": later("alarm"),
    "signal": later("signal"),
    "collecting": later("baseline incomplete"),
    "stable": later("stable"),
}


class QaRoomPage(QFrame):
    """Results of a study, or of routine QA.

    Signals
    -------
    opened
        A result and its slice are to be shown in the viewer.
    folder_asked
        Another folder is wanted.
    left
        She wants back to the views.
    """

    opened = Signal(object, object)
    folder_asked = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        self.setAccessibleName(tr("QA room"))
        self.results: StudyResults | None = None
        self.boxes: list[Box] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 10)
        column.setSpacing(8)
        column.addLayout(self._build_top())
        self.note = QLabel(wordWrap=True)
        self.note.setObjectName("warning")
        self.note.hide()
        column.addWidget(self.note)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        column.addWidget(self.tabs, 1)
        self.study, self.tables, self.routine = self._build_study(), TablesPage(), RoutinePage()
        self.structure_box.currentIndexChanged.connect(lambda _: self._show_boxes())
        self.metric_box.currentIndexChanged.connect(lambda _: self._show_boxes())

    def _build_top(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.title = QLabel(tr("QA room"))
        self.title.setObjectName("title")
        self.title.setStyleSheet("font-size: 19px;")
        self.about = QLabel()
        self.about.setObjectName("muted")
        self.structure_box, self.metric_box = QComboBox(), QComboBox()
        self.structure_box.setAccessibleName(tr("Structure"))
        self.metric_box.setAccessibleName(tr("Metric"))
        for name, words in METRICS.items():
            self.metric_box.addItem(tr(words), name)
        self.choose = QPushButton(tr("Open results…"))
        self.choose.clicked.connect(self.folder_asked)
        self.back = QPushButton(tr("Back to the views") + "   Esc")
        self.back.clicked.connect(self.left)
        left: tuple[QWidget, ...] = (self.title, self.about)
        right: tuple[QWidget, ...] = (self.structure_box, self.metric_box, self.choose, self.back)
        for widget in left:
            row.addWidget(widget)
        row.addStretch()
        for widget in right:
            row.addWidget(widget)
        return row

    def _build_study(self) -> QSplitter:
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(3)
        self.chart = BoxChart()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidget(self.chart)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.cases = CaseTable()
        self.profile = ProfileChart()
        side = QSplitter(Qt.Orientation.Vertical)
        side.setHandleWidth(3)
        side.addWidget(self.cases)
        side.addWidget(self.profile)
        side.setSizes([360, 260])
        splitter.addWidget(area)
        splitter.addWidget(side)
        splitter.setSizes([720, 560])
        self.chart.chosen.connect(self._follow_chart)
        self.chart.opened.connect(lambda result: self.opened.emit(result, result.worst_slice))
        self.cases.chosen.connect(self._follow_table)
        self.cases.opened.connect(lambda result: self.opened.emit(result, result.worst_slice))
        self.profile.opened.connect(self._open_slice)
        return splitter

    # What is shown ----------------------------------------------------------------------------------------------------

    def show_study(self, results: StudyResults, folder: Path) -> None:
        """Show the results of a study."""
        self.results = results
        self._show_tabs(((self.study, tr("Results")), (self.tables, tr("Tables"))))
        count = len(results.records)
        self._state(folder, tr_count(count, "{count} patient", "{count} patients"), results.content)
        missing = tr_count(
            len(results.missing),
            "The record of {count} patient of the report is missing or of another run; it is not shown.",
            "The records of {count} patients of the report are missing or of another run; they are not shown.",
        )
        self._note(missing if results.missing else "")
        self.structure_box.show()
        self.metric_box.show()
        self.structure_box.blockSignals(True)
        self.structure_box.clear()
        self.structure_box.addItem(tr("All structures"), "")
        for name in results.structures:
            self.structure_box.addItem(name, name)
        self.structure_box.blockSignals(False)
        self.tables.show_tables(results.tables)
        self.chart.row, self.chart.result = 0, None
        self._show_boxes()
        self.focus_first()

    def show_routine(self, content: dict[str, Any], folder: Path) -> None:
        """Show the control charts of routine QA."""
        self.results = None
        self._show_tabs(((self.routine, tr("Routine QA")),))
        self.structure_box.hide()
        self.metric_box.hide()
        self._note("")
        last = content.get("last") or "–"
        words = tr_count(content["observations"], "{count} contour up to {last}", "{count} contours up to {last}",
                         last=last)  # fmt: skip
        self._state(folder, words, content)
        self.routine.show_charts(content["structures"])
        self.focus_first()

    def show_times(self, content: dict[str, Any], folder: Path) -> None:
        """Show the tables of a time study."""
        from autocontour.qa.commissioning.routine.page import times_tables

        self._show_only_tables(times_tables(content), tr("Time study"))
        count = sum(sum(one["counts"].values()) for one in content["structures"])
        words = tr_count(count, "minutes of {count} approved structure; pauses count {idle} seconds at most",
                         "minutes of {count} approved structures; pauses count {idle} seconds at most",
                         idle=f"{content['idle_seconds']:g}")  # fmt: skip
        self._state(folder, words, content)

    def show_review(self, content: dict[str, Any], folder: Path) -> None:
        """Show the tables of a blind review."""
        from autocontour.qa.commissioning.blind.report import review_tables

        self._show_only_tables(review_tables(content), tr("Blind review"))
        items, people = sum(content["items"].values()), len(content["reviewers"])
        contours = tr_count(items, "{count} contour", "{count} contours")
        reviewers = tr_count(people, "{count} reviewer", "{count} reviewers")
        self._state(folder, f"{contours}, {reviewers}", content)

    def _state(self, folder: Path, words: str, content: dict[str, Any]) -> None:
        """State what is shown, with the version of the program that wrote it."""
        program = [f"autocontour {content['program']}"] if "program" in content else []
        self.about.setText("   ".join([folder.name, words, *program]))

    def _show_only_tables(self, tables: list[Table], title: str) -> None:
        self.results = None
        self._show_tabs(((self.tables, title),))
        self.structure_box.hide()
        self.metric_box.hide()
        self._note("")
        self.tables.show_tables(tables)

    def focus_first(self) -> None:
        """Give the keys to what is shown."""
        if self.results is not None:
            self.chart.setFocus()
        else:
            (self.routine if self.tabs.currentWidget() is self.routine else self.tables).list.setFocus()

    def _show_tabs(self, pages: Sequence[tuple[QWidget, str]]) -> None:
        self.tabs.clear()
        for page, title in pages:
            self.tabs.addTab(page, title)

    def _note(self, words: str) -> None:
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _show_boxes(self) -> None:
        results = self.results
        if results is None:
            return
        metric, wanted = str(self.metric_box.currentData()), str(self.structure_box.currentData() or "")
        pairs = [pair for pair in results.pairs if wanted in ("", pair[0])]
        self.boxes = [results.box(*pair, metric) for pair in pairs]
        before = self.chart.result
        self.chart.row, self.chart.result = 0, None
        self.chart.show_boxes(self.boxes, metric, results.methods)
        row = next((n for n, pair in enumerate(pairs) if before and pair == (before.structure, before.method)), 0)
        if self.boxes:
            mine = self.boxes[row].results
            self.chart.select(row, next((one for one in mine if before and one.patient == before.patient),
                                        next(iter(mine), None)))  # fmt: skip
        else:
            self.cases.show_results((), metric, frozenset())
            self.profile.show_slices((), None, "")

    def _follow_chart(self, result: Result) -> None:
        box = self.boxes[self.chart.row]
        self.cases.show_results(box.results, self.chart.metric_name, box.outliers, result)
        self._show_profile(result)

    def _follow_table(self, result: Result) -> None:
        self.chart.result = result
        self.chart.update()
        self._show_profile(result)

    def _show_profile(self, result: Result) -> None:
        self.profile.show_slices(result.slices, result.worst_slice, result.method)

    def _open_slice(self, index: int) -> None:
        if self.chart.result is not None:
            self.opened.emit(self.chart.result, index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go back with Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class CaseTable(QTableWidget):
    """The patients of one box, the worst first.

    Signals
    -------
    chosen, opened
        A result was chosen, or is to be shown in the viewer.
    """

    chosen = Signal(object)
    opened = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, 1 + len(COLUMNS))
        self.results: tuple[Result, ...] = ()
        self._metric_name = ""
        heads = (tr("Patient"), *(tr(METRICS[metric]) for metric in COLUMNS))
        self.setHorizontalHeaderLabels([fill(head, HEAD_CHARACTERS, break_long_words=False) for head in heads])
        self.setAccessibleName(tr("Patients, the worst first"))
        _dress(self)
        self.currentCellChanged.connect(lambda row, *_: self._choose(row))
        self.doubleClicked.connect(lambda index: self.opened.emit(self.results[index.row()]))

    def show_results(
        self, results: tuple[Result, ...], metric: str, outliers: frozenset[str], chosen: Result | None = None
    ) -> None:
        """Show results, those beyond the whiskers in another colour."""
        self.blockSignals(True)
        if (results, metric) != (self.results, self._metric_name):
            self.results, self._metric_name = results, metric
            self.setRowCount(len(results))
            for row, one in enumerate(results):
                name = f"{one.patient}   {tr('not drawn')}" if one.is_missing else one.patient
                cells = [name, *(value_text(one.values[column]) for column in COLUMNS)]
                for number, text in enumerate(cells):
                    item = QTableWidgetItem(text)
                    if one.patient in outliers:
                        item.setForeground(QColor(theme.current.bad))
                    self.setItem(row, number, item)
            self.resizeColumnsToContents()
        if chosen in results:
            self.setCurrentCell(results.index(chosen), 0)
        self.blockSignals(False)

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self.results):
            self.chosen.emit(self.results[row])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the patient with Return."""
        row = self.currentRow()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and 0 <= row < len(self.results):
            self.opened.emit(self.results[row])
        else:
            super().keyPressEvent(event)


class TablesPage(QSplitter):
    """The tables of a report, one at a time."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(3)
        self._tables: list[Table] = []
        self.list, self.table = QListWidget(), QTableWidget()
        self.list.setAccessibleName(tr("Tables"))
        self.list.setWordWrap(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        _dress(self.table)
        self.addWidget(self.list)
        self.addWidget(self.table)
        self.setSizes([320, 900])
        self.list.currentRowChanged.connect(self._show)

    def show_tables(self, tables: list[Table]) -> None:
        """Show the tables of a report."""
        self._tables = tables
        self.list.clear()
        self.list.addItems([tr(table.title) for table in tables])
        self.list.setCurrentRow(0)

    def _show(self, number: int) -> None:
        if not 0 <= number < len(self._tables):
            return
        table = self._tables[number]
        self.table.setAccessibleName(tr(table.title))
        self.table.setColumnCount(len(table.heads))
        self.table.setRowCount(len(table.rows))
        self.table.setHorizontalHeaderLabels([tr(head) for head in table.heads])
        for row, cells in enumerate(table.rows):
            for column, text in enumerate(cells.cells):
                self.table.setItem(row, column, QTableWidgetItem(tr(text) if text in CELLS else text))
        self.table.resizeColumnsToContents()


class RoutinePage(QSplitter):
    """Control charts, one structure at a time."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(3)
        self._charts: list[dict[str, Any]] = []
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Structures"))
        self.words = QLabel(wordWrap=True)
        self.charts = [ControlChart(metric) for metric in LABELS]
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(10, 6, 6, 6)
        column.addWidget(self.words)
        for chart in self.charts:
            column.addWidget(chart, 1)
        self.addWidget(self.list)
        self.addWidget(side)
        self.setSizes([260, 900])
        self.list.currentRowChanged.connect(self._show)

    def show_charts(self, charts: list[dict[str, Any]]) -> None:
        """Show the charts of routine QA, alarms first."""
        order = list(STATUSES)
        self._charts = sorted(charts, key=lambda one: (order.index(one["status"]), one["structure"]))
        self.list.clear()
        self.list.addItems([f"{one['structure']}   {tr(STATUSES[one['status']])}" for one in self._charts])
        for row, one in enumerate(self._charts):
            if one["status"] == order[0]:
                self.list.item(row).setForeground(QColor(theme.current.bad))
        self.list.setCurrentRow(0)

    def _show(self, number: int) -> None:
        if not 0 <= number < len(self._charts):
            return
        chart = self._charts[number]
        first = chart["baseline"]
        self.words.setText(
            tr("{name}: {status}; baseline {n} of {wanted} contours; alarms {alarms}, changes of package {changes}, "
               "signals {signals}.", name=chart["structure"], status=tr(STATUSES[chart["status"]]), n=first["n"],
               wanted=first["wanted"], alarms=len(chart["alarms"]), changes=len(chart["changes"]),
               signals=len(chart["signals"]))
        )  # fmt: skip
        for one in self.charts:
            one.show_chart(chart)


def _dress(table: QTableWidget) -> None:
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(28)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
