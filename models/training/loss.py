"""The losses: cross entropy and Dice per structure, against labels where they are known, or against a teacher."""

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


def soft_loss(logits: Tensor, probability: Tensor, loss_weight: Tensor, counted: Tensor | None = None) -> Tensor:
    """Return the mean over structures of cross entropy plus Dice against the probabilities of a teacher.

    All terms are least where both probabilities are equal, so that a threshold chosen for the teacher keeps its
    meaning: the Dice has squares in its denominator (Milletari, Navab, Ahmadi 2016, arXiv:1606.04797), since that of
    `soft_dice` is greatest for 0 and 1.

    Parameters
    ----------
    logits, probability
        (batch, structures, z, y, x) of the network, and of its teacher.
    loss_weight
        (structures,) weight of each in the mean.
    counted
        (batch, structures) bool, which are compared; all if None. At least one must be.
    """
    which = torch.ones(logits.shape[:2], device=logits.device) if counted is None else counted.to(logits.dtype)
    weight = which[..., None, None, None]
    known = which.any(0)
    entropy = F.binary_cross_entropy_with_logits(logits, probability, weight, reduction="none")
    voxels = which.sum(0).clamp(min=1) * logits[0, 0].numel()
    everywhere = _weighted_mean(entropy.sum((0, 2, 3, 4)) / voxels, known, loss_weight)
    probability = probability * weight
    volume = probability.sum((0, 2, 3, 4))
    within = _weighted_mean((entropy * probability).sum((0, 2, 3, 4)) / volume.clamp(min=1), known, loss_weight)
    drawn = torch.sigmoid(logits) * weight
    overlap = 2 * (drawn * probability).sum((0, 2, 3, 4)) + SMOOTH
    total = (drawn.square() + probability.square()).sum((0, 2, 3, 4)) + SMOOTH
    dice = _weighted_mean(1 - overlap / total, volume > SMOOTH, loss_weight)
    return ALL_VOXELS_WEIGHT * everywhere + INSIDE_WEIGHT * within + dice
