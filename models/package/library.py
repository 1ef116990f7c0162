"""The model packages of this installation: those that came with the program and those a user installed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_data_path

from autocontour.base.errors import ModelError
from autocontour.models.package.members import read_members
from autocontour.models.package.package import ModelPackage, read_package, replace_folder, verify_package, write_members

BUNDLED = Path(__file__).resolve().parents[1] / "bundled"


def install_folder() -> Path:
    """Return the folder of the user's own packages."""
    return user_data_path("autocontour") / "models"


def package_folders() -> Iterator[tuple[Path, bool]]:
    """Yield every package's folder and whether it came with the program, sound or not."""
    for root, bundled in ((BUNDLED, True), (install_folder(), False)):
        if root.is_dir():
            for folder in sorted(root.iterdir()):
                if folder.is_dir() and not folder.name.startswith((".", "_")):
                    yield folder, bundled


def available_packages() -> list[ModelPackage]:
    """Return every sound package, the user's own first; damaged ones are left out (`models verify` names them)."""
    found = []
    for folder, bundled in package_folders():
        try:
            found.append(read_package(folder, bundled=bundled))
        except ModelError:
            continue
    return sorted(found, key=lambda package: (package.bundled, package.name))


def find_package(name: str) -> ModelPackage:
    """Return the package called `name`, or the one at that path; the user's own comes before a bundled one.

    Raises
    ------
    ModelError
        ``AC-MD-017`` if there is none, or what reading it raises.
    """
    for folder, bundled in sorted(package_folders(), key=lambda found: found[1]):
        if folder.name == name:
            return read_package(folder, bundled=bundled)
    for package in available_packages():
        if package.name == name:
            return package
    if Path(name).exists():
        return read_package(Path(name))
    raise ModelError("AC-MD-017", f"There is no model package {name!r}.", "See: autocontour models list.")


def install_package(path: Path, *, replace: bool = False) -> ModelPackage:
    """Verify the package at `path` and copy it into the user's folder, whole or not at all.

    Raises
    ------
    ModelError
        ``AC-MD-018`` if one of that name is installed and `replace` is not set, or what verifying raises.
    """
    package = read_package(path)
    verify_package(package)
    folder = install_folder() / _folder_name(package.name)
    if folder.exists() and not replace:
        raise ModelError("AC-MD-018", f"{package.name} is installed already.", "Use --replace to put it in its place.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".install-", dir=folder.parent))
    try:
        write_members(draft, read_members(path))
        installed = read_package(draft)
        if installed.checksum != package.checksum:
            raise ModelError("AC-MD-007", "The package changed while it was installed.", "Install it again.")
        replace_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_package(folder)


def remove_package(name: str) -> Path:
    """Remove the user's own package called `name` and return where it was.

    Raises
    ------
    ModelError
        ``AC-MD-019`` for one that came with the program, ``AC-MD-017`` if there is none.
    """
    own = [folder for folder, bundled in package_folders() if not bundled]
    for folder in own:
        if folder.name == _folder_name(name):
            shutil.rmtree(folder)
            return folder
    if any(package.name == name for package in available_packages()):
        raise ModelError("AC-MD-019", f"{name} came with the program and stays.", "Only installed ones are removed.")
    raise ModelError("AC-MD-017", f"There is no model package {name!r}.", "See: autocontour models list.")


def _folder_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip(".-_") or "package"
