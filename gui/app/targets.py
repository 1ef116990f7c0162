"""Structures made from others by a recipe: asked for with a preview, refreshed, and made from a template's recipes."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QPoint

from autocontour.base.errors import AutoContourError, Cancelled, CaseError, TargetError
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.case import CaseState
from autocontour.case.recipe_status import edited_numbers, involved_numbers, stale_numbers
from autocontour.case.targets import (
    Made,
    Refreshed,
    add_made,
    change_made,
    free_color,
    make,
    make_recipes,
    refresh,
)
from autocontour.contouring import volume_cc
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.target import TargetDialog, TargetStart, ends_in_words
from autocontour.gui.look.language import in_window, sentence_of, tr, tr_count
from autocontour.gui.state.tasks import Task
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import find_term, match_name
from autocontour.patient.recipe import NamedRecipe, Recipe, suggested_name
from autocontour.patient.structures import Contours, Structure

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.state.workspace import Workspace

LABEL, REFRESH = "Target", "Refresh"
MARGIN, INSIDE = "target/margin_mm", "target/inside_mm"
MARGIN_MM, INSIDE_MM = 5.0, 3.0
TARGETS = ("CTV", "GTV", "PTV")
EDGE_PX, ROOM_PX = 24, 110
"""Between the dialog and the window's edges; it grows downwards with its rows and warnings."""
PATIENCE_S = 0.3
"""Progress of a preview is shown from here on."""
Inputs = tuple[Recipe, tuple[str, ...]]


