"""Export with the check before it: what the planning system would refuse, and how to fix it with a click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from autocontour.base.findings import Severity
from autocontour.case import Case, CaseStructure, Edit
from autocontour.case.export import LABEL, ExportOptions, check_case, exported_set, fix_problems
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.review import rejection_in_words
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, remedy_of, sentence_of, tr, tr_count
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.site import ExportProblem, Profile, list_profiles, read_profile

FIX_COLUMN = 3
SIGNS = {Severity.BLOCK: later("●  blocked"), Severity.WARN: later("▲  warning"), Severity.INFO: later("note")}
NUMBER = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class ExportRequest:
    """What the dialog was left with."""

    options: ExportOptions
    path: Path
    accepted: frozenset[str]


class ExportDialog(Dialog):
    """Profile, structures, check, and file.

    Attributes
    ----------
    request
        What was asked for; None until the dialog is accepted.
    """

    def __init__(
        self, parent: QWidget, ct: CTVolume, case: Case, profile: str, path: Path, apply: Callable[[Edit], bool]
    ) -> None:
        words = tr("The file is checked, written, read back and compared before it replaces anything.")
        super().__init__(parent, tr("Export structure set"), words, tr("Export"), ct, width=980)
        self._case = case
        self._apply = apply
        self.request: ExportRequest | None = None
        self.profile_box = QComboBox()
        self.profile_box.setAccessibleName(tr("Planning system"))
        for name in list_profiles():
            self.profile_box.addItem(read_profile(name).title, name)
        self.profile_box.setCurrentIndex(max(self.profile_box.findData(profile), 0))
        self.profile_box.currentIndexChanged.connect(self.check)
        self.leave_out = QCheckBox(tr("Only approved structures"))
        self.leave_out.toggled.connect(self._tick)
        self.structures = self._build_structures()
        self.table = _table()
        self.table.cellClicked.connect(self._fix)
        self.fix_all = QPushButton(tr("Fix all fixable problems"))
        self.fix_all.clicked.connect(self._fix_all)
        self.summary = QLabel(wordWrap=True)
        self.sure = QCheckBox(tr("Export anyway"))
        self.sure.toggled.connect(self._allow)
        self.label_edit = QLineEdit(LABEL)
        self.label_edit.setAccessibleName(tr("Structure set label"))
        self.label_edit.setMaximumWidth(220)
        self.label_edit.editingFinished.connect(self.check)
        self.path_edit = QLineEdit(str(path))
        self.path_edit.setAccessibleName(tr("File"))
        self.body.addLayout(
            _row(QLabel(tr("For")), self.profile_box, QLabel(tr("Label")), self.label_edit, self.leave_out)
        )
        middle = QHBoxLayout()
        middle.addWidget(self.structures)
        middle.addWidget(self.table, 1)
        self.body.addLayout(middle)
        self.body.addLayout(_row(self.summary, self.fix_all))
        browse = QPushButton(tr("Browse…"))
        browse.clicked.connect(self._browse)
        self.body.addLayout(_row(QLabel(tr("File")), self.path_edit, browse))
        self.body.addWidget(self.sure)
        self.problems: list[ExportProblem] = []
        self.check()
        self.finish()

    @property
    def profile(self) -> Profile:
        """The profile chosen."""
        return read_profile(str(self.profile_box.currentData()))

    @property
    def path(self) -> Path:
        """Where the file goes."""
        return Path(self.path_edit.text()).expanduser()

    @property
    def structure_set(self) -> StructureSet:
        """What is exported: the structures that are ticked."""
        return exported_set(self._case, self.options)

    @property
    def options(self) -> ExportOptions:
        """How it is exported."""
        return ExportOptions(str(self.profile_box.currentData()), self.label_edit.text().strip(), self.numbers)

    @property
    def accepted_codes(self) -> frozenset[str]:
        """Codes of the warnings the user accepts."""
        codes = (problem.finding.code for problem in self.problems)
        return frozenset(codes) if self.sure.isChecked() else frozenset()

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the structures that are ticked."""
        rows = (self.structures.item(row) for row in range(self.structures.count()))
        return frozenset(row.data(NUMBER) for row in rows if row.checkState() is Qt.CheckState.Checked)

    def accept(self) -> None:
        """Keep what is asked for: the fields are gone once the dialog is closed."""
        self.request = ExportRequest(self.options, self.path, self.accepted_codes)
        super().accept()

    def _build_structures(self) -> QListWidget:
        found = QListWidget()
        found.setAccessibleName(tr("Structures to export"))
        found.setFixedWidth(230)
        for item in self._case.state.items:
            row = QListWidgetItem(item.structure.name, found)
            row.setData(NUMBER, item.structure.number)
            row.setCheckState(Qt.CheckState.Unchecked if item.is_rejected else Qt.CheckState.Checked)
            row.setToolTip(_review_in_words(item))
            if item.is_rejected:
                row.setText(_named(item))
                row.setForeground(QColor(theme.current.bad))
            elif not item.is_approved:
                row.setForeground(QColor(theme.current.muted))
        found.itemChanged.connect(self._follow_ticks)
        return found

    def _tick(self) -> None:
        """Tick every structure that is not rejected, or only those that are approved."""
        items = self._case.state.items
        approved = {i.structure.number for i in items if i.is_approved}
        rejected = {i.structure.number for i in items if i.is_rejected}
        self.structures.blockSignals(True)
        for row in range(self.structures.count()):
            item = self.structures.item(row)
            number = item.data(NUMBER)
            on = number in approved if self.leave_out.isChecked() else number not in rejected
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        self.structures.blockSignals(False)
        self.check()

    def _follow_ticks(self) -> None:
        unapproved = {i.structure.number for i in self._case.state.items if not i.is_approved}
        self.leave_out.blockSignals(True)
        self.leave_out.setChecked(bool(unapproved) and not unapproved & self.numbers)
        self.leave_out.blockSignals(False)
        self.check()

    def check(self) -> None:
        """List the problems of the export."""
        self.problems = check_case(self._case, self.options)
        self.table.setRowCount(len(self.problems))
        for row, problem in enumerate(self.problems):
            self._show(row, problem)
        self.table.resizeRowsToContents()
        refused = sum(o.finding.severity is Severity.BLOCK for o in self.problems)
        asked = len(self.problems) - refused
        self.summary.setText(_summary(len(self.structure_set.structures), refused, asked))
        self.fix_all.setVisible(any(o.fix for o in self.problems))
        self.sure.setVisible(asked > 0 and not refused)
        self._allow()

    def _show(self, row: int, problem: ExportProblem) -> None:
        finding = problem.finding
        sign = QTableWidgetItem(tr(SIGNS[finding.severity]))
        blocked = finding.severity is Severity.BLOCK
        sign.setForeground(QColor(theme.current.bad if blocked else theme.current.warn))
        fix = QTableWidgetItem(problem.suggestion or remedy_of(finding))
        if problem.fix:
            fix.setForeground(QColor(theme.current.accent))
        cells = (sign, QTableWidgetItem(sentence_of(finding)), QTableWidgetItem(problem.source), fix)
        for column, cell in enumerate(cells):
            cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
            cell.setToolTip(f"{in_window(finding)}\n{problem.source}")
            self.table.setItem(row, column, cell)

    def _fix(self, row: int, column: int) -> None:
        problem = self.problems[row]
        if column == FIX_COLUMN and problem.fix:
            self._settle([problem], f"Fix {problem.finding.where}")

    def _fix_all(self) -> None:
        self._settle(self.problems, "Fix for export")

    def _settle(self, problems: list[ExportProblem], label: str) -> None:
        """Fix problems: those of structures as one step of undo, that of the label in its field."""
        edit, new_label = fix_problems(problems, label)
        self.label_edit.setText(new_label or self.label_edit.text())
        if edit and self._apply(edit):
            self.structures.blockSignals(True)
            for row in range(self.structures.count()):
                item = self.structures.item(row)
                item.setText(_named(self._case.state[item.data(NUMBER)]))
            self.structures.blockSignals(False)
        self.check()

    def _allow(self) -> None:
        refused = any(o.finding.severity is Severity.BLOCK for o in self.problems)
        asked = bool(self.problems) and not self.sure.isChecked()
        self.ok.setEnabled(not refused and not asked and bool(self.structure_set.structures))

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, tr("Export"), str(self.path), "RTSTRUCT (*.dcm)")
        if path:
            self.path_edit.setText(path)


