"""Polygons as triangles, for fillings that the graphics processor draws."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon

from autocontour.gui.views.vtk_arrays import to_numpy, to_polygons, to_vtk

Floats = NDArray[np.float64]
SAME_AREA = 1e-6
"""Relative difference in area above which the triangles of a fast method are not those of the polygon."""


def triangles_of(outline: MultiPolygon) -> Floats:
    """Return (n, 3, 2) triangles that cover the polygons; holes stay open.

    VTK cuts a ring of 300 points in a tenth of the time that GEOS needs, but has no holes and fails on some rings
    without an error. The area decides whether its triangles are taken.
    """
    made = []
    for polygon in outline.geoms:
        cut = None if polygon.interiors else _ears(shapely.get_coordinates(polygon.exterior)[:-1])
        if cut is None or abs(_area(cut) - polygon.area) > SAME_AREA * polygon.area:
            parts = shapely.get_parts(shapely.constrained_delaunay_triangles(polygon))
            cut = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
        made.append(cut)
    return np.concatenate(made) if made else np.empty((0, 3, 2))


def rectangle_triangles(rectangles: Floats) -> Floats:
    """Return (2n, 3, 2) triangles of (n, 4) left, top, right, bottom."""
    left, top, right, bottom = rectangles.T
    corners = np.stack([[left, top], [right, top], [right, bottom], [left, bottom]]).transpose(2, 0, 1)
    return corners[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 2)


def line_triangles(segments: Floats, width_mm: float) -> Floats:
    """Return (2n, 3, 2) triangles of (n, 4) segments as wide lines with square ends, as Qt's painter draws them."""
    a, b = segments[:, :2], segments[:, 2:]
    along = b - a
    lengths = np.hypot(along[:, 0], along[:, 1])[:, None]
    along = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0) * (width_mm / 2)
    across = np.c_[-along[:, 1], along[:, 0]]
    corners = np.stack([a - along - across, b + along - across, b + along + across, a - along + across], axis=1)
    return corners[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 2)


def _ears(ring: Floats) -> Floats:
    """Return the triangles that VTK cuts from a ring."""
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkTriangleFilter

    points, data, cut = vtkPoints(), vtkPolyData(), vtkTriangleFilter()
    points.SetData(to_vtk(np.c_[ring, np.zeros(len(ring))]))
    data.SetPoints(points)
    data.SetPolys(to_polygons(np.arange(len(ring)), len(ring)))
    cut.SetInputData(data)
    cut.Update()
    corners: NDArray[np.intp] = to_numpy(cut.GetOutput().GetPolys().GetConnectivityArray())
    return ring[corners].reshape(-1, 3, 2)


def _area(triangles: Floats) -> float:
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return float(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2)
