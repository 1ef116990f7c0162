"""Navigate: the crosshair follows the pointer; a click takes the structure under it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from shapely import Point

from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool
from autocontour.gui.views.planes import Plane

CATCH_PX = 5


class Navigate(Tool):
    """Moves the crosshair and selects."""

    identity = "navigate"
    name = later("Navigate")
    tip = later("Move the crosshair; a click on an outline selects it")
    keys = "V Esc"
    icon = '<path d="M5 3l14 8-6 2-3 6z"/>'
    cursor = Qt.CursorShape.ArrowCursor
    draws = False

    def begin(self, pointer: Pointer) -> None:
        """Select what lies under the pointer and put the crosshair there."""
        number = self._under(pointer)
        if number is not None:
            self.workspace.select(number)
        self.drag(pointer)

    def drag(self, pointer: Pointer) -> None:
        """Take the crosshair along."""
        z = self.workspace.slice_index
        self.workspace.go_to(self.workspace.grids[Plane.AXIAL].to_voxel(*pointer.at, z))

    def _under(self, pointer: Pointer) -> int | None:
        """Return the structure whose outline is at the pointer, the smallest if several."""
        point, near = Point(pointer.at), []
        for structure in self.workspace.state.structures:
            outline = structure.contours.get(self.workspace.slice_index)
            if outline is None or structure.number in self.workspace.hidden:
                continue
            if outline.boundary.distance(point) <= CATCH_PX * pointer.pixel_mm:
                near.append((outline.area, structure.number))
        return min(near)[1] if near else None
