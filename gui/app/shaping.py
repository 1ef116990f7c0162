"""Margin, Boolean, crop and move: each asks in a dialog and computes beside the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autocontour.base.jobs import Job
from autocontour.case import CaseState, actions
from autocontour.case.targets import free_color
from autocontour.edits import Boolean, combined, cropped, mapped, moved, replaced, rotated
from autocontour.gui.dialogs.shape import BooleanDialog, CropDialog, MarginDialog, MoveDialog
from autocontour.patient.recipe import DERIVED, Recipe, margin_text, suggested_name
from autocontour.patient.structures import Contours, Structure

if TYPE_CHECKING:
    from autocontour.contouring.margins import Margins
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.state.workspace import Workspace
    from autocontour.patient.volume import CTVolume

OPERATORS = {Boolean.UNION: "or", Boolean.INTERSECTION: "and", Boolean.DIFFERENCE: "minus"}


def ask_margin(window: MainWindow) -> None:
    """Ask for margins and grow the selected structure."""
    space = window.workspace
    current, ct = space.current, space.ct
    if current is None or ct is None:
        return
    dialog = MarginDialog(window, current.structure.name)
    if not dialog.exec():
        return
    number, contours, margins_mm = current.structure.number, current.structure.contours, dialog.margins_mm
    new = grown_structure(space.state, current.structure, margins_mm) if dialog.makes_new else None
    _compute(space, "Margin", {number}, new or number, lambda job: _grown(ct, contours, margins_mm, job))


def ask_boolean(window: MainWindow) -> None:
    """Ask for two structures and join them."""
    space = window.workspace
    ct = space.ct
    if ct is None or space.current is None:
        return
    dialog = BooleanDialog(window, space.state, space.selected)
    if not dialog.exec():
        return
    first, second, how = dialog.first.currentData(), dialog.second.currentData(), Boolean(dialog.how.currentData())
    margins = dialog.first_margin.value(), dialog.second_margin.value()
    structures = space.state[first].structure, space.state[second].structure
    sides = [(one.contours, (mm,) * 6) for one, mm in zip(structures, margins, strict=True)]

    def compute(job: Job) -> Contours:
        a, b = (_grown(ct, contours, margins_mm, job) for contours, margins_mm in sides)
        return combined(a, b, how, job)

    target = dialog.target.currentData()
    into = joined_structure(space.state, structures, margins, how) if target is None else target
    _compute(space, "Boolean", {first, second}, into, compute)


def ask_crop(window: MainWindow) -> None:
    """Ask for a structure to crop the selected one at."""
    space = window.workspace
    current = space.current
    if current is None or len(space.state.items) < 2:
        return
    number, contours = current.structure.number, current.structure.contours
    dialog = CropDialog(window, space.state, number, current.structure.name)
    if not dialog.exec():
        return
    other, gap_mm, inside = dialog.other.currentData(), dialog.gap.value(), dialog.inside
    edge = space.state[other].structure.contours
    _compute(
        space, "Crop", {number, other}, number, lambda job: cropped(contours, edge, gap_mm, inside=inside, job=job)
    )


def ask_move(window: MainWindow) -> None:
    """Ask how far to move or turn the selected structure."""
    space = window.workspace
    current = space.current
    if current is None or not current.structure.contours:
        return
    dialog = MoveDialog(window, current.structure.name)
    if dialog.exec():
        contours = current.structure.contours
        slices = [space.slice_index] if dialog.where.currentIndex() else list(contours)
        middle = (contours.get(space.slice_index) or next(iter(contours.values()))).centroid
        u, v, degrees = dialog.right.value(), dialog.down.value(), dialog.degrees.value()
        centre = (middle.x + u, middle.y + v)
        space.redraw("Move", mapped(contours, lambda p: rotated(moved(p, u, v), degrees, centre), slices))


def grown_structure(state: CaseState, source: Structure, margins_mm: Margins) -> Structure:
    """Return the empty structure that a margin of `source` becomes: its name, type, colour, and what it comes from."""
    recipe = Recipe((source.name,), margins_mm)
    name, kind = suggested_name(recipe)
    return _derived(state, name, kind, recipe.text)


def joined_structure(
    state: CaseState, sources: tuple[Structure, Structure], margins_mm: tuple[float, float], how: Boolean
) -> Structure:
    """Return the empty structure that two become: its name, type, colour, and what it comes from."""
    first, second = sources
    name = (
        f"{first.name}-{second.name}" if how is Boolean.DIFFERENCE else f"{first.name}_{OPERATORS[how]}_{second.name}"
    )
    pairs = zip(sources, margins_mm, strict=True)
    labels = [f"({one.name} {margin_text((mm,) * 6)})" if mm else one.name for one, mm in pairs]
    return _derived(state, name, first.interpreted_type, f"{labels[0]} {OPERATORS[how]} {labels[1]}")


def _derived(state: CaseState, name: str, interpreted_type: str, source: str) -> Structure:
    new = actions.new_structure(name, {})
    color = free_color(state, new.color_rgb)
    return replace(new, interpreted_type=interpreted_type, color_rgb=color, description=f"{DERIVED}{source}")


def _compute(
    space: Workspace, label: str, numbers: set[int], into: int | Structure, compute: Callable[[Job], Contours]
) -> None:
    """Compute contours of structures beside the window and put them into a structure of the case, or a new one."""
    if isinstance(into, int) and not space.may_change(into):
        return
    hands, sources = space.hands, numbers | {into} if isinstance(into, int) else numbers

    def put(contours: Contours) -> None:
        if isinstance(into, int):
            space.redraw(label, replaced(space.state[into].structure.contours, contours), into)
        else:
            space.add_structure(replace(into, contours=contours), hands=hands)

    space.background.run(label, sources, compute, put)


def _grown(ct: CTVolume, contours: Contours, margins_mm: Margins, job: Job) -> Contours:
    from autocontour.contouring import margin_contours

    return margin_contours(contours, ct.geometry, margins_mm, job) if any(margins_mm) else contours
