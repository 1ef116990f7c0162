"""The profile ``exact``: nnU-Net v2's own arithmetic, to the voxel.

Logits of all channels are kept on the network's grid in half precision, as there; on the CT's grid only one channel
exists at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.base.jobs import Job
from autocontour.models.inference.gpu import gpu_errors
from autocontour.models.inference.published.prepare import Prepared
from autocontour.models.inference.published.resample import resample, resample_from_first
from autocontour.models.inference.published.tiles import (
    importance,
    pad_to_window,
    starts_of,
    weights_of,
    window_box,
    window_starts,
)
from autocontour.models.package.procedure import Procedure

if TYPE_CHECKING:
    from torch import Tensor, nn

LABEL = "contouring exactly"
Logits = NDArray[np.float16]


def exact_bytes(prepared_voxels: int, ct_voxels: int, heads: int, window_bytes: int) -> int:
    """Return the memory that `predict_logits` and `label_image` need at most."""
    return prepared_voxels * (2 * heads + 2 + 4) + ct_voxels * (8 + 8 + 8 + 2 + 2 + 2) + 2 * window_bytes


def predict_logits(
    networks: Sequence[Callable[[], nn.Module]], prepared: Prepared, window: Sequence[int], device: str, job: Job
) -> Logits:
    """Return the (channels, …) logits of an image on the network's grid, averaged over the folds.

    Parameters
    ----------
    networks
        One function for each fold that returns it.
    prepared
        The image.
    window
        Voxels of the network's input.
    device
        ``cpu`` or ``cuda``.
    job
        Reports progress; may cancel.

    Raises
    ------
    ModelError
        ``AC-MD-037`` if a logit is not finite, or as `gpu_errors`.
    """
    import torch

    total: Tensor | None = None
    with gpu_errors(), torch.inference_mode():
        for number, network in enumerate(networks, 1):
            label = LABEL if len(networks) == 1 else f"{LABEL}, network {number} of {len(networks)}"
            logits = _slide(network(), prepared, window, device, job, label)
            total = logits if total is None else total.add_(logits)
        if total is None:
            raise ValueError("no network")
        if len(networks) > 1:
            total /= len(networks)
    found: Logits = total.numpy()
    return found


def _slide(network: nn.Module, prepared: Prepared, window: Sequence[int], device: str, job: Job, label: str) -> Tensor:
    import torch

    procedure = prepared.procedure
    padded, inner = pad_to_window(prepared.image, window)
    image = torch.from_numpy(padded)
    weights = torch.from_numpy(importance(window)).to(device)
    sums = torch.zeros((procedure.heads, *padded.shape), dtype=torch.half, device=device)
    counts = torch.zeros(padded.shape, dtype=torch.half, device=device)
    network = network.to(device).eval()
    starts = window_starts(padded.shape, window, procedure.step)
    with torch.autocast(device, enabled=device == "cuda"):
        for start in job.track(starts, label, len(starts)):
            place = window_box(start, window).slices
            found = mirrored(network, image[place][None, None].contiguous().to(device), procedure.mirror_axes)[0]
            found *= weights
            sums[(slice(None), *place)] += found
            counts[place] += weights
    torch.div(sums, counts, out=sums)
    if not torch.isfinite(sums).all():
        raise ModelError("AC-MD-037")
    return sums[(slice(None), *inner.slices)].cpu()


def monai_labels(
    network: nn.Module, prepared: Prepared, window: Sequence[int], device: str, job: Job
) -> tuple[NDArray[np.uint16], Mapping[str, float]]:
    """Return the label image of a MONAI bundle, and the mean probability of each structure.

    Softmax on the network's grid, linear to the CT's, then the largest; all in single precision, as there.

    Raises
    ------
    ModelError
        ``AC-MD-037`` if a logit is not finite, or as `gpu_errors`.
    """
    import torch

    procedure = prepared.procedure
    padded, inner = pad_to_window(prepared.image, window)
    starts = starts_of(procedure, padded.shape, window)
    with gpu_errors(), torch.inference_mode():
        image, weights = torch.from_numpy(padded), torch.from_numpy(weights_of(procedure, window)).to(device)
        sums = torch.zeros((procedure.heads, *padded.shape), device=device)
        counts = torch.zeros(padded.shape, device=device)
        network = network.to(device).eval()
        for start in job.track(starts, LABEL, len(starts)):
            place = window_box(start, window).slices
            found = network(image[place][None, None].contiguous().to(device))[0]
            sums[(slice(None), *place)] += found * weights
            counts[place] += weights
        sums /= counts
        if not torch.isfinite(sums).all():
            raise ModelError("AC-MD-037")
        probabilities = torch.softmax(sums, 0)[(slice(None), *inner.slices)].cpu().numpy()
    shape, labels = prepared.box.shape_zyx, np.zeros(prepared.box.shape_zyx, np.uint16)
    ratio = [old / new for old, new in zip(prepared.spacing, prepared.target, strict=True)]
    best: NDArray[np.float32] | None = None
    for channel in job.track(range(procedure.heads), "resampling to the CT", procedure.heads):
        values = resample_from_first(probabilities[channel], shape, ratio)
        if best is None:
            best = values
            continue
        better = values > best
        best[better] = values[better]
        labels[better] = channel
    confidence = {}
    winner = probabilities.argmax(axis=0)
    for name, values_of in procedure.values.items():
        inside = np.isin(winner, values_of)
        if inside.any():
            confidence[name] = float(probability_of(probabilities, procedure, name)[inside].mean(dtype=np.float64))
    whole: NDArray[np.uint16] = np.ascontiguousarray(prepared.labels_to_patient(labels))
    return whole, confidence


def mirrored(network: nn.Module, image: Tensor, axes: Sequence[int]) -> Tensor:
    """Return the mean of a network's results over all combinations of mirrored axes."""
    import torch

    found: Tensor = network(image)
    combinations = list(mirror_combinations(axes))
    for one in combinations:
        dims = [axis + 2 for axis in one]
        found += torch.flip(network(torch.flip(image, dims)), dims)
    if combinations:
        found /= len(combinations) + 1
    return found


