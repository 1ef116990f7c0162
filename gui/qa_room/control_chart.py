"""Control charts of routine QA: monthly means of the edit load against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr
from autocontour.gui.qa_room.axis import Axis

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 70, 20, 34, 40
LABELS = {
    "dsc": later("DSC, automatic and approved"),
    "added_path_length_mm": later("Added path length, mm"),
}
Json = Mapping[str, Any]


class ControlChart(QWidget):
    """One metric of one structure over the months, with limits of 2 and 3 standard errors."""

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.metric_name = metric
        self.chart: Json = {}
        self.setMinimumHeight(180)
        self.setAccessibleName(tr(LABELS[metric]))

    def sizeHint(self) -> QSize:
        """Ask for room."""
        return QSize(600, 260)

    def show_chart(self, chart: Json) -> None:
        """Show the chart of a structure."""
        self.chart = chart
        self.update()

    @property
    def months(self) -> Sequence[Json]:
        """The months with a mean."""
        return [one for one in self.chart.get("months", ()) if one[self.metric_name]["mean"] is not None]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw baseline, limits, means and alarms."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        painter.setPen(QColor(theme.current.text))
        painter.drawText(QPointF(LEFT_PX, 20), tr(LABELS[self.metric_name]))
        months = self.months
        first = self.chart.get("baseline", {}).get(self.metric_name, {}).get("mean")
        if not months or first is None:
            painter.setPen(QColor(theme.current.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("No month after the baseline yet."))
            return
        bounds = [first + sign * 3 * error for one in months for sign in (-1, 1) if (error := self._error(one))]
        up = Axis.around([*bounds, *(one[self.metric_name]["mean"] for one in months), first],
                         self.height() - BOTTOM_PX, TOP_PX, whole=None)  # fmt: skip
        across = Axis(-0.5, len(months) - 0.5, LEFT_PX, self.width() - RIGHT_PX)
        self._draw_scale(painter, up)
        self._draw_limits(painter, across, up, first)
        self._draw_means(painter, across, up)
        self._draw_months(painter, across)

    def _error(self, month: Json) -> float:
        return float(month[self.metric_name]["standard_error"] or 0.0)

    def _draw_scale(self, painter: QPainter, up: Axis) -> None:
        painter.setPen(QColor(theme.current.muted))
        for value in up.ticks:
            where = QRectF(0, up.pixel(value) - 9, LEFT_PX - 8, 18)
            painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:g}")

    def _draw_limits(self, painter: QPainter, across: Axis, up: Axis, first: float) -> None:
        painter.setPen(QPen(QColor(theme.current.accent), 1.4))
        painter.drawLine(QPointF(LEFT_PX, up.pixel(first)), QPointF(self.width() - RIGHT_PX, up.pixel(first)))
        for sigma, style in ((2, Qt.PenStyle.DotLine), (3, Qt.PenStyle.DashLine)):
            painter.setPen(QPen(QColor(theme.current.warn if sigma == 2 else theme.current.bad), 1.2, style))
            for number, month in enumerate(self.months):
                for sign in (-1, 1) if self._error(month) else ():
                    y = up.pixel(first + sign * sigma * self._error(month))
                    painter.drawLine(QPointF(across.pixel(number - 0.5), y), QPointF(across.pixel(number + 0.5), y))

    def _draw_means(self, painter: QPainter, across: Axis, up: Axis) -> None:
        means = [one[self.metric_name]["mean"] for one in self.months]
        points = [QPointF(across.pixel(number), up.pixel(mean)) for number, mean in enumerate(means)]
        painter.setPen(QPen(QColor(theme.current.text), 1.2))
        painter.drawPolyline(QPolygonF(points))
        alarmed = {one["month"] for one in self.chart["alarms"] if one["metric"] == self.metric_name}
        changed = {one["month"] for one in self.chart["changes"]}
        for number, (point, month) in enumerate(zip(points, self.months, strict=True)):
            if month["month"] in changed:
                painter.setPen(QPen(QColor(theme.current.warn), 2))
                x = across.pixel(number - 0.5)
                painter.drawLine(QPointF(x, TOP_PX), QPointF(x, self.height() - BOTTOM_PX))
            color = QColor(theme.current.bad if month["month"] in alarmed else theme.current.text)
            painter.setPen(QPen(color, 1.4))
            painter.setBrush(color if month[self.metric_name]["z"] is not None else QColor(theme.current.panel))
            painter.drawEllipse(point, 4.5, 4.5)

    def _draw_months(self, painter: QPainter, across: Axis) -> None:
        painter.setPen(QColor(theme.current.muted))
        step = max(1, round(70 / max((across.end_px - across.start_px) / len(self.months), 1)))
        for number, month in list(enumerate(self.months))[::step]:
            where = QRectF(across.pixel(number) - 45, self.height() - BOTTOM_PX + 4, 90, 34)
            painter.drawText(where, Qt.AlignmentFlag.AlignHCenter, f"{month['month']}\nn {month['n']}")
