"""Structured pruning: the channels of a network that matter least are removed, and the network becomes narrower.

The importance of a channel is estimated by a Taylor expansion of the loss (Molchanov et al. 2019, arXiv:1906.10771), at
the scale and shift of the norm that follows its convolution: how much the loss would change if both were 0. Of each
group of a norm the same number of channels is kept, so that the groups stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autocontour.models.data.dataset import Dataset
from autocontour.models.networks import build_network, plan_network
from autocontour.models.networks.plan import IMAGE, Plan
from autocontour.models.training.config import StageConfig
from autocontour.models.training.loss import masked_loss
from autocontour.models.training.patches import PatchSampler
from autocontour.models.training.teacher import Teacher

PATCHES = 24
CONVOLUTIONS = ("convolution", "transposed convolution")
Importance = Mapping[str, NDArray[np.float64]]
Channels = NDArray[np.intp]


def prune_network(
    weights: Mapping[str, Tensor],
    stage: StageConfig,
    narrow: Mapping[str, object],
    dataset: Dataset,
    structures: Sequence[str],
    teacher: Teacher,
    seed: int,
) -> dict[str, Tensor]:
    """Return the weights of the most important channels.

    Parameters
    ----------
    weights
        Of the network before.
    stage
        Describes that network, its input and the patches.
    narrow
        Description of the network afterwards.
    dataset, structures, teacher
        Patients and teacher that the importance of the channels is measured with.
    seed
        Of the patches.
    """
    importance = measure_importance(weights, stage, dataset, structures, teacher, seed)
    before, after = plan_network(stage.network), plan_network(narrow)
    return select_channels(weights, before, after, importance)


def measure_importance(
    weights: Mapping[str, Tensor],
    stage: StageConfig,
    dataset: Dataset,
    structures: Sequence[str],
    teacher: Teacher,
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """Return for each convolution the importance of its channels, measured on `PATCHES` patches."""
    network = build_network(stage.network)
    network.load_state_dict(dict(weights))
    plan = plan_network(stage.network)
    sampler = PatchSampler(dataset.training, structures, stage)
    loss_weight = torch.tensor([stage.loss_weights.get(name, 1.0) for name in structures])
    parameters = dict(network.named_parameters())
    total = {step.name: np.zeros(step.shape[0]) for step in plan.steps if step.kind in CONVOLUTIONS}
    for number in range(PATCHES):
        patches = sampler.draw([np.random.default_rng((seed, number))])
        logits = network(patches.image)
        loss = masked_loss(logits, patches.target, patches.weight, loss_weight)
        loss = teacher.add_to(loss, logits, patches, loss_weight)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        change = {
            name: (value.detach() * gradient).numpy()
            for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
        }
        for name in total:
            total[name] += _change_of_channels(plan, name, change) ** 2
    return total


def _change_of_channels(plan: Plan, name: str, change: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return by how much the loss would change without each channel of a convolution, to first order."""
    number = next(k for k, step in enumerate(plan.steps, 1) if step.name == name)
    step, norm = plan.steps[number - 1], _norm_after(plan, number)
    owner, axis = (norm, 0) if norm else (name, int(step.kind == "transposed convolution"))
    weight = np.moveaxis(change[f"{owner}.weight"], axis, 0)
    found: NDArray[np.float64] = weight.reshape(len(weight), -1).sum(axis=1, dtype=np.float64)
    bias = change.get(f"{owner}.bias")
    return found if bias is None else found + bias


def _norm_after(plan: Plan, number: int) -> str:
    """Return the name of the norm that is applied to a value; empty if there is none."""
    norms = [step.name for step in plan.steps if step.kind == "group norm" and step.inputs == (number,)]
    return norms[0] if norms and plan.uses(number) == 1 else ""


def select_channels(
    weights: Mapping[str, Tensor], before: Plan, after: Plan, importance: Importance
) -> dict[str, Tensor]:
    """Return the weights of the narrower network `after`: those of the most important channels of `before`.

    The channels kept of each value are followed through the network, so that a later step takes the columns of exactly
    those that an earlier one, also across a skip connection, still computes.

    Parameters
    ----------
    weights
        Of `before`.
    before, after
        The same steps with different numbers of channels.
    importance
        Of the channels of each convolution, by its name.
    """
    kept: dict[int, Channels] = {IMAGE: np.arange(before.shape(IMAGE)[0])}
    chosen: dict[str, Tensor] = {}
    for number, (wide, slim) in enumerate(zip(before.steps, after.steps, strict=True), 1):
        inputs = [kept[value] for value in wide.inputs]
        if wide.kind in CONVOLUTIONS:
            groups = _groups_after(before, number)
            kept[number] = _most_important(importance[wide.name], slim.shape[0], groups)
            rows, columns = torch.from_numpy(kept[number]), torch.from_numpy(inputs[0])
            weight = weights[f"{wide.name}.weight"]
            first, second = (columns, rows) if wide.kind == "transposed convolution" else (rows, columns)
            chosen[f"{wide.name}.weight"] = weight.index_select(0, first).index_select(1, second)
            if len(wide.weights) > 1:
                chosen[f"{wide.name}.bias"] = weights[f"{wide.name}.bias"].index_select(0, rows)
            continue
        starts = np.cumsum([0, *(before.shape(value)[0] for value in wide.inputs)])
        moved = [start + one for start, one in zip(starts, inputs, strict=False)]
        kept[number] = np.concatenate(moved) if wide.kind == "concatenate" else inputs[0]
        for what, _ in zip(("weight", "bias"), wide.weights, strict=False):
            rows = torch.from_numpy(kept[number])
            chosen[f"{wide.name}.{what}"] = weights[f"{wide.name}.{what}"].index_select(0, rows)
    return chosen


def _groups_after(plan: Plan, number: int) -> int:
    """Return the number of groups of the norm after a value; 1 if there is none."""
    norm = _norm_after(plan, number)
    return next((step.groups for step in plan.steps if step.name == norm), 1) if norm else 1


def _most_important(importance: NDArray[np.float64], count: int, groups: int) -> Channels:
    """Return the numbers of the most important channels, the same number of each group, in rising order."""
    width, kept = len(importance) // groups, count // groups
    order = np.argsort(-importance.reshape(groups, width), axis=1, kind="stable")[:, :kept]
    first = width * np.arange(groups)[:, None]
    found: Channels = np.sort(order + first, axis=1).ravel()
    return found
