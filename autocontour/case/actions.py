"""The user's actions on a case, independent of the viewer: each returns an edit for `Case.apply`.

A script and the viewer use the same functions::

    with open_case(ct) as case:
        case.apply(receive(case.state, structure))
        case.apply(approve(case.state, number, "A. Physicist"))

They only describe the change; `Case.apply` checks whether it is permitted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autocontour.base import folders
from autocontour.base.errors import CaseError, OutputError
from autocontour.base.findings import Finding
from autocontour.case.case import Case
from autocontour.case.left import ScanFacts, mark_open
from autocontour.case.records import encode_ahead
from autocontour.case.source import check_content, keep_source
from autocontour.case.state import REJECTION_FIELDS, CaseState, CaseStructure, Edit
from autocontour.edits import replaced
from autocontour.patient.identity import CaseKey, PatientFacts, case_key
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import find_term, match_name
from autocontour.patient.recipe import DERIVED
from autocontour.patient.structures import (
    Contours,
    GenerationAlgorithm,
    ReviewStatus,
    SliceChanges,
    Structure,
    StructureSet,
)
from autocontour.patient.volume import CTVolume

COMPARED = "AC-PL-012"
"""States how far the contours of several drawers of a structure differ."""
NOT_REJECTED = dict.fromkeys(sorted(REJECTION_FIELDS), "")


def case_folder(key: CaseKey, root: Path | None = None) -> Path:
    """Return the folder of the case of a CT: below `root`, or in the user's data folder."""
    return (root or folders.cases_folder()) / key.folder_name


def open_case(ct: CTVolume, root: Path | None = None, source: Path | None = None) -> Case:
    """Open the stored case of `ct`, or create it.

    Parameters
    ----------
    ct
        The CT of the case.
    root
        Folder of all cases; the user's data folder by default.
    source
        The folder or file that `ct` was read from.

    Raises
    ------
    CaseError
        If the case is open elsewhere (``AC-CASE-001``), its folder cannot be used (``AC-CASE-004``), or the values of
        the CT have changed since the case was created (``AC-CASE-030``).
    OutputError
        If the disk is full.
    """
    folder = case_folder(case_key(ct), root)
    check_content(folder, ct)
    case = Case(folder, case_key(ct), ct.geometry.shape_zyx[0])
    try:
        keep_source(folder, ct, source)
        if source is not None:
            facts = PatientFacts.of(ct)
            scan = ScanFacts(source.resolve(), case.key.series_instance_uid, facts.scan_date, facts.series)
            with suppress(OutputError):  # on a full disk the case is not offered after a crash; nothing else is lost
                mark_open(folder, scan, case.sequence)
    except BaseException:
        case.close()
        raise
    return case


def import_structures(case: Case, structure_set: StructureSet) -> Edit:
    """Add every structure of a structure set that was drawn on this scan.

    Raises
    ------
    CaseError
        If the set belongs to another frame of reference (``AC-CASE-003``).
    """
    frame_uid = structure_set.frame_of_reference_uid
    if frame_uid and case.key.frame_of_reference_uid and frame_uid != case.key.frame_of_reference_uid:
        raise CaseError("AC-CASE-003")
    return Edit(f"Open {structure_set.label}", added=adopted(case.state, structure_set.structures))


def prepared_import(case: Case, structure_set: StructureSet) -> tuple[CaseState, Edit]:
    """Return the state and the edit of `import_structures`, encoded for the journal; it may run in another thread.

    The edit is for that state only.
    """
    state, edit = case.state, import_structures(case, structure_set)
    encode_ahead(edit)
    return state, edit


def receive(state: CaseState, structure: Structure, run: str = "") -> Edit:
    """Add a structure that was contoured automatically, or replace the one of the same name.

    Parameters
    ----------
    state
        The case.
    structure
        The new structure.
    run
        As `Edit.run`: structures of one run are undone together.
    """
    label = f"Auto-contour {structure.name}"
    existing = state.find(structure.name)
    if existing is None:
        return Edit(label, added=adopted(state, (replace(structure, imported={}),)), run=run)
    number = existing.structure.number
    slices = {**dict.fromkeys(existing.structure.contours), **structure.contours}
    values: dict[str, Any] = {
        "automatic": dict(structure.contours),
        "origin": GenerationAlgorithm.AUTOMATIC,
        "generation": GenerationAlgorithm.AUTOMATIC,
        "status": ReviewStatus.AUTO,
        "provenance": structure.provenance,
        "findings": structure.findings,
        "recipe": None,
    }
    if existing.structure.description.startswith(DERIVED):
        values["description"] = structure.description
    return Edit(label, {number: slices}, {number: values}, run=run)


