"""The start page: open a scan, go on with a case that was left, and the list of all cases."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QScrollArea, QWidget

from autocontour.gui.panels.welcome import WelcomePage
from autocontour.gui.panels.worklist import WorklistPanel

BESIDE_FROM_PX = 1360
"""Width from which the list lies beside the cards instead of below them."""


class StartPage(QScrollArea):
    """The cards of the welcome page, with the list of cases beside or below them once there are any.

    It scrolls where the window is too low for both.
    """

    def __init__(self, welcome: WelcomePage, cases: WorklistPanel) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        page = QWidget()
        self.setWidget(page)
        self._welcome, self._cases = welcome, cases
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, page)
        self._box.setContentsMargins(14, 14, 14, 14)
        self._box.setSpacing(14)
        self._box.addWidget(welcome)
        self._box.addWidget(cases, 1)
        cases.worklist.changed.connect(self.arrange)
        self.arrange()

    def arrange(self) -> None:
        """Give the list what room there is."""
        has_cases = bool(self._cases.worklist.cases)
        is_wide = self.width() >= BESIDE_FROM_PX
        self._cases.setVisible(has_cases)
        self._box.setDirection(QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom)
        self._welcome.make_room(beside=has_cases and is_wide, below=has_cases and not is_wide)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the list, and go on reading it while it is in sight."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._watch)  # once the window is there

    def hideEvent(self, event: QHideEvent) -> None:
        """Read no more."""
        super().hideEvent(event)
        self._cases.worklist.watch(on=False)

    def _watch(self) -> None:
        if self.isVisible():
            self._cases.worklist.watch(on=True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width of the window."""
        super().resizeEvent(event)
        self.arrange()
