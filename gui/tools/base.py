"""The frame of every tool: where the pointer is, what is being drawn, and one undo step per stroke."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import shapely
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPen
from shapely import MultiPolygon, Polygon

from autocontour.edits import Outline, difference, intersection, thinned, union
from autocontour.edits.polygons import SMALLEST_MM2
from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import tr
from autocontour.gui.views.paths import path_of
from autocontour.gui.views.planes import Plane

if TYPE_CHECKING:
    from autocontour.gui.state.workspace import Workspace
    from autocontour.patient.structures import Contours, SliceChanges, Structure

NEUTRAL_RGB = (160, 170, 185)
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


@dataclass(frozen=True, slots=True)
class Stroke:
    """What a stroke changes, fixed when the button goes down: nothing that happens meanwhile can redirect it.

    Attributes
    ----------
    number
        The structure that is drawn; None for a tool that draws nothing.
    slice_index
        The axial slice shown.
    contours
        The structure's contours before the stroke.
    color_rgb
        The structure's colour.
    """

    number: int | None
    slice_index: int
    contours: Contours
    color_rgb: tuple[int, int, int]

    @classmethod
    def of(cls, workspace: Workspace) -> Stroke:
        """Return a stroke that begins now."""
        current, z = workspace.current, workspace.slice_index
        if current is None:
            return cls(None, z, {}, NEUTRAL_RGB)
        return cls(current.structure.number, z, current.structure.contours, current.structure.color_rgb)


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

    identity = ""
    """Its name in the register."""
    name = ""
    """Its title, in English; translated where it is shown."""
    tip = ""
    """What it does, in one sentence."""
    keys = ""
    """Its keys, separated by blanks."""
    icon = ""
    """The lines of its icon: SVG elements on 24 × 24."""
    cursor = Qt.CursorShape.ArrowCursor
    has_size = False
    draws = True
    """Whether it changes the selected structure."""
    in_bar = True
    """Whether it stands in the tool bar; else it is found in the menu and by its key."""
    uses_control = False
    """Whether Ctrl means something to its strokes; else a click with Ctrl moves the crosshair."""
    plane = Plane.AXIAL
    """The plane it works in."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.radius_mm = 8.0
        self.working: Outline = None
        self.stroke: Stroke | None = None
        self._at: Point2 = (0.0, 0.0)

    @property
    def busy(self) -> bool:
        """Whether a stroke is under way."""
        return self.stroke is not None

    def press(self, pointer: Pointer) -> None:
        """Begin a stroke, unless the structure may not change or another tool is busy; Ctrl moves the crosshair."""
        if self.busy:
            self.release(pointer)  # the release of the stroke before was lost
        if pointer.through and self.draws and not self.uses_control:
            index = self.workspace.position_zyx[self.plane.value]
            self.workspace.go_to(self.workspace.grids[self.plane].to_voxel(*pointer.at, index))
            return
        if self.workspace.is_held or (self.draws and not self.workspace.may_draw()):
            return
        self.stroke = Stroke.of(self.workspace)
        self.workspace.hold(is_drawing=self.draws)
        self.working = self.outline()
        self._at = pointer.at
        self.begin(pointer)

    def move(self, pointer: Pointer) -> None:
        """Go on with the stroke."""
        if self.busy:
            self._at = pointer.at
            self.drag(pointer)

    def release(self, pointer: Pointer) -> None:
        """End the stroke: one step of undo."""
        stroke = self.stroke
        if stroke is None:
            return
        try:
            if pointer.at != self._at:
                self.drag(pointer)  # the last movement may have been left out
            self.end(pointer)
            working = self.working
        finally:
            self.cancel()
        if self.draws:
            self._commit(stroke, working)

    def cancel(self) -> None:
        """Forget the stroke under way."""
        self.working = None
        if self.stroke is not None:
            self.stroke = None
            self.workspace.let_go()

    def begin(self, pointer: Pointer) -> None:
        """Take the first point of a stroke."""

    def drag(self, pointer: Pointer) -> None:
        """Take the next point of a stroke."""

    def end(self, pointer: Pointer) -> None:
        """Take the last point of a stroke."""

    def beside(self, plane: Plane) -> Tool | None:  # noqa: ARG002  (for those that have one)
        """Return the tool that takes its place in a sagittal or coronal view; None leaves the crosshair there."""
        return None

    def draw_working(self, canvas: Canvas, painter: QPainter) -> None:
        """Draw the structure as the stroke under way has left it; the painter is in mm."""
        canvas.draw_outline(painter, self.working, self.color())

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show at the pointer what the tool will do; the painter is in mm."""

    @property
    def size_words(self) -> str:
        """What the status bar shows of its size; empty if it has none."""
        return f"⌀ {2 * self.radius_mm:.1f} mm" if self.has_size else ""

    def resize(self, factor: float) -> None:
        """Change the size of the tool."""
        self.radius_mm = min(max(self.radius_mm * factor, SMALLEST_RADIUS_MM), LARGEST_RADIUS_MM)

    def outline(self) -> Outline:
        """Return the outline that is drawn: the stroke's, or the selected structure's on the slice shown."""
        if self.stroke is not None:
            return self.stroke.contours.get(self.stroke.slice_index)
        current = self.workspace.current
        return current.structure.contours.get(self.workspace.slice_index) if current else None

    def color(self) -> QColor:
        """Return the colour of the structure that is drawn."""
        return QColor(*(self.stroke or Stroke.of(self.workspace)).color_rgb)

    @property
    def slice_index(self) -> int:
        """The axial slice that is worked on: the stroke's, or the one shown."""
        return self.workspace.slice_index if self.stroke is None else self.stroke.slice_index

    def _commit(self, stroke: Stroke, working: Outline) -> None:
        self._redraw(stroke, {stroke.slice_index: working})

    def _redraw(self, stroke: Stroke, changes: Mapping[int, Outline]) -> None:
        """Make what a stroke has changed one step of the case, without what lies outside the image."""
        space, before = self.workspace, stroke.contours
        inside = {z: within_image(before.get(z), outline, space.image_box(z)) for z, outline in changes.items()}
        after = settled(before, inside)
        is_cut = any(inside[z] is not changes[z] for z in inside)
        outside = self._words_outside_body(stroke, after)
        if space.redraw(self.name, after, stroke.number):
            cut = tr("What was drawn outside the image was left out.") if is_cut else ""
            if words := " ".join(part for part in (cut, outside) if part):
                space.notify(words)
        elif is_cut and not after:
            space.message.emit(tr("The stroke lies outside the image; nothing was drawn."), True)

    def _words_outside_body(self, stroke: Stroke, changes: SliceChanges) -> str:
        """Return how much of a stroke lies outside External, which may be intended; empty if nothing does."""
        from autocontour.qa.checks.relations import added_outside, find_external  # not while the window comes up

        state = self.workspace.state
        external = find_external([structure for structure in state.structures if structure.contours])
        if external is None or stroke.number is None or stroke.number not in state:
            return ""
        found = added_outside(external, state[stroke.number].structure, changes)
        if not found:
            return ""
        first, last, area = min(found) + 1, max(found) + 1, max(sum(found.values()) / 100, 0.1)
        slices = f"{first}" if first == last else f"{first}–{last}"
        return tr("{area} cm² of the stroke lie outside {external} (slice {slices}).", area=f"{area:.1f}",
                  external=external.name, slices=slices)  # fmt: skip


def within_image(before: Outline, after: Outline, image: Polygon) -> Outline:
    """Return `after` without what it has gained outside `image`; the very object where that is nothing."""
    if after is None or shapely.contains_properly(image, shapely.box(*after.bounds)):
        return after
    outside = difference(after, MultiPolygon([image]))
    gained = outside if before is None else difference(outside, before)
    if gained is None or gained.area < SMALLEST_MM2:
        return after
    return union(intersection(after, image), intersection(outside, before))


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
    # Round joins would cost a third more and cannot be distinguished at this width.
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
