"""The frame of every tool: where the pointer is, what is being drawn, and one undo step per stroke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPen

from autocontour.edits import Outline, thinned
from autocontour.edits.polygons import SMALLEST_MM2
from autocontour.edits.strokes import Point2

if TYPE_CHECKING:
    from autocontour.gui.workspace import Workspace

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
    """

    at: Point2
    pixel_mm: float
    alternate: bool = False


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

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show at the pointer what the tool will do; the painter is in mm."""

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
        before = self.outline()
        after = thinned(working)
        if not _same(before, after):
            self.workspace.redraw(self.name, {self._slice: after})


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
