"""The frame of every tool: where the pointer is, what is being drawn, and one undo step per stroke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPen

from autocontour.edits import Outline, thinned
from autocontour.edits.polygons import SMALLEST_MM2
from autocontour.edits.strokes import Point2
from autocontour.gui.views.paths import path_of

if TYPE_CHECKING:
    from shapely import MultiPolygon

    from autocontour.gui.state.workspace import Workspace
    from autocontour.patient.structures import Contours, Structure

SMALLEST_RADIUS_MM, LARGEST_RADIUS_MM = 0.5, 80.0


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the mouse is.

    Attributes
    ----------
    at
        Display coordinates in mm; in the axial view these are u, v.
    pixel_mm
        Size of a screen pixel.
    alternate
        Whether the key that turns adding into taking away is held (Alt or Shift).
    through
        Whether the key that goes through the slices is held (Ctrl).
    """

    at: Point2
    pixel_mm: float
    alternate: bool = False
    through: bool = False


class Canvas(Protocol):
    """What a tool may draw on, beside the painter."""

    def draw_outline(self, painter: QPainter, outline: MultiPolygon | None, color: QColor) -> None:
        """Draw an axial outline that is being worked on."""

    def draw_changed(self, painter: QPainter, structure: Structure, changes: Mapping[int, Outline]) -> None:
        """Draw a structure with some of its slices changed."""


class Tool:
    """What the left button does; the axial view feeds it the pointer.

    `working` is the outline while a stroke is under way: the view shows it in place of the case's. When the button is
    let go the outline becomes one step of the case; until then nothing has happened.
    """

    name = ""
    cursor = Qt.CursorShape.ArrowCursor
    has_size = False
    draws = True
    """Whether it changes the selected structure."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.radius_mm = 8.0
        self.busy = False
        self.working: Outline = None
        self._slice = 0

    def press(self, pointer: Pointer) -> None:
        """Begin a stroke, unless the structure may not change."""
        if self.draws and not self.workspace.may_change():
            return
        self.busy = True
        self._slice = self.workspace.slice_index
        self.working = self.outline()
        self.begin(pointer)

    def move(self, pointer: Pointer) -> None:
        """Go on with the stroke."""
        if self.busy:
            self.drag(pointer)

    def release(self, pointer: Pointer) -> None:
        """End the stroke: one step of undo."""
        if not self.busy:
            return
        self.end(pointer)
        self.busy = False
        working, self.working = self.working, None
        if self.draws:
            self._commit(working)

    def cancel(self) -> None:
        """Forget the stroke under way."""
        self.busy = False
        self.working = None

    def begin(self, pointer: Pointer) -> None:
        """Take the first point of a stroke."""

    def drag(self, pointer: Pointer) -> None:
        """Take the next point of a stroke."""

    def end(self, pointer: Pointer) -> None:
        """Take the last point of a stroke."""

    def draw_working(self, canvas: Canvas, painter: QPainter) -> None:
        """Draw the structure as the stroke under way has left it; the painter is in mm."""
        canvas.draw_outline(painter, self.working, self.color())

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show at the pointer what the tool will do; the painter is in mm."""

    @property
    def size_words(self) -> str:
        """What the status bar says of its size; empty if it has none."""
        return f"⌀ {2 * self.radius_mm:.1f} mm" if self.has_size else ""

    def resize(self, factor: float) -> None:
        """Change the size of the tool."""
        self.radius_mm = min(max(self.radius_mm * factor, SMALLEST_RADIUS_MM), LARGEST_RADIUS_MM)

    def outline(self) -> Outline:
        """Return the selected structure's outline on the slice shown."""
        current = self.workspace.current
        return current.structure.contours.get(self.workspace.slice_index) if current else None

    def color(self) -> QColor:
        """Return the selected structure's colour."""
        current = self.workspace.current
        return QColor(*current.structure.color_rgb) if current else QColor(160, 170, 185)

    def _commit(self, working: Outline) -> None:
        current = self.workspace.current
        if current is not None:
            self.workspace.redraw(self.name, settled(current.structure.contours, {self._slice: working}))


def settled(before: Contours, changes: Mapping[int, Outline]) -> dict[int, Outline]:
    """Return the changes of a finished stroke with needless points left out, without slices that are as they were."""
    after = {z: thinned(outline) for z, outline in changes.items()}
    return {z: outline for z, outline in after.items() if not _same(before.get(z), outline)}


def _same(before: Outline, after: Outline) -> bool:
    """Whether a stroke has changed nothing the eye could see."""
    if before is None or after is None:
        return before is after
    return float(before.symmetric_difference(after).area) < SMALLEST_MM2


def cosmetic_pen(color: QColor, width_px: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen of constant width on the screen, as wide to the eye on a screen of finer pixels."""
    ratio = QGuiApplication.primaryScreen().devicePixelRatio()
    # Round joins would cost a third more and cannot be told apart at this width.
    pen = QPen(color, width_px * ratio, style, Qt.PenCapStyle.FlatCap, Qt.PenJoinStyle.MiterJoin)
    pen.setCosmetic(True)
    return pen


def draw_proposal(painter: QPainter, outline: Outline, color: QColor) -> None:
    """Draw what would be added or taken away, not yet done: stronger filled than what is; the painter is in mm."""
    fill = QColor(color)
    fill.setAlpha(90)
    path = path_of(outline)
    painter.setBrush(fill)
    for pen in (cosmetic_pen(QColor(0, 0, 0, 150), 3.0), cosmetic_pen(color.lighter(140), 1.4)):
        painter.setPen(pen)
        painter.drawPath(path)
        painter.setBrush(Qt.BrushStyle.NoBrush)
