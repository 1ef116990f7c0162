"""Contouring the later CTs of a course: each by every method, resumable, one folder per date."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.archive.review import OTHER_PATIENT
from autocontour.base.errors import AutoContourError, Cancelled, CourseError, CTError, OutputError
from autocontour.base.jobs import Job
from autocontour.course.choice import PROPAGATED, Table, read_table
from autocontour.course.intake import find_series
from autocontour.course.link import Link, Prepared, link_cts, prepare
from autocontour.course.measures import body_areas, measure_structures
from autocontour.course.methods import Chosen, Drawn, choose_contours, draw_by_networks, propagate_set
from autocontour.course.record import (
    CHOSEN,
    METHODS,
    PLANNING,
    RESULT,
    Course,
    CourseCT,
    read_record,
    read_result,
    sha256_of,
    working_on,
    write_json,
)
from autocontour.course.trend import CONTOURED, REFUSED
from autocontour.dicom.content import checksum_files
from autocontour.dicom.ct import read_ct
from autocontour.models import available_packages
from autocontour.patient.structures import Structure, StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.registration.rigid import Rigid
from autocontour.rtstruct import read_structure_set, write_structure_set
from autocontour.site.template import Template, read_template

RESULTS = 1
"""Version of the results; another one is contoured again."""


@dataclass(frozen=True)
class Options:
    """How a course is contoured.

    Attributes
    ----------
    table
        The table of methods; the program's own if None.
    template_name
        Site template whose recipes make targets; empty for none.
    device
        For the networks.
    only_propagated
        Without rules and networks.
    again
        Also dates that are done, even if their files were changed.
    names
        Folder names, dates or Series Instance UIDs of the CTs; all if empty.
    """

    table: Path | None = None
    template_name: str = ""
    device: str = "auto"
    only_propagated: bool = False
    again: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DateReport:
    """What became of one later CT.

    Attributes
    ----------
    state
        ``contoured``, ``refused``, or ``kept`` for one that was done before.
    error
        Of a refused one.
    """

    ct: CourseCT
    state: str
    error: AutoContourError | None = None


class Planning:
    """The planning CT of a course with its contours, read once when needed."""

    def __init__(self, course: Course, job: Job) -> None:
        self._course, self._job = course, job

    @cached_property
    def prepared(self) -> Prepared:
        """CT and body."""
        series = find_series(self._course.planning, "The planning CT", self._job)
        return prepare(read_ct(series, self._job, self._course.accepted), self._job)

    @cached_property
    def structure_set(self) -> StructureSet:
        """The contours, those that are damaged left out."""
        return read_planning_set(self._course, self.prepared.ct)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the structure set."""
        return self._course.structures_sha256


def read_planning_set(course: Course, ct: CTVolume) -> StructureSet:
    """Return the structure set of the planning CT.

    Raises
    ------
    CourseError
        ``AC-CO-017`` if the file has changed since it was added, ``AC-CO-008`` if it is another patient's.
    """
    if sha256_of(course.structures) != course.structures_sha256:
        raise CourseError("AC-CO-017", what="The planning CT's structure set")
    read = read_structure_set(course.structures, ct)
    for finding in read.findings:
        if finding.code in OTHER_PATIENT:
            raise CourseError("AC-CO-008", reason=finding.message)
    return read


def contour_course(
    course: Course, options: Options, job: Job, on_date: Callable[[DateReport], None] = lambda _: None
) -> list[DateReport]:
    """Contour the later CTs that are not done, each independently of the others.

    A date is done when its results are there and were made from files with the same contents, with the same settings
    and packages, by this version; otherwise it is made anew. The results of a date appear all at once.

    Raises
    ------
    CourseError
        ``AC-CO-003`` if another program works on the course, ``AC-CO-005`` or ``AC-CO-006`` for the table,
        ``AC-CO-017`` if the planning CT or its contours have changed.
    UsageError
        For the template.
    Cancelled
        What is done is kept.
    """
    table = read_table(options.table)
    template = read_template(options.template_name) if options.template_name else None
    chosen = [find_date(course, name) for name in options.names] or list(course.dates)
    reports = []
    with working_on(course.folder):
        _sweep(course)
        planning = Planning(course, job)
        for ct in chosen:
            report = _contour_date(course, ct, planning, options, table, template, job)
            reports.append(report)
            on_date(report)
    return reports


