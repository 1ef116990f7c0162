"""Resampling of a CT to a network's grid along the patient's axes.

The input of the networks is always oriented head first supine: arrays run z to the head, y to the back, x to the left.
A `Frame` maps the CT's own axes to these; a `Grid` is a regular grid of the frame, to and from which arrays are
resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from autocontour.base.errors import ModelError
from autocontour.models.inference.intensity import OUTSIDE_HU
from autocontour.patient.geometry import Box, Floats, VolumeGeometry
from autocontour.patient.volume import CTVolume

Triple = tuple[float, float, float]
Weights = csr_array
SHEAR_TOLERANCE_MM = 0.01
TAPS = 8
Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class Frame:
    """The patient's axes z, y, x in terms of a CT's own w, v, u.

    Attributes
    ----------
    axes
        For the patient's z, y, x: which of the CT's axes w, v, u (0, 1, 2) it is.
    signs
        For the same: 1, or −1 where the CT's axis has the opposite direction.
    direction
        The CT's own, (3, 3), columns u, v, w.
    extent_zyx_mm
        (3, 2); edges of the scanned volume along the patient's z, y, x, including the whole voxels.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    direction: Floats
    extent_zyx_mm: Floats

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> Frame:
        """Return the frame of a CT: each of its axes is mapped to the nearest axis of the patient.

        Raises
        ------
        ModelError
            ``AC-MD-030`` if an axis of the CT is not close to one of the patient's.
        """
        cosines = geometry.direction[::-1, ::-1]  # rows z, y, x of the patient; columns w, v, u of the CT
        axes = np.abs(cosines).argmax(axis=1)
        if sorted(axes) != [0, 1, 2] or np.abs(cosines).max(axis=1).min() < np.cos(np.radians(30)):
            raise ModelError("AC-MD-030")
        signs = np.sign(cosines[np.arange(3), axes]).astype(int)
        edges = _edges_wvu_mm(geometry)[axes] * signs[:, None]
        return cls(
            (int(axes[0]), int(axes[1]), int(axes[2])),
            (int(signs[0]), int(signs[1]), int(signs[2])),
            geometry.direction,
            np.sort(edges, axis=1),
        )

    def to_patient(self, array: NDArray[Voxel]) -> NDArray[Voxel]:
        """Convert an array over the CT's w, v, u to one over the patient's z, y, x."""
        flips = tuple(slice(None, None, sign) for sign in self.signs)
        return array.transpose(self.axes)[flips]

    def to_ct(self, array: NDArray[Voxel]) -> NDArray[Voxel]:
        """Convert an array over the patient's z, y, x to one over the CT's w, v, u."""
        flips = tuple(slice(None, None, sign) for sign in self.signs)
        return array[flips].transpose(np.argsort(self.axes))


