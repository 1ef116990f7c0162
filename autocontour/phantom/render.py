"""Anatomy to Hounsfield units and to contours, slice by slice."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np
import shapely
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from shapely import MultiPolygon

from autocontour.geometry import VolumeGeometry
from autocontour.phantom.shapes import Distances, Plane, Shape, sample
from autocontour.phantom.sketch import Anatomy, Painting

AIR_HU, SKIN_HU, SKIN_MM = -1000.0, 15.0, 1.8


def plane_of(geometry: VolumeGeometry, index: int, offset_mm: float = 0.0) -> Plane:
    """Return the voxel centres of one slice as a plane, moved along the normal by `offset_mm`."""
    (u0, v0), (dv, du) = geometry.plane_origins_uv_mm[index], geometry.pixel_spacing_vu_mm
    u, v = u0 + du * np.arange(geometry.columns), v0 + dv * np.arange(geometry.rows)
    return Plane(geometry.direction, u, v, float(geometry.slice_positions_mm[index]) + offset_mm)


def render_plane(anatomy: Anatomy, props: Painting, plane: Plane, edge_mm: float) -> tuple[Distances, Distances]:
    """Paint the patient's parts in order, cut them off at the skin, and put them before the couch and the air.

    Parameters
    ----------
    props
        What is not the patient: couch, headrest, mask.
    edge_mm
        The stretch over which a surface fades, as partial volume and the scanner's blur make it.

    Returns
    -------
    hu, depth
        Hounsfield units, and the signed distance to the skin (negative inside).
    """
    hu = _paint(anatomy.tissues, plane, edge_mm)
    depth = sample(anatomy.surface, plane)
    for outer, start_mm in ((np.float32(SKIN_HU), -SKIN_MM), (_paint(props, plane, edge_mm), 0.0)):
        outside = np.clip((depth - np.float32(start_mm)) / np.float32(edge_mm) + np.float32(0.5), 0, 1)
        hu += outside * (outer - hu)
    return hu, depth


def _paint(painting: Painting, plane: Plane, edge_mm: float) -> Distances:
    """Paint the parts in order onto air."""
    hu = np.full(plane.shape, AIR_HU, np.float32)
    for index, where, piece in painting.crowd.near(plane, edge_mm):
        fraction = painting.parts[index].shape.distance(piece) * np.float32(-1 / edge_mm)
        fraction += np.float32(0.5)
        np.clip(fraction, 0, 1, out=fraction)
        inner = hu[where]
        inner += fraction * (np.float32(painting.parts[index].level_hu) - inner)
    return hu


def contours_of(shape: Shape, geometry: VolumeGeometry, step_mm: float) -> dict[int, MultiPolygon]:
    """Cut `shape` by every slice plane, inside the image.

    Parameters
    ----------
    step_mm
        Distance of the points at which the shape is sampled; between them its surface is taken as straight, so the
        contour is off by about step² / (8 × radius of curvature).
    """
    contours = {}
    for index in range(geometry.shape_zyx[0]):
        polygons = _cut(shape, plane_of(geometry, index), geometry, step_mm)
        if not polygons.is_empty:
            contours[index] = polygons
    return contours


def _cut(shape: Shape, plane: Plane, geometry: VolumeGeometry, step_mm: float) -> MultiPolygon:
    found = plane.window(shape.box, 2 * step_mm)
    if found is None:
        return MultiPolygon()
    dv, du = geometry.pixel_spacing_vu_mm
    part = found[1]
    u = _steps(part.u[0] - du / 2, part.u[-1] + du / 2, step_mm)
    v = _steps(part.v[0] - dv / 2, part.v[-1] + dv / 2, step_mm)
    distances = shape.distance(Plane(plane.direction, u, v, plane.w))
    field = np.broadcast_to(distances, (len(v), len(u)))
    cut = contour_generator(u, v, field, fill_type=FillType.OuterOffset).filled(-1e9, 0.0)
    rings, offsets = cast("tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]", cut)
    polygons = [_polygon(points, starts) for points, starts in zip(rings, offsets, strict=True)]
    return _valid(polygons)


def _steps(start: float, stop: float, step_mm: float) -> NDArray[np.float64]:
    return np.linspace(start, stop, max(2, int(np.ceil((stop - start) / step_mm)) + 1))


def _polygon(points: NDArray[np.float64], starts: NDArray[np.uint32]) -> shapely.Polygon:
    rings = [points[a:b] for a, b in pairwise(starts.tolist())]
    return shapely.Polygon(rings[0], rings[1:])


def _valid(polygons: list[shapely.Polygon]) -> MultiPolygon:
    """Keep what has area, thinned to 0.01 mm."""
    shapes = shapely.simplify(shapely.make_valid(MultiPolygon(polygons)), 0.01)
    parts = [
        part
        for part in shapely.get_parts(shapely.make_valid(shapes))
        if part.geom_type == "Polygon" and part.area > 0.05
    ]
    return MultiPolygon(parts)
