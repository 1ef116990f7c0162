"""From a CT to the input of a published network, in nnU-Net's order of steps, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.errors import ModelError
from autocontour.models.inference.published.oriented import Axes, Image, Oriented, Scalar, flip, flip_box, grid_of
from autocontour.models.inference.published.resample import (
    resample,
    resample_from_first,
    resampled_shape,
    zoom_between_centres,
)
from autocontour.models.inference.sampling import Grid
from autocontour.models.package.description import Stage
from autocontour.models.package.procedure import Normalisation, Procedure
from autocontour.patient.geometry import Box

SMALLEST_SD = 1e-8
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Prepared:
    """The input of a published network.

    Attributes
    ----------
    image
        Normalised, on the network's grid, its axes in the network's order.
    procedure
        How it was made.
    oriented
        The CT.
    first_shape
        Shape of the CT after the first resampling; of the CT itself without one.
    box
        What was kept of it (axes in the network's order).
    spacing, target
        Before and after the resampling to the network's grid, in the network's order.
    grid
        The voxels of `image`, along the patient's z, y, x.
    """

    image: Image
    procedure: Procedure
    oriented: Oriented
    first_shape: Shape
    box: Box
    spacing: tuple[float, ...]
    target: tuple[float, ...]
    grid: Grid

    def without_ct(self) -> Prepared:
        """Return the same without the CT's voxels, which only `labels_to_patient` needs again."""
        return replace(self, oriented=replace(self.oriented, hu=np.empty((0, 0, 0), np.float32)))

    def to_patient(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return an array of the network's axes over the patient's z, y, x."""
        return flip(array.transpose(np.argsort(self.procedure.axes)), self.procedure.orientation)

    def box_to_patient(self, box: Box) -> Box:
        """Return the box of the same voxels in `grid`."""
        back = [int(n) for n in np.argsort(self.procedure.axes)]
        return flip_box(_reordered(box, back), self.grid.shape_zyx, self.procedure.orientation)

    def box_from_patient(self, box: Box) -> Box:
        """Return the box of the same voxels in `image`."""
        return _reordered(flip_box(box, self.grid.shape_zyx, self.procedure.orientation), self.procedure.axes)

    def labels_to_patient(self, labels: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a label image of the cropped CT over the whole CT, along the patient's z, y, x."""
        axes = self.procedure.axes
        whole = np.zeros([self.first_shape[axis] for axis in axes], labels.dtype)
        whole[self.box.slices] = labels
        back = whole.transpose(np.argsort(axes))
        if back.shape != self.oriented.hu.shape:
            back = zoom_between_centres(back, self.oriented.hu.shape, 0).astype(labels.dtype)
        return flip(back, self.procedure.orientation)


def prepare(oriented: Oriented, stage: Stage, procedure: Procedure) -> Prepared:
    """Make the input of a network: resample first where the model does, crop, normalise, resample.

    Raises
    ------
    ModelError
        ``AC-MD-083`` for an image without any value, or with too few voxels for the network's grid.
    """
    if procedure.framework == "monai":
        return _prepare_from_first(oriented, stage, procedure)
    hu, axes, spacing = oriented.hu, oriented.axes, oriented.grid.spacing_zyx_mm
    if procedure.first_spacing_mm and tuple(procedure.first_spacing_mm) != spacing:
        first = procedure.first_spacing_mm
        shape = tuple(round(n * (old / new)) for n, old, new in zip(hu.shape, spacing, first, strict=True))
        _check_shape(shape)
        axes = axes.between_centres(hu.shape, shape)
        hu = zoom_between_centres(hu, shape, 1).astype(np.int32).astype(np.float32)
        spacing = (first[0], first[1], first[2])
    first_shape = hu.shape
    # A copy in the CT's own order: the sums of a mean depend on the order in memory.
    hu = hu.copy().transpose(procedure.axes)
    axes, ordered = axes.reordered(procedure.axes), tuple(spacing[axis] for axis in procedure.axes)
    mask = ndimage.binary_fill_holes(hu != 0)
    box = Box.around(mask)
    if box is None:
        raise ModelError("AC-MD-083")
    image = normalise(hu[box.slices], mask[box.slices], procedure.normalisation)
    target = tuple(float(step) for step in stage.spacing_zyx_mm)
    shape = resampled_shape(image.shape, ordered, target)
    _check_shape(shape)
    axes = axes.cropped(box.start_zyx).between_edges(image.shape, shape)
    image = resample(image, shape, ordered, target, procedure.data)
    back = [int(n) for n in np.argsort(procedure.axes)]
    grid = grid_of(axes.reordered(back), [shape[n] for n in back], oriented.grid.frame)
    return Prepared(np.ascontiguousarray(image), procedure, oriented, first_shape, box, ordered, target, grid)


def _prepare_from_first(oriented: Oriented, stage: Stage, procedure: Procedure) -> Prepared:
    """Make the input as MONAI does: orientation, spacing, intensities; nothing is cropped."""
    hu = oriented.hu.transpose(procedure.axes)
    axes = oriented.axes.reordered(procedure.axes)
    spacing = tuple(oriented.grid.spacing_zyx_mm[axis] for axis in procedure.axes)
    target = tuple(float(step) for step in stage.spacing_zyx_mm)
    steps = list(zip(hu.shape, spacing, target, strict=True))
    shape = tuple(round((count - 1) * old / new + 1) for count, old, new in steps)
    _check_shape(shape)
    image = resample_from_first(hu, shape, [new / old for _, old, new in steps])
    image = normalise(image, image != 0, procedure.normalisation)
    step = tuple(float(np.sign(one)) * new for one, new in zip(axes.step_mm, target, strict=True))
    back = [int(n) for n in np.argsort(procedure.axes)]
    grid = grid_of(Axes(axes.first_mm, step).reordered(back), [shape[n] for n in back], oriented.grid.frame)
    whole = Box((0, 0, 0), (hu.shape[0], hu.shape[1], hu.shape[2]))
    return Prepared(np.ascontiguousarray(image), procedure, oriented, oriented.hu.shape, whole, spacing, target, grid)


def normalise(hu: Image, mask: NDArray[np.bool_], how: Normalisation) -> Image:
    """Convert HU to the network's input; `hu` is overwritten."""
    match how.kind:
        case "ct":
            np.clip(hu, how.low, how.high, out=hu)
            hu -= how.mean
            hu /= max(how.sd, SMALLEST_SD)
        case "zscore" if how.inside:
            inside = hu[mask]
            hu[mask] = (inside - inside.mean()) / max(inside.std(), SMALLEST_SD)
        case "zscore_to_range":
            hu = normalise(hu, mask, replace(how, kind="zscore"))
            low, high = hu.min(), hu.max()
            hu = (hu - low) / (high - low) * np.float32(how.high - how.low) + np.float32(how.low)
        case "zscore":
            mean, sd = hu.mean(), hu.std()
            hu -= mean
            hu /= max(sd, SMALLEST_SD)
        case "rescale_to_01":
            hu -= hu.min()
            hu /= np.clip(hu.max(), SMALLEST_SD, None)
        case "range":
            scaled = (hu - how.low) / (how.high - how.low)
            hu = np.clip(scaled * (how.sd - how.mean) + how.mean, how.mean, how.sd).astype(np.float32)
    return hu


def _check_shape(shape: Sequence[int]) -> None:
    if min(shape) < 1:
        raise ModelError("AC-MD-083")


def _reordered(box: Box, order: Sequence[int]) -> Box:
    start, stop = ([ends[axis] for axis in order] for ends in (box.start_zyx, box.stop_zyx))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
