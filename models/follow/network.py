"""The network that follows corrected slices: its weights, which are part of the program, and running it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autocontour.base.errors import FollowError, ModelError
from autocontour.models.follow.channels import NETWORK, WINDOW_ZYX, Array
from autocontour.models.follow.decision import Blend, Decision
from autocontour.models.inference.runtime import openvino_errors
from autocontour.models.networks import plan_network
from autocontour.models.networks.as_openvino import build_model, openvino_core
from autocontour.models.package.weights import check_fit, parse_weights

FOLDER = Path(__file__).parent / "weights"
WEIGHTS, CARD = "follow.safetensors", "card.json"


@dataclass(frozen=True)
class FollowWeights:
    """The weights with their card.

    Attributes
    ----------
    weights
        By name.
    card
        Name, version, training and measurements.
    checksum
        SHA-256 of the file of the weights.
    """

    weights: Mapping[str, NDArray[np.floating[Any]]]
    card: Mapping[str, Any]
    checksum: str

    @property
    def decision(self) -> Decision | None:
        """When a proposal is shown."""
        return Decision.of_card(self.card)

    @property
    def blend(self) -> Blend | None:
        """How much of a proposal is interpolation."""
        return Blend.of_card(self.card)


class Network(Protocol):
    """A network ready to run."""

    def __call__(self, channels: Array) -> Array:
        """Return the (z, y, x) logits to add, from (channels, z, y, x) of the size of the window."""
        ...


def read_weights(folder: Path = FOLDER) -> FollowWeights:
    """Read the weights and check them.

    Raises
    ------
    ModelError
        ``AC-FO-001`` if a file is missing or differs from the card's checksum; the errors of
        `autocontour.models.package.weights.parse_weights` and `check_fit`.
    """
    try:
        data = (folder / WEIGHTS).read_bytes()
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FollowError("AC-FO-001", reason=type(error).__name__) from error
    checksum = hashlib.sha256(data).hexdigest()
    if card.get("sha256") != checksum:
        raise FollowError("AC-FO-001", reason="SHA-256")
    weights = parse_weights(WEIGHTS, data)
    check_fit(plan_network(NETWORK, WINDOW_ZYX), weights)
    return FollowWeights(weights, card, checksum)


@cache
def open_network(folder: Path = FOLDER) -> OpenVinoNetwork:
    """Return the network, compiled once per process."""
    return OpenVinoNetwork(read_weights(folder))


class OpenVinoNetwork:
    """The network, run by OpenVINO on the CPU.

    Parameters
    ----------
    source
        Its weights.
    """

    def __init__(self, source: FollowWeights) -> None:
        self.source = source
        model = build_model(plan_network(NETWORK, WINDOW_ZYX), source.weights, logits=True)
        with openvino_errors():
            core = openvino_core()
            capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in capabilities else "f32"
            hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
            self._compiled = core.compile_model(model, "CPU", hints)
        self.device = f"CPU OpenVINO {precision}"

    def __call__(self, channels: Array) -> Array:
        """Return the logits to add.

        Raises
        ------
        ModelError
            ``AC-MD-036`` if OpenVINO fails, ``AC-MD-037`` if a result is NaN.
        """
        with openvino_errors():
            result: Array = np.array(self._compiled([channels[None]])[0][0, 0])
        if np.isnan(result.sum()):
            raise ModelError("AC-MD-037")
        return result
