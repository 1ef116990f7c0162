"""The frame of every dialog: the patient on top where it matters, the buttons below."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from autocontour.gui.look.language import tr
from autocontour.gui.panels.banner import Banner
from autocontour.patient.volume import CTVolume

FRAME_PX, TITLE_PX = 6, 34
"""What the window manager draws round a dialog, about."""


class Dialog(QDialog):
    """A question with a title, a sentence and an answer."""

    def __init__(
        self, parent: QWidget | None, title: str, words: str, accept: str, ct: CTVolume | None = None, width: int = 460
    ) -> None:
        super().__init__(parent)
        self.finished.connect(self.deleteLater)
        self.setWindowTitle(title)
        self.setMinimumWidth(width)
        self._area: QScrollArea | None = None
        outer = self._outer = QVBoxLayout(self)
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

    @property
    def room(self) -> QSize:
        """The largest size that the screen has for the dialog."""
        return room_on_screen(self)

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the screen: what does not is scrolled, the patient and the buttons stay in sight."""
        room = self.room
        self.setMinimumSize(self.minimumSize().boundedTo(room))
        needed = self._outer.totalMinimumSize()
        height = max(self._outer.totalHeightForWidth(min(self.width(), room.width())), needed.height())
        if self._area is None and (height > room.height() or needed.width() > room.width()):
            self._scroll()
        # Qt's own height is that of sentences on one line: where they need more, widgets would overlap.
        self.resize(self.size().expandedTo(QSize(0, height)).boundedTo(room))
        super().showEvent(event)

    def _scroll(self) -> None:
        wanted, outer = self.size(), self._outer
        content, self._area = QWidget(), QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self.body.removeWidget(self.buttons)
        outer.removeItem(self.body)
        self.body.setParent(None)
        content.setLayout(self.body)
        self._area.setWidget(content)
        outer.addWidget(self._area)
        foot = QVBoxLayout()
        foot.setContentsMargins(22, 0, 22, 12)
        foot.addWidget(self.buttons)
        outer.addItem(foot)
        self.resize(wanted)


def room_on_screen(window: QWidget) -> QSize:
    """Return the largest size that the screen has for a window with a frame."""
    return window.screen().availableGeometry().size() - QSize(2 * FRAME_PX, TITLE_PX + FRAME_PX)
