"""Adding a patient's folder to a course: which CT is the planning CT, and which CTs belong to the same patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autocontour.base.errors import CourseError, CTError, StructureSetError
from autocontour.base.files import shown_path
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.course.record import COURSE, Course, CourseCT, read_course, sha256_of, working_on, write_course
from autocontour.dicom.content import read_attributes
from autocontour.dicom.scan import Series, planning_cts, scan_files, scan_folder
from autocontour.patient.identity import iso_date, series_key
from autocontour.rtstruct.read.summary import StructureSetSummary, read_summary

IDENTITY = ("PatientID", "PatientBirthDate", "PatientSex")
DATES = (("AcquisitionDate", "AcquisitionTime"), ("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime"))
EXCHANGED = "AC-CO-014"


@dataclass(frozen=True)
class Intake:
    """What is added.

    Attributes
    ----------
    source
        The patient's folder; nothing in it is changed.
    folder
        Of the course; beside the patient's folder if None.
    structures
        The planning CT's structure set, where the folder holds several.
    unapproved
        Whether it may be unapproved.
    accepted
        Codes of blocking findings that the user accepts.
    """

    source: Path
    folder: Path | None = None
    structures: Path | None = None
    unapproved: bool = False
    accepted: frozenset[str] = frozenset()


def default_folder(source: Path) -> Path:
    """Return the folder of the course of a patient's folder: beside it."""
    whole = source.resolve()
    return whole.with_name(f"{whole.name}-course")


def find_course(path: Path) -> Course:
    """Read the course in a folder, or the one beside a patient's folder; errors as `read_course`."""
    beside = default_folder(path)
    return read_course(beside if not (path / COURSE).exists() and (beside / COURSE).exists() else path)


def add_course(intake: Intake, job: Job) -> tuple[Course, tuple[Finding, ...]]:
    """Find the planning CT and the later CTs in a folder, and write or extend the course.

    Returns
    -------
    course, findings
        Findings about the CTs: those accepted, and CTs without a date.

    Raises
    ------
    CourseError
        ``AC-CO-004``, ``AC-CO-010`` to ``AC-CO-018``, and ``AC-CO-032``; then nothing is written.
    """
    folder = intake.folder or default_folder(intake.source)
    if folder.resolve().is_relative_to(intake.source.resolve()):
        raise CourseError("AC-CO-004")
    found = scan_folder(intake.source, job)
    cts = planning_cts(found)
    summary, planning = _find_planning(found, cts, intake)
    _check_identity(planning, cts)
    later = [series for series in cts if series is not planning]
    if not later:
        raise CourseError("AC-CO-018")
    course = Course(
        folder,
        _entry(planning, intake.source),
        summary.path.resolve(),
        sha256_of(summary.path),
        summary.is_approved,
        tuple(sorted((_entry(series, intake.source) for series in later), key=lambda ct: ct.moment)),
        intake.accepted,
    )
    findings = (*_check_dates(course), *_check_names(planning, later))
    refused = [one for one in findings if one.severity is Severity.BLOCK and one.code not in intake.accepted]
    if refused:
        values: dict[str, Any] = dict(refused[0].values)
        raise CourseError(refused[0].code, **values)
    with working_on(folder):
        course = _extended(course)
        write_course(course)
    return course, tuple(one.accept() for one in findings)


def _find_planning(
    found: Sequence[Series], cts: Sequence[Series], intake: Intake
) -> tuple[StructureSetSummary, Series]:
    """Return the planning CT and its structure set."""
    pairs = list(_drawn_on(_structure_sets(found, intake), cts))
    if not pairs:
        raise CourseError("AC-CO-010")
    approved = [pair for pair in pairs if pair[0].is_approved]
    if not approved and not intake.unapproved:
        raise CourseError("AC-CO-012")
    chosen = approved or pairs
    if len(chosen) > 1:
        raise CourseError("AC-CO-011", listed=", ".join(shown_path(summary.path) for summary, _ in chosen))
    return chosen[0]


def _structure_sets(found: Sequence[Series], intake: Intake) -> Iterator[StructureSetSummary]:
    if intake.structures is not None:
        yield read_summary(intake.structures)
        return
    for series in found:
        if series.modality == "RTSTRUCT":
            for path in series.files:
                try:
                    yield read_summary(path)
                except StructureSetError:
                    continue  # a damaged one beside the sound one; without a sound one AC-CO-010 is raised


