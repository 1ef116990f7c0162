"""Where views and structures lie: side by side, and on a narrow window one behind the other beside the large view."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from autocontour.gui.look.language import tr
from autocontour.gui.views.slice_slider import WIDTH_PX
from autocontour.gui.views.view_grid import ViewGrid

NARROW_PX = 1000
LARGE_SHARE = 0.6
"""Of a narrow window's width that the large view keeps."""
PANEL_PX, EDGES_PX = 300, 8


class Room(QSplitter):
    """The views and the panel.

    In a window narrower than `NARROW_PX` the views at the side and the panel are two tabs of one column, so that the
    large view keeps `LARGE_SHARE` of the window.

    Parameters
    ----------
    below
        What lies under the views.
    """

    def __init__(self, views: ViewGrid, below: QWidget, panel: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHandleWidth(3)
        self.views, self.panel = views, panel
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(views, 1)
        column.addWidget(below)
        self.addWidget(holder)
        self.addWidget(panel)
        self.setStretchFactor(0, 1)
        self.setCollapsible(0, False)
        self.setSizes([4 * PANEL_PX, PANEL_PX])

    @property
    def is_narrow(self) -> bool:
        """Whether the side views and the panel share a column."""
        return self.tabs.count() > 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange for the width of the window."""
        super().resizeEvent(event)
        width = self.window().width()
        if (width < NARROW_PX) != self.is_narrow:
            self._be_narrow() if width < NARROW_PX else self._be_wide()
        if self.is_narrow:
            at_the_left = width - self.width()
            column = int(width * (1 - LARGE_SHARE)) - at_the_left - WIDTH_PX - EDGES_PX
            self.setSizes([self.width() - column, column])

    def _be_narrow(self) -> None:
        self.tabs.addTab(self.panel, tr("Structures"))
        self.tabs.addTab(self.views.lend_side(), tr("Views"))
        self.addWidget(self.tabs)
        self.tabs.show()

    def _be_wide(self) -> None:
        self.tabs.setParent(None)
        self.views.take_back_side()
        self.insertWidget(1, self.panel)
        self.panel.show()
        self.setSizes([self.width() - PANEL_PX, PANEL_PX])
