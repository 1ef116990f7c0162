"""Order of structures along the body and from front to back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autocontour.base.findings import Finding
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.anatomy import read_anatomy, split_side
from autocontour.qa.checks.sides import centre_lps_mm
from autocontour.qa.checks.volumes import is_cut


def check_places(ct: CTVolume, structures: Sequence[Structure]) -> Iterator[Finding]:
    """Yield a finding for each pair of structures whose order along the body, or from front to back, is impossible.

    A structure at the end of the scan is truncated and its position along the body is not checked.
    """
    by_base: dict[str, list[Structure]] = {}
    for structure in structures:
        by_base.setdefault(split_side(structure)[0], []).append(structure)
    anatomy = read_anatomy()
    for upper_name, lower_name in anatomy.above:
        for upper, lower in _pairs(by_base, upper_name, lower_name):
            if is_cut(ct, upper) or is_cut(ct, lower):
                continue
            if centre_lps_mm(ct, upper.contours)[2] < centre_lps_mm(ct, lower.contours)[2]:
                yield Finding.of("AC-QA-114", f"{upper.name}, {lower.name}", upper=upper.name, lower=lower.name)
    for front_name, back_name in anatomy.in_front:
        for front, back in _pairs(by_base, front_name, back_name):
            if (slices := _behind(ct, front, back)) and len(slices) * 2 > len(
                front.contours.keys() & back.contours.keys()
            ):
                where = f"{front.name}, {back.name}"
                yield Finding.of("AC-QA-115", where, slices, front=front.name, back=back.name)


def _pairs(by_base: dict[str, list[Structure]], one: str, other: str) -> Iterator[tuple[Structure, Structure]]:
    return ((a, b) for a in by_base.get(one, ()) for b in by_base.get(other, ()))


def _behind(ct: CTVolume, front: Structure, back: Structure) -> list[int]:
    """Return the slices with both on which the first lies behind the second."""
    found = []
    for index in sorted(front.contours.keys() & back.contours.keys()):
        one, other = (
            np.array([s.contours[index].centroid.x, s.contours[index].centroid.y, 0.0]) for s in (front, back)
        )
        if (ct.geometry.direction @ (one - other))[1] > 0:  # LPS y grows to the back
            found.append(index)
    return found
