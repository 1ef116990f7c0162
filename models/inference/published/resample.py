"""Resampling as nnU-Net v2 and TotalSegmentator do it; each resampled array differs between any two ways.

nnU-Net resizes with scikit-image, which for a resize without smoothing is SciPy's ``zoom`` between the edges, limited
to the range of the input. TotalSegmentator uses SciPy's ``zoom`` between the outermost centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.package.procedure import Resampling

ANISOTROPY = 3
Scalar = TypeVar("Scalar", bound=np.generic)
Array = NDArray[Any]


def resampled_shape(shape: Sequence[int], spacing: Sequence[float], target: Sequence[float]) -> tuple[int, ...]:
    """Return the shape of the resampled array: half voxels are rounded to the even number."""
    return tuple(round(old / new * count) for old, new, count in zip(spacing, target, shape, strict=True))


def resample(
    array: NDArray[Scalar], shape: Sequence[int], spacing: Sequence[float], target: Sequence[float], how: Resampling
) -> NDArray[Scalar]:
    """Resample a 3D array to `shape`, in double precision, and return it in its own type.

    Parameters
    ----------
    array
        Image or logits.
    shape
        Voxels wanted.
    spacing, target
        Of the array and of the result; they decide only whether one axis is resampled by itself.
    how
        The model's way.
    """
    if tuple(shape) == array.shape:
        return array
    axis = separate_axis(spacing, target, how)
    exact = array.astype(np.float64)
    result = resize(exact, shape, how.order) if axis is None else _by_slices(exact, shape, axis, how)
    return result.astype(array.dtype)


def separate_axis(spacing: Sequence[float], target: Sequence[float], how: Resampling) -> int | None:
    """Return the axis that is resampled by itself: that of the largest spacing, if it is a single one."""
    steps: Sequence[float] | None = None
    if how.separate_z is None:
        steps = next((one for one in (spacing, target) if max(one) / min(one) > ANISOTROPY), None)
    elif how.separate_z:
        steps = spacing
    if steps is None:
        return None
    largest = [axis for axis, step in enumerate(steps) if max(steps) / step == 1]
    return largest[0] if len(largest) == 1 else None


def resize(array: NDArray[np.float64], shape: Sequence[int], order: int) -> NDArray[np.float64]:
    """Resize an array of any dimension between its edges."""
    factors = [1 / (old / new) for old, new in zip(array.shape, shape, strict=True)]
    spline: Any = order
    result: NDArray[np.float64] = ndimage.zoom(array, factors, order=spline, mode="nearest", grid_mode=True)
    np.clip(result, array.min(), array.max(), out=result)
    return result


def zoom_between_centres(array: Array, shape: Sequence[int], order: int) -> NDArray[np.float64]:
    """Resize a 3D array between the centres of its outermost voxels (TotalSegmentator)."""
    factors = np.asarray(shape) / np.asarray(array.shape)
    spline: Any = order
    result: NDArray[np.float64] = ndimage.zoom(array.astype(np.float64), factors, order=spline, mode="nearest")
    return result


def resample_from_first(array: NDArray[Scalar], shape: Sequence[int], ratio: Sequence[float]) -> NDArray[Scalar]:
    """Resample linearly, the first voxels' centres together; `ratio` is the new spacing by the old one (MONAI)."""
    steps = np.asarray(ratio, dtype=np.float64)
    found = ndimage.affine_transform(
        array.astype(np.float64), steps, output_shape=tuple(shape), order=1, mode="nearest", prefilter=False
    )
    result: NDArray[Scalar] = found.astype(array.dtype)
    return result


def _by_slices(array: NDArray[np.float64], shape: Sequence[int], axis: int, how: Resampling) -> NDArray[np.float64]:
    """Resize every slice in its plane, then the stack of slices along `axis`."""
    flat = [size for number, size in enumerate(shape) if number != axis]
    slices = np.stack([resize(plane, flat, how.order) for plane in np.moveaxis(array, axis, 0)], axis)
    if slices.shape[axis] == shape[axis]:
        return slices
    # Only `axis` has other positions than whole voxels, so the same spline along it gives the same result.
    places = slices.shape[axis] / shape[axis] * (np.arange(shape[axis]) + 0.5) - 0.5
    if how.order_z == 0:
        nearest = np.clip(np.floor(places + 0.5).astype(int), 0, slices.shape[axis] - 1)
        taken: NDArray[np.float64] = np.take(slices, nearest, axis)
        return taken
    grid = np.meshgrid(*(places if n == axis else np.arange(size) for n, size in enumerate(shape)), indexing="ij")
    spline: Any = how.order_z
    along: NDArray[np.float64] = ndimage.map_coordinates(slices, np.stack(grid), order=spline, mode="nearest")
    return along
