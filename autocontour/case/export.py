"""Export of a case: checks for the planning system, then writing with the stored approvals.

export_case(case, ct, path, ExportOptions(profile_name="eclipse"), accepted={"AC-EX-005"})
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import CaseError, CTError, OutputError
from autocontour.base.files import refuse_inputs, shown_path
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.case.case import Case
from autocontour.case.exported import note_export
from autocontour.case.recipe_status import recipe_statuses
from autocontour.case.state import CaseState, Edit
from autocontour.patient.identity import case_key
from autocontour.patient.structures import ReviewStatus, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.site import WHOLE_SET, ExportProblem, check_export, read_profile

LABEL = "AUTOCONTOUR"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The structures to export and the system.

    Attributes
    ----------
    profile_name
        Name or path of the export profile.
    label
        Structure Set Label.
    numbers
        Numbers of the structures; every one that is not rejected if None.
    approved_only
        Leave out structures that are not approved.
    """

    profile_name: str = "generic"
    label: str = LABEL
    numbers: frozenset[int] | None = None
    approved_only: bool = False


def exported_set(case: Case, options: ExportOptions) -> StructureSet:
    """Return the structures to export, each with its reviewer and time of approval."""
    numbers = frozenset(
        item.structure.number
        for item in case.state.items
        if (not item.is_rejected if options.numbers is None else item.structure.number in options.numbers)
        and (item.is_approved or not options.approved_only)
    )
    return case.to_structure_set(options.label.strip(), numbers)


def check_case(case: Case, options: ExportOptions) -> list[ExportProblem]:
    """Return every problem of the export, the most severe first."""
    structure_set = exported_set(case, options)
    problems = [
        *check_export(structure_set, read_profile(options.profile_name)),
        *_check_approvers(structure_set),
        *_check_pairs(structure_set),
        *_check_recipes(case.state, structure_set),
        *_check_rejected(case, options),
        *_check_sources(case.state, structure_set),
    ]
    return sorted(problems, key=lambda problem: -problem.finding.severity)


def fix_problems(problems: Iterable[ExportProblem], label: str = "Fix for export") -> tuple[Edit | None, str]:
    """Return the edit that fixes all fixable problems (None if there are none), and the set's new label or ``""``."""
    fields: dict[int, dict[str, Any]] = {}
    for problem in problems:
        if problem.fix:
            fields.setdefault(problem.number, {}).update(problem.fix)
    for_set: Mapping[str, Any] = fields.pop(WHOLE_SET, {})
    return Edit(label, fields=fields) if fields else None, str(for_set.get("label", ""))


def export_case(
    case: Case,
    ct: CTVolume,
    path: Path,
    options: ExportOptions | None = None,
    *,
    accepted: Collection[str] = (),
    overwrite: bool = False,
) -> StructureSet:
    """Check a case and write it as an RTSTRUCT; return the written structure set.

    Parameters
    ----------
    case
        The case.
    ct
        The CT of the case.
    path
        The file.
    options
        How it is written.
    accepted
        Codes of the warnings that the user accepts.
    overwrite
        Replace an existing structure set.

    Raises
    ------
    CaseError, OutputError
        As `choose_for_export` and `write_export`.
    """
    options = options or ExportOptions()
    structure_set, sequence = choose_for_export(case, ct, options, accepted), case.sequence
    write_export(structure_set, ct, path, options, overwrite=overwrite)
    remember_export(case.folder, sequence, structure_set)
    return structure_set


def choose_for_export(case: Case, ct: CTVolume, options: ExportOptions, accepted: Collection[str] = ()) -> StructureSet:
    """Return the structure set to export, if there are no open problems.

    Raises
    ------
    CaseError
        ``AC-CASE-002`` if `ct` is not the case's.
    OutputError
        With the code of a blocking problem; ``AC-EX-020`` if warnings are not accepted.
    """
    if case_key(ct) != case.key:
        raise CaseError("AC-CASE-002")
    _refuse_problems(check_case(case, options), accepted)
    return exported_set(case, options)


def write_export(
    structure_set: StructureSet,
    ct: CTVolume,
    path: Path,
    options: ExportOptions,
    *,
    overwrite: bool = False,
    job: Job | None = None,
) -> None:
    """Write the result of `choose_for_export`; it does not use the case, and may run in a thread.

    Raises
    ------
    OutputError
        ``AC-OUT-004`` if `path` is an image, and as `autocontour.rtstruct.write_structure_set`.
    """
    from autocontour.rtstruct import HoleStyle, WriteOptions, write_structure_set

    _refuse_image(path)
    style = WriteOptions(HoleStyle(read_profile(options.profile_name).holes))
    write_structure_set(structure_set, ct, path, overwrite=overwrite, options=style, job=job)


