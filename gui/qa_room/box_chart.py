"""Box plots of a metric per structure and method; every patient is a point that can be chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QScrollArea, QToolTip, QWidget

from autocontour.gui.look import theme
from autocontour.gui.look.language import tr
from autocontour.gui.qa_room.axis import Axis, series_color
from autocontour.qa.commissioning.study.results import Box, Result

ROW_PX, LABEL_PX, COUNT_PX, RIGHT_PX, HEAD_PX = 30, 276, 46, 56, 34
BOX_PX, POINT_PX, NEAR_PX = 14, 3.5, 9
UNIT_SHARES = ("dsc", "surface_dsc")


class BoxChart(QWidget):
    """Rows of boxes under one axis.

    Up and Down choose a row, Left and Right a patient of it (Right: the next worse), Return opens the patient.

    Signals
    -------
    chosen
        A result was chosen.
    opened
        A result is to be shown in the viewer.
    """

    chosen = Signal(object)
    opened = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[Box] = []
        self.metric_name, self._colors = "dsc", dict[str, QColor]()
        self.row = 0
        self.result: Result | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(tr("Box plots"))

    def show_boxes(self, boxes: Sequence[Box], metric: str, methods: Sequence[str]) -> None:
        """Show boxes of a metric; the colours are those of the methods."""
        self.boxes, self.metric_name = list(boxes), metric
        self._colors = {method: series_color(number) for number, method in enumerate(methods)}
        self.row = min(self.row, max(len(self.boxes) - 1, 0))
        self.setMinimumHeight(HEAD_PX + ROW_PX * len(self.boxes) + 8)
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for room for all rows."""
        return QSize(560, HEAD_PX + ROW_PX * len(self.boxes) + 8)

    @property
    def axis(self) -> Axis:
        """The axis of all rows."""
        values = [one.values[self.metric_name] for box in self.boxes for one in box.results]
        whole = (0.0, 1.0) if self.metric_name in UNIT_SHARES else None
        return Axis.around(values, LABEL_PX, max(self.width() - RIGHT_PX, LABEL_PX + 50), whole=whole)

    def point_of(self, row: int, result: Result) -> QPointF:
        """Return where a patient's point lies."""
        box = self.boxes[row]
        # Points of one row beside one another, always in the same way.
        number = [one.patient for one in box.results].index(result.patient)
        offset = (number % 5 - 2) * 2.2
        return QPointF(self.axis.pixel(result.values[self.metric_name]), self._middle(row) + offset)

    def select(self, row: int, result: Result | None) -> None:
        """Choose a row and a patient of it."""
        if not 0 <= row < len(self.boxes):
            return
        self.row, self.result = row, result
        self._show_row()
        self.update()
        if result is not None:
            self.chosen.emit(result)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the axis and the rows in sight."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        if not self.boxes:
            return
        axis = self.axis
        self._draw_axis(painter, axis)
        for row, box in enumerate(self.boxes):
            if event.rect().top() - ROW_PX <= self._middle(row) <= event.rect().bottom() + ROW_PX:
                self._draw_row(painter, axis, row, box)

    def _draw_axis(self, painter: QPainter, axis: Axis) -> None:
        painter.setPen(QPen(QColor(theme.current.line), 1))
        for value in axis.ticks:
            x = axis.pixel(value)
            painter.drawLine(QPointF(x, HEAD_PX - 6), QPointF(x, self.height()))
        painter.setPen(QColor(theme.current.muted))
        for value in axis.ticks:
            box = QRectF(axis.pixel(value) - 40, 8, 80, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{value:g}")

    def _draw_row(self, painter: QPainter, axis: Axis, row: int, box: Box) -> None:
        y, color = self._middle(row), self._colors.get(box.method, QColor(theme.current.accent))
        if row == self.row:
            painter.fillRect(QRectF(0, y - ROW_PX / 2, self.width(), ROW_PX), QColor(theme.current.raised))
        painter.setPen(QColor(theme.current.text))
        width = LABEL_PX - COUNT_PX - 14
        label = painter.fontMetrics().elidedText(f"{box.structure}   {box.method}", Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRectF(10, y - 10, width, 20), Qt.AlignmentFlag.AlignVCenter, label)
        painter.setPen(QColor(theme.current.muted))
        where = QRectF(LABEL_PX - COUNT_PX - 4, y - 10, COUNT_PX, 20)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(where, flags, self.count_text(box))
        low, middle, high = box.quartiles
        if math.isfinite(middle):
            self._draw_box(painter, axis, y, box, color, low, middle, high)
        for one in reversed(box.results):  # the worst on top
            self._draw_point(painter, row, box, one, color)
        infinite = sum(math.isinf(one.values[self.metric_name]) for one in box.results)
        if infinite:
            painter.setPen(QColor(theme.current.bad))
            where = QRectF(axis.end_px + 8, y - 10, RIGHT_PX - 8, 20)
            painter.drawText(where, Qt.AlignmentFlag.AlignVCenter, f"∞ ×{infinite}")

    @staticmethod
    def count_text(box: Box) -> str:
        """Return the number of patients of a row."""
        return f"n={len(box.results)}"

    def _draw_box(
        self, painter: QPainter, axis: Axis, y: float, box: Box, color: QColor, low: float, middle: float, high: float
    ) -> None:
        painter.setPen(QPen(color, 1.4))
        for end, quartile in zip(box.whiskers, (low, high), strict=True):
            painter.drawLine(QPointF(axis.pixel(end), y), QPointF(axis.pixel(quartile), y))
            painter.drawLine(QPointF(axis.pixel(end), y - 4), QPointF(axis.pixel(end), y + 4))
        fill = QColor(color)
        fill.setAlpha(60)
        painter.setBrush(fill)
        painter.drawRect(QRectF(axis.pixel(low), y - BOX_PX / 2, axis.pixel(high) - axis.pixel(low), BOX_PX))
        painter.setPen(QPen(color, 2.4))
        painter.drawLine(QPointF(axis.pixel(middle), y - BOX_PX / 2), QPointF(axis.pixel(middle), y + BOX_PX / 2))

    def _draw_point(self, painter: QPainter, row: int, box: Box, one: Result, color: QColor) -> None:
        at, is_out = self.point_of(row, one), one.patient in box.outliers
        painter.setPen(QPen(QColor(theme.current.bad) if is_out else color, 1.2))
        painter.setBrush(QColor(theme.current.bad) if is_out else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, POINT_PX, POINT_PX)
        if one == self.result:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.current.text), 2))
            painter.drawEllipse(at, POINT_PX + 4, POINT_PX + 4)

    def result_at(self, at: QPointF) -> tuple[int, Result] | None:
        """Return the row and the patient under a point; the worst of several."""
        row = int((at.y() - HEAD_PX) // ROW_PX)
        if not 0 <= row < len(self.boxes):
            return None
        near = [
            (math.hypot(point.x() - at.x(), point.y() - at.y()), number, one)
            for number, one in enumerate(self.boxes[row].results)
            for point in (self.point_of(row, one),)
        ]
        near = [one for one in near if one[0] <= NEAR_PX]
        return (row, min(near)[2]) if near else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the patient under the pointer, or the row."""
        found = self.result_at(event.position())
        if found is not None:
            self.select(*found)
        else:
            self.select(int((event.position().y() - HEAD_PX) // ROW_PX), None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open an outlier that was clicked."""
        found = self.result_at(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton and found[1] == self.result:
            self.opened.emit(found[1])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose and open by keys."""
        results = self.boxes[self.row].results if self.boxes else ()
        number = results.index(self.result) if self.result in results else -1
        key = event.key()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.boxes:
            row = (self.row + (1 if key == Qt.Key.Key_Down else -1)) % len(self.boxes)
            self.select(row, next(iter(self.boxes[row].results), None))
        elif key == Qt.Key.Key_Left and results:
            self.select(self.row, results[max(number - 1, 0)])
        elif key == Qt.Key.Key_Right and results:
            self.select(self.row, results[min(number + 1, len(results) - 1)])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.result is not None:
            self.opened.emit(self.result)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """State patient and value under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            found = self.result_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), "" if found is None else self.describe(found[1]), self)
            return True
        return super().event(event)

    def describe(self, result: Result) -> str:
        """Return a patient with its value."""
        missing = "   " + tr("not drawn") if result.is_missing else ""
        return f"{result.patient}   {value_text(result.values[self.metric_name])}{missing}"

    def _middle(self, row: int) -> float:
        return HEAD_PX + ROW_PX * (row + 0.5)

    def _show_row(self) -> None:
        viewport = self.parentWidget()
        area = viewport.parentWidget() if viewport is not None else None
        if isinstance(area, QScrollArea):
            area.ensureVisible(LABEL_PX, int(self._middle(self.row)), 0, ROW_PX)


def value_text(value: float) -> str:
    """Return a value for a table."""
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
