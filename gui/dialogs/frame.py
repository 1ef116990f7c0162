"""The frame of every dialog: the patient on top where it matters, the buttons below."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPushButton, QVBoxLayout, QWidget

from autocontour.gui.look.language import tr
from autocontour.gui.panels.banner import Banner
from autocontour.patient.volume import CTVolume


class Dialog(QDialog):
    """A question with a title, a sentence and an answer."""

    def __init__(
        self, parent: QWidget | None, title: str, words: str, accept: str, ct: CTVolume | None = None, width: int = 460
    ) -> None:
        super().__init__(parent)
        self.finished.connect(self.deleteLater)
        self.setWindowTitle(title)
        self.setMinimumWidth(width)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        if ct is not None:
            banner = Banner()
            banner.show_ct(ct)
            outer.addWidget(banner)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(22, 18, 22, 18)
        self.body.setSpacing(12)
        outer.addLayout(self.body)
        heading = QLabel(title)
        heading.setObjectName("title")
        heading.setStyleSheet("font-size: 19px;")
        self.body.addWidget(heading)
        if words:
            sentence = QLabel(words, wordWrap=True)
            sentence.setObjectName("muted")
            self.body.addWidget(sentence)
        self.buttons = QDialogButtonBox()
        self.ok = self.buttons.addButton(accept, QDialogButtonBox.ButtonRole.AcceptRole)
        self.ok.setDefault(True)
        self.buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def finish(self) -> None:
        """Put the buttons below what was added; Enter is for the answer alone."""
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(button is self.ok)
        self.ok.setDefault(True)
        self.body.addWidget(self.buttons)
