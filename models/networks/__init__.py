"""The networks, each built from the plain dictionary that a model package carries.

Shapes are batch, channel, z, y, x. The outputs are logits, one channel per structure: structures may overlap, so the
sigmoid of each channel is its probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from autocontour.base.errors import ModelError

GROUP_CHANNELS = 8
EMPTY_LOGIT = -2.0  # an untrained network says that nearly every voxel is empty, as is true


def build_network(config: dict[str, Any]) -> nn.Module:
    """Build a network with random weights from its description.

    Parameters
    ----------
    config
        ``architecture`` is ``fc_densenet`` or ``unet``; the other keys are the arguments of `FCDenseNet` or of
        `build_unet`. Plain JSON values only.

    Returns
    -------
    nn.Module
        Maps a float (batch, in_channels, z, y, x) tensor to logits (batch, out_channels, z, y, x). Each spatial
        size must be a multiple of `window_multiple_zyx` of the same `config`.

    Raises
    ------
    ModelError
        If the architecture is unknown or its arguments do not fit (``AC-MD-020``).
    """
    arguments = {key: value for key, value in config.items() if key != "architecture"}
    builders: dict[str, Callable[..., nn.Module]] = {"fc_densenet": FCDenseNet, "unet": build_unet}
    builder = builders.get(str(config.get("architecture")))
    if builder is None:
        raise ModelError("AC-MD-020", f"The network {config.get('architecture')!r} is unknown.", _REMEDY)
    try:
        return builder(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError("AC-MD-020", f"The network's description does not fit: {error}.", _REMEDY) from error


_REMEDY = "Use a package made by this version of the program."


def window_multiple_zyx(config: dict[str, Any]) -> tuple[int, int, int]:
    """Return the numbers of voxels along z, y, x whose multiples the network of `config` accepts as input."""
    strides = config.get("strides_zyx", [[2, 2, 2]] * 4)
    stem = config.get("stem_stride_zyx", [1, 1, 1])
    z, y, x = (int(stem[axis] * math.prod(stride[axis] for stride in strides)) for axis in range(3))
    return z, y, x


def _triple(values: Sequence[int]) -> tuple[int, int, int]:
    z, y, x = values
    return z, y, x


def _norm(channels: int) -> nn.GroupNorm:
    groups = channels // GROUP_CHANNELS if channels % GROUP_CHANNELS == 0 else 1
    return nn.GroupNorm(groups, channels)


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2, bias=False), _norm(outputs), nn.ReLU(inplace=True)
    )


class DenseBlock(nn.Module):
    """Layers that each see everything before them in the block and add `growth` channels.

    Each layer is convolution, group norm, ReLU. The order of the original (norm first) would normalise every earlier
    channel again in every layer, which on a CPU costs more than the convolutions.
    """

    def __init__(self, inputs: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_conv(inputs + index * growth, growth) for index in range(layers))
        self.new_channels = growth * layers

    def forward(self, features: Tensor) -> Tensor:
        """Return the new channels only."""
        new: list[Tensor] = []
        for layer in self.layers:
            new.append(layer(torch.cat([features, *new], 1) if new else features))
        return torch.cat(new, 1) if len(new) > 1 else new[0]


class FCDenseNet(nn.Module):
    """Fully convolutional DenseNet in 3D (Jégou et al. 2017, arXiv:1611.09326).

    Parameters
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
        Per transition down, the step along z, y, x.
    stem_stride_zyx
        Step of the first convolution: with (2, 1, 1) the dense levels run at half the slices, and a light path at
        full resolution refines the outcome.
    stem_channels, refine_channels
        Width of the stem and of the path at full resolution.
    up_channels
        Width after each transition up, coarsest level first; left out, a transition keeps its width, which at the
        finest level costs more than all dense layers there.
    checkpointing
        Recompute the dense blocks in the backward pass to save memory while training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        growth: int = 16,
        block_layers: Sequence[int] = (2, 3, 4),
        bottleneck_layers: int = 4,
        strides_zyx: Sequence[Sequence[int]] = ((2, 2, 2), (2, 2, 2), (2, 2, 2)),
        stem_stride_zyx: Sequence[int] = (1, 1, 1),
        stem_channels: int = 24,
        refine_channels: int = 16,
        up_channels: Sequence[int] = (),
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if len(strides_zyx) != len(block_layers) or len(up_channels) not in (0, len(block_layers)):
            raise ValueError("there must be one stride, and one width after each transition up, per level")
        self.checkpointing = checkpointing
        stem_kernel = _triple([2 + step for step in stem_stride_zyx])
        self.stem = nn.Sequential(
            nn.Conv3d(in_channels, stem_channels, stem_kernel, _triple(stem_stride_zyx), padding=1, bias=False),
            _norm(stem_channels),
            nn.ReLU(inplace=True),
        )
        self.down_blocks, self.downs = nn.ModuleList(), nn.ModuleList()
        channels, skips = stem_channels, []
        for layers, stride in zip(block_layers, strides_zyx, strict=True):
            block = DenseBlock(channels, growth, layers)
            channels += block.new_channels
            skips.append(channels)
            self.down_blocks.append(block)
            self.downs.append(nn.Sequential(_conv(channels, channels, 1), nn.MaxPool3d(_triple(stride))))
        self.bottleneck = DenseBlock(channels, growth, bottleneck_layers)
        channels = self.bottleneck.new_channels
        self.ups, self.merges, self.up_blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        levels = zip(block_layers[::-1], strides_zyx[::-1], skips[::-1], strict=True)
        for level, (layers, stride, skip) in enumerate(levels):
            step = _triple(stride)
            raised = up_channels[level] if up_channels else channels
            self.ups.append(nn.ConvTranspose3d(channels, raised, step, step))
            merged = 2 * growth * layers
            self.merges.append(_conv(raised + skip, merged, 1))
            block = DenseBlock(merged, growth, layers)
            self.up_blocks.append(block)
            channels = merged + block.new_channels
        step = _triple(stem_stride_zyx)
        self.full_up = nn.ConvTranspose3d(channels, refine_channels, step, step)
        self.full_features = _conv(in_channels, refine_channels)
        self.refine = _conv(2 * refine_channels, refine_channels)
        self.head = nn.Conv3d(refine_channels, out_channels, 1)
        nn.init.constant_(cast(Tensor, self.head.bias), EMPTY_LOGIT)

    def _dense(self, block: nn.Module, features: Tensor) -> Tensor:
        if self.checkpointing and self.training:
            new: Tensor = checkpoint(block, features, use_reentrant=False)
        else:
            new = block(features)
        return new

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of `image`'s spatial size."""
        features, skips = self.stem(image), []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            features = torch.cat([features, self._dense(block, features)], 1)
            skips.append(features)
            features = down(features)
        features = self._dense(self.bottleneck, features)
        for up, merge, block in zip(self.ups, self.merges, self.up_blocks, strict=True):
            features = merge(torch.cat([up(features), skips.pop()], 1))
            features = torch.cat([features, self._dense(block, features)], 1)
        full = torch.cat([self.full_up(features), self.full_features(image)], 1)
        logits: Tensor = self.head(self.refine(full))
        return logits


def build_unet(in_channels: int, out_channels: int, features: Sequence[int] = (16, 32, 64, 128, 256, 16)) -> nn.Module:
    """Build MONAI's BasicUNet: five levels, each step down halves z, y and x."""
    from monai.networks.nets.basic_unet import BasicUNet

    network: nn.Module = BasicUNet(3, in_channels, out_channels, features=tuple(features))
    return network
