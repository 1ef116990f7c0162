"""The four views: one large, three beside it; any can become the large one."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QWidget

from autocontour.gui.look.language import later, tr
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.tools import Tool
from autocontour.gui.views.detached import DetachedView
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.renderers import QT, make_renderer
from autocontour.gui.views.scene import flat_edges
from autocontour.gui.views.slice_slider import SliceSlider
from autocontour.gui.views.slice_view import CrosshairTool, SliceView
from autocontour.gui.views.surface_view import SurfaceView

SIDE_PX, LARGE_PX = 380, 800
NAMES = {"axial": later("Axial"), "sagittal": later("Sagittal"), "coronal": later("Coronal"), "3d": later("3D view")}


class ViewGrid(QSplitter):
    """Axial, coronal, sagittal and 3D.

    Attributes
    ----------
    holders
        The widget of each view, by its name in `NAMES`.
    detached
        The windows of views that are shown outside.
    """

    attached = Signal(str)
    """A view has come back from its own window."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(3)
        edges = flat_edges()
        self.slices = {plane: SliceView(workspace, plane, edges) for plane in Plane}
        self._workspace = workspace
        self._is_by_hand = False
        self.surfaces = SurfaceView(workspace)
        self.slider = SliceSlider(workspace)
        self._axial = _beside(self.slices[Plane.AXIAL], self.slider)
        self._large = self._axial
        self._side = QSplitter(Qt.Orientation.Vertical)
        self._side.setHandleWidth(3)
        self.addWidget(self._axial)
        self.addWidget(self._side)
        for view in (self.slices[Plane.SAGITTAL], self.slices[Plane.CORONAL], self.surfaces):
            self._side.addWidget(view)
        self._side.setSizes([300, 300, 300])
        self.setSizes([LARGE_PX, SIDE_PX])
        self.setStretchFactor(0, 1)
        self.surfaces.enlarge_asked.connect(lambda: self.enlarge(self.surfaces))
        for plane, view in self.slices.items():
            view.enlarge_asked.connect(lambda p=plane: self.enlarge(self._holder(p)))
            view.zoomed.connect(partial(self._zoom_others, view))
            view.stepped.connect(workspace.select_beside)
        self.holders: dict[str, QWidget] = {
            "axial": self._axial,
            "sagittal": self.slices[Plane.SAGITTAL],
            "coronal": self.slices[Plane.CORONAL],
            "3d": self.surfaces,
        }
        self.detached: dict[str, DetachedView] = {}
        workspace.ct_changed.connect(self._follow_ct)
        self.splitterMoved.connect(self._note_hand)
        workspace.focus_asked.connect(self.focus)

    def showEvent(self, event: QShowEvent) -> None:
        """Give the large view two thirds at least, also on a small screen."""
        super().showEvent(event)
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep that until the handle is moved."""
        super().resizeEvent(event)
        self._arrange()

    def _note_hand(self) -> None:
        self._is_by_hand = True

    def lend_side(self) -> QWidget:
        """Return the column of the views at the side, to be shown elsewhere."""
        return self._side

    def take_back_side(self) -> None:
        """Show the views at the side again beside the large one."""
        self.addWidget(self._side)
        self._side.show()
        self._arrange()

    def _arrange(self) -> None:
        if not self._is_by_hand and self.width() > 0 and self._side.parent() is self:
            side = min(SIDE_PX, self.width() // 3)
            self.setSizes([self.width() - side, side])

    @property
    def axial(self) -> SliceView:
        """The view that tools work in."""
        return self.slices[Plane.AXIAL]

    @property
    def stroking(self) -> SliceView | None:
        """The view in which a stroke is under way."""
        return next((view for view in self.slices.values() if view.tool.busy), None)

    def finish_stroke(self) -> None:
        """End the stroke under way where the pointer is."""
        if self.stroking is not None:
            self.stroking.finish_stroke()

    def set_tool(self, tool: Tool) -> None:
        """Select a tool: in the axial view, and beside it what the tool has for the side views."""
        self.axial.set_tool(tool)
        for plane in (Plane.CORONAL, Plane.SAGITTAL):
            self.slices[plane].set_tool(tool.beside(plane) or CrosshairTool(self._workspace, plane))

    def enlarge(self, view: QWidget) -> None:
        """Swap `view` with the large one; the large one goes back to the axial."""
        large = self._large
        view = self._axial if view is large else view
        if view is large:
            return
        if any(view is window.view for window in self.detached.values()):
            view.window().activateWindow()
            return
        self._large = view
        at, sizes, side_sizes = self._side.indexOf(view), self.sizes(), self._side.sizes()
        self._side.insertWidget(at, large)
        self.insertWidget(0, view)
        view.show()
        large.show()
        self.setSizes(sizes)
        self._side.setSizes(side_sizes)

    # Windows of their own ---------------------------------------------------------------------------------------------

    def title_of(self, name: str) -> str:
        """Return the title of a view: of a plane, by the patient."""
        view = {plane.name.lower(): view for plane, view in self.slices.items()}.get(name)
        return view.title if view else tr(NAMES[name])

    def detach(self, name: str, geometry: QByteArray | None = None) -> DetachedView | None:
        """Show a view in a window of its own; None if it is the only one that is left here, or is in one already."""
        holder = self.holders[name]
        left = [self.holders[n] for n in NAMES if n != name and n not in self.detached]
        if name in self.detached or not left:
            return None
        if holder is self._large:
            self.enlarge(left[0])
        window = DetachedView(self.window(), holder)
        window.show_ct(self._workspace.ct, self.title_of(name))
        self.detached[name] = window
        window.closed.connect(partial(self.attach, name))
        window.place(geometry or QByteArray())
        window.show()
        self._side.setVisible(len(left) > 1)
        return window

    def attach(self, name: str) -> None:
        """Take a view back from its window."""
        window = self.detached.pop(name, None)
        if window is None:
            return
        self.finish_stroke()
        holder = self.holders[name]
        at = [n for n in NAMES if n not in self.detached and self.holders[n] is not self._large].index(name)
        self._side.insertWidget(at, holder)
        holder.show()
        self._side.show()
        window.hide()
        window.deleteLater()
        self.attached.emit(name)

    def _follow_ct(self) -> None:
        for name, window in self.detached.items():
            window.show_ct(self._workspace.ct, self.title_of(name))

    def use_renderer(self, name: str) -> None:
        """Draw every slice with this renderer from now on."""
        for view in self.slices.values():
            if view.renderer.name != name:
                view.renderer.close()
                view.renderer = make_renderer(name)
                view.refresh()

    def close_renderers(self) -> None:
        """Give back the windows of VTK before the program ends."""
        self.use_renderer(QT)
        self.surfaces.close_scene()

    def fit(self) -> None:
        """Show the whole patient in every view."""
        for view in self.slices.values():
            view.fit()
        self.surfaces.fit()

    def refresh(self) -> None:
        """Draw every slice view anew."""
        for view in self.slices.values():
            view.refresh()

    def focus(self, number: int) -> None:
        """Centre and zoom every view to a structure."""
        box = self._workspace.voxels_of(number)
        if box is not None:
            for view in self.slices.values():
                view.focus(*box)
            self.surfaces.focus(number)

    def _zoom_others(self, source: SliceView, factor: float) -> None:
        for view in self.slices.values():
            if view is not source:
                view.zoom_along(factor)

    def _holder(self, plane: Plane) -> QWidget:
        return self._axial if plane is Plane.AXIAL else self.slices[plane]


def _beside(view: SliceView, slider: SliceSlider) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    row.addWidget(view, 1)
    row.addWidget(slider)
    return holder
