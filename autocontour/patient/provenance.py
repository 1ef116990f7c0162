"""Provenance of a structure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Provenance:
    """The algorithm that drew a structure.

    Attributes
    ----------
    algorithm
        Its name, such as ``autocontour rules`` or a model package's name.
    version
        Its version.
    checksum
        SHA-256 of the model package or template that defines it; empty for code.
    device
        Where it ran, such as ``CPU`` or ``CUDA``.
    template
        Name and checksum of the template used, ``name@sha256``; empty if none.
    confidence
        Mean probability of a network in the structure's voxels; None without a network.
    """

    algorithm: str
    version: str
    checksum: str = ""
    device: str = "CPU"
    template: str = ""
    confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)
