"""Polygons as painter paths, built in one go from their coordinates."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QDataStream, QLineF, QRectF
from PySide6.QtGui import QPainterPath
from shapely.geometry.base import BaseGeometry

# QPainterPath's own serial form (QDataStream): element count; per element its type, x and y; the index of the
# current subpath; the fill rule. Building a path point by point from Python is fifty times slower.
ELEMENT = np.dtype([("kind", ">i4"), ("x", ">f8"), ("y", ">f8")])
MOVE, LINE = 0, 1
ODD_EVEN = 0


def path_of(geometry: BaseGeometry | None) -> QPainterPath:
    """Return the rings of `geometry` as a path in its own coordinates; odd-even filling leaves holes open."""
    path = QPainterPath()
    if geometry is None or geometry.is_empty:
        return path
    rings = shapely.get_parts(geometry.boundary)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    return _path(points, np.r_[True, ring[1:] != ring[:-1]])


def path_of_points(points: NDArray[np.float64]) -> QPainterPath:
    """Return an open line through `points`."""
    return _path(points, np.arange(len(points)) == 0) if len(points) else QPainterPath()


def lines_of(segments: NDArray[np.float64]) -> list[QLineF]:
    """Return (n, 4) segments as lines."""
    return [QLineF(*segment) for segment in segments.tolist()]


def rectangles_of(corners: NDArray[np.float64]) -> list[QRectF]:
    """Return (n, 4) left, top, right, bottom as rectangles."""
    return [QRectF(left, top, right - left, bottom - top) for left, top, right, bottom in corners.tolist()]


def _path(points: NDArray[np.float64], begins: NDArray[np.bool_]) -> QPainterPath:
    elements = np.empty(len(points), ELEMENT)
    elements["kind"] = np.where(begins, MOVE, LINE)
    elements["x"], elements["y"] = points[:, 0], points[:, 1]
    count = np.array([len(points)], ">i4").tobytes()
    end = np.array([int(np.flatnonzero(begins)[-1]), ODD_EVEN], ">i4").tobytes()
    path = QPainterPath()
    QDataStream(QByteArray(count + elements.tobytes() + end)) >> path
    return path
