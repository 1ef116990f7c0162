"""A planned network as a torch module, for training and for GPUs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own custom)
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from autocontour.models.networks.plan import IMAGE, Plan, Step


@dataclass(frozen=True, slots=True)
class _Part:
    """Steps that are computed together: a single one, or a block that may be recomputed in the backward pass.

    Attributes
    ----------
    steps
        Each with its number.
    inputs
        Numbers of its input values.
    finished
        Numbers of the values not used after it.
    """

    steps: tuple[tuple[int, Step], ...]
    inputs: tuple[int, ...]
    finished: tuple[int, ...]

    @property
    def result(self) -> int:
        """Number of its output value."""
        return self.steps[-1][0]


@dataclass(frozen=True, slots=True)
class Level:
    """The last value of a network at one of its coarser resolutions.

    Attributes
    ----------
    number
        Of the value.
    channels
        Its channels.
    step_zyx
        Its voxels' size in voxels of the image.
    """

    number: int
    channels: int
    step_zyx: tuple[float, float, float]


class PlannedNetwork(nn.Module):
    """The network of a plan, with random weights; a window may have another size than the plan's.

    Parameters
    ----------
    plan
        Its steps.
    checkpointing
        Whether the blocks marked by `Plan.recomputed` are recomputed in the backward pass, which saves memory.

    Attributes
    ----------
    levels
        The coarser resolutions, the finest first.
    """

    def __init__(self, plan: Plan, *, checkpointing: bool = False) -> None:
        super().__init__()
        self._parts = _parts(plan, checkpointing=checkpointing)
        self.levels = _levels(plan)
        self._overwritten = {
            number
            for number, step in enumerate(plan.steps, 1)
            if step.kind == "relu" and step.inputs[0] != IMAGE and plan.uses(step.inputs[0]) == 1
        }
        for step in plan.steps:
            if step.name:
                _add_module(self, step.name, _module(step, plan.shape(step.inputs[0])[0]))

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of `image`'s spatial size."""
        return self.forward_levels(image, ())[0]

    def forward_levels(self, image: Tensor, numbers: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return the logits, and the values of some of its `levels` by their numbers."""
        values = {IMAGE: image}
        kept: dict[int, Tensor] = {}
        for part in self._parts:
            inputs = [values[number] for number in part.inputs]
            if len(part.steps) > 1 and self.training:
                values[part.result] = checkpoint(self._run, part, *inputs, use_reentrant=False)
            else:
                values[part.result] = self._run(part, *inputs)
            if part.result in numbers:
                kept[part.result] = values[part.result]
            for number in part.finished:
                del values[number]
            del inputs
        return values[self._parts[-1].result], [kept[number] for number in numbers]

    def _run(self, part: _Part, *inputs: Tensor) -> Tensor:
        values = dict(zip(part.inputs, inputs, strict=True))
        for number, step in part.steps:
            values[number] = self._compute(number, step, [values[source] for source in step.inputs])
        return values[part.result]

    def _compute(self, number: int, step: Step, inputs: list[Tensor]) -> Tensor:
        if step.kind == "relu":
            return F.leaky_relu(inputs[0], step.slope, inplace=number in self._overwritten)
        if step.kind == "max pool":
            return F.max_pool3d(inputs[0], step.kernel)
        if step.kind == "average pool":
            return F.avg_pool3d(inputs[0], step.kernel)
        if step.kind == "enlarge":
            return F.interpolate(inputs[0], scale_factor=tuple(map(float, step.stride)), mode="trilinear")
        if step.kind == "add":
            return inputs[0] + inputs[1]
        if step.kind == "instance norm" and not step.name:
            return F.instance_norm(inputs[0])
        if step.kind == "concatenate":
            return torch.cat(inputs, 1)
        computed: Tensor = self.get_submodule(step.name)(inputs[0])
        return computed


def _levels(plan: Plan) -> tuple[Level, ...]:
    """Return the last value of each resolution but the full one.

    What follows it has another resolution, so that no ReLU overwrites it.
    """
    _, *full = plan.shape(len(plan.steps))
    last = {step.shape[1:]: number for number, step in enumerate(plan.steps, 1)}
    levels = [
        Level(number, plan.shape(number)[0], (full[0] / size[0], full[1] / size[1], full[2] / size[2]))
        for size, number in last.items()
        if list(size) != full
    ]
    return tuple(sorted(levels, key=lambda level: prod(level.step_zyx)))


def _parts(plan: Plan, *, checkpointing: bool) -> list[_Part]:
    last = plan.last_uses()
    numbered = list(enumerate(plan.steps, 1))
    parts: list[_Part] = []
    for _, group in itertools.groupby(numbered, lambda pair: (checkpointing and pair[1].recomputed) or -pair[0]):
        steps = tuple(group)
        inside = {number for number, _ in steps}
        inputs = sorted({source for _, step in steps for source in step.inputs} - inside)
        if any(last[number] > steps[-1][0] for number in inside - {steps[-1][0]}):
            raise ValueError("only the last value of a recomputed block may be used outside it")
        parts.append(_Part(steps, tuple(inputs), tuple(n for n in inputs if last[n] <= steps[-1][0])))
    return parts


def _module(step: Step, channels: int) -> nn.Module:
    if step.kind == "group norm":
        return nn.GroupNorm(step.groups, channels)
    if step.kind == "instance norm":
        return nn.InstanceNorm3d(channels, affine=True)
    if step.kind == "scale":
        return _Scale(channels)
    if step.kind == "prelu":
        return nn.PReLU()
    bias = len(step.weights) > 1
    if step.kind == "transposed convolution":
        return nn.ConvTranspose3d(channels, step.shape[0], step.kernel, step.stride, step.padding, step.more, bias=bias)
    return nn.Conv3d(channels, step.shape[0], step.kernel, step.stride, step.padding, bias=bias)


class _Scale(nn.Module):
    """Scales and shifts every channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image: Tensor) -> Tensor:
        """Return the scaled and shifted channels."""
        return image * self.weight.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)


def _add_module(parent: nn.Module, name: str, module: nn.Module) -> None:
    """Add a module under a dotted name, with containers where there are none yet."""
    first, _, rest = name.partition(".")
    if not rest:
        parent.add_module(first, module)
        return
    if first not in parent._modules:
        parent.add_module(first, nn.Module())
    _add_module(parent.get_submodule(first), rest, module)
