"""Click: a click server proposes the structure from clicks inside and outside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter

from autocontour.gui.look.language import later, tr
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen
from autocontour.gui.views.planes import Plane

if TYPE_CHECKING:
    from autocontour.gui.state.clicks import Clicks

INSIDE, OUTSIDE = QColor(80, 220, 120), QColor(255, 90, 90)
MARK_PX = 5


class ClickTool(Tool):
    """Left clicks lie in the structure, with Alt or Shift beside it; what is proposed is dashed until Return."""

    identity = "click"
    name = later("Click")
    tip = later("Click into the structure, Shift: beside it; Return accepts what a click server proposes")
    keys = "Shift+G"
    icon = '<circle cx="12" cy="12" r="8" stroke-dasharray="3 2.500"/><path d="M12 9v6M9 12h6"/>'
    cursor = Qt.CursorShape.CrossCursor
    draws = False  # nothing is changed by a click; accepting is the step
    in_bar = False  # it needs a server, which few have
    clicks: Clicks | None = None

    def begin(self, pointer: Pointer) -> None:
        """Note where the click is, and whether it lies in the structure."""
        self._at_voxel = self.workspace.grids[Plane.AXIAL].to_voxel(*pointer.at, self.slice_index)
        self._is_positive, self._is_done = not pointer.alternate, False

    def end(self, pointer: Pointer) -> None:  # noqa: ARG002  (where it began)
        """Note that the button was let go."""
        self._is_done = True

    def release(self, pointer: Pointer) -> None:
        """Ask with the click once nothing is held any more."""
        was_busy = self.busy
        super().release(pointer)
        if was_busy and self._is_done and self.clicks is not None:
            self.clicks.add(self._at_voxel, positive=self._is_positive)

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Mark the clicks on the slice shown."""
        if self.clicks is None or self.workspace.ct is None:
            return
        geometry = self.workspace.ct.geometry
        step_v, step_u = geometry.pixel_spacing_vu_mm
        size = MARK_PX * pointer.pixel_mm
        for click in self.clicks.clicks:
            z, y, x = click.voxel_zyx
            if z == self.slice_index:
                u0, v0 = geometry.plane_origins_uv_mm[z]
                painter.setPen(cosmetic_pen(QColor(0, 0, 0, 200), 1.2))
                painter.setBrush(INSIDE if click.is_positive else OUTSIDE)
                painter.drawEllipse(QPointF(u0 + x * step_u, v0 + y * step_v), size, size)

    @property
    def size_words(self) -> str:
        """Whether there is a server, and whether an answer is awaited."""
        if self.clicks is None or self.clicks.session is None:
            return tr("no click server")
        return tr("asking…") if self.clicks.is_busy else self.clicks.session.model
