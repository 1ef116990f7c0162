"""Ruler: how far it is from here to there."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QPainter

from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen

COLOR = QColor(255, 221, 87)


class Ruler(Tool):
    """Measures a distance in mm; the last one stays until the next."""

    identity = "ruler"
    name = later("Ruler")
    tip = later("Measure a distance")
    keys = "R"
    icon = '<path d="M3 16L16 3l5 5L8 21z"/><path d="M7 12l2 2M10 9l3 3M13 6l2 2"/>'
    cursor = Qt.CursorShape.CrossCursor
    draws = False
    _ends: tuple[Point2, Point2] | None = None

    @property
    def length_mm(self) -> float:
        """The distance last measured."""
        return math.dist(*self._ends) if self._ends else 0.0

    def begin(self, pointer: Pointer) -> None:
        """Set one end."""
        self._ends = (pointer.at, pointer.at)

    def drag(self, pointer: Pointer) -> None:
        """Move the other end."""
        if self._ends:
            self._ends = (self._ends[0], pointer.at)

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show the distance."""
        if self._ends is None:
            return
        a, b = QPointF(*self._ends[0]), QPointF(*self._ends[1])
        for pen in (cosmetic_pen(QColor(0, 0, 0, 160), 3.4), cosmetic_pen(COLOR, 1.6)):
            painter.setPen(pen)
            painter.drawLine(a, b)
        for end in (a, b):
            painter.drawEllipse(end, 3 * pointer.pixel_mm, 3 * pointer.pixel_mm)
        at = painter.transform().map(b)
        painter.save()
        painter.resetTransform()
        font = QFont(painter.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(COLOR)
        painter.drawText(at + QPointF(10, -8), f"{self.length_mm:.1f} mm")
        painter.restore()
