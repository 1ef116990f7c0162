"""What the program remembers: theme, language, sizes, recent cases. No patient's name is among it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from autocontour.base import folders

RECENT_KEPT = 8


class ViewerSettings:
    """Typed access to the settings file."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or folders.settings_folder() / "viewer.ini"
        self._store = QSettings(str(path), QSettings.Format.IniFormat)

    @property
    def theme(self) -> str:
        """Name of the theme."""
        return str(self._store.value("theme", "dark"))

    @theme.setter
    def theme(self, name: str) -> None:
        self._store.setValue("theme", name)

    @property
    def language(self) -> str:
        """Code of the language chosen; empty for the system's."""
        return str(self._store.value("language", ""))

    @language.setter
    def language(self, code: str) -> None:
        self._store.setValue("language", code)

    @property
    def reviewer(self) -> str:
        """Who approved last on this computer."""
        return str(self._store.value("reviewer", ""))

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._store.setValue("reviewer", name)

    @property
    def profile(self) -> str:
        """The export profile used last."""
        return str(self._store.value("profile", "generic"))

    @profile.setter
    def profile(self, name: str) -> None:
        self._store.setValue("profile", name)

    @property
    def template(self) -> str:
        """The site template used last."""
        return str(self._store.value("template", ""))

    @template.setter
    def template(self, name: str) -> None:
        self._store.setValue("template", name)

    @property
    def package(self) -> str:
        """The model package chosen last; empty for every one that fits."""
        return str(self._store.value("package", ""))

    @package.setter
    def package(self, name: str) -> None:
        self._store.setValue("package", name)

    @property
    def geometry(self) -> QByteArray:
        """Where the window was."""
        value = self._store.value("geometry", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._store.setValue("geometry", value)

    @property
    def recent(self) -> list[str]:
        """Folders opened last, newest first."""
        value = self._store.value("recent", [])
        folders = [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
        return [str(folder) for folder in folders if Path(str(folder)).is_dir()]

    def remember(self, folder: Path) -> None:
        """Put `folder` first among the recent ones."""
        path = str(folder.resolve())
        self._store.setValue("recent", [path, *(old for old in self.recent if old != path)][:RECENT_KEPT])

    def radius(self, tool: str, default: float) -> float:
        """Return the size of a tool as it was left, in mm."""
        return float(str(self._store.value(f"radius/{tool}", default)))

    def set_radius(self, tool: str, radius_mm: float) -> None:
        """Remember the size of a tool."""
        self._store.setValue(f"radius/{tool}", radius_mm)

    def sync(self) -> None:
        """Write it."""
        self._store.sync()
