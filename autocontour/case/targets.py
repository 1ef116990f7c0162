"""Structures made from others by recipes, in a case: make, change, refresh, and whether they are up to date.

    case.apply(add_target(case.state, "PTV", Recipe(("CTV",), (5.0,) * 6, inside="External", inside_mm=3), ct.geometry))

A recipe refers to structures by their ROI numbers, so that it follows a rename. A result is stale if the contours of a
structure it was made from are not those it was computed from (compared by their hash, so that undo makes it current
again), or if that structure is itself stale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autocontour.base.errors import AutoContourError, Cancelled, CaseError, TargetError
from autocontour.base.jobs import Job
from autocontour.case.actions import adopted, new_structure
from autocontour.case.recipe import CaseRecipe
from autocontour.case.recipe_status import is_edited_by_hand, refuse_cycle, source_of, stale_numbers, with_upstream
from autocontour.case.state import CaseState, Edit
from autocontour.edits import Target, make_target, replaced
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.recipe import NamedRecipe, Recipe, suggested_name
from autocontour.patient.structures import Structure, hash_contours

PALETTE = (
    *((255, 99, 71), (64, 224, 208), (255, 215, 0), (147, 112, 219), (50, 205, 50), (255, 105, 180)),
    *((30, 144, 255), (255, 140, 0), (173, 255, 47), (220, 20, 220), (0, 191, 165), (205, 133, 63)),
)
"""Colours for results; each gets the first that no structure has."""


@dataclass(frozen=True)
class Made:
    """A computed target that is not yet in the case.

    Attributes
    ----------
    structure
        With its contours, name, type and colour; without a number of its own.
    recipe
        How it was made.
    target
        The figures of the computation.
    """

    structure: Structure
    recipe: CaseRecipe
    target: Target


@dataclass(frozen=True)
class Refreshed:
    """Results that were computed again.

    Attributes
    ----------
    edit
        One undo step; None if there is nothing to change.
    failed
        ROI number → why it was not refreshed.
    """

    edit: Edit | None = None
    failed: Mapping[int, AutoContourError] = field(default_factory=dict)


def make(
    state: CaseState,
    name: str,
    recipe: Recipe,
    geometry: VolumeGeometry,
    job: Job | None = None,
    *,
    number: int | None = None,
    interpreted_type: str = "",
    color_rgb: tuple[int, int, int] | None = None,
) -> Made:
    """Compute a structure from others; it does not change the case and may run in a thread.

    Parameters
    ----------
    state
        The case.
    name
        Of the result; if empty, the name that is suggested for the recipe.
    recipe
        Structures are found by name, ignoring case.
    geometry
        Of the CT.
    job
        Receives the progress; may cancel.
    number
        The structure whose recipe is changed; None for a new one.
    interpreted_type, color_rgb
        If not given, those that follow from the name, and a colour that no other structure has.

    Raises
    ------
    TargetError
        ``AC-TG-006`` if it would be made from itself, and as `autocontour.edits.make_target`.
    """
    suggestion, kind = suggested_name(recipe)
    name = name.strip() or suggestion
    sources = {needed: state.find(needed) for needed in recipe.names}
    found = {needed: item for needed, item in sources.items() if item is not None}
    recipe = recipe.renamed({needed: item.structure.name for needed, item in found.items()})
    bound = {item.structure.name: item.structure for item in found.values()}
    refuse_cycle(state, name, number, [item.number for item in bound.values()])
    target = make_target(name, recipe, bound, geometry, job)
    empty = new_structure(name, {})
    is_suggested = name == suggestion and not empty.tg263_name
    structure = replace(
        empty,
        contours=target.contours,
        interpreted_type=interpreted_type or (kind if is_suggested else empty.interpreted_type),
        color_rgb=color_rgb or free_color(state, empty.color_rgb),
        description=recipe.description,
        findings=target.findings,
    )
    return Made(structure, _kept(recipe, bound, target), target)


def add_made(state: CaseState, made: Made) -> Edit:
    """Add a computed target to the case."""
    (item,) = adopted(state, (made.structure,))
    return Edit(f"Add {item.structure.name}", added=(replace(item, recipe=made.recipe),))


def change_made(state: CaseState, number: int, made: Made) -> Edit:
    """Replace contours, recipe, name, type and colour of a structure by those of a computed target."""
    item, new = state[number], made.structure
    values: dict[str, Any] = {
        "recipe": made.recipe,
        "automatic": dict(new.contours),
        "findings": new.findings,
        "description": new.description,
        "interpreted_type": new.interpreted_type,
        "color_rgb": new.color_rgb,
    }
    if new.name != item.structure.name:
        values |= {"name": new.name, "tg263_name": new.tg263_name}
    changes = replaced(item.structure.contours, new.contours)
    return Edit(f"Recipe of {item.structure.name}", {number: changes} if changes else {}, {number: values})


def add_target(
    state: CaseState,
    name: str,
    recipe: Recipe,
    geometry: VolumeGeometry,
    *,
    interpreted_type: str = "",
    color_rgb: tuple[int, int, int] | None = None,
    job: Job | None = None,
) -> Edit:
    """Make a structure from others and keep its recipe (see `make`)."""
    made = make(state, name, recipe, geometry, job, interpreted_type=interpreted_type, color_rgb=color_rgb)
    return add_made(state, made)


def add_waiting(state: CaseState, recipes: Sequence[NamedRecipe], label: str = "", run: str = "") -> Edit | None:
    """Add empty structures with recipes, which are made when their sources are there (`refresh`).

    Parameters
    ----------
    state
        The case.
    recipes
        Those of a template; a recipe whose name a structure of the case has is left out.
    label, run
        As in `Edit`.

    Returns
    -------
    Edit or None
        None if there is nothing to add.
    """
    wanted = [one for one in recipes if state.find(one.name) is None]
    structures: list[Structure] = []
    for one in wanted:
        empty = new_structure(one.name, {})
        kind = one.interpreted_type or empty.interpreted_type
        color = one.color_rgb or free_color(state, empty.color_rgb, [made.color_rgb for made in structures])
        description = one.recipe.description
        structures.append(replace(empty, interpreted_type=kind, color_rgb=color, description=description))
    items = adopted(state, structures)
    added = tuple(replace(item, recipe=CaseRecipe(one.recipe)) for item, one in zip(items, wanted, strict=True))
    names = ", ".join(item.structure.name for item in added)
    return Edit(label or f"Add {names}", added=added, run=run) if added else None


def make_recipes(
    state: CaseState,
    recipes: Sequence[NamedRecipe],
    geometry: VolumeGeometry,
    job: Job | None = None,
    *,
    label: str = "",
    run: str = "",
) -> Refreshed:
    """Make those structures of a template's recipes that can be made, as one edit.

    Recipes whose name a structure of the case has, or whose sources are missing or empty, are left out; the numbers in
    `Refreshed.failed` are those of no structure of the case.
    """
    waiting = add_waiting(state, recipes)
    if waiting is None:
        return Refreshed()
    before = state.patched(waiting)
    made = refresh(before, geometry, [item.structure.number for item in waiting.added], job=job)
    after = before.patched(made.edit) if made.edit else before
    items = tuple(after[item.structure.number] for item in waiting.added if item.structure.number not in made.failed)
    if not items:
        return Refreshed(None, made.failed)
    names = ", ".join(item.structure.name for item in items)
    items = tuple(replace(item, origin=item.structure.generation) for item in items)
    return Refreshed(Edit(label or f"Add {names}", added=items, run=run), made.failed)


def refresh(
    state: CaseState,
    geometry: VolumeGeometry,
    numbers: Collection[int] | None = None,
    *,
    replace_edited: bool = False,
    job: Job | None = None,
    run: str = "",
) -> Refreshed:
    """Compute results again, each after the results it is made from.

    Parameters
    ----------
    state
        The case.
    geometry
        Of the CT.
    numbers
        The structures; all stale ones if None. Stale results that they are made from are refreshed too.
    replace_edited
        Whether contours that were edited by hand after they were made may be replaced.
    job
        Receives the progress; may cancel.
    run
        As `Edit.run`.

    Returns
    -------
    Refreshed
        Results that fail are unchanged, and stay stale: ``AC-CASE-011`` and ``-012`` if locked or approved,
        ``AC-TG-009`` if edited by hand, and the codes of `make`.

    Raises
    ------
    TargetError
        ``AC-TG-008`` if a structure of `numbers` has no recipe.
    """
    wanted = stale_numbers(state) if numbers is None else with_upstream(state, numbers)
    failed: dict[int, AutoContourError] = {}
    contours: dict[int, Any] = {}
    fields: dict[int, dict[str, Any]] = {}
    now = state
    for number in wanted:
        try:
            edit = _refreshed(now, number, geometry, job, replace_edited=replace_edited)
        except Cancelled:
            raise
        except AutoContourError as error:
            failed[number] = error
            continue
        now = now.patched(edit)
        contours.update(edit.contours)
        fields.update({n: dict(values) for n, values in edit.fields.items()})
    if not fields:
        return Refreshed(None, failed)
    names = [state[number].structure.name for number in fields]
    label = f"Refresh {names[0]}" if len(names) == 1 else "Refresh targets"
    return Refreshed(Edit(label, contours, fields, run=run), failed)


def free_color(
    state: CaseState, wanted: tuple[int, int, int], taken: Collection[tuple[int, int, int]] = ()
) -> tuple[int, int, int]:
    """Return a colour that no structure has: `wanted` if it is free, else the first free one of the palette."""
    used = {*taken, *(structure.color_rgb for structure in state.structures)}
    return wanted if wanted not in used else next((one for one in PALETTE if one not in used), PALETTE[0])


def _refreshed(
    state: CaseState, number: int, geometry: VolumeGeometry, job: Job | None, *, replace_edited: bool
) -> Edit:
    item = state[number]
    kept, name = item.recipe, item.structure.name
    if kept is None:
        raise TargetError("AC-TG-008", structure=name)
    if item.is_protected:
        raise CaseError("AC-CASE-012" if item.is_approved else "AC-CASE-011", structure=name)
    bound: dict[str, Structure] = {}
    for needed in kept.recipe.names:
        source = source_of(state, kept, needed)
        if source is None:
            is_replaced = state.find(needed) is not None
            raise TargetError("AC-TG-007" if is_replaced else "AC-TG-001", target=name, source=needed)
        bound[needed] = source.structure
    if is_edited_by_hand(item, kept) and not replace_edited:
        raise TargetError("AC-TG-009", structure=name)
    refuse_cycle(state, name, number, [structure.number for structure in bound.values()])
    recipe = kept.recipe.renamed({needed: structure.name for needed, structure in bound.items()})
    by_name = {structure.name: structure for structure in bound.values()}
    target = make_target(name, recipe, by_name, geometry, job)
    values: dict[str, Any] = {
        "recipe": _kept(recipe, by_name, target),
        "automatic": dict(target.contours),
        "findings": target.findings,
        "description": recipe.description,
    }
    changes = replaced(item.structure.contours, target.contours)
    return Edit("Refresh", {number: changes} if changes else {}, {number: values})


def _kept(recipe: Recipe, bound: Mapping[str, Structure], target: Target) -> CaseRecipe:
    numbers = {name: structure.number for name, structure in bound.items()}
    inputs = {name: structure.contour_hash for name, structure in bound.items()}
    return CaseRecipe(recipe, numbers, inputs, hash_contours(target.contours))
