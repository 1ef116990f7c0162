"""Slices drawn by Qt's painter: no OpenGL needed (decision 5)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QRegion

from autocontour.gui.views.content import Content, Frame, ShownShape
from autocontour.gui.views.windowing import Window


class PaintedSlices:
    """Renderer of one view with a painter."""

    name = "qt"

    def __init__(self) -> None:
        self._table: tuple[Window, NDArray[np.uint8]] | None = None

    def draw(self, painter: QPainter, content: Content, frame: Frame) -> None:
        """Draw image, fillings and lines."""
        painter.save()
        e = content.extent
        covered = frame.transform.mapRect(QRectF(e.left, e.top, e.width, e.height)).adjusted(1, 1, -1, -1).toRect()
        whole = QRegion(0, 0, frame.width_px, frame.height_px)
        for band in whole.subtracted(QRegion(covered)):  # type: ignore[attr-defined]  # iterable in PySide6
            painter.fillRect(band, Qt.GlobalColor.black)
        painter.setTransform(frame.transform)
        self._draw_image(painter, content)
        paint_shapes(painter, content.shapes, frame.ratio)
        painter.restore()

    def close(self) -> None:
        """Do nothing: it holds nothing."""

    def _draw_image(self, painter: QPainter, content: Content) -> None:
        if self._table is None or self._table[0] != content.window:
            self._table = (content.window, content.window.table())
        grey = self._table[1][content.hu.view(np.uint16)]
        rows, columns = grey.shape
        image = QImage(grey.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
        e = content.extent
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        # Qt scales this format fastest, half as long again as RGB32 and twice as fast as grey.
        image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(QRectF(e.left, e.top, e.width, e.height), image)


def paint_shapes(painter: QPainter, shapes: Iterable[ShownShape], ratio: float) -> None:
    """Paint fillings, then lines; the painter is in mm, `ratio` is that of its device's pixels."""
    shapes = tuple(shapes)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    for shown in shapes:
        if shown.opacity > 0:
            painter.setBrush(QColor(*shown.color_rgb, int(255 * shown.opacity)))
            if shown.shape.outline is not None:
                painter.drawPath(shown.shape.path)
            elif shown.shape.boxes:
                painter.drawRects(shown.shape.boxes)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for shown in shapes:
        if shown.shape.lines:
            # Wide lines one by one take a sixth of the time of a path. Square ends close the corners.
            cap, join = Qt.PenCapStyle.SquareCap, Qt.PenJoinStyle.MiterJoin
            pen = QPen(QColor(*shown.color_rgb), shown.width_px * ratio, Qt.PenStyle.SolidLine, cap, join)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawLines(shown.shape.lines)
