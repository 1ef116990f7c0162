"""Names of sides that are exchanged between two sets of contours on one CT."""

from __future__ import annotations

from collections.abc import Mapping

from autocontour.patient.nomenclature import side_of
from autocontour.patient.structures import Contours
from autocontour.qa.commissioning.blind.form import area_dsc

LARGEST_OWN, LEAST_OTHER = 0.05, 0.5
"""Overlap (DSC of areas) with the structure of the same name, and with that of the other side."""


def find_exchanged(first: Mapping[str, Contours], second: Mapping[str, Contours]) -> frozenset[str]:
    """Return the TG-263 names whose left and right are exchanged in one of two sets.

    Parameters
    ----------
    first, second
        Name → contours; names without a side at their end do not count.
    """
    found: set[str] = set()
    for left in sorted(first.keys() & second.keys()):
        right = f"{left[:-2]}_R"
        if not left.endswith("_L") or side_of(left) != "L" or not (right in first and right in second):
            continue
        own = max(area_dsc(first[left], second[left]), area_dsc(first[right], second[right]))
        other = min(area_dsc(first[left], second[right]), area_dsc(first[right], second[left]))
        if own <= LARGEST_OWN and other >= LEAST_OTHER:
            found |= {left, right}
    return frozenset(found)
