"""What the checks of one patient mean for the data set: which structures, or the whole patient, are set aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autocontour.archive.decisions import Decisions
from autocontour.archive.names import NameMap, fold
from autocontour.base import register
from autocontour.base.findings import Finding, Severity
from autocontour.patient.nomenclature import find_term
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks import check_set
from autocontour.qa.checks.check import ANATOMY
from autocontour.qa.checks.pieces import check_pieces
from autocontour.qa.checks.relations import check_external, check_targets
from autocontour.qa.plausibility import check_contours

OTHER_PATIENT, OTHER_SERIES = {"AC-RS-012"}, {"AC-RS-010", "AC-RS-013", "AC-RS-015"}
"""Findings of reading a structure set that exclude the patient."""
OTHER_FRAME = "AC-RS-011"
UNUSABLE_CONTOURS = {OTHER_FRAME, "AC-RS-028", "AC-RS-030", "AC-RS-031", "AC-RS-035", "AC-RS-047"}
"""Findings about a structure after which part of its contours is missing or on a wrong slice."""
EXCLUDING = {"AC-QA-102", "AC-QA-103", "AC-QA-107", "AC-QA-114", "AC-QA-115"}
"""Findings about structures that are wrong labels: side, volume, and order in the body."""
MIRRORED = "AC-QA-112"
UNFITTING = {"AC-QA-117", "AC-QA-118", "AC-QA-119"}
LEAST_UNFITTING = 2
"""So many structures whose grey values are not theirs mean that the contours are of other images."""
LISTED = {"AC-RS-029"}
"""Findings of reading a structure that are listed: contours between the slices."""
LARGEST_GAP = 0.1
"""Fraction of the slices between a structure's ends that may be without a contour."""
RENAMED = "AC-RS-038"
CHECKS = (check_pieces, *ANATOMY, check_external, check_targets)


@dataclass(frozen=True)
class Reviewed:
    """The structures of a patient under their TG-263 names.

    Attributes
    ----------
    structures
        Those that are used.
    origins
        TG-263 name → where it is from.
    set_aside
        TG-263 name → codes for which the structure is not used; it counts as not contoured.
    findings
        About the patient and its structures; they name structures by their TG-263 names only.
    """

    structures: StructureSet
    origins: dict[str, str]
    set_aside: dict[str, list[str]]
    findings: tuple[Finding, ...]

    def reason(self, name: str) -> str:
        """Return why a structure is set aside: the codes with the sentences of their findings."""
        sentences = {one.code: one.message for one in reversed(self.findings) if name in one.where.split(", ")}
        return "; ".join(f"{code} {sentences.get(code, '')}".strip(" .") for code in self.set_aside[name])


def review_structures(
    ct: CTVolume,
    structure_set: StructureSet,
    origins: Mapping[str, str],
    names: NameMap,
    site: Collection[str],
    decisions: Decisions,
    patient: str,
) -> Reviewed:
    """Rename the structures, check them, and set aside those that would be wrong labels.

    Parameters
    ----------
    ct, structure_set
        As read.
    origins
        Name in the set → where the structure is from.
    names
        The confirmed names.
    site
        TG-263 names of the data set; empty for all.
    decisions, patient
        What a person decided about this patient.
    """
    targets = by_target(structure_set, names, site)
    renamed = [
        replace(mine[0], name=name, tg263_name=name if find_term(name).known else "", findings=())
        for name, mine in targets.items()
    ]
    found = list(_check_names(targets))
    found += check_set(ct, StructureSet("", tuple(renamed)), checks=CHECKS)
    found += [finding for one in renamed for finding in _check_gaps(one)]
    found = [replace(one, severity=Severity.BLOCK) if one.code in EXCLUDING else one for one in found]
    set_aside: dict[str, set[str]] = defaultdict(set)
    for finding in found:
        for name in finding.where.split(", "):
            accepted = decisions.accepted(patient, name)
            if finding.severity is Severity.BLOCK and name in targets and finding.code not in accepted:
                set_aside[name].add(finding.code)
    for name in targets:
        if decisions.excludes(patient, name):
            set_aside[name].add("AC-DS-040")
    used = tuple(one for one in renamed if one.name not in set_aside)
    return Reviewed(
        StructureSet("", used),
        {one.name: origins[targets[one.name][0].name] for one in used},
        {name: sorted(codes) for name, codes in sorted(set_aside.items())},
        tuple(found),
    )


