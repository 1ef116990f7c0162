"""Sub-voxel contours of a field on the CT's own voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon

from autocontour.base.jobs import Job
from autocontour.contouring.ragged import Rings, contours_of, drop_small
from autocontour.contouring.simplify import simplify_rings
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.rules.grid import SLAB_SLICES, Field, Grid, Mask

if TYPE_CHECKING:
    from shapely import MultiPolygon
    from shapely.geometry.base import BaseGeometry

LEVEL = 0.5
NUDGE = 1e-5  # a line exactly through a sample could touch itself
TOLERANCE_MM = 0.1
SMALLEST_PIXELS = 1.0
CRUMB_MM2 = 20.0
SLIVER_MM2 = 3.0
AROUND_CELLS = 1.1  # the outline is searched up to this distance outside the cells
WITHIN_MM = 4.5  # at this depth inside the cells nothing is searched
SURE = 0.6  # of a voxel's cells belong to the structure
_IN_SLICE = ndimage.generate_binary_structure(3, 1) & np.array([False, True, False])[:, None, None]


def ramp(hu: NDArray[np.int16], level_hu: float, width_hu: float) -> Field:
    """Return 0.5 at `level_hu`, rising to 1 half a width above it and falling to 0 half a width below it.

    A negative width inverts it.
    """
    field = hu.astype(np.float32)
    field -= np.float32(level_hu)
    field /= np.float32(width_hu)
    field += np.float32(LEVEL)
    return np.clip(field, 0, 1, out=field)


def confine(field: Field, limits: Field) -> Field:
    """Keep a field below what lies around a structure and above what lies within it.

    Parameters
    ----------
    field
        (z, y, x) 0 to 1.
    limits
        The sum of both, spread over the voxels: 0 outside, 1 between, 2 within. A cell lies between the two slopes, so
        that they stay apart. Overwritten.
    """
    np.minimum(field, limits, out=field)
    limits -= 1
    return np.maximum(field, limits, out=field)


def keep_touching(field: Field, grid: Grid, sure: Mask, slab: Box) -> Field:
    """Set the spots of a field on `slab` to 0, slice by slice, in which no voxel belongs to the cells `sure`.

    The voxels in the middle of cells are checked first; most spots contain one.
    """
    spots, count = ndimage.label(field > LEVEL, _IN_SLICE)
    is_left = np.ones(count + 1, np.bool_)
    middles, is_whole = grid.whole_at_middles(sure, slab)
    is_left[spots[middles][is_whole]] = False
    is_left[0] = False  # the slopes around every spot
    if is_left.any():
        boxes = ndimage.find_objects(spots)
        parts = [_find_voxels(spots, number, boxes[number - 1]) for number in np.flatnonzero(is_left).tolist()]
        is_sure = grid.at_voxels(sure, np.concatenate(parts, axis=1) + np.array(slab.start_zyx)[:, None]) > SURE
        starts = np.cumsum([0, *(part.shape[1] for part in parts[:-1])])
        for part, is_touching in zip(parts, np.logical_or.reduceat(is_sure, starts), strict=True):
            if not is_touching:
                field[tuple(part)] = 0
    return field


def _find_voxels(spots: NDArray[Any], number: int, box: tuple[slice, ...]) -> NDArray[np.intp]:
    """Return (3, voxels) the voxels of a spot, which lies in `box`."""
    spot = np.nonzero(spots[box] == number)
    return np.stack([at + side.start for at, side in zip(spot, box, strict=True)])


def trace_cells(grid: Grid, cells: Mask, paint: Callable[[Box], Field], job: Job, name: str) -> dict[int, MultiPolygon]:
    """Outline a field where it exceeds one half, a few slices at a time.

    Between voxel centres the field is interpolated linearly, like HU across a border within a voxel (partial volume);
    beyond the cells it is 0.

    Parameters
    ----------
    grid
        The cells of the CT.
    cells
        Where the field is painted, in patient order.
    paint
        Returns the field (0 to 1) on the CT's voxels of the box it is given.
    job
        Reports progress; may cancel.
    name
        Of the structure, for the progress.

    Returns
    -------
    Contours
        Valid polygons; empty where there are no cells.
    """
    pixel_mm2 = float(np.prod(grid.ct.geometry.pixel_spacing_vu_mm))
    contours: dict[int, MultiPolygon] = {}
    for slab in job.track(grid.slabs_of(cells, SLAB_SLICES), f"drawing {name}"):
        rings = _trace_slab(paint(slab), slab, grid.ct.geometry)
        contours |= contours_of(simplify_rings(drop_small(rings, SMALLEST_PIXELS * pixel_mm2), TOLERANCE_MM))
    return contours


def _trace_slab(field: Field, slab: Box, geometry: VolumeGeometry) -> Rings:
    """Follow the line in every slice."""
    (row_mm, column_mm), (_, y0, x0) = geometry.pixel_spacing_vu_mm, slab.start_zyx
    points, lengths, slices, is_hole = [np.empty((0, 2))], [], [], []
    field[np.abs(field - LEVEL) < NUDGE] = LEVEL + NUDGE
    rows, columns = (n + 2 for n in field.shape[1:])
    x, y = np.meshgrid(np.arange(columns, dtype=np.float64), np.arange(rows, dtype=np.float64))
    around = np.zeros((rows, columns))
    for k, plane in enumerate(field, slab.start_zyx[0]):
        around[1:-1, 1:-1] = plane
        polygons, starts = _trace_plane(x, y, around)
        corner_uv = geometry.plane_origins_uv_mm[k] + ((x0 - 1) * column_mm, (y0 - 1) * row_mm)
        for polygon, offsets in zip(polygons, starts, strict=True):
            points.append(polygon * (column_mm, row_mm) + corner_uv)
            lengths.append(np.diff(offsets.astype(np.intp)))
            slices += [k] * (len(offsets) - 1)
            is_hole += [False] + [True] * (len(offsets) - 2)
    first = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.intp)
    return Rings(np.concatenate(points), first, np.array(slices, np.intp), np.array(is_hole, np.bool_))


def _trace_plane(
    x: NDArray[np.float64], y: NDArray[np.float64], plane: NDArray[np.float64]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]:
    """Return outlines in pixels, and the starts of their rings."""
    generator = contourpy.SerialContourGenerator(
        x,
        y,
        plane,
        np.zeros(plane.shape, np.bool_),
        corner_mask=False,
        line_type=contourpy.LineType.Separate,
        fill_type=contourpy.FillType.OuterOffset,
        quad_as_tri=False,
        z_interp=contourpy.ZInterp.Linear,
        x_chunk_size=0,
        y_chunk_size=0,
    )
    filled: Any = generator.filled(LEVEL, np.inf)
    return filled[0], filled[1]


def fill_holes(contours: dict[int, MultiPolygon], below_mm2: float = np.inf) -> dict[int, MultiPolygon]:
    """Fill the holes of less than `below_mm2` in every slice, with their content."""
    return {k: _fill_holes(multi, below_mm2) for k, multi in contours.items()}


def _fill_holes(multi: MultiPolygon, below_mm2: float) -> MultiPolygon:
    parts = shapely.get_parts(multi)
    if not shapely.get_num_interior_rings(parts).any():
        return multi
    filled = [_fill_part(part, below_mm2) for part in parts]
    changed = np.flatnonzero([new is not old for new, old in zip(filled, parts, strict=True)])
    if len(filled) == 1 or not len(changed):
        return shapely.MultiPolygon(filled)
    tree = shapely.STRtree(shapely.point_on_surface(parts))
    outer, inner = tree.query([filled[number] for number in changed], predicate="contains")
    is_inside = np.zeros(len(filled), np.bool_)
    is_inside[inner[inner != changed[outer]]] = True
    return shapely.MultiPolygon([part for part, inside in zip(filled, is_inside, strict=True) if not inside])


def _fill_part(part: Polygon, below_mm2: float) -> Polygon:
    holes = shapely.get_rings(part)[1:]
    if not len(holes):
        return part
    kept = holes[shapely.area(shapely.polygons(holes)) >= below_mm2]
    return part if len(kept) == len(holes) else shapely.polygons(part.exterior, kept)


def shave(multi: MultiPolygon, strip_mm: float) -> MultiPolygon:
    """Remove parts thinner than twice `strip_mm`, such as masks and couch tops attached to the skin."""
    opened = multi.buffer(-strip_mm, quad_segs=4).buffer(1.05 * strip_mm, quad_segs=4)
    thin = shapely.get_parts(multi - opened)
    thin = thin[shapely.area(thin) >= SLIVER_MM2]
    left = as_multipolygon(multi - shapely.union_all(thin)) if len(thin) else multi
    parts = shapely.get_parts(left)
    is_crumb = shapely.area(parts) < CRUMB_MM2
    return join_polygons(parts[~is_crumb]) if is_crumb.any() else left


def shave_side(multi: MultiPolygon, strip_mm: float, direction: tuple[int, int], band_mm: float) -> MultiPolygon:
    """Remove thin parts only in a band at one side of a shape: of u or v (0, 1) at its lower (-1) or higher (1) end."""
    if not multi.geoms:
        return multi
    band = as_multipolygon(shapely.intersection(multi, _side_of(multi, direction, band_mm)))
    shaved = shave(band, strip_mm)
    if shaved is band:
        return multi
    thin = shapely.intersection(band - shaved, _side_of(multi, direction, band_mm - 2 * strip_mm))
    return multi if thin.is_empty else as_multipolygon(multi - thin)


def _side_of(multi: MultiPolygon, direction: tuple[int, int], band_mm: float) -> Polygon:
    """Return the box over a band at one side of a shape."""
    axis, sign = direction
    bounds = list(multi.bounds)
    inner, outer = (axis, axis + 2) if sign > 0 else (axis + 2, axis)
    bounds[inner] = bounds[outer] - sign * band_mm
    return Polygon([(bounds[i], bounds[j]) for i, j in ((0, 1), (2, 1), (2, 3), (0, 3))])


def subtract(contours: dict[int, MultiPolygon], taken: Contours) -> dict[int, MultiPolygon]:
    """Subtract one structure from another."""
    left = {k: as_multipolygon(multi - taken[k]) if k in taken else multi for k, multi in contours.items()}
    return {k: multi for k, multi in left.items() if multi.geoms}


def as_multipolygon(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons of a shape."""
    if isinstance(shape, shapely.MultiPolygon):
        return shape
    parts = shapely.get_parts(shape)
    return join_polygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])


def join_polygons(polygons: NDArray[np.object_]) -> MultiPolygon:
    """Return polygons that have no area in common as one shape."""
    multi: Any = shapely.multipolygons(polygons)
    return cast("MultiPolygon", multi)
