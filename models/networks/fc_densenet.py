"""Fully convolutional DenseNet in 3D (Jégou et al. 2017, arXiv:1611.09326).

Each layer is convolution, group norm, ReLU. The order of the original (norm first) would normalise every earlier
channel again in every layer, which on a CPU costs more than the convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autocontour.models.networks.plan import IMAGE, Plan, Triple
from autocontour.models.networks.registry import Architecture, register
from autocontour.models.networks.settings import check_stride, check_whole, check_wholes, read_settings, triple

if TYPE_CHECKING:
    from torch import nn

GROUP_CHANNELS = 8
EMPTY_LOGIT = -2.0  # an untrained network predicts background for nearly every voxel


@dataclass(frozen=True)
class Settings:
    """Settings of an FC-DenseNet.

    Attributes
    ----------
    in_channels, out_channels
        Intensity windows and structures.
    growth
        Channels that each dense layer adds.
    block_layers
        Dense layers of each level on the way down; the way up mirrors them.
    bottleneck_layers
        Dense layers at the coarsest level.
    strides_zyx
        Stride of each transition down.
    stem_stride_zyx
        Stride of the first convolution: with (2, 1, 1) the dense levels run at half the slices, and a narrow path at
        full resolution refines the result.
    stem_channels, refine_channels
        Width of the stem and of the path at full resolution.
    up_channels
        Width after each transition up, coarsest level first; if empty, a transition keeps its width, which at the
        finest level costs more than all dense layers there.
    group_channels
        Channels of each group of a norm; a layer whose width is not a multiple of it is one group.
    checkpointing
        Recompute the dense blocks in the backward pass to save memory during training.
    """

    in_channels: int
    out_channels: int
    growth: int = 16
    block_layers: Sequence[int] = (2, 3, 4)
    bottleneck_layers: int = 4
    strides_zyx: Sequence[Sequence[int]] = ((2, 2, 2), (2, 2, 2), (2, 2, 2))
    stem_stride_zyx: Sequence[int] = (1, 1, 1)
    stem_channels: int = 24
    refine_channels: int = 16
    up_channels: Sequence[int] = ()
    group_channels: int = GROUP_CHANNELS
    checkpointing: bool = False

    def __post_init__(self) -> None:
        whole = "in_channels", "out_channels", "growth", "bottleneck_layers", "stem_channels", "refine_channels"
        for name in (*whole, "group_channels"):
            check_whole(name, getattr(self, name), 1, 512)
        check_wholes("block_layers", self.block_layers, 1, 64)
        check_wholes("up_channels", self.up_channels, 1, 4096, least=0)
        check_stride("stem_stride_zyx", self.stem_stride_zyx)
        if not isinstance(self.strides_zyx, list | tuple) or not isinstance(self.checkpointing, bool):
            raise ValueError("strides_zyx must be a list of strides, checkpointing true or false")  # noqa: TRY004
        for stride in self.strides_zyx:
            check_stride("strides_zyx", stride)
        levels = len(self.block_layers)
        if len(self.strides_zyx) != levels or len(self.up_channels) not in (0, levels):
            raise ValueError("there must be one stride, and one width after each transition up, per level")


class _GroupedPlan(Plan):
    """Steps whose norms have groups of `group_channels`."""

    def __init__(self, channels: int, size_zyx: Sequence[int], group_channels: int) -> None:
        super().__init__(channels, size_zyx)
        self.group_channels = group_channels


def plan_network(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of an FC-DenseNet; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    plan = _GroupedPlan(settings.in_channels, size_zyx, settings.group_channels)
    stem_stride = triple(settings.stem_stride_zyx)
    features = _stem(plan, settings.stem_channels, stem_stride)
    skips: list[int] = []
    for level, (layers, stride) in enumerate(zip(settings.block_layers, settings.strides_zyx, strict=True)):
        features = _dense(plan, features, f"down_blocks.{level}", settings.growth, layers)
        skips.append(features)
        features = _convolve(plan, features, f"downs.{level}.0", plan.shape(features)[0], (1, 1, 1))
        features = plan.max_pool(features, triple(stride))
    features = _dense(plan, features, "bottleneck", settings.growth, settings.bottleneck_layers, keep_input=False)
    levels = zip(settings.block_layers[::-1], settings.strides_zyx[::-1], skips[::-1], strict=True)
    for level, (layers, stride, skip) in enumerate(levels):
        width = settings.up_channels[level] if settings.up_channels else plan.shape(features)[0]
        features = plan.transposed_convolution(features, f"ups.{level}", width, triple(stride))
        features = plan.concatenate(features, skip)
        features = _convolve(plan, features, f"merges.{level}", 2 * settings.growth * layers, (1, 1, 1))
        features = _dense(plan, features, f"up_blocks.{level}", settings.growth, layers)
    raised = plan.transposed_convolution(features, "full_up", settings.refine_channels, stem_stride)
    full = _convolve(plan, IMAGE, "full_features", settings.refine_channels)
    refined = _convolve(plan, plan.concatenate(raised, full), "refine", settings.refine_channels)
    plan.logits(refined, "head", settings.out_channels)
    return plan


def build(config: Mapping[str, Any]) -> nn.Module:
    """Return the torch module with random weights."""
    import torch

    from autocontour.models.networks.as_torch import PlannedNetwork

    plan = plan_network(config, multiple_zyx(config))
    network = PlannedNetwork(plan, checkpointing=bool(config.get("checkpointing", False)))
    torch.nn.init.constant_(network.get_parameter(f"{plan.head}.bias"), EMPTY_LOGIT)
    return network


def multiple_zyx(config: Mapping[str, Any]) -> Triple:
    """Return the product of all strides along z, y, x."""
    settings = read_settings(Settings, config)
    strides = (settings.stem_stride_zyx, *settings.strides_zyx)
    return triple([math.prod(stride[axis] for stride in strides) for axis in range(3)])


def narrow(config: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return the description of the network with about `share` of the channels of each group of its norms.

    Raises
    ------
    ValueError
        If widths are not multiples of the groups' channels, or `share` removes no channel or all of a group.
    """
    settings = read_settings(Settings, config)
    before, kept = settings.group_channels, round(share * settings.group_channels)
    widths = settings.growth, settings.stem_channels, settings.refine_channels, *settings.up_channels
    if any(width % before for width in widths):
        raise ValueError(f"its widths are not all multiples of {before}, the channels of a norm's group")
    if not 1 <= kept < before:
        raise ValueError(f"{kept} of the {before} channels of each group would be kept")
    growth, stem, refine, *up = (width // before * kept for width in widths)
    changed = {"growth": growth, "stem_channels": stem, "refine_channels": refine, "group_channels": kept}
    return {**config, **changed} | ({"up_channels": up} if up else {})


def _stem(plan: _GroupedPlan, channels: int, stride: Triple) -> int:
    kernel = triple([2 + step for step in stride])
    convolved = plan.convolution(IMAGE, "stem.0", channels, kernel, stride, (1, 1, 1))
    return plan.relu(_norm(plan, convolved, "stem.1"))


def _convolve(plan: _GroupedPlan, value: int, name: str, channels: int, kernel: Triple = (3, 3, 3)) -> int:
    convolved = plan.convolution(value, f"{name}.0", channels, kernel)
    return plan.relu(_norm(plan, convolved, f"{name}.1"))


def _norm(plan: _GroupedPlan, value: int, name: str) -> int:
    channels = plan.shape(value)[0]
    groups, rest = divmod(channels, plan.group_channels)
    return plan.group_norm(value, name, 1 if rest else groups)


def _dense(plan: _GroupedPlan, value: int, name: str, growth: int, layers: int, *, keep_input: bool = True) -> int:
    """Add densely connected layers; return the new channels after those of the input."""
    new: list[int] = []
    with plan.recomputed():
        for layer in range(layers):
            seen = plan.concatenate(value, *new) if new else value
            new.append(_convolve(plan, seen, f"{name}.layers.{layer}", growth))
        if keep_input or len(new) > 1:
            return plan.concatenate(*([value] if keep_input else []), *new)
    return new[0]


register("fc_densenet", Architecture(plan_network, multiple_zyx, build, narrow))
