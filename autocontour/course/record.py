"""A course on disk: which CTs of a patient belong to it, and where their results are.

::

    course.json                     the planning CT, its structure set, the later CTs; no patient's name
    planning.json                   measures of the planning CT's structures
    dates/2026-01-12_1a2b3c4d/      one folder per later CT:
        RS.dcm                      the chosen contours
        RS_methods.dcm              the contours of every method, under names with ^prop, ^net or ^own
        result.json                 registration, findings, choices, measures
    index.html, trend.json          the page and its figures
"""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from autocontour.base.errors import CourseError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.limits import Length, OneOf, Text
from autocontour.base.lock import lock_handle
from autocontour.base.typed import SettingsError, build, read_json

FORMAT, VERSION = "autocontour course", 1
COURSE, PLANNING, RESULT = "course.json", "planning.json", "result.json"
CHOSEN, METHODS = "RS.dcm", "RS_methods.dcm"

Uid = Annotated[str, Text(64)]
Line = Annotated[str, Text(200, least=0)]
Path_ = Annotated[str, Text(10_000, path=True)]


@dataclass(frozen=True)
class CourseCT:
    """One CT of the course.

    Attributes
    ----------
    series_instance_uid, frame_of_reference_uid
        As in its files.
    date, time
        YYYY-MM-DD and HHMMSS; empty where the files have none.
    folder, files
        Where its files are: the scanned folder, and their paths.
    slices_checksum
        See `autocontour.patient.identity.CaseKey`.
    """

    series_instance_uid: Uid
    frame_of_reference_uid: Annotated[str, Text(64, least=0)]
    date: Line
    time: Line
    folder: Path_
    files: Annotated[tuple[Path_, ...], Length(1, 10_000)]
    slices_checksum: Line = ""

    @property
    def name(self) -> str:
        """Name of its folder in the course; it does not identify the patient."""
        uid = hashlib.sha256(self.series_instance_uid.encode()).hexdigest()[:8]
        return f"{self.date or 'undated'}_{uid}"

    @property
    def moment(self) -> tuple[bool, str, str, str]:
        """Sorts CTs by time; those without a date come last."""
        return not self.date, self.date, self.time, self.series_instance_uid


@dataclass(frozen=True)
class _CourseFile:
    format: Annotated[str, OneOf((FORMAT,))]
    version: int
    planning: CourseCT
    structures: Path_
    structures_sha256: Line
    is_approved: bool
    dates: tuple[CourseCT, ...] = ()
    accepted: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Course:
    """One patient's planning CT and later CTs.

    Attributes
    ----------
    folder
        Of the course.
    planning
        The planning CT.
    structures
        The RTSTRUCT of the planning CT.
    structures_sha256
        Of that file when it was added.
    is_approved
        Whether it was approved.
    dates
        The later CTs in order of time.
    accepted
        Codes of blocking findings that the user accepts.
    """

    folder: Path
    planning: CourseCT
    structures: Path
    structures_sha256: str
    is_approved: bool
    dates: tuple[CourseCT, ...]
    accepted: frozenset[str] = frozenset()

    def folder_of(self, ct: CourseCT) -> Path:
        """Return the folder of a later CT's results."""
        return self.folder / "dates" / ct.name

    def find(self, text: str) -> CourseCT:
        """Return the later CT of a date, folder name or Series Instance UID; KeyError if there is not exactly one."""
        found = [ct for ct in self.dates if text in (ct.name, ct.date, ct.series_instance_uid)]
        if len(found) != 1:
            raise KeyError(text)
        return found[0]


def read_course(folder: Path) -> Course:
    """Read the course in a folder.

    Raises
    ------
    CourseError
        ``AC-CO-001`` if there is none, ``AC-CO-002`` if it cannot be read.
    """
    path = folder / COURSE
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CourseError("AC-CO-001", folder=shown_path(folder)) from error
    except OSError as error:
        raise CourseError("AC-CO-002", reason=error.strerror or type(error).__name__) from error
    try:
        content = build(_CourseFile, read_json(raw))
    except (SettingsError, ValueError) as error:
        raise CourseError("AC-CO-002", reason=str(error)) from error
    return Course(
        folder,
        content.planning,
        Path(content.structures),
        content.structures_sha256,
        content.is_approved,
        tuple(sorted(content.dates, key=lambda ct: ct.moment)),
        frozenset(content.accepted),
    )


def write_course(course: Course) -> None:
    """Write the course's file atomically."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "planning": asdict(course.planning),
        "structures": str(course.structures),
        "structures_sha256": course.structures_sha256,
        "is_approved": course.is_approved,
        "dates": [asdict(ct) for ct in course.dates],
        "accepted": sorted(course.accepted),
    }
    write_json(course.folder / COURSE, content)


def read_result(course: Course, ct: CourseCT) -> dict[str, Any] | None:
    """Return the result of a later CT; None while there is none."""
    return read_record(course.folder_of(ct) / RESULT)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if it is missing or damaged, so that it is made again."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: object) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; empty if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@contextmanager
def working_on(folder: Path) -> Iterator[None]:
    """Hold the course's lock; one program at a time.

    Raises
    ------
    CourseError
        ``AC-CO-003`` if another program holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            lock_handle(handle)
        except OSError:
            raise CourseError("AC-CO-003") from None
        yield
    finally:
        os.close(handle)
