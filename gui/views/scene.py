"""The content of a slice view, from the workspace: shapes are kept until their contours change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from shapely import MultiPolygon

from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.content import Content, Shape, ShownShape
from autocontour.gui.views.derived import PerStructure
from autocontour.gui.views.painted import paint_shapes
from autocontour.gui.views.planes import Plane, PlaneGrid
from autocontour.gui.views.sections import FlatEdges, cut
from autocontour.patient.structures import Contours, Structure

OUTLINE_PX, SELECTED_PX = 1.5, 2.4
FLAT_KEPT = 4
SHAPES_KEPT = 4000


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
        self._shapes: dict[int, tuple[MultiPolygon, Shape]] = {}
        self._flat: dict[int, tuple[Contours, FlatEdges]] = {}
        workspace.ct_changed.connect(self._forget)

    @property
    def grid(self) -> PlaneGrid | None:
        """How the plane cuts the CT; None while none is open."""
        return self.workspace.grids.get(self.plane) if self.workspace.ct else None

    @property
    def index(self) -> int:
        """The slice shown."""
        return self.workspace.position_zyx[self.plane.value]

    def content(self, without: int | None = None) -> Content | None:
        """Return what is shown, without the structure of that number; None while no CT is open."""
        grid, ct = self.grid, self.workspace.ct
        if grid is None or ct is None:
            return None
        shapes = tuple(self._shown(without)) if self.workspace.outlines_shown else ()
        return Content(grid.image(ct, self.index), grid.extent_at(self.index), self.workspace.window, shapes)

    def draw_outline(self, painter: QPainter, outline: MultiPolygon | None, color: QColor) -> None:
        """Draw an outline that is being worked on."""
        self._draw_worked_on(painter, Shape.of_outline(outline), color)

    def draw_changed(self, painter: QPainter, structure: Structure, changes: Mapping[int, MultiPolygon | None]) -> None:
        """Draw a cut through a structure some slices of which are being worked on."""
        shape = self._cut(self._edges(structure).replaced(changes))
        if shape is not None:
            self._draw_worked_on(painter, shape, QColor(*structure.color_rgb))

    def draw_dashed(self, painter: QPainter, drawn: Iterable[tuple[Contours, QPen]]) -> None:
        """Draw what is compared with, or only shown, over everything, each with its own pen; the painter is in mm."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for contours, pen in drawn:
            shape = self._shape_of(contours)
            if shape is not None:
                painter.setPen(pen)
                # A path keeps the rhythm of the dashes round its corners; a cut is single lines.
                painter.drawPath(shape.path) if shape.outline is not None else painter.drawLines(shape.lines)

    def _shape_of(self, contours: Contours) -> Shape | None:
        """Return the cut of contours that are not a structure of the case."""
        if not contours or self.grid is None:
            return None
        if self.plane is Plane.AXIAL:
            outline = contours.get(self.index)
            return None if outline is None else self._outlined(outline)
        known = self._flat.get(id(contours))
        if known is None or known[0] is not contours:
            if len(self._flat) >= FLAT_KEPT:
                self._flat.clear()
            known = self._flat[id(contours)] = (contours, FlatEdges.of(contours))
        return self._cut(known[1])

    def _draw_worked_on(self, painter: QPainter, shape: Shape, color: QColor) -> None:
        rgb = (color.red(), color.green(), color.blue())
        ratio = painter.device().devicePixelRatioF()
        paint_shapes(painter, (ShownShape(shape, rgb, SELECTED_PX, self.workspace.fill_opacity),), ratio)

    def _shown(self, without: int | None) -> Iterable[ShownShape]:
        """Return every visible structure but `without`; the selected one last and stronger."""
        selected, hidden = self.workspace.selected, self.workspace.hidden
        shown = [s for s in self.workspace.state.structures if s.number not in hidden and s.number != without]
        for structure in sorted(shown, key=lambda s: s.number == selected):
            shape = self._shape(structure)
            if shape is not None:
                # The whole body filled would only veil the image.
                opacity = 0.0 if structure.interpreted_type == "EXTERNAL" else self.workspace.fill_opacity
                width_px = SELECTED_PX if structure.number == selected else OUTLINE_PX
                yield ShownShape(shape, structure.color_rgb, width_px, opacity)

    def _shape(self, structure: Structure) -> Shape | None:
        if not structure.contours:
            return None
        if self.plane is Plane.AXIAL:
            outline = structure.contours.get(self.index)
            return None if outline is None else self._outlined(outline)
        return self._cut(self._edges(structure))

    def _cut(self, edges: FlatEdges) -> Shape | None:
        assert self.grid is not None  # the callers have asked
        axis = 0 if self.plane is Plane.SAGITTAL else 1
        section = cut(edges, self.grid.geometry, axis, self.grid.position_mm(self.index))
        return Shape.of_section(section) if len(section.lines) else None

    def _outlined(self, outline: MultiPolygon) -> Shape:
        known = self._shapes.get(id(outline))
        if known is None or known[0] is not outline:
            if len(self._shapes) > SHAPES_KEPT:
                self._shapes.clear()
            known = (outline, Shape.of_outline(outline))
            self._shapes[id(outline)] = known
        return known[1]

    def _forget(self) -> None:
        self._edges.clear()
        self._flat.clear()
        self._shapes.clear()


def crosshair_lines(at: QPointF, extent: QRectF, gap: float) -> list[QLineF]:
    """Return the four arms of a crosshair with an open middle."""
    return [
        QLineF(extent.left(), at.y(), at.x() - gap, at.y()),
        QLineF(at.x() + gap, at.y(), extent.right(), at.y()),
        QLineF(at.x(), extent.top(), at.x(), at.y() - gap),
        QLineF(at.x(), at.y() + gap, at.x(), extent.bottom()),
    ]
