"""Reference data of human anatomy, read from ``anatomy.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from autocontour.patient.matching import tg263_name
from autocontour.patient.structures import Structure

FILE = Path(__file__).with_name("anatomy.toml")
SIDES = {"_L": "left", "_R": "right"}


@dataclass(frozen=True, slots=True)
class VolumeRange:
    """Range of plausible volumes in cm³, and its source."""

    low: float
    high: float
    source: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a structure holds: ``air`` (at least `limit` of it), ``solid`` (at most `limit` is air) or ``bone``."""

    kind: str
    limit: float


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The table.

    Attributes
    ----------
    volumes
        TG-263 name without side → range.
    above, in_front
        Pairs of such names: the first is closer to the head, or to the front.
    middle
        Names of structures in the body's middle.
    contains
        Name → names of structures that may lie in it; ``*`` for all.
    asymmetric
        Names of organs with sides that lie on one side of the body, such as the heart's chambers.
    contents
        TG-263 name without side → what it holds.
    """

    volumes: Mapping[str, VolumeRange]
    above: tuple[tuple[str, str], ...]
    in_front: tuple[tuple[str, str], ...]
    middle: frozenset[str]
    contains: Mapping[str, frozenset[str]]
    asymmetric: frozenset[str] = frozenset()
    contents: Mapping[str, Contents] = field(default_factory=dict)

    def may_share(self, one: str, other: str) -> bool:
        """Whether two structures may overlap, by their names without side."""
        return any(
            whole in self.contains and ("*" in self.contains[whole] or part in self.contains[whole])
            for whole, part in ((one, other), (other, one))
        )


@cache
def read_anatomy() -> Anatomy:
    """Return the table of the program."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    sources = raw["sources"]
    volumes = {
        name: VolumeRange(float(row["low"]), float(row["high"]), sources[row["source"]])
        for name, row in raw["volumes"].items()
    }
    above, in_front = (tuple((a, b) for a, b in raw["places"][key]) for key in ("above", "in_front"))
    contains = {whole: frozenset(parts) for whole, parts in raw["contains"].items()}
    middle, asymmetric = (frozenset(raw["places"][key]) for key in ("middle", "asymmetric"))
    kinds = raw["contents"].items()
    holds = {name: Contents(kind, float(limit)) for kind, rows in kinds for name, limit in rows.items()}
    return Anatomy(volumes, above, in_front, middle, contains, asymmetric, holds)


def split_side(structure: Structure) -> tuple[str, str]:
    """Return a structure's TG-263 name without its side, and ``left``, ``right`` or empty."""
    name = tg263_name(structure) or structure.name
    return (name[:-2], SIDES[name[-2:]]) if name[-2:] in SIDES else (name, "")
