"""Approving a structure, with the patient in sight."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QWidget

from autocontour.base.findings import Severity
from autocontour.case import CaseStructure
from autocontour.case.effort import Effort
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, sentence_of, tr, tr_count
from autocontour.patient.structures import ReviewStatus
from autocontour.patient.volume import CTVolume

Places = tuple[range, ...]
REASONS = (
    *(later("Wrong organ or side"), later("Too large"), later("Too small")),
    *(later("Starts or ends on the wrong slice"), later("Slices or parts missing")),
    *(later("Overlaps another structure"), later("Image artefact"), later("Not needed")),
)
"""Usual reasons for rejecting; English, as they are stored."""


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
            self.body.addWidget(QLabel(_summary_of(unseen), wordWrap=True))
        if item.is_rejected:
            note = QLabel(f"✕ {rejection_in_words(item)}", wordWrap=True)
            note.setTextFormat(Qt.TextFormat.PlainText)
            note.setStyleSheet(f"color: {theme.current.bad}")
            self.body.addWidget(note)
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


class RejectDialog(Dialog):
    """Who rejects a structure, and why: one of the usual reasons, or words of their own."""

    def __init__(self, parent: QWidget, ct: CTVolume, item: CaseStructure, details: str, reviewer: str) -> None:
        words = tr("You do not accept {name} in its present state. It is not exported.", name=item.structure.name)
        if item.is_approved:
            words += " " + tr("Its approval ends.")
        super().__init__(parent, tr("Reject {name}", name=item.structure.name), words, tr("Reject"), ct, width=560)
        self.why = QComboBox(editable=True)
        self.why.setAccessibleName(tr("Reason"))
        for reason in REASONS:
            self.why.addItem(tr(reason), reason)
        self.why.setCurrentIndex(-1)
        edit = self.why.lineEdit()
        assert edit is not None  # it is editable
        edit.setPlaceholderText(tr("Choose a reason, or type one (not the patient's name)"))
        self.name = QLineEdit(reviewer, placeholderText=tr("Your name"))
        self.name.setAccessibleName(tr("Your name"))
        self.name.textChanged.connect(self._follow)
        self.why.currentTextChanged.connect(self._follow)
        form = QFormLayout()
        form.addRow(tr("Structure"), QLabel(f"{item.structure.name}   ·   {details}"))
        form.addRow(tr("Reason"), self.why)
        form.addRow(tr("Rejected by"), self.name)
        self.body.addLayout(form)
        self._follow()
        self.finish()
        self.why.setFocus()

    @property
    def reviewer(self) -> str:
        """Who rejects."""
        return self.name.text().strip()

    @property
    def reason(self) -> str:
        """Why; a usual reason in English."""
        words = self.why.currentText().strip()
        return next((reason for reason in REASONS if tr(reason) == words), words)

    def _follow(self) -> None:
        self.ok.setEnabled(bool(self.reviewer and self.reason))


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
    left_out, rejected
        Names of the others that are not approved, and of those that are rejected.
    reviewer
        The name that is entered already.
    """

    def __init__(
        self,
        parent: QWidget,
        ct: CTVolume,
        items: Sequence[tuple[CaseStructure, str]],
        left_out: Sequence[str],
        rejected: Sequence[str],
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
            self._note(tr("Not yet viewed, or with findings not yet viewed: {names}", names=names))
        if rejected:
            self._note(tr("Rejected: {names}", names=", ".join(rejected)))
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

    def untick(self, numbers: Collection[int]) -> None:
        """Untick structures that are better looked at first; they can be ticked again."""
        for row in (self.list.item(k) for k in range(self.list.count())):
            if row.data(Qt.ItemDataRole.UserRole) in numbers:
                row.setCheckState(Qt.CheckState.Unchecked)

    def _note(self, words: str) -> None:
        note = QLabel(words, wordWrap=True)
        note.setObjectName("muted")
        note.setTextFormat(Qt.TextFormat.PlainText)
        self.body.addWidget(note)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the ticked structures."""
        rows = (self.list.item(k) for k in range(self.list.count()))
        return [row.data(Qt.ItemDataRole.UserRole) for row in rows if row.checkState() is Qt.CheckState.Checked]

    def _follow(self) -> None:
        self.ok.setEnabled(bool(self.reviewer and self.numbers))


def rejection_in_words(item: CaseStructure) -> str:
    """Return who rejected a structure, when and why, and whether it was edited since."""
    words = tr(
        "rejected by {name} on {date}: {reason}",
        name=item.rejected_by,
        date=item.rejected_at[:10],
        reason=tr(item.reject_reason),
    )
    is_current = item.structure.status is ReviewStatus.REJECTED
    return words if is_current else f"{words}   ·   " + tr("edited since")


def _summary_of(unseen: Places) -> str:
    """Return which places of findings have not been looked at."""
    named = [f"{place[0] + 1}" if len(place) == 1 else f"{place[0] + 1}–{place[-1] + 1}" for place in unseen]
    return tr_count(
        sum(map(len, unseen)),
        "You have not viewed slice {places}, where a finding points (N goes there).",
        "You have not viewed slices {places}, where a finding points (N goes there).",
        places=", ".join(named),
    )
