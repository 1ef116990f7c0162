"""Where the contour of each slice came from, and slices that follow corrected ones."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from autocontour.case.effort import differ
from autocontour.case.state import CaseState, CaseStructure, Edit
from autocontour.patient.structures import SliceChanges

LABEL = "Follow corrected slices"


class SliceOrigin(StrEnum):
    """Where the contour of a slice came from."""

    AUTOMATIC = "automatic"
    HAND = "hand"
    FOLLOWED = "followed"


def slice_origins(item: CaseStructure) -> dict[int, SliceOrigin]:
    """Return the origin of every slice on which a structure is drawn, or from which it was deleted or followed away.

    A slice that differs from the original contours and was not accepted from a proposal is drawn by hand: by a tool, by
    interpolation, or by any other edit.
    """
    first, now = item.automatic, item.structure.contours
    slices = sorted({*first, *now, *item.followed})
    return {z: _origin(item, z) for z in slices}


def corrected_slices(item: CaseStructure) -> SliceChanges:
    """Return the slices that a person drew or accepted, with their contours; None where it was deleted."""
    now = item.structure.contours
    return {z: now.get(z) for z, origin in slice_origins(item).items() if origin is not SliceOrigin.AUTOMATIC}


def accept_followed(state: CaseState, number: int, changes: SliceChanges) -> Edit:
    """Take over proposed slices as one step; slices that a person drew or accepted before stay as they are.

    Parameters
    ----------
    state
        The case.
    number
        Number of the structure.
    changes
        Slice → proposed contour, None to delete the structure from it.
    """
    item = state[number]
    fixed = corrected_slices(item)
    accepted = {z: shape for z, shape in changes.items() if z not in fixed}
    return Edit(LABEL, {number: accepted}, {number: {"followed": item.followed.union(accepted)}})


def count_origins(items: Iterable[CaseStructure]) -> dict[SliceOrigin, int]:
    """Return on how many slices of some structures the contour came from where."""
    found = [origin for item in items for origin in slice_origins(item).values()]
    return {origin: found.count(origin) for origin in SliceOrigin}


def _origin(item: CaseStructure, z: int) -> SliceOrigin:
    if z in item.followed:
        return SliceOrigin.FOLLOWED
    if differ(item.automatic.get(z), item.structure.contours.get(z)):
        return SliceOrigin.HAND
    return SliceOrigin.AUTOMATIC
