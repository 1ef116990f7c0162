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
from autocontour.case.made import CaseRecipe
from autocontour.case.state import CaseState, CaseStructure, Edit
from autocontour.edits import Target, make_target, replaced
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.matching import folded_name
from autocontour.patient.recipe import NamedRecipe, Recipe, suggested_name
from autocontour.patient.structures import Structure, hash_contours

PALETTE = (
    *((255, 99, 71), (64, 224, 208), (255, 215, 0), (147, 112, 219), (50, 205, 50), (255, 105, 180)),
    *((30, 144, 255), (255, 140, 0), (173, 255, 47), (220, 20, 220), (0, 191, 165), (205, 133, 63)),
)
"""Colours for results; each gets the first that no structure has."""


@dataclass(frozen=True)
class RecipeStatus:
    """Whether a result agrees with its sources; names are those of the structures it is made from.

    Attributes
    ----------
    changed
        Sources whose contours are not those that the result was computed from.
    outdated
        Sources that are themselves results and not up to date.
    missing
        Sources that are not in the case (any more).
    replaced
        Of these, sources whose name another structure has now.
    empty
        Sources without contours.
    is_made
        Whether it was computed; recipes from a template wait for their sources.
    is_edited
        Whether the contours were changed by hand after they were computed.
    """

    changed: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    is_made: bool = True
    is_edited: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether a refresh is needed."""
        return not self.is_made or bool(self.changed or self.outdated)

    @property
    def is_blocked(self) -> bool:
        """Whether it cannot be refreshed."""
        return bool(self.missing or self.empty)


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


def recipe_status(state: CaseState, number: int) -> RecipeStatus | None:
    """Return whether a structure agrees with its sources; None if it has no recipe."""
    return recipe_statuses(state).get(number)


def recipe_statuses(state: CaseState) -> dict[int, RecipeStatus]:
    """Return the status of every structure with a recipe, by its number."""
    known: dict[int, RecipeStatus] = {}
    for number in _order(state, _with_recipes(state)):
        item = state[number]
        assert item.recipe is not None  # only these are in order
        known[number] = _status(state, item, item.recipe, known)
    return known


def stale_numbers(state: CaseState) -> tuple[int, ...]:
    """Return the structures that need a refresh, in the order in which they are made."""
    return tuple(number for number, status in recipe_statuses(state).items() if status.is_stale)


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
    _refuse_cycle(state, name, number, [item.number for item in bound.values()])
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
    wanted = stale_numbers(state) if numbers is None else _with_upstream(state, numbers)
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


def edited_numbers(state: CaseState, numbers: Collection[int] | None = None) -> tuple[int, ...]:
    """Return those of the structures to refresh whose edits by hand a refresh would replace."""
    statuses = recipe_statuses(state)
    wanted = stale_numbers(state) if numbers is None else _with_upstream(state, numbers)
    return tuple(n for n in wanted if n in statuses and statuses[n].is_edited and not state[n].is_protected)


def involved_numbers(state: CaseState, numbers: Collection[int] | None = None) -> frozenset[int]:
    """Return what a refresh depends on: the structures, and those they are made from."""
    wanted = stale_numbers(state) if numbers is None else _with_upstream(state, numbers)
    return frozenset((*wanted, *(source for number in wanted for source in _upstream(state, number))))


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
        source = _source(state, kept, needed)
        if source is None:
            is_replaced = state.find(needed) is not None
            raise TargetError("AC-TG-007" if is_replaced else "AC-TG-001", target=name, source=needed)
        bound[needed] = source.structure
    if _is_edited(item, kept) and not replace_edited:
        raise TargetError("AC-TG-009", structure=name)
    _refuse_cycle(state, name, number, [structure.number for structure in bound.values()])
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


def _status(state: CaseState, item: CaseStructure, kept: CaseRecipe, known: Mapping[int, RecipeStatus]) -> RecipeStatus:
    sources = {name: _source(state, kept, name) for name in kept.recipe.names}
    found = {name: source.structure for name, source in sources.items() if source is not None}
    missing = tuple(name for name in sources if name not in found)
    is_made = bool(kept.result)
    changed = [n for n, one in found.items() if is_made and kept.inputs.get(n) != one.contour_hash]
    stale = {number for number, status in known.items() if status.is_stale}
    outdated = [n for n, one in found.items() if n not in changed and one.number in stale]
    return RecipeStatus(
        changed=tuple(changed),
        outdated=tuple(outdated),
        missing=missing,
        replaced=tuple(name for name in missing if state.find(name) is not None),
        empty=tuple(name for name, one in found.items() if not one.contours),
        is_made=is_made,
        is_edited=_is_edited(item, kept),
    )


def _is_edited(item: CaseStructure, kept: CaseRecipe) -> bool:
    if not kept.result:
        return bool(item.structure.contours)
    return item.structure.contour_hash != kept.result


def _source(state: CaseState, kept: CaseRecipe, name: str) -> CaseStructure | None:
    """Return the structure that a recipe means by a name; by number once it was made, so that no namesake is taken."""
    if name not in kept.numbers:
        return state.find(name)
    number = kept.numbers[name]
    if number not in state or folded_name(state[number].structure.name) != folded_name(name):
        return None
    return state[number]


def _with_recipes(state: CaseState) -> list[int]:
    return [item.structure.number for item in state.items if item.recipe is not None]


def _with_upstream(state: CaseState, numbers: Collection[int]) -> tuple[int, ...]:
    """Return structures with the stale results that they are made from, in order."""
    stale, wanted = set(stale_numbers(state)), set(numbers)
    waiting = list(numbers)
    while waiting:
        upstream = [n for n in _upstream(state, waiting.pop()) if n in stale and n not in wanted]
        wanted.update(upstream)
        waiting += upstream
    return tuple(_order(state, [number for number in state.numbers if number in wanted]))


def _upstream(state: CaseState, number: int) -> list[int]:
    """Return the numbers of the structures that a result is made from."""
    kept = state[number].recipe if number in state else None
    if kept is None:
        return []
    sources = (_source(state, kept, name) for name in kept.recipe.names)
    return [source.structure.number for source in sources if source is not None]


def _order(state: CaseState, numbers: Collection[int]) -> list[int]:
    """Return results so that each comes after those it is made from; those of a cycle in any order."""
    ordered: list[int] = []

    def add(number: int, path: tuple[int, ...]) -> None:
        if number in ordered or number in path:
            return
        for source in _upstream(state, number):
            add(source, (*path, number))
        ordered.append(number)

    for number in numbers:
        add(number, ())
    return [number for number in ordered if number in numbers]


def _refuse_cycle(state: CaseState, name: str, number: int | None, sources: Collection[int]) -> None:
    """Refuse a structure that would be made from itself (``AC-TG-006``)."""
    waiting: list[tuple[int, tuple[str, ...]]] = [(source, (name,)) for source in sources]
    seen: set[int] = set()
    while waiting:
        source, path = waiting.pop()
        if source == number:
            raise TargetError("AC-TG-006", target=name, chain=" ← ".join((*path, name)))
        if source not in seen:
            seen.add(source)
            chain = (*path, state[source].structure.name)
            waiting += [(further, chain) for further in _upstream(state, source)]
