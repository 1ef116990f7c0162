"""Whether results of recipes agree with what they were made from, and in which order they are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autocontour.base.errors import TargetError
from autocontour.case.recipe import CaseRecipe
from autocontour.case.state import CaseState, CaseStructure
from autocontour.patient.matching import folded_name


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


def edited_numbers(state: CaseState, numbers: Collection[int] | None = None) -> tuple[int, ...]:
    """Return those of the structures to refresh whose edits by hand a refresh would replace."""
    statuses = recipe_statuses(state)
    wanted = stale_numbers(state) if numbers is None else with_upstream(state, numbers)
    return tuple(n for n in wanted if n in statuses and statuses[n].is_edited and not state[n].is_protected)


def involved_numbers(state: CaseState, numbers: Collection[int] | None = None) -> frozenset[int]:
    """Return what a refresh depends on: the structures, and those they are made from."""
    wanted = stale_numbers(state) if numbers is None else with_upstream(state, numbers)
    return frozenset((*wanted, *(source for number in wanted for source in _upstream(state, number))))


def with_upstream(state: CaseState, numbers: Collection[int]) -> tuple[int, ...]:
    """Return structures with the stale results that they are made from, in order."""
    stale, wanted = set(stale_numbers(state)), set(numbers)
    waiting = list(numbers)
    while waiting:
        upstream = [n for n in _upstream(state, waiting.pop()) if n in stale and n not in wanted]
        wanted.update(upstream)
        waiting += upstream
    return tuple(_order(state, [number for number in state.numbers if number in wanted]))


def source_of(state: CaseState, kept: CaseRecipe, name: str) -> CaseStructure | None:
    """Return the structure that a recipe means by a name; by number once it was made, so that no namesake is taken."""
    if name not in kept.numbers:
        return state.find(name)
    number = kept.numbers[name]
    if number not in state or folded_name(state[number].structure.name) != folded_name(name):
        return None
    return state[number]


def is_edited_by_hand(item: CaseStructure, kept: CaseRecipe) -> bool:
    """Whether the contours of a result are not those that were computed."""
    if not kept.result:
        return bool(item.structure.contours)
    return item.structure.contour_hash != kept.result


def refuse_cycle(state: CaseState, name: str, number: int | None, sources: Collection[int]) -> None:
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


def _status(state: CaseState, item: CaseStructure, kept: CaseRecipe, known: Mapping[int, RecipeStatus]) -> RecipeStatus:
    sources = {name: source_of(state, kept, name) for name in kept.recipe.names}
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
        is_edited=is_edited_by_hand(item, kept),
    )


def _with_recipes(state: CaseState) -> list[int]:
    return [item.structure.number for item in state.items if item.recipe is not None]


def _upstream(state: CaseState, number: int) -> list[int]:
    """Return the numbers of the structures that a result is made from."""
    kept = state[number].recipe if number in state else None
    if kept is None:
        return []
    sources = (source_of(state, kept, name) for name in kept.recipe.names)
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
