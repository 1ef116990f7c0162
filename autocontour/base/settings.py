"""Stored choices of the user, for the viewer and for scripts. They contain no patient's name."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from autocontour.base.errors import OutputError
from autocontour.base.files import read_file, write_atomically
from autocontour.base.folders import settings_folder

RECENT_KEPT = 8
Value = TypeVar("Value", bool, int, float, str, list[str])


class Settings:
    """Choices in a JSON file; missing, damaged or wrongly typed values count as not chosen.

    Parameters
    ----------
    path
        The file; the user's own by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_folder() / "settings.json"
        self._values: dict[str, object] = {}
        with suppress(OSError, ValueError):
            read = json.loads(read_file(self.path))
            self._values = read if isinstance(read, dict) else {}

    def value(self, name: str, default: Value) -> Value:
        """Return the stored choice, or `default`."""
        found = self._values.get(name, default)
        if isinstance(default, float):
            found = _finite(found)
        return found if type(found) is type(default) else default

    def set_value(self, name: str, value: bool | float | str | list[str]) -> None:
        """Set a choice; `save` writes it."""
        self._values[name] = value

    def save(self) -> None:
        """Write the file; if that fails, the file keeps the previous choices."""
        with suppress(OutputError):
            write_atomically(self.path, json.dumps(self._values, indent=1, ensure_ascii=False).encode())

    def _choose(self, name: str, value: str | list[str]) -> None:
        self.set_value(name, value)
        self.save()

    @property
    def reviewer(self) -> str:
        """Who approved last on this computer."""
        return self.value("reviewer", "")

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._choose("reviewer", name)

    @property
    def profile(self) -> str:
        """The export profile used last."""
        return self.value("profile", "generic")

    @profile.setter
    def profile(self, name: str) -> None:
        self._choose("profile", name)

    @property
    def template(self) -> str:
        """The site template used last."""
        return self.value("template", "")

    @template.setter
    def template(self, name: str) -> None:
        self._choose("template", name)

    @property
    def package(self) -> str:
        """The model package chosen last; empty for all suitable ones."""
        return self.value("package", "")

    @package.setter
    def package(self, name: str) -> None:
        self._choose("package", name)

    @property
    def recent(self) -> list[str]:
        """Folders opened last that still exist, newest first."""
        return [folder for folder in self.value("recent", []) if _is_folder(folder)]

    @property
    def recent_moved(self) -> list[str]:
        """Folders and files opened last that are no longer there, newest first."""
        return [path for path in self.value("recent", []) if not _exists(path)]

    def remember(self, folder: Path) -> None:
        """Put `folder` first among the recent ones."""
        path = str(folder.resolve())
        known = [str(old) for old in self.value("recent", [])]
        self._choose("recent", [path, *(old for old in known if old != path)][:RECENT_KEPT])


def _finite(found: object) -> float | None:
    """Return a stored number; None for what is not a number, NaN, or infinite."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:  # an integer of more than 308 digits
        return None


def _exists(path: object) -> bool:
    try:
        return Path(str(path)).exists()
    except OSError:
        return False


def _is_folder(path: object) -> bool:
    try:
        return Path(str(path)).is_dir()
    except OSError:
        return False
