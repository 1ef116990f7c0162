"""Weights of a package: safetensors only, finite, and of the network's own shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError
from autocontour.models.networks import build_network, plan_network, window_multiple_zyx
from autocontour.models.networks.limits import check_memory

if TYPE_CHECKING:
    from torch import nn

    from autocontour.models.networks import Plan
    from autocontour.models.package.description import Stage

MOST_BYTES_PER_WEIGHT = 8
MOST_WEIGHT = float(np.finfo(np.float16).max)
HEADER_BYTES = 1 << 16  # of a safetensors file, and this many more for each weight's name and shape:
HEADER_BYTES_PER_WEIGHT = 1 << 10
Weights = Mapping[str, NDArray[np.floating[Any]]]


def parse_weights(name: str, data: bytes) -> dict[str, NDArray[np.floating[Any]]]:
    """Parse a safetensors file.

    Raises
    ------
    ModelError
        ``AC-MD-012`` if it cannot be parsed, ``AC-MD-013`` if a value is not a floating point number, or NaN, or beyond
        the range of float16: a GPU computes in float16, and in OpenVINO an overflow gives a plausible probability.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights: dict[str, NDArray[np.floating[Any]]] = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError("AC-MD-012", file=name) from error
    for key, values in weights.items():
        if not np.issubdtype(values.dtype, np.floating) or not (np.abs(values) <= MOST_WEIGHT).all():
            raise ModelError("AC-MD-013", file=name, weight=ascii(key)[1:61])
    return weights


def check_file_size(stage: Stage, name: str, size: int, networks: int = 1) -> None:
    """Check, before a file of weights is read into memory, that it is not larger than the network or networks need.

    Raises
    ------
    ModelError
        ``AC-MD-014`` if it is, or the errors of `autocontour.models.networks.plan_network`.
    """
    shapes = plan_network(stage.network).weight_shapes().values()
    most = MOST_BYTES_PER_WEIGHT * sum(math.prod(shape) for shape in shapes) + HEADER_BYTES_PER_WEIGHT * len(shapes)
    if size > networks * most + HEADER_BYTES:
        raise ModelError("AC-MD-014", weight=f"size of {name}")


def plan_stage(stage: Stage, outputs: int, role: str, images: int | None = None) -> Plan:
    """Return the steps of a stage's network for its window, checked against the package and the machine.

    Parameters
    ----------
    stage
        With the network and its window.
    outputs
        Channels that the package needs of it.
    role
        ``localizer`` or ``segmenter``.
    images
        Channels of its input; one for each intensity window if None.

    Raises
    ------
    ModelError
        ``AC-MD-020`` or ``AC-MD-022`` for the network (see `models.networks.build_network`), ``AC-MD-015`` if its
        input or output does not fit the package, ``AC-MD-021`` if it needs more memory than the machine has.
    """
    config = stage.network
    multiple = window_multiple_zyx(config)
    channels = (config.get("in_channels"), config.get("out_channels"))
    inputs = len(stage.intensity_windows_hu) if images is None else images
    fits = all(size % step == 0 for size, step in zip(stage.window_zyx, multiple, strict=True))
    if channels != (inputs, outputs) or not fits:
        raise ModelError("AC-MD-015", role=role)
    plan = plan_network(config, stage.window_zyx)
    check_memory(plan, role, stage.networks)
    return plan


def check_fit(plan: Plan, weights: Weights) -> None:
    """Check that `weights` are exactly those of the network.

    Raises
    ------
    ModelError
        ``AC-MD-014`` if names or shapes differ.
    """
    expected = plan.weight_shapes()
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if expected != found:
        odd = sorted(key for key in expected | found if expected.get(key) != found.get(key))[0]
        raise ModelError("AC-MD-014", weight=ascii(odd)[1:61])


def load_network(stage: Stage, plan: Plan, weights: Weights) -> nn.Module:
    """Build a stage's network as a torch module with its weights; raises as `check_fit`."""
    import torch

    check_fit(plan, weights)
    network = build_network(stage.network)
    network.load_state_dict({key: torch.from_numpy(value.astype(np.float32)) for key, value in weights.items()})
    return network.eval()
