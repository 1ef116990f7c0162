"""The loss: cross entropy and Dice per structure, for known structures."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from torch import Tensor

SMOOTH = 1.0
ALL_VOXELS_WEIGHT = 4.0
INSIDE_WEIGHT = 0.1


def masked_loss(logits: Tensor, target: Tensor, weight: Tensor, loss_weight: Tensor) -> Tensor:
    """Return the mean over known structures of cross entropy plus soft Dice.

    The cross entropy is counted twice: as the mean over all voxels, which are nearly all air, and as the mean over
    the structure's own. Without the second a small structure whose probability has become nearly 0 stays there: its
    Dice has no gradient and its fraction of all voxels is negligible.

    Parameters
    ----------
    logits, target, weight
        (batch, structures, z, y, x); where `weight` is 0 no term has a gradient.
    loss_weight
        (structures,) weight of each in the mean.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
    everywhere = _mean_of_known(entropy, weight, loss_weight)
    within = _mean_of_known(entropy * target, weight * target, loss_weight)
    dice, present = soft_dice(logits, target, weight)
    overlap = _weighted_mean(1 - dice, present, loss_weight)
    return ALL_VOXELS_WEIGHT * everywhere + INSIDE_WEIGHT * within + overlap


def _mean_of_known(values: Tensor, weight: Tensor, loss_weight: Tensor) -> Tensor:
    """Return the mean over voxels, then over the structures that have any weight."""
    count = weight.sum((0, 2, 3, 4))
    return _weighted_mean(values.sum((0, 2, 3, 4)) / count.clamp(min=1), count > 0, loss_weight)


def _weighted_mean(values: Tensor, known: Tensor, loss_weight: Tensor) -> Tensor:
    """Return the weighted mean of `values` (structures,) over the `known` ones."""
    counted = loss_weight * known
    return (values * counted).sum() / counted.sum().clamp(min=1e-6)


def soft_dice(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return each structure's soft Dice over the batch, and whether it is present in the reference.

    A structure known to be absent only has the cross entropy: its Dice is 0 for every prediction.
    """
    probability = torch.sigmoid(logits) * weight
    target = target * weight
    overlap = (probability * target).sum((0, 2, 3, 4))
    total = probability.sum((0, 2, 3, 4)) + target.sum((0, 2, 3, 4))
    return (2 * overlap + SMOOTH) / (total + SMOOTH), target.sum((0, 2, 3, 4)) > SMOOTH
