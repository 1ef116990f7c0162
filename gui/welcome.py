"""The first page: open a scan, or go on with a recent one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget


class WelcomePage(QWidget):
    """Shown while no scan is open."""

    open_asked = Signal()
    folder_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        outer = QVBoxLayout(self)
        outer.setAlignment(Qt.AlignmentFlag.AlignCenter)
        card = QFrame()
        card.setObjectName("card")
        card.setFixedWidth(560)
        column = QVBoxLayout(card)
        column.setContentsMargins(36, 32, 36, 32)
        column.setSpacing(14)
        title = QLabel("autocontour")
        title.setObjectName("title")
        words = QLabel("Drop a folder with a planning CT here, or open one.", wordWrap=True)
        words.setObjectName("muted")
        button = QPushButton("Open a CT folder…")
        button.setObjectName("primary")
        button.setMinimumHeight(40)
        button.clicked.connect(self.open_asked)
        self._heading = QLabel("RECENT")
        self._heading.setObjectName("heading")
        self.recent = QListWidget()
        self.recent.setAccessibleName("Recent folders")
        self.recent.setMinimumHeight(150)
        self.recent.itemActivated.connect(lambda item: self.folder_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        self.recent.itemClicked.connect(lambda item: self.folder_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        for widget in (title, words, button, self._heading, self.recent):
            column.addWidget(widget)
        outer.addWidget(card)

    def show_recent(self, folders: list[str]) -> None:
        """List `folders`, newest first."""
        self.recent.clear()
        for folder in folders:
            path = Path(folder)
            item = QListWidgetItem(f"{path.parent.name} / {path.name}")
            item.setData(Qt.ItemDataRole.UserRole, folder)
            item.setToolTip(folder)
            self.recent.addItem(item)
        self._heading.setVisible(bool(folders))
        self.recent.setVisible(bool(folders))
