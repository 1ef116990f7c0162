"""Freehand: a line drawn round what to add or cut."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter

from autocontour.edits import difference, enclosed, union
from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen
from autocontour.gui.tools.brush import ERASER_COLOR
from autocontour.gui.views.paths import path_of_points


class Freehand(Tool):
    """Adds what the line goes round; with Alt or Shift held it cuts it away."""

    identity = "freehand"
    name = later("Freehand")
    tip = later("Draw around the area to add; Shift removes it")
    keys = "F"
    icon = '<path d="M4 15C2 8 9 2 13 6s-6 7-2 11 10-1 9-8"/>'
    cursor = Qt.CursorShape.CrossCursor

    def begin(self, pointer: Pointer) -> None:
        """Set the pen down."""
        self._points: list[Point2] = [pointer.at]
        self._cuts = pointer.alternate

    def drag(self, pointer: Pointer) -> None:
        """Draw on, in steps the eye can see."""
        last = self._points[-1]
        if np.hypot(pointer.at[0] - last[0], pointer.at[1] - last[1]) >= pointer.pixel_mm:
            self._points.append(pointer.at)

    def end(self, pointer: Pointer) -> None:  # noqa: ARG002  (the last point is taken)
        """Close the line and add or cut what it goes round."""
        area = enclosed(self._points)
        self.working = difference(self.working, area) if self._cuts else union(self.working, area)

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show the line so far, how it would close, and what it goes round."""
        if not self.busy:
            return
        color = ERASER_COLOR if self._cuts else self.color()
        path = path_of_points(np.array(self._points))
        path.setFillRule(Qt.FillRule.WindingFill)  # loops too, as `enclosed` has it
        inside = QColor(color)
        inside.setAlpha(70)
        painter.fillPath(path, inside)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (cosmetic_pen(QColor(0, 0, 0, 150), 3.6), cosmetic_pen(color, 2.0)):
            painter.setPen(pen)
            painter.drawPath(path)
        painter.setPen(cosmetic_pen(color, 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(*pointer.at), QPointF(*self._points[0]))
