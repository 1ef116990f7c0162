"""Points: single points of an outline dragged, added and taken out."""

from __future__ import annotations

import numpy as np
import shapely
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter
from shapely import LinearRing, MultiPolygon, Polygon

from autocontour.edits import clean
from autocontour.gui.look.language import later
from autocontour.gui.tools.base import Pointer, Tool, cosmetic_pen

CATCH_PX = 9
SHOWN_TOLERANCE_MM = 0.4
"""Only points that matter to the shape are offered: hundreds of points cannot be dragged one by one."""


class Points(Tool):
    """Drags the nearest point; a click on the line adds one; with Alt or Shift held a click takes it out."""

    identity = "points"
    name = later("Points")
    tip = later("Drag single points; Shift removes a point")
    keys = "D"
    icon = '<path d="M5 17L8 6l10 2-2 10z"/><circle cx="8" cy="6" r="2"/><circle cx="18" cy="8" r="2"/><circle cx="16" cy="18" r="2"/><circle cx="5" cy="17" r="2"/>'  # noqa: E501
    cursor = Qt.CursorShape.CrossCursor
    _rings: list[list[np.ndarray]]

    def begin(self, pointer: Pointer) -> None:
        """Take hold of a point, or of a new one on the line."""
        self._held: tuple[int, int, int] | None = None
        if self.working is None:
            return
        sparse = _sparse(self.working)
        self._rings = [[shapely.get_coordinates(r)[:-1] for r in (p.exterior, *p.interiors)] for p in sparse.geoms]
        self._held = self._nearest(pointer) or self._inserted(pointer)
        if self._held and pointer.alternate:
            p, r, i = self._held
            self._rings[p][r] = np.delete(self._rings[p][r], i, axis=0)
            self._held = None
            self._rebuild()

    def drag(self, pointer: Pointer) -> None:
        """Move the point."""
        if self._held:
            p, r, i = self._held
            self._rings[p][r][i] = pointer.at
            self._rebuild()

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show the points that can be dragged."""
        outline = self.working if self.busy else self.outline()
        if outline is None:
            return
        size = 3.2 * pointer.pixel_mm
        painter.setPen(cosmetic_pen(QColor(0, 0, 0, 200), 1.2))
        painter.setBrush(self.color().lighter(130))
        shown = outline if self.busy else _sparse(outline)
        for u, v in shapely.get_coordinates(shown).tolist():
            painter.drawEllipse(QPointF(u, v), size, size)

    def _nearest(self, pointer: Pointer) -> tuple[int, int, int] | None:
        found = []
        for p, rings in enumerate(self._rings):
            for r, points in enumerate(rings):
                distances = np.hypot(*(points - pointer.at).T)
                found.append((float(distances.min()), (p, r, int(distances.argmin()))))
        distance, where = min(found)
        return where if distance <= CATCH_PX * pointer.pixel_mm else None

    def _inserted(self, pointer: Pointer) -> tuple[int, int, int] | None:
        for p, rings in enumerate(self._rings):
            for r, points in enumerate(rings):
                ring, at = LinearRing(points), shapely.Point(pointer.at)
                if ring.distance(at) <= CATCH_PX * pointer.pixel_mm:
                    along = [ring.project(shapely.Point(point)) for point in points]
                    index = int(np.searchsorted(along, ring.project(at)))
                    rings[r] = np.insert(points, index, pointer.at, axis=0)
                    return p, r, index
        return None

    def _rebuild(self) -> None:
        rings = [[ring for ring in polygon if len(ring) >= 3] for polygon in self._rings]
        polygons = [Polygon(polygon[0], polygon[1:]) for polygon in rings if polygon]
        self.working = clean(shapely.union_all([shapely.make_valid(p) for p in polygons]))


def _sparse(outline: MultiPolygon) -> MultiPolygon:
    return clean(outline.simplify(SHOWN_TOLERANCE_MM)) or outline
