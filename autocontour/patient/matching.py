"""Which structures of two sets are the same organ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from autocontour.patient.nomenclature import match_name
from autocontour.patient.structures import Structure, StructureSet

Pair = tuple[Structure, Structure]


def match_structures(a: StructureSet, b: StructureSet) -> list[Pair]:
    """Pair structures of the same name, then of the same TG-263 name; a name borne twice in a set is not paired.

    Returns
    -------
    pairs
        In the order of `a`.
    """
    pairs = _paired(a.structures, b.structures, lambda structure: structure.name)
    left_a, left_b = (
        [structure for structure in whole.structures if all(structure is not pair[side] for pair in pairs)]
        for side, whole in enumerate((a, b))
    )
    pairs += _paired(left_a, left_b, tg263_name)
    order = {id(structure): index for index, structure in enumerate(a.structures)}
    return sorted(pairs, key=lambda pair: order[id(pair[0])])


def tg263_name(structure: Structure) -> str:
    """Return the structure's TG-263 name, from its own name if it carries none; empty if unknown."""
    return structure.tg263_name or match_name(structure.name)


def _paired(a: Sequence[Structure], b: Sequence[Structure], key: Callable[[Structure], str]) -> list[Pair]:
    unique_a, unique_b = (_unique(structures, key) for structures in (a, b))
    return [(structure, unique_b[name]) for name, structure in unique_a.items() if name in unique_b]


def _unique(structures: Sequence[Structure], key: Callable[[Structure], str]) -> dict[str, Structure]:
    count = Counter(map(key, structures))
    return {key(structure): structure for structure in structures if key(structure) and count[key(structure)] == 1}
