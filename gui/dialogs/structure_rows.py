"""Rows of structures, each with a length where there is one, and what they are made of."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from autocontour.case import CaseState
from autocontour.gui.look.language import tr
from autocontour.gui.look.numbers import DecimalBox

LARGEST_MM = 200.0
BUTTONS_PX = 42
"""Padding and buttons of a box for millimetres."""


class _LengthBox(DecimalBox):
    """A length, without needless zeros; a recipe's own decimals are kept."""

    def textFromValue(self, value: float) -> str:
        """Return the number as short as it is exact."""
        return f"{value:.3f}".rstrip("0").rstrip(".") or "0"


class StructureRows(QWidget):
    """A list of structures, each with a gap where there is one; any number of rows.

    Parameters
    ----------
    name
        For screen readers.
    tip
        What the button for another row does.
    without
        Number of the structure that cannot be chosen.
    key
        Its key.
    gap
        Name of the length beside each structure; empty for none.
    """

    changed = Signal()

    def __init__(self, name: str, tip: str, without: int | None, key: str, gap: str = "") -> None:
        super().__init__()
        self._name, self._without, self._gap = name, without, gap
        self._state = CaseState()
        self.rows: list[tuple[QWidget, QComboBox, QDoubleSpinBox | None]] = []
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self._column = QVBoxLayout()
        self._column.setSpacing(4)
        self._tip, self._key = tip, key
        self.add_button = QToolButton()
        self.add_button.setToolTip(f"{tip}  ({key})")
        self.add_button.setAccessibleName(tip)
        self.add_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.add_button.clicked.connect(self._add_next)
        outer.addLayout(self._column)
        outer.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignBottom)
        outer.addStretch()
        self._arrange()

    @property
    def chosen(self) -> list[tuple[str, float]]:
        """Names of the structures as they are now, with their gaps in mm."""
        found = []
        for _, box, gap in self.rows:
            name = name_of(self._state, box.currentData(), box.currentText())
            found.append((name, gap.value() if gap else 0.0))
        return found

    def fill(self, state: CaseState, wanted: list[tuple[str, float]]) -> None:
        """Show structures by their names."""
        self._state = state
        for name, gap_mm in wanted:
            item = state.find(name)
            self.add(item.structure.number if item else None, gap_mm, name)

    def follow(self, state: CaseState) -> None:
        """Show the structures as they are now."""
        self._state = state
        for _, box, _ in self.rows:
            refill(box, state, self._without, is_optional=False)

    def add(self, number: int | None, gap_mm: float = 0.0, name: str = "") -> QComboBox:
        """Add a row; a structure that is not in the case is shown by its name."""
        box = QComboBox()
        box.setAccessibleName(self._name)
        refill(box, self._state, self._without, is_optional=False)
        if number is None:
            box.insertItem(0, name, -1)
            box.setCurrentIndex(0)
        else:
            box.setCurrentIndex(box.findData(number))
        gap = millimetres(self._gap, 0.0) if self._gap else None
        remove = QToolButton()
        remove.setText("×")
        remove.setToolTip(tr("Remove"))
        remove.setAccessibleName(tr("Remove"))
        row = in_row(box, *([gap] if gap else []), remove)
        entry = (row, box, gap)
        remove.clicked.connect(lambda: self._remove(entry))
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        if gap is not None:
            gap.setValue(gap_mm)
            gap.setToolTip(self._gap)
            gap.valueChanged.connect(lambda _: self.changed.emit())
        self.rows.append(entry)
        self._column.addWidget(row)
        self._arrange()
        return box

    def _arrange(self) -> None:
        """Place the button beside the last row; without rows it has a label."""
        self.add_button.setText("+" if self.rows else f"+ {self._tip}")
        self.add_button.setShortcut(self._key)  # a new text takes it away
        outer = self.layout()
        assert isinstance(outer, QHBoxLayout)  # as it was made
        outer.setStretch(0, int(bool(self.rows)))
        outer.setStretch(2, int(not self.rows))

    def _add_next(self) -> None:
        used = {box.currentData() for _, box, _ in self.rows}
        numbers = [n for n in self._state.numbers if n != self._without and self._state[n].structure.contours]
        free = next((number for number in numbers if number not in used), None)
        if free is not None:
            self.add(free).setFocus()
            self.changed.emit()

    def _remove(self, entry: tuple[QWidget, QComboBox, QDoubleSpinBox | None]) -> None:
        self.rows.remove(entry)
        entry[0].hide()
        entry[0].deleteLater()
        self._arrange()
        self.changed.emit()


def name_of(state: CaseState, number: object, shown: str) -> str:
    """Return the name of a structure as it is now; the shown one if it was deleted."""
    return state[number].structure.name if isinstance(number, int) and number in state else shown


def refill(box: QComboBox, state: CaseState, without: int | None, *, is_optional: bool = True) -> None:
    """Offer the structures of a case in a box; what was chosen stays, also if it was deleted."""
    number, shown = box.currentData(), box.currentText()
    box.blockSignals(True)
    box.clear()
    if is_optional:
        box.addItem(tr("not cropped"), None)
    for item in state.items:
        if item.structure.number != without:
            box.addItem(item.structure.name, item.structure.number)
    if number is not None and box.findData(number) < 0:
        deleted = tr("{name} (deleted)", name="")
        is_marked = number < 0 or shown.endswith(deleted)
        box.addItem(shown if is_marked else tr("{name} (deleted)", name=shown), number)
    if number is not None:
        box.setCurrentIndex(box.findData(number))
    box.blockSignals(False)


def millimetres(name: str, least_mm: float) -> QDoubleSpinBox:
    """Return a box for a length from `least_mm`."""
    box = _LengthBox(minimum=least_mm, maximum=LARGEST_MM, singleStep=1, decimals=3, suffix=" mm")
    box.setAccessibleName(name)
    box.setMinimumHeight(box.sizeHint().height())
    box.setFixedWidth(box.fontMetrics().horizontalAdvance("-200.0 mm") + BUTTONS_PX)
    return box


def in_row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side; the first takes what room there is."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for index, widget in enumerate(widgets):
        row.addWidget(widget, int(index == 0))
    return holder
