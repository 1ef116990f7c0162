"""A slider along the axial slices that shows where the selected structure lies and where to look."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QToolTip, QWidget

from autocontour.base.findings import Severity
from autocontour.case.need import runs
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, sentence_of, tr
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.planes import Plane

EDGE_PX = 10
WIDTH_PX = 30
NEAR_PX = 5
FAR_MM = 10.0
HELP = later(
    "Slices of the scan, head up. The coloured bar shows where the selected structure is drawn. Shift + drag chooses a "
    "range of slices."
)


class SliceSlider(QWidget):
    """Vertical, head up: the bar is the structure; at the left where findings point, at the right where sets differ."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.differing: Collection[int] = ()
        self._chooses = False
        self.setFixedWidth(WIDTH_PX)
        self.setAccessibleName(tr("Axial slices"))
        self.setToolTip(tr(HELP))
        for signal in (
            workspace.ct_changed,
            workspace.structures_changed,
            workspace.selection_changed,
            workspace.position_changed,
            workspace.display_changed,
            workspace.range.changed,
            workspace.range.plan_changed,
            workspace.following.changed,
        ):
            signal.connect(self.update)

    def sizeHint(self) -> QSize:
        """Ask for a narrow strip."""
        return QSize(WIDTH_PX, 200)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw track, structure, marks and handle."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.current.panel))
        if self.workspace.ct is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current.line))
        painter.drawRoundedRect(QRectF(13, EDGE_PX, 4, self.height() - 2 * EDGE_PX), 2, 2)
        self._draw_range(painter)
        self._draw_structure(painter)
        self._draw_plan(painter)
        self._draw_proposal(painter)
        self._draw_findings(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current.text))
        height = max(self._step(), 2.0)
        for z in self.differing:
            painter.drawRect(QRectF(23, self._y(z) - height / 2, 6, height))
        painter.setBrush(QColor(theme.current.accent))
        painter.drawRoundedRect(QRectF(7, self._y(self.workspace.slice_index) - 3, 16, 6), 3, 3)

    def event(self, event: QEvent) -> bool:
        """Show in the tooltip what a mark means."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.describe(event.pos().y()), self)
            return True
        return super().event(event)

    def describe(self, y: float) -> str:
        """Return a description of the marks at a height; what the slider is where there are none."""
        marked = self.workspace.marked_slices()
        near = [z for z in marked if abs(self._y(z) - y) <= NEAR_PX]
        lines = dict.fromkeys(sentence_of(finding) for z in near for finding in marked[z])
        if any(abs(self._y(z) - y) <= NEAR_PX for z in self.differing):
            lines[tr("Here the compared outlines differ.")] = None
        for z, distance in (proposal.moved_mm if (proposal := self.workspace.following.proposal) else {}).items():
            if abs(self._y(z) - y) <= NEAR_PX:
                lines[tr("Proposed: slice {slice} moves by {far} mm.", slice=z + 1, far=f"{distance:.1f}")] = None
        plan = self.workspace.range.plan
        for slices, words in (
            (plan.filled if plan else (), tr("These empty slices would be filled.")),
            (plan.changed if plan else (), tr("The outlines of these slices would change.")),
            (plan.removed if plan else (), tr("The outlines of these slices would be deleted.")),
        ):
            if any(abs(self._y(z) - y) <= NEAR_PX for z in slices):
                lines[words] = None
        return "\n".join(lines) if lines else tr(HELP)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where it is pressed; with Shift a range of slices begins there."""
        self._chooses = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if self._chooses and not self.workspace.is_drawing:
            self.workspace.range.start_at(self._slice_at(event.position().y()))
        self._go(event.position().y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the drag."""
        if self._chooses and not self.workspace.is_drawing:
            self.workspace.range.end_at(self._slice_at(event.position().y()))
        self._go(event.position().y())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll through the slices."""
        self.workspace.step(Plane.AXIAL, 1 if event.angleDelta().y() > 0 else -1)

    def _draw_structure(self, painter: QPainter) -> None:
        current = self.workspace.current
        if current is None:
            return
        painter.setBrush(QColor(*current.structure.color_rgb))
        height = max(self._step(), 1.0)
        for z in current.structure.contours:
            painter.drawRect(QRectF(11, self._y(z) - height / 2, 8, height))

    def _draw_range(self, painter: QPainter) -> None:
        """Shade the chosen slices, with a line at either end."""
        slices = self.workspace.range.slices
        if slices is None:
            return
        color, half = QColor(theme.current.accent), max(self._step(), 2.0) / 2
        top, bottom = sorted((self._y(slices[0]), self._y(slices[-1])))
        box = QRectF(0, top - half, self.width(), bottom - top + 2 * half)
        painter.fillRect(box, QColor(color.red(), color.green(), color.blue(), 60))
        painter.setPen(QPen(color, 1.6))
        painter.drawLine(box.topLeft(), box.topRight())
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.setPen(Qt.PenStyle.NoPen)

    def _draw_plan(self, painter: QPainter) -> None:
        """Mark the slices of the change that is shown: hollow where they would be filled, at the right otherwise."""
        plan, current = self.workspace.range.plan, self.workspace.current
        if plan is None or current is None:
            return
        height = max(self._step(), 2.0)
        color = QColor(*current.structure.color_rgb)
        painter.setBrush(QColor(color.red(), color.green(), color.blue(), 70))
        painter.setPen(QPen(color, 1))
        for z in plan.filled:
            painter.drawRect(QRectF(11, self._y(z) - height / 2, 8, height))
        painter.setPen(Qt.PenStyle.NoPen)
        for slices, mark in ((plan.changed, theme.current.warn), (plan.removed, theme.current.bad)):
            painter.setBrush(QColor(mark))
            for z in slices:
                painter.drawRect(QRectF(20, self._y(z) - height / 2, 3, height))

    def _draw_proposal(self, painter: QPainter) -> None:
        """Mark the proposed slices at the right: the farther the outline moves, the longer."""
        proposal = self.workspace.following.proposal
        if proposal is None:
            return
        height = max(self._step() - 1, 2.0)
        painter.setPen(Qt.PenStyle.NoPen)
        for z, distance in proposal.moved_mm.items():
            far = distance > FAR_MM and z in proposal.before
            painter.setBrush(QColor(theme.current.warn if far else theme.current.accent))
            length = 2 + 7 * min(distance, FAR_MM) / FAR_MM
            painter.drawRect(QRectF(20, self._y(z) - height / 2, length, height))

    def _draw_findings(self, painter: QPainter) -> None:
        """Draw a triangle per place, hollow once it was looked at, and a line along a long one."""
        marked = self.workspace.marked_slices()
        seen = self.workspace.seen.get(self.workspace.selected or -1, set())
        for place in runs(marked):
            worst = max(finding.severity for z in place for finding in marked[z])
            color = QColor(_color(worst))
            y = self._y(place[len(place) // 2])
            painter.setPen(QPen(color, 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush if seen.intersection(place) else color)
            painter.drawPolygon(QPolygonF([QPointF(1, y - 4), QPointF(8, y), QPointF(1, y + 4)]))
            if len(place) > 1:
                painter.drawLine(QPointF(1, self._y(place[0])), QPointF(1, self._y(place[-1])))

    def _count(self) -> int:
        return self.workspace.ct.geometry.shape_zyx[0] if self.workspace.ct else 1

    def _step(self) -> float:
        return (self.height() - 2 * EDGE_PX) / max(self._count() - 1, 1)

    def _y(self, z: int) -> float:
        above_feet = z if self.workspace.step_to_head > 0 else self._count() - 1 - z
        return self.height() - EDGE_PX - above_feet * self._step()

    def _go(self, y: float) -> None:
        self.workspace.go_to_slice(self._slice_at(y))

    def _slice_at(self, y: float) -> int:
        above_feet = round((self.height() - EDGE_PX - y) / max(self._step(), 1e-6))
        return above_feet if self.workspace.step_to_head > 0 else self._count() - 1 - above_feet


def _color(severity: Severity) -> str:
    by_severity = {Severity.BLOCK: theme.current.bad, Severity.WARN: theme.current.warn}
    return by_severity.get(severity, theme.current.muted)
