"""Summaries of the cases in a folder, for a list: nothing is written, and no contours are decoded.

The patient is never stored with a case. Name and ID are read from the CT, and only if the series at the stored location
is the one of the case.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.case.damage import MOST_BETWEEN
from autocontour.case.exported import read_export
from autocontour.case.journal import read_journal
from autocontour.case.left import MARK
from autocontour.case.lock import is_locked
from autocontour.case.records import unpack
from autocontour.case.snapshots import Reviews, decode_reviews, peek_reviews
from autocontour.case.source import KEY, CTSource, read_key, read_source
from autocontour.patient.identity import CaseKey, PatientFacts
from autocontour.patient.structures import ReviewStatus

if TYPE_CHECKING:
    from pydicom import Dataset

JOURNAL = "journal.bin"
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, zlib.error, AutoContourError)
"""What a damaged case raises while it is read; it does not stop the list."""
MOST_FILES = 5000
"""Files of a folder in which the series of a case is looked for."""
_TAGS = (
    *(0x00080005, 0x00080020, 0x00080021, 0x00080022, 0x0008103E),
    *(0x00100010, 0x00100020, 0x00100030, 0x00185100, 0x0020000E, 0x00200011),
)


@dataclass(frozen=True)
class CaseSummary:
    """A case in a list.

    Attributes
    ----------
    folder
        Of the case.
    key
        The CT it belongs to; None if that cannot be read.
    source
        Folder or file of the CT, as stored.
    facts
        Patient and scan, from the CT; empty if it is not at the stored location.
    structures, approved, rejected, edited
        Numbers of structures: all, and by their review.
    changed_at
        When the last change was written, in UTC; None without a change.
    exported_at
        When it was last exported, in UTC; None if it was not.
    is_changed_since_export
        Whether there are changes after the last export.
    is_open
        Whether it is open in a window.
    problems
        Why it cannot be opened, or what to know before.
    """

    folder: Path
    key: CaseKey | None = None
    source: Path | None = None
    facts: PatientFacts = field(default=PatientFacts(), repr=False)
    structures: int = 0
    approved: int = 0
    rejected: int = 0
    edited: int = 0
    changed_at: datetime | None = None
    exported_at: datetime | None = None
    is_changed_since_export: bool = False
    is_open: bool = False
    problems: tuple[Finding, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether it can be opened from the list."""
        return self.key is not None and not any(p.severity is Severity.BLOCK for p in self.problems)

    @property
    def is_ct_there(self) -> bool:
        """Whether its CT lies where it is stored."""
        return self.source is not None and not any(problem.code in CT_MISSING for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, without the patient's name."""
        return {
            "case": self.folder.name,
            "folder": str(self.folder),
            "patient_id": self.facts.patient_id,
            "ct_date": self.facts.scan_date,
            "series": self.facts.series,
            "structures": self.structures,
            "approved": self.approved,
            "rejected": self.rejected,
            "edited": self.edited,
            "changed_at": _iso(self.changed_at),
            "exported_at": _iso(self.exported_at),
            "changed_since_export": self.is_changed_since_export,
            "open": self.is_open,
            "problems": [problem.to_json() for problem in self.problems],
        }


CT_MOVED, CT_OTHER, CT_UNKNOWN = "AC-CASE-040", "AC-CASE-041", "AC-CASE-046"
CT_MISSING = (CT_MOVED, CT_OTHER, CT_UNKNOWN)


class CaseList:
    """The cases in a folder; what has not changed since the last reading is not read again.

    Parameters
    ----------
    root
        Folder of the cases.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[object, CaseSummary]] = {}

    def read(self, job: Job | None = None) -> list[CaseSummary]:
        """Return the cases, the one changed last first; folders that hold no case are left out.

        Raises
        ------
        OSError
            If the folder exists and cannot be read.
        Cancelled
            If `job` was cancelled.
        """
        places = sorted(self.root.iterdir()) if self.root.exists() else []
        cases = [path for path in places if _is_case(path)]
        found = {path: self._read_one(path) for path in (job or Job()).track(cases, "reading the cases")}
        self._known = found
        summaries = [summary for _, summary in found.values()]
        return sorted(summaries, key=lambda summary: (_order(summary), summary.folder.name), reverse=True)

    def _read_one(self, folder: Path) -> tuple[object, CaseSummary]:
        before = _signature(folder)
        known = self._known.get(folder)
        if known is not None and before is not None and known[0] == before:
            return known
        return before, summarize_case(folder)


def summarize_case(folder: Path) -> CaseSummary:
    """Return the summary of the case in `folder`; damage is one of its problems."""
    try:
        try:
            return _summary(folder)
        except FileNotFoundError:  # another window has just written a snapshot and removed an older one
            return _summary(folder)
    except UNREADABLE as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
        return CaseSummary(folder, read_key(folder), problems=(Finding.of("AC-CASE-043", folder.name, reason=reason),))


def _summary(folder: Path) -> CaseSummary:
    key, source, is_open = read_key(folder), read_source(folder), is_locked(folder)
    reviews, sequence, is_damaged = _read_reviews(folder, is_open=is_open)
    exported = read_export(folder)
    facts, missing = _find_facts(source, key)
    problems = [
        Finding.of("AC-CASE-045", folder.name) if key is None else None,
        _check_name(folder, key),
        Finding.of("AC-CASE-042", folder.name) if is_damaged else None,
        missing,
        Finding.of("AC-CASE-047", folder.name) if (folder / MARK).exists() and not is_open else None,
    ]
    statuses = [status for status, _ in reviews.values()]
    return CaseSummary(
        folder,
        key,
        source.path if source else None,
        facts,
        structures=len(reviews),
        approved=statuses.count(ReviewStatus.APPROVED),
        rejected=sum(is_rejected for _, is_rejected in reviews.values()),
        edited=statuses.count(ReviewStatus.EDITED),
        changed_at=_changed_at(folder),
        exported_at=exported.at if exported else None,
        is_changed_since_export=exported is not None and sequence > exported.sequence,
        is_open=is_open,
        problems=tuple(problem for problem in problems if problem is not None),
    )


def _check_name(folder: Path, key: CaseKey | None) -> Finding | None:
    """Report a folder that the case's CT would not open."""
    if key is None or key.folder_name == folder.name:
        return None
    return Finding.of("AC-CASE-044", folder.name, name=key.folder_name)


def _read_reviews(folder: Path, *, is_open: bool) -> tuple[Reviews, int, bool]:
    """Return the reviews, the number of the last change, and whether something is damaged."""
    peek, journal = peek_reviews(folder), folder / JOURNAL
    size = journal.stat().st_size if journal.exists() else 0
    reviews, sequence, end = peek.reviews, peek.sequence, peek.offset
    is_damaged = size < peek.offset
    for record in read_journal(journal, peek.offset, peek.sequence) if size > peek.offset else ():
        content = unpack(record.payload)
        reviews = decode_reviews(content["reviews"]) if "reviews" in content else _followed(reviews, content["edit"])
        sequence, end = record.sequence, record.end
        is_damaged = is_damaged or record.lost > 0
    is_damaged = is_damaged or any(number - sequence <= MOST_BETWEEN for number in peek.unreadable)
    # While the case is open, a record may be being written.
    return reviews, sequence, is_damaged or (end < size and not is_open)


def _followed(reviews: Reviews, edit: dict[str, Any]) -> Reviews:
    """Return the reviews after a change that was written by a version that did not note them."""
    after = {number: review for number, review in reviews.items() if number not in edit["removed"]}
    after |= {int(item["number"]): (str(item["status"]), False) for item in edit["added"]}
    for number, changes in edit["contours"].items():
        if changes and int(number) in after:
            after[int(number)] = (str(ReviewStatus.EDITED), after[int(number)][1])
    for number, values in edit["fields"].items():
        if "status" in values and int(number) in after:
            after[int(number)] = (str(values["status"]), after[int(number)][1])
    return after


def _find_facts(source: CTSource | None, key: CaseKey | None) -> tuple[PatientFacts, Finding | None]:
    """Return patient and scan from the CT, and why not: the CT is not there, or another one is."""
    if key is None:
        return PatientFacts(), None
    if source is None or source.path is None:
        return PatientFacts(), Finding.of(CT_UNKNOWN)
    if not source.path.exists():
        return PatientFacts(), Finding.of(CT_MOVED)
    if not key.series_instance_uid:
        return PatientFacts(is_patient=False), None
    for header in _headers(source.path):
        if str(header.get("SeriesInstanceUID", "") or "") == key.series_instance_uid:
            return PatientFacts.of_header(header), None
    return PatientFacts(), Finding.of(CT_OTHER)


def _headers(folder: Path) -> Iterator[Dataset]:
    """Yield the headers of the DICOM files in a folder, lazily."""
    from autocontour.base.errors import CTError
    from autocontour.dicom import read_dataset

    for count, path in enumerate(_files(folder)):
        if count >= MOST_FILES:
            return
        try:
            yield read_dataset(path, specific_tags=_TAGS, stop_before_pixels=True)
        except (CTError, OSError):
            continue


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _is_case(path: Path) -> bool:
    try:
        return path.is_dir() and ((path / KEY).exists() or (path / JOURNAL).exists())
    except OSError:
        return True  # it may not be readable: the list shows that


def _signature(folder: Path) -> object:
    """Return what changes whenever the summary of a case may; None if that is not known."""
    try:
        with os.scandir(folder) as entries:
            files = sorted((entry.name, stat.st_size, stat.st_mtime_ns) for entry in entries if (stat := entry.stat()))
        source = read_source(folder)
        path = source.path if source else None
        there = path.stat().st_mtime_ns if path and path.exists() else None
    except OSError:
        return None
    return tuple(files), str(path), there, is_locked(folder)


def _changed_at(folder: Path) -> datetime | None:
    journal = folder / JOURNAL
    if not journal.exists() or not journal.stat().st_size:
        return None
    return datetime.fromtimestamp(journal.stat().st_mtime, UTC)


def _order(summary: CaseSummary) -> float:
    return summary.changed_at.timestamp() if summary.changed_at else 0.0


def _iso(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