class TargetDesk(QObject):
    """The target dialog of a window, with the preview of its result; at most one is open."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.dialog: TargetDialog | None = None
        self.made: Made | None = None
        self._inputs: Inputs | None = None
        self._task: Task | None = None
        self._begun = 0.0
        window.workspace.structures_changed.connect(self._follow)
        window.workspace.ct_changed.connect(self.close)

    @property
    def preview(self) -> tuple[Contours, tuple[int, int, int]] | None:
        """The contours that are shown dashed, and their colour; None without a result."""
        if self.dialog is None or self.made is None:
            return None
        return self.made.structure.contours, self.dialog.color_rgb

    @property
    def is_computing(self) -> bool:
        """Whether the preview is being computed."""
        return self._task is not None and self._task.is_running

    def open(self, start: TargetStart) -> None:
        """Show the dialog."""
        self.close()
        window = self._window
        dialog = self.dialog = TargetDialog(window, window.workspace.state, start)
        dialog.recipe_changed.connect(self._compute)
        dialog.color_changed.connect(window.views.refresh)
        dialog.accept_asked.connect(self._accept)
        dialog.finished.connect(self._forget)
        dialog.adjustSize()
        # Over the panel and the 3D view, so that the slices stay in sight.
        left, top = window.width() - dialog.width() - EDGE_PX, window.height() - dialog.height() - ROOM_PX
        dialog.move(window.mapToGlobal(QPoint(max(left, 0), max(top, 0))))
        dialog.show()
        dialog.activateWindow()

    def close(self) -> None:
        """Close the dialog; nothing is changed."""
        if self.dialog is not None:
            self.dialog.reject()

    def _follow(self) -> None:
        if self.dialog is None:
            return
        number = self.dialog.start.number
        if number is not None and number not in self._window.workspace.state:
            self.close()
        else:
            self.dialog.follow(self._window.workspace.state)

    def _compute(self) -> None:
        """Compute the preview in a thread; a computation under way is stopped."""
        dialog, space = self.dialog, self._window.workspace
        if dialog is None or space.ct is None:
            return
        recipe = dialog.recipe
        inputs = _inputs(space.state, recipe)
        if self.made is not None and inputs == self._inputs:
            self._show_made(self.made)
            return
        self._stop()
        state, name, number, geometry = space.state, dialog.name, dialog.start.number, space.ct.geometry
        task = self._task = Task(lambda job: make(state, name, recipe, geometry, job, number=number), self)
        task.advanced.connect(lambda _stage, fraction, _left: self._advance(task, fraction))
        task.done.connect(lambda made: self._finish(task, made, inputs))
        task.failed.connect(lambda error: self._fail(task, error, inputs))
        for ended in (task.done, task.failed):
            ended.connect(lambda _: task.deleteLater())
        self._begun = time.monotonic()
        task.start()

    def _advance(self, task: Task, fraction: float) -> None:
        if task is self._task and self.dialog is not None and time.monotonic() - self._begun > PATIENCE_S:
            self.dialog.show_progress(fraction)

    def _finish(self, task: Task, made: Made, inputs: Inputs) -> None:
        if task is self._task and self.dialog is not None:
            self._show(made, inputs)
            self._show_made(made)

    def _fail(self, task: Task, error: AutoContourError, inputs: Inputs) -> None:
        if task is self._task and self.dialog is not None and not isinstance(error, Cancelled):
            self._show(None, inputs)
            self.dialog.show_problem(in_window(error))

    def _show(self, made: Made | None, inputs: Inputs) -> None:
        self.made, self._inputs = made, inputs
        self._window.views.refresh()

    def _show_made(self, made: Made) -> None:
        ct = self._window.workspace.ct
        assert self.dialog is not None  # only called with one
        assert ct is not None
        target = made.target
        volume = volume_cc(target.contours, ct.geometry)
        facts = tr("{cc} cm³; source {source} cm³", cc=f"{volume:.1f}", source=f"{target.source_cc:.1f}")
        if made.recipe.recipe.inside and target.grown_cc - target.cropped_cc > 0.05:
            facts += tr("; cropped by {cc} cm³", cc=f"{target.grown_cc - target.cropped_cc:.1f}")
        if made.recipe.recipe.minus:
            facts += tr("; {cc} cm³ subtracted", cc=f"{target.cropped_cc - volume:.1f}")
        ends = "   ·   ".join(ends_in_words(end) for end in reversed(target.ends))
        warnings = [f"▲ {sentence_of(one)}" for one in target.findings if one.severity >= Severity.WARN]
        self.dialog.show_result(facts, ends, "\n".join(warnings))
        if problem := _name_problem(self._window.workspace.state, self.dialog):
            self.dialog.show_problem(problem)

    def _accept(self) -> None:
        """Add the target, or change it; what is not computed yet is computed beside the window."""
        dialog, space = self.dialog, self._window.workspace
        if dialog is None or space.ct is None or not dialog.ok.isEnabled() or space.is_held:
            return
        if problem := _name_problem(space.state, dialog):
            dialog.show_problem(problem)
            return
        if space.background.is_running:
            space.refuse(tr("Another computation is running: wait for it, or cancel it."))
            return
        number = dialog.start.number
        if number is not None and not (space.may_change(number) and _may_replace(self._window, [number])):
            return
        recipe, fields, state = dialog.recipe, _fields(dialog), space.state
        _remember(self._window, recipe)
        made, is_shown = self.made, self._inputs == _inputs(state, recipe)
        geometry, name, hands = space.ct.geometry, dialog.name, space.hands
        dialog.done(TargetDialog.DialogCode.Accepted)
        if made is not None and is_shown:
            _apply(space, replace(made, structure=replace(made.structure, **fields)), number, hands)
            return
        needed = [item.structure.number for one in recipe.names if (item := state.find(one))]
        numbers = {*needed, *([number] if number is not None else [])}

        def apply(new: Made) -> None:
            if _is_same(space, state, numbers):
                _apply(space, replace(new, structure=replace(new.structure, **fields)), number, hands)

        space.background.run(LABEL, numbers, lambda job: make(state, name, recipe, geometry, job, number=number), apply)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None

    def _forget(self) -> None:
        self._stop()
        self.dialog = self.made = self._inputs = None
        self._window.views.refresh()
        self._window.activateWindow()
        self._window.views.axial.setFocus()


def ask_target(window: MainWindow) -> None:
    """Ask for a target that is made from the selected structure."""
    space = window.workspace
    if space.ct is None:
        return
    source = space.current.structure if space.current and space.current.structure.contours else _likely(space.state)
    if source is None:
        space.refuse(tr("Draw a structure first: a target is made from others."))
        return
    margin_mm = window.settings.value(MARGIN, MARGIN_MM)
    body = next((s for s in space.state.structures if s.interpreted_type == "EXTERNAL" and s.contours), None)
    is_body = body is None or body is source
    inside_mm = 0.0 if is_body else window.settings.value(INSIDE, INSIDE_MM)
    inside = "" if body is None or is_body else body.name
    recipe = Recipe((source.name,), (margin_mm,) * 6, inside=inside, inside_mm=inside_mm)
    name, _ = suggested_name(recipe)
    color = free_color(space.state, find_term(match_name(name) or name).color_rgb)
    window.target_desk.open(TargetStart(recipe, "", "", color))


def ask_recipe(window: MainWindow) -> None:
    """Ask for another recipe of the selected structure."""
    space = window.workspace
    current = space.current
    if current is None:
        return
    if current.recipe is None:
        space.report_error(TargetError("AC-TG-008", structure=current.structure.name))
    elif space.may_change():
        structure, recipe = current.structure, current.recipe.recipe
        kind, color = structure.interpreted_type, structure.color_rgb
        window.target_desk.open(TargetStart(recipe, structure.name, kind, color, structure.number))


def refresh_current(window: MainWindow) -> None:
    """Compute the selected structure again by its recipe, after the stale results that it is made from."""
    space = window.workspace
    current = space.current
    if current is None:
        return
    number, name = current.structure.number, current.structure.name
    status = space.recipe_statuses.get(number)
    if status is None:
        space.report_error(TargetError("AC-TG-008", structure=name))
    elif not (status.is_stale or status.is_blocked):
        space.notify(tr("{name} is up to date.", name=name))
    elif space.may_change(number):
        _refresh(window, [number])


def refresh_all(window: MainWindow) -> None:
    """Compute all stale results again."""
    numbers = stale_numbers(window.workspace.state)
    if numbers:
        _refresh(window, None)
    else:
        window.workspace.notify(tr("All structures that were made by a recipe are up to date."))


def make_from_template(window: MainWindow, template_name: str, run: str) -> None:
    """Make the structures of a template's recipes whose sources are there; the others are named."""
    from autocontour.site.template import read_template

    space = window.workspace
    if space.ct is None or not template_name:
        return
    try:
        recipes = read_template(template_name).recipes
    except AutoContourError as error:
        space.report_error(error)
        return
    wanted = [one for one in recipes if space.state.find(one.name) is None]
    if wanted and not space.background.is_running:
        _make_recipes(window, wanted, run)


