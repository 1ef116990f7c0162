"""Which version of a package was in use when, and the versions that were replaced.

Beside the installed packages lies ``history.jsonl``: one line for each change, each with the checksum of the line
before it, so that a changed or removed line is noticed. The versions that were replaced are kept in
``.versions/PACKAGE/CHECKSUM`` and can be used again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.models.package.library import find_package, folder_name, install_folder, install_package
from autocontour.models.package.members import open_members
from autocontour.models.package.package import ModelPackage, read_package, verify_package, write_members

HISTORY = "history.jsonl"
VERSIONS = ".versions"
FIRST = "0" * 64


@dataclass(frozen=True)
class Change:
    """One line of the history.

    Attributes
    ----------
    time
        ISO 8601, UTC.
    action
        ``promoted`` or ``rolled back``.
    package, version, checksum
        The package in use from then on.
    replaced
        Version and checksum of the one in use before.
    record
        Seal of the gate's record; empty for a return to an earlier version.
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


def promote_package(path: Path, *, record: str, reason: str = "", by: str = "") -> ModelPackage:
    """Install a package in the place of the one of the same name in use, which is kept.

    Parameters
    ----------
    path
        Folder or zip of the candidate.
    record
        Seal of the gate's record.
    reason, by
        Of a decision to use it although the gate was not passed.

    Raises
    ------
    ModelError
        ``AC-MD-017`` if no package of that name is in use, ``AC-MD-062`` if the candidate is the one in use,
        ``AC-MD-060`` if the history was changed, or the errors of verification and installation.
    """
    candidate = read_package(path)
    verify_package(candidate)
    before = find_package(candidate.name)
    if before.checksum == candidate.checksum:
        raise ModelError("AC-MD-062", package=f"{candidate.name} {candidate.version}")
    return _replace(candidate, before, "promoted", record=record, reason=reason, by=by)


def rollback_package(name: str, version: str = "", *, reason: str, by: str) -> ModelPackage:
    """Use a version again that was in use before: the one replaced last, or the last with that version.

    Raises
    ------
    ModelError
        ``AC-MD-061`` if no such version is kept, ``AC-MD-060`` if the history was changed.
    """
    current = find_package(name)
    for change in reversed(read_history(current.name)):
        kept = _kept(current.name, change.replaced.get("checksum", ""))
        wanted = version in ("", change.replaced.get("version"))
        if wanted and change.replaced.get("checksum") != current.checksum and kept.is_dir():
            return _replace(read_package(kept), current, "rolled back", reason=reason, by=by)
    raise ModelError("AC-MD-061", package=current.name, version=version or "–")


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


def _replace(candidate: ModelPackage, before: ModelPackage, action: str, **why: str) -> ModelPackage:
    read_history()  # nothing is changed if the history is damaged
    _keep(before)
    _keep(candidate)
    installed = install_package(_kept(candidate.name, candidate.checksum), replace=True)
    replaced = {"version": before.version, "checksum": before.checksum}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    _append(Change(now, action, installed.name, installed.version, installed.checksum, replaced, **why))
    return installed


def _keep(package: ModelPackage) -> None:
    """Copy a package to the versions that are kept; the copy appears complete or not at all."""
    place = _kept(package.name, package.checksum)
    if place.is_dir():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".keep-", dir=place.parent))
    try:
        with open_members(package.path) as members:
            write_members(draft, ((name, members.read(name)) for name in members.sizes))
        if read_package(draft).checksum != package.checksum:
            raise ModelError("AC-MD-029", package=package.name)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _kept(name: str, checksum: str) -> Path:
    return install_folder() / VERSIONS / folder_name(name) / (checksum or "none")


def _lines() -> list[str]:
    try:
        text = (install_folder() / HISTORY).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("AC-MD-060", line=0) from error
    return text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]


def _append(change: Change) -> None:
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


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
