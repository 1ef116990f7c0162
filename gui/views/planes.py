"""The three planes a CT is looked at in, and what of the volume each shows.

Display coordinates are mm: axial shows (u, v), sagittal (v, −w), coronal (u, −w). On the screen the axial plane lies as
it was scanned; the coronal one is mirrored where needed so that the head is up and the patient's right at the left, the
sagittal one so that the head is up and the front at the left. The letters at the edges follow the mirrored axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from autocontour.gui.look.language import later, tr
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

STRAIGHT = 1 - 1e-9  # of an axis: a turn that shifts no slice visibly
TISSUE_HU, SHARE = -300, 0.005
COARSE_MM, EROSION = 5.0, 2
LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
TITLES = (later("Axial"), later("Coronal"), later("Sagittal"))


class Plane(Enum):
    """A plane of view, by the array axis it cuts across."""

    AXIAL = 0
    CORONAL = 1
    SAGITTAL = 2

    @property
    def title(self) -> str:
        """Name on the screen."""
        return tr(TITLES[self.value])


@dataclass(frozen=True)
class Extent:
    """A rectangle in display coordinates, in mm: outer edges of the voxels it holds."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class PlaneGrid:
    """How one plane cuts a volume.

    Attributes
    ----------
    extent
        What an image of the plane covers.
    rows
        For sagittal and coronal: the slice shown in each row of the image, head first; evenly spaced in mm, so that
        uneven slices keep their true positions.
    """

    plane: Plane
    geometry: VolumeGeometry
    extent: Extent
    rows: NDArray[np.intp]

    @classmethod
    def of(cls, plane: Plane, geometry: VolumeGeometry) -> PlaneGrid:
        """Build the grid of `plane` in `geometry`."""
        w = geometry.slice_positions_mm
        step_w, step_v, step_u = geometry.spacing_zyx_mm
        u0, v0 = geometry.plane_origins_uv_mm[0]
        across_u = (u0 - step_u / 2, geometry.columns * step_u)
        across_v = (v0 - step_v / 2, geometry.rows * step_v)
        if plane is Plane.AXIAL:
            extent = Extent(across_u[0], across_v[0], across_u[1], across_v[1])
            return cls(plane, geometry, extent, np.empty(0, np.intp))
        if not geometry.is_evenly_spaced:
            step_w = float(np.diff(w).min()) / 2  # so that every slice has a row of its own
        count = round((w[-1] - w[0]) / step_w) + 1
        rows = np.abs(w[None, :] - (w[-1] - np.arange(count) * step_w)[:, None]).argmin(axis=1)
        left, width = across_u if plane is Plane.CORONAL else across_v
        return cls(plane, geometry, Extent(left, -w[-1] - step_w / 2, width, count * step_w), rows)

    @property
    def count(self) -> int:
        """How many slices lie along the plane's axis."""
        return self.geometry.shape_zyx[self.plane.value]

    def extent_of(self, low_zyx: tuple[int, int, int], high_zyx: tuple[int, int, int]) -> Extent:
        """Return what the voxels from `low_zyx` to `high_zyx` cover."""
        (h1, d1), (h2, d2) = self.to_display(low_zyx), self.to_display(high_zyx)
        return Extent(min(h1, h2), min(d1, d2), abs(h2 - h1), abs(d2 - d1))

    def image(self, ct: CTVolume, index: int) -> NDArray[np.int16]:
        """Return the HU of slice `index` as a contiguous (rows, columns) image."""
        if self.plane is Plane.AXIAL:
            return np.ascontiguousarray(ct.hu[index])
        cut = ct.hu[:, index, :] if self.plane is Plane.CORONAL else ct.hu[:, :, index]
        return np.ascontiguousarray(cut[self.rows])

    def extent_at(self, index: int) -> Extent:
        """Return what the image of slice `index` covers; axial slices may be shifted against one another."""
        if self.plane is not Plane.AXIAL:
            return self.extent
        shift_u, shift_v = self.geometry.plane_origins_uv_mm[index] - self.geometry.plane_origins_uv_mm[0]
        e = self.extent
        return Extent(e.left + shift_u, e.top + shift_v, e.width, e.height)

    def position_mm(self, index: int) -> float:
        """Return w, v or u of slice `index` in mm."""
        if self.plane is Plane.AXIAL:
            return float(self.geometry.slice_positions_mm[index])
        u0, v0 = self.geometry.plane_origins_uv_mm[0]
        step_v, step_u = self.geometry.pixel_spacing_vu_mm
        return float(v0 + index * step_v if self.plane is Plane.CORONAL else u0 + index * step_u)

    @property
    def title(self) -> str:
        """Name on the screen, by the patient: of one who lies on the side the other plane is the sagittal one."""
        across = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[self.plane]
        axis = int(np.abs(self.geometry.direction[:, across]).argmax())
        return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis].title

    def describe_position(self, index: int) -> tuple[str, float]:
        """Return where slice `index` lies, for display: the patient's x, y or z in mm (LPS) with the axis' name.

        Where the scan is turned no slice has one x, y or z: then along the scan's own u, v or w.
        """
        across = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}[self.plane]
        direction = self.geometry.direction[:, across]
        axis = int(np.abs(direction).argmax())
        position = self.position_mm(index)
        if abs(direction[axis]) < STRAIGHT:
            return "uvw"[across], position
        return "xyz"[axis], position * float(np.sign(direction[axis]))

    def to_voxel(self, h: float, d: float, index: int) -> tuple[int, int, int]:
        """Return the z, y, x voxel under a point of slice `index`, clipped to the volume."""
        u0, v0 = self.geometry.plane_origins_uv_mm[index if self.plane is Plane.AXIAL else 0]
        step_v, step_u = self.geometry.pixel_spacing_vu_mm
        if self.plane is Plane.AXIAL:
            voxel = (index, round((d - v0) / step_v), round((h - u0) / step_u))
        elif self.plane is Plane.CORONAL:
            voxel = (self._nearest_slice(-d), index, round((h - u0) / step_u))
        else:
            voxel = (self._nearest_slice(-d), round((h - v0) / step_v), index)
        z, y, x = (min(max(i, 0), n - 1) for i, n in zip(voxel, self.geometry.shape_zyx, strict=True))
        return z, y, x

    def to_display(self, voxel_zyx: tuple[int, int, int]) -> tuple[float, float]:
        """Return where a voxel's centre lies on the plane."""
        z, y, x = voxel_zyx
        u0, v0 = self.geometry.plane_origins_uv_mm[z]
        step_v, step_u = self.geometry.pixel_spacing_vu_mm
        u, v, w = u0 + x * step_u, v0 + y * step_v, float(self.geometry.slice_positions_mm[z])
        return {Plane.AXIAL: (u, v), Plane.CORONAL: (u, -w), Plane.SAGITTAL: (v, -w)}[self.plane]

    def letters(self) -> tuple[str, str, str, str]:
        """Return the patient's side at the left, right, top and bottom edge of the screen."""
        sign_h, sign_d = self.signs
        across, down = self._axes()
        right, bottom = sign_h * across, sign_d * down
        return letter(-right), letter(right), letter(-bottom), letter(bottom)

    @property
    def signs(self) -> tuple[int, int]:
        """For h and d: 1 where they run to the right and downwards on the screen, −1 where they are mirrored."""
        if self.plane is Plane.AXIAL:
            return 1, 1
        across, down = self._axes()
        return -1 if letter(across) in "RA" else 1, -1 if letter(down) == "S" else 1

    def _axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the directions of h and d in the patient (LPS)."""
        axes = {Plane.AXIAL: (0, 1, 1), Plane.CORONAL: (0, 2, -1), Plane.SAGITTAL: (1, 2, -1)}[self.plane]
        return self.geometry.direction[:, axes[0]], axes[2] * self.geometry.direction[:, axes[1]]

    def _nearest_slice(self, w_mm: float) -> int:
        return int(np.abs(self.geometry.slice_positions_mm - w_mm).argmin())


def body_voxels(ct: CTVolume) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the first and last voxel of the patient, roughly: of the largest thing of tissue, without the couch.

    A couch top is a shell a few millimetres thick: on voxels of some 5 mm it is gone after an erosion of two, while the
    patient keeps together.
    """
    from scipy import ndimage

    step_v, step_u = (max(1, round(COARSE_MM / mm)) for mm in ct.geometry.pixel_spacing_vu_mm)
    step = (max(1, ct.hu.shape[0] // 24), step_v, step_u)
    tissue = ct.hu[:: step[0], :: step[1], :: step[2]] > TISSUE_HU
    inside = ndimage.binary_erosion(tissue, np.ones((1, 2 * EROSION + 1, 2 * EROSION + 1), bool))
    pieces, count = ndimage.label(inside)
    if count:
        largest = pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
        tissue = tissue & ndimage.binary_dilation(largest, np.ones((1, 2 * EROSION + 3, 2 * EROSION + 3), bool))
    low, high = [0, 0, 0], [n - 1 for n in ct.hu.shape]
    for axis in (1, 2):
        profile = tissue.mean(axis=tuple(a for a in range(3) if a != axis))
        rows = np.flatnonzero(profile > SHARE * profile.max()) if profile.max() else np.array([0, len(profile) - 1])
        low[axis], high[axis] = int(rows[0]) * step[axis], min(int(rows[-1] + 1) * step[axis], high[axis])
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def letter(direction_lps: NDArray[np.float64]) -> str:
    """Return the side of the patient that a direction points to most."""
    axis = int(np.abs(direction_lps).argmax())
    return LETTERS[axis][int(direction_lps[axis] > 0)]
