"""Flood: a click fills the connected region of similar HU inside a circle around the seed."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from shapely import MultiPolygon

from autocontour.base.jobs import Job
from autocontour.edits import (
    HURange,
    Outline,
    ball_region,
    difference,
    disc_region,
    flood,
    flood_slice,
    learn_range,
    union,
)
from autocontour.edits.strokes import Point2
from autocontour.gui.look.language import later, tr
from autocontour.gui.tools.base import Pointer, Stroke, Tool, cosmetic_pen, draw_proposal
from autocontour.gui.tools.brush import ERASER_COLOR
from autocontour.patient.structures import Contours

SMALLEST_MM, LARGEST_MM = 3.0, 250.0
NARROWEST, BROADEST = 0.1, 4.0
DRAG_PX = 6
"""A press that moves less than this is a click: the circle stays as large as it was."""


class Flood(Tool):
    """Adds the region connected to a seed within a range of HU; with Alt or Shift held it removes it.

    Before the click the view shows what it would take. A drag from the seed sets how far it may go, the size keys how
    wide the range is. With Ctrl it goes through the slices, inside a ball.
    """

    identity = "flood"
    name = later("Flood")
    tip = later("Fill the region like the clicked point; drag: size, [ ]: HU range, Shift: remove, Ctrl: all slices")
    keys = "W"
    icon = '<path d="M12 3c4 5 6 8 6 11a6 6 0 01-12 0c0-3 2-6 6-11z"/><path d="M9 14a3 3 0 003 3"/><circle cx="12" cy="13" r="10" stroke-dasharray="1.500 3"/>'  # noqa: E501
    cursor = Qt.CursorShape.CrossCursor
    has_size = True
    uses_control = True

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as Tool takes them
        self.radius_mm = 40.0
        self.breadth = 1.0
        self._seed: Point2 = (0.0, 0.0)
        self._takes = self._goes_through = False
        self._known: tuple[object, tuple[HURange, Outline]] | None = None

    @property
    def size_words(self) -> str:
        """The circle, and how wide the range is."""
        return tr("within ⌀ {width:.0f} mm   range × {breadth:.2f}", width=2 * self.radius_mm, breadth=self.breadth)

    def resize(self, factor: float) -> None:
        """Make the range of HU wider or narrower."""
        self.breadth = min(max(self.breadth * factor, NARROWEST), BROADEST)
        if self.busy:
            self._take()

    def begin(self, pointer: Pointer) -> None:
        """Set the seed."""
        self._seed, self._takes, self._goes_through = pointer.at, pointer.alternate, pointer.through
        self._take()

    def drag(self, pointer: Pointer) -> None:
        """Say how far it may go."""
        reach_mm = math.dist(self._seed, pointer.at)
        if reach_mm > DRAG_PX * pointer.pixel_mm:
            self.radius_mm = min(max(reach_mm, SMALLEST_MM), LARGEST_MM)
            self._take()

    def paint(self, painter: QPainter, pointer: Pointer) -> None:
        """Show what it takes, how far it may go, and the range."""
        if self.workspace.ct is None:
            return
        seed = self._seed if self.busy else pointer.at
        takes = self._takes if self.busy else pointer.alternate
        hu_range, outline = self._flooded(seed)
        color = ERASER_COLOR if takes else self.color()
        draw_proposal(painter, outline, color)
        painter.setPen(cosmetic_pen(QColor(240, 240, 240, 150), 1.0, Qt.PenStyle.DashLine))
        painter.drawEllipse(QPointF(*seed), self.radius_mm, self.radius_mm)
        words = range_in_words(hu_range)
        words = words if outline is not None else tr("nothing found: {range}", range=words)
        through = self._goes_through if self.busy else pointer.through
        write_beside(painter, QPointF(*pointer.at), tr("{range}, all slices", range=words) if through else words)

    def _take(self) -> None:
        _, found = self._flooded(self._seed)
        self.working = _joined(self.outline(), found, takes=self._takes)

    def _flooded(self, seed: Point2) -> tuple[HURange, Outline]:
        ct, z = self.workspace.ct, self.slice_index
        assert ct is not None  # there is nothing to point at without one
        key = (id(ct), z, seed, self.radius_mm, self.breadth)
        if self._known is None or self._known[0] != key:
            hu_range = learn_range(ct, z, seed, self.radius_mm, self.breadth)
            self._known = (key, (hu_range, flood_slice(ct, z, seed, hu_range, disc_region(seed, self.radius_mm))))
        return self._known[1]

    def _commit(self, stroke: Stroke, working: Outline) -> None:
        if not self._goes_through:
            super()._commit(stroke, working)
            return
        space, seed, z, radius_mm, takes = self.workspace, self._seed, stroke.slice_index, self.radius_mm, self._takes
        ct, (hu_range, _), number, contours = space.ct, self._flooded(self._seed), stroke.number, stroke.contours
        assert number is not None  # a stroke has begun
        assert ct is not None

        def compute(job: Job) -> Mapping[int, Outline]:
            region = ball_region(ct.geometry, z, seed, radius_mm)
            return joined_changes(contours, flood(ct, hu_range, region, (z, seed), job), takes=takes)

        space.background.run(self.name, (number,), compute, lambda changes: space.redraw(self.name, changes, number))


def range_in_words(hu_range: HURange) -> str:
    """Return a range of HU in the language of the window."""
    low, high = f"{hu_range.low_hu:.0f}", f"{hu_range.high_hu:.0f}"
    if math.isinf(hu_range.low_hu):
        return tr("any HU") if math.isinf(hu_range.high_hu) else tr("below {number} HU", number=high)
    if math.isinf(hu_range.high_hu):
        return tr("above {number} HU", number=low)
    return tr("{low} to {high} HU", low=low, high=high)


def joined_changes(before: Contours, found: Contours, *, takes: bool) -> dict[int, Outline]:
    """Return the slices that change when what was found is added, or taken away."""
    slices = [z for z in found if z in before] if takes else list(found)
    return {z: _joined(before.get(z), found[z], takes=takes) for z in slices}


def write_beside(painter: QPainter, at_mm: QPointF, words: str) -> None:
    """Write words beside a point; the painter is in mm, the words are in pixels."""
    at = painter.transform().map(at_mm) + QPointF(14, -10)
    painter.save()
    painter.resetTransform()
    font = QFont(painter.font())
    font.setPixelSize(12)
    font.setBold(True)
    painter.setFont(font)
    # Near the right edge the words would be cut off.
    overhang = at.x() + painter.fontMetrics().horizontalAdvance(words) + 8 - painter.window().width()
    at -= QPointF(max(overhang, 0.0), 0)
    for color, shift in ((QColor(0, 0, 0, 220), QPointF(1, 1)), (QColor(255, 221, 87), QPointF(0, 0))):
        painter.setPen(color)
        painter.drawText(at + shift, words)
    painter.restore()


def _joined(before: Outline, found: MultiPolygon | None, *, takes: bool) -> Outline:
    if found is None:
        return before
    return difference(before, found) if takes else union(before, found)
