"""Weights to begin a training with: those of packages trained before, fitted to the structures wanted now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autocontour.errors import TrainingError
from autocontour.models.networks import build_network
from autocontour.models.package import ModelPackage
from autocontour.models.training.config import StageConfig

HEADS = ("head", "final_conv")
"""The layers with one output per structure, of `FCDenseNet` and of `build_unet`."""


def initial_weights(
    packages: Sequence[ModelPackage], role: str, stage: StageConfig, structures: Sequence[str], seed: int
) -> dict[str, Tensor]:
    """Return the packages' weights for the network of `stage`.

    A network that is a mean takes one package for each of its members, in their order; a package without the stage is
    passed over. The outputs are matched by the structures' names; that of a structure which a package has not begins
    at random.

    Raises
    ------
    TrainingError
        ``AC-TR-008`` if the packages' networks are others, or more than are needed.
    """
    torch.manual_seed(seed)
    weights = {name: value.clone() for name, value in build_network(stage.network).state_dict().items()}
    parts = list(_parts(stage.network, weights))
    givers = [package for package in packages if role in package.stages]
    if len(givers) != len(parts):
        message = f"The {role} is begun with {len(parts)}, and there are {len(givers)} packages that have one."
        raise TrainingError("AC-TR-008", message, _REMEDY)
    for giver, part in zip(givers, parts, strict=True):
        _take_over(giver, role, part, structures)
    return weights


_REMEDY = "Give the same networks in the configuration, or begin afresh."


def _parts(network: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the weights of each member, under the names that they have by themselves."""
    if "members" not in network:
        yield dict(weights)
    for index in range(len(network.get("members", ()))):
        start = f"members.{index}."
        yield {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}


def _take_over(package: ModelPackage, role: str, weights: Mapping[str, Tensor], structures: Sequence[str]) -> None:
    learnt = package.read_weights(role)
    known = [(k, package.channel(name)) for k, name in enumerate(structures) if name in package.structures]
    for name, value in weights.items():
        given = torch.from_numpy(learnt[name].copy()) if name in learnt else torch.zeros(0)
        is_head = name.split(".")[0] in HEADS
        body = given.shape[1:] == value.shape[1:] and given.dim() == value.dim()
        if not body or (not is_head and given.shape != value.shape):
            message = f"{package.name} {package.version} cannot begin the {role}: its network is another one ({name})."
            raise TrainingError("AC-TR-008", message, _REMEDY)
        if is_head:
            for channel, source in known:
                value[channel] = given[source]
        else:
            value.copy_(given)
