"""MONAI's SegResNet (Myronenko 2018, arXiv:1810.11654) with linear upsampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autocontour.models.networks.plan import IMAGE, Plan, Triple
from autocontour.models.networks.registry import Architecture, register
from autocontour.models.networks.settings import check_whole, check_wholes, read_settings

ONE: Triple = (1, 1, 1)
TWO: Triple = (2, 2, 2)


@dataclass(frozen=True)
class Settings:
    """Settings of a SegResNet, by MONAI's names.

    Attributes
    ----------
    in_channels, out_channels
        Images and labels.
    init_filters
        Width of the first level; each level doubles it.
    blocks_down, blocks_up
        Residual blocks of each level, the way up from its coarsest level.
    groups
        Groups of the group norms.
    """

    in_channels: int
    out_channels: int
    init_filters: int = 8
    blocks_down: Sequence[int] = (1, 2, 2, 4)
    blocks_up: Sequence[int] = (1, 1, 1)
    groups: int = 8

    def __post_init__(self) -> None:
        for name in ("in_channels", "out_channels", "init_filters", "groups"):
            check_whole(name, getattr(self, name), 1, 512)
        check_wholes("blocks_down", self.blocks_down, 1, 32, least=2, most=8)
        levels = len(self.blocks_down) - 1
        check_wholes("blocks_up", self.blocks_up, 1, 32, least=levels, most=levels)


def plan_network(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of a SegResNet; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    plan = Plan(settings.in_channels, size_zyx)
    value = plan.convolution(IMAGE, "convInit.conv", settings.init_filters)
    levels = []
    for level, blocks in enumerate(settings.blocks_down):
        width = settings.init_filters << level
        if level:
            value = plan.convolution(value, f"down_layers.{level}.0.conv", width, stride=TWO)
        for block in range(1, blocks + 1):
            value = _block(plan, value, f"down_layers.{level}.{block}", width, settings.groups)
        levels.append(value)
    for step, blocks in enumerate(settings.blocks_up):
        level = len(levels) - 2 - step
        width = settings.init_filters << level
        narrow = plan.convolution(value, f"up_samples.{step}.0.conv", width, ONE)
        value = plan.add(plan.enlarge(narrow, TWO), levels[level])
        for block in range(blocks):
            value = _block(plan, value, f"up_layers.{step}.{block}", width, settings.groups)
    value = plan.relu(plan.group_norm(value, "conv_final.0", settings.groups))
    plan.logits(value, "conv_final.2.conv", settings.out_channels)
    return plan


def multiple_zyx(config: Mapping[str, Any]) -> Triple:
    """Return the product of the strides, the same along each axis."""
    step = 1 << (len(read_settings(Settings, config).blocks_down) - 1)
    return step, step, step


def _block(plan: Plan, value: int, name: str, width: int, groups: int) -> int:
    first = plan.relu(plan.group_norm(value, f"{name}.norm1", groups))
    second = plan.convolution(first, f"{name}.conv1.conv", width)
    third = plan.relu(plan.group_norm(second, f"{name}.norm2", groups))
    return plan.add(plan.convolution(third, f"{name}.conv2.conv", width), value)


register("segresnet", Architecture(plan_network, multiple_zyx))