def take(state: CaseState, number: int, source: Structure, slices: Collection[int] | None = None) -> Edit:
    """Take over the contours that another method drew of a structure on the same CT.

    Parameters
    ----------
    state, number
        The case and the structure.
    source
        Its contours by the other method, with their provenance and findings.
    slices
        Take only these; without them the whole structure, and with it the method's origin, provenance and findings.
        Slices that are taken count as accepted from a proposal, not as drawn by hand.
    """
    item = state[number]
    name = item.structure.name
    drawer = source.provenance.algorithm if source.provenance else ""
    label = f"Take {name} of {drawer}" if drawer else f"Take {name}"
    if slices is not None:
        changes = {z: shape for z, shape in replaced(item.structure.contours, source.contours).items() if z in slices}
        values: dict[str, Any] = {"followed": item.followed.union(changes)}
        if item.structure.generation is GenerationAlgorithm.MANUAL:
            values["generation"] = GenerationAlgorithm.SEMIAUTOMATIC
        return Edit(label, {number: changes}, {number: values}) if changes else Edit(label)
    values = {
        "automatic": dict(source.contours),
        "origin": source.generation,
        "generation": source.generation,
        "status": _status_of(source.generation),
        "provenance": source.provenance,
        "findings": source.findings,
        "description": source.description,
        "followed": frozenset(),
        "recipe": None,
    }
    return Edit(label, {number: replaced(item.structure.contours, source.contours)}, {number: values})


def redraw(number: int, changes: SliceChanges, label: str = "Redraw") -> Edit:
    """Change slices of a structure; None for a slice removes the structure from it."""
    return Edit(label, {number: changes})


def note_findings(state: CaseState, found: Mapping[str, tuple[Finding, ...]], run: str = "") -> Edit | None:
    """Replace the findings of unedited structures, after all structures of a run are drawn.

    Parameters
    ----------
    state
        The case.
    found
        Structure name → all its findings.
    run
        As `Edit.run`.

    Returns
    -------
    Edit or None
        None if no finding changes.
    """
    fields: dict[int, dict[str, Any]] = {}
    for name, findings in found.items():
        item = state.find(name)
        if item and item.structure.status is ReviewStatus.AUTO and item.structure.findings != findings:
            fields[item.structure.number] = {"findings": findings}
    return Edit("Findings", fields=fields, run=run) if fields else None


def add(state: CaseState, *structures: Structure, label: str = "") -> Edit:
    """Add structures, each with a number and a name that are free."""
    items = adopted(state, structures)
    return Edit(label or f"Add {', '.join(item.structure.name for item in items)}", added=items)


def duplicate(state: CaseState, number: int) -> Edit:
    """Add a copy of a structure; a copy of a rejected one is rejected too."""
    item = state[number]
    is_rejected = item.structure.status is ReviewStatus.REJECTED
    status = ReviewStatus.REJECTED if is_rejected else ReviewStatus.EDITED
    copy = replace(item.structure, imported={}, status=status, findings=())
    edit = add(state, copy)
    rejection = {name: getattr(item, name) for name in REJECTION_FIELDS}
    return replace(edit, added=tuple(replace(one, **rejection) for one in edit.added))


def remove(state: CaseState, number: int) -> Edit:
    """Remove a structure."""
    return Edit(f"Delete {state[number].structure.name}", removed=(number,))


def rivals_of(state: CaseState, number: int) -> tuple[int, ...]:
    """Return the numbers of the other contours of a structure that several drawers drew (``Heart``, ``Heart^2`` …)."""
    mine = state[number].structure
    base = folded_name(_base_name(mine.name))
    return tuple(
        item.structure.number
        for item in state.items
        if item.structure.number != number
        and item.structure.tg263_name == mine.tg263_name
        and folded_name(_base_name(item.structure.name)) == base
    )


def keep_drawer(state: CaseState, number: int) -> Edit:
    """Keep one of the contours of a structure that several drawers drew, under its name, and remove the others."""
    kept = state[number].structure
    values = {"name": _base_name(kept.name), "findings": tuple(one for one in kept.findings if one.code != COMPARED)}
    changed = {key: value for key, value in values.items() if value != getattr(kept, key)}
    fields = {number: changed} if changed else {}
    return Edit(f"Keep {kept.name}", fields=fields, removed=rivals_of(state, number))


def _base_name(name: str) -> str:
    """Return the name of a structure without the number of its drawer."""
    base, _, count = name.rpartition("^")
    return base if base and count.isdecimal() else name


def approve(state: CaseState, number: int, reviewer: str, at: datetime | None = None) -> Edit:
    """Record that `reviewer` accepts a structure in its present state (see `approve_several`)."""
    return approve_several(state, [number], reviewer, at)


def approve_several(state: CaseState, numbers: Sequence[int], reviewer: str, at: datetime | None = None) -> Edit:
    """Record that `reviewer` accepts structures in their present state, as one step; an earlier rejection ends.

    Parameters
    ----------
    state
        The case.
    numbers
        Numbers of the structures.
    reviewer
        Name of the person.
    at
        The time, with its time zone; now by default.

    Raises
    ------
    CaseError
        Without a reviewer (``AC-CASE-015``).
    """
    if not reviewer.strip():
        raise CaseError("AC-CASE-015")
    moment = _moment(at)
    values = {"status": ReviewStatus.APPROVED, "approved_by": reviewer.strip(), "approved_at": moment, **NOT_REJECTED}
    names = ", ".join(state[number].structure.name for number in numbers)
    return Edit(f"Approve {names}", fields=dict.fromkeys(numbers, values))


