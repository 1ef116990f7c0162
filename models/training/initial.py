"""Initial weights from an existing package, matched to the structures of a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from autocontour.base.errors import TrainingError
from autocontour.models.networks import build_network, head_names
from autocontour.models.package.package import ModelPackage, check_trainable
from autocontour.models.training.config import StageConfig


def initial_weights(
    package: ModelPackage,
    role: str,
    stage: StageConfig,
    structures: Sequence[str],
    seed: int,
    number: int | None = None,
) -> dict[str, Tensor]:
    """Return a package's weights for the network of `stage`.

    The outputs are matched by the structures' names; those of structures that are not in the package are random. Of
    several networks that are averaged, `number` is taken, or the one that has the largest part in the mean.

    Raises
    ------
    TrainingError
        ``AC-TR-008`` if the package has another network or lacks the stage, or the errors of `check_trainable`.
    """
    check_trainable(package)
    torch.manual_seed(seed)
    heads = head_names(stage.network)
    weights = {name: value.clone() for name, value in build_network(stage.network).state_dict().items()}
    trained: Mapping[str, NDArray[Any]] = {}
    if role in package.stages:
        trained = package.read_networks(role)[package.main_network(role) if number is None else number]
    known = [(k, package.channel(name)) for k, name in enumerate(structures) if name in package.structures]
    for name, value in weights.items():
        given = torch.from_numpy(trained[name].copy()) if name in trained else torch.zeros(0)
        body = given.shape[1:] == value.shape[1:] and given.dim() == value.dim()
        if not body or (name not in heads and given.shape != value.shape):
            raise TrainingError("AC-TR-008", package=f"{package.name} {package.version}", stage=role, weight=name)
        if name in heads:
            for channel, source in known:
                value[channel] = given[source]
        else:
            value.copy_(given)
    return weights
