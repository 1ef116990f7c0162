"""The first page: go on with a case that was left, open a scan, or go on with a recent one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from autocontour.case import LeftCase
from autocontour.gui.look.language import tr, tr_count

OFFERED = 3
CARD_PX, NARROW_PX = 560, 320
LIST_PX, LOW_LIST_PX, MOST_PX = 150, 84, 16_777_215
"""Heights of the list of recent folders; the last is Qt's own limit."""


class WelcomePage(QWidget):
    """Shown while no scan is open."""

    open_asked = Signal()
    folder_chosen = Signal(str)
    moved_case_chosen = Signal(object)
    """The folder of a case whose CT is no longer where it was."""
    left_case_chosen = Signal(object)
    left_case_dismissed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[LeftCase] = []
        outer = QVBoxLayout(self)
        outer.setAlignment(Qt.AlignmentFlag.AlignCenter)
        outer.setSpacing(18)
        self.left = _card()
        self._left_column = QVBoxLayout(self.left)
        self._left_column.setContentsMargins(36, 22, 36, 24)
        self.left.hide()
        self.card = _card()
        column = QVBoxLayout(self.card)
        column.setContentsMargins(36, 32, 36, 32)
        column.setSpacing(14)
        title = QLabel("autocontour")
        title.setObjectName("title")
        words = QLabel(tr("Drop a folder with a planning CT here, or open one."), wordWrap=True)
        words.setObjectName("muted")
        self.open = QPushButton(tr("Open a CT folder…"))
        self.open.setObjectName("primary")
        self.open.setMinimumHeight(40)
        self.open.clicked.connect(self.open_asked)
        self._heading = QLabel(tr("RECENT"))
        self._heading.setObjectName("heading")
        self.recent = QListWidget()
        self.recent.setAccessibleName(tr("Recent folders"))
        self.recent.setMinimumHeight(LIST_PX)
        self.recent.itemActivated.connect(self._choose_recent)
        self.recent.itemClicked.connect(self._choose_recent)
        for widget in (title, words, self.open, self._heading, self.recent):
            column.addWidget(widget)
        outer.addWidget(self.left)
        outer.addWidget(self.card)

    def make_room(self, *, beside: bool, below: bool) -> None:
        """Leave room for the list of cases beside the cards, or below them."""
        for card in (self.left, self.card):
            card.setFixedWidth(NARROW_PX if beside else CARD_PX)
            layout = card.layout()
            assert layout is not None  # every card has one
            margins = layout.contentsMargins()
            margins.setLeft(20 if beside else 36)
            margins.setRight(20 if beside else 36)
            if card is self.card:
                margins.setTop(14 if below else 32)
                margins.setBottom(14 if below else 32)
            layout.setContentsMargins(margins)
        self.recent.setMinimumHeight(LOW_LIST_PX if below else LIST_PX)
        self.recent.setMaximumHeight(LOW_LIST_PX if below else MOST_PX)

    def _show_recent_if_any(self) -> None:
        is_shown = bool(self.recent.count())
        self._heading.setVisible(is_shown)
        self.recent.setVisible(is_shown)

    def show_recent(self, folders: list[str]) -> None:
        """List `folders`, newest first."""
        self.recent.clear()
        for folder in folders:
            path = Path(folder)
            item = QListWidgetItem(f"{path.parent.name} / {path.name}")
            item.setData(Qt.ItemDataRole.UserRole, folder)
            item.setToolTip(folder)
            self.recent.addItem(item)
        self._show_recent_if_any()

    def show_moved(self, cases: Mapping[Path, Path]) -> None:
        """Add recent folders that are no longer there, each with the case that was drawn on its CT."""
        for path, case in cases.items():
            name = f"{path.parent.name} / {path.name}"
            item = QListWidgetItem(tr("{name}   ·   CT not found here: search for it", name=name))
            item.setData(Qt.ItemDataRole.UserRole, case)
            item.setToolTip(tr("The CT of this case is no longer in {folder}.", folder=path))
            self.recent.addItem(item)
        self._show_recent_if_any()

    def _choose_recent(self, item: QListWidgetItem) -> None:
        chosen = item.data(Qt.ItemDataRole.UserRole)
        (self.moved_case_chosen if isinstance(chosen, Path) else self.folder_chosen).emit(chosen)

    def offer(self, cases: list[LeftCase]) -> None:
        """Offer the cases that a killed program left; Enter takes the first."""
        self.offered = cases
        while self._left_column.count():
            item = self._left_column.takeAt(0)
            if item is not None and (widget := item.widget()):
                widget.deleteLater()
        self.left.setVisible(bool(cases))
        self.open.setObjectName("" if cases else "primary")
        self.open.style().polish(self.open)
        for number, case in enumerate(cases[:OFFERED]):
            self._left_column.addWidget(self._offer(case, is_first=number == 0))
        QTimer.singleShot(0, self, self._take_focus)  # once the buttons are shown: before, they cannot have it

    def showEvent(self, event: QShowEvent) -> None:
        """Put the keyboard where the work goes on."""
        super().showEvent(event)
        self._take_focus()

    def _take_focus(self) -> None:
        first = self.left.findChild(QPushButton, "primary") if self.left.isVisibleTo(self) else None
        (first or self.open).setFocus()

    def _offer(self, case: LeftCase, *, is_first: bool) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 4, 0, 4)
        if is_first:
            heading = QLabel(tr("The program ended unexpectedly"), wordWrap=True)
            heading.setObjectName("title")
            heading.setStyleSheet("font-size: 19px;")
            column.addWidget(heading)
        facts = QLabel(left_case_in_words(case), wordWrap=True)
        facts.setTextFormat(Qt.TextFormat.PlainText)
        go_on, dismiss = QPushButton(tr("Continue this case")), QPushButton(tr("Not now"))
        go_on.setObjectName("primary" if is_first else "")
        go_on.setAutoDefault(True)
        go_on.setAccessibleDescription(facts.text())
        dismiss.setToolTip(tr("Nothing is lost: the changes are kept and return when the scan is opened"))
        go_on.clicked.connect(lambda: self.left_case_chosen.emit(case))
        dismiss.clicked.connect(lambda: self.left_case_dismissed.emit(case))
        row = QHBoxLayout()
        row.addWidget(go_on, 1)
        row.addWidget(dismiss)
        column.addWidget(facts)
        column.addLayout(row)
        return box


def left_case_in_words(case: LeftCase) -> str:
    """Return scan, structures and last change in a line; nothing of the patient."""
    scan = "   ·   ".join(part for part in (f"CT {case.scan.date}".strip(), case.scan.series) if part)
    at = case.changed_at.astimezone()
    structures = tr_count(case.structures, "{count} structure", "{count} structures")
    changes = tr_count(
        case.changes,
        "{count} change, the last on {date} at {time}",
        "{count} changes, the last on {date} at {time}",
        date=f"{at:%Y-%m-%d}",
        time=f"{at:%H:%M}",
    )
    moved = "\n" + tr("The CT is no longer where it was; it will be searched for.") if case.is_moved else ""
    return f"{scan}\n{structures}   ·   {changes}{moved}"


def _card() -> QFrame:
    card = QFrame()
    card.setObjectName("card")
    card.setFixedWidth(CARD_PX)
    return card
