"""What is made small: cross entropy and Dice per structure, where the structure is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from torch import Tensor

SMOOTH = 1.0


def masked_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over known structures of cross entropy plus soft Dice.

    Parameters
    ----------
    logits, target, weight
        (batch, structures, z, y, x); where `weight` is 0 neither term has a gradient.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none").sum((0, 2, 3, 4))
    count = weight.sum((0, 2, 3, 4))
    known = count > 0
    entropy = (entropy / count.clamp(min=1))[known].sum() / known.sum().clamp(min=1)
    dice, present = soft_dice(logits, target, weight)
    return entropy + (1 - dice)[present].sum() / present.sum().clamp(min=1)


def soft_dice(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return each structure's soft Dice over the batch, and whether any of it is there to be found.

    A structure that is known to be absent is left to the cross entropy: its Dice is 0 whatever is drawn.
    """
    probability = torch.sigmoid(logits) * weight
    target = target * weight
    overlap = (probability * target).sum((0, 2, 3, 4))
    total = probability.sum((0, 2, 3, 4)) + target.sum((0, 2, 3, 4))
    return (2 * overlap + SMOOTH) / (total + SMOOTH), target.sum((0, 2, 3, 4)) > SMOOTH
