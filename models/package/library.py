"""The model packages of this installation: bundled and installed ones."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from autocontour.base.errors import ModelError
from autocontour.base.files import shown_path, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.limits import shown
from autocontour.models.package.members import open_members
from autocontour.models.package.package import ModelPackage, read_package, replace_folder, verify_package, write_members

BUNDLED = Path(__file__).resolve().parents[1] / "bundled"
REPLACED = "replaced.json"
LONGEST_FOLDER_NAME = 60


@dataclass(frozen=True)
class Entry:
    """A package's folder and its content.

    Attributes
    ----------
    folder
        Its path.
    bundled
        Whether it is part of the program.
    package
        The package; None if it is damaged.
    error
        Why it is damaged.
    rival
        Folder of the package of the same name that is used instead; None if this one is used.
    """

    folder: Path
    bundled: bool
    package: ModelPackage | None = None
    error: ModelError | None = None
    rival: Path | None = None

    @property
    def name(self) -> str:
        """The package's name, or the folder's if the package is damaged."""
        return self.package.name if self.package else self.folder.name


def install_folder() -> Path:
    """Return the folder of installed packages."""
    return user_data_path("autocontour") / "models"


def read_library() -> list[Entry]:
    """Return every package of this installation, also damaged ones; bundled ones first.

    Of several packages with the same name one is used: the bundled one, unless the user decided to replace exactly this
    one (`place_package`); among installed ones the first by its folder's name. An update of the program with another
    package of that name ends the replacement.
    """
    bundled = [_read_entry(folder, bundled=True) for folder in _folders(BUNDLED)]
    own = [_read_entry(folder, bundled=False) for folder in _folders(install_folder())]
    used: dict[str, Path] = {}
    for entry in _by_precedence(bundled, own):
        used.setdefault(_key(entry.name), entry.folder)
    return [_with_rival(entry, used[_key(entry.name)]) for entry in (*bundled, *own)]


def available_packages() -> list[ModelPackage]:
    """Return every package that is used, in the order in which they are tried for a structure.

    Installed packages of this program's training, then the bundled ones, then published networks, those with the finer
    grid first; equal ones by their names.
    """
    found = [entry.package for entry in read_library() if entry.package and entry.rival is None]
    return sorted(found, key=_rank)


def _rank(package: ModelPackage) -> tuple[bool, bool, float, str]:
    voxel = math.prod(package.stages["segmenter"].spacing_zyx_mm) if package.procedure else 0.0
    return package.procedure is not None, package.bundled, voxel, package.name


def check_library() -> tuple[Finding, ...]:
    """Return findings about packages that are not used.

    Returns
    -------
    tuple[Finding, ...]
        ``AC-MD-120`` for every damaged package; ``AC-MD-121`` if the folder of installed packages may not be read;
        ``AC-MD-122`` for every installed one if another of the same name is used instead.
    """
    findings = []
    for entry in read_library():
        name = shown(entry.folder.name)
        if entry.error is not None and entry.rival is None:
            findings.append(Finding.of("AC-MD-120", package=name, reason=entry.error.code))
        elif entry.rival is not None and not entry.bundled:
            findings.append(Finding.of("AC-MD-122", package=name))
    try:
        list(install_folder().iterdir())
    except FileNotFoundError:
        pass
    except OSError as error:
        findings.append(Finding.of("AC-MD-121", reason=error.strerror or type(error).__name__))
    return tuple(findings)


def is_about_package(error: ModelError) -> bool:
    """Return whether an error is a fault of the package, not of the scan or machine."""
    return error.code < "AC-MD-030" or error.code in ("AC-MD-037", "AC-MD-064", "AC-MD-080")


def find_package(name: str) -> ModelPackage:
    """Return the package called `name` that is used, or the one at that path.

    Raises
    ------
    ModelError
        ``AC-MD-017`` if there is none, or the errors of reading it.
    """
    entries = [entry for entry in read_library() if entry.rival is None]
    for entry in sorted(entries, key=lambda one: one.package is None):
        if name in (entry.name, entry.folder.name):
            if entry.package is None:
                return read_package(entry.folder, bundled=entry.bundled)  # raises
            return entry.package
    if _exists(Path(name)):
        return read_package(Path(name))
    raise ModelError("AC-MD-017", package=shown(name))


def place_package(path: Path, *, replace: bool = False) -> ModelPackage:
    """Verify the package at `path` and copy it into the user's folder atomically.

    It is not recorded: see `autocontour.models.package.history.install_package`.

    Parameters
    ----------
    path
        The package's folder or zip.
    replace
        Whether an installed package of the same name is replaced, and a bundled one is no longer used.

    Raises
    ------
    ModelError
        ``AC-MD-018`` if one of that name is installed, ``AC-MD-028`` if one is bundled, each unless `replace` is set;
        ``AC-MD-080`` for a published network whose sides were not checked; or the errors of verification.
    """
    package = read_package(path)
    verify_package(package)
    if package.procedure is not None and package.sides is None:
        raise ModelError("AC-MD-080", package=shown_path(path))
    folder = install_folder() / folder_name(package.name)
    rival = _bundled_rival(package.name)
    if not replace and rival is not None:
        raise ModelError("AC-MD-028", package=package.name, version=rival.package.version if rival.package else "–")
    if not replace and folder.exists():
        raise ModelError("AC-MD-018", package=package.name)
    with _file_errors(package.name):
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".install-", dir=folder.parent))
        try:
            with open_members(path) as members:
                write_members(draft, ((name, members.read(name)) for name in members.sizes))
            if read_package(draft).checksum != package.checksum:
                raise ModelError("AC-MD-029", package=package.name)
            replace_folder(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        decided = _read_replaced()
        decided.pop(folder.name, None)
        if rival is not None:
            bundled = rival.package.checksum if rival.package else ""
            decided[folder.name] = {"package": package.checksum, "bundled": bundled}
        _write_replaced(decided)
    return read_package(folder)


def used_entry(name: str) -> Entry | None:
    """Return the package in use called `name`, or by a name that counts as the same; None if there is none."""
    used = [entry for entry in read_library() if entry.rival is None]
    exact = [entry for entry in used if name in (entry.name, entry.folder.name)]
    return next((entry for entry in (*exact, *used) if entry in exact or _key(entry.name) == _key(name)), None)


def installed_entry(name: str) -> Entry | None:
    """Return the installed package that `drop_package` would remove; None if there is none."""
    own = (entry for entry in read_library() if not entry.bundled and name in (entry.name, entry.folder.name))
    return next(own, None)


def same_name(one: str, other: str) -> bool:
    """Return whether two names of packages count as the same."""
    return _key(one) == _key(other)


def keep_decision(before: ModelPackage, changed: ModelPackage) -> None:
    """Let the decision that an installed package replaces a bundled one hold for it with changed metadata.

    Without it, writing figures into such a package would bring the bundled one back into use.
    """
    decided = _read_replaced()
    folder = before.path.name
    if not before.bundled and decided.get(folder, {}).get("package") == before.checksum:
        decided[folder] = {**decided[folder], "package": changed.checksum}
    bundled = {key: one for key, one in decided.items() if before.bundled and one.get("bundled") == before.checksum}
    decided |= {key: {**one, "bundled": changed.checksum} for key, one in bundled.items()}
    if decided:
        _write_replaced(decided)


def drop_package(name: str) -> Path:
    """Remove the installed package called `name` and return its folder.

    It is not recorded: see `autocontour.models.package.history.remove_package`.

    Raises
    ------
    ModelError
        ``AC-MD-019`` for a bundled one, ``AC-MD-017`` if there is none.
    """
    entries = read_library()
    own = installed_entry(name)
    if own is not None:
        folder = own.folder
        with _file_errors(name):
            shutil.rmtree(folder)
            _write_replaced({key: value for key, value in _read_replaced().items() if key != folder.name})
        return folder
    if any(name in (entry.name, entry.folder.name) for entry in entries):
        raise ModelError("AC-MD-019", package=name)
    raise ModelError("AC-MD-017", package=shown(name))


def folder_name(name: str) -> str:
    """Return the name of the folder that a package called `name` is installed in."""
    letters = (letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    return "".join(letters)[:LONGEST_FOLDER_NAME].strip(".-_") or "package"


def _folders(root: Path) -> list[Path]:
    """Return the folders of packages under `root`; none if it does not exist or may not be read (`check_library`)."""
    with suppress(OSError):
        return [path for path in sorted(root.iterdir()) if not path.name.startswith((".", "_")) and _is_folder(path)]
    return []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return True  # the error is reported when it is read


def _read_entry(folder: Path, *, bundled: bool) -> Entry:
    try:
        return Entry(folder, bundled, read_package(folder, bundled=bundled))
    except ModelError as error:
        return Entry(folder, bundled, error=error)


def _by_precedence(bundled: list[Entry], own: list[Entry]) -> Iterator[Entry]:
    decided = _read_replaced()
    sums = {_key(entry.name): entry.package.checksum if entry.package else None for entry in bundled}
    for entry in own:
        decision = decided.get(entry.folder.name)
        if decision is not None and _still_holds(decision, entry, sums.get(_key(entry.name))):
            yield entry
    yield from bundled
    yield from (entry for entry in own if entry.package)
    yield from own


def _still_holds(decision: dict[str, str], entry: Entry, bundled: str | None) -> bool:
    """Return whether the user's decision was about these two packages; a damaged one counts as unchanged."""
    replaced = bundled is None or decision.get("bundled") == bundled
    return replaced and (entry.package is None or decision.get("package") == entry.package.checksum)


def _with_rival(entry: Entry, used: Path) -> Entry:
    rival = None if entry.folder == used else used
    return Entry(entry.folder, entry.bundled, entry.package, entry.error, rival)


def _key(name: str) -> str:
    """Return the common form of names that look equal or are the same on a disk."""
    return folder_name(unicodedata.normalize("NFKC", name)).casefold()


def _bundled_rival(name: str) -> Entry | None:
    return next((entry for entry in read_library() if entry.bundled and _key(entry.name) == _key(name)), None)


def _read_replaced() -> dict[str, dict[str, str]]:
    """Return the installed packages that replace a bundled one: folder → checksums of both."""
    try:
        content = json.loads((install_folder() / REPLACED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    plain = content if isinstance(content, dict) else {}
    return {folder: decision for folder, decision in plain.items() if isinstance(decision, dict)}


def _write_replaced(decided: dict[str, dict[str, str]]) -> None:
    path = install_folder() / REPLACED
    if decided:
        write_atomically(path, json.dumps(decided, indent=1).encode())
    else:
        path.unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


@contextmanager
def _file_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError("AC-MD-027", name=shown(name), reason=error.strerror or type(error).__name__) from error
