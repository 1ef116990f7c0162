"""A coarse grid of a CT, along the patient's axes.

Rules search for anatomy on cells of about 3 mm, which is fast and needs little memory, and compute the outline on the
CT's own voxels. Arrays of cells are in *patient order*: axis 0 is towards the head, 1 towards the back, 2 towards the
left, for every patient position and order of slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.dicom.field import find_outside_field
from autocontour.patient.geometry import Box
from autocontour.patient.volume import CTVolume

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

CELL_MM = 2.9  # cells are as close to this as whole voxels allow
SLAB_SLICES = 16  # read at once; bounds the memory of long scans


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells over a CT.

    Attributes
    ----------
    ct
        The volume.
    """

    ct: CTVolume

    @cached_property
    def step_zyx(self) -> tuple[int, int, int]:
        """Voxels per cell along the CT's own z, y, x."""
        z, y, x = (max(1, round(CELL_MM / mm)) for mm in self.ct.geometry.spacing_zyx_mm)
        return z, y, x

    @cached_property
    def _order(self) -> tuple[tuple[int, ...], tuple[slice, ...]]:
        """Which array axis runs along each patient axis, and the flips that follow."""
        along = self.ct.geometry.direction[::-1, ::-1]  # rows: to head, back, left; columns: array axes z, y, x
        axes = max(permutations(range(3)), key=lambda p: sum(abs(along[i, a]) for i, a in enumerate(p)))
        return axes, tuple(slice(None, None, 1 if along[i, a] > 0 else -1) for i, a in enumerate(axes))

    def to_patient_order(self, array: NDArray[Any]) -> NDArray[Any]:
        """View an array in the CT's order in patient order."""
        axes, flips = self._order
        return array.transpose(axes)[flips]

    def to_ct_order(self, array: NDArray[Any]) -> NDArray[Any]:
        """View an array in patient order in the CT's order."""
        axes, flips = self._order
        return array[flips].transpose(np.argsort(axes))

    def direction_in_slice(self, patient_axis: int, sign: int) -> tuple[int, int] | None:
        """Return which of u, v (0, 1) runs along a patient axis, and its sign; None if that is across the slices."""
        axes, flips = self._order
        along = 2 - axes[patient_axis]
        return None if along == 2 else (along, -sign if flips[patient_axis].step == -1 else sign)

    @cached_property
    def cell_mm(self) -> tuple[float, float, float]:
        """Size of a cell to the head, to the back and to the left."""
        size = np.multiply(self.step_zyx, self.ct.geometry.spacing_zyx_mm)
        head, back, left = (float(size[axis]) for axis in self._order[0])
        return head, back, left

    @cached_property
    def cell_cc(self) -> float:
        """Volume of a cell."""
        return float(np.prod(self.cell_mm)) / 1000

    @cached_property
    def hu(self) -> NDArray[np.int16]:
        """Mean HU of every cell, in patient order."""
        step = self.step_zyx
        rows = max(1, SLAB_SLICES // step[0]) * step[0]
        parts = [_shrink(self.ct.hu[z : z + rows], step) for z in range(0, len(self.ct.hu), rows)]
        return np.ascontiguousarray(self.to_patient_order(np.concatenate(parts)))

    @cached_property
    def _outside_field(self) -> Mask | None:
        """(1 or slices, rows, columns) voxels outside the field of view; detected if not given."""
        field = self.ct.outside_field
        return find_outside_field(list(self.ct.hu)) if field is None else field

    @cached_property
    def outside(self) -> Mask:
        """Cells, in patient order, partly outside the field of view."""
        field = self._outside_field
        if field is None:
            return np.zeros(self.hu.shape, np.bool_)
        step = (self.step_zyx[0] if len(field) > 1 else 1, *self.step_zyx[1:])
        starts = [np.arange(0, n, s) for n, s in zip(field.shape, step, strict=True)]
        cells = field
        for axis, at in enumerate(starts):
            cells = np.logical_or.reduceat(cells, at, axis=axis)
        shape = self.to_ct_order(self.hu).shape
        return np.ascontiguousarray(self.to_patient_order(np.broadcast_to(cells, shape)))

    @cached_property
    def edge(self) -> Mask:
        """Cells, in patient order, at the edge of the field of view: of the image, or of what was measured in it."""
        field = ~self.to_ct_order(self.outside)
        inner = np.zeros_like(field)
        inner[:, 1:-1, 1:-1] = (
            field[:, 1:-1, 1:-1] & field[:, :-2, 1:-1] & field[:, 2:, 1:-1] & field[:, 1:-1, :-2] & field[:, 1:-1, 2:]
        )
        return np.ascontiguousarray(self.to_patient_order(field & ~inner))

    def erase_outside(self, field: Field, box: Box) -> Field:
        """Set a field on the voxels of `box` to 0 outside the field of view."""
        outside = self._outside_field
        if outside is not None:
            slices = box.slices if len(outside) > 1 else (slice(None), *box.slices[1:])
            field[np.broadcast_to(outside[slices], field.shape)] = 0
        return field

    def slices_of(self, cells: Mask) -> tuple[int, ...]:
        """Return the CT's slices on which any of `cells` (patient order) is set."""
        rows = self.to_ct_order(cells).any(axis=(1, 2))
        return tuple(np.flatnonzero(np.repeat(rows, self.step_zyx[0])[: len(self.ct.hu)]).tolist())

    def slices_along(self, first: int, last: int) -> tuple[int, ...]:
        """Return the CT's slices on slices `first` to `last` of cells; for slices across the patient's axis: all."""
        cells = np.zeros(self.hu.shape, np.bool_)
        cells[first : last + 1] = True
        return self.slices_of(cells)

    def box_of(self, cells: Mask) -> Box | None:
        """Return the voxels of the CT under `cells` (patient order) and one cell around them."""
        box = Box.around(self.to_ct_order(cells))
        if box is None:
            return None
        start = [(a - 1) * s for a, s in zip(box.start_zyx, self.step_zyx, strict=True)]
        stop = [(b + 1) * s for b, s in zip(box.stop_zyx, self.step_zyx, strict=True)]
        fine = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        return fine.padded((0, 0, 0), self.ct.hu.shape)

    def slabs_of(self, cells: Mask, slices: int) -> list[Box]:
        """Return boxes of at most so many slices that together hold the voxels under `cells` and one cell around."""
        whole = self.box_of(cells)
        if whole is None:
            return []
        slabs = []
        for start in range(whole.start_zyx[0], whole.stop_zyx[0], slices):
            stop = min(start + slices, whole.stop_zyx[0])
            some = np.zeros_like(self.to_ct_order(cells))
            rows = slice(max(0, start // self.step_zyx[0] - 1), stop // self.step_zyx[0] + 2)
            some[rows] = self.to_ct_order(cells)[rows]
            box = self.box_of(self.to_patient_order(some))
            if box is not None:
                slabs.append(Box((start, *box.start_zyx[1:]), (stop, *box.stop_zyx[1:])))
        return slabs

    def spread(self, cells: NDArray[Any], box: Box) -> Field:
        """Interpolate `cells` (patient order) linearly at the CT's voxels inside `box`."""
        field = self.to_ct_order(cells)
        for axis in (0, 2, 1):  # columns before rows: copying whole rows is faster
            start, stop, step = box.start_zyx[axis], box.stop_zyx[axis], self.step_zyx[axis]
            field = _interpolate(field, axis, (np.arange(start, stop) - (step - 1) / 2) / step)
        return field.astype(np.float32, copy=False)

    def whole_at_middles(self, cells: Mask, box: Box) -> tuple[tuple[slice, slice, slice], Mask]:
        """Return where in `box` the middle voxels of cells lie, and at which of them `spread` of `cells` is 1.

        Of an even number of voxels the one before the middle is taken, whose value depends on the cell before it too.
        """
        voxels, whole = [], self.to_ct_order(cells)
        for axis, (start, stop, step) in enumerate(zip(box.start_zyx, box.stop_zyx, self.step_zyx, strict=True)):
            middle = (step - 1) // 2
            first, last = -(-(start - middle) // step), -(-(stop - middle) // step)
            voxels.append(slice(first * step + middle - start, None, step))
            at = np.arange(first, last)
            here = whole.take(at, axis)
            whole = here if step % 2 else here & whole.take(np.maximum(at - 1, 0), axis)
        return (voxels[0], voxels[1], voxels[2]), whole

    def at_voxels(self, cells: Mask, voxels_zyx: NDArray[np.intp]) -> Field:
        """Interpolate `cells` (patient order) linearly at (3, n) voxels of the CT."""
        step = np.array(self.step_zyx)[:, None]
        at = (voxels_zyx - (step - 1) / 2) / step
        start = np.maximum(np.floor(at.min(axis=1)), 0).astype(np.intp)
        stop = np.ceil(at.max(axis=1)).astype(np.intp) + 1
        field = self.to_ct_order(cells)[tuple(map(slice, start, stop))].astype(np.float32)
        values: Field = ndimage.map_coordinates(field, at - start[:, None], np.float32, order=1, mode="nearest")
        return values

    def voxels_at(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert (3, …) positions in cells (patient order) to positions in voxels of the CT's array."""
        axes, flips = self._order
        voxels = np.empty_like(cells)
        for i, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
            along = self.hu.shape[i] - 1 - cells[i] if flip.step == -1 else cells[i]
            voxels[axis] = along * self.step_zyx[axis] + (self.step_zyx[axis] - 1) / 2
        return voxels

    def cells_of(self, box: Box) -> list[NDArray[np.float64]]:
        """Return the voxels of `box` as positions in cells: to the head, back and left, to be broadcast."""
        axes, flips = self._order
        positions = []
        for i, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
            step = self.step_zyx[axis]
            along = (np.arange(box.start_zyx[axis], box.stop_zyx[axis]) - (step - 1) / 2) / step
            along = self.hu.shape[i] - 1 - along if flip.step == -1 else along
            positions.append(along.reshape([-1 if a == axis else 1 for a in range(3)]))
        return positions


def _shrink(hu: NDArray[np.int16], step_zyx: tuple[int, int, int]) -> NDArray[np.int16]:
    """Return the mean over blocks of voxels; the last, incomplete blocks repeat the border."""
    missing = [-n % s for n, s in zip(hu.shape, step_zyx, strict=True)]
    if any(missing):
        hu = np.pad(hu, [(0, m) for m in missing], mode="edge")
    z, y, x = step_zyx
    total = np.zeros([n // s for n, s in zip(hu.shape, step_zyx, strict=True)], np.int32)
    for i, j, k in np.ndindex(step_zyx):
        total += hu[i::z, j::y, k::x]
    return (total // (z * y * x)).astype(np.int16)


def _interpolate(field: NDArray[Any], axis: int, at: NDArray[np.float64]) -> NDArray[Any]:
    """Interpolate linearly along `axis` at positions in cells, constant beyond the ends."""
    at = np.clip(at, 0, field.shape[axis] - 1)
    low = at.astype(np.intp)
    if np.array_equal(low, at):
        return field.take(low, axis)
    weight = (at - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    field = field.astype(np.float32, copy=False)
    below = field.take(low, axis)
    between: Field = field.take(np.minimum(low + 1, field.shape[axis] - 1), axis)
    between -= below
    between *= weight
    between += below
    return between
