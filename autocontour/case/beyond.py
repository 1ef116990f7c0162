"""Contours beyond the slices of the CT: edits must not draw them, and a case that contains some has a finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autocontour.base.errors import CaseError
from autocontour.base.findings import Finding
from autocontour.case.state import CaseState, Edit


def refuse_beyond(state: CaseState, edit: Edit, slice_count: int | None) -> None:
    """Refuse an edit that draws on slices that the CT does not have.

    Parameters
    ----------
    state
        The state after the edit.
    edit
        The edit; it may remove contours on any slice.
    slice_count
        Number of slices of the CT; None if unknown.

    Raises
    ------
    CaseError
        ``AC-CASE-017``.
    """
    drawn = [(number, [z for z in changes if changes[z] is not None]) for number, changes in edit.contours.items()]
    drawn += [(item.structure.number, [*item.structure.contours, *item.automatic]) for item in edit.added]
    drawn += [(number, [*values.get("automatic", ())]) for number, values in edit.fields.items()]
    for number, slices in drawn:
        beyond = _beyond(slices, slice_count)
        if beyond:
            name = state[number].structure.name
            raise CaseError("AC-CASE-017", structure=name, slice=beyond[0] + 1, count=slice_count or 0)


def find_beyond(state: CaseState, slice_count: int | None) -> Iterator[Finding]:
    """Report every structure with contours on slices that the CT does not have, which older versions accepted."""
    for structure in state.structures:
        beyond = _beyond(structure.contours, slice_count)
        if beyond:
            yield Finding.of("AC-CASE-026", structure.name, structure=structure.name, count=len(beyond))


def _beyond(slices: Iterable[int], slice_count: int | None) -> list[int]:
    return [] if slice_count is None else sorted({z for z in slices if not 0 <= z < slice_count})
