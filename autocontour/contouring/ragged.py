"""Contours as flat arrays of rings, and back: every function works on all slices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from autocontour.patient.geometry import Floats, VolumeGeometry
from autocontour.patient.structures import Contours

Ints = NDArray[np.intp]
_LAST_SIMPLE_TYPE = shapely.GeometryType.POLYGON


@dataclass(frozen=True, eq=False)
class Rings:
    """Closed rings of many slices (first point repeated at the end).

    Attributes
    ----------
    points_uv_mm
        (n, 2) plane coordinates, ring after ring.
    starts
        (rings + 1,) where each ring begins in the points.
    slices
        (rings,) slice index of each ring.
    is_hole
        (rings,) a hole belongs to the last exterior before it.
    """

    points_uv_mm: Floats
    starts: Ints
    slices: Ints
    is_hole: NDArray[np.bool_]

    @property
    def ring_of_point(self) -> Ints:
        """(n,) ring that each point belongs to."""
        return np.repeat(np.arange(len(self.slices)), np.diff(self.starts))

    def doubled_areas(self) -> Floats:
        """(rings,) twice the signed area, positive where u turns towards v (mm²)."""
        return 2 * signed_areas(self.points_uv_mm, self.starts)

    def cross_products(self) -> Floats:
        """(n,) as `cross_products`; 0 at a ring's end."""
        return cross_products(self.points_uv_mm, self.starts)


@dataclass(frozen=True, eq=False)
class Edges:
    """Straight edges in voxel indices: from (y0, x0) to (y1, x1), all on slice z, of ring `ring`."""

    z: Ints
    y0: Floats
    x0: Floats
    y1: Floats
    x1: Floats
    ring: Ints


def cross_products(points_uv_mm: Floats, starts: Ints) -> Floats:
    """Return the cross product of each point and its successor in its ring, seen from the ring's first point (n,).

    From there the products are small, and exact where the points are whole.

    Parameters
    ----------
    points_uv_mm
        (n, 2) ring after ring, closed or not.
    starts
        (rings + 1,) where each ring begins in the points.
    """
    following = np.arange(1, len(points_uv_mm) + 1)
    following[starts[1:] - 1] = starts[:-1]
    u, v = (points_uv_mm - np.repeat(points_uv_mm[starts[:-1]], np.diff(starts), axis=0)).T
    products: Floats = u * v[following] - u[following] * v
    return products


def signed_areas(points_uv_mm: Floats, starts: Ints) -> Floats:
    """Return the area of every ring by the shoelace formula, positive where u turns towards v (rings,).

    Parameters are those of `cross_products`.
    """
    if len(starts) == 1:
        return np.zeros(0)
    areas: Floats = np.add.reduceat(cross_products(points_uv_mm, starts), starts[:-1]) / 2
    return areas


def rings_of(contours: Contours) -> Rings:
    """Flatten `contours`, slices ascending."""
    slices = sorted(contours)
    if not slices:
        return Rings(np.zeros((0, 2)), np.zeros(1, np.intp), np.zeros(0, np.intp), np.zeros(0, np.bool_))
    shapes = shapely.force_2d(np.array([contours[k] for k in slices], dtype=object))
    _, points, (starts, polygons, multis) = shapely.to_ragged_array(shapes)
    is_hole = np.ones(len(starts) - 1, np.bool_)
    is_hole[polygons[:-1]] = False
    rings_per_slice = np.diff(polygons[multis])
    return Rings(points, starts.astype(np.intp), np.repeat(np.array(slices, np.intp), rings_per_slice), is_hole)


def contours_of(rings: Rings) -> dict[int, shapely.MultiPolygon]:
    """Build one MultiPolygon per slice from `rings`, which are sorted by slice."""
    if not len(rings.slices):
        return {}
    polygons = np.append(np.flatnonzero(~rings.is_hole), len(rings.slices))
    slices, multis = np.unique(rings.slices[polygons[:-1]], return_index=True)
    offsets = (rings.starts, polygons, np.append(multis, len(polygons) - 1))
    shapes = shapely.from_ragged_array(shapely.GeometryType.MULTIPOLYGON, rings.points_uv_mm, offsets)
    return dict(zip(slices.tolist(), shapes, strict=True))


def polygons_of(shape: BaseGeometry | NDArray[np.object_]) -> shapely.MultiPolygon:
    """Return the polygons in a shape of any kind or in several; points, lines and empty shapes are left out."""
    parts = shapely.get_parts(shape)
    while np.any(shapely.get_type_id(parts) > _LAST_SIMPLE_TYPE):
        parts = shapely.get_parts(parts)
    return shapely.MultiPolygon([part for part in parts if isinstance(part, shapely.Polygon) and not part.is_empty])


def voxel_edges(rings: Rings, geometry: VolumeGeometry) -> Edges:
    """Return every edge of `rings` in voxel indices of `geometry`.

    Indices are rounded to 2^-20 voxel, so that a point on a voxel's centre or edge stays there despite the rounding of
    decimal millimetres.
    """
    ring = rings.ring_of_point
    slices = rings.slices[ring]
    spacing_uv_mm = np.array(geometry.pixel_spacing_vu_mm[::-1])
    x, y = np.rint((rings.points_uv_mm - geometry.plane_origins_uv_mm[slices]) / spacing_uv_mm * 2**20).T / 2**20
    first = np.ones(len(x), np.bool_)
    first[rings.starts[1:] - 1] = False
    at = np.flatnonzero(first)
    return Edges(slices[at], y[at], x[at], y[at + 1], x[at + 1], ring[at])


def drop_small(rings: Rings, area_mm2: float) -> Rings:
    """Leave out polygons and holes of less than `area_mm2`."""
    large = np.abs(rings.doubled_areas()) >= 2 * area_mm2
    polygon = np.cumsum(~rings.is_hole) - 1
    kept = large & large[~rings.is_hole][polygon] if len(large) else large
    return pick_rings(rings, kept)


def pick_rings(rings: Rings, kept: NDArray[np.bool_]) -> Rings:
    """Return the rings for which `kept` (rings,) is true."""
    if kept.all():
        return rings
    points = rings.points_uv_mm[kept[rings.ring_of_point]]
    lengths = np.diff(rings.starts)[kept]
    return Rings(points, np.concatenate(([0], np.cumsum(lengths))), rings.slices[kept], rings.is_hole[kept])


def join_rings(parts: list[Rings]) -> Rings:
    """Concatenate rings."""
    parts = [part for part in parts if len(part.slices)] or [rings_of({})]
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Rings(
        np.concatenate([part.points_uv_mm for part in parts]),
        np.concatenate(([0], np.cumsum(lengths))),
        np.concatenate([part.slices for part in parts]),
        np.concatenate([part.is_hole for part in parts]),
    )
