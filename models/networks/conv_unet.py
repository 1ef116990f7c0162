"""nnU-Net's networks: a U-Net of plain convolutions, and one with a residual encoder (Isensee et al. 2021 and 2024).

The names of the weights are those of nnU-Net's own checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from autocontour.models.networks.plan import IMAGE, Plan, Triple
from autocontour.models.networks.registry import Architecture, register
from autocontour.models.networks.settings import check_stride, check_whole, check_wholes, read_settings, triple

PLAIN, RESIDUAL = "conv_unet", "residual_encoder_unet"
MOST_STAGES = 12
WHOLE: Triple = (1, 1, 1)


@dataclass(frozen=True)
class Settings:
    """Settings of a network of nnU-Net, finest stage first.

    Attributes
    ----------
    in_channels, out_channels
        Images, and labels with the background or regions.
    features
        Width of each stage.
    kernels_zyx, strides_zyx
        Kernel of each stage's convolutions, and the stride of its first one; that of the first stage is one.
    blocks
        Convolutions of each stage of the encoder, or its residual blocks.
    decoder_blocks
        Convolutions of each stage of the decoder, coarsest stage first.
    bias
        Whether the convolutions have a bias.
    slope
        Slope of the ReLU below zero.
    """

    in_channels: int
    out_channels: int
    features: Sequence[int]
    kernels_zyx: Sequence[Sequence[int]]
    strides_zyx: Sequence[Sequence[int]]
    blocks: Sequence[int]
    decoder_blocks: Sequence[int]
    bias: bool = True
    slope: float = 0.01

    def __post_init__(self) -> None:
        check_whole("in_channels", self.in_channels, 1, 512)
        check_whole("out_channels", self.out_channels, 1, 512)
        check_wholes("features", self.features, 1, 4096, least=2, most=MOST_STAGES)
        stages = len(self.features)
        check_wholes("blocks", self.blocks, 1, 32, least=stages, most=stages)
        check_wholes("decoder_blocks", self.decoder_blocks, 1, 32, least=stages - 1, most=stages - 1)
        for name in ("kernels_zyx", "strides_zyx"):
            steps = getattr(self, name)
            if not isinstance(steps, list | tuple) or len(steps) != stages:
                raise ValueError(f"{name} must be a list of one entry for each stage")
            for step in steps:
                check_stride(name, step)
        if any(size % 2 == 0 for kernel in self.kernels_zyx for size in kernel):
            raise ValueError("the kernels must have odd sizes")
        if triple(self.strides_zyx[0]) != WHOLE:
            raise ValueError("the first stage must have a stride of one")
        if not isinstance(self.bias, bool) or not isinstance(self.slope, int | float) or not 0 <= self.slope <= 1:
            raise ValueError("bias must be true or false, slope a number from 0 to 1")


def plan_plain(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of the U-Net of plain convolutions; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    plan = Plan(settings.in_channels, size_zyx)
    value, skips = IMAGE, []
    for stage, blocks in enumerate(settings.blocks):
        stride = triple(settings.strides_zyx[stage])
        value = _convolve(plan, value, f"encoder.stages.{stage}.0", settings, stage, blocks, stride)
        skips.append(value)
    return _decode(plan, skips, settings)


def plan_residual(config: Mapping[str, Any], size_zyx: Sequence[int]) -> Plan:
    """Return the steps of the U-Net with a residual encoder; raises ValueError for settings that do not fit."""
    settings = read_settings(Settings, config)
    plan = Plan(settings.in_channels, size_zyx)
    value, skips = _convolve(plan, IMAGE, "encoder.stem", settings, 0, 1, WHOLE), []
    for stage, blocks in enumerate(settings.blocks):
        for block in range(blocks):
            stride = triple(settings.strides_zyx[stage]) if block == 0 else WHOLE
            value = _residual_block(plan, value, f"encoder.stages.{stage}.blocks.{block}", settings, stage, stride)
        skips.append(value)
    return _decode(plan, skips, settings)


def multiple_zyx(config: Mapping[str, Any]) -> Triple:
    """Return the product of the strides along each axis."""
    settings = read_settings(Settings, config)
    z, y, x = (prod(stride[axis] for stride in settings.strides_zyx) for axis in range(3))
    return z, y, x


def _decode(plan: Plan, skips: list[int], settings: Settings) -> Plan:
    value, last = skips[-1], len(skips) - 2
    for step in range(last + 1):
        stage = last - step
        width, stride = settings.features[stage], triple(settings.strides_zyx[stage + 1])
        raised = plan.transposed_convolution(value, f"decoder.transpconvs.{step}", width, stride, bias=settings.bias)
        value = plan.concatenate(raised, skips[stage])
        blocks = settings.decoder_blocks[step]
        value = _convolve(plan, value, f"decoder.stages.{step}", settings, stage, blocks, WHOLE)
    plan.logits(value, f"decoder.seg_layers.{last}", settings.out_channels)
    return plan


def _convolve(plan: Plan, value: int, name: str, settings: Settings, stage: int, count: int, stride: Triple) -> int:
    for number in range(count):
        part = f"{name}.convs.{number}"
        value = plan.relu(_normed(plan, value, part, settings, stage, stride if number == 0 else WHOLE), settings.slope)
    return value


def _residual_block(plan: Plan, value: int, name: str, settings: Settings, stage: int, stride: Triple) -> int:
    first = plan.relu(_normed(plan, value, f"{name}.conv1", settings, stage, stride), settings.slope)
    second = _normed(plan, first, f"{name}.conv2", settings, stage, WHOLE)
    kept, width, pooled = value, settings.features[stage], stride != WHOLE
    if pooled:
        kept = plan.average_pool(kept, stride)
    if plan.shape(value)[0] != width:
        part = f"{name}.skip.{int(pooled)}"
        kept = plan.instance_norm(plan.convolution(kept, f"{part}.conv", width, WHOLE), f"{part}.norm")
    return plan.relu(plan.add(second, kept), settings.slope)


def _normed(plan: Plan, value: int, name: str, settings: Settings, stage: int, stride: Triple) -> int:
    kernel = triple(settings.kernels_zyx[stage])
    width = settings.features[stage]
    convolved = plan.convolution(value, f"{name}.conv", width, kernel, stride, bias=settings.bias)
    return plan.instance_norm(convolved, f"{name}.norm")


register(PLAIN, Architecture(plan_plain, multiple_zyx))
register(RESIDUAL, Architecture(plan_residual, multiple_zyx))
