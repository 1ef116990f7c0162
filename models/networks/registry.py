"""The architectures of networks by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import ModelError
from autocontour.models.networks.plan import Plan, Triple

if TYPE_CHECKING:
    from torch import nn

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Architecture:
    """One kind of network. The argument of each function is the network's description in a model package.

    Attributes
    ----------
    plan
        Returns the steps for a size of window, from which OpenVINO and the checks of weights and memory are made.
        Raises ValueError for settings that do not fit.
    multiple_zyx
        Returns the numbers of voxels along z, y, x of which the window size must be a multiple.
    build
        Returns a torch module with the weights' names and shapes of the plan, random; None to make it from the plan.
    narrow
        Returns the description of the same network with about a fraction of its channels, whose norms have the same
        groups; None if there is none. Raises ValueError if no number of channels fits.
    """

    plan: Callable[[Config, Sequence[int]], Plan]
    multiple_zyx: Callable[[Config], Triple]
    build: Callable[[Config], nn.Module] | None = None
    narrow: Callable[[Config, float], dict[str, Any]] | None = None


_ARCHITECTURES: dict[str, Architecture] = {}


def register(name: str, architecture: Architecture) -> None:
    """Add an architecture; a package's network names it as its ``architecture``."""
    _ARCHITECTURES[name] = architecture


def find_architecture(config: Config) -> Architecture:
    """Return the architecture that a description names.

    Raises
    ------
    ModelError
        ``AC-MD-020`` if it is unknown.
    """
    name = config.get("architecture")
    if not isinstance(name, str) or name not in _ARCHITECTURES:
        raise ModelError("AC-MD-020", name=str(name)[:60], known=", ".join(sorted(_ARCHITECTURES)))
    return _ARCHITECTURES[name]
