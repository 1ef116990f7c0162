"""Every key on one sheet, over the window."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from autocontour.gui.app.actions import all_actions
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr

MOUSE = (
    (later("Wheel"), later("Slices")),
    (later("Ctrl + wheel"), later("Zoom")),
    (later("Shift + wheel"), later("Size of the tool")),
    (later("Right drag"), later("Window and level")),
    (later("Shift + drag"), later("Range, on the slice slider")),
    (later("Middle drag"), later("Pan")),
    (later("Double click"), later("Enlarge a view")),
)
ROW, KEY_GAP, COLUMN_GAP = 25, 14, 16
TITLE_PX, TEXT_PX = 12, 13
SMALLEST_PERCENT = 45
Columns = list[list[tuple[str, list[tuple[str, str]]]]]


class CheatSheet(QWidget):
    """An overlay; any key or click takes it away."""

    def __init__(self, parent: QWidget, presets: list[str]) -> None:
        super().__init__(parent)
        keys = [
            (tr(group), [(_spoken(r.keys.split()[0]), tr(r.text)) for r in rows if r.keys]) for group, rows in _groups()
        ]
        mouse = [(tr(button), tr(words)) for button, words in MOUSE]
        numbers = [(str(number), tr(name)) for number, name in enumerate(presets, 1)]
        self.sections = [*keys, (tr("Mouse"), mouse), (tr("Window presets"), numbers)]
        lines = [line for _, lines in self.sections for line in lines]
        font = QFont(self.font())
        font.setPixelSize(TEXT_PX)
        width = QFontMetrics(font).horizontalAdvance
        self.key_px = max(width(keys) for keys, _ in lines) + KEY_GAP
        self.column_px = self.key_px + max(width(words) for _, words in lines) + COLUMN_GAP
        self.setAccessibleName(tr("Keys"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        parent.installEventFilter(self)
        self.setGeometry(parent.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep covering the window."""
        if event.type() == QEvent.Type.Resize and isinstance(watched, QWidget):
            self.setGeometry(watched.rect())
        return False

    def event(self, event: QEvent) -> bool:
        """Take every key before it becomes a shortcut of the window below."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: ARG002  (any key)
        """Go away."""
        self.deleteLater()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002  (any click)
        """Go away."""
        self.deleteLater()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw the sheet."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(5, 7, 10, 225))
        scale, columns = self._fitted()
        painter.scale(scale, scale)
        left = (self.width() / scale - self.column_px * len(columns) + COLUMN_GAP) / 2
        font = QFont(self.font())
        for number, sections in enumerate(columns):
            y = 46.0
            for title, rows in sections:
                y = self._draw_section(painter, font, left + number * self.column_px, y, title, rows)

    def _fitted(self) -> tuple[float, Columns]:
        """Return the largest scale at which every column is on the window, and the columns."""
        for percent in range(100, SMALLEST_PERCENT, -5):
            scale = percent / 100
            columns = self._columns(self.height() / scale)
            if self.column_px * len(columns) * scale <= self.width():
                break
        return scale, columns

    def _columns(self, height: float) -> Columns:
        room = max(int((height - 80) / ROW), 12)
        columns: Columns = [[]]
        used = 0
        for title, rows in self.sections:
            if used and used + len(rows) + 2 > room:
                columns.append([])
                used = 0
            columns[-1].append((title, rows))
            used += len(rows) + 2
        return columns

    def _draw_section(
        self, painter: QPainter, font: QFont, x: float, y: float, title: str, rows: list[tuple[str, str]]
    ) -> float:
        font.setPixelSize(TITLE_PX)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(theme.DARK.accent))
        painter.drawText(QRectF(x, y, self.column_px, ROW), Qt.AlignmentFlag.AlignVCenter, title.upper())
        font.setBold(False)
        font.setPixelSize(TEXT_PX)
        painter.setFont(font)
        for keys, words in rows:
            y += ROW
            painter.setPen(QColor(255, 214, 130))
            painter.drawText(QRectF(x, y, self.key_px, ROW), Qt.AlignmentFlag.AlignVCenter, keys)
            painter.setPen(QColor(226, 232, 240))
            painter.drawText(
                QRectF(x + self.key_px, y, self.column_px - self.key_px, ROW), Qt.AlignmentFlag.AlignVCenter, words
            )
        return y + 1.8 * ROW


def _groups() -> list[tuple[str, list]]:  # type: ignore[type-arg]  # of action rows
    return [(group, list(rows)) for group, rows in groupby(all_actions(), key=lambda row: row.menu)]


def _spoken(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
