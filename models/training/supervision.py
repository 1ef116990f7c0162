"""Deep supervision: the coarser levels of a network have outputs of their own during the training.

Each is compared with the reference at its resolution (Lee et al. 2015, arXiv:1409.5185; weights as in nnU-Net, Isensee
et al. 2021). These outputs are no part of the package.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from torch import Tensor, nn

from autocontour.models.networks.as_torch import PlannedNetwork
from autocontour.models.training.loss import masked_loss
from autocontour.models.training.patches import Patches

MOST_LEVELS = 3
LEAST_VOXELS = 4
EMPTY_LOGIT = -2.0


class Supervision(nn.Module):
    """Outputs of the coarser levels.

    Parameters
    ----------
    network
        That is trained.
    outputs
        Number of structures.
    window_zyx
        Size of a patch; levels with fewer than `LEAST_VOXELS` along an axis have no output.
    weight
        Weight of each level's loss relative to the next finer one; 0 for none.
    """

    def __init__(self, network: nn.Module, outputs: int, window_zyx: Sequence[int], weight: float) -> None:
        super().__init__()
        self.numbers: tuple[int, ...] = ()
        self.heads = nn.ModuleList()
        if weight and isinstance(network, PlannedNetwork):
            levels = [
                level
                for level in network.levels
                if min(n / step for n, step in zip(window_zyx, level.step_zyx, strict=True)) >= LEAST_VOXELS
            ][:MOST_LEVELS]
            self.numbers = tuple(level.number for level in levels)
            self.heads.extend(nn.Conv3d(level.channels, outputs, 1) for level in levels)
        for head in self.heads:
            nn.init.constant_(head.get_parameter("bias"), EMPTY_LOGIT)
        self.weights = [weight**k for k in range(1, len(self.numbers) + 1)]

    def forward(self, network: nn.Module, image: Tensor) -> list[Tensor]:
        """Return the logits of the network, then those of its coarser levels."""
        if not self.numbers or not isinstance(network, PlannedNetwork):
            return [network(image)]
        logits, values = network.forward_levels(image, self.numbers)
        return [logits, *(head(value) for head, value in zip(self.heads, values, strict=True))]

    def loss(self, logits: Sequence[Tensor], patches: Patches, loss_weight: Tensor) -> Tensor:
        """Return the weighted mean of the losses of all levels."""
        total = masked_loss(logits[0], patches.target, patches.weight, loss_weight)
        for coarse, weight in zip(logits[1:], self.weights, strict=True):
            target, known = _coarser(patches, coarse.shape[2:])
            total = total + weight * masked_loss(coarse, target, known, loss_weight)
        return total / (1 + sum(self.weights))


def _coarser(patches: Patches, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return labels and weights at a coarser resolution; a voxel that is unknown in part is unknown."""
    z, y, x = size
    target = F.adaptive_avg_pool3d(patches.target, (z, y, x))
    known = F.adaptive_avg_pool3d(patches.weight.expand_as(patches.target).contiguous(), (z, y, x))
    return target, (known >= 1 - 1e-4).to(known.dtype)
