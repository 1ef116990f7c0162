"""A coarse grid of a CT, along the patient's axes.

Rules search for anatomy on cells of about 3 mm, which is fast and needs little memory, and compute the outline on the
CT's own voxels. Arrays of cells are in *patient order*: axis 0 is towards the head, 1 towards the back, 2 towards the
left, for every patient position and order of slices. They cover all slices, and of the image the part that contains
anything but air, with a margin.
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
EMPTY_HU = -700  # cells below it contain nothing solid
MARGIN_MM = 20.0  # of air around the rest; a larger part of the image has no effect on any rule


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
    def _all_hu(self) -> NDArray[np.int16]:
        """Mean HU of every cell of the image, in the CT's order."""
        step = self.step_zyx
        rows = max(1, SLAB_SLICES // step[0]) * step[0]
        return np.concatenate([_shrink(self.ct.hu[z : z + rows], step) for z in range(0, len(self.ct.hu), rows)])

    @cached_property
    def _window(self) -> Box:
        """Cells of the image, in the CT's order, that the arrays cover."""
        whole = Box((0, 0, 0), self._all_hu.shape)
        box = Box.around(self._all_hu > EMPTY_HU)
        if box is None:
            return whole
        rows, columns = (
            int(np.ceil(MARGIN_MM / (step * mm)))
            for step, mm in zip(self.step_zyx[1:], self.ct.geometry.spacing_zyx_mm[1:], strict=True)
        )
        is_cut = self._outside_field is not None and (self._all_edge & (self._all_hu > EMPTY_HU)).any()
        return whole if is_cut else box.padded((whole.stop_zyx[0], rows, columns), whole.stop_zyx)

    def _in_window(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Return the covered part of cells of the whole image (CT's order) in patient order."""
        return np.ascontiguousarray(self.to_patient_order(cells[self._window.slices]))

    @cached_property
    def hu(self) -> NDArray[np.int16]:
        """Mean HU of every cell, in patient order."""
        return self._in_window(self._all_hu)

    @cached_property
    def _outside_field(self) -> Mask | None:
        """(1 or slices, rows, columns) voxels outside the field of view; detected if not given."""
        field = self.ct.outside_field
        return find_outside_field(list(self.ct.hu)) if field is None else field

    @cached_property
    def _all_outside(self) -> Mask:
        """Cells of the image, in the CT's order, partly outside the field of view."""
        cells = self._outside_field
        if cells is None:
            return np.zeros(self._all_hu.shape, np.bool_)
        step = (self.step_zyx[0] if len(cells) > 1 else 1, *self.step_zyx[1:])
        starts = [np.arange(0, n, s) for n, s in zip(cells.shape, step, strict=True)]
        for axis, at in enumerate(starts):
            cells = np.logical_or.reduceat(cells, at, axis=axis)
        return np.broadcast_to(cells, self._all_hu.shape)

    @cached_property
    def _all_edge(self) -> Mask:
        field = ~self._all_outside
        inner = np.zeros_like(field)
        inner[:, 1:-1, 1:-1] = (
            field[:, 1:-1, 1:-1] & field[:, :-2, 1:-1] & field[:, 2:, 1:-1] & field[:, 1:-1, :-2] & field[:, 1:-1, 2:]
        )
        return field & ~inner

    @cached_property
    def outside(self) -> Mask:
        """Cells, in patient order, partly outside the field of view."""
        return self._in_window(self._all_outside)

    @cached_property
    def edge(self) -> Mask:
        """Cells, in patient order, at the edge of the field of view: of the image, or of what was measured in it."""
        return self._in_window(self._all_edge)

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
        return None if box is None else self._voxels_of(box)

    def _voxels_of(self, cells: Box) -> Box:
        """Return the voxels under a box of cells in the CT's order, and one cell around them."""
        corner = self._window.start_zyx
        start = [(a + c - 1) * s for a, c, s in zip(cells.start_zyx, corner, self.step_zyx, strict=True)]
        stop = [(b + c + 1) * s for b, c, s in zip(cells.stop_zyx, corner, self.step_zyx, strict=True)]
        fine = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        return fine.padded((0, 0, 0), self.ct.hu.shape)

    def slabs_of(self, cells: Mask, slices: int) -> list[Box]:
        """Return boxes of at most so many slices that together hold the voxels under `cells` and one cell around."""
        whole, marked = self.box_of(cells), self.to_ct_order(cells)
        if whole is None:
            return []
        in_row, in_column = np.any(marked, axis=2), np.any(marked, axis=1)
        slabs = []
        for start in range(whole.start_zyx[0], whole.stop_zyx[0], slices):
            stop = min(start + slices, whole.stop_zyx[0])
            near = slice(max(0, start // self.step_zyx[0] - 1), stop // self.step_zyx[0] + 2)
            y, x = (np.flatnonzero(lines[near].any(axis=0)) for lines in (in_row, in_column))
            if len(y):
                box = self._voxels_of(Box((near.start, y[0], x[0]), (near.stop, y[-1] + 1, x[-1] + 1)))
                slabs.append(Box((start, *box.start_zyx[1:]), (stop, *box.stop_zyx[1:])))
        return slabs

    def _cells_at(self, voxels: NDArray[np.intp], axis: int) -> NDArray[np.float64]:
        """Convert voxels along an axis of the CT's order to positions in covered cells."""
        cells: NDArray[np.float64] = (voxels + 0.5) / self.step_zyx[axis] - 0.5 - self._window.start_zyx[axis]
        return cells

    def spread(self, cells: NDArray[Any], box: Box) -> Field:
        """Interpolate `cells` (patient order) linearly at the CT's voxels inside `box`."""
        field = self.to_ct_order(cells)
        for axis in (0, 2, 1):  # columns before rows: copying whole rows is faster
            field = _interpolate(field, axis, self._cells_at(np.arange(box.start_zyx[axis], box.stop_zyx[axis]), axis))
        return field.astype(np.float32, copy=False)

    def whole_at_middles(self, cells: Mask, box: Box) -> tuple[range, range, Mask]:
        """Return rows and columns of the voxels in the middle of cells in `box`, and where `spread` of `cells` is 1.

        Of an even number of voxels the one before the middle is taken. The mask has all slices of the box.
        """
        lattice, whole = [], self.to_ct_order(cells)
        for axis, (start, stop, step) in enumerate(zip(box.start_zyx, box.stop_zyx, self.step_zyx, strict=True)):
            middle = (step - 1) // 2
            first = start if axis == 0 else start + (middle - start) % step
            lattice.append(range(first, stop, 1 if axis == 0 else step))
            at = np.clip(self._cells_at(np.array(lattice[axis]), axis), 0, whole.shape[axis] - 1)
            low, high = np.floor(at).astype(np.intp), np.ceil(at).astype(np.intp)
            here = whole.take(low, axis)
            whole = here if np.array_equal(low, high) else here & whole.take(high, axis)
        return lattice[1], lattice[2], whole

    def at_voxels(self, cells: Mask, voxels_zyx: NDArray[np.intp]) -> Field:
        """Interpolate `cells` (patient order) linearly at (3, n) voxels of the CT."""
        at = np.stack([self._cells_at(voxels, axis) for axis, voxels in enumerate(voxels_zyx)])
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
            voxels[axis] = (along + self._window.start_zyx[axis] + 0.5) * self.step_zyx[axis] - 0.5
        return voxels

    def cells_of(self, box: Box) -> list[NDArray[np.float64]]:
        """Return the voxels of `box` as positions in cells: to the head, back and left, to be broadcast."""
        axes, flips = self._order
        positions = []
        for i, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
            along = self._cells_at(np.arange(box.start_zyx[axis], box.stop_zyx[axis]), axis)
            along = self.hu.shape[i] - 1 - along if flip.step == -1 else along
            positions.append(along.reshape([-1 if a == axis else 1 for a in range(3)]))
        return positions


def _shrink(hu: NDArray[np.int16], step_zyx: tuple[int, int, int]) -> NDArray[np.int16]:
    """Return the mean over blocks of voxels; the last, incomplete blocks repeat the border."""
    missing = [-n % s for n, s in zip(hu.shape, step_zyx, strict=True)]
    if any(missing):
        hu = np.pad(hu, [(0, m) for m in missing], mode="edge")
    z, y, x = step_zyx
    rows = np.zeros((len(hu) // z, hu.shape[1] // y, hu.shape[2]), np.int32)
    for i, j in np.ndindex(z, y):  # rows before columns: adding whole rows is faster
        rows += hu[i::z, j::y]
    total = rows[:, :, ::x].copy()
    for k in range(1, x):
        total += rows[:, :, k::x]
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