def withdraw_approval(state: CaseState, number: int) -> Edit:
    """Make an approved structure editable again."""
    structure = state[number].structure
    values = {"status": _status_of(structure.generation), "approved_by": "", "approved_at": ""}
    return Edit(f"Withdraw approval of {structure.name}", fields={number: values})


def reject(state: CaseState, number: int, reviewer: str, reason: str, at: datetime | None = None) -> Edit:
    """Record that `reviewer` does not accept a structure in its present state; an approval ends.

    Parameters
    ----------
    state
        The case.
    number
        Number of the structure.
    reviewer
        Name of the person.
    reason
        Why; without the patient's identity.
    at
        The time, with its time zone; now by default.

    Raises
    ------
    CaseError
        Without a reviewer or a reason (``AC-CASE-018``).
    """
    if not (reviewer.strip() and reason.strip()):
        raise CaseError("AC-CASE-018")
    rejection = {"rejected_by": reviewer.strip(), "rejected_at": _moment(at), "reject_reason": reason.strip()}
    values = {"status": ReviewStatus.REJECTED, "approved_by": "", "approved_at": "", **rejection}
    return Edit(f"Reject {state[number].structure.name}", fields={number: values})


def withdraw_rejection(state: CaseState, number: int) -> Edit:
    """Remove the rejection of a structure."""
    structure = state[number].structure
    is_current = structure.status is ReviewStatus.REJECTED
    status = _status_of(structure.generation) if is_current else structure.status
    return Edit(f"Withdraw rejection of {structure.name}", fields={number: {"status": status, **NOT_REJECTED}})


def revert(state: CaseState, number: int) -> Edit:
    """Restore the original contours of a structure, and their ROI Generation Algorithm.

    Raises
    ------
    CaseError
        If there are none (``AC-CASE-014``).
    """
    item = state[number]
    if not item.automatic:
        raise CaseError("AC-CASE-014", structure=item.structure.name)
    values = {"status": _status_of(item.origin), "generation": item.origin}
    changes = replaced(item.structure.contours, item.automatic)
    return Edit("Revert to automatic", {number: changes} if changes else {}, {number: values})


def rename(state: CaseState, number: int, name: str) -> Edit:
    """Change a structure's name; a TG-263 name also sets its TG-263 name and type.

    Raises
    ------
    CaseError
        If the name is empty (``AC-CASE-016``).
    """
    if not name.strip():
        raise CaseError("AC-CASE-016")
    return Edit(f"Rename {state[number].structure.name}", fields={number: _named(name.strip())})


def set_color(number: int, color_rgb: tuple[int, int, int]) -> Edit:
    """Change a structure's colour."""
    return Edit("Colour", fields={number: {"color_rgb": color_rgb}})


def set_type(state: CaseState, number: int, interpreted_type: str) -> Edit:
    """Change a structure's RT ROI Interpreted Type."""
    return Edit(f"Type of {state[number].structure.name}", fields={number: {"interpreted_type": interpreted_type}})


def set_locked(state: CaseState, number: int, *, locked: bool) -> Edit:
    """Lock or unlock a structure against changes."""
    label = f"{'Lock' if locked else 'Unlock'} {state[number].structure.name}"
    return Edit(label, fields={number: {"locked": locked}})


def new_structure(name: str, contours: Contours) -> Structure:
    """Return a new, empty structure; a TG-263 name sets its type and colour."""
    term = find_term(match_name(name) or name)
    return Structure(
        number=1,
        contours=contours,
        color_rgb=term.color_rgb,
        generation=GenerationAlgorithm.MANUAL,
        status=ReviewStatus.EDITED,
        **{"interpreted_type": term.interpreted_type, **_named(name)},
    )


def adopted(state: CaseState, structures: Sequence[Structure]) -> tuple[CaseStructure, ...]:
    """Return `structures` with numbers and names that are free in `state`."""
    names = {folded_name(structure.name) for structure in state.structures}
    numbers = set(state.numbers)
    items = []
    for structure in structures:
        number = structure.number if structure.number not in numbers else max(numbers) + 1
        name = _free_name(structure.name, names)
        numbers.add(number)
        names.add(folded_name(name))
        items.append(CaseStructure(replace(structure, number=number, name=name), structure.contours))
    return tuple(items)


def _named(name: str) -> dict[str, Any]:
    """Return the fields of a structure that is renamed to `name`."""
    tg263_name = match_name(name)
    values: dict[str, Any] = {"name": name, "tg263_name": tg263_name}
    if tg263_name:
        values["interpreted_type"] = find_term(tg263_name).interpreted_type
    return values


def _moment(at: datetime | None) -> str:
    """Return a time, now by default, as it is stored."""
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _status_of(generation: GenerationAlgorithm) -> ReviewStatus:
    """Return the fields of a structure without edits or approval."""
    return ReviewStatus.AUTO if generation is GenerationAlgorithm.AUTOMATIC else ReviewStatus.EDITED


def _free_name(name: str, taken: set[str]) -> str:
    candidate, count = name, 2
    while folded_name(candidate) in taken:
        candidate, count = f"{name}_{count}", count + 1
    return candidate
