"""All checks of a structure set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.qa.checks.contents import check_contents
from autocontour.qa.checks.drawn import check_against
from autocontour.qa.checks.names import check_names
from autocontour.qa.checks.pieces import check_pieces
from autocontour.qa.checks.places import check_places
from autocontour.qa.checks.relations import check_external, check_overlaps, check_pairs, check_targets
from autocontour.qa.checks.sides import check_ct_sides, check_sides
from autocontour.qa.checks.volumes import check_volumes

Check = Callable[[CTVolume, Sequence[Structure]], Iterable[Finding]]
ANATOMY: tuple[Check, ...] = (
    *(check_volumes, check_sides, check_places),
    *(check_overlaps, check_pairs, check_ct_sides, check_contents),
)
"""Checks across structures, for any origin of the contours."""
EVERY: tuple[Check, ...] = (check_pieces, *ANATOMY, check_external, check_targets, check_names)


def check_set(
    ct: CTVolume,
    structure_set: StructureSet,
    drawn: StructureSet | None = None,
    checks: Sequence[Check] = EVERY,
    job: Job | None = None,
) -> list[Finding]:
    """Return the findings about a structure set.

    Parameters
    ----------
    ct
        The CT it is drawn on.
    structure_set
        Of any origin.
    drawn
        Automatic contours on the same CT; each structure of the same name is compared with them.
    checks
        By default all.
    job
        Reports progress; may cancel.

    Returns
    -------
    list of Finding
        ``where`` names the structure, or structures separated by a comma and a blank.
    """
    structures = [structure for structure in structure_set.structures if structure.contours]
    outline = structures
    if drawn is not None and not any(s.interpreted_type == "EXTERNAL" for s in structures):
        outline = structures + [s for s in drawn.structures if s.interpreted_type == "EXTERNAL"]
    job = job or Job()
    found: list[Finding] = []
    for check in job.track(checks, "checking the structures"):
        found += check(ct, outline if check is check_external else structures)
    if drawn is not None:
        found += check_against(ct, structure_set, drawn)
    return found


def checked(ct: CTVolume, structure_set: StructureSet, job: Job | None = None) -> StructureSet:
    """Return an imported set with the findings of every check on its structures."""
    return with_findings(structure_set, check_set(ct, structure_set, job=job))


def with_findings(structure_set: StructureSet, found: Iterable[Finding]) -> StructureSet:
    """Return the set with each finding added to the structures it names, or to the set if it names none."""
    remaining = list(found)
    names = structure_set.names
    structures = tuple(
        replace(structure, findings=(*structure.findings, *_about(structure.name, remaining)))
        for structure in structure_set.structures
    )
    others = [f for f in remaining if not any(_is_about(f, name) for name in names)]
    return replace(structure_set, structures=structures, findings=(*structure_set.findings, *others))


def _about(name: str, found: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in found if _is_about(finding, name))


def _is_about(finding: Finding, name: str) -> bool:
    return finding.where == name or name in finding.where.split(", ")
