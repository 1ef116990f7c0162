"""MONAI's UNet (Kerfoot et al. 2019): residual units, transposed convolutions; a batch norm is a scale and a shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from autocontour.models.networks.plan import IMAGE, Plan, Triple
from autocontour.models.networks.registry import Architecture, register
from autocontour.models.networks.settings import check_stride, check_whole, check_wholes, read_settings, triple

NORMS = ("instance", "batch")
KERNEL: Triple = (3, 3, 3)
ONE: Triple = (1, 1, 1)


@dataclass(frozen=True)
class Settings:
    """Settings of a UNet.

    Attributes
    ----------
    in_channels, out_channels
        Images and labels.
    channels
        Width of each level.
    strides_zyx
        From a level to the next.
    units
        Convolutions of a residual unit; 0 for a single convolution without one.
    norm
        ``instance`` (without weights) or ``batch``.
    """

    in_channels: int
    out_channels: int
    channels: Sequence[int]
    strides_zyx: Sequence[Sequence[int]]
    units: int = 0
    norm: str = "instance"

    def __post_init__(self) -> None:
        check_whole("in_channels", self.in_channels, 1, 512)
        check_whole("out_channels", self.out_channels, 1, 512)
        check_wholes("channels", self.channels, 1, 4096, least=2, most=10)
        check_whole("units", self.units, 0, 16)
        if not isinstance(self.strides_zyx, list | tuple) or len(self.strides_zyx) != len(self.channels) - 1:
            raise ValueError("strides_zyx must be a list of one stride between two levels")
        for stride in self.strides_zyx:
            check_stride("strides_zyx", stride)
        if self.norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}")


def plan_network(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of a UNet; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    plan = Plan(settings.in_channels, size_zyx)
    value = _level(plan, IMAGE, "model", settings, 0, settings.out_channels)
    plan.head = plan.steps[-1].name if settings.units == 0 else _head(plan)
    if value != len(plan.steps):
        raise ValueError("the network has no last step")
    return plan


def multiple_zyx(config: Mapping[str, Any]) -> Triple:
    """Return the product of the strides along each axis."""
    settings = read_settings(Settings, config)
    z, y, x = (prod(stride[axis] for stride in settings.strides_zyx) for axis in range(3))
    return z, y, x


def _level(plan: Plan, value: int, name: str, settings: Settings, level: int, outputs: int) -> int:
    """Add a level: down, what lies below beside it, up."""
    width, stride = settings.channels[level], triple(settings.strides_zyx[level])
    down = _down(plan, value, f"{name}.0", settings, width, stride)
    below = f"{name}.1.submodule"
    if level + 2 < len(settings.channels):
        inner = _level(plan, down, below, settings, level + 1, width)
    else:
        inner = _down(plan, down, below, settings, settings.channels[level + 1], ONE)
    return _up(plan, plan.concatenate(down, inner), f"{name}.2", settings, outputs, stride, is_top=level == 0)


def _down(plan: Plan, value: int, name: str, settings: Settings, width: int, stride: Triple) -> int:
    if settings.units == 0:
        convolved = plan.convolution(value, f"{name}.conv", width, stride=stride, bias=True)
        return _activated(plan, convolved, name, settings)
    return _unit(plan, value, name, settings, width, stride, settings.units, last_conv_only=False)


def _up(plan: Plan, value: int, name: str, settings: Settings, width: int, stride: Triple, *, is_top: bool) -> int:
    if settings.units == 0:
        value = plan.transposed_convolution(value, f"{name}.conv", width, stride, KERNEL)
        return value if is_top else _activated(plan, value, name, settings)
    value = plan.transposed_convolution(value, f"{name}.0.conv", width, stride, KERNEL)
    value = _activated(plan, value, f"{name}.0", settings)
    return _unit(plan, value, f"{name}.1", settings, width, ONE, 1, last_conv_only=is_top)


def _unit(
    plan: Plan,
    value: int,
    name: str,
    settings: Settings,
    width: int,
    stride: Triple,
    count: int,
    *,
    last_conv_only: bool,
) -> int:
    """Add a residual unit: convolutions beside a shortcut, which is convolved where the shape changes."""
    kept = value
    if stride != ONE or plan.shape(value)[0] != width:
        kernel = KERNEL if stride != ONE else ONE
        kept = plan.convolution(value, f"{name}.residual", width, kernel, stride, bias=True)
    for number in range(count):
        part = f"{name}.conv.unit{number}"
        value = plan.convolution(value, f"{part}.conv", width, stride=stride if number == 0 else ONE, bias=True)
        if not (last_conv_only and number == count - 1):
            value = _activated(plan, value, part, settings)
    return plan.add(value, kept)


def _activated(plan: Plan, value: int, name: str, settings: Settings) -> int:
    normed = plan.scale(value, f"{name}.adn.N") if settings.norm == "batch" else plan.instance_norm(value)
    return plan.prelu(normed, f"{name}.adn.A")


def _head(plan: Plan) -> str:
    return next(step.name for step in reversed(plan.steps) if step.name)


register("residual_unet", Architecture(plan_network, multiple_zyx))
