"""Bounding box and volume of contours."""

from __future__ import annotations

import numpy as np
import shapely

from autocontour.contouring.ragged import Edges, rings_of, voxel_edges
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours

MM3_PER_CC = 1000.0


def volume_cc(contours: Contours, geometry: VolumeGeometry) -> float:
    """Volume in cm³: the polygons' areas times the thickness along w that each slice represents.

    What lies beyond the slices of `geometry` does not count, as in a mask.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((10, 50, 50), (3.0, 1.0, 1.0))
    >>> square = shapely.MultiPolygon([shapely.box(0, 0, 20, 10)])
    >>> volume_cc({4: square, 5: square}, grid)
    1.2
    """
    slices = [k for k in sorted(contours) if 0 <= k < geometry.shape_zyx[0]]
    areas_mm2 = shapely.area([contours[k] for k in slices])
    return float(areas_mm2 @ geometry.slice_thicknesses_mm[slices]) / MM3_PER_CC if slices else 0.0


def box_of(contours: Contours, geometry: VolumeGeometry) -> Box | None:
    """Return the box of voxels that the contours' extent touches, cut at the volume's border; None if it is empty.

    Examples
    --------
    >>> grid = VolumeGeometry.regular((10, 50, 50), (3.0, 1.0, 1.0))
    >>> box_of({4: shapely.MultiPolygon([shapely.box(2, 3, 5, 9)])}, grid)
    Box(start_zyx=(4, 3, 2), stop_zyx=(5, 10, 6))
    """
    return touched_box(voxel_edges(rings_of(contours), geometry), Box((0, 0, 0), geometry.shape_zyx))


def touched_box(edges: Edges, within: Box) -> Box | None:
    """Return the box of voxels that the extent of `edges` touches, cut to `within`; None if it is empty."""
    at = np.flatnonzero((edges.z >= within.start_zyx[0]) & (edges.z < within.stop_zyx[0]))
    if not len(at):
        return None
    spans = [(int(edges.z[at].min()), int(edges.z[at].max()) + 1)]
    for values, low, high in zip((edges.y0, edges.x0), within.start_zyx[1:], within.stop_zyx[1:], strict=True):
        first, last = values[at].min(), values[at].max()
        spans.append((max(low, int(np.floor(first + 0.5))), min(high, int(np.ceil(last + 0.5)))))
    if any(start >= stop for start, stop in spans):
        return None
    (z0, z1), (y0, y1), (x0, x1) = spans
    return Box((z0, y0, x0), (z1, y1, x1))


def place_of(box: Box, outer: Box) -> tuple[slice, slice, slice]:
    """Index of `box` in an array that covers `outer`."""
    spans = zip(box.start_zyx, box.stop_zyx, outer.start_zyx, strict=True)
    z, y, x = (slice(start - origin, stop - origin) for start, stop, origin in spans)
    return z, y, x
