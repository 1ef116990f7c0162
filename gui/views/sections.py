"""Where sagittal and coronal planes cut stacks of contours, exactly, without a mask.

A structure is a stack of slabs: each slice's polygon, as thick as its slice. A plane u = c cuts every polygon in
intervals of v; the outline of the cut is the ends of these intervals, and between two slices the parts that only one of
them covers. Both come from the sorted crossings of the polygons' edges with the plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FlatEdges:
    """Every edge of a structure's polygons: (n, 2) starts and ends in u, v, and each one's slice."""

    starts: Floats
    ends: Floats
    slices: NDArray[np.intp]

    @classmethod
    def of(cls, contours: Contours) -> FlatEdges:
        """Gather the edges of `contours`."""
        rings, owner = shapely.get_parts(
            shapely.boundary(np.array(list(contours.values()), dtype=object)), return_index=True
        )
        points, ring = shapely.get_coordinates(rings, return_index=True)
        if not len(points):
            return cls(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, np.intp))
        same = ring[1:] == ring[:-1]
        slices = np.array(list(contours), dtype=np.intp)[owner[ring[:-1][same]]]
        return cls(points[:-1][same], points[1:][same], slices)

    def replaced(self, changes: Mapping[int, MultiPolygon | None]) -> FlatEdges:
        """Return the edges with those of some slices replaced."""
        kept = ~np.isin(self.slices, list(changes))
        new = FlatEdges.of({z: outline for z, outline in changes.items() if outline is not None})
        return FlatEdges(
            np.vstack([self.starts[kept], new.starts]),
            np.vstack([self.ends[kept], new.ends]),
            np.concatenate([self.slices[kept], new.slices]),
        )

    def crossings(self, axis: int, position_mm: float) -> tuple[NDArray[np.intp], Floats]:
        """Return slice and coordinate of every crossing with the plane u (axis 0) or v (axis 1) = position, sorted."""
        a, b = self.starts[:, axis], self.ends[:, axis]
        hit = np.flatnonzero((a <= position_mm) != (b <= position_mm))
        a, b = a[hit], b[hit]
        other_a, other_b = self.starts[hit, 1 - axis], self.ends[hit, 1 - axis]
        at = other_a + (position_mm - a) / (b - a) * (other_b - other_a)
        order = np.lexsort((at, self.slices[hit]))
        return self.slices[hit][order], at[order]


def ring_segments(outline: MultiPolygon) -> Floats:
    """Return (n, 4) u1, v1, u2, v2 of every edge of an outline's rings."""
    points, ring = shapely.get_coordinates(shapely.get_parts(outline.boundary), return_index=True)
    same = ring[1:] == ring[:-1]
    return np.hstack([points[:-1][same], points[1:][same]])


@dataclass(frozen=True)
class Section:
    """A cut through a structure in display coordinates.

    Attributes
    ----------
    rectangles
        (n, 4) left, top, right, bottom of every slab.
    lines
        (m, 4) h1, d1, h2, d2 of the outline's lines.
    """

    rectangles: Floats
    lines: Floats


def cut(edges: FlatEdges, geometry: VolumeGeometry, axis: int, position_mm: float) -> Section:
    """Cut a structure at u (axis 0) or v (axis 1) = `position_mm`; what lies beyond the CT's slices is left out."""
    slices, at = edges.crossings(axis, position_mm)
    is_known = (slices >= 0) & (slices < len(geometry.slice_positions_mm))
    slices, at = slices[is_known], at[is_known]
    half = geometry.slice_thicknesses_mm / 2
    tops, bottoms = -(geometry.slice_positions_mm + half), -(geometry.slice_positions_mm - half)
    starts, ends, owner = at[0::2], at[1::2], slices[0::2]
    rectangles = np.c_[starts, tops[owner], ends, bottoms[owner]]
    upright = np.c_[at, tops[slices], at, bottoms[slices]]
    # Doubling every slice at its upper and its lower face, sorting, and pairing gives what only one side covers.
    faces = np.r_[slices, slices + 1]
    both = np.r_[at, at]
    order = np.lexsort((both, faces))
    faces, both = faces[order], both[order]
    heights = np.r_[bottoms, tops[-1:]][faces[0::2]]
    across = np.c_[both[0::2], heights, both[1::2], heights]
    return Section(rectangles, np.vstack([upright, across[across[:, 2] - across[:, 0] > 1e-9]]))