def _drawn_on(
    summaries: Iterator[StructureSetSummary], cts: Sequence[Series]
) -> Iterator[tuple[StructureSetSummary, Series]]:
    for summary in summaries:
        for series in cts:
            if summary.belongs_to(series.series_instance_uid, series.frame_of_reference_uid):
                yield summary, series


def _check_identity(planning: Series, cts: Sequence[Series]) -> None:
    """Refuse CTs of another patient: an ID, birth date or sex that differs."""
    mine = read_attributes(planning, IDENTITY)
    if not mine["PatientID"]:
        raise CourseError("AC-CO-015")
    for series in cts:
        theirs = read_attributes(series, IDENTITY)
        differing = [
            keyword
            for keyword in IDENTITY
            if mine[keyword] != theirs[keyword] and (keyword == "PatientID" or (mine[keyword] and theirs[keyword]))
        ]
        if differing:
            raise CourseError("AC-CO-013", attributes=", ".join(differing), uid=series.series_instance_uid)


def _check_names(planning: Series, later: Sequence[Series]) -> Iterator[Finding]:
    """Yield a finding for each CT with another name: two persons may have got one ID, or one a new name."""
    mine = _name_groups(planning)
    for series in later:
        theirs = _name_groups(series)
        if mine and theirs and not mine & theirs:
            yield Finding.of("AC-CO-032", uid=series.series_instance_uid)


def _name_groups(series: Series) -> set[str]:
    """Return the component groups of a name (alphabetic, ideographic, phonetic) without case and spacing."""
    groups = read_attributes(series, ("PatientName",))["PatientName"].casefold().split("=")
    return {"^".join(" ".join(part.split()) for part in group.split("^")).strip("^ ") for group in groups} - {""}


def _entry(series: Series, source: Path) -> CourseCT:
    attributes = read_attributes(series, [keyword for pair in DATES for keyword in pair])
    date, time = next(((d, t) for d, t in DATES if attributes[d]), ("", ""))
    return CourseCT(
        series.series_instance_uid,
        series.frame_of_reference_uid,
        iso_date(attributes[date]) if date else "",
        attributes[time][:6] if time else "",
        str(source.resolve()),
        tuple(str(path.resolve()) for path in series.files),
        series_key(series, series.geometry).slices_checksum if series.geometry else "",
    )


def _check_dates(course: Course) -> Iterator[Finding]:
    planned = course.planning
    for ct in (planned, *course.dates):
        if not ct.date:
            yield Finding.of("AC-CO-019", ct.name, uid=ct.series_instance_uid)
    for ct in course.dates:
        if _is_older(ct, planned):
            yield Finding.of(EXCHANGED, ct.name, uid=ct.series_instance_uid, date=planned.date)


def _is_older(ct: CourseCT, planned: CourseCT) -> bool:
    """Whether a CT is older than the planning CT; not on the same day without times."""
    if not (ct.date and planned.date):
        return False
    times = (ct.time, planned.time) if ct.time and planned.time else ("", "")
    return (ct.date, times[0]) < (planned.date, times[1])


def _extended(course: Course) -> Course:
    """Return the course with the CTs that were in it before."""
    if not (course.folder / COURSE).exists():
        return course
    before = read_course(course.folder)
    same = before.planning.series_instance_uid == course.planning.series_instance_uid
    if not same or before.structures_sha256 != course.structures_sha256:
        raise CourseError("AC-CO-016")
    new = {ct.series_instance_uid: ct for ct in (*before.dates, *course.dates)}
    dates = tuple(sorted(new.values(), key=lambda ct: ct.moment))
    return replace(course, dates=dates, accepted=course.accepted | before.accepted)


def find_series(ct: CourseCT, what: str, job: Job) -> Series:
    """Return the series of a CT of the course, as it was when it was added.

    Raises
    ------
    CourseError
        ``AC-CO-017`` if its slices are not those that were added.
    """
    try:
        found = scan_files([Path(path) for path in ct.files], Path(ct.folder), job)
    except CTError as error:
        raise CourseError("AC-CO-017", what=what) from error
    for series in found:
        if series.series_instance_uid == ct.series_instance_uid and series.geometry is not None:
            if series_key(series, series.geometry).slices_checksum != ct.slices_checksum:
                raise CourseError("AC-CO-017", what=what)
            return series
    raise CourseError("AC-CO-017", what=what)
