"""The mean of several networks over the boxes of their structures, and how far the networks agree."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autocontour.base.jobs import Job
from autocontour.models.inference.runtime import Ensemble, Runner
from autocontour.models.inference.windows import Probability, Read, predict_boxes
from autocontour.models.package.description import Stage
from autocontour.patient.geometry import Box

LEVEL = 0.5


@dataclass(frozen=True)
class Predicted:
    """Result of a stage over boxes.

    Attributes
    ----------
    probabilities
        Channel → (z, y, x) over its box.
    window_zyx
        The window that was used; of several networks the smallest.
    agreement
        Channel → mean DSC of each pair of networks at a probability of `LEVEL`; only channels that several networks
        were run for and at least one found.
    """

    probabilities: dict[int, Probability]
    window_zyx: tuple[int, int, int]
    agreement: dict[int, float] = field(default_factory=dict)


def predict_stage(
    runner: Runner, stage: Stage, read: Read, boxes: Mapping[int, Box], job: Job, label: str
) -> Predicted:
    """Run the network or the networks of a stage over the boxes of the requested channels.

    Each network of an ensemble is run over the boxes of those channels only in which it has a weight. Parameters and
    errors as of `autocontour.models.inference.windows.predict_boxes`.
    """
    if not isinstance(runner, Ensemble):
        return Predicted(*predict_boxes(runner, stage, read, boxes, job, label))
    found: dict[int, list[tuple[float, Probability]]] = {channel: [] for channel in boxes}
    windows = [stage.window_zyx]
    for member, weights in zip(runner.members, runner.weights, strict=True):
        mine = {channel: box for channel, box in boxes.items() if weights[channel] > 0}
        if not mine:
            continue
        probabilities, window = predict_boxes(member, stage, read, mine, job, label)
        windows.append(window)
        for channel, probability in probabilities.items():
            found[channel].append((float(weights[channel]), probability))
    means = {channel: _mean(parts) for channel, parts in found.items()}
    agreement = {channel: _agreement([part for _, part in parts]) for channel, parts in found.items()}
    return Predicted(means, min(windows), {channel: value for channel, value in agreement.items() if value is not None})


def _mean(parts: list[tuple[float, Probability]]) -> Probability:
    if len(parts) == 1:
        return parts[0][1]
    total: Probability = np.zeros_like(parts[0][1])
    for weight, part in parts:
        total += np.float32(weight) * part
    return total


def _agreement(parts: list[Probability]) -> float | None:
    """Return the mean DSC of each pair of networks; None for a single one, or if none of them found anything."""
    masks: list[NDArray[np.bool_]] = [part >= LEVEL for part in parts]
    sizes = [int(mask.sum()) for mask in masks]
    if len(parts) < 2 or not any(sizes):
        return None
    pairs = [
        2 * int((masks[a] & masks[b]).sum()) / (sizes[a] + sizes[b]) if sizes[a] + sizes[b] else 1.0
        for a, b in itertools.combinations(range(len(parts)), 2)
    ]
    return float(np.mean(pairs))
