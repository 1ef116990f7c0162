"""The curve of a structure over the dates of a course, with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from autocontour.course.trend import CONTOURED, Limits, Trend
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr

LEFT, RIGHT, TOP, BOTTOM = 56, 20, 14, 26
RADIUS_PX, OPEN_RADIUS_PX = 3.5, 6.0


@dataclass(frozen=True)
class Measure:
    """What a curve shows: its name, unit, attribute of `Trend.curve`, and measure of the limits."""

    title: str
    unit: str
    attribute: str
    limit: str
    factor: float = 1.0


MEASURES = (
    Measure(later("Volume"), "cc", "volume_cc", "volume"),
    Measure(later("Movement"), "mm", "distance_mm", "shift"),
    Measure(later("Gas"), "%", "gas", "gas", 100.0),
)


@dataclass(frozen=True)
class CurvePoint:
    """One CT: its title, day and value, whether the structure is whole in it, and whether a limit is crossed."""

    title: str
    day: int | None
    value: float
    is_whole: bool = True
    is_crossed: bool = False


@dataclass(frozen=True)
class Curve:
    """What is drawn.

    Attributes
    ----------
    measure
        What it shows.
    points
        The planning CT first.
    limits
        Values at which a limit is drawn.
    """

    measure: Measure
    points: tuple[CurvePoint, ...] = ()
    limits: tuple[float, ...] = ()

    @property
    def sentence(self) -> str:
        """The values as text, for screen readers."""
        shown = (f"{one.title} {one.value:.1f} {self.measure.unit}" for one in self.points)
        return f"{tr(self.measure.title)}: " + ", ".join(shown)


def build_curve(trend: Trend, limits: Limits, name: str, measure: Measure, planning_date: str) -> Curve:
    """Return the curve of a structure.

    A limit of the volume is a change against the planning CT; without a planning volume there is none.
    """
    before = trend.planning.get(name)
    limit = limits.find(measure.limit, name)
    points, levels = [], []
    if before is not None:
        start = {"volume_cc": before.volume_cc, "gas": before.gas}.get(measure.attribute, 0.0)
        title = tr("Planning CT, {date}", date=planning_date or tr("without a date"))
        points.append(CurvePoint(title, _day(planning_date), start * measure.factor, not before.is_cut))
    for one in trend.dates:
        point = one.points.get(name)
        if one.state != CONTOURED or point is None:
            continue
        value = float(getattr(point, measure.attribute))
        compared = point.volume_change if measure.limit == "volume" else value
        is_whole = point.volume_change is not None
        is_crossed = limit is not None and limit.crossed(compared) is not None and (is_whole or measure.limit == "gas")
        day = _day(one.ct.date)
        points.append(CurvePoint(one.ct.date or one.ct.name, day, value * measure.factor, is_whole, is_crossed))
    for level in (limit.below, limit.above) if limit else ():
        if level is not None and measure.limit != "volume":
            levels.append(level * measure.factor)
        elif level is not None and before is not None and before.volume_cc > 0:
            levels.append(before.volume_cc * (1 + level))
    return Curve(measure, tuple(points), tuple(levels))


class CourseCurve(QWidget):
    """Draws a curve; the CT that is worked on has a ring."""

    def __init__(self) -> None:
        super().__init__()
        self.curve = Curve(MEASURES[0])
        self.current = ""
        self.setMinimumSize(260, 150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("Curve over the dates"))

    def sizeHint(self) -> QSize:
        """Ask for room."""
        return QSize(460, 200)

    def show_curve(self, curve: Curve, current: str) -> None:
        """Show a curve; `current` is the title of the CT that is worked on."""
        self.curve, self.current = curve, current
        self.setAccessibleDescription(curve.sentence)
        self.setToolTip(curve.sentence if curve.points else "")
        self.update()

    @property
    def area(self) -> QRectF:
        """Where the curve is drawn."""
        return QRectF(LEFT, TOP, max(self.width() - LEFT - RIGHT, 1), max(self.height() - TOP - BOTTOM, 1))

    def positions(self) -> list[QPointF]:
        """Return where the points are drawn: by their days, or evenly where a date is missing."""
        points, area = self.curve.points, self.area
        days = [one.day for one in points]
        places: list[float] = [float(day) for day in days if day is not None]
        if len(places) < len(points) or len(set(places)) < len(places):
            places = [float(number) for number in range(len(points))]
        first, span = (min(places), max(places) - min(places)) if places else (0.0, 0.0)
        low, high = self._range()
        return [
            QPointF(
                area.left() + (area.width() * (place - first) / span if span else area.width() / 2),
                area.bottom() - area.height() * (one.value - low) / (high - low),
            )
            for place, one in zip(places, points, strict=True)
        ]

    def _range(self) -> tuple[float, float]:
        values = [*(one.value for one in self.curve.points), *self.curve.limits] or [0.0, 1.0]
        low, high = min(values), max(values)
        room = (high - low) * 0.12 or max(abs(high) * 0.1, 1.0)
        return (max(low - room, 0.0) if low >= 0 else low - room), high + room

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw axes, limits, curve and points."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shown, area = theme.current, self.area
        painter.fillRect(self.rect(), QColor(shown.raised))
        if not self.curve.points:
            painter.setPen(QColor(shown.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("No values of this structure"))
            painter.end()
            return
        self._draw_axes(painter, area)
        places = self.positions()
        painter.setPen(QPen(QColor(shown.accent), 1.6))
        painter.drawPolyline(places)
        for place, one in zip(places, self.curve.points, strict=True):
            color = QColor(shown.bad if one.is_crossed else shown.accent)
            painter.setPen(QPen(color, 1.6))
            painter.setBrush(color if one.is_whole else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(place, RADIUS_PX, RADIUS_PX)
            if one.title == self.current:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(place, OPEN_RADIUS_PX, OPEN_RADIUS_PX)
        painter.end()

    def _draw_axes(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._range()
        painter.setPen(QColor(theme.current.line))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        painter.setPen(QPen(QColor(theme.current.bad), 1, Qt.PenStyle.DashLine))
        for limit in self.curve.limits:
            y = area.bottom() - area.height() * (limit - low) / (high - low)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setPen(QColor(theme.current.muted))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value in (low, (low + high) / 2, high):
            y = area.bottom() - area.height() * (value - low) / (high - low)
            words = f"{value:.1f} {self.curve.measure.unit}"
            painter.drawText(QRectF(0, y - 9, LEFT - 4, 18), right, words)
        places = self.positions()
        ends = {0: Qt.AlignmentFlag.AlignLeft, len(places) - 1: Qt.AlignmentFlag.AlignRight}
        for number, alignment in ends.items():
            words = self.curve.points[number].title
            box = QRectF(area.left(), area.bottom() + 5, area.width(), 18)
            painter.drawText(box, alignment | Qt.AlignmentFlag.AlignVCenter, words)


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None
