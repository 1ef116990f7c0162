"""Brush and eraser in sagittal and coronal views: a ball that changes every axial contour it meets."""

from __future__ import annotations

from PySide6.QtGui import QPainter

from autocontour.edits import Outline, brushed, erased, swept_ball
from autocontour.edits.strokes import Point2
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools.base import Canvas, Pointer, Stroke
from autocontour.gui.tools.brush import Brush
from autocontour.gui.views.planes import Plane


class Ball(Brush):
    """The axial brush's or eraser's other side: the same size, a ball instead of a disc (see `swept_ball`)."""

    def __init__(self, workspace: Workspace, plane: Plane, axial: Brush) -> None:
        self.axial = axial
        super().__init__(workspace)
        self.plane = plane
        self.name = axial.name
        self.changes: dict[int, Outline] = {}

    @property
    def radius_mm(self) -> float:
        """Its radius, which is the axial brush's."""
        return self.axial.radius_mm

    @radius_mm.setter
    def radius_mm(self, value: float) -> None:
        """Leave the axial brush as it is while a tool is made."""

    def resize(self, factor: float) -> None:
        """Change the size of both."""
        self.axial.resize(factor)

    def takes(self, pointer: Pointer) -> bool:
        """Whether a stroke begun now takes away."""
        return self.axial.takes(pointer)

    def begin(self, pointer: Pointer) -> None:
        """Dab."""
        self.changes = {}
        super().begin(pointer)

    def draw_working(self, canvas: Canvas, painter: QPainter) -> None:
        """Draw the structure as the stroke has left it."""
        if self.stroke is not None and self.stroke.number is not None:
            canvas.draw_changed(painter, self.workspace.state[self.stroke.number].structure, self.changes)

    def _sweep(self, points: list[Point2]) -> None:
        ct, stroke = self.workspace.ct, self.stroke
        assert ct is not None  # a stroke has begun
        assert stroke is not None
        across = self.workspace.grids[self.plane].position_mm(self.workspace.position_zyx[self.plane.value])
        path = [(across, h, -d) if self.plane is Plane.SAGITTAL else (h, across, -d) for h, d in points]
        change = erased if self._takes else brushed
        for z, swept in swept_ball(path, self.radius_mm, ct.geometry).items():
            before = self.changes[z] if z in self.changes else stroke.contours.get(z)
            if before is not None or not self._takes:
                self.changes[z] = change(before, swept)

    def _commit(self, stroke: Stroke, working: Outline) -> None:  # noqa: ARG002  (it reaches over several slices)
        self._redraw(stroke, self.changes)