def mirror_combinations(axes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every combination of axes, but none of them."""
    for count in range(1, len(axes) + 1):
        yield from itertools.combinations(axes, count)


def label_image(logits: Logits, prepared: Prepared, job: Job) -> NDArray[np.uint16]:
    """Return the label image of the whole CT along the patient's z, y, x; one channel is resampled at a time."""
    procedure, shape = prepared.procedure, prepared.box.shape_zyx
    labels: NDArray[np.uint16] = np.zeros(shape, np.uint16)
    best: Logits | None = None
    for channel in job.track(range(procedure.heads), "resampling to the CT", procedure.heads):
        values = resample(logits[channel], shape, prepared.target, prepared.spacing, procedure.logits)
        if procedure.outputs == "regions":
            labels[_above_half(values)] = procedure.region_order[channel]
        elif best is None:
            best = values.copy()
        else:
            better = values > best  # the first of equal ones wins
            best[better] = values[better]
            labels[better] = channel
    whole: NDArray[np.uint16] = np.ascontiguousarray(prepared.labels_to_patient(labels))
    return whole


def _above_half(logits: Logits) -> NDArray[np.bool_]:
    """Return where the probability is above 0.5; in single precision it is 0.5 for the smallest positive logits."""
    import torch

    above: NDArray[np.bool_] = (torch.sigmoid(torch.from_numpy(logits).float()) > 0.5).numpy()
    return above


def mean_probabilities(logits: Logits, procedure: Procedure) -> Mapping[str, float]:
    """Return structure → mean probability of its voxels, on the network's grid."""
    sums, counts = dict.fromkeys(procedure.values, 0.0), dict.fromkeys(procedure.values, 0)
    for index in range(logits.shape[1]):
        plane = logits[:, index].astype(np.float32)
        if procedure.outputs == "regions":
            probability: NDArray[np.float32] = (1 / (1 + np.exp(-plane))).astype(np.float32)
        else:
            plane -= plane.max(axis=0)
            probability = np.exp(plane, out=plane)
            probability /= probability.sum(axis=0)
        winner = _painted(probability, procedure)
        for name, values in procedure.values.items():
            inside = np.isin(winner, values)
            if count := int(inside.sum()):
                sums[name] += float(probability_of(probability, procedure, name)[inside].sum(dtype=np.float64))
                counts[name] += count
    return {name: sums[name] / count for name, count in counts.items() if count}


def probability_of(probability: NDArray[np.float32], procedure: Procedure, name: str) -> NDArray[np.float32]:
    """Return the probability of a structure from those of the channels: their sum, or the largest of regions."""
    values = procedure.values[name]
    if procedure.outputs == "labels":
        total: NDArray[np.float32] = probability[list(values)].sum(axis=0)
        return total
    channels = [channel for channel, value in enumerate(procedure.region_order) if value in values]
    largest: NDArray[np.float32] = probability[channels].max(axis=0)
    return largest


def _painted(probability: NDArray[np.float32], procedure: Procedure) -> NDArray[np.intp]:
    if procedure.outputs == "labels":
        winner: NDArray[np.intp] = probability.argmax(axis=0)
        return winner
    painted = np.zeros(probability.shape[1:], np.intp)
    for channel, value in enumerate(procedure.region_order):
        painted[probability[channel] > 0.5] = value
    return painted