@dataclass(frozen=True)
class Grid:
    """Regular voxels along the patient's axes.

    Attributes
    ----------
    frame
        Of the CT it lies in.
    origin_zyx_mm
        Centre of its first voxel.
    spacing_zyx_mm, shape_zyx
        Its voxels.
    """

    frame: Frame
    origin_zyx_mm: Triple
    spacing_zyx_mm: Triple
    shape_zyx: tuple[int, int, int]

    @classmethod
    def over(cls, frame: Frame, spacing_zyx_mm: Triple) -> Grid:
        """Return the grid of that spacing over the whole scan, centred on it."""
        lengths = frame.extent_zyx_mm[:, 1] - frame.extent_zyx_mm[:, 0]
        shape = np.maximum(1, np.ceil(lengths / spacing_zyx_mm - 1e-3)).astype(int)
        origin = frame.extent_zyx_mm.mean(axis=1) - (shape - 1) / 2 * spacing_zyx_mm
        return cls(frame, _triple(origin), spacing_zyx_mm, (int(shape[0]), int(shape[1]), int(shape[2])))

    def positions_mm(self, axis: int) -> Floats:
        """Return the voxel centres along the patient's z (0), y (1) or x (2)."""
        return self.origin_zyx_mm[axis] + np.arange(float(self.shape_zyx[axis])) * self.spacing_zyx_mm[axis]

    def cropped(self, box: Box) -> Grid:
        """Return the grid of the voxels inside `box`, which may reach beyond this grid."""
        origin = np.add(self.origin_zyx_mm, np.multiply(box.start_zyx, self.spacing_zyx_mm))
        return Grid(self.frame, _triple(origin), self.spacing_zyx_mm, box.shape_zyx)

    def box_of(self, low_zyx_mm: Floats, high_zyx_mm: Floats) -> Box:
        """Return the voxels that intersect a range of patient space, clipped to the grid, at least one."""
        start = np.floor(np.subtract(low_zyx_mm, self.origin_zyx_mm) / self.spacing_zyx_mm + 0.5)
        stop = np.ceil(np.subtract(high_zyx_mm, self.origin_zyx_mm) / self.spacing_zyx_mm + 0.5)
        first = np.clip(start, 0, np.subtract(self.shape_zyx, 1)).astype(int)
        last = np.clip(stop, first + 1, self.shape_zyx).astype(int)
        return Box((int(first[0]), int(first[1]), int(first[2])), (int(last[0]), int(last[1]), int(last[2])))

    def edges_of(self, box: Box) -> tuple[Floats, Floats]:
        """Return the lower and the upper edges of `box` in mm along z, y, x."""
        spacing = np.asarray(self.spacing_zyx_mm)
        corner = np.asarray(self.origin_zyx_mm) - spacing / 2
        return corner + box.start_zyx * spacing, corner + box.stop_zyx * spacing

    @cached_property
    def geometry(self) -> VolumeGeometry:
        """The grid as a volume with the CT's own axes, for arrays of `Frame.to_ct`."""
        order = np.argsort(self.frame.axes)  # the patient's axis of the CT's w, v, u
        spacing = np.asarray(self.spacing_zyx_mm)[order]
        shape = np.asarray(self.shape_zyx)[order]
        signs = np.asarray(self.frame.signs)[order]
        ends = np.asarray(self.origin_zyx_mm) + np.subtract(self.shape_zyx, 1) * self.spacing_zyx_mm
        first = np.where(signs > 0, np.asarray(self.origin_zyx_mm)[order], -ends[order])
        return VolumeGeometry.regular(
            (int(shape[0]), int(shape[1]), int(shape[2])),
            _triple(spacing),
            self.frame.direction @ first[::-1],
            self.frame.direction,
        )


def sample_ct(ct: CTVolume, grid: Grid) -> NDArray[np.float32]:
    """Resample the CT to `grid`: linear where the grid is finer, averaged over its voxels where it is coarser.

    Unevenly spaced slices are used at their true positions. Voxels beyond the scan are `OUTSIDE_HU`.

    Returns
    -------
    NDArray[np.float32]
        HU over the patient's z, y, x, contiguous.
    """
    geometry = grid.geometry
    step_w = grid.spacing_zyx_mm[grid.frame.axes.index(0)]
    along_w = resampling_weights(ct.geometry.slice_positions_mm, geometry.slice_positions_mm, step_w)
    needed = np.unique(along_w.indices)
    planes = np.empty((len(needed), geometry.rows * geometry.columns), np.float32)
    origin: Floats | None = None
    for row, index in enumerate(needed):
        at = ct.geometry.plane_origins_uv_mm[index]
        if origin is None or np.abs(at - origin).max() > SHEAR_TOLERANCE_MM:
            origin, in_plane = at, _plane_weights(ct.geometry, at, geometry)
        plane = ct.hu[index].astype(np.float32)
        plane -= OUTSIDE_HU  # so that points beyond the image count as outside
        planes[row] = _sample_plane(plane, *in_plane).ravel()
    sampled: NDArray[np.float32] = (along_w[:, needed] @ planes).reshape(geometry.shape_zyx)
    sampled += OUTSIDE_HU
    return np.ascontiguousarray(grid.frame.to_patient(sampled))


