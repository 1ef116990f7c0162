"""The windows of nnU-Net and their weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.models.inference.windows import merge_boxes
from autocontour.models.package.procedure import Procedure
from autocontour.patient.geometry import Box

SIGMA = 1 / 8
HIGHEST = 10
LEAST_WEIGHT = 1e-3


def pad_to_window(image: NDArray[np.float32], window: Sequence[int]) -> tuple[NDArray[np.float32], Box]:
    """Return the image with zeros around it up to the size of a window, and the box of the image in it.

    It is the same array if that is large enough.
    """
    more = [max(0, size - count) for size, count in zip(window, image.shape, strict=True)]
    before = [one // 2 for one in more]
    padded = np.pad(image, [(b, one - b) for b, one in zip(before, more, strict=True)]) if any(more) else image
    z, y, x = before
    end = [b + count for b, count in zip(before, image.shape, strict=True)]
    return padded, Box((z, y, x), (end[0], end[1], end[2]))


def window_starts(shape: Sequence[int], window: Sequence[int], step: float) -> list[tuple[int, int, int]]:
    """Return the first voxel of every window, the first axis slowest: evenly spread, at most `step` windows apart."""
    starts = []
    for count, size in zip(shape, window, strict=True):
        number = math.ceil((count - size) / (size * step)) + 1
        between = (count - size) / (number - 1) if number > 1 else 0.0
        starts.append([round(between * k) for k in range(number)])
    return [(z, y, x) for z, y, x in itertools.product(*starts)]


def monai_starts(shape: Sequence[int], window: Sequence[int], step: float) -> list[tuple[int, int, int]]:
    """Return the first voxel of every window of MONAI: at whole steps, the last one moved back to the end."""
    starts = []
    for count, size in zip(shape, window, strict=True):
        stride = size if count == size else max(1, int(size * step))
        number = 1 + math.ceil((count - size) / stride)
        starts.append([min(stride * k, count - size) for k in range(number)])
    return [(z, y, x) for z, y, x in itertools.product(*starts)]


def monai_importance(window: Sequence[int], *, gaussian: bool) -> NDArray[np.float32]:
    """Return the weight of each voxel of a window of MONAI."""
    if not gaussian:
        return np.ones(tuple(window), np.float32)
    weights = np.ones(tuple(window), np.float32)
    for axis, size in enumerate(window):
        places = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
        along = np.exp(places**2 / np.float32(-2 * (size * SIGMA) ** 2))
        weights *= along.reshape([-1 if n == axis else 1 for n in range(3)])
    return np.maximum(weights, max(float(weights.min()), LEAST_WEIGHT))


def starts_of(procedure: Procedure, shape: Sequence[int], window: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the first voxel of every window, as the model's framework places them."""
    place = monai_starts if procedure.framework == "monai" else window_starts
    return place(shape, window, procedure.step)


def starts_over(
    boxes: Sequence[Box], shape: Sequence[int], window: Sequence[int], step: float
) -> list[tuple[int, int, int]]:
    """Return the first voxel of the windows that cover some boxes of an image, the first axis slowest.

    Boxes that the same windows can cover share them. Along each axis the windows are as far apart as the model's own
    and lie centred on the box, inside the image.
    """
    size = (int(window[0]), int(window[1]), int(window[2]))
    found: set[tuple[int, ...]] = set()
    for region in merge_boxes(list(boxes), size, 1 - step):
        along = [
            _centred_starts(first, last, count, one, step)
            for first, last, count, one in zip(region.start_zyx, region.stop_zyx, shape, size, strict=True)
        ]
        found.update(itertools.product(*along))
    return sorted((z, y, x) for z, y, x in found)


def _centred_starts(first: int, last: int, count: int, size: int, step: float) -> list[int]:
    between = max(1, int(size * step))
    number = 1 if last - first <= size else 1 + math.ceil((last - first - size) / between)
    start = (first + last - size - (number - 1) * between) // 2
    return [min(max(start + k * between, 0), count - size) for k in range(number)]


def weights_of(procedure: Procedure, window: Sequence[int]) -> NDArray[np.float32]:
    """Return the weight of each voxel of a window, as the model's framework weighs them."""
    if procedure.framework == "monai":
        return monai_importance(window, gaussian=procedure.gaussian)
    return importance(window).astype(np.float32)


def window_box(start: Sequence[int], window: Sequence[int]) -> Box:
    """Return the box of a window."""
    (z, y, x), (d, h, w) = start, window
    return Box((z, y, x), (z + d, y + h, x + w))


def importance(window: Sequence[int]) -> NDArray[np.float16]:
    """Return the weight of each voxel of a window: a Gaussian, 10 in the middle, nowhere zero."""
    spike = np.zeros(tuple(window))
    spike[tuple(size // 2 for size in window)] = 1
    smooth = ndimage.gaussian_filter(spike, [size * SIGMA for size in window], 0, mode="constant", cval=0)
    smooth /= smooth.max() / HIGHEST
    weights: NDArray[np.float16] = smooth.astype(np.float32).astype(np.float16)  # rounded twice, as in PyTorch
    weights[weights == 0] = weights[weights > 0].min()
    return weights
