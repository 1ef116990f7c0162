"""The state of a case, and the edits between states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import CaseError
from autocontour.case.recipe import CaseRecipe
from autocontour.patient.matching import folded_name
from autocontour.patient.recipe import DERIVED
from autocontour.patient.structures import Contours, GenerationAlgorithm, ReviewStatus, SliceChanges, Structure

if TYPE_CHECKING:
    from shapely import MultiPolygon


@dataclass(frozen=True)
class CaseStructure:
    """A structure with its review.

    Attributes
    ----------
    structure
        The current structure.
    automatic
        Its original contours, from a network, a rule or a file; empty if drawn by hand.
    locked
        Whether the user has locked it.
    approved_by, approved_at
        Who approved it and when (ISO 8601, UTC); empty while it is not approved.
    rejected_by, rejected_at, reject_reason
        Who rejected it, when (ISO 8601, UTC) and why; kept when it is edited, until it is approved or the rejection is
        withdrawn.
    origin
        The original ROI Generation Algorithm, before edits; that of `structure` if not given.
    recipe
        How it is made from other structures; None if it is not.
    followed
        Slices whose contours were accepted from a proposal: they followed corrected ones, or another method drew them;
        a slice that changes later is not among them. With `automatic` they show where the contour of each slice came
        from (`autocontour.case.follow`).
    """

    structure: Structure
    automatic: Contours = field(default_factory=dict)
    locked: bool = False
    approved_by: str = ""
    approved_at: str = ""
    origin: GenerationAlgorithm = None  # type: ignore[assignment]  # never None once it is made
    recipe: CaseRecipe | None = None
    rejected_by: str = ""
    rejected_at: str = ""
    reject_reason: str = ""
    followed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", self.origin or self.structure.generation)

    @property
    def is_approved(self) -> bool:
        """Whether its current state is approved."""
        return self.structure.status is ReviewStatus.APPROVED

    @property
    def is_rejected(self) -> bool:
        """Whether it was rejected, in its current state or before it was edited (its status then differs)."""
        return bool(self.rejected_at) and not self.is_approved

    @property
    def is_protected(self) -> bool:
        """Whether its contours may not change: locked or approved."""
        return self.locked or self.is_approved

    @property
    def reviewed_structure(self) -> Structure:
        """The structure with its approver and the time of approval, for a file."""
        structure = replace(self.structure, description=self.shown_description)
        if not (self.is_approved and self.approved_at):
            return replace(structure, reviewer="", reviewed_at=None)
        approved_at = datetime.fromisoformat(self.approved_at)
        return replace(structure, reviewer=self.approved_by, reviewed_at=approved_at)

    @property
    def shown_description(self) -> str:
        """Its ROI Description; that of a result that was edited by hand states it."""
        text = self.structure.description
        is_edited = text.startswith(DERIVED) and self.structure.contours != self.automatic
        return f"{text}{EDITED}" if is_edited and not text.endswith(EDITED) else text


REJECTION_FIELDS = frozenset({"rejected_by", "rejected_at", "reject_reason"})
EDITED = ", edited"
"""End of the ROI Description of a result that was edited by hand."""
APPROVAL_FIELDS = frozenset({"locked", "approved_by", "approved_at", "status", "color_rgb"}) | REJECTION_FIELDS
"""Fields that may change even in a protected structure."""
REVIEW_FIELDS = REJECTION_FIELDS | {
    *("automatic", "locked", "approved_by", "approved_at", "origin", "recipe", "followed"),
}
STRUCTURE_FIELDS = frozenset(f.name for f in fields(Structure)) - {
    *("number", "contours", "carried"),
    *("reviewer", "reviewed_at"),  # of a file; a case stores them in `REVIEW_FIELDS`
}


@dataclass(frozen=True)
class Edit:
    """One undo step.

    Attributes
    ----------
    label
        Name of the action ("Brush").
    contours
        Structure number → the slices that change.
    fields
        Structure number → attributes of `Structure` or `CaseStructure` that change.
    added
        New structures, at the end of the list.
    removed
        Numbers of the removed structures.
    order
        Numbers in their new order; empty to leave the order as it is.
    run
        Consecutive edits of the same run are undone and redone together; a name and a unique part, separated by ``#``.
        Empty for a single edit.
    """

    label: str
    contours: Mapping[int, SliceChanges] = field(default_factory=dict)
    fields: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    added: tuple[CaseStructure, ...] = ()
    removed: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    run: str = ""

    @property
    def numbers(self) -> frozenset[int]:
        """Every structure the edit changes."""
        added = (item.structure.number for item in self.added)
        return frozenset((*self.contours, *self.fields, *self.removed, *added))


@dataclass(frozen=True)
class CaseState:
    """All structures of a case; unchanged parts are shared between states."""

    items: tuple[CaseStructure, ...] = ()

    def __getitem__(self, number: int) -> CaseStructure:
        """Return the structure with this ROI number; KeyError if there is none."""
        for item in self.items:
            if item.structure.number == number:
                return item
        raise KeyError(number)

    def __contains__(self, number: int) -> bool:
        return number in self.numbers

    @property
    def numbers(self) -> tuple[int, ...]:
        """ROI numbers, in order."""
        return tuple(item.structure.number for item in self.items)

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The structures without their review."""
        return tuple(item.structure for item in self.items)

    @property
    def reviews(self) -> dict[int, tuple[str, bool]]:
        """Number of every structure → its review status, and whether it is rejected."""
        return {item.structure.number: (str(item.structure.status), item.is_rejected) for item in self.items}

    @property
    def next_number(self) -> int:
        """The lowest ROI number above all in use."""
        return max(self.numbers, default=0) + 1

    def find(self, name: str) -> CaseStructure | None:
        """Return the structure called `name`, ignoring case; None if there is none."""
        folded = folded_name(name)
        return next((item for item in self.items if folded_name(item.structure.name) == folded), None)

    def after(self, edit: Edit) -> CaseState:
        """Return the state after `edit`.

        Raises
        ------
        CaseError
            If a changed structure is locked, approved, missing, or its name would not be unique (``AC-CASE-01x``).
        """
        self._check(edit)
        state = self.patched(edit)
        _check_names(state)
        return state

    def patched(self, edit: Edit) -> CaseState:
        """Return the state after `edit` without checks (for undo, redo and replay)."""
        kept = (item for item in self.items if item.structure.number not in edit.removed)
        items = _with_names_followed((*(_changed(item, edit) for item in kept), *edit.added), edit)
        if edit.order:
            place = {number: index for index, number in enumerate(edit.order)}
            items = tuple(sorted(items, key=lambda item: place.get(item.structure.number, len(place))))
        return CaseState(items)

    def _check(self, edit: Edit) -> None:
        missing = (set(edit.contours) | set(edit.fields) | set(edit.removed)) - set(self.numbers)
        if missing or any(item.structure.number in self for item in edit.added):
            raise CaseError("AC-CASE-010")
        named = (number for number, values in edit.fields.items() if not set(values) <= APPROVAL_FIELDS)
        for number in (*edit.contours, *edit.removed, *named):
            _refuse_protected(self[number])


