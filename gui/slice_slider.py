"""A slider along the axial slices that shows where the selected structure lies and where to look."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QWidget

from autocontour.gui import theme
from autocontour.gui.planes import Plane
from autocontour.gui.workspace import Workspace

EDGE_PX = 10
WIDTH_PX = 26


class SliceSlider(QWidget):
    """Vertical, head up. The bar is the structure, triangles are slices to look at."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.marks: Collection[int] = ()
        self.setFixedWidth(WIDTH_PX)
        self.setAccessibleName("Axial slices")
        self.setToolTip("Slices of the scan, head up. The coloured bar shows where the selected structure is drawn.")
        for signal in (
            workspace.ct_changed,
            workspace.structures_changed,
            workspace.selection_changed,
            workspace.position_changed,
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
        painter.drawRoundedRect(QRectF(11, EDGE_PX, 4, self.height() - 2 * EDGE_PX), 2, 2)
        self._draw_structure(painter)
        painter.setBrush(QColor(theme.current.warn))
        for z in self.marks:
            y = self._y(z)
            painter.drawPolygon(QPolygonF([QPointF(0, y - 4), QPointF(7, y), QPointF(0, y + 4)]))
        painter.setBrush(QColor(theme.current.accent))
        painter.drawRoundedRect(QRectF(5, self._y(self.workspace.slice_index) - 3, 16, 6), 3, 3)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where it is pressed."""
        self._go(event.position().y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the drag."""
        self._go(event.position().y())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leaf."""
        self.workspace.step(Plane.AXIAL, 1 if event.angleDelta().y() > 0 else -1)

    def _draw_structure(self, painter: QPainter) -> None:
        current = self.workspace.current
        if current is None:
            return
        painter.setBrush(QColor(*current.structure.color_rgb))
        height = max(self._step(), 1.0)
        for z in current.structure.contours:
            painter.drawRect(QRectF(9, self._y(z) - height / 2, 8, height))

    def _count(self) -> int:
        return self.workspace.ct.geometry.shape_zyx[0] if self.workspace.ct else 1

    def _step(self) -> float:
        return (self.height() - 2 * EDGE_PX) / max(self._count() - 1, 1)

    def _y(self, z: int) -> float:
        return self.height() - EDGE_PX - z * self._step()

    def _go(self, y: float) -> None:
        self.workspace.go_to_slice(round((self.height() - EDGE_PX - y) / max(self._step(), 1e-6)))
