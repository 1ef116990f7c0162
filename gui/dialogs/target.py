"""Target: which structures it is made from and how, its name, type and colour, with a preview while it is open."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QCompleter,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QToolButton,
    QWidget,
)

from autocontour.case import CaseState
from autocontour.edits import EndCount
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.structure_rows import LARGEST_MM, StructureRows, in_row, millimetres, name_of, refill
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.patient.nomenclature import known_names
from autocontour.patient.recipe import DIRECTIONS, Margins, Minus, Recipe, suggested_name
from autocontour.site.preflight import INTERPRETED_TYPES

SETTLE_MS = 150
WIDTH_PX = 440
SWATCH_PX = 16
ON_SCREEN = ("R", "L", "A", "P", "S", "I")
"""Margins in the order in which they are shown."""
SIDES = {
    "R": later("Right (R)"),
    "L": later("Left (L)"),
    "A": later("Anterior (A)"),
    "P": later("Posterior (P)"),
    "S": later("Superior (S)"),
    "I": later("Inferior (I)"),
}
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class TargetStart:
    """What the dialog shows first.

    Attributes
    ----------
    recipe
        Its structures, by the names they have now.
    name, interpreted_type
        Empty to suggest them for the recipe.
    color_rgb
        Colour of the result.
    number
        The structure whose recipe is changed; None for a new one.
    """

    recipe: Recipe
    name: str
    interpreted_type: str
    color_rgb: Rgb
    number: int | None = None


class TargetDialog(Dialog):
    """A recipe; the window stays usable meanwhile, so that the preview can be looked at on every slice.

    Signals
    -------
    recipe_changed
        Something that the contours depend on has changed, and then been left alone for a moment.
    color_changed
        The preview has another colour.
    accept_asked
        The result is to be added or changed; whoever does so closes the dialog.
    """

    recipe_changed = Signal()
    color_changed = Signal()
    accept_asked = Signal()

    def __init__(self, parent: QWidget, state: CaseState, start: TargetStart) -> None:
        title = tr("Target") if start.number is None else tr("Recipe of {name}", name=start.name)
        words = tr("The views show the result, dashed. F6 makes it again by this recipe after a source changed.")
        super().__init__(parent, title, words, tr("Add") if start.number is None else tr("Apply"), width=WIDTH_PX)
        self.setModal(False)
        self.start = start
        self.color_rgb = start.color_rgb
        self._state = state
        self._timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._timer.timeout.connect(self.recipe_changed)
        self.body.setSpacing(8)
        self._build(start)
        self._fill(state, start.recipe)
        self._listen()
        self._suggest()
        self.finish()
        self.margin_boxes["R"].setFocus()
        self.margin_boxes["R"].selectAll()
        self._timer.start()

    # What is chosen ---------------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The recipe as it is chosen; structures by the names they have now."""
        minus = tuple(Minus(name, gap) for name, gap in self.minus.chosen)
        left, right, anterior, posterior, superior, inferior = (self.margin_boxes[side].value() for side in DIRECTIONS)
        margins: Margins = (left, right, anterior, posterior, superior, inferior)
        inside = self.inside.currentData()
        name = "" if inside is None else name_of(self._state, inside, self.inside.currentText())
        return Recipe(
            tuple(dict.fromkeys(name for name, _ in self.sources.chosen)),
            margins,
            tuple(dict.fromkeys(name for name, _ in self.plus.chosen)),
            name,
            self.inside_mm.value() if name else 0.0,
            minus,
        )

    def accept(self) -> None:
        """Ask for the result to be added or changed."""
        self.accept_asked.emit()

    @property
    def name(self) -> str:
        """The name of the result."""
        return self.name_edit.text().strip()

    @property
    def interpreted_type(self) -> str:
        """RT ROI Interpreted Type of the result."""
        return self.type_box.currentText()

    def follow(self, state: CaseState) -> None:
        """Show the structures as they are now: one may have been renamed, added or deleted."""
        self._state = state
        for rows in (self.sources, self.plus, self.minus):
            rows.follow(state)
        refill(self.inside, state, self.start.number)
        self._ask_again()

    # What is shown of the result --------------------------------------------------------------------------------------

    def show_result(self, facts: str, ends: str, warnings: str) -> None:
        """Show figures of the result; it can be accepted."""
        self.facts.setText(facts)
        self.ends.setText(ends)
        self.warnings.setText(warnings)
        self.warnings.setVisible(bool(warnings))
        self.problem.hide()
        self.progress.hide()
        self.ok.setEnabled(True)
        self._fit()

    def show_problem(self, words: str) -> None:
        """Show why there is no result; it cannot be accepted."""
        self.facts.setText("")
        self.warnings.hide()
        self.problem.setText(words)
        self.problem.show()
        self.progress.hide()
        self.ok.setEnabled(False)
        self._fit()

    def show_progress(self, fraction: float) -> None:
        """Show how far the computation of the preview is."""
        self.progress.setValue(round(1000 * fraction))
        if self.progress.isHidden():
            self.progress.show()
            self._fit()

    def _fit(self) -> None:
        """Make the dialog as high as what it shows now."""
        layout = self.layout()
        assert layout is not None  # of every dialog
        layout.activate()
        self.resize(self.width(), max(layout.totalHeightForWidth(self.width()), layout.totalMinimumSize().height()))

    # Building ---------------------------------------------------------------------------------------------------------

    def _build(self, start: TargetStart) -> None:
        without = start.number
        self.sources = StructureRows(tr("Source"), tr("Unite another source"), without, "Alt+U")
        self.plus = StructureRows(tr("Plus"), tr("Add a structure to the result"), without, "Alt+P")
        self.minus = StructureRows(tr("Minus"), tr("Subtract a structure"), without, "Alt+M", gap=tr("Gap"))
        form = QFormLayout()
        form.setVerticalSpacing(6)
        self.ends = QLabel(wordWrap=True)
        self.ends.setObjectName("muted")
        for words, widget in (
            (tr("Source"), self.sources),
            (tr("Margin"), self._margins()),
            ("", self.ends),
            (tr("Plus"), self.plus),
            (tr("Inside"), self._inside()),
            (tr("Minus"), self.minus),
            (tr("Name"), self._names()),
        ):
            form.addRow(words, widget)
        self.body.addLayout(form)
        self.facts, self.warnings, self.problem = (QLabel(wordWrap=True) for _ in range(3))
        self.warnings.setObjectName("warning")
        self.problem.setObjectName("refusal")
        self.progress = QProgressBar(textVisible=False, maximum=1000)
        self.progress.setAccessibleName(tr("Progress of the preview"))
        for widget in (self.facts, self.warnings, self.problem, self.progress):
            self.body.addWidget(widget)
        for hidden in (self.warnings, self.problem, self.progress):
            hidden.hide()

    def _margins(self) -> QWidget:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        self.margin_boxes = {side: millimetres(tr(SIDES[side]), -LARGEST_MM) for side in ON_SCREEN}
        for index, side in enumerate(ON_SCREEN):
            label = QLabel(side)
            label.setToolTip(tr(SIDES[side]))
            grid.addWidget(label, index % 2, 2 * (index // 2))
            grid.addWidget(self.margin_boxes[side], index % 2, 2 * (index // 2) + 1)
        self.same = QCheckBox(tr("The same in every direction"))
        grid.addWidget(self.same, 2, 0, 1, 6)
        return holder

    def _inside(self) -> QWidget:
        self.inside = QComboBox()
        self.inside.setAccessibleName(tr("Kept inside"))
        self.inside_mm = millimetres(tr("Distance inside the surface"), 0.0)
        self.inside_mm.setToolTip(tr("Distance inside the surface"))
        return in_row(self.inside, self.inside_mm)

    def _names(self) -> QWidget:
        self.name_edit = QLineEdit(placeholderText=tr("Name, such as Heart or PTV_High"))
        self.name_edit.setAccessibleName(tr("Name"))
        completer = QCompleter(list(known_names()), self.name_edit)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.name_edit.setCompleter(completer)
        self.type_box = QComboBox()
        self.type_box.setAccessibleName(tr("Type"))
        self.type_box.setToolTip(tr("RT ROI Interpreted Type"))
        self.type_box.addItems(sorted(INTERPRETED_TYPES))
        self.color = QToolButton()
        self.color.setAccessibleName(tr("Colour"))
        self.color.setToolTip(tr("Colour"))
        self._show_color()
        return in_row(self.name_edit, self.type_box, self.color)

    def _fill(self, state: CaseState, recipe: Recipe) -> None:
        for rows, names in ((self.sources, recipe.sources), (self.plus, recipe.plus)):
            rows.fill(state, [(name, 0.0) for name in names])
        self.minus.fill(state, [(one.name, one.gap_mm) for one in recipe.minus])
        for side, mm in zip(DIRECTIONS, recipe.margins_mm, strict=True):
            self.margin_boxes[side].setValue(mm)
        self.same.setChecked(len(set(recipe.margins_mm)) == 1)
        refill(self.inside, state, self.start.number)
        item = state.find(recipe.inside) if recipe.inside else None
        if recipe.inside and item is None:
            self.inside.addItem(recipe.inside, -1)
        inside = item.structure.number if item else -1 if recipe.inside else None
        self.inside.setCurrentIndex(self.inside.findData(inside))
        self.inside_mm.setValue(recipe.inside_mm)
        self.inside_mm.setEnabled(bool(recipe.inside))
        self.name_edit.setText(self.start.name)

    def _listen(self) -> None:
        for rows in (self.sources, self.plus, self.minus):
            rows.changed.connect(self._change)
        for box in self.margin_boxes.values():
            box.valueChanged.connect(self._follow_margin)
        self.same.toggled.connect(lambda _: self._follow_margin(self.margin_boxes["R"].value()))
        self.inside.currentIndexChanged.connect(self._change)
        self.inside.currentIndexChanged.connect(
            lambda _: self.inside_mm.setEnabled(self.inside.currentData() is not None)
        )
        self.inside_mm.valueChanged.connect(self._change)
        self.name_edit.textEdited.connect(lambda _: self._take_name())
        self.name_edit.textChanged.connect(lambda _: self._timer.start())
        self.type_box.activated.connect(lambda _: self._take_type())
        self.color.clicked.connect(self._ask_color)
        self._has_name, self._has_type = bool(self.start.name), bool(self.start.interpreted_type)
        if self.start.interpreted_type:
            self._set_type(self.start.interpreted_type)

    def _follow_margin(self, value: float) -> None:
        if self.same.isChecked():
            for box in self.margin_boxes.values():
                box.blockSignals(True)
                if box.value() != value:
                    box.setValue(value)
                box.blockSignals(False)
        self._change()

    def _change(self) -> None:
        self._suggest()
        self._fit()
        self._ask_again()

    def _ask_again(self) -> None:
        self._timer.start()

    def _take_name(self) -> None:
        self._has_name = bool(self.name)
        if not self._has_name:
            self._suggest()
            self.name_edit.selectAll()

    def _take_type(self) -> None:
        self._has_type = True

    def _suggest(self) -> None:
        """Suggest name and type of the recipe, unless they were chosen."""
        name, kind = suggested_name(self.recipe)
        if not self._has_name:
            self.name_edit.setText(name)
        if not self._has_type:
            self._set_type(kind)

    def _set_type(self, kind: str) -> None:
        if self.type_box.findText(kind) < 0:
            self.type_box.addItem(kind)
        self.type_box.setCurrentText(kind)

    def _ask_color(self) -> None:
        color = QColorDialog.getColor(QColor(*self.color_rgb), self, self.name)
        if color.isValid():
            self.color_rgb = (color.red(), color.green(), color.blue())
            self._show_color()
            self.color_changed.emit()

    def _show_color(self) -> None:
        pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
        pixmap.fill(QColor(*self.color_rgb))
        self.color.setIcon(QIcon(pixmap))


def ends_in_words(end: EndCount) -> str:
    """Return what a margin adds at one end, such as ``S 5 mm = 2 slices of 3 mm (6 mm)``."""
    what = f"{end.side} {end.margin_mm:g} mm = "
    count = abs(end.slices)
    if not count:
        return what + tr("no slice")
    if len({round(mm, 2) for mm in end.thicknesses_mm}) == 1:
        step = f"{end.thicknesses_mm[0]:.4g}"
        words = tr_count(count, "{count} slice of {mm} mm", "{count} slices of {mm} mm", mm=step)
    else:
        words = tr_count(count, "{count} slice", "{count} slices")
    words = tr("{slices} fewer", slices=words) if end.slices < 0 else words
    return f"{what}{words} ({end.length_mm:.4g} mm)"
