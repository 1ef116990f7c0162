"""Cases that were open when the program was killed, found at the next start by a marker file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autocontour.base.errors import CaseError
from autocontour.base.files import write_atomically
from autocontour.case.journal import read_journal
from autocontour.case.lock import CaseLock
from autocontour.case.records import unpack
from autocontour.case.snapshots import peek_newest

MARK = "open.json"


@dataclass(frozen=True)
class ScanFacts:
    """Description of a scan for the user, without patient data.

    Attributes
    ----------
    source
        The folder or file it was opened from.
    series_instance_uid
        The series in the folder.
    date, series
        As displayed.
    """

    source: Path
    series_instance_uid: str = ""
    date: str = ""
    series: str = ""


@dataclass(frozen=True)
class LeftCase:
    """A case whose program was killed.

    Attributes
    ----------
    folder
        Folder of the case.
    structures
        Number of structures.
    changes
        Number of changes made by the killed program.
    changed_at
        When the last one was written, in UTC.
    is_moved
        Whether its scan is no longer where it was.
    """

    folder: Path
    scan: ScanFacts
    structures: int
    changes: int
    changed_at: datetime
    is_moved: bool = False


def mark_open(folder: Path, scan: ScanFacts, sequence: int) -> None:
    """Write the marker file of an open case, at step `sequence`."""
    mark = {**{name: str(value) for name, value in vars(scan).items()}, "sequence": sequence}
    write_atomically(folder / MARK, json.dumps(mark).encode())


def clear_mark(folder: Path) -> None:
    """Remove the marker file: the case was closed, or the user declined to recover it."""
    (folder / MARK).unlink(missing_ok=True)


def left_cases(root: Path) -> list[LeftCase]:
    """Return the cases below `root` that were changed by a killed program, the latest first."""
    found = (_left_case(mark.parent) for mark in root.glob(f"*/{MARK}"))
    return sorted((case for case in found if case), key=lambda case: case.changed_at, reverse=True)


def _left_case(folder: Path) -> LeftCase | None:
    try:
        mark = json.loads((folder / MARK).read_bytes())
        begun = int(mark.pop("sequence"))
        scan = ScanFacts(Path(mark.pop("source")), **mark)
        CaseLock(folder).release()
        return _counted(folder, scan, begun)
    except (CaseError, OSError, ValueError, KeyError, TypeError):
        return None  # open in another window, or a truncated marker file: nothing to offer


def _counted(folder: Path, scan: ScanFacts, begun: int) -> LeftCase | None:
    sequence, offset, listed = peek_newest(folder)
    numbers = set(listed)
    journal = folder / "journal.bin"
    for record in read_journal(journal, offset, sequence):
        _follow(numbers, unpack(record.payload)["edit"])
        sequence = record.sequence
    if sequence <= begun:
        return None
    changed_at = datetime.fromtimestamp(journal.stat().st_mtime, UTC)
    return LeftCase(folder, scan, len(numbers), sequence - begun, changed_at, not scan.source.exists())


def _follow(numbers: set[int], edit: Mapping[str, Any]) -> None:
    numbers -= set(edit["removed"])
    numbers |= {int(item["number"]) for item in edit["added"]}