def edit_between(label: str, before: CaseState, after: CaseState) -> Edit:
    """Return the edit from `before` to `after`, two states with shared parts (for undo and redo)."""
    contours: dict[int, dict[int, MultiPolygon | None]] = {}
    values: dict[int, dict[str, Any]] = {}
    for item in after.items:
        number = item.structure.number
        if number not in before or before[number] is item:
            continue
        contours[number] = contour_changes(before[number].structure.contours, item.structure.contours)
        values[number] = _field_changes(before[number], item)
        if item.followed and contours[number]:  # a changed slice would not count as followed any more
            values[number]["followed"] = item.followed
    added = tuple(item for item in after.items if item.structure.number not in before)
    removed = tuple(number for number in before.numbers if number not in after)
    return Edit(label, contours, values, added, removed, after.numbers)


def contour_changes(before: Contours, after: Contours) -> dict[int, MultiPolygon | None]:
    """Return the slices on which `after` is not the same object as `before`, None where it was removed."""
    changed: dict[int, MultiPolygon | None] = {z: p for z, p in after.items() if before.get(z) is not p}
    changed.update(dict.fromkeys(set(before) - set(after)))
    return changed


def _refuse_protected(item: CaseStructure) -> None:
    name = item.structure.name
    if item.is_approved:
        raise CaseError("AC-CASE-012", structure=name)
    if item.locked:
        raise CaseError("AC-CASE-011", structure=name)


def _check_names(state: CaseState) -> None:
    names = [folded_name(structure.name) for structure in state.structures]
    if len(set(names)) < len(names):
        raise CaseError("AC-CASE-013")


def _changed(item: CaseStructure, edit: Edit) -> CaseStructure:
    number = item.structure.number
    values = dict(edit.fields.get(number, {}))
    changes = edit.contours.get(number, {})
    if changes:
        followed = item.followed.difference(changes)
        item = replace(item, structure=_redrawn(item.structure, changes), followed=followed)
    if not values:
        return item
    review = {name: values.pop(name) for name in REVIEW_FIELDS & set(values)}
    return replace(item, structure=replace(item.structure, **values), **review)


def _with_names_followed(items: tuple[CaseStructure, ...], edit: Edit) -> tuple[CaseStructure, ...]:
    """Return the structures with recipes that name renamed structures by their new names."""
    names = {number: str(values["name"]) for number, values in edit.fields.items() if "name" in values}
    return tuple(_with_new_names(item, names) for item in items) if names else items


def _with_new_names(item: CaseStructure, names: Mapping[int, str]) -> CaseStructure:
    if item.recipe is None:
        return item
    recipe = item.recipe.with_names(names)
    if recipe is item.recipe:
        return item
    structure = item.structure
    if structure.description == item.recipe.recipe.description and not item.is_protected:
        structure = replace(structure, description=recipe.recipe.description)
    return replace(item, structure=structure, recipe=recipe)


def _redrawn(structure: Structure, changes: SliceChanges) -> Structure:
    """Return `structure` with `changes`; an edited slice loses its imported points."""
    contours = {index: polygon for index, polygon in structure.contours.items() if index not in changes}
    contours.update({index: polygon for index, polygon in changes.items() if polygon is not None})
    imported = {index: items for index, items in structure.imported.items() if index not in changes}
    generation = structure.generation
    if generation is GenerationAlgorithm.AUTOMATIC:
        generation = GenerationAlgorithm.SEMIAUTOMATIC
    return replace(
        structure,
        contours=dict(sorted(contours.items())),
        imported=imported,
        generation=generation,
        status=ReviewStatus.EDITED,
    )


def _field_changes(before: CaseStructure, after: CaseStructure) -> dict[str, Any]:
    return {
        **_differing(before.structure, after.structure, STRUCTURE_FIELDS),
        **_differing(before, after, REVIEW_FIELDS),
    }


def _differing(before: object, after: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(after, name) for name in names if getattr(before, name) != getattr(after, name)}
