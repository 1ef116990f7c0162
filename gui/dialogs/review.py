"""Approving a structure, with the patient in sight."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QWidget

from autocontour.base.findings import Severity
from autocontour.case import CaseStructure
from autocontour.case.effort import Effort
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, sentence_of, tr, tr_count
from autocontour.patient.volume import CTVolume

Places = tuple[range, ...]


class ApprovalDialog(Dialog):
    """Who approves, and what."""

    def __init__(
        self,
        parent: QWidget,
        ct: CTVolume,
        item: CaseStructure,
        details: str,
        effort: Effort,
        unseen: Places,
        reviewer: str,
    ) -> None:
        words = tr(
            "You approve {name} in its present state. It is protected from changes until the approval is withdrawn.",
            name=item.structure.name,
        )
        super().__init__(parent, tr("Approve {name}", name=item.structure.name), words, tr("Approve"), ct, width=560)
        self.ok.setObjectName("good")
        for finding in item.structure.findings:
            note = QLabel(f"▲ {in_window(finding)}", wordWrap=True)
            colors = {Severity.BLOCK: theme.current.bad, Severity.WARN: theme.current.warn}
            note.setStyleSheet(f"color: {colors.get(finding.severity, theme.current.muted)}")
            self.body.addWidget(note)
        if unseen:
            self.body.addWidget(QLabel(_told(unseen), wordWrap=True))
        form = QFormLayout()
        self.name = QLineEdit(reviewer, placeholderText=tr("Your name"))
        self.name.setAccessibleName(tr("Your name"))
        self.name.textChanged.connect(lambda text: self.ok.setEnabled(bool(text.strip())))
        self.ok.setEnabled(bool(reviewer.strip()))
        form.addRow(tr("Structure"), QLabel(f"{item.structure.name}   ·   {details}"))
        form.addRow(tr("Your work"), QLabel(sentence_of(effort.summary())))
        form.addRow(tr("Approved by"), self.name)
        self.body.addLayout(form)
        self.finish()

    @property
    def reviewer(self) -> str:
        """Who approves."""
        return self.name.text().strip()


class SeveralDialog(Dialog):
    """Who approves the structures that were viewed, and which of them.

    Parameters
    ----------
    parent
        The window.
    ct
        The CT, whose patient is shown.
    items
        The structures that can be approved, each with its details.
    left_out
        Names of the others that are not approved.
    reviewer
        The name that is entered already.
    """

    def __init__(
        self,
        parent: QWidget,
        ct: CTVolume,
        items: Sequence[tuple[CaseStructure, str]],
        left_out: Sequence[str],
        reviewer: str,
    ) -> None:
        words = tr(
            "You approve the ticked structures in their present state. They are protected from changes until the "
            "approval is withdrawn."
        )
        super().__init__(parent, tr("Approve viewed structures"), words, tr("Approve"), ct, width=560)
        self.ok.setObjectName("good")
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Structures"))
        for item, details in items:
            doubts = sum(finding.severity >= Severity.WARN for finding in item.structure.findings)
            mark = f"   ·   ▲ {doubts}" if doubts else ""
            row = QListWidgetItem(f"{item.structure.name}   ·   {details}{mark}")
            row.setToolTip("\n".join(in_window(finding) for finding in item.structure.findings))
            row.setData(Qt.ItemDataRole.UserRole, item.structure.number)
            row.setCheckState(Qt.CheckState.Checked)
            self.list.addItem(row)
        self.list.itemChanged.connect(self._follow)
        self.body.addWidget(self.list)
        if left_out:
            names = ", ".join(left_out)
            note = QLabel(tr("Not yet viewed, or with findings not yet viewed: {names}", names=names), wordWrap=True)
            note.setObjectName("muted")
            self.body.addWidget(note)
        self.name = QLineEdit(reviewer, placeholderText=tr("Your name"))
        self.name.setAccessibleName(tr("Your name"))
        self.name.textChanged.connect(self._follow)
        form = QFormLayout()
        form.addRow(tr("Approved by"), self.name)
        self.body.addLayout(form)
        self._follow()
        self.finish()

    @property
    def reviewer(self) -> str:
        """Who approves."""
        return self.name.text().strip()

    @property
    def numbers(self) -> list[int]:
        """Numbers of the ticked structures."""
        rows = (self.list.item(k) for k in range(self.list.count()))
        return [row.data(Qt.ItemDataRole.UserRole) for row in rows if row.checkState() is Qt.CheckState.Checked]

    def _follow(self) -> None:
        self.ok.setEnabled(bool(self.reviewer and self.numbers))


def _told(unseen: Places) -> str:
    """Return which places that a finding points at nobody has looked at."""
    named = [f"{place[0] + 1}" if len(place) == 1 else f"{place[0] + 1}–{place[-1] + 1}" for place in unseen]
    return tr_count(
        sum(map(len, unseen)),
        "You have not viewed slice {places}, where a finding points (N goes there).",
        "You have not viewed slices {places}, where a finding points (N goes there).",
        places=", ".join(named),
    )
