"""The main window: what is where, and what the actions do."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from autocontour.base import folders
from autocontour.base.errors import AutoContourError
from autocontour.case.summary import CaseSummary
from autocontour.gui.app.action_set import ActionSet
from autocontour.gui.app.intake import Intake
from autocontour.gui.app.qa_room import QaRoom
from autocontour.gui.app.ranges import follow_range
from autocontour.gui.app.room import Room
from autocontour.gui.app.targets import TargetDesk, make_from_template
from autocontour.gui.look import theme
from autocontour.gui.look.icons import SIZE
from autocontour.gui.look.language import tr
from autocontour.gui.panels.auto_bar import AutoBar
from autocontour.gui.panels.banner import Banner
from autocontour.gui.panels.cheat_sheet import CheatSheet
from autocontour.gui.panels.comparison_strip import ComparisonStrip, dashed, preview_pen
from autocontour.gui.panels.follow_bar import FollowBar
from autocontour.gui.panels.progress_strip import WorkStrip
from autocontour.gui.panels.range_bar import RangeBar
from autocontour.gui.panels.recovery_bar import RecoveryBar
from autocontour.gui.panels.renderer_menu import mark_renderer
from autocontour.gui.panels.start_page import StartPage
from autocontour.gui.panels.structures_panel import StructuresPanel
from autocontour.gui.panels.toast import Toast
from autocontour.gui.panels.welcome import WelcomePage
from autocontour.gui.panels.worklist import WorklistPanel
from autocontour.gui.state.clicks import Clicks
from autocontour.gui.state.comparison import Comparison
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.state.worklist import Worklist
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools import TOOLS, ClickTool
from autocontour.gui.tools.base import LARGEST_RADIUS_MM, SMALLEST_RADIUS_MM
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.renderers import AUTO as AUTO_RENDERER
from autocontour.gui.views.renderers import QT, Choice, choose, opengl_name
from autocontour.gui.views.view_grid import ViewGrid
from autocontour.gui.views.windowing import AUTO, PRESETS, fit_window
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    from autocontour.gui.blind.window import BlindWindow
    from autocontour.gui.panels.course_window import CourseWindow

LOW_PX, SMALL_ICON = 780, 20
FIRST_SIZE = QSize(1500, 940)
STRUCTURE_MENU = (
    *("rename", "color", "type", "lock", "duplicate", "", "target", "recipe", "refresh", ""),
    *("margin", "boolean", "crop", "move", ""),
    *("rerun", "revert", "statistics", "", "remove"),
)


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
    range_bar: RangeBar
    action_set: ActionSet
    comparison: Comparison
    renderer: Choice
    qa_room: QaRoom

    def __init__(self, settings: ViewerSettings | None = None, case_root: Path | None = None) -> None:
        super().__init__()
        self.settings = settings or ViewerSettings()
        self.workspace = Workspace()
        self._unanswered: deque[Callable[[], object]] = deque()
        self.workspace.following.set_mode(self.settings.follow_mode)
        self.setWindowTitle("autocontour")
        self.setAcceptDrops(True)
        self.worklist = Worklist(case_root or folders.cases_folder(), self)
        self._build()
        self.tools = {name: tool(self.workspace) for name, tool in TOOLS.items()}
        for name, tool in self.tools.items():
            radius_mm = self.settings.radius(name, tool.radius_mm)
            tool.radius_mm = min(max(radius_mm, SMALLEST_RADIUS_MM), LARGEST_RADIUS_MM)
        self.clicks = Clicks(self.workspace)
        if isinstance(click := self.tools.get("click"), ClickTool):
            click.clicks = self.clicks
        self.intake = Intake(self, case_root)
        self.target_desk = TargetDesk(self)
        self.qa_room = QaRoom(self)
        self.course: CourseWindow | None = None
        self.review: BlindWindow | None = None
        self.action_set = ActionSet(self)
        self._listen()
        self.renderer = Choice(AUTO_RENDERER, QT)
        self.take_tool("navigate")
        self._follow_case()
        self._follow_undo()
        if not self.restoreGeometry(self.settings.geometry):
            self.resize(FIRST_SIZE.boundedTo(self.screen().availableGeometry().size()))
        self.intake.look_for_left_cases()

    # Building -------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.banner = Banner()
        self.views = ViewGrid(self.workspace)
        self.panel = StructuresPanel(self.workspace)
        self.auto_bar, self.recovery_bar = AutoBar(self.workspace), RecoveryBar(self.workspace)
        self.work_strip = WorkStrip(self.workspace.background)
        self.range_bar = RangeBar(self.workspace)
        self.welcome = WelcomePage()
        self.comparison = Comparison(self.workspace, lambda: self.workspace.is_held, self)
        self.comparison_strip = ComparisonStrip(self.comparison)
        self.room = Room(self.views, self.comparison_strip, self.panel)
        self.pages = QStackedWidget()
        self.cases = WorklistPanel(self.worklist)
        self.pages.addWidget(StartPage(self.welcome, self.cases))
        self.pages.addWidget(self.room)
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
        for widget in (self.banner, self.main_bar, self.auto_bar, self.work_strip, self.range_bar, self.recovery_bar):
            column.addWidget(widget)
        column.addLayout(middle, 1)
        self.setCentralWidget(holder)
        self.toast = Toast(holder, over=self.pages)
        self.follow_bar = FollowBar(self.workspace, holder, over=self.pages)
        self._hover_label, self._tool_label = QLabel(), QLabel()
        self.statusBar().addWidget(self._hover_label)
        self.statusBar().addPermanentWidget(self._tool_label)

    def _listen(self) -> None:
        space = self.workspace
        space.message.connect(self.toast.notify)
        space.ct_changed.connect(self._follow_case)
        for signal in (space.structures_changed, space.selection_changed, space.ct_changed):
            signal.connect(self._follow_undo)
        for view in self.views.slices.values():
            view.hovered.connect(self._show_hover)
            view.resized.connect(self._show_tool)
        for plane, view in self.views.slices.items():
            view.compared = partial(self._shown_dashed, plane)
        space.range.changed.connect(lambda: follow_range(self))
        space.range.plan_changed.connect(self.views.refresh)
        space.following.changed.connect(self._show_proposal)
        self.clicks.changed.connect(self._follow_clicks)
        self.banner.clear_asked.connect(partial(self.action_set.trigger, "range_none"))
        self.range_bar.opened.connect(self.action_set.follow)
        self.range_bar.left.connect(self.views.axial.setFocus)
        self.views.attached.connect(lambda _: self.action_set.mark_detached())
        self.comparison.changed.connect(self._follow_comparison)
        self.comparison_strip.add_asked.connect(partial(self.action_set.trigger, "compare_with"))
        self.panel.menu_asked.connect(self._show_structure_menu)
        self.panel.add_asked.connect(partial(self.action_set.trigger, "add"))
        self.panel.sort.setChecked(self.settings.by_need)
        self.panel.sort.toggled.connect(self._remember_sorting)
        self.panel.approve_asked.connect(partial(self.action_set.trigger, "approve"))
        self.panel.reject_asked.connect(partial(self.action_set.trigger, "reject"))
        self.panel.next_asked.connect(partial(self.action_set.trigger, "next"))
        self.panel.refresh_asked.connect(partial(self.action_set.trigger, "refresh"))
        self.panel.refresh_all_asked.connect(partial(self.action_set.trigger, "refresh_all"))
        self.auto_bar.drawn_by_template.connect(partial(make_from_template, self))
        self.welcome.open_asked.connect(partial(self.action_set.trigger, "open"))
        self.welcome.folder_chosen.connect(lambda folder: self.open_path(Path(folder)))
        self.welcome.moved_case_chosen.connect(self.intake.open_moved)
        self.cases.case_chosen.connect(self.open_case)
        self.cases.left.connect(self.show_views)
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
        self.cases.model.open_folder = self.workspace.case.folder if self.workspace.case else None
        self._show_page(start=ct is None)
        self.welcome.show_recent(self.settings.recent)
        self.setWindowTitle("autocontour" if ct is None else tr("autocontour — contouring"))

    def _show_page(self, *, start: bool) -> None:
        """Show the start page, or the views; what works on a case is off while the views are not shown."""
        self.pages.setCurrentIndex(int(not start))
        self.side_bar.setVisible(not start)
        self.statusBar().setVisible(not start)
        self.action_set.follow()
        if not start:
            self.views.axial.setFocus()

    def show_start(self) -> None:
        """Show the start page."""
        self._show_page(start=True)

    def show_page(self, page: QWidget) -> None:
        """Show a page that is neither the start page nor the views."""
        self._show_page(start=True)
        self.pages.setCurrentWidget(page)
        self.action_set.follow()

    @property
    def is_working(self) -> bool:
        """Whether the views are shown."""
        return self.pages.currentIndex() == 1

    def show_views(self) -> None:
        """Show the case that is open, if there is one."""
        if self.workspace.ct is not None:
            self._show_page(start=False)

    def toggle_cases(self) -> None:
        """Show the list of cases; where it is shown and has the keyboard, go back to the case that is open."""
        if not self.is_working and self.workspace.ct is not None:
            self.show_views()
            return
        self.range_bar.shut()
        self._show_page(start=True)
        if self.worklist.cases or self.worklist.is_reading:
            self.cases.take_focus()

    def open_case(self, case: CaseSummary) -> None:
        """Open a case of the list; the one that is open already is shown again."""
        if self.workspace.case is not None and self.workspace.case.folder == case.folder:
            self.show_views()
        else:
            self.intake.open_listed(case)

    def _follow_undo(self) -> None:
        self.action_set.follow()
        self.banner.note(tr("every change is saved") if self.workspace.case else "")

    def _remember_sorting(self, by_need: bool) -> None:
        self.settings.by_need = by_need

    def _follow_comparison(self) -> None:
        self.views.slider.differing = self.comparison.differing
        self.views.slider.update()
        self.views.axial.refresh()

    def _shown_dashed(self, plane: Plane) -> list[tuple[Contours, QPen]]:
        """Return what is compared with, in the axial view, and the change of a range that is shown."""
        compared = self.comparison.drawn if plane is Plane.AXIAL else []
        chosen, colors = self.workspace.range, (theme.DARK.text, theme.DARK.bad)  # on the image, in either theme
        shown = zip((chosen.new, chosen.gone), colors, strict=True)
        previewed = [(contours, preview_pen(QColor(color))) for contours, color in shown if contours]
        if proposal := self.workspace.following.proposal:
            followed = zip((proposal.new, proposal.gone), colors, strict=True)
            previewed += [(contours, preview_pen(QColor(color))) for contours, color in followed if contours]
        if self.clicks.proposed and self.workspace.current and plane is Plane.AXIAL:
            color = QColor(*self.workspace.current.structure.color_rgb).lighter(130)
            previewed.append((self.clicks.proposed, preview_pen(color)))
        if target := self.target_desk.preview:
            previewed.append((target[0], preview_pen(QColor(*target[1]))))
        return [*((drawn, dashed(style)) for drawn, style in compared), *previewed]

    def _show_proposal(self) -> None:
        """Draw the proposal for other slices, and enable the keys that accept it."""
        self.views.refresh()
        self.action_set.follow()

    def keep_follow_mode(self, mode: str) -> None:
        """Follow corrected slices in this mode, now and at the next start."""
        self.settings.follow_mode = mode
        self.workspace.following.set_mode(mode)

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
        """Select a tool."""
        self.views.set_tool(self.tools[name])
        self.action_set.mark_tool()
        self._show_tool()

    def put_down_tool(self) -> None:
        """Break off the stroke under way or the change of a range that is shown, or go back to navigating."""
        view = self.views.stroking
        if view is not None:
            view.tool.cancel()
            view.refresh()
            self.action_set.mark_tool()
        elif self.clicks.clicks:
            self.clicks.forget()
            self.action_set.mark_tool()
        elif self.range_bar.is_open:
            self.range_bar.shut()
            self.action_set.mark_tool()
        elif self.workspace.following.proposal is not None:
            self.workspace.following.dismiss()
            self.action_set.mark_tool()
        else:
            self.take_tool("navigate")
            self.views.axial.setFocus()

    def apply_preview(self) -> None:
        """Apply the change that is shown: the answer to clicks, or the change of a range."""
        if not self.clicks.accept():
            self.range_bar.accept()

    def _follow_clicks(self) -> None:
        self.action_set.follow()
        self.views.refresh()
        self._show_tool()

    def size_tool(self, factor: float) -> None:
        """Change the size of the selected tool."""
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
        self.action_set.dress()
        self.workspace.display_changed.emit()

    def detach_view(self, name: str, geometry: QByteArray | None = None) -> None:
        """Show a view in a window of its own, or take it back."""
        if name in self.views.detached:
            self.views.attach(name)
        elif (own := self.views.detach(name, geometry)) is not None:
            own.key_changed.connect(self.show_modifier)
        else:
            self.workspace.refuse(tr("One view stays in the main window."))
        self.action_set.mark_detached()

    def detach_as_left(self) -> None:
        """Show in windows of their own the views that were so at the end."""
        for name in self.settings.detached:
            if name in self.views.holders and name not in self.views.detached:
                self.detach_view(name, self.settings.detached_geometry(name))

    def choose_renderer(self, asked: str) -> None:
        """Let the slices be drawn by what is asked for, a key of `renderers.TITLES`; the first time VTK is started."""
        self.views.surfaces.warm_up()
        self.renderer = choose(asked, opengl_name(self.views.surfaces.opengl))
        self.views.use_renderer(self.renderer.name)
        mark_renderer(self.action_set.renderers, asked)
        if self.renderer.is_faulty:
            self.workspace.report_error(AutoContourError("AC-GUI-002", renderer=self.renderer.opengl))

    def keep_renderer(self, asked: str) -> None:
        """Use a renderer now and at the next start."""
        self.settings.renderer = asked
        self.choose_renderer(asked)

    def show_keys(self) -> None:
        """Show the cheat sheet."""
        self.cheat_sheet = CheatSheet(self, [*PRESETS, AUTO])

    def _show_structure_menu(self, at: object) -> None:
        menu = QMenu(self)
        for name in STRUCTURE_MENU:
            menu.addAction(self.action_set.by_name[name]) if name else menu.addSeparator()
        menu.exec(at)  # type: ignore[call-overload]  # a QPoint, as the signal declares

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what Shift, Alt and Ctrl make of the tool."""
        self.show_modifier(event)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let the pointer show at once what is left without them."""
        self.show_modifier(event)
        super().keyReleaseEvent(event)

    def show_modifier(self, event: QKeyEvent) -> None:
        """Show what the keys held down make of the tool."""
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

    def when_answered(self, act: Callable[[], object]) -> None:
        """Call `act` as soon as no dialog is open and no tool is busy: a dialog belongs to the case that is open."""
        self._unanswered.append(act)
        self._go_on()

    def _go_on(self) -> None:
        while self._unanswered and QApplication.activeModalWidget() is None:
            self.workspace.when_free(self._unanswered.popleft())

    def event(self, event: QEvent) -> bool:
        """Finish a stroke before a dialog takes the mouse away, with which its end would be lost."""
        if event.type() == QEvent.Type.WindowBlocked:
            self.views.finish_stroke()
        elif event.type() == QEvent.Type.WindowUnblocked and self._unanswered:
            QTimer.singleShot(0, self, self._go_on)
        return super().event(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save what is remembered and let go of everything."""
        self.views.finish_stroke()
        self.auto_bar.stop()
        self.range_bar.shut()
        self.intake.stop_opening()
        self._unanswered.clear()
        self.worklist.stop()
        self.clicks.disconnect_from_server()
        if self.course is not None:
            self.course.desk.stop()
        self.settings.geometry = self.saveGeometry()
        self.settings.set_detached({name: w.saveGeometry() for name, w in self.views.detached.items()})
        for name in list(self.views.detached):
            self.views.attach(name)
        for name, tool in self.tools.items():
            self.settings.set_radius(name, tool.radius_mm)
        self.settings.save()
        self.views.close_renderers()
        self.workspace.close()
        event.accept()


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
