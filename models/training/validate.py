"""How well a network in training does on whole patients that it has not learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from numpy.typing import NDArray
from torch import Tensor, nn

from autocontour.models.data.dataset import AIR_HU, Sample
from autocontour.models.inference.intensity import scale_intensity
from autocontour.models.training.config import StageConfig

MARGIN_MM = 15.0
OVERLAP = 0.5


@torch.inference_mode()
def predict_sample(network: nn.Module, sample: Sample, stage: StageConfig) -> Tensor:
    """Return probabilities (structures, z, y, x) on the sample's own grid.

    The segmenter looks only around the structures, as the localizer's boxes will make it do; the localizer looks at
    the whole body.
    """
    start, stop = region_of(sample, stage)
    scale = torch.tensor(sample.spacing_zyx_mm / np.array(stage.spacing_zyx_mm), dtype=torch.float64)
    z, y, x = (slice(a, b) for a, b in zip(start, stop, strict=True))
    crop = torch.from_numpy(sample.hu[z, y, x].astype(np.float32))
    size = [max(1, round(n * float(s))) for n, s in zip(crop.shape, scale, strict=True)]
    image = F.interpolate(crop[None, None], size=size, mode="trilinear", align_corners=False)[0, 0]
    probability = torch.sigmoid(predict_windows(network, image, stage))
    back = F.interpolate(probability[None], size=crop.shape, mode="trilinear", align_corners=False)[0]
    whole = torch.zeros((len(back), *sample.hu.shape))
    whole[:, z, y, x] = back
    return whole


def region_of(sample: Sample, stage: StageConfig) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the start and stop of the box that the stage looks at."""
    shape = np.array(sample.hu.shape)
    if stage.focus == "body":
        return np.zeros(3, dtype=np.intp), shape
    places = np.argwhere(sample.labels > 0)
    margin = np.ceil(MARGIN_MM / sample.spacing_zyx_mm).astype(int)
    return np.maximum(places.min(0) - margin, 0), np.minimum(places.max(0) + 1 + margin, shape)


def predict_windows(network: nn.Module, image: Tensor, stage: StageConfig) -> Tensor:
    """Return logits (structures, z, y, x) of `image` in HU, from overlapping windows with Gaussian weights."""
    patch = np.array(stage.window_zyx)
    short = np.maximum(patch - np.array(image.shape), 0)
    before = short // 2
    padding = [int(v) for axis in (2, 1, 0) for v in (before[axis], short[axis] - before[axis])]
    padded = F.pad(image, padding, value=AIR_HU)
    weight = _gaussian(stage.window_zyx)
    total, norm = torch.zeros(0), torch.zeros(padded.shape)
    for corner in _corners(np.array(padded.shape), patch):
        z, y, x = (slice(int(a), int(a + n)) for a, n in zip(corner, patch, strict=True))
        window = torch.from_numpy(scale_intensity(padded[z, y, x].numpy(), stage.intensity_windows_hu))[None]
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(window)[0].float()
        if not len(total):
            total = torch.zeros((len(logits), *padded.shape))
        total[:, z, y, x] += logits * weight
        norm[z, y, x] += weight
    z, y, x = (slice(int(b), int(b + n)) for b, n in zip(before, image.shape, strict=True))
    return (total / norm)[:, z, y, x]


def _gaussian(shape: Sequence[int]) -> Tensor:
    axes = [torch.exp(-(((torch.arange(n) - (n - 1) / 2) / (n / 4)) ** 2) / 2) for n in shape]
    return axes[0][:, None, None] * axes[1][:, None] * axes[2]


def _corners(shape: NDArray[np.intp], patch: NDArray[np.intp]) -> list[tuple[int, int, int]]:
    starts = []
    for size, step in zip(shape - patch, patch * (1 - OVERLAP), strict=True):
        starts.append(np.round(np.linspace(0, size, int(np.ceil(size / step)) + 1)).astype(int))
    return [(int(z), int(y), int(x)) for z in starts[0] for y in starts[1] for x in starts[2]]


def dice_of_sample(probability: Tensor, sample: Sample, thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Return the DSC of every structure on the solid slices; NaN where it is not contoured."""
    result = np.full(len(sample.known), np.nan)
    solid = probability.numpy()[:, sample.solid]
    for k, threshold in enumerate(thresholds):
        truth = sample.mask(k)[sample.solid]
        if sample.known[k] and truth.any():
            drawn = solid[k] > threshold
            result[k] = 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum())
    return result


def validate(network: nn.Module, samples: Sequence[Sample], stage: StageConfig) -> NDArray[np.float64]:
    """Return the DSC of every patient (rows) and structure (columns) at a threshold of 0.5."""
    network.eval()
    rows = [dice_of_sample(predict_sample(network, s, stage), s, [0.5] * len(s.known)) for s in samples]
    network.train()
    return np.array(rows)
