"""Edits of several slices or several structures; each returns the changed slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from autocontour.base.jobs import Job
from autocontour.edits.polygons import Outline, difference, intersection, union
from autocontour.edits.shapes import offset
from autocontour.patient.structures import Contours, SliceChanges


class Boolean(StrEnum):
    """How two structures are combined."""

    UNION = "union"
    INTERSECTION = "intersection"
    DIFFERENCE = "difference"


_JOIN: dict[Boolean, Callable[[Outline, Outline], Outline]] = {
    Boolean.UNION: union,
    Boolean.INTERSECTION: intersection,
    Boolean.DIFFERENCE: difference,
}


def copied(contours: Contours, source: int, target: int) -> SliceChanges:
    """Return the change that puts the outline of slice `source` on slice `target` (nothing if there is none)."""
    return {target: contours[source]} if source in contours else {}


def deleted(contours: Contours, slices: Iterable[int]) -> SliceChanges:
    """Return the change that deletes the structure on `slices`."""
    return dict.fromkeys(z for z in slices if z in contours)


def mapped(
    contours: Contours,
    change: Callable[[Outline], Outline],
    slices: Iterable[int] | None = None,
    job: Job | None = None,
) -> SliceChanges:
    """Return the change that applies `change` to every outline, or to those on `slices`; `job` receives the progress.

    Raises
    ------
    Cancelled
        If `job` was cancelled.
    """
    chosen = list(contours) if slices is None else [z for z in slices if z in contours]
    changed = {z: change(contours[z]) for z in (job or Job()).track(chosen, "slices")}
    return {z: polygon for z, polygon in changed.items() if polygon is not contours[z]}


def replaced(before: Contours, after: Contours) -> SliceChanges:
    """Return the change from `before` to `after`."""
    changed: dict[int, Outline] = {z: p for z, p in after.items() if z not in before or before[z] != p}
    changed.update(dict.fromkeys(z for z in before if z not in after))
    return changed


def combined(a: Contours, b: Contours, how: Boolean, job: Job | None = None) -> Contours:
    """Return the boolean of two structures, slice by slice; `job` receives the progress after each."""
    slices = (job or Job()).track(sorted({*a, *b}), "joining")
    joined = {z: _JOIN[how](a.get(z), b.get(z)) for z in slices}
    return {z: polygon for z, polygon in joined.items() if polygon is not None}


def cropped(contours: Contours, other: Contours, gap_mm: float, *, inside: bool, job: Job | None = None) -> Contours:
    """Return `contours` kept inside `other` shrunk by `gap_mm`, or outside `other` grown by it, within each slice."""
    cut, grown_mm = (intersection, -gap_mm) if inside else (difference, gap_mm)
    slices = (job or Job()).track(list(contours), "cropping")
    kept = {z: cut(contours[z], offset(other.get(z), grown_mm)) for z in slices}
    return {z: polygon for z, polygon in kept.items() if polygon is not None}
