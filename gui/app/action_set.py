"""The actions of a window in Qt: made from the table, put into menus and tool bars, enabled where they make sense."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QToolButton

from autocontour.gui.app.actions import ActionRow, all_actions
from autocontour.gui.look import theme
from autocontour.gui.look.icons import icon
from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import in_words
from autocontour.gui.panels.follow_menu import add_follow_menu
from autocontour.gui.panels.language_menu import add_language_menu
from autocontour.gui.panels.renderer_menu import add_renderer_menu
from autocontour.gui.tools import TOOLS
from autocontour.gui.views.view_grid import NAMES
from autocontour.gui.views.windowing import AUTO, PRESETS

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

WHILE_BUSY = ("navigate", "smaller", "larger")
"""Actions that a busy tool allows: Esc cancels its stroke, the size keys are part of it."""
MAIN_BAR = ("open", "auto", "", "undo", "redo", "", "next", "approve", "compare", "", "export")
SIDE_COMMANDS = ("interpolate", "copy_up", "smooth", "target", "margin", "boolean", "delete_here")


class ActionSet:
    """Every action of a window.

    Attributes
    ----------
    by_name
        The Qt action of each row of the table, by its name.
    languages, renderers
        The choice of the language, and of what draws the slices.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.rows = all_actions()
        self.by_name = {row.name: self._build(row) for row in self.rows}
        menus = {menu: window.menuBar().addMenu(tr(menu)) for menu in dict.fromkeys(row.menu for row in self.rows)}
        for row in self.rows:
            menus[row.menu].addAction(self.by_name[row.name])
        for bar, names in ((window.main_bar, MAIN_BAR), (window.side_bar, _side_bar())):
            for name in names:
                bar.addAction(self.by_name[name]) if name else bar.addSeparator()
        self.languages = add_language_menu(menus["View"], window.settings, window.workspace.notify)
        self.renderers = add_renderer_menu(menus["View"], window.keep_renderer)
        self.follow_modes = add_follow_menu(menus["Slices"], window.workspace.following.mode, window.keep_follow_mode)
        self.detached = self._add_detached(menus["View"])
        self._presets = menus["View"].addMenu(tr("Window"))
        for number, name in enumerate([*PRESETS, AUTO], 1):
            use = partial(window.use_preset, name)
            QShortcut(QKeySequence(str(number)), window, use)
            self._presets.addAction(f"{tr(name)}\t{number}", use)
        self.dress()

    def trigger(self, name: str) -> None:
        """Carry out an action by its name, as its key would."""
        self.by_name[name].trigger()

    def dress(self) -> None:
        """Draw the icons in the colours of the theme."""
        for bar in (self._window.main_bar, self._window.side_bar):
            for more in bar.findChildren(QToolButton, "qt_toolbar_ext_button"):
                more.setIcon(icon("more" if bar is self._window.main_bar else "more_below", theme.current.text, ""))
                more.setToolTip(tr("More"))
        for row in self.rows:
            if row.icon:
                color = theme.current.accent if row.name == "auto" else theme.current.text
                self.by_name[row.name].setIcon(icon(row.icon, color, theme.current.accent_text))

    def mark_detached(self) -> None:
        """Show in the menu which views have windows of their own."""
        for name, action in self.detached.items():
            action.setChecked(name in self._window.views.detached)

    def _add_detached(self, menu: QMenu) -> dict[str, QAction]:
        own = menu.addMenu(tr("In a window of its own"))
        made = {}
        for name, title in NAMES.items():
            made[name] = own.addAction(tr(title))
            made[name].setCheckable(True)
            made[name].triggered.connect(lambda _=False, name=name: self._window.detach_view(name))
        return made

    def mark_tool(self) -> None:
        """Show in the tool bar which tool is selected."""
        for name, tool in self._window.tools.items():
            self.by_name[name].setChecked(tool is self._window.views.axial.tool)

    def follow(self) -> None:
        """Enable what makes sense now; undo and redo name what they would do."""
        space = self._window.workspace
        for row in self.rows:
            self.by_name[row.name].setEnabled(self._is_there(row.needs))
        for name, action in self.detached.items():
            action.setText(self._window.views.title_of(name))
        undo, redo = (space.case.undo_label, space.case.redo_label) if space.case else ("", "")
        self.by_name["undo"].setEnabled(bool(undo) and self._window.is_working)
        self.by_name["redo"].setEnabled(bool(redo) and self._window.is_working)
        undo, redo = in_words(undo) or tr("Nothing to undo"), in_words(redo) or tr("Nothing to redo")
        self.by_name["undo"].setToolTip(f"<b>{tr('Undo')}</b>  Ctrl+Z<br>{undo}")
        self.by_name["redo"].setToolTip(f"<b>{tr('Redo')}</b>  Ctrl+Shift+Z<br>{redo}")

    def _is_there(self, needs: str) -> bool:
        space, bar = self._window.workspace, self._window.range_bar
        there = {
            "ct": space.ct is not None,
            "structure": space.current is not None,
            "preview": bar.takes_return or bool(self._window.clicks.proposed),
            "proposal": space.following.proposal is not None,
        }
        return there.get(needs, True) and (self._window.is_working or not needs)

    def _build(self, row: ActionRow) -> QAction:
        action = QAction(tr(row.text), self._window)
        action.setShortcuts([QKeySequence(key) for key in row.keys.split()])
        keys = "  ".join(k.toString(QKeySequence.SequenceFormat.NativeText) for k in action.shortcuts())
        action.setToolTip(f"<b>{tr(row.text)}</b>  {keys}<br>{tr(row.tip)}")
        action.setStatusTip(tr(row.tip))
        action.setCheckable(row.tool)
        action.triggered.connect(lambda _=False: self._run(row))
        return action

    def _run(self, row: ActionRow) -> None:
        """Carry out an action, unless a tool is busy: a stroke is finished or cancelled first."""
        if self._window.workspace.is_held and row.name not in WHILE_BUSY:
            self.mark_tool()
            return
        self._window.workspace.note_hand()
        row.run(self._window)


def _side_bar() -> tuple[str, ...]:
    """Return the names of the tool bar's actions: navigating, what draws, commands, and what only looks."""
    drawing = [name for name, tool in TOOLS.items() if tool.draws]
    looking = [name for name, tool in TOOLS.items() if not tool.draws and tool.in_bar and name != "navigate"]
    return ("navigate", "", *drawing, "", *SIDE_COMMANDS, "", *looking)