def find_date(course: Course, name: str) -> CourseCT:
    """Return a later CT by its date, folder name or Series Instance UID; raises ``AC-CO-007``."""
    try:
        return course.find(name)
    except KeyError:
        raise CourseError("AC-CO-007", name=name, known=", ".join(ct.name for ct in course.dates)) from None


def _contour_date(
    course: Course,
    ct: CourseCT,
    planning: Planning,
    options: Options,
    table: Table,
    template: Template | None,
    job: Job,
) -> DateReport:
    key = _key(course, ct, options, table, template)
    try:
        if not options.again and _is_done(course, ct, key):
            return DateReport(ct, "kept")
        planning.structure_set  # noqa: B018  (its problems are those of the whole course)
    except CourseError as error:
        if error.code != "AC-CO-050":
            raise
        return DateReport(ct, REFUSED, error)
    contents = _contents(ct)
    try:
        result = _make(course, ct, planning, options, table, template, job)
    except Cancelled:
        raise
    except AutoContourError as error:
        record = {"key": key, "version": RESULTS, "state": REFUSED, "error": _error(error)}
        _replace_folder(course, ct, lambda folder: write_json(folder / RESULT, record))
        return DateReport(ct, REFUSED, error)
    _replace_folder(course, ct, lambda folder: _write(folder, *result, key, contents))
    return DateReport(ct, CONTOURED)


def _make(
    course: Course,
    ct: CourseCT,
    planning: Planning,
    options: Options,
    table: Table,
    template: Template | None,
    job: Job,
) -> tuple[Prepared, Link, Chosen]:
    series = find_series(ct, f"The CT of {ct.date or ct.name}", job)
    later = prepare(read_ct(series, job, course.accepted), job)
    link = link_cts(later, planning.prepared, job, course.accepted)
    wanted = planning.structure_set
    about = list(link.findings)
    drawn: dict[str, dict[str, Drawn]] = {}
    if not options.only_propagated:
        drawn.update(draw_by_networks(wanted, later.ct, options.device, job, about))
    drawn[PROPAGATED] = propagate_set(wanted, planning.prepared.ct, later.ct, link, table, planning.checksum, job)
    chosen = choose_contours(wanted, later.ct, drawn, table, template, about, job)
    _write_planning(course, planning)
    return later, link, chosen


def _write(folder: Path, later: Prepared, link: Link, chosen: Chosen, key: str, contents: str) -> None:
    """Write the results of a date into its new folder, the record last."""
    files = {}
    for name, structure_set in ((CHOSEN, chosen.structure_set), (METHODS, chosen.others)):
        if structure_set.structures:
            write_structure_set(structure_set, later.ct, folder / name)
            files[name] = sha256_of(folder / name)
    measures = measure_structures(chosen.structure_set.structures, later.ct, link.rigid)
    structures = {
        structure.name: {
            **_describe(structure),
            "method": chosen.methods[structure.name],
            "measures": measures[structure.name].to_json() if structure.name in measures else None,
            "dsc": dict(chosen.dsc.get(structure.name, {})),
            "methods": {method: _of_method(one) for method, one in chosen.drawn.get(structure.name, {}).items()},
        }
        for structure in chosen.structure_set.structures
    }
    record = {
        "key": key,
        "contents": contents,
        "version": RESULTS,
        "program": __version__,
        "state": CONTOURED,
        "files": files,
        "link": link.to_json(),
        "findings": [finding.to_json() for finding in chosen.structure_set.findings],
        "structures": structures,
        "body_areas": body_areas(later.external, later.ct.geometry, link.rigid),
    }
    write_json(folder / RESULT, record)


def _describe(structure: Structure) -> dict[str, Any]:
    return {
        "tg263_name": structure.tg263_name,
        "type": structure.interpreted_type,
        "drawn_by": structure.provenance.algorithm if structure.provenance else "",
        "findings": [finding.to_json() for finding in structure.findings],
    }


def _of_method(one: Drawn) -> dict[str, Any]:
    return {**_describe(one.structure), "trust": one.trust.to_json() if one.trust else None}


