"""The contours of a structure of a later CT by each method, to take one in place of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from autocontour.base.findings import Finding
from autocontour.course.choice import METHODS, SUFFIX
from autocontour.course.record import Course, CourseCT, read_result
from autocontour.patient.structures import Structure, StructureSet


@dataclass(frozen=True)
class Alternative:
    """One structure by one method.

    Attributes
    ----------
    method
        ``propagated``, ``general`` or ``patient``.
    structure
        Under the planning CT's name, with the method's provenance and the findings about these contours.
    is_chosen
        Whether the table of methods chose it.
    """

    method: str
    structure: Structure
    is_chosen: bool


def read_alternatives(course: Course, ct: CourseCT, by_method: StructureSet) -> dict[str, tuple[Alternative, ...]]:
    """Return the methods that drew each structure of a later CT.

    Parameters
    ----------
    course, ct
        The course and one of its later CTs.
    by_method
        The contours of every method, as `autocontour.course.contour.read_date` returns them.

    Returns
    -------
    dict[str, tuple[Alternative, ...]]
        Structure → its contours by each method, in the order of `METHODS`.
    """
    result = read_result(course, ct) or {}
    drawn = {structure.name: structure for structure in by_method.structures}
    found: dict[str, tuple[Alternative, ...]] = {}
    for name, record in result.get("structures", {}).items():
        present = [method for method in METHODS if method in record["methods"] and name + SUFFIX[method] in drawn]
        made = []
        for method in present:
            findings = _listed(record["methods"][method]["findings"])
            structure = replace(drawn[name + SUFFIX[method]], name=name, findings=findings)
            made.append(Alternative(method, structure, record["method"] == method))
        if made:
            found[name] = tuple(made)
    return found


def with_findings(course: Course, ct: CourseCT, chosen: StructureSet) -> StructureSet:
    """Return the chosen contours of a later CT with the findings about them, which their file does not contain."""
    records = (read_result(course, ct) or {}).get("structures", {})
    structures = tuple(
        replace(structure, findings=(*structure.findings, *_listed(records[structure.name]["findings"])))
        if structure.name in records
        else structure
        for structure in chosen.structures
    )
    return replace(chosen, structures=structures)


def _listed(findings: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(Finding.from_json(one) for one in findings)
