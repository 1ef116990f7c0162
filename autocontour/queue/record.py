"""One series in the queue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from autocontour.base.files import shown_path


class State(StrEnum):
    """State of a series.

    ``contoured`` has a result that is not yet at its place; ``refused`` cannot be contoured as it is; ``failed`` was
    tried several times; ``replaced`` came again with more slices.
    """

    WAITING = "waiting"
    RUNNING = "running"
    CONTOURED = "contoured"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REPLACED = "replaced"


OPEN = (State.WAITING, State.RUNNING, State.CONTOURED)
"""States of series that a run still works on."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a series is contoured.

    Attributes
    ----------
    template, package
        Name or absolute path; empty for the usual ones.
    structures
        TG-263 names; empty for all.
    accepted
        Codes of blocking findings that are accepted.
    output
        Folder of the result; empty for the folder of the series.
    priority
        Higher numbers come first.
    """

    template: str = ""
    package: str = ""
    structures: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    output: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file with its size (bytes) and time of modification (ns) when it was read."""

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Content:
    """The files of a series.

    Attributes
    ----------
    uid
        Series Instance UID.
    slices
        SOP Instance UID → SHA-256 of its dataset.
    files
        Every file of a slice.
    findings
        Findings of the scan that found it, as JSON: also about other files of the folder.
    """

    uid: str
    slices: Mapping[str, str]
    files: tuple[FileStamp, ...]
    findings: tuple[Mapping[str, Any], ...] = ()

    @property
    def checksum(self) -> str:
        """SHA-256 of all slices, independent of paths and order."""
        return hashlib.sha256(json.dumps(sorted(self.slices.items())).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Folder of the first file."""
        return Path(self.files[0].path).parent

    @property
    def is_present(self) -> bool:
        """Whether its files exist with the size and time at which they were read."""
        try:
            return all(_stamp(one.path) == one for one in self.files)
        except OSError:
            return False

    def has_more_than(self, other: Content) -> bool:
        """Whether it has every slice of `other`, and further ones."""
        return len(self.slices) > len(other.slices) and other.slices.items() <= self.slices.items()


@dataclass(frozen=True)
class Record:
    """A series in the queue, as stored.

    Attributes
    ----------
    number
        Its number in the queue.
    mount
        Mount point of the disk on which the result belongs, when the series was added.
    attempts
        Attempts that failed for a reason that may pass.
    starts
        Starts since the last end of any kind: a series at which programs die.
    owner
        The run that works on it; empty if none.
    is_cancelling
        Whether it is to be cancelled while it runs.
    error
        Code, message and remedy of the last error; empty without one.
    report
        What `autocontour contour --json` prints; empty before it is contoured.
    staged, result_checksum
        Name and SHA-256 of the contoured file in the queue's folder, which is copied to its place.
    result
        The file at its place; empty before.
    replaces
        Number of the record with fewer slices; 0 if none.
    added, started, finished
        UTC, ISO 8601; empty if it has not happened.
    """

    number: int
    content: Content = field(repr=False)
    options: Options
    state: State
    mount: str = ""
    attempts: int = 0
    starts: int = 0
    owner: str = ""
    is_cancelling: bool = False
    error: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict, repr=False)
    staged: str = ""
    result_checksum: str = ""
    result: str = ""
    replaces: int = 0
    added: str = ""
    started: str = ""
    finished: str = ""

    @property
    def output(self) -> Path:
        """Path of the result: it names the series, never the patient."""
        return output_folder(self.content, self.options) / f"RS.{self.content.uid}.dcm"

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """Return plain JSON values; with `whole` also the folders, whose names may identify a patient."""
        seconds = self.report.get("seconds", {})
        brief = {
            "number": self.number,
            "series": self.content.uid,
            "slices": len(self.content.slices),
            "state": self.state.value,
            "priority": self.options.priority,
            "template": Path(self.options.template).name,
            "package": Path(self.options.package).name,
            "attempts": self.attempts,
            "error": dict(self.error) or None,
            "seconds": round(sum(seconds.values()), 2) if seconds else None,
            "result": shown_path(Path(self.result)) if self.result else None,
            "replaces": self.replaces or None,
            "added": self.added,
            "started": self.started or None,
            "finished": self.finished or None,
        }
        if not whole:
            return brief
        more = {"folder": str(self.content.folder), "result": self.result or None, "report": dict(self.report) or None}
        return {**brief, **more, "options": asdict(self.options), "checksum": self.content.checksum}


def output_folder(content: Content, options: Options) -> Path:
    """Return the folder of the result."""
    return Path(options.output) if options.output else content.folder


def read_stamps(paths: Sequence[Path]) -> tuple[FileStamp, ...]:
    """Return the files with their present size and time.

    Raises
    ------
    OSError
        If one does not exist.
    """
    return tuple(_stamp(str(path)) for path in paths)


def _stamp(path: str) -> FileStamp:
    status = Path(path).stat()
    return FileStamp(path, status.st_size, status.st_mtime_ns)
