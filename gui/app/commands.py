"""What the keys and menus do to contours: one step of the case each."""

from __future__ import annotations

from collections.abc import Callable

from autocontour.case import actions
from autocontour.edits import (
    Outline,
    copied,
    deleted,
    filled,
    largest,
    mapped,
    simplified,
    smoothed,
)
from autocontour.gui.look.language import tr
from autocontour.gui.state.background import redraw_beside
from autocontour.gui.state.workspace import Workspace

SMOOTHING_MM = 2.0
SIMPLIFY_MM = 0.3


def copy_to_neighbour(space: Workspace, by: int) -> None:
    """Copy the outline shown to the slice `by` nearer to the head, and go there."""
    current, z = space.current, space.slice_index
    if current is None or space.ct is None:
        return
    if z not in current.structure.contours:
        space.message.emit(tr("{name} has no contour on this slice to copy.", name=current.structure.name), True)
        return
    target = z + by * space.step_to_head
    if not 0 <= target < space.ct.geometry.shape_zyx[0]:
        space.message.emit(tr("This is the last slice of the scan."), True)
        return
    if space.redraw("Copy to next slice", copied(current.structure.contours, z, target)):
        space.go_to_slice(target)


def delete_here(space: Workspace) -> None:
    """Take the selected structure off the slice shown."""
    _delete(space, "Delete on slice", lambda z: z == space.slice_index)


def delete_above(space: Workspace) -> None:
    """Take it off every slice towards the head."""
    _delete(space, "Delete above", lambda z: (z - space.slice_index) * space.step_to_head > 0)


def delete_below(space: Workspace) -> None:
    """Take it off every slice towards the feet."""
    _delete(space, "Delete below", lambda z: (z - space.slice_index) * space.step_to_head < 0)


def smooth(space: Workspace) -> None:
    """Smooth the outline shown."""
    change_here(space, "Smooth", lambda outline: smoothed(outline, SMOOTHING_MM))


def smooth_all(space: Workspace) -> None:
    """Smooth every outline of the structure."""
    change_all(space, "Smooth all slices", lambda outline: smoothed(outline, SMOOTHING_MM))


def simplify_all(space: Workspace) -> None:
    """Leave out points that do not matter."""
    change_all(space, "Simplify", lambda outline: simplified(outline, SIMPLIFY_MM))


def fill_holes(space: Workspace) -> None:
    """Fill the holes on every slice."""
    change_all(space, "Fill holes", filled)


def keep_largest(space: Workspace) -> None:
    """Keep the largest piece on the slice shown."""
    change_here(space, "Keep largest piece", largest)


def revert(space: Workspace) -> None:
    """Put the automatic contours back."""
    current = space.current
    if current is None:
        return
    if not current.automatic:
        space.message.emit(
            tr("{name} was drawn by hand: there are no automatic contours to restore.", name=current.structure.name),
            True,
        )
        return
    edit = actions.revert(space.state, current.structure.number)
    if edit.contours:
        space.apply(edit)


def delete_structure(space: Workspace) -> None:
    """Remove the selected structure from the case."""
    if space.current:
        name = space.current.structure.name
        if space.apply(actions.remove(space.state, space.current.structure.number)):
            space.notify(tr("{name} is deleted; undo brings it back.", name=name))


def duplicate_structure(space: Workspace) -> None:
    """Add a copy of the selected structure."""
    if space.current:
        space.add(actions.duplicate(space.state, space.current.structure.number))


def change_here(space: Workspace, label: str, change: Callable[[Outline], Outline]) -> None:
    """Put the outline shown through `change`."""
    if space.current:
        space.redraw(label, mapped(space.current.structure.contours, change, [space.slice_index]))


def change_all(space: Workspace, label: str, change: Callable[[Outline], Outline]) -> None:
    """Put every outline of the structure through `change`."""
    redraw_beside(
        space,
        label,
        lambda contours, job: mapped(contours, change, job=job),
        lambda number, changes: space.redraw(label, changes, number),
    )


def _delete(space: Workspace, label: str, chosen: Callable[[int], bool]) -> None:
    if space.current:
        contours = space.current.structure.contours
        space.redraw(label, deleted(contours, [z for z in contours if chosen(z)]))
