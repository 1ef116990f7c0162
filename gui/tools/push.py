"""Push: a disc moves the outline."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter

from autocontour.edits import pushed
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen


class Push(Tool):
    """Moves the outline along, fully at the centre of the disc, less towards its edge."""

    identity = "push"
    name = later("Push")
    tip = later("Push the outline with a disc")
    keys = "P"
    icon = '<path d="M4 4c8 2 9 6 5 9s-2 6 4 8"/><path d="M21 12h-8M16 9l-3 3 3 3"/>'
    cursor = Qt.CursorShape.BlankCursor
    has_size = True

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as Tool takes them
        self.radius_mm = 15.0

    def begin(self, pointer: Pointer) -> None:
        """Begin to push."""
        self._last = pointer.at

    def drag(self, pointer: Pointer) -> None:
        """Push from the last point to this one."""
        self.working = pushed(self.working, self._last, pointer.at, self.radius_mm)
        self._last = pointer.at

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show the disc and its core."""
        centre = QPointF(*pointer.at)
        painter.setBrush(QColor(255, 255, 255, 14))
        painter.setPen(cosmetic_pen(QColor(0, 0, 0, 140), 2.6))
        painter.drawEllipse(centre, self.radius_mm, self.radius_mm)
        painter.setPen(cosmetic_pen(QColor(240, 240, 240, 220), 1.3, Qt.PenStyle.DashLine))
        painter.drawEllipse(centre, self.radius_mm, self.radius_mm)
        painter.setPen(cosmetic_pen(self.color(), 1.6))
        painter.drawEllipse(centre, self.radius_mm * 0.4, self.radius_mm * 0.4)
