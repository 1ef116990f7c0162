"""When a case was exported, stored in its folder without the name of the file, which may contain the patient's ID."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autocontour.base.errors import OutputError
from autocontour.base.files import write_atomically

FILE = "exported.json"


@dataclass(frozen=True, slots=True)
class Export:
    """The last export of a case.

    Attributes
    ----------
    sequence
        Of the last change that it contains.
    at
        When the file was written, in UTC.
    structures
        Number of structures written.
    is_approved
        Whether the file is APPROVED.
    """

    sequence: int
    at: datetime
    structures: int
    is_approved: bool


def note_export(folder: Path, sequence: int, structures: int, *, is_approved: bool) -> None:
    """Record that a case was exported; on a full disk it then counts as not exported."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"sequence": sequence, "at": at, "structures": structures, "is_approved": is_approved}
    with suppress(OutputError):
        write_atomically(folder / FILE, json.dumps(content).encode())


def read_export(folder: Path) -> Export | None:
    """Return the last export of the case in `folder`; None if there was none, or its record is damaged."""
    try:
        content = json.loads((folder / FILE).read_bytes())
        at = datetime.fromisoformat(content["at"])
        return Export(int(content["sequence"]), at, int(content["structures"]), bool(content["is_approved"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
