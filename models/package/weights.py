"""Weights of a package: safetensors only, finite, and of the network's own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from autocontour.models.package.description import Stage

Weights = Mapping[str, NDArray[np.floating[Any]]]

_ASK_AGAIN = "Get the package again from where it came from."


def parse_weights(name: str, data: bytes) -> dict[str, NDArray[np.floating[Any]]]:
    """Parse a safetensors file.

    Raises
    ------
    ModelError
        ``AC-MD-012`` if it cannot be parsed, ``AC-MD-013`` if a value is not finite.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ImportError as error:
        raise missing_extra() from error
    try:
        weights: dict[str, NDArray[np.floating[Any]]] = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ModelError("AC-MD-012", f"{name} cannot be read as safetensors.", _ASK_AGAIN) from error
    for key, values in weights.items():
        if not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
            raise ModelError("AC-MD-013", f"{name} holds values that are no finite numbers ({key}).", _ASK_AGAIN)
    return weights


def check_fit(stage: Stage, structures: int, weights: Weights) -> None:
    """Check that `weights` are exactly those of the stage's network, without building it in memory.

    Raises
    ------
    ModelError
        ``AC-MD-014`` if names or shapes differ, ``AC-MD-020`` if the network is unknown, ``AC-MD-015`` if its input
        or output does not fit the package.
    """
    import torch

    with torch.device("meta"):
        network = _build(stage, structures)
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if expected != found:
        odd = sorted(key for key in expected | found if expected.get(key) != found.get(key))[0]
        raise ModelError("AC-MD-014", f"The weights do not fit the package's network ({odd}).", _ASK_AGAIN)


def load_network(stage: Stage, structures: int, weights: Weights) -> nn.Module:
    """Build the stage's network with its weights, ready for use; raises as `check_fit`."""
    import torch

    check_fit(stage, structures, weights)
    network = _build(stage, structures)
    network.load_state_dict({key: torch.from_numpy(value.astype(np.float32)) for key, value in weights.items()})
    return network.eval()


def missing_extra() -> ModelError:
    """Return the refusal for an installation without the network libraries."""
    return ModelError(
        "AC-MD-016", "The network libraries are not installed.", 'Install them with: pip install "autocontour[models]".'
    )


def _build(stage: Stage, structures: int) -> nn.Module:
    from autocontour.models.networks import build_network, window_multiple_zyx

    config = dict(stage.network)
    network = build_network(config)
    multiple = window_multiple_zyx(config)
    channels = (config.get("in_channels"), config.get("out_channels"))
    fits = all(size % step == 0 for size, step in zip(stage.window_zyx, multiple, strict=True))
    if channels != (len(stage.intensity_windows_hu), structures) or not fits:
        raise ModelError("AC-MD-015", "The network's input or output does not fit its package.", "Ask its maker.")
    return network
