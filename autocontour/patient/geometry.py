"""Positions of voxels and slices in the patient.

Patient space is DICOM LPS in mm (PS3.3 C.7.6.2.1.1). Arrays are z, y, x and an index is a voxel's centre. Every
volume has its own *plane coordinates*: u along the rows (growing column index), v along the columns (growing row
index), w along the slice normal, all in mm from the patient's origin. They are patient coordinates rotated by the
volume's direction, so for a supine head-first scan (u, v, w) is (x, y, z) of LPS, with identical values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
SPACING_TOLERANCE = 0.01
SPACING_TOLERANCE_MM = 0.1


@dataclass(frozen=True)
class Box:
    """A box of voxels, half open: ``start_zyx`` is in it, ``stop_zyx`` is not."""

    start_zyx: tuple[int, int, int]
    stop_zyx: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index of the box in a z, y, x array."""
        z, y, x = (slice(a, b) for a, b in zip(self.start_zyx, self.stop_zyx, strict=True))
        return z, y, x

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        z, y, x = (b - a for a, b in zip(self.start_zyx, self.stop_zyx, strict=True))
        return z, y, x

    def padded(self, margin_zyx: tuple[int, int, int], shape_zyx: tuple[int, int, int]) -> Box:
        """Grow the box by `margin_zyx` voxels on every side, clipped to an array of `shape_zyx`."""
        start = tuple(max(0, a - m) for a, m in zip(self.start_zyx, margin_zyx, strict=True))
        stop = tuple(min(n, b + m) for b, m, n in zip(self.stop_zyx, margin_zyx, shape_zyx, strict=True))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> Box | None:
        """Return the smallest box that holds every true voxel of a z, y, x `mask`; None if there is none.

        Examples
        --------
        >>> mask = np.zeros((3, 10, 10), dtype=bool)
        >>> mask[1, 4:7, 2] = True
        >>> Box.around(mask)
        Box(start_zyx=(1, 4, 2), stop_zyx=(2, 7, 3))
        """
        spans = [np.flatnonzero(mask.any(axis=(1, 2)))]
        if not len(spans[0]):
            return None
        plane: NDArray[np.bool_] = np.logical_or.reduce(mask[spans[0][0] : spans[0][-1] + 1], axis=0)
        spans += [np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))]
        z, y, x = ((int(s[0]), int(s[-1]) + 1) for s in spans)
        return cls((z[0], y[0], x[0]), (z[1], y[1], x[1]))


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """The grid of a volume in the patient.

    Attributes
    ----------
    rows, columns
        Voxels along v and u in every slice.
    pixel_spacing_vu_mm
        Distance between rows (along v) and between columns (along u), in mm, as in DICOM's Pixel Spacing.
    direction
        (3, 3); columns are the LPS unit vectors of u, v and w, right-handed.
    slice_origins_lps_mm
        (slices, 3); the true centre of each slice's first voxel, ordered along w, never recomputed from a spacing.
    """

    rows: int
    columns: int
    pixel_spacing_vu_mm: tuple[float, float]
    direction: Floats
    slice_origins_lps_mm: Floats

    def __post_init__(self) -> None:
        for name in ("direction", "slice_origins_lps_mm"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def regular(
        cls,
        shape_zyx: tuple[int, int, int],
        spacing_zyx_mm: tuple[float, float, float],
        origin_lps_mm: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
    ) -> VolumeGeometry:
        """Build the geometry of evenly spaced slices that are not sheared.

        Examples
        --------
        >>> grid = VolumeGeometry.regular((4, 512, 512), (3.0, 0.9, 0.9), (-230.0, -230.0, 100.0))
        >>> grid.slice_positions_mm.tolist()
        [100.0, 103.0, 106.0, 109.0]
        >>> grid.spacing_zyx_mm
        (3.0, 0.9, 0.9)
        """
        axes = np.eye(3) if direction is None else np.asarray(direction, dtype=np.float64)
        steps = np.arange(shape_zyx[0], dtype=np.float64)[:, None] * spacing_zyx_mm[0]
        origins = np.asarray(origin_lps_mm, dtype=np.float64) + steps * axes[:, 2]
        return cls(shape_zyx[1], shape_zyx[2], (spacing_zyx_mm[1], spacing_zyx_mm[2]), axes, origins)

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        return len(self.slice_origins_lps_mm), self.rows, self.columns

    @property
    def step_to_head(self) -> int:
        """Step of the slice index towards the head: 1, or −1 where slices are ordered towards the feet.

        This is so in a feet-first supine scan, whose normal (rows × columns, PS3.3 C.7.6.2.1.1) points to the feet.
        """
        return 1 if self.direction[2, 2] >= 0 else -1

    @cached_property
    def slice_positions_mm(self) -> Floats:
        """(slices,) position w of every slice along the normal, ascending."""
        positions: Floats = self.slice_origins_lps_mm @ self.direction[:, 2]
        return positions

    @cached_property
    def plane_origins_uv_mm(self) -> Floats:
        """(slices, 2) plane coordinates u, v of every slice's first voxel centre."""
        origins: Floats = self.slice_origins_lps_mm @ self.direction[:, :2]
        return origins

    @cached_property
    def slice_spacing_mm(self) -> float:
        """Median step between neighbouring slice positions; 1.0 for a single slice, as a placeholder."""
        steps = np.diff(self.slice_positions_mm)
        return float(np.median(steps)) if len(steps) else 1.0

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Slice spacing (median), row spacing and column spacing."""
        return self.slice_spacing_mm, *self.pixel_spacing_vu_mm

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of a voxel at the median slice spacing."""
        z, y, x = self.spacing_zyx_mm
        return z * y * x

    @cached_property
    def slice_thicknesses_mm(self) -> Floats:
        """(slices,) thickness of each slice along w: half way to both neighbours, a whole step at the ends."""
        if len(self.slice_origins_lps_mm) == 1:
            return np.array([self.slice_spacing_mm])
        steps = np.diff(self.slice_positions_mm)
        thicknesses: Floats = (np.append(steps[0], steps) + np.append(steps, steps[-1])) / 2
        return thicknesses

    @property
    def is_evenly_spaced(self) -> bool:
        """Whether all slice steps are equal within 1 % and 0.1 mm."""
        steps = np.diff(self.slice_positions_mm)
        allowed = min(SPACING_TOLERANCE * self.slice_spacing_mm, SPACING_TOLERANCE_MM)
        return bool(len(steps) == 0 or np.abs(steps - self.slice_spacing_mm).max() <= allowed)

    def to_plane(self, points_lps_mm: ArrayLike) -> Floats:
        """Convert (n, 3) patient points to (n, 3) plane coordinates u, v, w.

        Examples
        --------
        >>> feet_first = VolumeGeometry.regular((2, 9, 9), (3.0, 1.0, 1.0), direction=np.diag([-1.0, 1.0, -1.0]))
        >>> feet_first.to_plane([[10.0, 20.0, 30.0]]).tolist()
        [[-10.0, 20.0, -30.0]]
        """
        turned: Floats = np.asarray(points_lps_mm, dtype=np.float64) @ self.direction
        return turned

    def to_patient(self, points_uvw_mm: ArrayLike) -> Floats:
        """Convert (n, 3) plane coordinates u, v, w to (n, 3) patient points."""
        turned: Floats = np.asarray(points_uvw_mm, dtype=np.float64) @ self.direction.T
        return turned

    def cropped(self, box: Box) -> VolumeGeometry:
        """Return the geometry of the voxels inside `box`.

        Examples
        --------
        >>> grid = VolumeGeometry.regular((4, 10, 10), (3.0, 1.0, 1.0))
        >>> part = grid.cropped(Box((1, 2, 5), (3, 6, 9)))
        >>> part.shape_zyx, part.slice_origins_lps_mm[0].tolist()
        ((2, 4, 4), [5.0, 2.0, 3.0])
        """
        z, y, x = box.start_zyx
        shift = self.direction[:, 0] * x * self.pixel_spacing_vu_mm[1]
        shift = shift + self.direction[:, 1] * y * self.pixel_spacing_vu_mm[0]
        origins = self.slice_origins_lps_mm[z : box.stop_zyx[0]] + shift
        _, rows, columns = box.shape_zyx
        return VolumeGeometry(rows, columns, self.pixel_spacing_vu_mm, self.direction, origins)
