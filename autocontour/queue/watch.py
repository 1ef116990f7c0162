"""A watched folder: every series that has arrived completely is added to the queue.

The folder is read at intervals, which works on network shares as well as on local disks. A file is only opened when
two readings in a row found it with the same size and time; a series is added when nothing of it has changed for a
stated time, or at once when its files state how many they are (Number of Series Related Instances, 0020,1209). All
times are measured on a clock that cannot be set.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError, CTError, QueueError
from autocontour.base.jobs import Job
from autocontour.dicom.header import NOT_DICOM, SliceHeader, read_header
from autocontour.dicom.read import read_dataset
from autocontour.dicom.scan import planning_cts, scan_files
from autocontour.queue.intake import Chooser, Entry, add_each
from autocontour.queue.record import FileStamp
from autocontour.queue.store import Store

NUMBER_OF_INSTANCES = 0x00201209
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload")
"""Suffixes of files that are being written."""
INCOMPLETE_FACTOR = 10
"""A series with fewer slices than it states is refused after so many quiet times."""
BUSY_FACTOR = 3
"""Other files that arrive in its folder delay a series up to so many quiet times."""
Place = tuple[int, int]
"""Size in bytes and time of modification in ns."""


@dataclass
class _File:
    """A file in the folder.

    Attributes
    ----------
    place
        Size and time at the last reading of the folder.
    changed
        When these were new, by `time.monotonic`.
    header
        Once it was read; the code of the error if it cannot be.
    uid
        Series Instance UID of the last header: a file that changes still belongs to its series.
    """

    place: Place
    changed: float
    header: SliceHeader | str | None = None
    uid: str = ""


@dataclass
class Watcher:
    """Adds the series that arrive in a folder.

    Attributes
    ----------
    quiet_s, poll_s
        Time without a change after which a series is complete, and between two readings of the folder.
    """

    store: Store
    folder: Path
    choose: Chooser
    on_event: Callable[[str, dict[str, Any]], None]
    job: Job = field(default_factory=Job)
    quiet_s: float = 60.0
    poll_s: float = 5.0
    clock: Callable[[], float] = time.monotonic
    _files: dict[Path, _File] = field(default_factory=dict)
    _added: dict[str, frozenset[tuple[Path, Place]]] = field(default_factory=dict)
    _read: float = -1e9
    _was_faulty: bool = False
    _was_gone: bool = False

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        if not self.folder.is_dir():
            raise CTError("AC-CT-063", folder=self.folder.name)

    def turn(self) -> bool:
        """Read the folder if it is time to; always True, as further series may arrive."""
        if self.clock() - self._read >= self.poll_s:
            self._read = self.clock()
            self.poll()
        return True

    def poll(self) -> list[Entry]:
        """Read the folder and add the series that are complete."""
        if not self._look():
            return []
        self._read_headers()
        entries = []
        for uid, paths in self._complete():
            entry = self._add(uid, paths)
            if entry is not None:
                entries.append(entry)
        return entries

    def _look(self) -> bool:
        """Note what has changed; False while the folder is gone, as when a share is not mounted.

        When it is back, the quiet time begins again: the sender was interrupted too.
        """
        now, found = self.clock(), {}
        faults: list[OSError] = []
        for path in _walk(self.folder, faults):
            try:
                status = path.stat()
            except OSError:
                continue  # moved meanwhile
            place = status.st_size, status.st_mtime_ns
            known = self._files.get(path)
            found[path] = known if known and known.place == place else _File(place, now, uid=known.uid if known else "")
            if self._was_gone:
                found[path].changed = now
        is_gone = any(str(fault.filename) == str(self.folder) for fault in faults) or not self.folder.is_dir()
        if faults and not self._was_faulty:  # what lies in closed subfolders is not seen
            self.on_event("folder cannot be read", {"folders": len(faults)})
        self._was_faulty, self._was_gone = bool(faults), is_gone
        if is_gone:
            return False
        self._files = found
        return True

    def _read_headers(self) -> None:
        """Read the files that two readings of the folder found unchanged."""
        now = self.clock()
        for path, one in self._files.items():
            if one.header is not None or now - one.changed < min(self.poll_s, self.quiet_s) or not one.place[0]:
                continue
            try:
                header: SliceHeader | str = read_header(path)
            except CTError as error:
                header = error.code
            if isinstance(header, SliceHeader) and (header.size, header.modified_ns) != one.place:
                continue  # changed since the folder was read
            one.header = header
            one.uid = header.series_instance_uid if isinstance(header, SliceHeader) else ""

    def _complete(self) -> Iterator[tuple[str, list[Path]]]:
        """Yield the series of which nothing has changed for the quiet time, or of which all slices are here."""
        groups: dict[str, list[Path]] = defaultdict(list)
        for path, one in self._files.items():
            if one.uid:
                groups[one.uid].append(path)
        unread = self._unread()
        for uid, paths in groups.items():
            if self._added.get(uid) == self._state_of(paths) or any(self._files[path].header is None for path in paths):
                continue
            if self._is_quiet(paths, unread) or self._is_whole(paths):
                yield uid, paths

    def _is_quiet(self, paths: list[Path], unread: Mapping[Path, list[Path]]) -> bool:
        """Whether nothing of a series has changed for the quiet time, nor of files beside it that may belong to it.

        The latter may prolong the time, but not without end: in a busy folder something always arrives.
        """
        now = self.clock()
        quiet = now - max(self._files[path].changed for path in paths)
        if quiet < self.quiet_s:
            return False
        beside = [self._files[path].changed for path in _beside(paths, unread)]
        return not beside or now - max(beside) >= self.quiet_s or quiet >= self.quiet_s * BUSY_FACTOR

    def _is_whole(self, paths: list[Path]) -> bool:
        expected = _stated_count(paths[0])
        return expected is not None and len(self._instances(paths)) == expected

    def _instances(self, paths: list[Path]) -> set[str]:
        headers = [self._files[path].header for path in paths]
        return {header.sop_instance_uid for header in headers if isinstance(header, SliceHeader)}

    def _state_of(self, paths: list[Path]) -> frozenset[tuple[Path, Place]]:
        return frozenset((path, self._files[path].place) for path in paths)

    def _add(self, uid: str, paths: list[Path]) -> Entry | None:
        """Add the planning CTs among the files of one Series Instance UID; None if the queue knows these files."""
        state = self._state_of(paths)
        stamps = {FileStamp(str(path), *self._files[path].place) for path in paths}
        if self.store.knows(uid, stamps):
            self._added[uid] = state
            return None
        expected = _stated_count(paths[0])
        present = len(self._instances(paths))
        if expected is not None and present < expected:
            quiet = self.clock() - max(self._files[path].changed for path in paths)
            if quiet < self.quiet_s * INCOMPLETE_FACTOR:
                return None
            error = QueueError("AC-QU-018", present=present, expected=expected)
            return self._report(Entry(uid, present, error=error), state)
        try:
            found = planning_cts(scan_files([*paths, *_beside(paths, self._unread())], paths[0].parent, self.job))
        except CTError:
            return None  # moved or changed meanwhile: the next reading finds it
        found = [series for series in found if series.series_instance_uid == uid]
        if not found:
            self._added[uid] = state
            return None
        entry = Entry(uid, present)
        for entry in add_each(self.store, found, self.choose, self.job):
            if entry.error is not None and entry.error.code in ("AC-CT-006", "AC-CT-007"):
                return None
            self._report(entry, state)
        return entry

    def _report(self, entry: Entry, state: frozenset[tuple[Path, Place]]) -> Entry:
        self._added[entry.uid] = state
        values: dict[str, Any] = {"series": entry.uid, "slices": entry.slices}
        if entry.error:
            self.on_event("not added", {**values, "code": entry.error.code})
        elif entry.added:
            self.on_event("arrived", {**values, "number": entry.added.number, "outcome": entry.added.outcome})
        else:
            self.on_event("skipped", values)
        return entry

    def _unread(self) -> dict[Path, list[Path]]:
        """Return, by folder, the files that are not read yet or damaged: perhaps slices of a series beside them."""
        found: dict[Path, list[Path]] = defaultdict(list)
        for path, one in self._files.items():
            if not isinstance(one.header, SliceHeader) and one.header != NOT_DICOM:
                found[path.parent].append(path)
        return found


def watch_only(watcher: Watcher, minutes: float, job: Job) -> None:
    """Watch without contouring, until the job is cancelled or the minutes are over."""
    started = time.monotonic()
    while not job.is_cancelled and not (minutes and time.monotonic() - started > minutes * 60):
        watcher.turn()
        time.sleep(min(0.25, watcher.poll_s))


def _beside(paths: list[Path], unread: Mapping[Path, list[Path]]) -> list[Path]:
    return [path for folder in {path.parent for path in paths} for path in unread.get(folder, ())]


def _walk(folder: Path, faults: list[OSError]) -> Iterator[Path]:
    """Yield every file that may be complete; what disappears meanwhile is not a fault."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) or str(error.filename) == str(folder):
            faults.append(error)

    for name, subfolders, files in os.walk(folder, onerror=note):
        subfolders[:] = [one for one in subfolders if not one.startswith(".")]
        for file in files:
            if not file.startswith(".") and not file.lower().endswith(UNFINISHED):
                yield Path(name, file)


def _stated_count(path: Path) -> int | None:
    """Return Number of Series Related Instances (0020,1209); None where it is not stated."""
    try:
        dataset = read_dataset(path, specific_tags=[NUMBER_OF_INSTANCES], stop_before_pixels=True)
        value = int(str(dataset[NUMBER_OF_INSTANCES].value))
    except (AutoContourError, KeyError, ValueError, TypeError):
        return None
    return value if value > 0 else None
