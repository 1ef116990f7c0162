"""The main window: what is where, and what the actions do."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from autocontour.gui.app.actions import ActionRow, all_actions
from autocontour.gui.app.collecting import collect_on_gui_thread
from autocontour.gui.app.intake import Intake
from autocontour.gui.look import theme
from autocontour.gui.look.icons import SIZE, icon
from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import in_words
from autocontour.gui.panels.auto_bar import AutoBar
from autocontour.gui.panels.banner import Banner
from autocontour.gui.panels.cheat_sheet import CheatSheet
from autocontour.gui.panels.comparison_strip import ComparisonStrip, dashed
from autocontour.gui.panels.language_menu import add_language_menu
from autocontour.gui.panels.progress_strip import WorkStrip
from autocontour.gui.panels.recovery_bar import RecoveryBar
from autocontour.gui.panels.structures_panel import StructuresPanel
from autocontour.gui.panels.toast import Toast
from autocontour.gui.panels.welcome import WelcomePage
from autocontour.gui.state.comparison import Comparison
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools import TOOLS
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.view_grid import ViewGrid
from autocontour.gui.views.windowing import AUTO, PRESETS, fit_window
from autocontour.patient.volume import CTVolume

WHILE_BUSY = ("navigate", "smaller", "larger")
"""Actions that a busy tool allows: Esc breaks its stroke off, the size keys are part of it."""
LOW_PX, SMALL_ICON = 780, 20
MAIN_BAR = ("open", "auto", "", "undo", "redo", "", "next", "approve", "compare", "", "export")
STRUCTURE_MENU = (
    *("rename", "color", "type", "lock", "duplicate", "", "margin", "boolean", "crop", "move", ""),
    *("rerun", "revert", "statistics", "", "remove"),
)
SIDE_COMMANDS = ("interpolate", "copy_up", "smooth", "margin", "boolean", "delete_here")


class MainWindow(QMainWindow):
    """The program's one window.

    Parameters
    ----------
    settings
        Where it remembers; the user's own place by default.
    case_root
        Where cases are kept; the user's own place by default.
    """

    workspace: Workspace
    intake: Intake
    panel: StructuresPanel
    comparison: Comparison

    def __init__(self, settings: ViewerSettings | None = None, case_root: Path | None = None) -> None:
        super().__init__()
        collect_on_gui_thread()
        self.settings = settings or ViewerSettings()
        self.workspace = Workspace()
        self.actions_by_name: dict[str, QAction] = {}
        self.setWindowTitle("autocontour")
        self.setAcceptDrops(True)
        self._build()
        self.tools = {name: tool(self.workspace) for name, tool in TOOLS.items()}
        for name, tool in self.tools.items():
            tool.radius_mm = self.settings.radius(name, tool.radius_mm)
        self.intake = Intake(self, case_root)
        self.rows = all_actions()
        self._build_actions()
        self._listen()
        self.take_tool("navigate")
        self._follow_case()
        self._follow_undo()
        if not self.restoreGeometry(self.settings.geometry):
            self.resize(1500, 940)
        self.intake.look_for_left_cases()

    # Building -------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.banner = Banner()
        self.views = ViewGrid(self.workspace)
        self.panel = StructuresPanel(self.workspace)
        self.auto_bar, self.recovery_bar = AutoBar(self.workspace), RecoveryBar(self.workspace)
        self.work_strip = WorkStrip(self.workspace.background)
        self.welcome = WelcomePage()
        room = QSplitter(Qt.Orientation.Horizontal)
        room.setHandleWidth(3)
        self.comparison = Comparison(self.workspace, lambda: self.workspace.is_held, self)
        self.comparison_strip = ComparisonStrip(self.comparison)
        room.addWidget(_above(self.views, self.comparison_strip))
        room.addWidget(self.panel)
        room.setStretchFactor(0, 1)
        room.setSizes([1200, 300])
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(room)
        self.main_bar, self.side_bar = _bar("toolbar", labelled=True), _bar("tools", labelled=False)
        self.side_bar.setOrientation(Qt.Orientation.Vertical)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.side_bar)
        middle.addWidget(self.pages, 1)
        for widget in (self.banner, self.main_bar, self.auto_bar, self.work_strip, self.recovery_bar):
            column.addWidget(widget)
        column.addLayout(middle, 1)
        self.setCentralWidget(holder)
        self.toast = Toast(holder, over=self.pages)
        self._hover_label, self._tool_label = QLabel(), QLabel()
        self.statusBar().addWidget(self._hover_label)
        self.statusBar().addPermanentWidget(self._tool_label)

    def _build_actions(self) -> None:
        menus = {group: self.menuBar().addMenu(tr(group)) for group in dict.fromkeys(row.menu for row in self.rows)}
        for row in self.rows:
            action = self._action(row)
            self.actions_by_name[row.name] = action
            menus[row.menu].addAction(action)
        for bar, names in ((self.main_bar, MAIN_BAR), (self.side_bar, _side_bar())):
            for name in names:
                bar.addAction(self.actions_by_name[name]) if name else bar.addSeparator()
        self._dress_icons()
        for number, name in enumerate([*PRESETS, AUTO], 1):
            QShortcut(QKeySequence(str(number)), self, partial(self.use_preset, name))
        self.language_choice = add_language_menu(menus["View"], self.settings, self.workspace.say)
        self._preset_menu = menus["View"].addMenu(tr("Window"))
        for number, name in enumerate([*PRESETS, AUTO], 1):
            self._preset_menu.addAction(f"{tr(name)}\t{number}", partial(self.use_preset, name))

    def _action(self, row: ActionRow) -> QAction:
        action = QAction(tr(row.text), self)
        action.setShortcuts([QKeySequence(key) for key in row.keys.split()])
        keys = "  ".join(k.toString(QKeySequence.SequenceFormat.NativeText) for k in action.shortcuts())
        action.setToolTip(f"<b>{tr(row.text)}</b>  {keys}<br>{tr(row.tip)}")
        action.setStatusTip(tr(row.tip))
        action.setCheckable(row.tool)
        action.triggered.connect(lambda _=False, row=row: self._do(row))
        return action

    def _do(self, row: ActionRow) -> None:
        """Carry out an action, unless a tool is busy: a stroke is finished or broken off first."""
        if self.workspace.is_held and row.name not in WHILE_BUSY:
            self._check_tool()
            return
        self.workspace.note_hand()
        row.run(self)

    def act(self, name: str) -> None:
        """Carry out an action by its name, as its key would."""
        self.actions_by_name[name].trigger()

    def _dress_icons(self) -> None:
        for row in self.rows:
            if row.icon:
                color = theme.current.accent if row.name == "auto" else theme.current.text
                self.actions_by_name[row.name].setIcon(icon(row.icon, color, theme.current.accent_text))

    def _listen(self) -> None:
        space = self.workspace
        space.said.connect(self.toast.say)
        space.ct_changed.connect(self._follow_case)
        for signal in (space.structures_changed, space.selection_changed, space.ct_changed):
            signal.connect(self._follow_undo)
        for view in self.views.slices.values():
            view.hovered.connect(self._show_hover)
            view.resized.connect(self._show_tool)
        self.views.axial.compared = lambda: [(drawn, dashed(style)) for drawn, style in self.comparison.drawn]
        self.comparison.changed.connect(self._follow_comparison)
        self.comparison_strip.add_asked.connect(partial(self.act, "compare_with"))
        self.panel.menu_asked.connect(self._show_structure_menu)
        self.panel.add_asked.connect(partial(self.act, "add"))
        self.panel.approve_asked.connect(partial(self.act, "approve"))
        self.panel.next_asked.connect(partial(self.act, "next"))
        self.welcome.open_asked.connect(partial(self.act, "open"))
        self.welcome.folder_chosen.connect(lambda folder: self.open_path(Path(folder)))
        self.welcome.left_case_chosen.connect(self.intake.go_on_with)
        self.welcome.left_case_dismissed.connect(self.intake.dismiss)

    def open_path(self, path: Path, series_uid: str = "") -> None:
        """Open a CT folder, or a NIfTI or NRRD file (see `Intake.open_path`)."""
        self.intake.open_path(path, series_uid)

    def show_ct(self, ct: CTVolume, source: Path | None = None) -> None:
        """Show a CT and take up its case."""
        self.intake.show_ct(ct, source)

    # Following the workspace ----------------------------------------------------------------------------------------

    def _follow_case(self) -> None:
        ct = self.workspace.ct
        self.banner.show_ct(ct)
        self.pages.setCurrentIndex(int(ct is not None))
        if ct is not None:
            self.views.axial.setFocus()
        self.side_bar.setVisible(ct is not None)
        self.statusBar().setVisible(ct is not None)
        self.welcome.show_recent(self.settings.recent)
        self.setWindowTitle("autocontour" if ct is None else tr("autocontour — contouring"))

    def _follow_undo(self) -> None:
        space = self.workspace
        for row in self.rows:
            there = {"": True, "ct": space.ct is not None, "structure": space.current is not None}[row.needs]
            self.actions_by_name[row.name].setEnabled(there)
        undo, redo = (space.case.undo_label, space.case.redo_label) if space.case else ("", "")
        self.actions_by_name["undo"].setEnabled(bool(undo))
        self.actions_by_name["redo"].setEnabled(bool(redo))
        undo, redo = in_words(undo) or tr("Nothing to undo"), in_words(redo) or tr("Nothing to redo")
        self.actions_by_name["undo"].setToolTip(f"<b>{tr('Undo')}</b>  Ctrl+Z<br>{undo}")
        self.actions_by_name["redo"].setToolTip(f"<b>{tr('Redo')}</b>  Ctrl+Shift+Z<br>{redo}")
        self.banner.note(tr("every change is saved") if space.case else "")

    def _follow_comparison(self) -> None:
        self.views.slider.differing = self.comparison.differing
        self.views.slider.update()
        self.views.axial.refresh()

    def _show_hover(self, voxel: tuple[int, int, int] | None) -> None:
        ct = self.workspace.ct
        if voxel is None or ct is None:
            self._hover_label.setText("")
            return
        z, y, x = voxel
        point = ct.geometry.slice_origins_lps_mm[z] + ct.geometry.direction[:, :2] @ (
            x * ct.geometry.pixel_spacing_vu_mm[1],
            y * ct.geometry.pixel_spacing_vu_mm[0],
        )
        self._hover_label.setText(
            f"  {int(ct.hu[z, y, x])} HU      x {point[0]:.1f}   y {point[1]:.1f}   z {point[2]:.1f} mm"
        )

    def _show_tool(self) -> None:
        tool = self.views.axial.tool
        self._tool_label.setText(f"{tr(tool.name)}   {tool.size_words}   ")

    # Tools and views ------------------------------------------------------------------------------------------------

    def take_tool(self, name: str) -> None:
        """Take a tool in hand."""
        self.views.set_tool(self.tools[name])
        self._check_tool()
        self._show_tool()

    def _check_tool(self) -> None:
        """Let the tool bar show which tool is in hand."""
        for name, tool in self.tools.items():
            self.actions_by_name[name].setChecked(tool is self.views.axial.tool)

    def put_down_tool(self) -> None:
        """Break off the stroke under way, or go back to navigating."""
        view = self.views.stroking
        if view is not None:
            view.tool.cancel()
            view.refresh()
            self._check_tool()
        else:
            self.take_tool("navigate")
            self.views.axial.setFocus()

    def size_tool(self, factor: float) -> None:
        """Change the size of the tool in hand."""
        self.views.axial.tool.resize(factor)
        for view in self.views.slices.values():
            view.update()
        self._show_tool()

    def use_preset(self, name: str) -> None:
        """Set a grey scale by its name."""
        if self.workspace.ct:
            window = fit_window(self.workspace.ct, self.workspace.slice_index) if name == AUTO else PRESETS[name]
            self.workspace.set_window(window)

    def step(self, by: int) -> None:
        """Scroll through axial slices."""
        self.workspace.step(Plane.AXIAL, by)

    def fit_views(self) -> None:
        """Show whole images."""
        self.views.fit()

    def go_to_current(self) -> None:
        """Show the middle of the selected structure."""
        if self.workspace.selected is not None:
            self.workspace.go_to_structure(self.workspace.selected)

    def toggle_outlines(self) -> None:
        """Show or hide all outlines."""
        self.workspace.outlines_shown = not self.workspace.outlines_shown
        self.workspace.display_changed.emit()

    def toggle_visible(self) -> None:
        """Show or hide the selected structure."""
        number = self.workspace.selected
        if number is not None:
            self.workspace.show(number, shown=number in self.workspace.hidden)

    def toggle_theme(self) -> None:
        """Change between dark and light."""
        chosen = theme.LIGHT if theme.current is theme.DARK else theme.DARK
        self.settings.theme = chosen.name
        app = QApplication.instance()
        assert isinstance(app, QApplication)  # there is no window without one
        theme.use_theme(app, chosen)
        self._dress_icons()
        self.workspace.display_changed.emit()

    def show_keys(self) -> None:
        """Show the cheat sheet."""
        self.cheat_sheet = CheatSheet(self, [*PRESETS, AUTO])

    def _show_structure_menu(self, at: object) -> None:
        menu = QMenu(self)
        for name in STRUCTURE_MENU:
            menu.addAction(self.actions_by_name[name]) if name else menu.addSeparator()
        menu.exec(at)  # type: ignore[call-overload]  # a QPoint, as the signal says

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what Shift, Alt and Ctrl make of the tool."""
        self._show_modifier(event)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what is left without them."""
        self._show_modifier(event)
        super().keyReleaseEvent(event)

    def _show_modifier(self, event: QKeyEvent) -> None:
        for view in self.views.slices.values():
            view.hold(event.modifiers())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders and files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what is dropped."""
        self.intake.open_dropped(event.mimeData().urls())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep every tool in sight on a laptop's screen."""
        super().resizeEvent(event)
        size = SMALL_ICON if self.height() < LOW_PX else SIZE
        self.side_bar.setIconSize(QSize(size, size))

    def event(self, event: QEvent) -> bool:
        """Finish a stroke before a dialog takes the mouse away, with which its end would be lost."""
        if event.type() == QEvent.Type.WindowBlocked:
            self.views.finish_stroke()
        return super().event(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save what is remembered and let go of everything."""
        self.views.finish_stroke()
        self.auto_bar.stop()
        self.intake.stop_opening()
        self.settings.geometry = self.saveGeometry()
        for name, tool in self.tools.items():
            self.settings.set_radius(name, tool.radius_mm)
        self.settings.save()
        self.views.surfaces.close_scene()
        self.workspace.close()
        event.accept()


def _side_bar() -> tuple[str, ...]:
    """Return the names of the tool bar's actions: navigating, what draws, commands, and what only looks."""
    drawing = [name for name, tool in TOOLS.items() if tool.draws]
    looking = [name for name, tool in TOOLS.items() if not tool.draws and name != "navigate"]
    return ("navigate", "", *drawing, "", *SIDE_COMMANDS, "", *looking)


def _above(upper: QWidget, lower: QWidget) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(upper, 1)
    column.addWidget(lower)
    return holder


def _bar(name: str, *, labelled: bool) -> QToolBar:
    bar = QToolBar()
    bar.setObjectName(name)
    bar.setMovable(False)
    bar.setIconSize(QSize(SIZE, SIZE) if not labelled else QSize(20, 20))
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if labelled else Qt.ToolButtonStyle.ToolButtonIconOnly
    bar.setToolButtonStyle(style)
    return bar


def use_software_threads() -> None:
    """Let VTK filter with threads; its default is one (measured: meshing and reslicing gain)."""
    os.environ.setdefault("VTK_SMP_BACKEND_IN_USE", "STDThread")
