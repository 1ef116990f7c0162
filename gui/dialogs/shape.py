"""Questions about shapes: margin, boolean, crop, move, and a new structure."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListView,
    QWidget,
)

from autocontour.case import CaseState
from autocontour.edits import Boolean
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look.language import later, tr
from autocontour.gui.look.numbers import DecimalBox
from autocontour.patient.nomenclature import known_names

SIDES = (
    *(later("Left"), later("Right"), later("Anterior")),
    *(later("Posterior"), later("Superior"), later("Inferior")),
)
NEW = later("A new structure")
SYMBOLS = {
    Boolean.UNION: later("or  (union)"),
    Boolean.INTERSECTION: later("and  (intersection)"),
    Boolean.DIFFERENCE: later("minus  (difference)"),
}


class MarginDialog(Dialog):
    """Six margins in mm; shrink is below zero."""

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent, tr("Margin"), tr("Expand {name}; negative values shrink it.", name=name), tr("Apply"))
        grid = QGridLayout()
        self.boxes = [_millimetres(tr(side), 5.0) for side in SIDES]
        for index, (side, box) in enumerate(zip(SIDES, self.boxes, strict=True)):
            grid.addWidget(QLabel(tr(side)), index // 2, 2 * (index % 2))
            grid.addWidget(box, index // 2, 2 * (index % 2) + 1)
            box.valueChanged.connect(partial(self._follow, box))
        self.same = QCheckBox(tr("The same in every direction"))
        self.same.setChecked(True)
        self.target = QComboBox()
        self.target.addItems([tr(NEW), tr("Change {name}", name=name)])
        self.body.addWidget(self.same)
        self.body.addLayout(grid)
        self.body.addWidget(self.target)
        self.finish()

    @property
    def margins_mm(self) -> tuple[float, float, float, float, float, float]:
        """Left, right, anterior, posterior, superior, inferior."""
        left, right, anterior, posterior, superior, inferior = (box.value() for box in self.boxes)
        return left, right, anterior, posterior, superior, inferior

    @property
    def makes_new(self) -> bool:
        """Whether the result is a structure of its own."""
        return self.target.currentIndex() == 0

    def _follow(self, typed: QDoubleSpinBox, value: float) -> None:
        """Give the other boxes the value; set in its own, it would replace what is being typed: 2.5 became 25."""
        if self.same.isChecked():
            for box in self.boxes:
                if box is typed:
                    continue
                box.blockSignals(True)
                box.setValue(value)
                box.blockSignals(False)


class BooleanDialog(Dialog):
    """First structure, operation, second structure, each with a margin, and where the result goes."""

    def __init__(self, parent: QWidget, state: CaseState, selected: int | None) -> None:
        super().__init__(parent, tr("Boolean"), tr("Combine two structures, slice by slice."), tr("Apply"))
        form = QFormLayout()
        other = next((number for number in state.numbers if number != selected), None)
        self.first, self.second = _structures(state, selected), _structures(state, other)
        self.first_margin, self.second_margin = _millimetres(tr("first margin")), _millimetres(tr("second margin"))
        self.how = QComboBox()
        for how, words in SYMBOLS.items():
            self.how.addItem(tr(words), how)
        self.target = QComboBox()
        self.target.addItem(tr(NEW))
        for item in state.items:
            if not item.is_protected:
                self.target.addItem(tr("Replace {name}", name=item.structure.name), item.structure.number)
        form.addRow(tr("First"), self.first)
        form.addRow(tr("grown by"), self.first_margin)
        form.addRow("", self.how)
        form.addRow(tr("Second"), self.second)
        form.addRow(tr("grown by"), self.second_margin)
        form.addRow(tr("Result"), self.target)
        self.body.addLayout(form)
        self.finish()


class CropDialog(Dialog):
    """Keep a structure inside another, or away from it."""

    def __init__(self, parent: QWidget, state: CaseState, selected: int, name: str) -> None:
        super().__init__(parent, tr("Crop"), tr("Crop {name} at another structure.", name=name), tr("Apply"))
        form = QFormLayout()
        self.side = QComboBox()
        self.side.addItems([tr("Keep what is inside"), tr("Keep what is outside")])
        self.other = _structures(state, None, without=selected)
        self.gap = _millimetres(tr("gap"))
        self.gap.setMinimum(0)
        form.addRow("", self.side)
        form.addRow(tr("Structure"), self.other)
        form.addRow(tr("Gap"), self.gap)
        self.body.addLayout(form)
        self.finish()

    @property
    def inside(self) -> bool:
        """Whether the inside is kept."""
        return self.side.currentIndex() == 0


class MoveDialog(Dialog):
    """Shift and turn."""

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(
            parent, tr("Move or rotate"), tr("Shift {name} and rotate it about its centre.", name=name), tr("Apply")
        )
        form = QFormLayout()
        self.right, self.down = _millimetres(tr("to the right of the screen")), _millimetres(tr("down the screen"))
        self.degrees = DecimalBox(minimum=-180, maximum=180, decimals=1, suffix="°")
        self.where = QComboBox()
        self.where.addItems([tr("Every slice"), tr("This slice")])
        form.addRow(tr("To the right"), self.right)
        form.addRow(tr("Down"), self.down)
        form.addRow(tr("Clockwise"), self.degrees)
        form.addRow(tr("On"), self.where)
        self.body.addLayout(form)
        self.finish()


class NameDialog(Dialog):
    """A name for a new structure, with TG-263's names at hand."""

    def __init__(self, parent: QWidget, title: str, suggestion: str = "") -> None:
        super().__init__(parent, title, tr("TG-263 names are suggested as you type."), tr("Add"))
        self.edit = QLineEdit(suggestion, placeholderText=tr("Name, such as Heart or PTV_High"))
        self.edit.setAccessibleName(tr("Name"))
        completer = QCompleter(list(known_names()), self.edit)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.edit.setCompleter(completer)
        popup = completer.popup()
        assert popup is not None  # a completer of names has one
        popup.installEventFilter(self)
        self.edit.textChanged.connect(lambda text: self.ok.setEnabled(bool(text.strip())))
        self.ok.setEnabled(bool(suggestion))
        self.body.addWidget(self.edit)
        self.finish()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let one Return do: it takes the name that is marked, or what was typed, and answers the dialog."""
        is_return = (
            event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        )
        if is_return and isinstance(watched, QListView) and watched.isVisible():
            marked = watched.currentIndex()
            if marked.isValid():
                self.edit.setText(str(marked.data()))
            watched.hide()
            self.ok.click()
            return True
        return super().eventFilter(watched, event)

    @property
    def name(self) -> str:
        """What was typed."""
        return self.edit.text().strip()


def _millimetres(name: str, value: float = 0.0) -> QDoubleSpinBox:
    box = DecimalBox(minimum=-100, maximum=100, singleStep=1, decimals=1, suffix=" mm")
    box.setValue(value)
    box.setAccessibleName(name)
    return box


def _structures(state: CaseState, selected: int | None, without: int | None = None) -> QComboBox:
    box = QComboBox()
    for item in state.items:
        number = item.structure.number
        if number != without:
            box.addItem(item.structure.name, number)
    if selected is not None:
        box.setCurrentIndex(box.findData(selected))
    return box
