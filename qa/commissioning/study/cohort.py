"""The patients of a study: each CT with its structure sets, by their roles; everything else with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from autocontour.archive.find import Archive, Candidate, DrawnSet, as_finding
from autocontour.archive.key import Key
from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding, Severity
from autocontour.dicom.deidentify import read_identities
from autocontour.dicom.dose import read_dose
from autocontour.dicom.scan import Series
from autocontour.qa.commissioning.study.request import REFERENCE, SetRole, StudyRequest

DOSE = "dose"


@dataclass(frozen=True)
class LeftOut:
    """Something that the study does not count, and why.

    Attributes
    ----------
    patient
        Its name in the report.
    subject
        The structure set or method; empty for the whole patient.
    finding
        The reason; its place is a structure, or empty.
    """

    patient: str
    subject: str
    finding: Finding

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        one = self.finding
        return {
            "patient": self.patient,
            "subject": self.subject,
            "structure": one.where,
            "severity": one.severity.name,
            "code": one.code,
            "message": one.message,
        }


@dataclass(frozen=True, eq=False)
class StudyPatient:
    """One CT with the structure sets that have a role, and the dose of its plan if there is one."""

    name: str
    series: Series = field(repr=False)
    sets: dict[str, DrawnSet]
    dose: Path | None = field(default=None, repr=False)


def find_patients(archive: Archive, request: StudyRequest, key: Key) -> tuple[list[StudyPatient], list[LeftOut]]:
    """Return the patients with a reference, those with the most sets first, and what is left out.

    Of two CTs of one patient the first counts.
    """
    left_out = [LeftOut(one.name, "structure set", one.finding) for one in archive.excluded]
    patients: list[StudyPatient] = []
    for candidate in archive.candidates:
        sets, problems = assign_roles(candidate, request)
        left_out += problems
        if REFERENCE in sets:
            patients.append(StudyPatient(candidate.name, candidate.series, sets))
        else:
            code = "AC-QA-063" if candidate.sets else "AC-DS-030"
            left_out.append(LeftOut(candidate.name, "", Finding.of(code)))
    patients.sort(key=lambda one: (-len(one.sets), one.name))
    doubles = list(_without_doubles(patients))
    gone = {one.patient for one in doubles if not one.subject}
    kept = [one for one in patients if one.name not in gone]
    doses, unused = assign_doses(archive, kept, key)
    return [replace(one, dose=doses.get(one.name)) for one in kept], [*left_out, *doubles, *unused]


def name_doses(archive: Archive, key: Key) -> dict[str, Path]:
    """Return the names of the doses in the report → the files."""
    return {key.name("d", str(path)): path for path in archive.doses}


def assign_doses(archive: Archive, patients: Iterable[StudyPatient], key: Key) -> tuple[dict[str, Path], list[LeftOut]]:
    """Return patient → dose file, by the frame of reference, and the doses that are not used."""
    by_frame: dict[str, list[str]] = {}
    for one in patients:
        by_frame.setdefault(one.series.frame_of_reference_uid, []).append(one.name)
    found: dict[str, list[Path]] = {}
    left_out: list[LeftOut] = []
    for name, path in name_doses(archive, key).items():
        try:
            frame = read_dose(path).frame_of_reference_uid
        except AutoContourError as error:
            left_out.append(LeftOut(name, DOSE, replace(as_finding(error), severity=Severity.WARN)))
            continue
        owners = by_frame.get(frame, [])
        if frame and len(owners) == 1:
            found.setdefault(owners[0], []).append(path)
        else:
            left_out.append(LeftOut(name, DOSE, Finding.of("AC-QA-082")))
    for owner, paths in found.items():
        if len(paths) > 1:
            left_out.append(LeftOut(owner, DOSE, Finding.of("AC-QA-083", count=len(paths))))
    return {owner: paths[0] for owner, paths in found.items() if len(paths) == 1}, left_out


def assign_roles(candidate: Candidate, request: StudyRequest) -> tuple[dict[str, DrawnSet], list[LeftOut]]:
    """Return role → structure set, and the sets that have none, several, or one that another set has too."""
    found: dict[str, list[DrawnSet]] = {}
    unmatched: list[DrawnSet] = []
    problems: list[LeftOut] = []
    for drawn in candidate.sets.values():
        roles = [role.name for role in request.roles if matches(drawn, role, request.cohort)]
        copied = [
            role.name
            for role in request.roles
            if role.name not in roles and any(matches(replace(drawn, path=copy), role, request.cohort)
                                              for copy in drawn.copies)
        ]  # fmt: skip
        if copied:
            roles = sorted({*roles, *copied}, key=[role.name for role in request.roles].index)
            finding = Finding.of("AC-QA-087", set=roles[0], others=", ".join(roles[1:]))
            problems.append(LeftOut(candidate.name, drawn.name, finding))
            roles = roles[:1]
        if len(roles) > 1:
            finding = Finding.of("AC-QA-061", set=drawn.name, roles=", ".join(roles))
            problems.append(LeftOut(candidate.name, drawn.name, finding))
        elif roles:
            found.setdefault(roles[0], []).append(drawn)
        else:
            unmatched.append(drawn)
    if not request.reference and len(unmatched) == 1:
        found[REFERENCE] = unmatched
    else:
        problems += [LeftOut(candidate.name, one.name, Finding.of("AC-QA-060", set=one.name)) for one in unmatched]
    for role, sets in found.items():
        if len(sets) > 1:
            problems.append(LeftOut(candidate.name, role, Finding.of("AC-QA-062", role=role, count=len(sets))))
    return {role: sets[0] for role, sets in found.items() if len(sets) == 1}, problems


def matches(drawn: DrawnSet, role: SetRole, cohort: Path) -> bool:
    """Whether a structure set has a role: its path below the cohort, or its label, matches the pattern."""
    path = drawn.path.resolve()
    below = path.relative_to(cohort.resolve()) if path.is_relative_to(cohort.resolve()) else path
    return any(fnmatchcase(text, role.pattern) for text in (below.as_posix(), drawn.label))


def _without_doubles(patients: Iterable[StudyPatient]) -> Iterator[LeftOut]:
    """Yield the patients that another CT shows too: two CTs of one patient are not independent.

    They are recognized by Patient ID, or by name and date of birth; where a CT states neither, that is reported.
    """
    first: dict[str, str] = {}
    for one in patients:
        own = read_identities(one.series.files[0])
        other = min((first[text] for text in own if text in first), default=one.name)
        if other != one.name:
            yield LeftOut(one.name, "", Finding.of("AC-QA-064", other=other))
        elif not own:
            yield LeftOut(one.name, "CT", Finding.of("AC-DS-044"))
        first |= {text: first.get(text, other) for text in own}