def _make_recipes(window: MainWindow, wanted: Sequence[NamedRecipe], run: str) -> None:
    space = window.workspace
    assert space.ct is not None  # make_from_template has looked
    state, geometry = space.state, space.ct.geometry

    def apply(made: Refreshed) -> None:
        if space.state.numbers != state.numbers:  # a structure was added meanwhile
            _make_recipes(window, wanted, run)
            return
        if made.edit is not None:
            space.apply(made.edit, by_hand=False)
        if made.failed:
            names = ", ".join(one.name for one in wanted if space.state.find(one.name) is None)
            space.notify(tr("Recipes that wait for their sources, or leave nothing: {names}.", names=names))

    needed = {folded_name(name) for one in wanted for name in one.recipe.names}
    numbers = [s.number for s in state.structures if folded_name(s.name) in needed]
    space.background.run(LABEL, numbers, lambda job: make_recipes(state, wanted, geometry, job, run=run), apply)


def _refresh(window: MainWindow, numbers: Collection[int] | None) -> None:
    space = window.workspace
    assert space.ct is not None  # a structure is selected, or stale
    state, geometry = space.state, space.ct.geometry
    edited = edited_numbers(state, numbers)
    may_replace = bool(edited) and _may_replace(window, edited)
    if edited and not may_replace and (numbers is not None or set(edited) == set(stale_numbers(state))):
        return
    involved = involved_numbers(state, numbers)

    def compute(job: Job) -> Refreshed:
        return refresh(state, geometry, numbers, replace_edited=may_replace, job=job)

    def apply(done: Refreshed) -> None:
        if not _is_same(space, state, involved):
            return
        if done.edit is not None and space.apply(done.edit, by_hand=False):
            count = len(done.edit.fields)
            space.notify(tr_count(count, "{count} structure was refreshed.", "{count} structures were refreshed."))
        if done.failed:
            space.refuse("\n".join(in_window(error) for error in done.failed.values()))

    space.background.run(REFRESH, involved, compute, apply)


