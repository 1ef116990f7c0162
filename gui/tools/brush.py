"""Brush and eraser: a disc swept along the stroke."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter

from autocontour.edits import brushed, erased, swept_disc
from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen
from autocontour.gui.views.planes import Plane

ERASER_COLOR = QColor(255, 110, 110)


class Brush(Tool):
    """Adds to the structure; with Alt or Shift held it takes away."""

    identity = "brush"
    name = later("Brush")
    tip = later("Paint, with a ball in the side views; Shift erases; Shift+wheel or [ ] set the size")
    keys = "B"
    icon = '<path d="M20 3L10 13"/><path d="M9.500 12.500a3.500 3.500 0 013 3c0 3-2.500 5-8.500 5 1.500-1.500 1.500-3 2-5a3.500 3.500 0 013.500-3z"/>'  # noqa: E501
    cursor = Qt.CursorShape.BlankCursor
    has_size = True
    erases = False

    def begin(self, pointer: Pointer) -> None:
        """Dab."""
        self._last: Point2 = pointer.at
        self._takes = self.takes(pointer)
        self._sweep([pointer.at])

    def drag(self, pointer: Pointer) -> None:
        """Sweep from the last point to this one."""
        self._sweep([self._last, pointer.at])
        self._last = pointer.at

    def takes(self, pointer: Pointer) -> bool:
        """Whether a stroke begun now takes away."""
        return self.erases != pointer.alternate

    def beside(self, plane: Plane) -> Tool | None:
        """Return a ball of the same size."""
        from autocontour.gui.tools.ball import Ball  # which is a brush itself

        return Ball(self.workspace, plane, self)

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show the disc, with a plus or a minus at its centre."""
        takes = self._takes if self.busy else self.takes(pointer)
        color = ERASER_COLOR if takes else self.color()
        centre, arm = QPointF(*pointer.at), 4 * pointer.pixel_mm
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (cosmetic_pen(QColor(0, 0, 0, 150), 3.2), cosmetic_pen(color, 1.6)):
            painter.setPen(pen)
            painter.drawEllipse(centre, self.radius_mm, self.radius_mm)
            painter.drawLine(centre - QPointF(arm, 0), centre + QPointF(arm, 0))
            if not takes:
                painter.drawLine(centre - QPointF(0, arm), centre + QPointF(0, arm))

    def _sweep(self, points: list[Point2]) -> None:
        stroke = swept_disc(points, self.radius_mm)
        self.working = erased(self.working, stroke) if self._takes else brushed(self.working, stroke)


class Eraser(Brush):
    """Takes away; with Alt or Shift held it adds."""

    identity = "eraser"
    name = later("Eraser")
    tip = later("Erase; Shift adds")
    keys = "E"
    icon = '<path d="M8 20L3 15 14 4l7 7-9 9z"/><path d="M8.500 9.500l7 7M8 20h13"/>'
    erases = True
