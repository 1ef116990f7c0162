"""A package whose probabilities a network learns from (distillation).

Hinton, Vinyals, Dean 2015, arXiv:1503.02531: the probabilities of a network, or of the mean of several, hold more than
the labels, also where a structure is not contoured.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
import torch
from torch import Tensor

from autocontour.models.inference.runtime import open_runner
from autocontour.models.package.package import ModelPackage
from autocontour.models.training.loss import soft_loss
from autocontour.models.training.patches import Patches


class Teacher:
    """The networks of one stage of a package, run as in inference: each structure with its own weights in the mean.

    Parameters
    ----------
    package
        With the same structures in the same order, grid and intensity windows as the network that learns.
    role
        ``localizer`` or ``segmenter``.
    share
        Part of the loss that compares with its probabilities; the rest compares with the labels.
    device
        As of `autocontour.models.inference.runtime.open_runner`.
    """

    def __init__(self, package: ModelPackage, role: str, share: float, device: str = "auto") -> None:
        self.share = share
        self._runner = open_runner(package, role, device)
        self._lock = Lock()  # patches are computed in several threads

    def probabilities(self, image: Tensor) -> Tensor:
        """Return the probabilities (batch, structures, z, y, x) of patches (batch, windows, z, y, x)."""
        windows = [np.ascontiguousarray(one) for one in image.detach().float().cpu().numpy()]
        with self._lock:
            found = [np.array(one, np.float32) for one in self._runner(windows)]
        return torch.from_numpy(np.stack(found)).to(image.device)

    def add_to(self, loss: Tensor, logits: Tensor, patches: Patches, loss_weight: Tensor) -> Tensor:
        """Return the mean of the loss against the labels and that against the teacher, by `share`."""
        return (1 - self.share) * loss + self.share * soft_loss(logits, self.probabilities(patches.image), loss_weight)


class TeacherOfUnlabelled(Teacher):
    """A package that stands in for the labels that a patch does not have (Li, Hoiem 2016, arXiv:1606.09282).

    Parameters
    ----------
    package
        Its structures are the first ones of the network that learns; it has no probability of others.
    role, device
        As of `Teacher`.
    """

    def __init__(self, package: ModelPackage, role: str, device: str = "auto") -> None:
        super().__init__(package, role, 1.0, device)
        self.count = len(package.structures)

    def add_to(self, loss: Tensor, logits: Tensor, patches: Patches, loss_weight: Tensor) -> Tensor:
        """Return the mean of both losses by the structures that have labels and those that have not."""
        labelled = patches.weight.amax((2, 3, 4)) > 0
        missing, weights = ~labelled[:, : self.count], loss_weight[: self.count]
        if not missing.any():
            return loss
        theirs = soft_loss(logits[:, : self.count], self.probabilities(patches.image), weights, missing)
        with_label, without = (labelled * loss_weight).sum(), (missing * weights).sum()
        return (with_label * loss + without * theirs) / (with_label + without)