def _may_replace(window: MainWindow, numbers: Collection[int]) -> bool:
    """Ask whether results that were edited by hand may be replaced; nothing is asked for others."""
    statuses, state = window.workspace.recipe_statuses, window.workspace.state
    names = [state[n].structure.name for n in numbers if n in statuses and statuses[n].is_edited]
    if not names:
        return True
    words = tr("These structures were edited by hand after they were made. Replace their contours?")
    return ask(window, tr("Refresh"), words, "\n".join(names), tr("Replace"))


def _apply(space: Workspace, made: Made, number: int | None, hands: int) -> None:
    if number is None:
        space.add(add_made(space.state, made), hands=hands)
    elif number in space.state:
        space.apply(change_made(space.state, number, made), by_hand=False)


def _is_same(space: Workspace, before: CaseState, numbers: Collection[int]) -> bool:
    """Return whether structures have kept names and recipes; say it if they have not."""
    now = space.state
    for number in numbers:
        old, new = before[number], now[number]  # those that were deleted are refused before
        if old.structure.name != new.structure.name or old.recipe != new.recipe:
            space.refuse(tr("{name} changed meanwhile; nothing was refreshed. Do it again.", name=new.structure.name))
            return False
    return True


def _inputs(state: CaseState, recipe: Recipe) -> Inputs:
    """Return what the contours of a result depend on."""
    items = [state.find(name) for name in recipe.names]
    return recipe, tuple(item.structure.contour_hash if item else "" for item in items)


def _name_problem(state: CaseState, dialog: TargetDialog) -> str:
    """Return why the name cannot be used; empty if it can."""
    if not dialog.name:
        return in_window(CaseError("AC-CASE-016"))
    item = state.find(dialog.name)
    is_taken = item is not None and item.structure.number != dialog.start.number
    return in_window(CaseError("AC-CASE-013")) if is_taken else ""


def _fields(dialog: TargetDialog) -> dict[str, Any]:
    """Return the fields of the result that do not depend on its contours."""
    return {
        "name": dialog.name,
        "tg263_name": match_name(dialog.name),
        "interpreted_type": dialog.interpreted_type,
        "color_rgb": dialog.color_rgb,
    }


def _remember(window: MainWindow, recipe: Recipe) -> None:
    """Keep one margin for all directions, and the distance inside External, for the next target."""
    if len(set(recipe.margins_mm)) == 1 and recipe.margins_mm[0] > 0:
        window.settings.set_value(MARGIN, recipe.margins_mm[0])
    if recipe.inside:
        window.settings.set_value(INSIDE, recipe.inside_mm)
    window.settings.save()


def _likely(state: CaseState) -> Structure | None:
    """Return the structure that a target is most likely made from."""
    drawn = [structure for structure in state.structures if structure.contours]
    order = {kind: place for place, kind in enumerate(TARGETS)}
    return min(drawn, key=lambda s: order.get(s.interpreted_type, len(order)), default=None)
