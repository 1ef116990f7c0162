"""Whose scan this is: always in sight, and repeated where it counts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from autocontour.gui.look.language import later, tr
from autocontour.patient.identity import PatientFacts
from autocontour.patient.volume import CTVolume

POSITIONS = {
    "HFS": later("head first, supine"),
    "HFP": later("head first, prone"),
    "HFDL": later("head first, on the left side"),
    "HFDR": later("head first, on the right side"),
    "FFS": later("feet first, supine"),
    "FFP": later("feet first, prone"),
    "FFDL": later("feet first, on the left side"),
    "FFDR": later("feet first, on the right side"),
}
"""Patient Position (PS3.3 C.7.3.1.1.2) in words."""


NARROW_PX = 1200


def facts_line(facts: PatientFacts) -> str:
    """Return all facts in one line."""
    shown = [shown_name(facts)]
    for label, value in (
        ("ID", facts.patient_id),
        (tr("born"), facts.birth_date),
        ("CT", facts.scan_date),
        (tr("series"), facts.series),
        (tr("position"), facts.position),
    ):
        if value:
            shown.append(f"{label} {value}")
    return "   ·   ".join(shown)


def shown_name(facts: PatientFacts) -> str:
    """Return the patient's name, or what stands for it."""
    return facts.name or (tr("No name") if facts.is_patient else tr("Research volume, no patient"))


class Banner(QFrame):
    """The patient's facts across the top of a window or dialog."""

    clear_asked = Signal()
    """The chosen range of slices is to be cleared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 7, 16, 7)
        row.setSpacing(18)
        self._name = QLabel(tr("No patient open"))
        self._name.setObjectName("patient")
        self._name.setTextFormat(Qt.TextFormat.PlainText)
        self._facts = QLabel()
        self._facts.setObjectName("fact")
        self._facts.setTextFormat(Qt.TextFormat.PlainText)
        self._facts.setWordWrap(True)
        self._note = QLabel()
        self._note.setObjectName("fact")
        row.addWidget(self._name)
        row.addWidget(self._facts, 1)
        self._range_words = ("", "")
        self.range = QToolButton()
        self.range.clicked.connect(self.clear_asked)
        self.range.setStyleSheet("padding: 0 6px; border: none")  # no higher than the facts: the views must not move
        self.range.setMaximumHeight(self.range.fontMetrics().height() + 2)
        self.range.hide()
        row.addWidget(self.range)
        row.addWidget(self._note)
        self.setAccessibleName(tr("Patient"))

    def show_ct(self, ct: CTVolume | None) -> None:
        """Show the facts of `ct`."""
        facts = PatientFacts.of(ct) if ct else PatientFacts(name=tr("No patient open"))
        self._name.setText(shown_name(facts))
        position = f"{facts.position}  {tr(POSITIONS.get(facts.position, ''))}".strip()
        parts = [
            *(("ID", facts.patient_id), (tr("born"), facts.birth_date), ("CT", facts.scan_date)),
            *(("", facts.series), ("", position)),
        ]
        self._facts.setText("     ".join(f"{label} {value}".strip() for label, value in parts if value))
        self.setAccessibleDescription(facts_line(facts))

    def note(self, words: str) -> None:
        """Say something at the right end, such as that everything is saved."""
        self._note.setText(words)

    def show_range(self, words: str, short: str) -> None:
        """Show the chosen range of slices, in short where there is little room; nothing for none. A click clears it."""
        self._range_words = (words, short)
        self.range.setAccessibleName(words)
        self.range.setToolTip(f"{words}\n" + tr("Clear the range of slices") + "  (Ctrl+Shift+A)")
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width of the window."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Show the range in place of the note where both would make the banner higher, which would move the views."""
        words, short = self._range_words
        is_narrow = self.width() < NARROW_PX
        self.range.setText(f"{short if is_narrow else words}   ×")
        self.range.setVisible(bool(words))
        self._note.setVisible(not (is_narrow and words))
