"""A sentence over the views that goes away by itself."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QLabel, QWidget

from autocontour.gui.look import theme
from autocontour.gui.look.language import tr

SHOWN_MS, REFUSAL_MS = 3500, 6000


class Toast(QLabel):
    """Shows what happened, or why something was refused; screen readers announce it.

    Parameters
    ----------
    parent
        A plain widget: a stack of pages would show screen readers its pages alone.
    over
        Where it appears.
    """

    def __init__(self, parent: QWidget, over: QWidget) -> None:
        super().__init__(parent)
        self._parent, self._over = parent, over
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setWordWrap(True)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def notify(self, sentence: str, refused: bool) -> None:
        """Show `sentence`, in another colour if something was refused."""
        edge = theme.current.bad if refused else theme.current.accent
        self.setStyleSheet(
            f"background: {theme.current.raised}; color: {theme.current.text}; border: 1px solid {theme.current.line};"
            f"border-left: 4px solid {edge}; border-radius: 7px; padding: 9px 14px;"
        )
        self.setText(sentence)
        self.setAccessibleName(sentence)
        self.setAccessibleDescription(tr("Refusal") if refused else tr("Message"))
        self.setFixedWidth(min(self.fontMetrics().horizontalAdvance(sentence) + 50, 560, self._over.width() - 40))
        self.adjustSize()
        self.move(self._over.mapTo(self._parent, QPoint((self._over.width() - self.width()) // 2, 54)))
        self.show()
        self.raise_()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))
        self._timer.start(REFUSAL_MS if refused else SHOWN_MS)
