"""The choice in the menu Slices of when corrected slices are followed; it is remembered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from autocontour.gui.look.language import tr
from autocontour.gui.state.following import MODES


def add_follow_menu(menu: QMenu, mode: str, choose: Callable[[str], object]) -> QActionGroup:
    """Add the choice to `menu`; `choose` gets the key of `MODES`."""
    choices = menu.addMenu(tr("Other slices follow corrections"))
    group = QActionGroup(choices)
    for name, title in MODES.items():
        action = QAction(tr(title), group, checkable=True, checked=name == mode)
        action.setData(name)
        action.triggered.connect(partial(_choose, name, choose))
        choices.addAction(action)
    return group


def _choose(name: str, choose: Callable[[str], object], _: bool = False) -> None:
    choose(name)
