"""Approving a structure, with the patient in sight."""

from __future__ import annotations

from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget

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


def _told(unseen: Places) -> str:
    """Return which places that a finding points at nobody has looked at."""
    named = [f"{place[0] + 1}" if len(place) == 1 else f"{place[0] + 1}–{place[-1] + 1}" for place in unseen]
    return tr_count(
        sum(map(len, unseen)),
        "You have not looked at slice {places} yet, where a finding points (N goes there).",
        "You have not looked at slices {places} yet, where a finding points (N goes there).",
        places=", ".join(named),
    )
