"""The file of the history: one line for each change of which package is in use.

Beside the installed packages lies ``history.jsonl``; each line has the checksum of the line before it, so that a
changed or removed line is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.lock import lock_handle
from autocontour.models.package.library import install_folder

HISTORY = "history.jsonl"
LOCK = ".history.lock"
FIRST = "0" * 64
MOST_WAITING_S = 30.0


@dataclass(frozen=True)
class Change:
    """One line of the history.

    Attributes
    ----------
    time
        ISO 8601, UTC.
    action
        ``installed``, ``promoted``, ``rolled back``, ``changed`` (its metadata), ``removed`` or ``accepted`` (a change
        that was made outside the program).
    package, version, checksum
        The package in use from then on; version and checksum are empty if there is none.
    replaced
        Version and checksum of the one in use before; empty if there was none.
    record
        Seal of the gate's record; empty where the gate was not asked.
    reason, by
        Why, and who decided: required where the gate was not passed, and for a return.
    """

    time: str
    action: str
    package: str
    version: str
    checksum: str
    replaced: Mapping[str, str]
    record: str = ""
    reason: str = ""
    by: str = ""


def read_history(name: str = "") -> list[Change]:
    """Return the changes of a package, or of all, oldest first.

    Raises
    ------
    ModelError
        ``AC-MD-060`` if a line was changed, removed or cannot be read. A last line that a power failure cut off is
        not an error: its change did not take place.
    """
    changes, before = [], FIRST
    for number, line in enumerate(_lines(), 1):
        try:
            content = json.loads(line)
            chained = content.pop("before") == before
            change = Change(**content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError("AC-MD-060", line=number) from error
        if not chained:
            raise ModelError("AC-MD-060", line=number)
        before = _digest(line)
        changes.append(change)
    return [change for change in changes if name in ("", change.package)]


def append_change(change: Change) -> None:
    """Add a line and flush it to the disk."""
    path = install_folder() / HISTORY
    lines = _lines()
    content: dict[str, Any] = {**change.__dict__, "before": _digest(lines[-1]) if lines else FIRST}
    added = json.dumps(content, ensure_ascii=True) + "\n"
    with path.open("r+" if path.exists() else "x", encoding="utf-8", newline="\n") as file:
        file.seek(sum(len(line) + 1 for line in lines))  # over a line that a power failure cut off
        file.write(added)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def changing_packages() -> Iterator[None]:
    """Hold the lock of the installed packages, so that two programs do not change them at the same time.

    Raises
    ------
    ModelError
        ``AC-MD-066`` if another program holds it for longer than `MOST_WAITING_S`, ``AC-MD-060`` if the history was
        changed: nothing is changed then, ``AC-MD-027`` if the folder cannot be written.
    """
    folder = install_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ModelError("AC-MD-027", name=folder.name, reason=error.strerror or type(error).__name__) from error
    try:
        _wait_for(handle)
        read_history()
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int) -> None:
    end = time.monotonic() + MOST_WAITING_S
    while True:
        try:
            lock_handle(handle)
        except OSError as error:
            if time.monotonic() >= end:
                raise ModelError("AC-MD-066") from error
            time.sleep(0.05)
        else:
            return


def _lines() -> list[str]:
    path: Path = install_folder() / HISTORY
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("AC-MD-060", line=0) from error
    return text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