def sample_mask(mask: NDArray[np.bool_], source: Grid, grid: Grid) -> NDArray[np.bool_]:
    """Resample a mask from one grid of the frame to another: linear, with a threshold of one half."""
    axes = [(source.positions_mm(axis), grid.positions_mm(axis), grid.spacing_zyx_mm[axis]) for axis in range(3)]
    z, y, x = (resampling_weights(*axis) for axis in axes)
    planes = (z @ mask.reshape(len(mask), -1).astype(np.float32)).reshape(-1, *mask.shape[1:])
    return np.stack([_sample_plane(plane, y, x) >= 0.5 for plane in planes])


def _sample_plane(plane: NDArray[np.float32], rows: Weights, columns: Weights) -> NDArray[np.float32]:
    turned = np.ascontiguousarray((rows @ plane).T)
    sampled: NDArray[np.float32] = (columns @ turned).T
    return sampled


def _plane_weights(source: VolumeGeometry, origin_uv_mm: Floats, target: VolumeGeometry) -> tuple[Weights, Weights]:
    """Return the weights along v and along u of a slice whose first voxel lies at `origin_uv_mm`."""
    weights = []
    for axis, counts in ((1, (source.rows, target.rows)), (0, (source.columns, target.columns))):
        steps = source.pixel_spacing_vu_mm[1 - axis], target.pixel_spacing_vu_mm[1 - axis]
        known = origin_uv_mm[axis] + np.arange(counts[0]) * steps[0]
        wanted = target.plane_origins_uv_mm[0, axis] + np.arange(counts[1]) * steps[1]
        weights.append(resampling_weights(known, wanted, steps[1]))
    return weights[0], weights[1]


def resampling_weights(source_mm: Floats, target_mm: Floats, target_step_mm: float) -> Weights:
    """Return the (targets, sources) matrix that resamples along one axis.

    Each row sums to one inside the source, whose voxels reach half a step beyond the last centres, and to zero
    beyond it. Sparse: threaded products of dense matrices are slow on a computer under load.
    """
    count = len(source_mm)
    rows = np.arange(len(target_mm))
    if count == 1:
        near = np.abs(target_mm - source_mm[0]) <= target_step_mm / 2
        return csr_array(near[:, None].astype(np.float32))
    steps = np.diff(source_mm)
    inside = (target_mm >= source_mm[0] - steps[0] / 2 - 1e-6) & (target_mm <= source_mm[-1] + steps[-1] / 2 + 1e-6)
    taps = TAPS if target_step_mm > np.median(steps) else 1
    matrix = np.zeros((len(target_mm), count))
    for shift in (np.arange(taps) - (taps - 1) / 2) * target_step_mm / taps:
        place = np.interp(target_mm + shift, source_mm, np.arange(count))
        lower = np.minimum(place.astype(int), count - 2)
        matrix[rows, lower] += 1 - (place - lower)
        matrix[rows, lower + 1] += place - lower
    return csr_array((matrix * inside[:, None] / taps).astype(np.float32))


def _edges_wvu_mm(geometry: VolumeGeometry) -> Floats:
    """Return (3, 2) the edges of the scanned volume along w, v, u."""
    thickness = geometry.slice_thicknesses_mm
    positions = geometry.slice_positions_mm
    w = (positions[0] - thickness[0] / 2, positions[-1] + thickness[-1] / 2)
    low, high = geometry.plane_origins_uv_mm.min(axis=0), geometry.plane_origins_uv_mm.max(axis=0)
    row_step, column_step = geometry.pixel_spacing_vu_mm
    v = (low[1] - row_step / 2, high[1] + (geometry.rows - 0.5) * row_step)
    u = (low[0] - column_step / 2, high[0] + (geometry.columns - 0.5) * column_step)
    return np.array([w, v, u])


def _triple(values: Floats) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])
