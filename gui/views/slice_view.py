"""A view of one plane: image, outlines, crosshair and the selected tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from autocontour.edits import Outline
from autocontour.gui.look.language import tr
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools import Navigate, Pointer, Tool
from autocontour.gui.tools.base import cosmetic_pen, draw_proposal
from autocontour.gui.views.content import Frame, Renderer
from autocontour.gui.views.painted import PaintedSlices
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.scene import Edges, Scene, crosshair_lines
from autocontour.patient.structures import Contours

LETTER_COLOR = QColor(255, 196, 84)
TEXT_COLOR = QColor(203, 213, 225)
SHADE_COLOR = QColor(0, 0, 0, 120)
CROSSHAIR_COLOR = QColor(120, 200, 255, 120)
NARROW_PX = 560
"""Below this the words at the top reach the middle."""
LONGEST_NAME_PX = 200
"""Longer names of structures are shortened in the middle: they would cover the image."""
NAME_OFFSET = QPointF(14, 14)
"""From the pointer to the name of the structure that is drawn, in pixels."""
ZOOM_STEP = 1.2
LEAST_ZOOM, MOST_ZOOM = 0.5, 40.0
ROOM, NEAREST_MM = 1.8, 120.0
"""A structure is shown with this much of its own size, but no nearer than so many millimetres across."""
Voxel = tuple[int, int, int]
WHEEL_NOTCH = 120
SCALE_BARS_MM = (200, 100, 50, 20, 10, 5, 2, 1)


class SliceView(QWidget):
    """One plane of the CT.

    Left button: the selected tool (axial), the crosshair elsewhere. Right: window and level. Middle: pan. Wheel:
    slices; with Ctrl: zoom; with Shift: size of the tool.
    """

    hovered = Signal(object)
    """(z, y, x) under the pointer, or None when it leaves."""
    enlarge_asked = Signal()
    stepped = Signal(int)
    """Tab (1) or Shift+Tab (−1) was pressed: the next structure is wanted."""
    zoomed = Signal(float)
    """It was zoomed by a factor; the other views follow."""
    resized = Signal()
    """The selected tool may have another size."""
    frame_drawn = Signal()

    def __init__(self, workspace: Workspace, plane: Plane, edges: Edges | None = None) -> None:
        super().__init__()
        self.workspace = workspace
        self.plane = plane
        self.scene = Scene(workspace, plane, edges)
        self.renderer: Renderer = PaintedSlices()
        self.tool: Tool = Navigate(workspace)
        self.zoom = 1.0
        self.centre = QPointF(0, 0)
        self.show_crosshair = True
        self.compared: Callable[[], Iterable[tuple[Contours, QPen]]] = tuple
        self._pointer = QPointF()
        self._inside = False
        self._drag_from: QPointF | None = None
        self._shown: object = None
        self._kept: QPixmap | None = None
        self._wheel = 0
        self._keys = Qt.KeyboardModifier.NoModifier
        self._proposal: tuple[Outline, QColor] = (None, TEXT_COLOR)
        self._show_name()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 100)
        workspace.ct_changed.connect(self.fit)
        workspace.ct_changed.connect(self._show_name)
        for signal in (workspace.structures_changed, workspace.selection_changed, workspace.display_changed):
            signal.connect(self.refresh)
        workspace.position_changed.connect(self._follow_position)
        workspace.window_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Ask for room."""
        return QSize(400, 300)

    def set_tool(self, tool: Tool) -> None:
        """Select another tool."""
        self.tool.cancel()
        self.tool = tool
        self.setCursor(tool.cursor)
        self.update()

    def finish_stroke(self) -> None:
        """End the stroke under way where the pointer is."""
        self.tool.release(self._pointed(self._pointer))
        self.refresh()

    @property
    def title(self) -> str:
        """Name of its plane on the screen, by the patient."""
        return self.scene.grid.title if self.scene.grid else self.plane.title

    def _show_name(self) -> None:
        self.setAccessibleName(tr("{plane} view", plane=self.title))

    def fit(self) -> None:
        """Show the whole patient."""
        if self.scene.grid:
            whole, body = self.scene.grid.extent, self.scene.grid.extent_of(*self.workspace.body_voxels)
            self.centre = QPointF(body.left + body.width / 2, body.top + body.height / 2)
            room = min(self.width() / max(body.width, 1), self.height() / max(body.height, 1))
            self.zoom = max(0.94 * room / min(self.width() / whole.width, self.height() / whole.height), 1.0)
        self.refresh()

    def focus(self, low_zyx: Voxel, high_zyx: Voxel) -> None:
        """Centre what lies between two voxels, and show it as large as leaves room round it."""
        if self.scene.grid is None:
            return
        box = self.scene.grid.extent_of(low_zyx, high_zyx)
        self.centre = QPointF(box.left + box.width / 2, box.top + box.height / 2)
        wanted = [max(ROOM * length, NEAREST_MM) for length in (box.width, box.height)]
        self._set_scale(min(self.width() / wanted[0], self.height() / wanted[1]))
        self.refresh()

    def _set_scale(self, scale: float) -> None:
        e = self.scene.grid.extent if self.scene.grid else None
        if e is not None:
            self.zoom = min(max(scale / min(self.width() / e.width, self.height() / e.height), LEAST_ZOOM), MOST_ZOOM)

    def propose(self, outline: Outline, color_rgb: tuple[int, int, int] = (255, 255, 255)) -> None:
        """Show an outline that is only asked about; None shows none."""
        self._proposal = (outline, QColor(*color_rgb))
        self.update()

    def refresh(self) -> None:
        """Draw everything anew."""
        self._shown = None
        self.update()

    @property
    def scale(self) -> float:
        """Screen pixels per mm."""
        if self.scene.grid is None:
            return 1.0
        e = self.scene.grid.extent
        return self.zoom * min(self.width() / e.width, self.height() / e.height)

    @property
    def _signs(self) -> tuple[int, int]:
        return self.scene.grid.signs if self.scene.grid else (1, 1)

    @property
    def frame(self) -> Frame:
        """What of the plane is shown, and how large."""
        ratio, centre = self.devicePixelRatioF(), (self.centre.x(), self.centre.y())
        return Frame(self.width(), self.height(), ratio, self.scale, centre, self._signs)

    def transform(self) -> QTransform:
        """Return the way from mm to pixels."""
        return self.frame.transform

    def to_mm(self, position: QPointF) -> QPointF:
        """Return where a pixel lies in mm."""
        inverse, _ = self.transform().inverted()
        return inverse.map(position)

    def to_pixels(self, h_mm: float, d_mm: float) -> QPointF:
        """Return where a point in mm lies on the widget."""
        return self.transform().map(QPointF(h_mm, d_mm))

    # Painting -------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole: a blit costs less than clipping)
        """Draw the frame: image and structures, then what moves."""
        painter = QPainter(self)
        self._draw_picture(painter)
        if self.scene.grid is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setTransform(self.transform())
            if self.tool.busy and self.tool.draws:
                self.tool.draw_working(self.scene, painter)
            draw_proposal(painter, *self._proposal)
            self._draw_crosshair(painter)
            if self._inside or self.tool.busy or not self.tool.draws:
                self.tool.paint(painter, self._pointed(self._pointer))
            painter.resetTransform()
            if self.tool.draws and (self._inside or self.tool.busy):
                self._draw_target(painter, self._pointer + NAME_OFFSET)
            self._draw_words(painter)
        painter.end()
        self.frame_drawn.emit()

    def _draw_picture(self, painter: QPainter) -> None:
        """Draw image and outlines; they are kept from the second time on, as while scrolling each is shown once."""
        space = self.workspace
        stroke = space.selected if self.tool.busy and self.tool.draws else None
        key = (self.scene.index, space.window, self.frame, stroke)
        if self._shown != key:
            self._shown, self._kept = key, None
            self._draw_content(painter, stroke)
            return
        if self._kept is None:
            ratio = self.devicePixelRatioF()
            self._kept = QPixmap(self.size() * ratio)
            self._kept.setDevicePixelRatio(ratio)
            inner = QPainter(self._kept)
            self._draw_content(inner, stroke)
            inner.end()
        painter.drawPixmap(0, 0, self._kept)

    def _draw_content(self, painter: QPainter, without: int | None) -> None:
        content = self.scene.content(without)
        if content is None:
            painter.fillRect(self.rect(), Qt.GlobalColor.black)
        else:
            self.renderer.draw(painter, content, self.frame)
            painter.setTransform(self.transform())
            self.scene.draw_dashed(painter, self.compared())
            painter.resetTransform()

    def _draw_crosshair(self, painter: QPainter) -> None:
        grid = self.scene.grid
        # In the side views the crosshair shows where the axial slice lies, also while one paints there.
        if grid is None or not self.show_crosshair or (self.tool.draws and self.plane is Plane.AXIAL):
            return
        e = grid.extent
        at = QPointF(*grid.to_display(self.workspace.position_zyx))
        painter.setPen(cosmetic_pen(CROSSHAIR_COLOR, 1))
        painter.drawLines(crosshair_lines(at, QRectF(e.left, e.top, e.width, e.height), 12 / self.scale))

    def _draw_words(self, painter: QPainter) -> None:
        grid = self.scene.grid
        if grid is None:
            return
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        w, h = self.width(), self.height()
        name, position = grid.describe_position(self.scene.index)
        title = f"{self.title}   {name} {position:.1f} mm   {self.scene.index + 1} / {grid.count}"
        _text(painter, QRectF(10, 6, w - 20, 18), Qt.AlignmentFlag.AlignLeft, title, TEXT_COLOR)
        window = self.workspace.window
        words = f"W {window.width_hu:.0f}   L {window.level_hu:.0f}"
        _text(painter, QRectF(10, h - 24, w - 20, 18), Qt.AlignmentFlag.AlignLeft, words, TEXT_COLOR)
        if self.plane is Plane.AXIAL:
            self._draw_target(painter, QPointF(10, 27))
        self._draw_letters(painter)
        self._draw_scale_bar(painter)

    def _draw_target(self, painter: QPainter, at: QPointF) -> None:
        """Write the name of the structure that tools draw, beside a square of its colour; the painter is in pixels."""
        current = self.workspace.current
        if current is None:
            name, color = tr("no structure selected"), TEXT_COLOR
        else:
            name, color = current.structure.name, QColor(*current.structure.color_rgb)
        font = QFont(self.font())
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        name = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, LONGEST_NAME_PX)
        if current is not None and current.is_protected:
            name += "   " + (tr("approved") if current.is_approved else tr("locked"))
        width = painter.fontMetrics().horizontalAdvance(name) + 18.0
        left = max(min(at.x(), self.width() - width - 6), 4.0)
        top = min(at.y(), self.height() - 22.0)
        box = QRectF(left + 16, top, width, 18)
        _text(painter, box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name, TEXT_COLOR)
        painter.setPen(QPen(QColor(0, 0, 0, 200), 1))
        painter.setBrush(color)
        painter.drawRect(QRectF(left, top + 4, 10, 10))

    def _draw_letters(self, painter: QPainter) -> None:
        assert self.scene.grid is not None  # _draw_words has asked
        font = QFont(painter.font())
        font.setPixelSize(15)
        font.setBold(True)
        painter.setFont(font)
        left, right, top, bottom = self.scene.grid.letters()
        w, h = self.width(), self.height()
        middle = Qt.AlignmentFlag.AlignCenter
        for box, side in (
            (QRectF(4, h / 2 - 12, 24, 24), left),
            (QRectF(w - 28, h / 2 - 12, 24, 24), right),
            (QRectF(w / 2 - 12, 4 if w > NARROW_PX else 24, 24, 24), top),
            (QRectF(w / 2 - 12, h - 28, 24, 24), bottom),
        ):
            _text(painter, box, middle, side, LETTER_COLOR)

    def _draw_scale_bar(self, painter: QPainter) -> None:
        longest = self.width() / 4
        mm = next((bar for bar in SCALE_BARS_MM if bar * self.scale <= longest), SCALE_BARS_MM[-1])
        right, y = self.width() - 14.0, self.height() - 12.0
        left = right - mm * self.scale
        painter.setPen(cosmetic_pen(TEXT_COLOR, 1.4))
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        for x in (left, right):
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y))
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        words = f"{mm // 10} cm" if mm >= 10 else f"{mm} mm"
        _text(
            painter, QRectF(left - 40, y - 20, right - left + 80, 14), Qt.AlignmentFlag.AlignCenter, words, TEXT_COLOR
        )

    # The mouse ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a stroke, a pan or a change of window."""
        self._track(event)
        if self.scene.grid is None:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.tool.press(self._pointed(event.position()))
            self.update()
        elif event.button() in (Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton):
            self._drag_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with it."""
        self._track(event)
        if self._drag_from is not None:
            step = event.position() - self._drag_from
            self._drag_from = event.position()
            if event.buttons() & Qt.MouseButton.MiddleButton:
                sign_h, sign_d = self._signs
                self.centre -= QPointF(sign_h * step.x(), sign_d * step.y()) / self.scale
            else:
                self.workspace.set_window(self.workspace.window.dragged(2 * step.x(), 2 * step.y()))
        elif self.tool.busy:
            self.tool.move(self._pointed(event.position()))
            self.resized.emit()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it."""
        self._track(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self.tool.release(self._pointed(event.position()))
        else:
            self._drag_from = None
        self.refresh()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Make this the large view; in the middle of drawing a second click is a stroke."""
        if self.tool.draws or event.button() != Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)
        else:
            self.enlarge_asked.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll through the slices; with Ctrl zoom; with Shift change the tool's size."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_at(event.position(), ZOOM_STEP ** (delta / WHEEL_NOTCH))
        elif event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            self.tool.resize(1.12 ** (delta / WHEEL_NOTCH))
            self.resized.emit()
            self.update()
        else:
            self._wheel += delta
            notches = int(self._wheel / WHEEL_NOTCH)
            self._wheel -= notches * WHEEL_NOTCH
            if notches and not self.workspace.is_held:
                self.workspace.step(self.plane, notches)
                self._hover(event.position())
        event.accept()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Let Tab and Shift+Tab step through the structures while a view has the focus."""
        self.stepped.emit(1 if forward else -1)
        return True

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the tool."""
        self._inside = True
        self._pointer = event.position()
        self.update()

    def leaveEvent(self, event: object) -> None:  # noqa: ARG002  (Qt's signature)
        """Hide the tool."""
        self._inside = False
        self.hovered.emit(None)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: ARG002  (Qt's signature)
        """Draw anew at the new size."""
        self._shown = None

    def zoom_at(self, position: QPointF, factor: float) -> None:
        """Zoom and keep the point under `position` where it is; the other views zoom along."""
        self._zoom_at(position, factor)
        self.zoomed.emit(factor)

    def zoom_along(self, factor: float) -> None:
        """Zoom as another view has been zoomed, and keep the crosshair where it is."""
        if self.scene.grid is not None:
            at = self.scene.grid.to_display(self.workspace.position_zyx)
            self._zoom_at(self.to_pixels(*at), factor)

    def _zoom_at(self, position: QPointF, factor: float) -> None:
        before = self.to_mm(position)
        self.zoom = min(max(self.zoom * factor, LEAST_ZOOM), MOST_ZOOM)
        self.centre += before - self.to_mm(position)
        self.update()

    def _track(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        self._keys = event.modifiers()
        self._inside = True
        self._hover(event.position())

    def _follow_position(self) -> None:
        """Draw the slice shown now, and state what lies under the pointer on it."""
        if self._inside:
            self._hover(self._pointer)
        self.update()

    def _hover(self, position: QPointF) -> None:
        grid = self.scene.grid
        if grid is None:
            return
        at, e = self.to_mm(position), grid.extent
        inside = QRectF(e.left, e.top, e.width, e.height).contains(at)
        self.hovered.emit(grid.to_voxel(at.x(), at.y(), self.scene.index) if inside else None)

    def hold(self, keys: Qt.KeyboardModifier) -> None:
        """Show at once what the keys held down make of the tool."""
        if keys != self._keys:
            self._keys = keys
            self.update()

    def _pointed(self, position: QPointF) -> Pointer:
        at = self.to_mm(position)
        takes_away = bool(self._keys & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier))
        through = bool(self._keys & Qt.KeyboardModifier.ControlModifier)
        return Pointer((at.x(), at.y()), 1 / self.scale, takes_away, through)


class CrosshairTool(Navigate):
    """Navigates in a sagittal or coronal view."""

    def __init__(self, workspace: Workspace, plane: Plane) -> None:
        super().__init__(workspace)
        self.plane = plane

    def begin(self, pointer: Pointer) -> None:
        """Put the crosshair there."""
        self.drag(pointer)

    def drag(self, pointer: Pointer) -> None:
        """Take the crosshair along."""
        index = self.workspace.position_zyx[self.plane.value]
        self.workspace.go_to(self.workspace.grids[self.plane].to_voxel(*pointer.at, index))


def _text(painter: QPainter, box: QRectF, flags: Qt.AlignmentFlag, words: str, color: QColor) -> None:
    """Write words that stay legible on any image: on a shade of their own."""
    shade = painter.boundingRect(box, flags, words).adjusted(-4, -1, 4, 1)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADE_COLOR)
    painter.drawRoundedRect(shade, 3, 3)
    painter.setPen(color)
    painter.drawText(box, flags, words)
