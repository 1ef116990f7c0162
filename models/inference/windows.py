"""Probabilities from overlapping windows, kept only inside each structure's box."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.inference.runtime import OutOfMemoryError, Runner
from autocontour.models.package.description import Stage
from autocontour.patient.geometry import Box

Probability = NDArray[np.float32]
Read = Callable[[Box], NDArray[np.float32]]
"""Returns the HU of a box of the grid, which may reach beyond it."""

SIGMA = 0.125  # of a window: as in nnU-Net (Isensee et al. 2021)
FLOOR = 1e-3  # so that the window's corners still have weight


def predict_boxes(
    runner: Runner, stage: Stage, read: Read, boxes: Mapping[int, Box], job: Job, label: str
) -> tuple[dict[int, Probability], tuple[int, int, int]]:
    """Run the network over the boxes of the requested channels.

    Boxes that lie close together are covered by the same windows. If the device runs out of memory the windows are
    halved, down to a quarter along each axis.

    Parameters
    ----------
    runner, stage
        The network and its input.
    read
        Returns the HU of any box of the stage's grid.
    boxes
        Output channel → its box in the grid.
    job
        Reports progress; may cancel.
    label
        Name of the stage that the job reports.

    Returns
    -------
    dict[int, Probability]
        Channel → (z, y, x) probabilities over its box.
    tuple[int, int, int]
        The window that was used.

    Raises
    ------
    ModelError
        ``AC-MD-034`` if the device's memory is too small even for the smallest windows.
    """
    window = stage.window_zyx
    while True:
        try:
            return _predict(runner, stage, window, read, boxes, job, label), window
        except OutOfMemoryError as error:
            window = _smaller(window, stage, error)


def _smaller(window: tuple[int, int, int], stage: Stage, error: OutOfMemoryError) -> tuple[int, int, int]:
    """Halve the longest axis that the network allows to halve, each at most twice."""
    from autocontour.models.networks import window_multiple_zyx

    multiple = window_multiple_zyx(stage.network)
    able = [a for a in range(3) if window[a] % (2 * multiple[a]) == 0 and window[a] * 4 > stage.window_zyx[a]]
    if not able:
        raise ModelError("AC-MD-034") from error
    longest = max(able, key=lambda axis: window[axis])
    z, y, x = (size // 2 if axis == longest else size for axis, size in enumerate(window))
    return z, y, x


def _predict(
    runner: Runner,
    stage: Stage,
    window: tuple[int, int, int],
    read: Read,
    boxes: Mapping[int, Box],
    job: Job,
    label: str,
) -> dict[int, Probability]:
    sums = {channel: np.zeros(box.shape_zyx, np.float32) for channel, box in boxes.items()}
    weights = {channel: np.zeros(box.shape_zyx, np.float32) for channel, box in boxes.items()}
    importance = gaussian_weights(window)
    regions = merge_boxes(list(boxes.values()), window, stage.overlap)
    wanted = [
        (region, tile, meeting)
        for region in regions
        for tile in tile_box(region, window, stage.overlap)
        if (meeting := {k: box for k, box in boxes.items() if region_holds(region, box) and _meet(box, tile)})
    ]
    results = runner(_inputs([(region, tile) for region, tile, _ in wanted], stage, read))
    for _, tile, meeting in job.track(wanted, label, len(wanted)):
        found = next(results)
        for channel, box in meeting.items():
            into, out = _overlap(box, tile)
            sums[channel][into] += found[channel][out] * importance[out]
            weights[channel][into] += importance[out]
    return {channel: total / weights[channel] for channel, total in sums.items()}


def _inputs(tiles: Sequence[tuple[Box, Box]], stage: Stage, read: Read) -> Iterator[NDArray[np.float32]]:
    """Yield the network's input for every tile; the HU are read region by region."""
    for _, group in itertools.groupby(tiles, key=lambda pair: pair[0]):
        parts = [tile for _, tile in group]
        whole = _hull(parts)
        hu = read(whole)
        for tile in parts:
            inner = tuple(
                slice(a - s, b - s) for a, b, s in zip(tile.start_zyx, tile.stop_zyx, whole.start_zyx, strict=True)
            )
            yield np.ascontiguousarray(scale_intensity(hu[inner], stage.intensity_windows_hu))


def gaussian_weights(window: tuple[int, int, int]) -> Probability:
    """Return the weight of each voxel of a window, highest in the middle, where the network has most context."""
    axes = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (SIGMA * n)) ** 2) for n in window]
    weights: Probability = np.einsum("i,j,k->ijk", *axes).astype(np.float32)
    return np.maximum(weights, FLOOR)


def tile_box(box: Box, window: tuple[int, int, int], overlap: float) -> list[Box]:
    """Cover `box` with windows, evenly spread; a single one along an axis is centred on the box."""
    starts = []
    for first, last, size in zip(box.start_zyx, box.stop_zyx, window, strict=True):
        count = _tile_count(last - first, size, overlap)
        middle = first + (last - first - size) // 2
        starts.append([middle] if count == 1 else np.linspace(first, last - size, count).round().astype(int).tolist())
    return [Box((z, y, x), (z + window[0], y + window[1], x + window[2])) for z, y, x in itertools.product(*starts)]


def merge_boxes(boxes: list[Box], window: tuple[int, int, int], overlap: float) -> list[Box]:
    """Merge boxes into regions as long as the merged region needs no more windows than the parts."""
    regions = list(dict.fromkeys(boxes))
    while True:
        for a, b in itertools.combinations(regions, 2):
            joined = _hull([a, b])
            if _cost(joined, window, overlap) <= _cost(a, window, overlap) + _cost(b, window, overlap):
                regions = [region for region in regions if region not in (a, b)] + [joined]
                break
        else:
            return regions


def region_holds(region: Box, box: Box) -> bool:
    """Return whether `box` is inside `region`."""
    lower = all(a <= b for a, b in zip(region.start_zyx, box.start_zyx, strict=True))
    return lower and all(a >= b for a, b in zip(region.stop_zyx, box.stop_zyx, strict=True))


def _tile_count(length: int, size: int, overlap: float) -> int:
    step = max(1.0, size * (1 - overlap))
    return 1 if length <= size else 1 + math.ceil((length - size) / step)


def _cost(box: Box, window: tuple[int, int, int], overlap: float) -> int:
    return math.prod(_tile_count(n, size, overlap) for n, size in zip(box.shape_zyx, window, strict=True))


def _hull(boxes: list[Box]) -> Box:
    starts = np.min([box.start_zyx for box in boxes], axis=0).tolist()
    stops = np.max([box.stop_zyx for box in boxes], axis=0).tolist()
    return Box(tuple(starts), tuple(stops))


def _meet(a: Box, b: Box) -> bool:
    return all(
        max(p, q) < min(r, s) for p, q, r, s in zip(a.start_zyx, b.start_zyx, a.stop_zyx, b.stop_zyx, strict=True)
    )


def _overlap(box: Box, tile: Box) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the common voxels, as an index into `box` and one into `tile`."""
    start = np.maximum(box.start_zyx, tile.start_zyx)
    stop = np.minimum(box.stop_zyx, tile.stop_zyx)
    into = tuple(slice(a, b) for a, b in zip(start - box.start_zyx, stop - box.start_zyx, strict=True))
    out = tuple(slice(a, b) for a, b in zip(start - tile.start_zyx, stop - tile.start_zyx, strict=True))
    return into, out
