"""The strip under the views while structures are compared: legend and figures, one row per set."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from autocontour.contouring import volume_cc
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.gui.state.comparison import Compared, Comparison, Style

PENDING = "…"
ROW_PX = 26
COLUMNS: tuple[tuple[str, str], ...] = (
    (
        "DSC",
        later("Dice similarity coefficient, as `autocontour evaluate` computes it; ≈ until then, from the outlines"),
    ),
    ("HD95", later("95th percentile Hausdorff distance, as `autocontour evaluate` computes it")),
    (
        later("Added path"),
        later("Added path length: outline that is not in the set, as `autocontour evaluate` computes it"),
    ),
    (later("Volume"), later("Volume of the set's structure, and its difference from the structure being edited")),
    (
        later("Differs on"),
        later("Slices on which the outlines differ by more than 20 mm²; marked at the right of the slider"),
    ),
)


class Sample(QWidget):
    """A piece of a set's line, as the legend shows it: on black, as on the image."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._style = style
        self.setFixedSize(QSize(44, 16))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002  (always whole)
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0))
        painter.drawRoundedRect(self.rect(), 4, 4)
        painter.setPen(dashed(self._style))
        painter.drawLine(QPointF(4, self.height() / 2), QPointF(self.width() - 4, self.height() / 2))


class ComparisonStrip(QFrame):
    """Legend and figures of a comparison."""

    add_asked = Signal()

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setAccessibleName(tr("Comparison"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.comparison = comparison
        self.cells: list[list[QLabel]] = []
        self._rows: list[Compared] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(14, 6, 8, 6)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)
        self._title = QLabel()
        self._title.setObjectName("heading")
        comparison.changed.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Show the comparison as it stands."""
        self.setVisible(self.comparison.is_shown)
        if not self.comparison.is_shown:
            return
        if self._rows != self.comparison.sets or not self.cells:
            self._build()
        current = self.comparison.workspace.current
        self._title.setText(
            tr("{name} against", name=current.structure.name) if current else tr("No structure is selected")
        )
        for one, cells in zip(self._rows, self.cells, strict=True):
            for cell, words in zip(cells, self._texts(one), strict=True):
                cell.setText(words)

    def _build(self) -> None:
        """Lay out a row per set anew."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) not in (None, self._title):
                widget.deleteLater()
        self._rows = list(self.comparison.sets)
        self.cells = []
        self._grid.addWidget(self._title, 0, 0, 1, 2)
        for column, (name, tip) in enumerate(COLUMNS, 2):
            self._grid.addWidget(_label(tr(name), tr(tip), "muted"), 0, column)
        self._grid.addWidget(
            _button("+", tr("Compare with another RTSTRUCT") + "  (Ctrl+Shift+C)", self.add_asked.emit), 0, 7
        )
        for row, one in enumerate(self._rows, 1):
            self._grid.setRowMinimumHeight(row, ROW_PX)
            self._grid.addWidget(Sample(one.style), row, 0)
            is_original = one.structures is None and one.number is None
            label = QLabel(tr(one.label) if is_original else one.label)
            label.setTextFormat(Qt.TextFormat.PlainText)
            self._grid.addWidget(label, row, 1)
            self.cells.append([_label("", tr(tip)) for _, tip in COLUMNS])
            for column, cell in enumerate(self.cells[-1], 2):
                self._grid.addWidget(cell, row, column)
            if one.structures is not None:
                tip = tr("Remove {name} from the comparison", name=one.label)
                self._grid.addWidget(_button("×", tip, partial(self.comparison.remove, one)), row, 7)

    def _texts(self, one: Compared) -> list[str]:
        """Return the words of a set's cells."""
        space = self.comparison.workspace
        if space.current is None or space.ct is None:
            return [""] * len(COLUMNS)
        if not one.contours:
            return [
                tr("drawn by hand") if one.structures is None else tr("not in this set"),
                *[""] * (len(COLUMNS) - 1),
            ]
        found = one.metrics
        mine = volume_cc(space.current.structure.contours, space.ct.geometry)
        change = f"  ({100 * (one.volume_cc / mine - 1):+.0f} %)" if mine else ""
        count = len(one.overlap.differing)
        return [
            f"{found.dsc:.3f}" if found else f"≈ {one.overlap.dice:.3f}",
            _length(found.hd95_mm, 1) if found else PENDING,
            _length(found.added_path_length_mm, 0) if found else PENDING,
            f"{one.volume_cc:.1f} cc{change}",
            tr_count(count, "{count} slice", "{count} slices"),
        ]


def dashed(style: Style, width_px: float = 1.8) -> QPen:
    """Return the pen of a set's outlines, as wide on the screen at any zoom."""
    pen = QPen(QColor(*style.color_rgb), width_px)
    pen.setCosmetic(True)
    pen.setDashPattern(list(style.dashes))
    return pen


def preview_pen(color: QColor, width_px: float = 2.0) -> QPen:
    """Return the pen of a change that is only shown: dashed, on any image."""
    pen = QPen(color, width_px)
    pen.setCosmetic(True)
    pen.setDashPattern([4.0, 3.0])
    return pen


def _length(mm: float, digits: int) -> str:
    return f"{mm:.{digits}f} mm" if math.isfinite(mm) else "–"


def _label(words: str, tip: str, name: str = "") -> QLabel:
    label = QLabel(words)
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    label.setToolTip(tip)
    label.setObjectName(name)
    return label


def _button(words: str, tip: str, act: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(words)
    button.setFixedSize(26, ROW_PX - 2)
    button.setStyleSheet("padding: 0")
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.clicked.connect(lambda: act())
    return button
