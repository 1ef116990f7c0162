"""What a clinic may choose about the file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoleStyle(StrEnum):
    """How a structure's holes are written (PS3.3 C.8.8.6.3)."""

    KEYHOLE = "keyhole"
    """One ring per polygon, holes reached through channels of no width: every reader sees the holes."""
    NESTED = "nested"
    """Holes as rings of their own inside the outer ring: for systems that subtract them."""
    XOR = "xor"
    """Like nested, of type CLOSEDPLANAR_XOR: for systems of the newer standard."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a structure set is written.

    Attributes
    ----------
    holes
        How holes are written.
    series_description
        Series Description (LO), what a planning system lists the file under.
    """

    holes: HoleStyle = HoleStyle.KEYHOLE
    series_description: str = "autocontour structure set"
