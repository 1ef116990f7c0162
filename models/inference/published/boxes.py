"""The profiles ``fast`` and ``two-stage``: windows over boxes only, summed in single precision, kept in boxes only.

The windows are as large and as far apart as the model's own, but lie over the boxes; the model's own ones, which also
cover the air and the couch, are several times as many. They are run in layers along the first axis. As soon as no later
window touches a plane it is finished: its probabilities are computed for all channels, and kept for each structure
inside the box where there are any.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autocontour.base.jobs import Job
from autocontour.models.inference.published.exact import mirror_combinations
from autocontour.models.inference.published.prepare import Prepared
from autocontour.models.inference.published.tiles import pad_to_window, starts_of, starts_over, weights_of, window_box
from autocontour.models.inference.runtime import Runner
from autocontour.models.package.procedure import Procedure
from autocontour.patient.geometry import Box

LABEL = "contouring the organs"
FAINT = 0.01
"""Margins below this are not kept; 0.5 is the border of a structure."""

SLAB = 16
"""Planes that are finished at a time: what is computed on the way is as large as a few channels of them."""
LEVELS = 255
"""Margins are kept as whole numbers up to this: a byte for each voxel. Those from `INSIDE` on are in the structure."""
INSIDE = 128

Probability = NDArray[np.float32]
Levels = NDArray[np.uint8]


def fast_bytes(heads: int, window: Sequence[int], across: int, prepared_voxels: int, window_bytes: int) -> int:
    """Return the memory that `predict_in_boxes` needs at most for `across` voxels in a plane.

    It holds all channels of one layer, a few planes of single channels, the image, and a window in the network. One
    byte for each voxel of each structure's box comes on top.
    """
    return 4 * window[0] * across * (heads + 8) + 4 * prepared_voxels + 2 * window_bytes


@dataclass
class Kept:
    """What is kept of a structure.

    Attributes
    ----------
    parts
        Boxes of the padded image with the structure's margin in them (see `LEVELS`).
    total, count
        Sum of the probability over its voxels, and their number.
    """

    parts: list[tuple[Box, Levels]] = field(default_factory=list)
    total: float = 0.0
    count: int = 0


def predict_in_boxes(
    runners: Sequence[Runner],
    prepared: Prepared,
    window: Sequence[int],
    names: Sequence[str],
    wanted: Sequence[Box] | None,
    job: Job,
) -> Iterator[tuple[str, Box, Probability, float, bool]]:
    """Yield each structure, its box in the image, its probability there and the mean probability of its voxels.

    The last value is whether the structure reaches voxels that no window was run on, and may be cut off there.

    Parameters
    ----------
    runners
        One for each fold; their results are logits.
    prepared
        The image.
    window
        Voxels of the network's input.
    names
        Structures to keep.
    wanted
        Boxes of the image that the windows cover; None for the model's own windows over the whole image.
    job
        Reports progress; may cancel.

    Yields
    ------
    tuple
        The probability is 0.5 on the border of the structure, where it and its strongest neighbour are equally likely.
        Structures without any voxel above it are missing. Only one is in memory in single precision.
    """
    procedure = prepared.procedure
    padded, inner = pad_to_window(prepared.image, window)
    shifted: list[Box] = []
    if wanted is None:
        starts = starts_of(procedure, padded.shape, window)
    else:
        seen = (_meeting(_shifted(box, inner.start_zyx), inner) for box in wanted)
        shifted = [box for box in seen if box is not None]
        starts = starts_over(shifted, padded.shape, window, procedure.step)
    boxes = [window_box(start, window) for start in starts]
    kept = {name: Kept() for name in names}
    searched: list[Box] = []
    if boxes:
        region = _hull(boxes, shifted if wanted is not None else boxes)
        _run(runners, padded, boxes, region, procedure, kept, job)
        back = np.negative(inner.start_zyx)
        searched = [_shifted(part, back) for box in boxes if (part := _meeting(box, region)) is not None]
    for name in names:
        found = _assemble(kept.pop(name), inner)
        if found is not None:
            yield (name, *found, _is_cut(found[0], found[1], searched))


def _run(
    runners: Sequence[Runner],
    image: NDArray[np.float32],
    boxes: Sequence[Box],
    region: Box,
    procedure: Procedure,
    kept: Mapping[str, Kept],
    job: Job,
) -> None:
    window = boxes[0].shape_zyx
    depth, (_, height, width) = window[0], region.shape_zyx
    sums = np.zeros((procedure.heads, depth, height, width), np.float32)
    weights = np.zeros(sums.shape[1:], np.float32)
    share, scratch = weights_of(procedure, window), np.empty(tuple(window), np.float32)
    layers = [(start, list(group)) for start, group in itertools.groupby(boxes, lambda box: box.start_zyx[0])]
    following = [start for start, _ in layers[1:]] + [layers[-1][0] + depth]
    found = _logits(runners, image, boxes, procedure)
    progress = job.track(range(len(boxes)), LABEL, len(boxes))
    for (start, layer), after in zip(layers, following, strict=True):
        for box in layer:
            next(progress)
            inner, outer = _overlap(box, region)
            for channel, logits in zip(sums, next(found), strict=True):
                np.multiply(logits[inner], share[inner], out=scratch[inner])
                channel[outer] += scratch[inner]
            weights[outer] += share[inner]
        ready = min(after - start, depth)
        for first in range(0, ready, SLAB):
            planes = slice(first, min(first + SLAB, ready))
            corner = (start + first, region.start_zyx[1], region.start_zyx[2])
            _finish(sums[:, planes], weights[planes], corner, procedure, kept)
        for channel in sums:  # one at a time: the planes overlap, and are copied first
            channel[: depth - ready] = channel[ready:]
        weights[: depth - ready] = weights[ready:]
        sums[:, depth - ready :] = 0
        weights[depth - ready :] = 0
    for _ in progress:
        pass


def _logits(
    runners: Sequence[Runner], image: NDArray[np.float32], boxes: Iterable[Box], procedure: Procedure
) -> Iterator[NDArray[np.float32]]:
    """Yield the mean logits of every window over mirrorings and folds."""
    mirrorings = [(), *mirror_combinations(procedure.mirror_axes)]
    flips = [tuple(axis + 1 for axis in axes) for axes in mirrorings]

    def inputs() -> Iterator[NDArray[np.float32]]:
        for box in boxes:
            part = image[box.slices][None]
            for axes in flips:
                yield np.ascontiguousarray(np.flip(part, axes))

    results = [runner(inputs()) for runner in runners]
    passes = len(flips) * len(results)
    for _ in boxes:
        if passes == 1:
            yield next(results[0])
            continue
        total: NDArray[np.float32] | None = None
        for axes in flips:
            for one in results:
                logits = np.flip(next(one), axes)
                total = logits.copy() if total is None else np.add(total, logits, out=total)
        if total is not None:
            total /= passes
            yield total


def _finish(
    sums: NDArray[np.float32],
    weights: NDArray[np.float32],
    corner: tuple[int, int, int],
    procedure: Procedure,
    kept: Mapping[str, Kept],
) -> None:
    """Compute the probabilities of finished planes and keep what belongs to a structure; `sums` is overwritten."""
    seen = weights > 0
    np.divide(sums, np.where(seen, weights, 1), out=sums)
    if procedure.outputs == "regions":
        _keep_regions((1 / (1 + np.exp(-sums)) * seen).astype(np.float32), corner, procedure, kept)
        return
    sums -= sums.max(axis=0)
    np.exp(sums, out=sums)
    sums /= sums.sum(axis=0)
    sums *= seen  # where no window was run, every margin is zero
    winner = sums.argmax(axis=0)
    first = np.take_along_axis(sums, winner[None], 0)[0]
    second = np.zeros_like(first)
    for channel, probability in enumerate(sums):
        np.maximum(second, np.where(winner == channel, 0, probability), out=second)
    for name, one in kept.items():
        values = list(procedure.values[name])
        faint: NDArray[np.bool_] = sums[values].max(axis=0) > FAINT
        part = Box.around(faint)
        if part is None:
            continue
        place = part.slices
        own = np.isin(winner[place], values) & seen[place]
        inside = sums[(values, *place)].max(axis=0)
        if len(values) == 1:
            outside = np.where(own, second[place], first[place])
        else:
            others = [channel for channel in range(procedure.heads) if channel not in values]
            outside = sums[(others, *place)].max(axis=0)
        _keep(one, part, corner, (1 + inside - outside) / 2 * seen[place], own)
        one.total += float(sums[(values, *place)].sum(axis=0)[own].sum(dtype=np.float64))


def _keep_regions(
    probability: NDArray[np.float32], corner: tuple[int, int, int], procedure: Procedure, kept: Mapping[str, Kept]
) -> None:
    """Keep the structures of regions: a later region is painted over an earlier one."""
    for name, one in kept.items():
        margin = np.zeros(probability.shape[1:], np.float32)
        for channel, value in enumerate(procedure.region_order):
            if value in procedure.values[name]:
                np.maximum(margin, probability[channel], out=margin)
            else:
                np.minimum(margin, 1 - probability[channel], out=margin)
        part = Box.around(margin > FAINT)
        if part is not None:
            own = margin[part.slices] > 0.5
            _keep(one, part, corner, margin[part.slices], own)
            one.total += float(margin[part.slices][own].sum(dtype=np.float64))


def _keep(
    one: Kept, part: Box, corner: tuple[int, int, int], margin: NDArray[np.floating], own: NDArray[np.bool_]
) -> None:
    one.count += int(own.sum())
    one.parts.append((_shifted(part, corner), _to_levels(margin, own)))


def _to_levels(margin: NDArray[np.floating], own: NDArray[np.bool_]) -> Levels:
    """Return margins from 0 to 1 as whole numbers; rounding moves no voxel into the structure or out of it."""
    levels: Levels = np.rint(margin * np.float32(LEVELS)).astype(np.uint8)
    np.copyto(levels, np.maximum(levels, INSIDE), where=own)
    np.copyto(levels, np.minimum(levels, INSIDE - 1), where=~own)
    return levels


def _assemble(one: Kept, inner: Box) -> tuple[Box, Probability, float] | None:
    """Join the kept parts of a structure, cut to its voxels with two around them."""
    if not one.count:
        return None
    low = np.min([box.start_zyx for box, _ in one.parts], axis=0)
    high = np.max([box.stop_zyx for box, _ in one.parts], axis=0)
    whole = np.zeros(high - low, np.uint8)
    for box, levels in one.parts:
        whole[_shifted(box, -low).slices] = levels
    around = Box.around(whole >= INSIDE)
    if around is None:
        return None
    start = np.maximum(np.add(around.start_zyx, low) - 2, inner.start_zyx)
    stop = np.minimum(np.add(around.stop_zyx, low) + 2, inner.stop_zyx)
    if (stop <= start).any():
        return None
    result = np.zeros(stop - start, np.float32)
    first, last = np.maximum(start, low), np.minimum(stop, high)
    into = tuple(slice(a, b) for a, b in zip(first - start, last - start, strict=True))
    out = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
    np.divide(whole[out], np.float32(LEVELS), out=result[into])
    a, b = start - inner.start_zyx, stop - inner.start_zyx
    box = Box((int(a[0]), int(a[1]), int(a[2])), (int(b[0]), int(b[1]), int(b[2])))
    return box, result, one.total / one.count


def _is_cut(box: Box, probability: Probability, searched: Sequence[Box]) -> bool:
    """Return whether a structure in its box touches a voxel of the image outside all boxes that were searched."""
    seen = np.zeros(box.shape_zyx, bool)
    back = np.negative(box.start_zyx)
    for one in searched:
        part = _meeting(one, box)
        if part is not None:
            seen[_shifted(part, back).slices] = True
    return not seen.all() and bool((ndimage.binary_dilation(probability >= 0.5) & ~seen).any())


def _hull(boxes: Sequence[Box], wanted: Sequence[Box]) -> Box:
    """Return the smallest box around the wanted boxes, as far as windows reach; all planes along the first axis."""
    low, high = (np.min([one.start_zyx for one in boxes], axis=0), np.max([one.stop_zyx for one in boxes], axis=0))
    start = np.maximum(low, np.min([one.start_zyx for one in wanted], axis=0))
    stop = np.minimum(high, np.max([one.stop_zyx for one in wanted], axis=0))
    return Box((int(low[0]), int(start[1]), int(start[2])), (int(high[0]), int(stop[1]), int(stop[2])))


def _overlap(box: Box, region: Box) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return what a window and the region share in a plane, as an index into the window and one into its layer."""
    inner, outer = [slice(None)], [slice(None)]
    for axis in (1, 2):
        first = max(box.start_zyx[axis], region.start_zyx[axis])
        last = min(box.stop_zyx[axis], region.stop_zyx[axis])
        inner.append(slice(first - box.start_zyx[axis], last - box.start_zyx[axis]))
        outer.append(slice(first - region.start_zyx[axis], last - region.start_zyx[axis]))
    return tuple(inner), tuple(outer)


def _shifted(box: Box, by: Sequence[int] | NDArray[np.integer]) -> Box:
    start, stop = ([int(n) + int(d) for n, d in zip(e, by, strict=True)] for e in (box.start_zyx, box.stop_zyx))
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _meeting(a: Box, b: Box) -> Box | None:
    """Return what two boxes share; None if they do not meet."""
    low, high = np.maximum(a.start_zyx, b.start_zyx).tolist(), np.minimum(a.stop_zyx, b.stop_zyx).tolist()
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2])) if (np.less(low, high)).all() else None
