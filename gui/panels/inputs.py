"""A search box and a list that leave the window's keys alone, and keep those they need."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListView

LIST_KEYS = frozenset({
    *(Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End),
})  # fmt: skip
EDITING_LETTERS = frozenset({Qt.Key.Key_A, Qt.Key.Key_C, Qt.Key.Key_V, Qt.Key.Key_X, Qt.Key.Key_Y, Qt.Key.Key_Z})


class SearchBox(QLineEdit):
    """A line of text; Ctrl with a letter belongs to the window, unless it edits the text."""

    def event(self, event: QEvent) -> bool:
        """Give away the keys that a text field would otherwise claim, such as Ctrl+E on Linux."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            is_letter = Qt.Key.Key_A <= event.key() <= Qt.Key.Key_Z
            if event.modifiers() == Qt.KeyboardModifier.ControlModifier and is_letter:
                event.setAccepted(event.key() in EDITING_LETTERS)
                return True
        return super().event(event)


class KeyList(QListView):
    """A list whose arrow keys step through its rows while it has the focus."""

    def event(self, event: QEvent) -> bool:
        """Take the keys that move in a list before they become the window's."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _moves(event):
            event.accept()
            return True
        return super().event(event)


def _moves(event: QKeyEvent) -> bool:
    return event.key() in LIST_KEYS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
