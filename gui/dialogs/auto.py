"""What to draw automatically, and by what."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from autocontour.base.errors import AutoContourError
from autocontour.case import CaseState
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.look import theme
from autocontour.gui.look.language import later, tr, tr_count
from autocontour.gui.panels.structure_list import is_by_hand
from autocontour.models import ModelPackage, available_packages
from autocontour.patient.identity import PatientFacts
from autocontour.pipeline.plan import RULES, SHORT_RULES, Drawable, list_drawable
from autocontour.site.template import list_templates, read_template

EVERYTHING = later("Everything that can be drawn")
AUTOMATIC = later("Automatic (matching site)")
WITHHELD = later("Off by default: its accuracy is below the limit, or it is for research. Check every slice of it.")
THERE = later("It is drawn already; tick it to draw it again.")
EDITED = later("It was edited by hand or comes from a file; ticked, its contours are replaced.")
UNKNOWN = later("No rule and no installed package draws it; draw it by hand.")
USER = Qt.ItemDataRole.UserRole
TICK_FRAME_PX = 8


@dataclass(frozen=True)
class _Offer:
    """A line of the list: the clinic's name, what it is drawn as, and what draws it."""

    name: str
    tg263_name: str
    drawn_by: str
    is_ticked: bool = True
    is_free: bool = True
    reason: str = ""


class _WholeNames(QStyledItemDelegate):
    """Gives the names the room that Qt forgets: the frame round the tick of a style sheet."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size that a name needs."""
        return super().sizeHint(option, index) + QSize(TICK_FRAME_PX, 0)


