"""Checks for content that a planning system would refuse, before the file is written, each with a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autocontour.base.findings import Finding, Severity
from autocontour.base.register import Value
from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import ImportedContour, ReviewStatus, Structure, StructureSet
from autocontour.site.profile import Profile, Rule

# PS3.3 C.8.8.8.1, with retired values still in use.
INTERPRETED_TYPES = frozenset({
    "EXTERNAL", "PTV", "CTV", "GTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER",
    "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY",
    "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "SUPPORT", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT",
    "DEVICE",
})  # fmt: skip


NAMED = 6  # structures named in one sentence
WHOLE_SET = 0
"""Number of problems of the structure set itself; ROI numbers of a case begin at 1."""


@dataclass(frozen=True)
class ExportProblem:
    """One problem of an export.

    Attributes
    ----------
    finding
        Code, severity and sentence.
    source
        Documentation of the rule.
    number
        The structure it is about; `WHOLE_SET` for the set.
    fix
        Attributes of the structure, or of the set, that would solve it; empty if only the user can.
    suggestion
        Short text of the fix, such as a new name; empty without one.
    """

    finding: Finding
    source: str
    number: int
    fix: Mapping[str, Any] = field(default_factory=dict)
    suggestion: str = ""


def check_export(structure_set: StructureSet, profile: Profile) -> list[ExportProblem]:
    """Return all problems for the system of `profile`, the most severe first."""
    found = [problem for rule in profile.rules for problem in _CHECKS[rule.check](structure_set, rule)]
    return sorted(found, key=lambda problem: -problem.finding.severity)


def _check_name_length(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    taken = {folded_name(structure.name) for structure in structure_set.structures}
    for structure in structure_set.structures:
        if len(structure.name) > rule.limit:
            short = _shortened(structure.name, rule.limit, taken)
            taken.add(folded_name(short))
            values = {"length": len(structure.name), "limit": rule.limit}
            yield _problem("AC-EX-001", rule, structure, {"name": short}, short, **values)


def _check_name_characters(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    taken = {folded_name(structure.name) for structure in structure_set.structures}
    for structure in structure_set.structures:
        plain = "".join(letter if letter.isprintable() and letter != "\\" else "_" for letter in structure.name)
        if plain != structure.name:
            free = _shortened(plain, len(plain) + 2, taken)
            taken.add(folded_name(free))
            yield _problem("AC-EX-006", rule, structure, {"name": free}, free)


def _check_label_length(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    label = structure_set.label.strip()
    if label and len(label) <= rule.limit:
        return
    short = label[: rule.limit].rstrip() or "AUTOCONTOUR"
    finding = Finding.of("AC-EX-007", "label", severity=rule.severity, length=len(label), limit=rule.limit)
    yield ExportProblem(finding, rule.source, WHOLE_SET, {"label": short}, short)


def _check_decimal_strings(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    for structure in structure_set.structures:
        slices = [z for z, items in structure.imported.items() if any(_longest(i) > rule.limit for i in items)]
        if slices:
            fix = {"imported": {z: items for z, items in structure.imported.items() if z not in slices}}
            yield _problem("AC-EX-008", rule, structure, fix, limit=rule.limit, count=len(slices))
        if any(_longest(item) > rule.limit for item in structure.carried):
            yield _problem("AC-EX-010", rule, structure, limit=rule.limit)


def _longest(contour: ImportedContour) -> int:
    """Return the length of the longest value of an imported contour, without the blanks around it."""
    return max(len(value.strip()) for value in contour.data.split("\\"))


def _check_unique_names(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    seen: set[str] = set()
    for structure in structure_set.structures:
        name = folded_name(structure.name)
        if name in seen:
            yield _problem("AC-EX-002", rule, structure)
        seen.add(name)


def _check_interpreted_type(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    for structure in structure_set.structures:
        if structure.interpreted_type not in INTERPRETED_TYPES:
            kind = find_term(structure.tg263_name or structure.name).interpreted_type
            yield _problem("AC-EX-003", rule, structure, {"interpreted_type": kind}, kind)


def _check_empty(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    for structure in structure_set.structures:
        if not structure.contours and not structure.carried:
            yield _problem("AC-EX-004", rule, structure)


def _check_unapproved(structure_set: StructureSet, rule: Rule) -> Iterator[ExportProblem]:
    waiting = [s.name for s in structure_set.structures if s.contours and s.status is not ReviewStatus.APPROVED]
    if waiting:
        names = ", ".join(waiting[:NAMED]) + (f", … (+{len(waiting) - NAMED})" if len(waiting) > NAMED else "")
        finding = Finding.of("AC-EX-005", names, severity=rule.severity, structures=names)
        yield ExportProblem(finding, rule.source, WHOLE_SET)


_CHECKS: dict[str, Callable[[StructureSet, Rule], Iterator[ExportProblem]]] = {
    "name_length": _check_name_length,
    "name_characters": _check_name_characters,
    "label_length": _check_label_length,
    "decimal_strings": _check_decimal_strings,
    "unique_names": _check_unique_names,
    "interpreted_type": _check_interpreted_type,
    "empty": _check_empty,
    "unapproved": _check_unapproved,
}


def _problem(
    code: str,
    rule: Rule,
    structure: Structure,
    fix: Mapping[str, Any] | None = None,
    suggestion: str = "",
    **values: Value,
) -> ExportProblem:
    named = {"structure": structure.name, **values}
    finding = Finding.of(code, structure.name, (), Severity(rule.severity), **named)
    return ExportProblem(finding, rule.source, structure.number, fix or {}, suggestion)


def _shortened(name: str, limit: int, taken: set[str]) -> str:
    """Shorten `name` in the middle, keeping its start and its side or grade at the end, to a name not in `taken`."""
    tail = name[name.rfind("_") :] if "_" in name[-6:] else ""
    for count in range(len(taken) + 2):
        mark = tail if not count else f"{count}{tail}"
        candidate = name[: limit - len(mark)].rstrip("_ ") + mark
        if folded_name(candidate) not in taken:
            return candidate
    return candidate
