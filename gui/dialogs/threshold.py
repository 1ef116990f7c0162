"""Threshold: a range of HU, where to look for it, and where it goes, with the slice shown as it would be."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QWidget

from autocontour.case import CaseState, CaseStructure
from autocontour.edits import HURange
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look.language import later, tr
from autocontour.gui.look.numbers import PLAIN, DecimalBox

LOWEST_HU, HIGHEST_HU = -1025, 3072
"""At these ends of the boxes the range is open."""
OPEN_ENDS, NO_LIMIT = (LOWEST_HU, HIGHEST_HU), later("no limit")
SETTLE_MS = 80
FROM_CROSSHAIR = later("Similar to the crosshair")
TISSUES = {
    later("Air"): HURange(-np.inf, -400),
    later("Lung"): HURange(-950, -400),
    later("Fat"): HURange(-150, -30),
    later("Soft tissue"): HURange(-30, 150),
    later("Bone"): HURange(200, np.inf),
    later("Metal"): HURange(2000, np.inf),
}
BOX = later("A box around the crosshair")
ADD, TAKE, REPLACE, NEW = "add", "take", "replace", "new"
AS_ADDED, AS_TAKEN, AS_REPLACED = later("Add to {name}"), later("Remove from {name}"), later("Replace {name}")


class ThresholdDialog(Dialog):
    """What lies in a range of HU, within a structure or a box.

    Parameters
    ----------
    state, current
        The structures, and the one that is selected.
    learned
        The range of what is under the crosshair.
    """

    asked = Signal()
    """What is chosen has changed, and then been left alone for a moment."""

    def __init__(self, parent: QWidget, state: CaseState, current: CaseStructure | None, learned: HURange) -> None:
        super().__init__(parent, tr("Threshold"), tr("The axial view shows what it finds on this slice."), tr("Apply"))
        self.tissue = QComboBox()
        self.tissue.addItem(tr(FROM_CROSSHAIR), learned)
        for name, hu_range in TISSUES.items():
            self.tissue.addItem(tr(name), hu_range)
        self.low, self.high = _HUBox(tr("from")), _HUBox(tr("to"))
        self.region = QComboBox()
        for item in state.items:
            if item.structure.contours:
                self.region.addItem(tr("Inside {name}", name=item.structure.name), item.structure.number)
        self.region.addItem(tr(BOX))
        body = next((i.structure.number for i in state.items if i.structure.interpreted_type == "EXTERNAL"), None)
        self.region.setCurrentIndex(max(self.region.findData(body), 0) if body is not None else self.region.count() - 1)
        self.side = DecimalBox(minimum=5, maximum=600, value=100, singleStep=10, decimals=0, suffix=" mm")
        self.connected = QCheckBox(tr("Only the region connected to the crosshair"))
        self.connected.setChecked(True)
        self.target = _targets(current)
        self._arrange()
        self._show_range(learned)
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self.asked)
        self._listen()
        self.finish()
        self._timer.start()

    @property
    def hu_range(self) -> HURange:
        """The range in the boxes."""
        low, high = self.low.value(), self.high.value()
        return HURange(-np.inf if low <= LOWEST_HU else low, np.inf if high >= HIGHEST_HU else high)

    def _arrange(self) -> None:
        form = QFormLayout()
        for words, widget in (
            (tr("Tissue"), self.tissue),
            (tr("From"), self.low),
            (tr("To"), self.high),
            (tr("Where"), self.region),
            (tr("Side of the box"), self.side),
            ("", self.connected),
            (tr("Result"), self.target),
        ):
            form.addRow(words, widget)
        self.body.addLayout(form)
        self._form = form
        self._offer_side()

    def _offer_side(self) -> None:
        self._form.setRowVisible(self.side, self.region.currentData() is None)

    def _listen(self) -> None:
        self.tissue.currentIndexChanged.connect(lambda _: self._show_range(self.tissue.currentData()))
        self.region.currentTextChanged.connect(self._offer_side)
        for signal in (
            *(self.low.valueChanged, self.high.valueChanged, self.side.valueChanged),
            *(self.region.currentTextChanged, self.connected.toggled),
        ):
            signal.connect(lambda *_: self._timer.start())

    def _show_range(self, hu_range: HURange) -> None:
        self.low.setValue(LOWEST_HU if np.isinf(hu_range.low_hu) else round(hu_range.low_hu))
        self.high.setValue(HIGHEST_HU if np.isinf(hu_range.high_hu) else round(hu_range.high_hu))


class _HUBox(QSpinBox):
    """A number of HU, open at its ends."""

    def __init__(self, name: str) -> None:
        super().__init__(minimum=LOWEST_HU, maximum=HIGHEST_HU, singleStep=10)
        self.setLocale(PLAIN)
        self.setAccessibleName(name)
        self.valueChanged.connect(lambda value: self.setSuffix("" if value in OPEN_ENDS else " HU"))

    def textFromValue(self, value: int) -> str:
        """Show the ends in words."""
        return tr(NO_LIMIT) if value in OPEN_ENDS else str(value)

    def valueFromText(self, text: str) -> int:
        """Read a number or the words."""
        digits = text.removesuffix(" HU").strip()
        return int(digits) if digits.lstrip("-").isdigit() else self.value()

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Take the words for an open end."""
        words = text.strip() == tr(NO_LIMIT)
        return (QValidator.State.Acceptable, text, position) if words else super().validate(text, position)


def _targets(current: CaseStructure | None) -> QComboBox:
    box = QComboBox()
    if current is not None and not current.is_protected:
        name = current.structure.name
        for words, what in ((AS_ADDED, ADD), (AS_TAKEN, TAKE), (AS_REPLACED, REPLACE)):
            box.addItem(tr(words, name=name), what)
    box.addItem(tr("A new structure"), NEW)
    return box
