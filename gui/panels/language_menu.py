"""The choice of the language in the View menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from autocontour.gui.look.language import NAMES, tr
from autocontour.gui.state.settings import ViewerSettings


def add_language_menu(menu: QMenu, settings: ViewerSettings, notify: Callable[[str], None]) -> QActionGroup:
    """Add the choice to `menu`; `notify` shows that it holds from the next start."""
    # Whoever cannot read the language of the window must find the way out of it.
    words = tr("Language")
    choices = menu.addMenu(words if words == "Language" else f"{words} (Language)")
    group = QActionGroup(choices)
    for code, name in (("", tr("As the system")), *NAMES.items()):
        action = QAction(name, group, checkable=True, checked=code == settings.language)
        action.triggered.connect(partial(_choose, code, settings, notify))
        choices.addAction(action)
    return group


def _choose(code: str, settings: ViewerSettings, notify: Callable[[str], None], _: bool = False) -> None:
    settings.language = code
    notify(tr("The language changes when the program is started again."))
