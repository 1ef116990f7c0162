"""Options of the written file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoleStyle(StrEnum):
    """How a structure's holes are written (PS3.3 C.8.8.6.3)."""

    KEYHOLE = "keyhole"
    """One ring per polygon, holes connected by channels of zero width: supported by every reader."""
    NESTED = "nested"
    """Holes as separate rings inside the outer ring: for systems that subtract them."""
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
        Series Description (LO), shown in lists of planning systems.
    """

    holes: HoleStyle = HoleStyle.KEYHOLE
    series_description: str = "autocontour structure set"
