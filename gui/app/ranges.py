"""Choosing a range of slices, and the changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autocontour.base.jobs import Job
from autocontour.edits import LARGEST_GAP_MM, RangePlan, plan_interpolation
from autocontour.gui.look.language import tr, tr_count
from autocontour.gui.panels.range_bar import left_out_in_words
from autocontour.gui.state.background import redraw_beside
from autocontour.gui.state.workspace import Workspace
from autocontour.patient.structures import Contours

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

STRIDE = 5
"""Slices that the keys for a longer step move."""


def start_here(space: Workspace) -> None:
    """Begin a range on the slice shown."""
    space.range.start_at(space.slice_index)


def end_here(space: Workspace) -> None:
    """End the range on the slice shown."""
    space.range.end_at(space.slice_index)


def choose_all(space: Workspace) -> None:
    """Choose every slice."""
    space.range.choose(0, space.range.count - 1)


def range_in_words(space: Workspace) -> str:
    """Return the chosen slices; nothing for none."""
    slices = space.range.slices
    if slices is None:
        return ""
    return tr_count(
        len(slices),
        "Range: slice {first}",
        "Range: slices {first}–{last}  ({count} slices, {length} mm)",
        first=slices[0] + 1,
        last=slices[-1] + 1,
        length=f"{space.range.length_mm:.0f}",
    )


def follow_range(window: MainWindow) -> None:
    """Show the chosen slices in the banner."""
    slices = window.workspace.range.slices
    short = "" if slices is None else tr("Range {first}–{last}", first=slices[0] + 1, last=slices[-1] + 1)
    window.banner.show_range(range_in_words(window.workspace), short)


def interpolate(space: Workspace) -> None:
    """Draw the slices between those that are drawn, within the range if one is chosen; say what is left out."""
    current, ct = space.current, space.ct
    if current is None or ct is None:
        return
    name, contours = current.structure.name, current.structure.contours
    slices = range(space.range.count) if space.range.slices is None else space.range.slices
    if len(contours) < 2:
        space.refuse(tr("Draw the structure on two slices or more, then interpolate between them."))
        return
    if not any(z in slices and z not in contours for z in range(min(contours), max(contours))):
        space.refuse(tr("{name} has no gap between its slices.", name=name))
        return

    def compute(contours: Contours, job: Job) -> RangePlan:
        return plan_interpolation(contours, ct.geometry, slices, LARGEST_GAP_MM, job)

    def apply(number: int, plan: RangePlan) -> None:
        count = len(plan.changes)
        if plan.changes and space.redraw("Interpolate", plan.changes, number, is_viewed=False):
            messages = [tr_count(count, "{count} slice interpolated.", "{count} slices interpolated.")]
            where = [] if space.range.slices is None else [tr("Only in the range of slices.")]
            space.notify(" ".join([*messages, *where, *left_out_in_words(plan), *_hint(plan)]))
        elif not plan.changes and plan.wide:
            space.refuse(" ".join([*left_out_in_words(plan), *_hint(plan)]))
        elif not plan.changes:
            space.refuse(tr("The outlines of {name} differ too much to interpolate between them.", name=name))

    redraw_beside(space, "Interpolate", compute, apply)


def _hint(plan: RangePlan) -> list[str]:
    return [tr("Shift+I interpolates over larger gaps.")] if plan.wide else []
