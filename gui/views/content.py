"""The description of what a slice view shows: an image, its window, shapes with colours, and where they lie.

It refers to no workspace and draws nothing: every renderer gets the same one (`autocontour.gui.views.renderers`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QPainter, QPainterPath, QTransform
from shapely import MultiPolygon

from autocontour.gui.views.paths import lines_of, path_of, rectangles_of
from autocontour.gui.views.planes import Extent
from autocontour.gui.views.sections import Section, ring_segments
from autocontour.gui.views.triangles import rectangle_triangles, triangles_of
from autocontour.gui.views.windowing import Window

Floats = NDArray[np.float64]
NO_SEGMENTS: Floats = np.empty((0, 4))


@dataclass(frozen=True, eq=False)
class Shape:
    """A structure's cut with a plane, in display mm; what the renderers need of it is computed once.

    Attributes
    ----------
    outline
        The polygons of an axial slice; None in the side views.
    rectangles
        In the side views: (n, 4) left, top, right, bottom of the slabs that are filled.
    segments
        (n, 4) h1, d1, h2, d2 of the lines of the outline.
    """

    outline: MultiPolygon | None
    rectangles: Floats
    segments: Floats

    @classmethod
    def of_outline(cls, outline: MultiPolygon | None) -> Shape:
        """Return the shape of the polygons of an axial slice."""
        return cls(outline, NO_SEGMENTS, NO_SEGMENTS if outline is None else ring_segments(outline))

    @classmethod
    def of_section(cls, section: Section) -> Shape:
        """Return the shape of a sagittal or coronal cut."""
        return cls(None, section.rectangles, section.lines)

    @cached_property
    def path(self) -> QPainterPath:
        """The polygons as a path."""
        return path_of(self.outline)

    @cached_property
    def lines(self) -> list[QLineF]:
        """The segments as Qt's lines."""
        return lines_of(self.segments)

    @cached_property
    def boxes(self) -> list[QRectF]:
        """The rectangles as Qt's."""
        return rectangles_of(self.rectangles)

    @cached_property
    def triangles(self) -> Floats:
        """(n, 3, 2) triangles that cover the polygons or rectangles, holes left open."""
        return rectangle_triangles(self.rectangles) if self.outline is None else triangles_of(self.outline)


@dataclass(frozen=True, eq=False)
class ShownShape:
    """A shape and how it is shown: line width in pixels of the widget, opacity of its filling between 0 and 1."""

    shape: Shape
    color_rgb: tuple[int, int, int]
    width_px: float
    opacity: float


@dataclass(frozen=True, eq=False)
class Content:
    """The content of one plane.

    Attributes
    ----------
    hu
        (rows, columns) of the image, int16.
    extent
        What the image covers.
    shapes
        From back to front. All fillings lie below all lines.
    """

    hu: NDArray[np.int16]
    extent: Extent
    window: Window
    shapes: tuple[ShownShape, ...]


@dataclass(frozen=True)
class Frame:
    """The size of a view and the part of the plane that it shows.

    Attributes
    ----------
    width_px, height_px
        Size in logical pixels; `ratio` pixels of the screen each.
    scale
        Logical pixels per mm.
    centre_mm
        The point (h, d) in the middle of the view.
    signs
        For h and d: −1 where the axis is mirrored.
    """

    width_px: int
    height_px: int
    ratio: float
    scale: float
    centre_mm: tuple[float, float]
    signs: tuple[int, int]

    @property
    def transform(self) -> QTransform:
        """From mm to logical pixels."""
        t = QTransform.fromTranslate(self.width_px / 2, self.height_px / 2)
        t.scale(self.signs[0] * self.scale, self.signs[1] * self.scale)
        return t.translate(-self.centre_mm[0], -self.centre_mm[1])


class Renderer(Protocol):
    """Draws the content of a plane; each view has its own."""

    name: str

    def draw(self, painter: QPainter, content: Content, frame: Frame) -> None:
        """Draw image, fillings and lines on black; the painter is in logical pixels."""

    def close(self) -> None:
        """Give back what it holds of the graphics system."""
