"""What a slice view draws: the grey image and the outlines, kept until they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from shapely import MultiPolygon

from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools.base import cosmetic_pen
from autocontour.gui.views.derived import PerStructure
from autocontour.gui.views.paths import lines_of, path_of, rectangles_of
from autocontour.gui.views.planes import Plane, PlaneGrid
from autocontour.gui.views.sections import FlatEdges, cut
from autocontour.gui.views.windowing import Window
from autocontour.patient.structures import Contours, Structure

OUTLINE_PX, SELECTED_PX = 1.5, 2.4
PATHS_KEPT = 4000


@dataclass(frozen=True)
class Shape:
    """A structure's cut with the plane, ready to be drawn."""

    path: QPainterPath | None = None
    lines: tuple[QLineF, ...] = ()
    rectangles: tuple[QRectF, ...] = ()

    def fill(self, painter: QPainter) -> None:
        """Fill it with the painter's brush."""
        if self.path is not None:
            painter.drawPath(self.path)
        elif self.rectangles:
            painter.drawRects(self.rectangles)

    def stroke(self, painter: QPainter) -> None:
        """Draw its outline with the painter's pen."""
        if self.path is not None:
            painter.drawPath(self.path)
        elif self.lines:
            painter.drawLines(self.lines)


Edges = PerStructure[FlatEdges]


def flat_edges() -> Edges:
    """Return a store of every structure's edges, which the two side views share."""
    return PerStructure(lambda structure: FlatEdges.of(structure.contours))


class Scene:
    """The content of one plane of a workspace.

    Parameters
    ----------
    edges
        Where the edges of the structures are kept; a store of its own by default.
    """

    def __init__(self, workspace: Workspace, plane: Plane, edges: Edges | None = None) -> None:
        self.workspace = workspace
        self.plane = plane
        self._edges = edges if edges is not None else flat_edges()
        self._paths: dict[int, tuple[MultiPolygon, QPainterPath]] = {}
        self._table: tuple[Window, NDArray[np.uint8]] | None = None
        self._grey: NDArray[np.uint8] | None = None
        workspace.ct_changed.connect(self._forget)

    @property
    def grid(self) -> PlaneGrid | None:
        """How the plane cuts the CT; None while none is open."""
        return self.workspace.grids.get(self.plane) if self.workspace.ct else None

    @property
    def index(self) -> int:
        """The slice shown."""
        return self.workspace.position_zyx[self.plane.value]

    def draw_image(self, painter: QPainter) -> None:
        """Draw the CT in grey."""
        grid, ct = self.grid, self.workspace.ct
        if grid is None or ct is None:
            return
        if self._table is None or self._table[0] != self.workspace.window:
            self._table = (self.workspace.window, self.workspace.window.table())
        hu = grid.image(ct, self.index)
        self._grey = self._table[1][hu.view(np.uint16)]
        rows, columns = self._grey.shape
        image = QImage(self._grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
        e = grid.extent_at(self.index)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(e.left, e.top, e.width, e.height), image.convertToFormat(QImage.Format.Format_RGB32))

    def draw_structures(self, painter: QPainter, without: int | None = None) -> None:
        """Draw every visible structure but `without`; the selected one last and stronger."""
        if self.grid is None or not self.workspace.outlines_shown:
            return
        selected = self.workspace.selected
        shown = [s for s in self.workspace.state.structures if s.number not in self.workspace.hidden]
        for structure in sorted(shown, key=lambda s: s.number == selected):
            if structure.number != without:
                self._draw(painter, structure, is_selected=structure.number == selected)

    def draw_outline(self, painter: QPainter, outline: MultiPolygon | None, color: QColor) -> None:
        """Draw an outline that is being worked on."""
        self._draw_shape(painter, Shape(path_of(outline)), color, SELECTED_PX, self.workspace.fill_opacity)

    def draw_changed(self, painter: QPainter, structure: Structure, changes: Mapping[int, MultiPolygon | None]) -> None:
        """Draw a cut through a structure some slices of which are being worked on."""
        shape = self._cut(self._edges(structure).replaced(changes))
        if shape is not None:
            self._draw_shape(painter, shape, QColor(*structure.color_rgb), SELECTED_PX, self.workspace.fill_opacity)

    def draw_dashed(self, painter: QPainter, drawn: Iterable[tuple[Contours, QPen]]) -> None:
        """Draw what is compared with, or only shown, over everything, each set with its own pen."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for contours, pen in drawn:
            shape = self._shape_of(contours)
            if shape is not None:
                painter.setPen(pen)
                shape.stroke(painter)

    def _shape_of(self, contours: Contours) -> Shape | None:
        """Return the cut of contours that are not a structure of the case."""
        if not contours or self.grid is None:
            return None
        if self.plane is Plane.AXIAL:
            outline = contours.get(self.index)
            return None if outline is None else Shape(self._path(outline))
        return self._cut(FlatEdges.of(contours))

    def _draw(self, painter: QPainter, structure: Structure, *, is_selected: bool) -> None:
        shape = self._shape(structure)
        if shape is not None:
            # The whole body filled would only veil the image.
            opacity = 0.0 if structure.interpreted_type == "EXTERNAL" else self.workspace.fill_opacity
            width_px = SELECTED_PX if is_selected else OUTLINE_PX
            self._draw_shape(painter, shape, QColor(*structure.color_rgb), width_px, opacity)

    def _draw_shape(self, painter: QPainter, shape: Shape, color: QColor, width_px: float, opacity: float) -> None:
        if opacity > 0:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(color.red(), color.green(), color.blue(), int(255 * opacity)))
            shape.fill(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(cosmetic_pen(color, width_px))
        shape.stroke(painter)

    def _shape(self, structure: Structure) -> Shape | None:
        if not structure.contours:
            return None
        if self.plane is Plane.AXIAL:
            outline = structure.contours.get(self.index)
            return None if outline is None else Shape(self._path(outline))
        return self._cut(self._edges(structure))

    def _cut(self, edges: FlatEdges) -> Shape | None:
        assert self.grid is not None  # draw_structures has asked
        axis = 0 if self.plane is Plane.SAGITTAL else 1
        section = cut(edges, self.grid.geometry, axis, self.grid.position_mm(self.index))
        if not len(section.lines):
            return None
        return Shape(lines=tuple(lines_of(section.lines)), rectangles=tuple(rectangles_of(section.rectangles)))

    def _path(self, outline: MultiPolygon) -> QPainterPath:
        known = self._paths.get(id(outline))
        if known is None or known[0] is not outline:
            if len(self._paths) > PATHS_KEPT:
                self._paths.clear()
            known = (outline, path_of(outline))
            self._paths[id(outline)] = known
        return known[1]

    def _forget(self) -> None:
        self._edges.clear()
        self._paths.clear()


def crosshair_lines(at: QPointF, extent: QRectF, gap: float) -> list[QLineF]:
    """Return the four arms of a crosshair with an open middle."""
    return [
        QLineF(extent.left(), at.y(), at.x() - gap, at.y()),
        QLineF(at.x() + gap, at.y(), extent.right(), at.y()),
        QLineF(at.x(), extent.top(), at.x(), at.y() - gap),
        QLineF(at.x(), at.y() + gap, at.x(), extent.bottom()),
    ]
