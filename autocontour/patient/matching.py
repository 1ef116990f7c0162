"""Matching of the structures of two sets by name: one rule for the viewer, `evaluate` and training.

1. The same name, letter for letter.
2. Among those left, the same name, ignoring case, surrounding blanks and the way in which letters are composed.
3. Among those left, the same TG-263 name: the stored one, else the one derived from their own name (see `match_name`).

At each step a name that occurs twice in one set is ambiguous and matches neither structure.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from autocontour.patient.nomenclature import match_name
from autocontour.patient.structures import Structure

Pair = tuple[Structure, Structure]


class Structures(Protocol):
    """A structure set, or a case."""

    @property
    def structures(self) -> Sequence[Structure]:
        """Its structures, in order."""


def match_structures(a: Structures, b: Structures) -> list[Pair]:
    """Pair the structures of two sets that are the same organ.

    Returns
    -------
    list
        The pairs, in the order of `a`; each structure is in one pair at most.
    """
    pairs: list[Pair] = []
    left_a, left_b = list(a.structures), list(b.structures)
    for key in (_name, _folded_name, tg263_name):
        pairs += _paired(left_a, left_b, key)
        left_a, left_b = (
            [structure for structure in left if all(structure is not pair[side] for pair in pairs)]
            for side, left in enumerate((left_a, left_b))
        )
    order = {id(structure): index for index, structure in enumerate(a.structures)}
    return sorted(pairs, key=lambda pair: order[id(pair[0])])


def find_partner(structure: Structure, own: Structures, other: Structures) -> Structure | None:
    """Return the structure of `other` that `match_structures` pairs with one of `own`; None if there is none."""
    return next((b for a, b in match_structures(own, other) if a is structure), None)


def tg263_name(structure: Structure) -> str:
    """Return the structure's TG-263 name, derived from its own name if it has none; empty if unknown."""
    return structure.tg263_name or match_name(structure.name)


def folded_name(name: str) -> str:
    """Return a name without case and surrounding blanks, its letters composed (Unicode NFC).

    macOS and some planning systems write letters with accents and Hangul in parts (NFD); both look the same.
    """
    return unicodedata.normalize("NFC", name).strip().casefold()


def _name(structure: Structure) -> str:
    return structure.name


def _folded_name(structure: Structure) -> str:
    return folded_name(structure.name)


def _paired(a: Sequence[Structure], b: Sequence[Structure], key: Callable[[Structure], str]) -> list[Pair]:
    unique_a, unique_b = (_unique(structures, key) for structures in (a, b))
    return [(structure, unique_b[name]) for name, structure in unique_a.items() if name in unique_b]


def _unique(structures: Sequence[Structure], key: Callable[[Structure], str]) -> dict[str, Structure]:
    count = Counter(map(key, structures))
    return {key(structure): structure for structure in structures if key(structure) and count[key(structure)] == 1}
