"""The choice of what draws the slices in the View menu; it applies at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from autocontour.gui.look.language import tr
from autocontour.gui.views.renderers import TITLES


def add_renderer_menu(menu: QMenu, choose: Callable[[str], object]) -> QActionGroup:
    """Add the choice to `menu`; `choose` gets the key of `TITLES`."""
    choices = menu.addMenu(tr("Slices drawn by"))
    group = QActionGroup(choices)
    for name, title in TITLES.items():
        action = QAction(tr(title), group, checkable=True)
        action.setData(name)
        action.triggered.connect(partial(_choose, name, choose))
        choices.addAction(action)
    return group


def mark_renderer(group: QActionGroup, name: str) -> None:
    """Mark what was asked for."""
    for action in group.actions():
        action.setChecked(action.data() == name)


def _choose(name: str, choose: Callable[[str], object], _: bool = False) -> None:
    choose(name)
