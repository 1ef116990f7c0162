"""Export with the check before it: what the planning system would refuse, and the mend at a click."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from autocontour.base.findings import Severity
from autocontour.case import Case, Edit
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.site import WHOLE_SET, Objection, Profile, check_export, list_profiles, read_profile

LABEL = "AUTOCONTOUR"
MEND_COLUMN = 3
SIGNS = {Severity.BLOCK: later("●  refused"), Severity.WARN: later("▲  ask"), Severity.INFO: later("note")}


class ExportDialog(Dialog):
    """Profile, check, and file."""

    def __init__(
        self, parent: QWidget, ct: CTVolume, case: Case, profile: str, path: Path, apply: Callable[[Edit], bool]
    ) -> None:
        words = tr("The file is checked, written, read back and compared before it takes its name.")
        super().__init__(parent, tr("Export structure set"), words, tr("Export"), ct, width=860)
        self._case = case
        self._apply = apply
        self.profile_box = QComboBox()
        self.profile_box.setAccessibleName(tr("Planning system"))
        for name in list_profiles():
            self.profile_box.addItem(read_profile(name).title, name)
        self.profile_box.setCurrentIndex(max(self.profile_box.findData(profile), 0))
        self.profile_box.currentIndexChanged.connect(self.check)
        self.leave_out = QCheckBox(tr("Leave out what is not approved"))
        self.leave_out.toggled.connect(self.check)
        self.table = _table()
        self.table.cellClicked.connect(self._mend)
        self.mend_all = QPushButton(tr("Mend all that can be mended"))
        self.mend_all.clicked.connect(self._mend_all)
        self.summary = QLabel(wordWrap=True)
        self.sure = QCheckBox(tr("Export although there are questions"))
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
        self.body.addWidget(self.table)
        self.body.addLayout(_row(self.summary, self.mend_all))
        browse = QPushButton(tr("Browse…"))
        browse.clicked.connect(self._browse)
        self.body.addLayout(_row(QLabel(tr("File")), self.path_edit, browse))
        self.body.addWidget(self.sure)
        self.objections: list[Objection] = []
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
        """What is exported."""
        items = self._case.state.items
        chosen = [i.structure for i in items if i.is_approved or not self.leave_out.isChecked()]
        return self._case.to_structure_set(
            self.label_edit.text().strip(), frozenset(structure.number for structure in chosen)
        )

    def check(self) -> None:
        """List what stands against the export."""
        self.objections = check_export(self.structure_set, self.profile)
        self.table.setRowCount(len(self.objections))
        for row, objection in enumerate(self.objections):
            self._show(row, objection)
        self.table.resizeRowsToContents()
        refused = sum(o.finding.severity is Severity.BLOCK for o in self.objections)
        asked = len(self.objections) - refused
        self.summary.setText(_told(len(self.structure_set.structures), refused, asked))
        self.mend_all.setVisible(any(o.mend for o in self.objections))
        self.sure.setVisible(asked > 0 and not refused)
        self._allow()

    def _show(self, row: int, objection: Objection) -> None:
        finding = objection.finding
        sign = QTableWidgetItem(tr(SIGNS[finding.severity]))
        blocked = finding.severity is Severity.BLOCK
        sign.setForeground(QColor(theme.current.bad if blocked else theme.current.warn))
        mend = QTableWidgetItem(finding.remedy)
        if objection.mend:
            mend.setForeground(QColor(theme.current.accent))
        cells = (sign, QTableWidgetItem(finding.message), QTableWidgetItem(objection.source), mend)
        for column, cell in enumerate(cells):
            cell.setFlags(Qt.ItemFlag.ItemIsEnabled)
            cell.setToolTip(f"{finding.message} {finding.remedy}\n{objection.source}")
            self.table.setItem(row, column, cell)

    def _mend(self, row: int, column: int) -> None:
        objection = self.objections[row]
        if column == MEND_COLUMN and objection.mend:
            self._settle([objection], f"Mend {objection.finding.where}")

    def _mend_all(self) -> None:
        self._settle(self.objections, "Mend for export")

    def _settle(self, objections: list[Objection], label: str) -> None:
        """Carry out mends: those of structures as one step of undo, that of the label in its field."""
        fields: dict[int, dict[str, Any]] = {}
        for objection in objections:
            if objection.mend:
                fields.setdefault(objection.number, {}).update(objection.mend)
        for_set = fields.pop(WHOLE_SET, {})
        self.label_edit.setText(str(for_set.get("label", self.label_edit.text())))
        if fields:
            self._apply(Edit(label, fields=fields))
        self.check()

    def _allow(self) -> None:
        refused = any(o.finding.severity is Severity.BLOCK for o in self.objections)
        asked = bool(self.objections) and not self.sure.isChecked()
        self.ok.setEnabled(not refused and not asked and bool(self.structure_set.structures))

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, tr("Export"), str(self.path), "RTSTRUCT (*.dcm)")
        if path:
            self.path_edit.setText(path)


def _table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setHorizontalHeaderLabels(["", tr("What"), tr("Why"), tr("Mend")])
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.verticalHeader().setMinimumSectionSize(40)
    table.setWordWrap(True)
    table.setMinimumHeight(230)
    table.setAccessibleName(tr("What stands against the export"))
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


def _told(count: int, refused: int, asked: int) -> str:
    structures = tr_count(count, "{count} structure", "{count} structures")
    if refused:
        return tr(
            "{structures}; {refused} would be refused there and must be mended first.",
            structures=structures,
            refused=refused,
        )
    if asked:
        return tr("{structures}; nothing would be refused, {asked} to think about.", structures=structures, asked=asked)
    return tr("{structures}; nothing stands against the export.", structures=structures)