def _named(item: CaseStructure) -> str:
    """Return the name of a structure, and that it is rejected."""
    return f"{item.structure.name}   ·   {tr('rejected')}" if item.is_rejected else item.structure.name


def _review_in_words(item: CaseStructure) -> str:
    if item.is_rejected:
        return rejection_in_words(item)
    return tr("approved") if item.is_approved else tr("not approved")


def _table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setHorizontalHeaderLabels(["", tr("Problem"), tr("Why"), tr("Fix")])
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.verticalHeader().setMinimumSectionSize(40)
    table.setWordWrap(True)
    table.setMinimumHeight(230)
    table.setAccessibleName(tr("Export problems"))
    header = table.horizontalHeader()
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
    header.resizeSection(0, 96)
    header.resizeSection(3, 190)
    return table


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        stretch = isinstance(widget, QLineEdit) or (isinstance(widget, QLabel) and widget.wordWrap())
        row.addWidget(widget, 1 if stretch else 0)
    if not any(isinstance(w, QLineEdit) for w in widgets):
        row.addStretch()
    return row


def _summary(count: int, errors: int, warnings: int) -> str:
    structures = tr_count(count, "{count} structure", "{count} structures")
    if errors:
        blocked = tr_count(errors, "{count} error must be fixed first", "{count} errors must be fixed first")
        return tr("{structures}: {problems}.", structures=structures, problems=blocked)
    if warnings:
        asked = tr_count(warnings, "no errors, {count} warning", "no errors, {count} warnings")
        return tr("{structures}: {problems}.", structures=structures, problems=asked)
    return tr("{structures}: no problems.", structures=structures)
