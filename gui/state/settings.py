"""What the viewer remembers beside the choices that a script shares: theme, language, sizes, where the window was."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from autocontour.base.folders import settings_folder
from autocontour.base.settings import Settings


class ViewerSettings(Settings):
    """Typed access to the settings file."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path)
        if path is None and not self.path.exists():
            self._take_over(settings_folder() / "viewer.ini")

    @property
    def theme(self) -> str:
        """Name of the theme."""
        return self.value("theme", "dark")

    @theme.setter
    def theme(self, name: str) -> None:
        self._choose("theme", name)

    @property
    def language(self) -> str:
        """Code of the language chosen; empty for the system's."""
        return self.value("language", "")

    @language.setter
    def language(self, code: str) -> None:
        self._choose("language", code)

    @property
    def renderer(self) -> str:
        """What draws the slices: ``auto``, ``qt`` or ``vtk``."""
        return self.value("renderer", "auto")

    @renderer.setter
    def renderer(self, name: str) -> None:
        self._choose("renderer", name)

    @property
    def follow_mode(self) -> str:
        """When corrected slices are followed: a key of `autocontour.gui.state.following.MODES`."""
        return self.value("follow_mode", "on-demand")

    @follow_mode.setter
    def follow_mode(self, mode: str) -> None:
        self._choose("follow_mode", mode)

    @property
    def by_need(self) -> bool:
        """Whether the list of structures is sorted by need for review."""
        return self.value("by_need", False)

    @by_need.setter
    def by_need(self, chosen: bool) -> None:
        self.set_value("by_need", chosen)
        self.save()

    @property
    def geometry(self) -> QByteArray:
        """Where the window was."""
        return QByteArray.fromBase64(self.value("geometry", "").encode())

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self.set_value("geometry", bytes(value.toBase64().data()).decode())

    @property
    def detached(self) -> list[str]:
        """Names of the views that had windows of their own."""
        return self.value("detached", [])

    def detached_geometry(self, name: str) -> QByteArray:
        """Where the window of a view was."""
        return QByteArray.fromBase64(self.value(f"detached/{name}", "").encode())

    def set_detached(self, geometries: Mapping[str, QByteArray]) -> None:
        """Remember, until `save`, which views have windows of their own and where."""
        self.set_value("detached", list(geometries))
        for name, geometry in geometries.items():
            self.set_value(f"detached/{name}", bytes(geometry.toBase64().data()).decode())

    def radius(self, tool: str, default: float) -> float:
        """Return the size of a tool as it was left, in mm."""
        return self.value(f"radius/{tool}", default)

    def set_radius(self, tool: str, radius_mm: float) -> None:
        """Remember the size of a tool until `save`."""
        self.set_value(f"radius/{tool}", radius_mm)

    def _take_over(self, path: Path) -> None:
        """Take over what a version with another kind of file remembered."""
        store = QSettings(str(path), QSettings.Format.IniFormat)
        for name in store.allKeys():
            value = store.value(name)
            if isinstance(value, QByteArray):
                self.geometry = value
            elif name.startswith("radius/"):
                with suppress(ValueError):
                    self.set_radius(name.partition("/")[2], float(str(value)))
            elif name == "recent":
                self.set_value(name, [value] if isinstance(value, str) else [str(one) for one in value or ()])
            else:
                self.set_value(name, str(value))