def check_origin(ct: CTVolume, structure_set: StructureSet) -> Iterator[Finding]:
    """Yield findings that exclude a patient: a structure set of another patient or series."""
    codes = {finding.code for finding in structure_set.findings}
    if codes & OTHER_PATIENT:
        yield Finding.of("AC-DS-033")
    if codes & OTHER_SERIES:
        yield Finding.of("AC-DS-034")
    if structure_set.structures and all(map(is_in_other_frame, structure_set.structures)):
        yield Finding.of("AC-DS-049")
    if ct.reference is None:
        yield Finding.of("AC-DS-031")


def is_in_other_frame(structure: Structure) -> bool:
    """Whether a structure lies in another frame of reference than the CT, so that it has no contours on it."""
    return any(finding.code == OTHER_FRAME for finding in structure.findings)


def count_unfitting(findings: Iterable[Finding]) -> int:
    """Return how many structures hold other grey values than theirs.

    Both lungs as one structure do not count beside one of the two: a collapsed lung or an effusion is in both.
    """
    names = {finding.where for finding in findings if finding.code in UNFITTING}
    return len(names - {"Lungs"} if names & {"Lung_L", "Lung_R"} else names)


def by_target(structure_set: StructureSet, names: NameMap, site: Collection[str]) -> dict[str, list[Structure]]:
    """Return TG-263 name → the structures of the set with contours that a person mapped to it."""
    found: dict[str, list[Structure]] = defaultdict(list)
    for structure in structure_set.structures:
        target = names.find(_own_name(structure, structure_set))
        if target and structure.contours and (not site or target in site):
            found[target].append(structure)
    return dict(found)


def empty_targets(structure_set: StructureSet, names: NameMap, site: Collection[str]) -> list[str]:
    """Return the TG-263 names of the structures that are in the set without any contours."""
    drawn = by_target(structure_set, names, site)
    found = {names.find(_own_name(one, structure_set)) for one in structure_set.structures if not one.contours}
    return sorted(name for name in found if name and name not in drawn and (not site or name in site))


def _own_name(structure: Structure, structure_set: StructureSet) -> str:
    """Return the name in the file, without the number by which reading made it unique."""
    if not any(finding.code == RENAMED for finding in structure.findings):
        return structure.name
    start = structure.name.rpartition("_")[0]  # long names are cut before the number
    alike = (name for name in structure_set.names if name != structure.name and fold(name).startswith(fold(start)))
    return min(alike, key=len, default=start)


def _check_names(targets: Mapping[str, list[Structure]]) -> Iterator[Finding]:
    for name, mine in targets.items():
        if len(mine) > 1:
            yield Finding.of("AC-DS-050", name, structure=name, count=len(mine))
        read = [finding for one in mine for finding in one.findings]
        if {finding.code for finding in read} & UNUSABLE_CONTOURS:
            yield Finding.of("AC-DS-057", name, structure=name)
        yield from (replace(finding, where=name) for finding in read if finding.code in LISTED)


def _check_gaps(structure: Structure) -> Iterator[Finding]:
    """Yield findings about slices without a contour; many of them set the structure aside."""
    slices = sorted(structure.contours)
    total = slices[-1] - slices[0] + 1
    for finding in check_contours(structure.name, structure.contours):
        count = len(finding.slices)
        if finding.code == "AC-QA-005" and count > LARGEST_GAP * total:
            where = structure.name
            yield Finding.of("AC-DS-051", where, finding.slices, structure=where, count=count, total=total)
        else:
            yield finding


def stored(finding: Finding, allowed: Iterable[str]) -> dict[str, Any]:
    """Return a finding for the data set, in which no text but the allowed ones is from the archive.

    Values such as names of files are replaced by an ellipsis.
    """
    texts = set(allowed)
    values: dict[str, register.Value] = {
        name: value if isinstance(value, int | float) or _is_allowed(value, texts) else "…"
        for name, value in finding.values
    }
    where = finding.where if _is_allowed(finding.where, texts) else ""
    safe = Finding.of(finding.code, where, finding.slices, finding.severity, **values)
    return {**safe.to_json(), "remedy": ""}


def _is_allowed(text: str, texts: Collection[str]) -> bool:
    return text in texts or all(part in texts for part in text.split(", "))
