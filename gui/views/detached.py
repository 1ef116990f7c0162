"""A view in a window of its own, for a second screen."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRect, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from autocontour.gui.panels.banner import Banner
from autocontour.patient.volume import CTVolume

SIZE = QSize(900, 800)
SEEN_PX = 120
"""So much of a window must lie on a screen, or it is put on the screen of the main window."""


class DetachedView(QWidget):
    """Holds one view, with the patient on top.

    It is a tool window of the main one: every key works in it as there, and it is closed with it.

    Signals
    -------
    closed
        Its view is to go back.
    key_changed
        A key was pressed or released.
    """

    closed = Signal()
    key_changed = Signal(QKeyEvent)

    def __init__(self, parent: QWidget, view: QWidget) -> None:
        kind = Qt.WindowType.Tool | Qt.WindowType.WindowMaximizeButtonHint | Qt.WindowType.WindowCloseButtonHint
        super().__init__(parent, kind)
        self.banner, self.view, self._main = Banner(), view, parent
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(view, 1)
        view.show()

    def show_ct(self, ct: CTVolume | None, title: str) -> None:
        """Show the patient, and the title of the view as that of the window."""
        self.banner.show_ct(ct)
        self.setWindowTitle(f"autocontour — {title}")

    def place(self, geometry: QByteArray) -> None:
        """Put the window where it was, or on the main window's screen if that place is no longer on any screen."""
        self.resize(SIZE)
        if (geometry.isEmpty() or not self.restoreGeometry(geometry)) or not is_on_screen(self.geometry()):
            self.setWindowState(Qt.WindowState.WindowNoState)
            room = self._main.screen().availableGeometry()
            self.resize(SIZE.boundedTo(room.size() * 0.8))
            self.move(room.center() - self.rect().center())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pass on what is held."""
        self.key_changed.emit(event)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Pass on what is still held."""
        self.key_changed.emit(event)
        super().keyReleaseEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Give the view back."""
        event.accept()
        self.closed.emit()


def is_on_screen(window: QRect) -> bool:
    """Whether enough of a window lies on a screen that there is now."""
    parts = (screen.availableGeometry().intersected(window) for screen in QGuiApplication.screens())
    return any(part.width() >= SEEN_PX and part.height() >= SEEN_PX for part in parts)
