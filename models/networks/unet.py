"""MONAI's BasicUNet: five levels of two convolutions each; each step down halves z, y and x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autocontour.models.networks.plan import IMAGE, Plan, Triple
from autocontour.models.networks.registry import Architecture, register
from autocontour.models.networks.settings import check_whole, check_wholes, read_settings

if TYPE_CHECKING:
    from torch import nn

LEVELS = 5
STRIDE: Triple = (2, 2, 2)
SLOPE = 0.1  # of MONAI's leaky ReLU


@dataclass(frozen=True)
class Settings:
    """Settings of a U-Net.

    Attributes
    ----------
    in_channels, out_channels
        Intensity windows and structures.
    features
        Width of the five levels, and of the last convolutions at full resolution.
    """

    in_channels: int
    out_channels: int
    features: Sequence[int] = (16, 32, 64, 128, 256, 16)

    def __post_init__(self) -> None:
        check_whole("in_channels", self.in_channels, 1, 512)
        check_whole("out_channels", self.out_channels, 1, 512)
        check_wholes("features", self.features, 2, 4096, least=LEVELS + 1, most=LEVELS + 1)


def plan_network(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of a U-Net; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    *widths, last = settings.features
    plan = Plan(settings.in_channels, size_zyx)
    features = _convolve_twice(plan, IMAGE, "conv_0", widths[0])
    skips: list[int] = []
    for level, width in enumerate(widths[1:], 1):
        skips.append(features)
        features = _convolve_twice(plan, plan.max_pool(features, STRIDE), f"down_{level}.convs", width)
    for level in range(LEVELS - 1, 0, -1):
        name, width = f"upcat_{level}", plan.shape(features)[0]
        raised = width if level == 1 else width // 2  # MONAI halves all but the last
        features = plan.transposed_convolution(features, f"{name}.upsample.deconv", raised, STRIDE)
        features = plan.concatenate(skips.pop(), features)
        features = _convolve_twice(plan, features, f"{name}.convs", last if level == 1 else widths[level - 1])
    plan.logits(features, "final_conv", settings.out_channels)
    return plan


def build(config: Mapping[str, Any]) -> nn.Module:
    """Return MONAI's network with random weights."""
    from monai.networks.nets.basic_unet import BasicUNet

    settings = read_settings(Settings, config)
    network: nn.Module = BasicUNet(3, settings.in_channels, settings.out_channels, features=tuple(settings.features))
    return network


def multiple_zyx(config: Mapping[str, Any]) -> Triple:  # noqa: ARG001  (the same for all)
    """Return 16 along each axis."""
    step = 2 ** (LEVELS - 1)
    return step, step, step


def _convolve_twice(plan: Plan, value: int, name: str, channels: int) -> int:
    for part in (f"{name}.conv_0", f"{name}.conv_1"):
        convolved = plan.convolution(value, f"{part}.conv", channels, bias=True)
        value = plan.relu(plan.group_norm(convolved, f"{part}.adn.N", channels), SLOPE)
    return value


register("unet", Architecture(plan_network, multiple_zyx, build))
