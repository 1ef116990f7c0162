"""Every change of which package is in use: recorded in the history, and the replaced version is kept.

The versions that were replaced are kept in ``.versions/PACKAGE/CHECKSUM`` beside the installed packages and can be
used again. A change that was made in any other way (a folder copied by hand, an update of the program, a lost
history) is found by `check_history`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.findings import Finding
from autocontour.base.limits import shown
from autocontour.models.package.library import (
    Entry,
    drop_package,
    folder_name,
    install_folder,
    installed_entry,
    keep_decision,
    place_package,
    read_library,
    same_name,
    used_entry,
)
from autocontour.models.package.members import open_members
from autocontour.models.package.package import (
    ModelPackage,
    read_package,
    rewrite_metadata,
    verify_package,
    write_members,
)
from autocontour.models.package.records import HISTORY, Change, append_change, changing_packages, read_history

__all__ = [
    "HISTORY",
    "Change",
    "accept_package",
    "check_history",
    "damaged_copies",
    "install_package",
    "promote_package",
    "read_history",
    "remove_package",
    "rewrite_and_record",
    "rollback_package",
]

VERSIONS, DAMAGED = ".versions", "damaged-"


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
    with changing_packages():
        before = _package_of(used_entry(candidate.name), candidate.name)
        if before.checksum == candidate.checksum:
            raise ModelError("AC-MD-062", package=f"{candidate.name} {candidate.version}")
        return _replace(candidate, before, "promoted", record=record, reason=reason, by=by)


def rollback_package(name: str, version: str = "", *, reason: str, by: str) -> ModelPackage:
    """Use a version again that was in use before.

    Without `version` it is the one that the history states, if another is in use (its files were changed outside the
    program); else the one that was replaced last.

    Raises
    ------
    ModelError
        ``AC-MD-017`` if no package of that name is or was in use, ``AC-MD-061`` if no such version is kept,
        ``AC-MD-060`` if the history was changed, ``AC-MD-067`` without reason or name.
    """
    _require(reason, by)
    with changing_packages():
        entry = used_entry(name)
        current = entry.package if entry else None
        changes = [one for one in read_history() if same_name(one.package, entry.name if entry else name)]
        if entry is None and not changes:
            raise ModelError("AC-MD-017", package=shown(name))
        title = changes[-1].package if changes else name
        stated = [(one.package, {"version": one.version, "checksum": one.checksum}) for one in changes[-1:]]
        replaced = [(one.package, one.replaced) for one in reversed(changes)]
        for package, which in (*stated, *replaced):
            kept = _kept(package, which.get("checksum", ""))
            wanted = version in ("", which.get("version"))
            is_another = current is None or which.get("checksum") != current.checksum
            if wanted and is_another and kept.is_dir():
                return _replace(read_package(kept), current, "rolled back", reason=reason, by=by)
        raise ModelError("AC-MD-061", package=title, version=version or "–")


def install_package(path: Path, *, replace: bool = False, reason: str = "", by: str = "") -> ModelPackage:
    """Install a package and record it; a package that it replaces is kept.

    Parameters
    ----------
    path
        Folder or zip.
    replace
        As of `autocontour.models.package.library.place_package`.
    reason, by
        Why, and who decided; required if a package that was retrained replaces the one in use, which is the gate's to
        decide (`promote_package`).

    Returns
    -------
    ModelPackage
        The installed package; the last line of the history states what it replaced.

    Raises
    ------
    ModelError
        ``AC-MD-065`` for a retrained package without reason and name, ``AC-MD-060`` if the history was changed, or the
        errors of `autocontour.models.package.library.place_package`.
    """
    candidate = read_package(path)
    verify_package(candidate)
    with changing_packages():
        entry = used_entry(candidate.name)
        before = entry.package if entry else None
        if replace and before is not None and not before.bundled and before.checksum == candidate.checksum:
            return before  # nothing changes
        if entry is not None and replace and is_retrained(candidate) and not (reason and by):
            raise ModelError("AC-MD-065", package=f"{candidate.name} {candidate.version}")
        if before is not None and replace:
            _keep(before)
        if replace and (own := installed_entry(candidate.name)) is not None:
            _keep_damaged(own)
        installed = place_package(path, replace=replace)
        if installed.checksum != candidate.checksum:
            raise ModelError("AC-MD-029", package=candidate.name)
        replaced = _stated(before) if entry is not None else {}
        _record("installed", installed.name, installed, replaced, reason=reason, by=by)
        return installed


def remove_package(name: str, *, reason: str = "", by: str = "") -> ModelPackage | None:
    """Remove an installed package, which is kept among the versions, and return the one in use from then on.

    The files of a damaged one are kept beside the versions (`damaged_copies`).

    Raises
    ------
    ModelError
        ``AC-MD-060`` if the history was changed, or the errors of `autocontour.models.package.library.drop_package`.
    """
    with changing_packages():
        entry = installed_entry(name)
        was_used = entry is not None and entry.rival is None
        if entry is not None and entry.package is not None:
            _keep(entry.package)
        if entry is not None:
            _keep_damaged(entry)
        drop_package(name)
        if entry is None or not was_used:
            return None
        after = used_entry(entry.name)
        in_use = after.package if after else None
        _record("removed", entry.name, in_use, _stated(entry.package), reason=reason, by=by)
        return in_use


def rewrite_and_record(package: ModelPackage, metadata: Mapping[str, Any], reason: str) -> ModelPackage:
    """Replace the metadata of a package; if it is one of this installation, keep its former version and record it.

    Raises
    ------
    ModelError
        As `autocontour.models.package.package.rewrite_metadata`; ``AC-MD-060`` if the history was changed.
    """
    entry = next((one for one in read_library() if one.folder.resolve() == package.path.resolve()), None)
    if entry is None or entry.package is None:
        return rewrite_metadata(package, metadata)
    with changing_packages():
        _keep(entry.package)
        changed = rewrite_metadata(entry.package, metadata)
        keep_decision(entry.package, changed)
        if entry.rival is None:
            _record("changed", changed.name, changed, _stated(entry.package), reason=reason)
        return changed


def accept_package(name: str, *, reason: str, by: str) -> ModelPackage:
    """Record the package in use as it is, after a change that was made outside the program.

    Raises
    ------
    ModelError
        ``AC-MD-017`` if there is no package of that name, ``AC-MD-062`` if it is the one that the history states, or
        the errors of reading it; ``AC-MD-067`` without reason or name.
    """
    _require(reason, by)
    with changing_packages():
        package = _package_of(used_entry(name), name)
        last = _last_changes().get(folder_name(package.name).casefold())
        if last is not None and last.checksum == package.checksum:
            raise ModelError("AC-MD-062", package=f"{package.name} {package.version}")
        _keep(package)
        replaced = {"version": last.version, "checksum": last.checksum} if last else {}
        _record("accepted", package.name, package, replaced, reason=reason, by=by)
        return package


def check_history(packages: Sequence[ModelPackage]) -> tuple[Finding, ...]:
    """Compare packages of this installation with the history.

    A bundled package counts once the history has a line about its name; before that, it is the program's own.

    Parameters
    ----------
    packages
        Packages in use; those at other places are left out.

    Returns
    -------
    tuple[Finding, ...]
        ``AC-MD-123`` for a package that the history does not know, ``AC-MD-124`` for another than it states,
        ``AC-MD-125`` if the history was changed or is damaged.
    """
    try:
        last = _last_changes()
    except ModelError as error:
        return (Finding.of("AC-MD-125", reason=error.code),)
    return tuple(finding for package in packages if _is_of_library(package) for finding in _compare(package, last))


def is_retrained(package: ModelPackage) -> bool:
    """Return whether a package was made from others: retrained, distilled, pruned, joined, with a clinic's habits."""
    training = package.metadata.get("training")
    made = isinstance(training, dict) and any(training.get(how) for how in ("retrained", "distilled", "ensemble"))
    return made or any(structure.habit for structure in package.structures.values())