def _write_planning(course: Course, planning: Planning) -> None:
    path = course.folder / PLANNING
    if read_record(path) is not None:
        return
    prepared = planning.prepared
    measures = measure_structures(planning.structure_set.structures, prepared.ct, Rigid.identity())
    areas = body_areas(prepared.external, prepared.ct.geometry, Rigid.identity())
    write_json(path, {"structures": {name: one.to_json() for name, one in measures.items()}, "body_areas": areas})


def _key(course: Course, ct: CourseCT, options: Options, table: Table, template: Template | None) -> str:
    """Return a checksum of everything a result depends on, besides the contents of the CT's files."""
    used = [] if options.only_propagated else available_packages()
    packages = [(one.name, one.version, one.checksum) for one in used]
    parts = (
        RESULTS,
        __version__,
        course.planning.slices_checksum,
        course.structures_sha256,
        ct.slices_checksum,
        sorted(course.accepted),
        repr(table),
        template.checksum if template else "",
        packages,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _is_done(course: Course, ct: CourseCT, key: str) -> bool:
    """Whether a date has whole results of the same run; refuse to replace files that were changed since."""
    result = read_result(course, ct)
    if result is None:
        return False
    files = result.get("files", {})
    present = {name: sha256_of(course.folder_of(ct) / name) for name in files}
    if any(present[name] and present[name] != checksum for name, checksum in files.items()):
        raise CourseError("AC-CO-050", date=ct.date or ct.name)
    if result.get("key") != key or result.get("state") != CONTOURED or present != files:
        return False
    return _contents(ct) in ("", result.get("contents"))


def _contents(ct: CourseCT) -> str:
    """Return a checksum of the CT's files; empty if they are no longer at their place."""
    try:
        return checksum_files([Path(file) for file in ct.files])
    except CTError:
        return ""


def _replace_folder(course: Course, ct: CourseCT, write: Callable[[Path], None]) -> None:
    """Write a date's folder beside its place and move it there whole."""
    final = course.folder_of(ct)
    partial, old = (final.with_name(f".{final.name}.{end}") for end in ("part", "old"))
    try:
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)
        partial.mkdir(parents=True)
        write(partial)
        if final.exists():
            final.rename(old)
        partial.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise OutputError("AC-OUT-001", file=final.name, reason=error.strerror or type(error).__name__) from error


def _sweep(course: Course) -> None:
    """Remove what a killed run left; a result that was being replaced is put back."""
    for folder in (course.folder / "dates").glob(".*"):
        final = folder.with_name(folder.name[1:].rsplit(".", 1)[0])
        if folder.name.endswith(".old") and not final.exists():
            folder.rename(final)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def read_date(course: Course, ct: CourseCT, job: Job) -> tuple[CTVolume, StructureSet, StructureSet]:
    """Return a contoured CT with the chosen contours and those of every method, for display.

    Raises
    ------
    CourseError
        ``AC-CO-017`` if the CT has changed, ``AC-CO-051`` if the date is not contoured.
    """
    result = read_result(course, ct)
    if result is None or result["state"] != CONTOURED:
        raise CourseError("AC-CO-051", reason=(result or {}).get("error", {}).get("code", "not contoured"))
    series = find_series(ct, f"The CT of {ct.date or ct.name}", job)
    volume = read_ct(series, job, course.accepted)
    folder = course.folder_of(ct)
    chosen = read_structure_set(folder / CHOSEN, volume)
    return volume, chosen, read_structure_set(folder / METHODS, volume)


def read_planning(course: Course, job: Job) -> tuple[CTVolume, StructureSet]:
    """Return the planning CT and its contours."""
    series = find_series(course.planning, "The planning CT", job)
    ct = read_ct(series, job, course.accepted)
    return ct, read_planning_set(course, ct)


def read_rigid(course: Course, ct: CourseCT) -> Rigid | None:
    """Return the rigid registration of a contoured CT, for linked slices; None if it is not contoured."""
    result = read_result(course, ct)
    return Rigid.from_json(result["link"]["rigid"]) if result and result["state"] == CONTOURED else None


def _error(error: AutoContourError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "remedy": error.remedy}
