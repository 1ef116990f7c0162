"""What a planning system would refuse, found before the file is written, each with its mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autocontour.base.findings import Finding, Severity
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import ImportedContour, ReviewStatus, Structure, StructureSet
from autocontour.site.profile import Profile, Rule

# PS3.3 C.8.8.8.1 and its retired and enumerated companions in use.
INTERPRETED_TYPES = frozenset({
    "EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER",
    "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY",
    "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT",
    "DEVICE",
})  # fmt: skip


NAMED = 6  # structures named in one sentence
WHOLE_SET = 0
"""Stands for the structure set where a structure's number is asked for; ROI numbers of a case begin at 1."""


@dataclass(frozen=True)
class Objection:
    """One thing that stands against the export.

    Attributes
    ----------
    finding
        What and how much.
    source
        Where the rule is documented.
    number
        The structure it is about; `WHOLE_SET` for the set.
    mend
        Attributes of the structure, or of the set, that would settle it; empty if only the user can.
    """

    finding: Finding
    source: str
    number: int
    mend: Mapping[str, Any] = field(default_factory=dict)


def check_export(structure_set: StructureSet, profile: Profile) -> list[Objection]:
    """Return everything the system of `profile` would refuse or the user should be asked about, worst first."""
    found = [objection for rule in profile.rules for objection in _CHECKS[rule.check](structure_set, rule)]
    return sorted(found, key=lambda objection: -objection.finding.severity)


def _check_name_length(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    taken = {structure.name.casefold() for structure in structure_set.structures}
    for structure in structure_set.structures:
        if len(structure.name) > rule.limit:
            short = _shortened(structure.name, rule.limit, taken)
            taken.add(short.casefold())
            words = f"{structure.name} has {len(structure.name)} characters; {rule.limit} are taken."
            yield _objection("AC-EX-001", rule, structure, words, f"Call it {short}.", {"name": short})


def _check_name_characters(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    taken = {structure.name.casefold() for structure in structure_set.structures}
    for structure in structure_set.structures:
        plain = "".join(letter if letter.isprintable() and letter != "\\" else "_" for letter in structure.name)
        if plain != structure.name:
            free = _shortened(plain, len(plain) + 2, taken)
            taken.add(free.casefold())
            words = f"{structure.name} has a character that a name may not have."
            yield _objection("AC-EX-006", rule, structure, words, f"Call it {free}.", {"name": free})


def _check_label_length(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    label = structure_set.label.strip()
    if label and len(label) <= rule.limit:
        return
    words = f"The label has {len(label)} characters; 1 to {rule.limit} are taken."
    short = label[: rule.limit].rstrip() or "AUTOCONTOUR"
    finding = Finding("AC-EX-007", rule.severity, words, "label", f"Call it {short}.")
    yield Objection(finding, rule.source, WHOLE_SET, {"label": short})


def _check_decimal_strings(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    for structure in structure_set.structures:
        slices = [z for z, items in structure.imported.items() if any(_longest(i) > rule.limit for i in items)]
        if slices:
            words = f"{structure.name} came with values of more than {rule.limit} characters on {len(slices)} slices."
            mend = {"imported": {z: items for z, items in structure.imported.items() if z not in slices}}
            remedy = "Write its points anew, to 0.001 mm."
            yield _objection("AC-EX-008", rule, structure, words, remedy, mend)
        if any(_longest(item) > rule.limit for item in structure.carried):
            words = f"{structure.name} carries points or lines with values of more than {rule.limit} characters."
            yield _objection("AC-EX-008", rule, structure, words, "Leave it out, or correct it where it was made.")


def _longest(contour: ImportedContour) -> int:
    """Return the length of the longest value of an imported contour, without the blanks around it."""
    return max(len(value.strip()) for value in contour.data.split("\\"))


def _check_unique_names(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    seen: set[str] = set()
    for structure in structure_set.structures:
        name = structure.name.casefold()
        if name in seen:
            yield _objection("AC-EX-002", rule, structure, f"{structure.name} is there twice.", "Rename one of them.")
        seen.add(name)


def _check_interpreted_type(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    for structure in structure_set.structures:
        if structure.interpreted_type not in INTERPRETED_TYPES:
            kind = find_term(structure.tg263_name or structure.name).interpreted_type
            words = f"{structure.name} has no type that the standard knows."
            mend = {"interpreted_type": kind}
            yield _objection("AC-EX-003", rule, structure, words, f"Make it {kind}.", mend)


def _check_empty(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    for structure in structure_set.structures:
        if not structure.contours and not structure.carried:
            yield _objection("AC-EX-004", rule, structure, f"{structure.name} is empty.", "Draw it or leave it out.")


def _check_unapproved(structure_set: StructureSet, rule: Rule) -> Iterator[Objection]:
    waiting = [s.name for s in structure_set.structures if s.contours and s.status is not ReviewStatus.APPROVED]
    if waiting:
        names = ", ".join(waiting[:NAMED]) + (f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else "")
        words = f"Not approved: {names}."
        finding = Finding("AC-EX-005", rule.severity, words, names, "Look at them first, or leave them out.")
        yield Objection(finding, rule.source, WHOLE_SET)


_CHECKS: dict[str, Callable[[StructureSet, Rule], Iterator[Objection]]] = {
    "name_length": _check_name_length,
    "name_characters": _check_name_characters,
    "label_length": _check_label_length,
    "decimal_strings": _check_decimal_strings,
    "unique_names": _check_unique_names,
    "interpreted_type": _check_interpreted_type,
    "empty": _check_empty,
    "unapproved": _check_unapproved,
}


def _objection(
    code: str, rule: Rule, structure: Structure, words: str, remedy: str, mend: Mapping[str, Any] | None = None
) -> Objection:
    finding = Finding(code, Severity(rule.severity), words, structure.name, remedy)
    return Objection(finding, rule.source, structure.number, mend or {})


def _shortened(name: str, limit: int, taken: set[str]) -> str:
    """Cut the middle out of `name`, keeping its start and its side or grade at the end, without meeting another."""
    tail = name[name.rfind("_") :] if "_" in name[-6:] else ""
    for count in range(len(taken) + 2):
        mark = tail if not count else f"{count}{tail}"
        candidate = name[: limit - len(mark)].rstrip("_ ") + mark
        if candidate.casefold() not in taken:
            return candidate
    return candidate
