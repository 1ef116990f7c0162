"""A CT on a network's grid: turned to the patient's axes, averaged to its spacing, cut out of the air.

The networks see every scan as if it lay head first supine: arrays run z to the head, y to the back, x to the left.
`Frame` is how the CT's own axes lie in that; a `Grid` is a regular grid of the frame, to and from which arrays go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autocontour.errors import ModelError
from autocontour.geometry import Box, Floats, VolumeGeometry
from autocontour.models.intensity import OUTSIDE_HU
from autocontour.volume import CTVolume

Triple = tuple[float, float, float]
SHEAR_TOLERANCE_MM = 0.01
CHUNK_SLICES = 16
TAPS = 8


@dataclass(frozen=True)
class Frame:
    """The patient's axes z, y, x in terms of a CT's own w, v, u.

    Attributes
    ----------
    axes
        For the patient's z, y, x: which of the CT's axes w, v, u (0, 1, 2) it is.
    signs
        For the same: 1, or −1 where the CT's axis runs the other way.
    direction
        The CT's own, (3, 3), columns u, v, w.
    extent_zyx_mm
        (3, 2); edges of the scanned volume along the patient's z, y, x, voxels whole.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    direction: Floats
    extent_zyx_mm: Floats

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> Frame:
        """Return the frame of a CT: each of its axes goes to the patient's axis that it is nearest to.

        Raises
        ------
        ModelError
            ``AC-MD-030`` if an axis of the CT is not clearly one of the patient's.
        """
        cosines = geometry.direction[::-1, ::-1]  # rows z, y, x of the patient; columns w, v, u of the CT
        axes = np.abs(cosines).argmax(axis=1)
        if sorted(axes) != [0, 1, 2] or np.abs(cosines).max(axis=1).min() < np.cos(np.radians(30)):
            raise ModelError(
                "AC-MD-030", "The CT is turned too far from the patient's axes for the networks.", "Draw it by hand."
            )
        signs = np.sign(cosines[np.arange(3), axes]).astype(int)
        edges = _edges_wvu_mm(geometry)[axes] * signs[:, None]
        return cls(
            (int(axes[0]), int(axes[1]), int(axes[2])),
            (int(signs[0]), int(signs[1]), int(signs[2])),
            geometry.direction,
            np.sort(edges, axis=1),
        )

    def to_patient(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn an array over the CT's w, v, u into one over the patient's z, y, x."""
        flips = tuple(slice(None, None, sign) for sign in self.signs)
        return array.transpose(self.axes)[flips]

    def to_ct(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn an array over the patient's z, y, x into one over the CT's w, v, u."""
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
        """Return the voxels that meet the stretch of patient space, kept within the grid, one at least."""
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
        """The grid as a volume with the CT's own axes, on which `Frame.to_ct` puts its arrays."""
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
    """Bring the CT onto `grid`: linear where the grid is finer, averaged over its voxels where it is coarser.

    Uneven slices count at their true positions. Voxels beyond the scan are `OUTSIDE_HU`.

    Returns
    -------
    NDArray[np.float32]
        HU over the patient's z, y, x, contiguous.
    """
    geometry = grid.geometry
    along_w = _weights(ct.geometry.slice_positions_mm, geometry.slice_positions_mm, geometry.slice_spacing_mm)
    needed = np.flatnonzero(along_w.any(axis=0))
    planes = np.empty((len(needed), geometry.rows, geometry.columns), np.float32)
    for first in range(0, len(needed), CHUNK_SLICES):
        chunk = needed[first : first + CHUNK_SLICES]
        planes[first : first + len(chunk)] = _sample_planes(ct, geometry, chunk)
    stacked = along_w[:, needed] @ planes.reshape(len(needed), geometry.rows * geometry.columns)
    sampled = stacked.reshape(geometry.shape_zyx)
    sampled += OUTSIDE_HU * (1 - along_w.sum(axis=1))[:, None, None]
    return np.ascontiguousarray(grid.frame.to_patient(sampled))


def _sample_planes(ct: CTVolume, target: VolumeGeometry, chunk: NDArray[np.intp]) -> NDArray[np.float32]:
    """Sample whole slices in their planes; where the stack is sheared each has its own origin."""
    origins = ct.geometry.plane_origins_uv_mm[chunk]
    if np.ptp(origins, axis=0).max() > SHEAR_TOLERANCE_MM:
        return np.concatenate([_sample_aligned(ct, target, chunk[n : n + 1]) for n in range(len(chunk))])
    return _sample_aligned(ct, target, chunk)


def _sample_aligned(ct: CTVolume, target: VolumeGeometry, chunk: NDArray[np.intp]) -> NDArray[np.float32]:
    origin, target_origin = ct.geometry.plane_origins_uv_mm[chunk[0]], target.plane_origins_uv_mm[0]
    counts = ((ct.geometry.columns, target.columns), (ct.geometry.rows, target.rows))
    weights: list[NDArray[np.float32]] = []
    used: list[slice] = []
    for axis, (count, target_count) in enumerate(counts):
        step, target_step = ct.geometry.pixel_spacing_vu_mm[1 - axis], target.pixel_spacing_vu_mm[1 - axis]
        source = origin[axis] + np.arange(count) * step
        wanted = target_origin[axis] + np.arange(target_count) * target_step
        matrix = _weights(source, wanted, target_step)
        columns = np.flatnonzero(matrix.any(axis=0))
        span = slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 0)
        weights.append(matrix[:, span])
        used.append(span)
    block: NDArray[np.float32] = ct.hu[chunk[0] : chunk[-1] + 1, used[1], used[0]].astype(np.float32)
    block -= OUTSIDE_HU  # so that what lies beyond the image counts as outside
    sampled = np.asarray(weights[1] @ block @ weights[0].T, np.float32)
    sampled += OUTSIDE_HU
    return sampled


def sample_mask(mask: NDArray[np.bool_], source: Grid, grid: Grid) -> NDArray[np.bool_]:
    """Bring a mask from one grid of the frame onto another: linear, from one half on."""
    z, y, x = (_weights(source.positions_mm(a), grid.positions_mm(a), grid.spacing_zyx_mm[a]) for a in range(3))
    planes = y @ mask.astype(np.float32) @ x.T
    values: NDArray[np.float32] = np.tensordot(z, planes, (1, 0))
    return values >= 0.5


def _weights(source_mm: Floats, target_mm: Floats, target_step_mm: float) -> NDArray[np.float32]:
    """Return the (targets, sources) matrix that resamples along one axis.

    Each row sums to one inside the source, whose voxels reach half a step beyond the last centres, and to zero
    beyond it.
    """
    count = len(source_mm)
    rows = np.arange(len(target_mm))
    if count == 1:
        near = np.abs(target_mm - source_mm[0]) <= target_step_mm / 2
        return np.asarray(near[:, None], np.float32)
    steps = np.diff(source_mm)
    inside = (target_mm >= source_mm[0] - steps[0] / 2 - 1e-6) & (target_mm <= source_mm[-1] + steps[-1] / 2 + 1e-6)
    taps = TAPS if target_step_mm > np.median(steps) else 1
    matrix = np.zeros((len(target_mm), count))
    for shift in (np.arange(taps) - (taps - 1) / 2) * target_step_mm / taps:
        place = np.interp(target_mm + shift, source_mm, np.arange(count))
        lower = np.minimum(place.astype(int), count - 2)
        matrix[rows, lower] += 1 - (place - lower)
        matrix[rows, lower + 1] += place - lower
    weights: NDArray[np.float32] = (matrix * inside[:, None] / taps).astype(np.float32)
    return weights


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
