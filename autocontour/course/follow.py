"""A few corrected slices on a later CT: the other slices of the date's contour follow them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autocontour.base.errors import CourseError
from autocontour.base.jobs import Job
from autocontour.course.contour import find_date
from autocontour.course.intake import find_series
from autocontour.course.record import CHOSEN, Course, read_result, sha256_of
from autocontour.course.trend import CONTOURED
from autocontour.pipeline.follow import FollowReport, FollowRequest, follow_file


def follow_date(
    course: Course,
    date: str,
    structures: Path,
    output: Path,
    name: str,
    corrected_mm: Sequence[float],
    job: Job,
    *,
    ends: bool = False,
) -> FollowReport:
    """Follow corrected slices through a structure of a date; the course's chosen contours are the automatic ones.

    Parameters
    ----------
    course
        The course.
    date
        Date, folder name or Series Instance UID of a later CT.
    structures
        RTSTRUCT on that CT with the corrected slices.
    output
        RTSTRUCT to write; the course stays as it is.
    name, corrected_mm, ends
        As of `autocontour.pipeline.follow.FollowRequest`.
    job
        Reports progress; may cancel.

    Raises
    ------
    CourseError
        ``AC-CO-007`` for an unknown date, ``AC-CO-051`` if it is not contoured, ``AC-CO-050`` if its contours were
        changed since, ``AC-CO-017`` if the CT was.
    FollowError
        As of `autocontour.pipeline.follow.follow_file`.
    """
    ct = find_date(course, date)
    result = read_result(course, ct)
    if result is None or result["state"] != CONTOURED:
        raise CourseError("AC-CO-051", reason=(result or {}).get("error", {}).get("code", "not contoured"))
    chosen = course.folder_of(ct) / CHOSEN
    if sha256_of(chosen) != result["files"].get(CHOSEN):
        raise CourseError("AC-CO-050", date=ct.date or ct.name)
    find_series(ct, f"The CT of {ct.date or ct.name}", job)
    request = FollowRequest(
        Path(ct.folder),
        structures,
        output,
        name,
        tuple(corrected_mm),
        chosen,
        series=ct.series_instance_uid,
        accepted=course.accepted,
        ends=ends,
    )
    return follow_file(request, job)