def remember_export(folder: Path, sequence: int, structure_set: StructureSet) -> None:
    """Record in a case's folder that a structure set with the changes up to `sequence` was written."""
    from autocontour.rtstruct import are_approved

    is_approved = are_approved(structure_set.structures)
    note_export(folder, sequence, len(structure_set.structures), is_approved=is_approved)


def _refuse_problems(problems: Iterable[ExportProblem], accepted: Collection[str]) -> None:
    findings = [problem.finding for problem in problems]
    for finding in findings:
        if finding.severity is Severity.BLOCK:
            values: dict[str, Any] = dict(finding.values)
            raise OutputError(finding.code, **values)
    open_codes = [f.code for f in findings if f.severity is Severity.WARN and f.code not in accepted]
    if open_codes:
        raise OutputError("AC-EX-020", count=len(open_codes), codes=", ".join(dict.fromkeys(open_codes)))


def _refuse_image(path: Path) -> None:
    """Refuse to replace a DICOM object that is not a structure set, such as a slice of the CT."""
    from autocontour.dicom.header import read_header

    try:
        modality = read_header(path).modality if path.is_file() else "RTSTRUCT"
    except CTError:
        return  # not DICOM, or damaged: the user may replace it
    except OSError as error:
        raise OutputError("AC-OUT-001", file=shown_path(path), reason=error.strerror or "") from error
    if modality != "RTSTRUCT":
        refuse_inputs(path, [path])


def _check_pairs(structure_set: StructureSet) -> Iterator[ExportProblem]:
    from autocontour.qa.checks.relations import find_outdated_pairs

    for whole, finding in find_outdated_pairs(structure_set.structures):
        yield ExportProblem(finding, "AAPM TG-263", whole.number)


def _check_recipes(state: CaseState, structure_set: StructureSet) -> Iterator[ExportProblem]:
    """Report structures whose sources changed after they were made, or were deleted."""
    statuses = recipe_statuses(state)
    for structure in structure_set.structures:
        status = statuses.get(structure.number)
        if status is None or not structure.contours:
            continue
        named = {"AC-EX-011": (*status.changed, *status.outdated), "AC-EX-012": status.missing}
        for code, sources in named.items():
            if sources:
                finding = Finding.of(code, structure.name, structure=structure.name, source=", ".join(sources))
                yield ExportProblem(finding, "autocontour", structure.number)


def _check_rejected(case: Case, options: ExportOptions) -> Iterator[ExportProblem]:
    """Report rejected structures: those that are chosen by their number, and those that are left out."""
    for item in case.state.items:
        name, number = item.structure.name, item.structure.number
        if item.is_rejected and (options.numbers is None or options.approved_only):
            yield ExportProblem(Finding.of("AC-EX-014", name, structure=name), "PS3.3 C.8.8.16", number)
        elif item.is_rejected and options.numbers and number in options.numbers:
            finding = Finding.of("AC-EX-013", name, structure=name, date=item.rejected_at[:10])
            yield ExportProblem(finding, "PS3.3 C.8.8.16", number)


def _check_sources(state: CaseState, structure_set: StructureSet) -> Iterator[ExportProblem]:
    """Report structures that are made, directly or through others, from a rejected one."""
    for structure in structure_set.structures:
        rejected = [state[number].structure.name for number in _made_from(state, structure.number)]
        if rejected and structure.contours and not state[structure.number].is_rejected:
            names = ", ".join(dict.fromkeys(rejected))
            finding = Finding.of("AC-EX-015", structure.name, structure=structure.name, source=names)
            yield ExportProblem(finding, "PS3.3 C.8.8.16", structure.number)


def _made_from(state: CaseState, number: int) -> list[int]:
    """Return the rejected structures that a structure is made from."""
    waiting, known, rejected = [number], {number}, []
    while waiting:
        recipe = state[waiting.pop()].recipe
        for source in recipe.numbers.values() if recipe else ():
            if source in state and source not in known:
                known.add(source)
                waiting.append(source)
                rejected += [source] if state[source].is_rejected else []
    return rejected


def _check_approvers(structure_set: StructureSet) -> Iterator[ExportProblem]:
    from autocontour.rtstruct import are_approved

    drawn = [structure for structure in structure_set.structures if structure.contours]
    is_reviewed = drawn and all(structure.status is ReviewStatus.APPROVED for structure in structure_set.structures)
    if is_reviewed and not are_approved(structure_set.structures):
        count = len({structure.reviewer for structure in structure_set.structures})
        yield ExportProblem(Finding.of("AC-EX-009", count=count), "PS3.3 C.8.8.16", WHOLE_SET)
