"""Region growing: the voxels in a range of HU, connected to a seed and inside a region.

The outline is the iso-line of the range's thresholds in the interpolated CT, not the voxel edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, label
from shapely import MultiPolygon, Point

from autocontour.base.jobs import Job
from autocontour.contouring import box_of, contours_from_probability, coverage_from_contours
from autocontour.edits.polygons import Outline, clean, intersection
from autocontour.edits.strokes import ARC_SEGMENTS, Point2
from autocontour.patient.geometry import Box, Floats, VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume

SEED_MM = 2.0
SPREADS = 3.0
LEAST_SPREAD_HU, LARGEST_SPREAD_HU = 40.0, 150.0
"""Around a seed on an edge there are two tissues: their difference is not the noise of one."""
SHARE = 0.02
"""A neighbouring tissue is used if it fills this fraction of the region."""
SPECK_VOXELS = 4
KERNEL_VOXELS = 3
RIM_VOXELS = 2


@dataclass(frozen=True)
class HURange:
    """A range of HU; an open end is infinite."""

    low_hu: float
    high_hu: float

    def depth(self, hu: NDArray[np.int16]) -> Floats:
        """Return how far inside the range each voxel lies, in HU; below zero outside."""
        values = hu.astype(np.float64)
        return np.minimum(values - self.low_hu, self.high_hu - values)

    def __str__(self) -> str:
        if np.isinf(self.low_hu):
            return f"below {self.high_hu:.0f} HU" if np.isfinite(self.high_hu) else "any HU"
        if np.isinf(self.high_hu):
            return f"above {self.low_hu:.0f} HU"
        return f"{self.low_hu:.0f} to {self.high_hu:.0f} HU"


def learn_range(ct: CTVolume, z: int, seed_uv_mm: Point2, reach_mm: float, breadth: float = 1.0) -> HURange:
    """Propose the range of the tissue at a seed: half way to the tissues around it.

    Parameters
    ----------
    ct, z
        The scan and the slice.
    seed_uv_mm
        Plane coordinates of the seed; the voxels within 2 mm of it are the tissue.
    reach_mm
        Radius of the surroundings. Darker and brighter surroundings each set one end of the
        range, half way between their median and the tissue's; where there are none the range is open.
    breadth
        Makes the range wider (above 1) or narrower about the tissue's median.
    """
    distance_mm, hu = _around(ct, z, seed_uv_mm, reach_mm)
    near = hu[distance_mm <= max(SEED_MM, distance_mm.min())]
    middle = float(np.median(near))
    noise = SPREADS * 1.4826 * float(np.median(np.abs(near - middle)))
    spread = float(np.clip(noise, LEAST_SPREAD_HU, LARGEST_SPREAD_HU))
    around = hu[distance_mm <= reach_mm]
    darker, brighter = around[around < middle - spread], around[around > middle + spread]
    enough = SHARE * len(around)
    low = (middle - float(np.median(darker))) / 2 if len(darker) > enough else np.inf
    high = (float(np.median(brighter)) - middle) / 2 if len(brighter) > enough else np.inf
    return HURange(middle - breadth * max(low, spread), middle + breadth * max(high, spread))


def disc_region(seed_uv_mm: Point2, radius_mm: float) -> MultiPolygon:
    """Return a circle around the seed."""
    return MultiPolygon([Point(seed_uv_mm).buffer(radius_mm, quad_segs=ARC_SEGMENTS)])


def ball_region(geometry: VolumeGeometry, z: int, seed_uv_mm: Point2, radius_mm: float) -> dict[int, MultiPolygon]:
    """Return a ball around the seed, on every slice it intersects."""
    squares = radius_mm**2 - (geometry.slice_positions_mm - geometry.slice_positions_mm[z]) ** 2
    return {int(k): disc_region(seed_uv_mm, float(np.sqrt(squares[k]))) for k in np.flatnonzero(squares > 0)}


def flood_slice(ct: CTVolume, z: int, seed_uv_mm: Point2, hu_range: HURange, region: MultiPolygon) -> Outline:
    """Return the region connected to the seed on one slice; None if the seed is not in the range."""
    return flood(ct, hu_range, {z: region}, (z, seed_uv_mm)).get(z)


def flood(
    ct: CTVolume,
    hu_range: HURange,
    region: Contours,
    seed: tuple[int, Point2] | None = None,
    job: Job | None = None,
) -> dict[int, MultiPolygon]:
    """Return the contours of the voxels in a range within a region.

    Parameters
    ----------
    ct
        The scan.
    hu_range
        Its ends are the thresholds of the outline.
    region
        Region to search; nothing is drawn outside.
    seed
        Slice and plane coordinates; only the voxels connected to it (through faces) are drawn. None to draw all.
    job
        Receives the progress after every slice; may cancel.

    Returns
    -------
    Contours
        Empty if no voxel, or not the seed, is in the range. Pieces and holes below four voxels are left out.
    """
    job = job or Job()
    touched = box_of(region, ct.geometry)
    if touched is None:
        return {}
    box = touched.padded((0, KERNEL_VOXELS, KERNEL_VOXELS), ct.geometry.shape_zyx)
    job.advance("searching the range", 0.0)
    mine = (hu_range.depth(ct.hu[box.slices]) > 0) & (coverage_from_contours(region, ct.geometry, box) > 0)
    if seed is not None:
        mine = _connected(mine, ct.geometry, box, *seed)
    drawn = {}
    for k in job.track(range(box.start_zyx[0], box.stop_zyx[0]), "drawing"):
        found = mine[k - box.start_zyx[0]]
        if k in region and found.any():
            outline = _traced(ct, k, found, box, hu_range)
            clipped = intersection(outline, region[k])
            if clipped is not None:
                drawn[k] = clipped
    return drawn


def _around(ct: CTVolume, z: int, at_uv_mm: Point2, reach_mm: float) -> tuple[Floats, NDArray[np.int16]]:
    """Return distances from a point, and the HU, of the voxels of a square around it (at least one)."""
    step_v, step_u = ct.geometry.pixel_spacing_vu_mm
    u0, v0 = ct.geometry.plane_origins_uv_mm[z]
    x, y = (at_uv_mm[0] - u0) / step_u, (at_uv_mm[1] - v0) / step_v
    across = [_clipped(x, reach_mm / step_u, ct.geometry.columns), _clipped(y, reach_mm / step_v, ct.geometry.rows)]
    (x0, x1), (y0, y1) = across
    columns, rows = np.arange(x0, x1), np.arange(y0, y1)[:, None]
    distance: Floats = np.hypot((columns - x) * step_u, (rows - y) * step_v)
    return distance, ct.hu[z, y0:y1, x0:x1]


def _clipped(centre: float, reach: float, count: int) -> tuple[int, int]:
    start = min(max(int(np.floor(centre - reach)), 0), count - 1)
    return start, max(min(int(np.ceil(centre + reach)) + 1, count), start + 1)


def _connected(
    inside: NDArray[np.bool_], geometry: VolumeGeometry, box: Box, z: int, at_uv_mm: Point2
) -> NDArray[np.bool_]:
    """Keep the piece at the seed; if the seed voxel itself is noise, its neighbours are used."""
    pieces: NDArray[np.integer] = label(inside)[0]
    u0, v0 = geometry.plane_origins_uv_mm[z]
    step_v, step_u = geometry.pixel_spacing_vu_mm
    y = round((at_uv_mm[1] - v0) / step_v) - box.start_zyx[1]
    x = round((at_uv_mm[0] - u0) / step_u) - box.start_zyx[2]
    k = z - box.start_zyx[0]
    if not (0 <= k < pieces.shape[0] and 0 <= y < pieces.shape[1] and 0 <= x < pieces.shape[2]):
        return np.zeros_like(inside)
    near = pieces[k, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
    number = int(pieces[k, y, x]) or int(np.bincount(near[near > 0], minlength=1).argmax())
    return (pieces == number) if number else np.zeros_like(inside)


def _traced(ct: CTVolume, k: int, found: NDArray[np.bool_], box: Box, hu_range: HURange) -> Outline:
    """Draw the iso-line of the range around the voxels found on slice `k`."""
    near = Box.around(found[None])
    assert near is not None  # there is something on this slice
    near = near.padded((0, KERNEL_VOXELS, KERNEL_VOXELS), (1, *found.shape))
    (_, y0, x0), (_, y1, x1), (_, top, left) = near.start_zyx, near.stop_zyx, box.start_zyx
    wide = Box((k, top + y0, left + x0), (k + 1, top + y1, left + x1))
    depth = hu_range.depth(ct.hu[wide.slices][0])
    # The line leaves the region before it is cut off there, so that the cut runs along the region's own edge.
    mine = binary_dilation(found[near.slices[1:]], iterations=RIM_VOXELS, mask=depth > 0)
    scale = float(np.abs(depth[np.isfinite(depth)]).max(initial=1.0))
    likeness = 0.5 + np.clip(depth / (2 * scale), -0.5, 0.5)
    likeness = np.where(mine, likeness, np.minimum(likeness, 0.5 - 1e-3))
    grid = ct.geometry.cropped(wide)
    outline = contours_from_probability(likeness[None], grid, grid, tolerance_mm=0.05).get(0)
    step_v, step_u = ct.geometry.pixel_spacing_vu_mm
    return clean(outline, SPECK_VOXELS * step_u * step_v)
