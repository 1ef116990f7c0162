"""Checks of volumes: human ranges, and left compared with right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autocontour.base.findings import Finding
from autocontour.contouring import volume_cc
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.anatomy import read_anatomy, split_side

LARGEST_RATIO = 3.0
"""Ratio of the two sides of a paired organ completely in the scan. The clinical parotids of 152 patients of OpenKBP's
training split differ by 1.1 times in the median, 1.8 in the 99th percentile and 2.2 at most."""


def check_volumes(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each volume outside the human range, and for paired organs of very different volume."""
    ranges = read_anatomy().volumes
    paired: dict[str, list[tuple[Structure, float]]] = {}
    for structure in structures:
        base, side = split_side(structure)
        cc = volume_cc(structure.contours, ct.geometry)
        whole = not is_cut(ct, structure)
        known = ranges.get(base)
        if known and (cc > known.high or (whole and cc < known.low)):
            yield Finding.of(
                "AC-QA-107",
                structure.name,
                structure=structure.name,
                cc=round(cc, 1),
                low=known.low,
                high=known.high,
                source=known.source,
            )
        if side and known and whole:
            paired.setdefault(base, []).append((structure, cc))
    for sides in paired.values():
        if len(sides) == 2:
            yield from _check_pair(*sides)


def is_cut(ct: CTVolume, structure: Structure) -> bool:
    """Whether a structure reaches the scan's first or last slice, so that part of it may lie outside the scan."""
    return bool({0, len(ct.hu) - 1} & structure.contours.keys())


def _check_pair(one: tuple[Structure, float], other: tuple[Structure, float]) -> Iterator[Finding]:
    (small, small_cc), (large, large_cc) = sorted((one, other), key=lambda pair: pair[1])
    if large_cc > LARGEST_RATIO * small_cc:
        yield Finding.of(
            "AC-QA-108",
            f"{small.name}, {large.name}",
            small=small.name,
            large=large.name,
            small_cc=round(small_cc, 1),
            large_cc=round(large_cc, 1),
        )
