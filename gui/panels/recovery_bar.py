"""The strip that shows what was recovered after the program had been killed, with a button to undo it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy

from autocontour.gui.look.language import in_window, tr, tr_count
from autocontour.gui.look.phrases import step_in_words
from autocontour.gui.state.workspace import Workspace

NAMED = 4


class RecoveryBar(QFrame):
    """Shown over the views after a case was recovered or repaired; hidden by the next change."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.workspace = workspace
        self._sequence = 0
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(14)
        self.words = QLabel(wordWrap=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.keep = QPushButton(tr("Keep"))
        self.keep.setToolTip(tr("Continue with the recovered changes"))
        self.take_back = QPushButton(tr("Revert them"))
        self.take_back.setToolTip(tr("Restore the structures as they were before; Ctrl+Z restores the changes"))
        self.keep.clicked.connect(self.hide)
        self.take_back.clicked.connect(self._take_back)
        row.addWidget(self.words, 1)
        row.addWidget(self.keep)
        row.addWidget(self.take_back)
        workspace.ct_changed.connect(self._follow_case)
        workspace.structures_changed.connect(self._follow_changes)
        self.hide()

    def _follow_case(self) -> None:
        case = self.workspace.case
        self.hide()
        if case is None or not (case.recovered or case.findings):
            return
        self._sequence = case.sequence
        damage = [in_window(finding) for finding in case.findings]
        self.words.setText(" ".join([recovered_in_words(case.recovered), *damage]).strip())
        self.words.setAccessibleName(self.words.text())
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.words, self.words.text()))
        self.words.setToolTip("<br>".join(map(step_in_words, case.recovered)))
        self.take_back.setVisible(bool(case.recovered))
        self.show()

    def _follow_changes(self) -> None:
        case = self.workspace.case
        if case is None or case.sequence != self._sequence:
            self.hide()

    def _take_back(self) -> None:
        self.workspace.take_back_recovered()


def recovered_in_words(steps: Iterable[str]) -> str:
    """Return what was recovered as a sentence, equal steps in a row counted, the last ones named."""
    runs = [(words, len(list(run))) for words, run in groupby(steps)]
    if not runs:
        return ""
    count = sum(number for _, number in runs)
    named = [step_in_words(label) + (f" (×{number})" if number > 1 else "") for label, number in runs[-NAMED:]]
    return tr_count(
        count,
        "{count} change recovered after the program had ended unexpectedly: {steps}.",
        "{count} changes recovered after the program had ended unexpectedly: {steps}.",
        steps=("…, " if len(runs) > NAMED else "") + ", ".join(named),
    )
