"""The views of a blind review: axial, and beside it sagittal and coronal, always alike."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QWidget

from autocontour.gui.blind.workspace import BlindWorkspace, Voxels
from autocontour.gui.tools import Tool
from autocontour.gui.views.planes import Plane
from autocontour.gui.views.scene import flat_edges
from autocontour.gui.views.slice_slider import SliceSlider
from autocontour.gui.views.slice_view import CrosshairTool, SliceView

LARGE_PX, SIDE_PX = 760, 380


class BlindViews(QSplitter):
    """Three planes of the scan."""

    def __init__(self, workspace: BlindWorkspace) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(3)
        self._workspace = workspace
        edges = flat_edges()
        self.slices = {plane: SliceView(workspace, plane, edges) for plane in Plane}
        self.slider = SliceSlider(workspace)
        large = QWidget()
        row = QHBoxLayout(large)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.axial, 1)
        row.addWidget(self.slider)
        side = QSplitter(Qt.Orientation.Vertical)
        side.setHandleWidth(3)
        for plane in (Plane.SAGITTAL, Plane.CORONAL):
            side.addWidget(self.slices[plane])
        self.addWidget(large)
        self.addWidget(side)
        self.setSizes([LARGE_PX, SIDE_PX])
        self.setStretchFactor(0, 1)
        for view in self.slices.values():
            view.zoomed.connect(lambda factor, view=view: self._zoom_others(view, factor))

    @property
    def axial(self) -> SliceView:
        """The view that tools work in."""
        return self.slices[Plane.AXIAL]

    def set_tool(self, tool: Tool) -> None:
        """Select a tool."""
        self.axial.set_tool(tool)
        for plane in (Plane.CORONAL, Plane.SAGITTAL):
            self.slices[plane].set_tool(tool.beside(plane) or CrosshairTool(self._workspace, plane))

    def finish_stroke(self) -> None:
        """End the stroke under way where the pointer is."""
        for view in self.slices.values():
            if view.tool.busy:
                view.finish_stroke()

    def cancel_stroke(self) -> None:
        """Give up the stroke under way."""
        for view in self.slices.values():
            view.tool.cancel()
            view.refresh()

    def focus_on(self, view: Voxels | None) -> None:
        """Show a part of the scan; the whole patient without one."""
        for one in self.slices.values():
            one.fit() if view is None else one.focus(*view)

    def _zoom_others(self, source: SliceView, factor: float) -> None:
        for view in self.slices.values():
            if view is not source:
                view.zoom_along(factor)
