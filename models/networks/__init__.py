"""The networks, each built from its description in a model package.

Shapes are batch, channel, z, y, x. The outputs are logits, one channel per structure: structures may overlap, so the
sigmoid of each channel is its probability. One module is one architecture; it registers itself (see `registry`).
torch and openvino are imported only where a network is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import ModelError
from autocontour.models.networks import conv_unet, fc_densenet, residual_unet, segresnet, unet
from autocontour.models.networks.plan import Plan, Triple
from autocontour.models.networks.registry import Architecture, find_architecture, register

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Architecture",
    "Plan",
    "build_network",
    "conv_unet",
    "fc_densenet",
    "head_names",
    "narrow_network",
    "plan_network",
    "register",
    "residual_unet",
    "segresnet",
    "unet",
    "window_multiple_zyx",
]


def build_network(config: Mapping[str, Any]) -> nn.Module:
    """Build a network with random weights as a torch module from its description.

    Parameters
    ----------
    config
        ``architecture`` is the type, such as ``fc_densenet`` or ``unet``; the other keys are the fields of its
        module's ``Settings``. Plain JSON values only.

    Returns
    -------
    nn.Module
        Maps a float (batch, in_channels, z, y, x) tensor to logits (batch, out_channels, z, y, x). Each spatial
        size must be a multiple of `window_multiple_zyx` of the same `config`.

    Raises
    ------
    ModelError
        ``AC-MD-020`` if the architecture is unknown, ``AC-MD-022`` if its settings do not fit.
    """
    architecture = find_architecture(config)
    with _refusing():
        if architecture.build is not None:
            return architecture.build(config)
        from autocontour.models.networks.as_torch import PlannedNetwork

        return PlannedNetwork(architecture.plan(config, architecture.multiple_zyx(config)))


def plan_network(config: Mapping[str, Any], size_zyx: Sequence[int] | None = None) -> Plan:
    """Return a network's steps for a window; needs neither torch nor OpenVINO.

    Parameters
    ----------
    config
        As of `build_network`.
    size_zyx
        Of the window; None for the smallest.

    Raises
    ------
    ModelError
        As `build_network`.
    """
    architecture = find_architecture(config)
    with _refusing():
        return architecture.plan(config, size_zyx or architecture.multiple_zyx(config))


def window_multiple_zyx(config: Mapping[str, Any]) -> Triple:
    """Return the numbers of voxels along z, y, x whose multiples the network of `config` accepts as input.

    Raises
    ------
    ModelError
        As `build_network`.
    """
    architecture = find_architecture(config)
    with _refusing():
        return architecture.multiple_zyx(config)


def head_names(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of the weights with one row per structure; raises as `build_network`."""
    head = plan_network(config).head
    return f"{head}.weight", f"{head}.bias"


def narrow_network(config: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return the description of a network with fewer channels: about `share` of those of each layer.

    Its norms have as many groups as before, each with fewer channels.

    Raises
    ------
    ModelError
        ``AC-MD-022`` if the architecture cannot be narrowed or no smaller number of channels fits; or as
        `build_network`.
    """
    architecture = find_architecture(config)
    with _refusing():
        if architecture.narrow is None:
            raise ValueError(f"a network of the type {config['architecture']} cannot be narrowed")
        return architecture.narrow(config, share)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ModelError("AC-MD-022", reason=str(error)) from error
