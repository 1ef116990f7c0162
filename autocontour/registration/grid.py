"""A CT on an even grid along the patient's axes, the same for every patient position, for registration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]
Mask = NDArray[np.bool_]
AIR_HU = -1000.0
MARGIN_MM = 8.0


@dataclass(frozen=True, eq=False)
class Grid:
    """An even grid along LPS.

    Attributes
    ----------
    shape_zyx
        Points along z, y, x.
    origin_lps_mm
        (3,) LPS x, y, z of the first point.
    spacing_mm
        Of all axes.
    """

    shape_zyx: tuple[int, int, int]
    origin_lps_mm: Floats
    spacing_mm: float

    def points(self) -> Floats:
        """Return the (z·y·x, 3) points, LPS in mm."""
        z, y, x = (np.arange(count) * self.spacing_mm for count in self.shape_zyx)
        grid = np.stack(np.meshgrid(z, y, x, indexing="ij"), axis=-1).reshape(-1, 3)[:, ::-1]
        points: Floats = grid + self.origin_lps_mm
        return points

    def index_of(self, points: Floats) -> Floats:
        """Return the (3, n) fractional indices z, y, x of (n, 3) LPS points."""
        index: Floats = ((points - self.origin_lps_mm) / self.spacing_mm).T[::-1]
        return index


@dataclass(frozen=True, eq=False)
class Scan:
    """A CT on such a grid; outside the body it is air, so that couch and immobilisation have no part in it.

    Attributes
    ----------
    grid
        Round the body.
    hu
        (z, y, x) float32.
    body
        The patient, within the scanned slices.
    scanned
        Where the CT has slices.
    """

    grid: Grid
    hu: Samples
    body: Mask
    scanned: Mask


def index_in(geometry: VolumeGeometry, points: Floats) -> tuple[Floats, Mask]:
    """Return the fractional voxel of LPS points, and whether they lie within the volume.

    Parameters
    ----------
    geometry
        Slices may be uneven and sheared.
    points
        (n, 3) LPS, mm.

    Returns
    -------
    index
        (3, n) z, y, x; beyond the first and last slice z is that of the slice.
    within
        (n,) within half a voxel of the volume.
    """
    uvw = geometry.to_plane(points)
    positions = geometry.slice_positions_mm
    z = np.interp(uvw[:, 2], positions, np.arange(len(positions), dtype=np.float64))
    origins = geometry.plane_origins_uv_mm
    v, u = geometry.pixel_spacing_vu_mm
    first = np.stack([np.interp(z, np.arange(len(positions)), origins[:, axis]) for axis in (0, 1)], axis=1)
    index = np.stack([z, (uvw[:, 1] - first[:, 1]) / v, (uvw[:, 0] - first[:, 0]) / u])
    half = geometry.slice_spacing_mm / 2
    within = (uvw[:, 2] >= positions[0] - half) & (uvw[:, 2] <= positions[-1] + half)
    for axis, count in ((1, geometry.rows), (2, geometry.columns)):
        within &= (index[axis] >= -0.5) & (index[axis] <= count - 0.5)
    return index, within


def points_in(geometry: VolumeGeometry, k: int, rows: slice, columns: slice) -> Floats:
    """Return the (rows·columns, 3) LPS points of a part of slice `k`."""
    v, u = geometry.pixel_spacing_vu_mm
    y, x = np.mgrid[rows, columns].reshape(2, -1)
    along = x[:, None] * u * geometry.direction[:, 0] + y[:, None] * v * geometry.direction[:, 1]
    points: Floats = geometry.slice_origins_lps_mm[k] + along
    return points


def grid_around(geometry: VolumeGeometry, body: Mask, spacing_mm: float) -> Grid:
    """Return the grid round the body of a CT."""
    found = np.argwhere(body)
    if not len(found):
        found = np.array([[0, 0, 0], np.array(body.shape) - 1])
    low, high = found.min(axis=0), found.max(axis=0)
    corners = [
        points_in(geometry, int(k), slice(int(y), int(y) + 1), slice(int(x), int(x) + 1))[0]
        for k in (low[0], high[0])
        for y in (low[1], high[1])
        for x in (low[2], high[2])
    ]
    start = np.min(corners, axis=0) - MARGIN_MM
    x, y, z = np.ceil((np.max(corners, axis=0) + MARGIN_MM - start) / spacing_mm).astype(int) + 1
    return Grid((int(z), int(y), int(x)), start, spacing_mm)


def sample_scan(ct: CTVolume, body: Mask, spacing_mm: float, grid: Grid | None = None) -> Scan:
    """Put a CT on a grid, averaging over its voxels where the grid is wider.

    Parameters
    ----------
    ct
        In any patient position.
    body
        Its patient, without couch and immobilisation, on its voxels.
    spacing_mm
        Of the grid.
    grid
        The grid; by default round the body.
    """
    grid = grid or grid_around(ct.geometry, body, spacing_mm)
    hu = np.where(body, ct.hu, np.int16(AIR_HU)).astype(np.float32)
    widths = [spacing_mm / step for step in ct.geometry.spacing_zyx_mm]
    sigmas = [0.4 * width if width > 1.2 else 0.0 for width in widths]
    if any(sigmas):
        hu = ndimage.gaussian_filter(hu, sigmas, truncate=2.5)
    index, within = index_in(ct.geometry, grid.points())
    shape = grid.shape_zyx
    levels = ndimage.map_coordinates(hu, index, np.float32, order=1, mode="nearest")
    levels[~within] = AIR_HU
    inside = ndimage.map_coordinates(body.view(np.uint8), index, np.float32, order=1, mode="nearest") >= 0.5
    return Scan(grid, levels.reshape(shape), (inside & within).reshape(shape), within.reshape(shape))


def halved(scan: Scan) -> Scan:
    """Return the scan on a grid of twice the spacing."""
    smooth = ndimage.gaussian_filter(scan.hu, 0.8, truncate=2.5)[::2, ::2, ::2]
    grid = Grid(tuple(int(n) for n in smooth.shape), scan.grid.origin_lps_mm, scan.grid.spacing_mm * 2)  # type: ignore[arg-type]
    return Scan(grid, smooth, scan.body[::2, ::2, ::2], scan.scanned[::2, ::2, ::2])
