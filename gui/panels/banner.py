"""Whose scan this is: always in sight, and repeated where it counts."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from autocontour.gui.look.language import tr
from autocontour.patient.volume import CTVolume


@dataclass(frozen=True)
class PatientFacts:
    """What tells one patient's scan from another's, as the DICOM header has it."""

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    scan_date: str = ""
    series: str = ""

    @classmethod
    def of(cls, ct: CTVolume) -> PatientFacts:
        """Read the facts from the header of `ct`; a research volume has none."""
        if ct.reference is None:
            return cls(name=tr("Research volume, no patient"))
        header = ct.reference.header

        def said(keyword: str) -> str:
            return str(header.get(keyword, "") or "")

        date = said("SeriesDate") or said("AcquisitionDate") or said("StudyDate")
        series = " ".join(part for part in (said("SeriesNumber"), said("SeriesDescription")) if part)
        # PS3.5 6.2.1.1: components of a person's name are parted by carets.
        name = said("PatientName").replace("^", " ").strip()
        return cls(name or tr("No name"), said("PatientID"), iso_date(said("PatientBirthDate")), iso_date(date), series)

    def line(self) -> str:
        """Return all of it in one line."""
        facts = [self.name]
        for label, value in (
            ("ID", self.patient_id),
            (tr("born"), self.birth_date),
            ("CT", self.scan_date),
            (tr("series"), self.series),
        ):
            if value:
                facts.append(f"{label} {value}")
        return "   ·   ".join(facts)


class Banner(QFrame):
    """The patient's facts across the top of a window or dialog."""

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
        self._note = QLabel()
        self._note.setObjectName("fact")
        row.addWidget(self._name)
        row.addWidget(self._facts)
        row.addStretch()
        row.addWidget(self._note)
        self.setAccessibleName(tr("Patient"))

    def show_ct(self, ct: CTVolume | None) -> None:
        """Show the facts of `ct`."""
        facts = PatientFacts.of(ct) if ct else PatientFacts(name=tr("No patient open"))
        self._name.setText(facts.name)
        parts = [("ID", facts.patient_id), (tr("born"), facts.birth_date), ("CT", facts.scan_date), ("", facts.series)]
        self._facts.setText("     ".join(f"{label} {value}".strip() for label, value in parts if value))
        self.setAccessibleDescription(facts.line())

    def note(self, words: str) -> None:
        """Say something at the right end, such as that everything is saved."""
        self._note.setText(words)


def iso_date(dicom_date: str) -> str:
    """Return YYYYMMDD as YYYY-MM-DD, anything else as it is."""
    whole = len(dicom_date) == 8 and dicom_date.isdigit()
    return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}" if whole else dicom_date
