"""From files to series in the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from autocontour.base.errors import AutoContourError, CTError, QueueError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.dicom.content import read_checksums
from autocontour.dicom.scan import Series, find_late_files, planning_cts, scan_files, scan_folder
from autocontour.queue.record import Content, FileStamp, Options
from autocontour.queue.store import Added, Store

CHANGED, SHARED, NO_UID = "AC-QU-010", "AC-QU-006", "AC-QU-007"
Chooser = Callable[[Series], Options | None]
"""The options for a series; None for one that is not contoured."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one series of a path: it was added, skipped by a rule, or could not be read."""

    uid: str
    slices: int
    added: Added | None = None
    error: AutoContourError | None = None


def add_folder(store: Store, folder: Path, choose: Chooser, job: Job, *, again: bool = False) -> Iterator[Entry]:
    """Add every planning CT below a folder; one that cannot be read does not stop the others.

    Raises
    ------
    CTError
        ``AC-CT-100`` if there is none, or the errors of `scan_folder`.
    """
    found = planning_cts(scan_folder(folder.resolve(), job))
    if not found:
        raise CTError("AC-CT-100")
    yield from add_each(store, found, choose, job, again=again)


def add_each(
    store: Store, found: Sequence[Series], choose: Chooser, job: Job, *, again: bool = False
) -> Iterator[Entry]:
    """Add series; all that share one Series Instance UID, which names the result, are refused (``AC-QU-006``)."""
    counts = Counter(series.series_instance_uid for series in found)
    for series in found:
        refusal = SHARED if counts[series.series_instance_uid] > 1 else ""
        yield _add_series(store, series, choose, job, again=again, refusal=refusal)


def _add_series(store: Store, series: Series, choose: Chooser, job: Job, *, again: bool, refusal: str) -> Entry:
    uid, count = series.series_instance_uid, len(series)
    try:
        options = choose(series)
        if options is None:
            return Entry(uid, count)
        content = read_content(series, job)
        if options.output:
            with suppress(OSError):  # reported when the result is written
                Path(options.output).mkdir(parents=True, exist_ok=True)
        return Entry(uid, count, store.add(content, options, again=again, refusal=refusal))
    except (CTError, QueueError) as error:
        if isinstance(error, QueueError) and error.code != NO_UID:
            raise  # about the queue itself
        return Entry(uid, count, error=error)


def read_content(series: Series, job: Job) -> Content:
    """Read and describe the files of a series.

    Raises
    ------
    CTError
        ``AC-CT-006`` or ``AC-CT-007`` if a file has changed since the scan or cannot be opened.
    QueueError
        ``AC-QU-007`` if it has no usable Series Instance UID, which names its result.
    """
    uid = series.series_instance_uid
    if not uid or not uid.replace(".", "").isdigit() or not uid.isascii() or len(uid) > 64:
        raise QueueError(NO_UID)
    slices = read_checksums(series, job)
    files = tuple(FileStamp(str(s.path), s.size, s.modified_ns) for s in series.slices)
    return Content(uid, slices, files, tuple(finding.to_json() for finding in series.findings))


def find_content(content: Content, job: Job) -> Series:
    """Return the series that was added, after comparing every file with what it was then.

    Raises
    ------
    QueueError
        ``AC-QU-010`` if a file has changed or further slices have come.
    CTError
        ``AC-CT-007`` if a file is missing.
    """
    paths = [Path(one.path) for one in content.files]
    series = _scan(paths, content, job)
    if late := find_late_files(series):  # copies of its slices, or new ones
        series = _scan([*paths, *late], content, job)
    if read_content(series, job).checksum != content.checksum:
        raise QueueError(CHANGED)
    known = {(finding.code, finding.where) for finding in series.findings}
    stored = [Finding.from_json(dict(record)) for record in content.findings]
    further = [finding for finding in stored if (finding.code, finding.where) not in known]
    return replace(series, findings=(*series.findings, *further))


def find_present(content: Content, job: Job) -> Content | None:
    """Return what the files of a series are now; None if they are not one series any more."""
    try:
        found = [
            series
            for series in planning_cts(scan_folder(content.folder, job))
            if series.series_instance_uid == content.uid
        ]
        return read_content(found[0], job) if len(found) == 1 else None
    except (CTError, OSError):
        return None


def _scan(paths: Sequence[Path], content: Content, job: Job) -> Series:
    found = [one for one in scan_files(paths, content.folder, job) if one.series_instance_uid == content.uid]
    if len(found) != 1:
        raise QueueError(CHANGED)
    return found[0]
