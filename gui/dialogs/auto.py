"""What to draw automatically."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QPushButton, QWidget

from autocontour.case import CaseState
from autocontour.errors import AutoContourError
from autocontour.gui.dialogs.frame import Dialog
from autocontour.pipeline import drawable_names
from autocontour.template import list_templates, read_template

EVERYTHING = "Everything that can be drawn"


class AutoContourDialog(Dialog):
    """Choose a site template and its structures."""

    def __init__(self, parent: QWidget, state: CaseState, template: str) -> None:
        words = "Structures that are there are drawn anew; locked and approved ones stay as they are."
        super().__init__(parent, "Auto-contour", words, "Draw", width=480)
        self._state = state
        self.template = QComboBox()
        self.template.setAccessibleName("Template")
        self.template.addItem(EVERYTHING, "")
        for name in list_templates():
            self.template.addItem(read_template(name).title, name)
        self.list = QListWidget()
        self.list.setMinimumHeight(280)
        self.list.setAccessibleName("Structures to draw")
        self.template.currentIndexChanged.connect(self._fill)
        self.list.itemChanged.connect(self._count)
        row = QHBoxLayout()
        for words, checked in (("All", True), ("None", False)):
            button = QPushButton(words)
            button.clicked.connect(lambda _=False, on=checked: self._check_all(on=on))
            row.addWidget(button)
        row.addStretch()
        self.body.addWidget(self.template)
        self.body.addWidget(self.list)
        self.body.addLayout(row)
        self._note = QLabel()
        self._note.setObjectName("muted")
        self.body.addWidget(self._note)
        self.template.setCurrentIndex(max(self.template.findData(template), 0))
        self._fill()
        self.finish()

    @property
    def template_name(self) -> str:
        """The template chosen; empty for everything."""
        return str(self.template.currentData())

    @property
    def names(self) -> tuple[str, ...]:
        """TG-263 names of what is to be drawn."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return tuple(i.data(Qt.ItemDataRole.UserRole) for i in items if i.checkState() is Qt.CheckState.Checked)

    def _fill(self) -> None:
        self.list.clear()
        for name, tg263 in self._offered():
            item = QListWidgetItem(name)
            existing = self._state.find(name)
            is_free = existing is None or not existing.is_protected
            item.setData(Qt.ItemDataRole.UserRole, tg263)
            item.setCheckState(Qt.CheckState.Checked if is_free else Qt.CheckState.Unchecked)
            if not is_free:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
                item.setText(f"{name}   (protected)")
            self.list.addItem(item)
        self._count()

    def _offered(self) -> list[tuple[str, str]]:
        try:
            if not self.template_name:
                return [(name, name) for name in drawable_names()]
            return [(entry.name, entry.tg263_name) for entry in read_template(self.template_name).structures]
        except AutoContourError:
            return []

    def _check_all(self, *, on: bool) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item.flags() & Qt.ItemFlag.ItemIsEnabled:
                item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _count(self) -> None:
        count = len(self.names)
        self._note.setText(f"{count} structure{'s' * (count != 1)} to draw")
        self.ok.setEnabled(count > 0)