class AutoContourDialog(Dialog):
    """Choose a site template, a model package if there are several, and the structures.

    Parameters
    ----------
    state
        The case: protected structures cannot be chosen.
    facts
        The patient: packages that were made for another one are not offered.
    template, package
        What was chosen last; empty for everything, and for every package that fits.
    """

    def __init__(
        self, parent: QWidget, state: CaseState, facts: PatientFacts, template: str, package: str = ""
    ) -> None:
        words = tr(
            "What is missing is ticked. A structure that is ticked again is replaced, except locked and approved ones."
        )
        super().__init__(parent, tr("Auto-contour"), words, tr("Draw"), width=600)
        self._state = state
        fitting = (one for one in available_packages() if one.patient is None or one.patient.is_for(facts))
        self._packages = _by_name(list(fitting))
        self.template = QComboBox()
        self.template.setAccessibleName(tr("Template"))
        self.template.addItem(tr(EVERYTHING), "")
        for name in list_templates():
            self.template.addItem(read_template(name).title, name)
        self.package = QComboBox()
        self.package.setAccessibleName(tr("Model package"))
        self.package.addItem(tr(AUTOMATIC), "")
        for name, one in self._packages.items():
            self.package.addItem(f"{name} {one.version}   ({one.body_site.lower()})", name)
        self.package.setVisible(len(self._packages) > 1)
        self.list = self._build_list()
        row = QHBoxLayout()
        for words, checked in ((tr("All"), True), (tr("None"), False)):
            button = QPushButton(words)
            button.clicked.connect(lambda _=False, on=checked: self._check_all(on=on))
            row.addWidget(button)
        row.addStretch()
        self._note = QLabel()
        self._note.setObjectName("muted")
        row.addWidget(self._note)
        self.compare = QCheckBox(tr("Let every drawer draw, and keep all contours to compare them"))
        self.compare.setToolTip(tr("The first one is called as usual, the others Name^2, Name^3 …; Ctrl+K keeps one."))
        for widget in (self.template, self.package, self.list, self.compare):
            self.body.addWidget(widget)
        self.body.addLayout(row)
        self.template.setCurrentIndex(max(self.template.findData(template), 0))
        if len(self._packages) > 1:
            self.package.setCurrentIndex(max(self.package.findData(package), 0))
        self._fill()
        for box in (self.template, self.package):
            box.currentIndexChanged.connect(self._fill)
        self._follow_package()
        self.package.currentIndexChanged.connect(self._follow_package)
        self.list.itemChanged.connect(self._count)
        self.finish()

    @property
    def template_name(self) -> str:
        """The template chosen; empty for everything."""
        return str(self.template.currentData())

    @property
    def package_name(self) -> str:
        """The package chosen; empty for every one whose body site is in the scan."""
        return str(self.package.currentData())

    @property
    def names(self) -> tuple[str, ...]:
        """TG-263 names of what is to be drawn."""
        return tuple(i.data(0, USER) for i in self._items() if i.checkState(0) is Qt.CheckState.Checked)

    @property
    def replaced(self) -> tuple[str, ...]:
        """The clinic's names of what is ticked although a person has drawn or edited it."""
        return tuple(
            item.text(0)
            for item in self._items()
            if item.checkState(0) is Qt.CheckState.Checked
            and (existing := self._state.find(item.text(0))) is not None
            and is_by_hand(existing)
        )

    def accept(self) -> None:
        """Keep what is asked for: the fields are gone once the dialog is closed."""
        self.answer = (self.template_name, self.package_name, self.names, self.replaced, self.compare.isChecked())
        super().accept()

    def _build_list(self) -> QTreeWidget:
        found = QTreeWidget()
        found.setHeaderLabels([tr("Structure"), tr("Drawn by")])
        found.setRootIsDecorated(False)
        found.setUniformRowHeights(True)
        found.setMinimumHeight(300)
        found.setItemDelegateForColumn(0, _WholeNames(found))
        found.setAccessibleName(tr("Structures to draw"))
        found.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        found.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        found.header().setStretchLastSection(False)
        return found

    def _items(self) -> list[QTreeWidgetItem]:
        items = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [item for item in items if item is not None]

    def _fill(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for offer in self._offers():
            item = QTreeWidgetItem(self.list, [offer.name, offer.drawn_by])
            item.setData(0, USER, offer.tg263_name)
            item.setCheckState(0, Qt.CheckState.Checked if offer.is_ticked else Qt.CheckState.Unchecked)
            item.setForeground(1, QColor(theme.current.muted))
            for column in range(2):
                item.setToolTip(column, offer.reason or offer.drawn_by)
            if not offer.is_free:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.list.blockSignals(False)
        self._count()

    def _offers(self) -> list[_Offer]:
        """Return the lines of the list, what is ticked first."""
        chosen = self._packages.get(self.package_name)
        packages = [chosen] if chosen else list(self._packages.values())
        drawable = {one.name: one for one in list_drawable(packages, is_chosen=chosen is not None)}
        try:
            if not self.template_name:
                entries = [(name, name, "") for name in drawable]
            else:
                template = read_template(self.template_name).structures
                entries = [(entry.name, entry.tg263_name, entry.margin_of or "") for entry in template]
                for entry in template:
                    if entry.drawn_by and entry.tg263_name in drawable and not chosen:
                        drawable[entry.tg263_name] = replace(drawable[entry.tg263_name], drawn_by=entry.drawn_by)
        except AutoContourError:
            return []
        offers = [self._offer(name, tg263, source, drawable.get(tg263)) for name, tg263, source in entries]
        return sorted(offers, key=lambda offer: not offer.is_ticked)

    def _offer(self, name: str, tg263: str, margin_of: str, drawable: Drawable | None) -> _Offer:
        existing = self._state.find(name)
        if existing is not None and existing.is_protected:
            return _Offer(name, tg263, tr("protected"), is_ticked=False, is_free=False)
        offer = self._drawn(name, tg263, margin_of, drawable)
        if existing is None:  # it may have been renamed; drawn again it would be a second one
            existing = next((i for i in self._state.items if i.structure.tg263_name == tg263), None)
        if existing is None or not existing.structure.contours or not offer.is_free:
            return offer
        is_edited = is_by_hand(existing)
        there = tr("edited: {by}", by=offer.drawn_by) if is_edited else tr("there already: {by}", by=offer.drawn_by)
        return replace(
            offer, drawn_by=there, is_ticked=False, reason=offer.reason or tr(EDITED if is_edited else THERE)
        )

    def _drawn(self, name: str, tg263: str, margin_of: str, drawable: Drawable | None) -> _Offer:
        if margin_of:
            return _Offer(name, tg263, tr("margin of {name}", name=margin_of))
        if drawable is None:
            return _Offer(name, tg263, tr("by hand"), is_ticked=False, is_free=False, reason=tr(UNKNOWN))
        by = tr(" or ").join(tr("rules") if one in (RULES, SHORT_RULES) else one for one in drawable.drawn_by)
        if not drawable.by_default:
            return _Offer(name, tg263, tr("{by}, off by default", by=by), is_ticked=False, reason=tr(WITHHELD))
        return _Offer(name, tg263, by)

    def _follow_package(self) -> None:
        """Offer the comparison unless one package was chosen, which draws alone."""
        self.compare.setEnabled(not self.package_name)
        if self.package_name:
            self.compare.setChecked(False)

    def _check_all(self, *, on: bool) -> None:
        """Tick all or none; what is withheld is ticked by hand only."""
        for item in self._items():
            is_offered = item.flags() & Qt.ItemFlag.ItemIsEnabled and item.toolTip(0) != tr(WITHHELD)
            if is_offered or not on:
                item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _count(self) -> None:
        count = len(self.names)
        self._note.setText(tr_count(count, "{count} structure to draw", "{count} structures to draw"))
        self.ok.setEnabled(count > 0)


def _by_name(packages: list[ModelPackage]) -> dict[str, ModelPackage]:
    """Return the packages by name; the user's own, which come first, stand before a bundled one of that name."""
    found: dict[str, ModelPackage] = {}
    for package in packages:
        found.setdefault(package.name, package)
    return found
