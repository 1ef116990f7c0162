"""Anatomy to Hounsfield units and to contours, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import numpy as np
import shapely
from contourpy import FillType, contour_generator
from numpy.typing import NDArray
from shapely import MultiPolygon

from autocontour.patient.geometry import VolumeGeometry
from autocontour.phantom.plane import Distances, Plane, Shape, sample
from autocontour.phantom.sketch import Anatomy, Painting

AIR_HU, SKIN_HU, SKIN_MM = -1000.0, 15.0, 1.8
SLIVER_MM2 = 1.0


def plane_of(geometry: VolumeGeometry, index: int, offset_mm: float = 0.0) -> Plane:
    """Return the voxel centres of one slice as a plane, moved along the normal by `offset_mm`."""
    (u0, v0), (dv, du) = geometry.plane_origins_uv_mm[index], geometry.pixel_spacing_vu_mm
    u, v = u0 + du * np.arange(geometry.columns), v0 + dv * np.arange(geometry.rows)
    return Plane(geometry.direction, u, v, float(geometry.slice_positions_mm[index]) + offset_mm)


def render_plane(anatomy: Anatomy, props: Painting, plane: Plane, edge_mm: float) -> tuple[Distances, Distances]:
    """Paint the patient's parts in order, clip them to the skin, and add the couch and the air.

    Parameters
    ----------
    anatomy
        The patient.
    props
        Other objects: couch, headrest, mask.
    plane
        Where.
    edge_mm
        Width of the transition at a surface, from partial volume and the scanner's blur.

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
    """Cut `shape` by every slice plane, inside the image (see `cut_plane`)."""
    cuts = {
        index: cut_plane([shape], fine_plane(geometry, index, step_mm))[0] for index in range(geometry.shape_zyx[0])
    }
    return {index: polygons for index, polygons in cuts.items() if not polygons.is_empty}


def fine_plane(geometry: VolumeGeometry, index: int, step_mm: float) -> Plane:
    """Return one slice's plane, from the outer edge of its voxels to the other, at steps of about `step_mm`."""
    pixels = plane_of(geometry, index)
    dv, du = geometry.pixel_spacing_vu_mm
    u, v = _steps(pixels.u, du, step_mm), _steps(pixels.v, dv, step_mm)
    return Plane(pixels.direction, u, v, pixels.w)


def cut_plane(shapes: Sequence[Shape], plane: Plane) -> list[MultiPolygon]:
    """Return the contours of shapes in a plane, holes as interiors.

    Between the plane's points a surface is taken as straight, so a contour is off by about step² / (8 × radius of
    curvature).
    """
    return [_cut(shape, plane) for shape in shapes]


def _cut(shape: Shape, plane: Plane) -> MultiPolygon:
    found = plane.window(shape.box, 2.0)
    if found is None or min(found[1].shape) < 2:
        return MultiPolygon()
    part = found[1]
    field = np.broadcast_to(shape.distance(part), part.shape)
    if not (field < 0).any():
        return MultiPolygon()
    cut = contour_generator(part.u, part.v, field, fill_type=FillType.OuterOffset).filled(-1e9, 0.0)
    rings, offsets = cast("tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]", cut)
    return _valid([_polygon(points, starts) for points, starts in zip(rings, offsets, strict=True)])


def _steps(centers: NDArray[np.float64], spacing_mm: float, step_mm: float) -> NDArray[np.float64]:
    start, stop = centers[0] - spacing_mm / 2, centers[-1] + spacing_mm / 2
    return np.linspace(start, stop, max(2, int(np.ceil((stop - start) / step_mm)) + 1))


def _polygon(points: NDArray[np.float64], starts: NDArray[np.uint32]) -> shapely.Polygon:
    rings = [points[a:b] for a, b in pairwise(starts.tolist())]
    return shapely.Polygon(rings[0], rings[1:])


def _valid(polygons: list[shapely.Polygon]) -> MultiPolygon:
    """Remove slivers and simplify to 0.01 mm."""
    shapes = shapely.simplify(shapely.make_valid(MultiPolygon(polygons)), 0.01)
    parts = [
        part
        for part in shapely.get_parts(shapely.make_valid(shapes))
        if part.geom_type == "Polygon" and part.area > SLIVER_MM2
    ]
    return MultiPolygon(parts)