def _require(reason: str, by: str) -> None:
    if not (reason and by):
        raise ModelError("AC-MD-067")


def _compare(package: ModelPackage, last: Mapping[str, Change]) -> Iterator[Finding]:
    change = last.get(folder_name(package.name).casefold())
    title = f"{package.name} {package.version}"
    if change is None and not package.bundled:
        yield Finding.of("AC-MD-123", package=title)
    elif change is not None and change.checksum != package.checksum:
        yield Finding.of("AC-MD-124", package=title, stated=change.version or "–", day=change.time[:10])


def _is_of_library(package: ModelPackage) -> bool:
    with suppress(OSError):
        return package.bundled or package.path.resolve().parent == install_folder().resolve()
    return False


def _last_changes() -> dict[str, Change]:
    """Return the last change of each package, by the folder's name in small letters."""
    return {folder_name(change.package).casefold(): change for change in read_history()}


def _package_of(entry: Entry | None, name: str) -> ModelPackage:
    if entry is None:
        raise ModelError("AC-MD-017", package=shown(name))
    return entry.package or read_package(entry.folder, bundled=entry.bundled)  # raises


def _replace(candidate: ModelPackage, before: ModelPackage | None, action: str, **why: str) -> ModelPackage:
    if before is not None:
        _keep(before)
    _keep(candidate)
    installed = place_package(_kept(candidate.name, candidate.checksum), replace=True)
    _record(action, installed.name, installed, _stated(before) if before else {}, **why)
    return installed


def _record(action: str, name: str, in_use: ModelPackage | None, replaced: Mapping[str, str], **why: str) -> None:
    version, checksum = (in_use.version, in_use.checksum) if in_use else ("", "")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    append_change(Change(now, action, name, version, checksum, replaced, **why))


def _stated(package: ModelPackage | None) -> dict[str, str]:
    """Return version and checksum for the history; empty texts for a damaged package."""
    return {"version": package.version, "checksum": package.checksum} if package else {"version": "", "checksum": ""}


def _keep(package: ModelPackage) -> None:
    """Copy a package to the versions that are kept; the copy appears complete or not at all."""
    place = _kept(package.name, package.checksum)
    if place.is_dir():
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".keep-", dir=place.parent))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError("AC-MD-027", name=shown(package.name), reason=reason) from error
    try:
        with open_members(package.path) as members:
            write_members(draft, ((name, members.read(name)) for name in members.sizes))
        if read_package(draft).checksum != package.checksum:
            raise ModelError("AC-MD-029", package=package.name)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def damaged_copies(name: str) -> list[Path]:
    """Return the folders with the files of damaged packages of that name removed or replaced, oldest first."""
    with suppress(OSError):
        return sorted((install_folder() / VERSIONS / folder_name(name)).glob(f"{DAMAGED}*"))
    return []


def _keep_damaged(entry: Entry) -> None:
    """Copy the files of a package that cannot be read as they are: its weights may be the only ones."""
    if entry.package is not None:
        return
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    try:
        shutil.copytree(entry.folder, _kept(entry.name, f"{DAMAGED}{now}"), symlinks=True)
    except OSError as error:  # shutil.Error is one
        reason = error.strerror or type(error).__name__
        raise ModelError("AC-MD-027", name=shown(entry.name), reason=reason) from error


def _kept(name: str, checksum: str) -> Path:
    return install_folder() / VERSIONS / folder_name(name) / (checksum or "none")
