"""The areas of reference and method, and their DSC, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from autocontour.gui.look import theme
from autocontour.gui.look.language import tr
from autocontour.gui.qa_room.axis import Axis

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX, GAP_PX = 64, 16, 30, 26, 26
REFERENCE_RGB, METHOD_RGB = (0, 220, 90), (255, 80, 60)
"""As in the pictures of the report."""


class ProfileChart(QWidget):
    """Two curves over the slices, and below them the DSC of each slice.

    Left and Right choose a slice, Return opens it.
    """

    opened = Signal(int)
    """A slice is to be shown in the viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.slices: list[Mapping[str, Any]] = []
        self.chosen = 0
        self.method = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(170)
        self.setAccessibleName(tr("Slice profile"))

    def sizeHint(self) -> QSize:
        """Ask for room."""
        return QSize(420, 220)

    def show_slices(self, slices: Sequence[Mapping[str, Any]], chosen: int | None, method: str) -> None:
        """Show the slices of a result and mark one of them."""
        self.slices, self.method = sorted(slices, key=lambda one: one["position_mm"]), method
        numbers = [one["slice"] for one in self.slices]
        self.chosen = numbers.index(chosen) if chosen in numbers else 0
        self.update()

    @property
    def slice_index(self) -> int | None:
        """The slice chosen; None without any."""
        return int(self.slices[self.chosen]["slice"]) if self.slices else None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw both curves and the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        if not self.slices:
            painter.setPen(QColor(theme.current.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Choose a patient to see its slices."))
            return
        across = self._across
        middle = TOP_PX + (self.height() - TOP_PX - BOTTOM_PX - GAP_PX) * 0.62
        areas = [one[key] / 100 for one in self.slices for key in ("area_a_mm2", "area_b_mm2")]
        up = Axis.around(areas, middle, TOP_PX, whole=(0.0, 0.0))
        share = Axis(0.0, 1.0, self.height() - BOTTOM_PX, middle + GAP_PX)
        self._draw_scale(painter, up, tr("area, cm²"))
        self._draw_scale(painter, share, "DSC")
        self._draw_chosen(painter, across)
        for key, rgb in (("area_a_mm2", REFERENCE_RGB), ("area_b_mm2", METHOD_RGB)):
            painter.setPen(QPen(QColor(*rgb), 1.8))
            points = [QPointF(across.pixel(one["position_mm"]), up.pixel(one[key] / 100)) for one in self.slices]
            painter.drawPolyline(QPolygonF(points))
        self._draw_shares(painter, across, share)
        self._draw_legend(painter)
        self._draw_words(painter, share)
        painter.setPen(QColor(theme.current.muted))
        for value in across.ticks:
            box = QRectF(across.pixel(value) - 30, self.height() - BOTTOM_PX + 4, 60, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{value:g}")

    @property
    def _across(self) -> Axis:
        positions = [float(one["position_mm"]) for one in self.slices]
        return Axis.around(positions, LEFT_PX, self.width() - RIGHT_PX, whole=None)

    def _draw_scale(self, painter: QPainter, axis: Axis, title: str) -> None:
        for value in axis.ticks[:: max(1, len(axis.ticks) // 4)]:
            y = axis.pixel(value)
            painter.setPen(QPen(QColor(theme.current.line), 1))
            painter.drawLine(QPointF(LEFT_PX, y), QPointF(self.width() - RIGHT_PX, y))
            painter.setPen(QColor(theme.current.muted))
            where = QRectF(0, y - 9, LEFT_PX - 6, 18)
            painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:g}")
        painter.setPen(QColor(theme.current.muted))
        painter.drawText(QRectF(LEFT_PX + 4, axis.end_px - 19, 160, 18), Qt.AlignmentFlag.AlignLeft, title)

    def _draw_shares(self, painter: QPainter, across: Axis, share: Axis) -> None:
        width = max((self.width() - LEFT_PX - RIGHT_PX) / max(len(self.slices), 1) * 0.7, 1.5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current.accent))
        for one in self.slices:
            x, top = across.pixel(one["position_mm"]), share.pixel(one["dsc"])
            painter.drawRect(QRectF(x - width / 2, top, width, share.start_px - top))

    def _draw_chosen(self, painter: QPainter, across: Axis) -> None:
        one = self.slices[self.chosen]
        painter.setPen(QPen(QColor(theme.current.text), 1, Qt.PenStyle.DashLine))
        x = across.pixel(one["position_mm"])
        painter.drawLine(QPointF(x, TOP_PX), QPointF(x, self.height() - BOTTOM_PX))

    def _draw_legend(self, painter: QPainter) -> None:
        x = LEFT_PX + 90.0
        for text, rgb in ((tr("reference"), REFERENCE_RGB), (self.method, METHOD_RGB)):
            painter.setPen(QPen(QColor(*rgb), 3))
            painter.drawLine(QPointF(x, 13), QPointF(x + 16, 13))
            painter.setPen(QColor(theme.current.text))
            painter.drawText(QPointF(x + 22, 17), text)
            x += 40 + painter.fontMetrics().horizontalAdvance(text)

    def _draw_words(self, painter: QPainter, share: Axis) -> None:
        """Write the values of the chosen slice above its DSC, where there is room for them."""
        one = self.slices[self.chosen]
        words = tr("slice {number}: DSC {dsc}, added path {length} mm", number=one["slice"] + 1,
                   dsc=f"{one['dsc']:.2f}", length=f"{one['added_path_length_mm']:.0f}")  # fmt: skip
        painter.setPen(QColor(theme.current.text))
        where = QRectF(LEFT_PX + 60, share.end_px - 19, self.width() - LEFT_PX - RIGHT_PX - 60, 18)
        painter.drawText(where, Qt.AlignmentFlag.AlignRight, words)

    def _nearest(self, x: float) -> int:
        across = self._across
        return min(range(len(self.slices)), key=lambda n: abs(across.pixel(self.slices[n]["position_mm"]) - x))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the slice under the pointer."""
        if self.slices:
            self.chosen = self._nearest(event.position().x())
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        self.mousePressEvent(event)
        if (index := self.slice_index) is not None:
            self.opened.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose and open by keys."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        index = self.slice_index
        if event.key() in steps and self.slices:
            self.chosen = min(max(self.chosen + steps[Qt.Key(event.key())], 0), len(self.slices) - 1)
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index is not None:
            self.opened.emit(index)
        else:
            super().keyPressEvent(event)
