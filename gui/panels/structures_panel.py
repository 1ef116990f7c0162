"""The panel at the right: search, the list of structures, and what is done with the selected one."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from autocontour.base.findings import Finding, Severity
from autocontour.case import CaseStructure
from autocontour.case.need import assess_need, runs
from autocontour.gui.dialogs.review import rejection_in_words
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, tr
from autocontour.gui.look.phrases import capital
from autocontour.gui.panels.inputs import KeyList, SearchBox
from autocontour.gui.panels.structure_list import RowDelegate, StructureList, need_in_words
from autocontour.gui.state.workspace import Workspace

FINDINGS_SHOWN, LEAST_PX = 3, 170


class StructuresPanel(QFrame):
    """Structures of the case, and the review of the selected one."""

    menu_asked = Signal(QPoint)
    add_asked = Signal()
    approve_asked = Signal()
    reject_asked = Signal()
    next_asked = Signal()
    refresh_asked = Signal()
    refresh_all_asked = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.workspace = workspace
        self.model = StructureList(workspace)
        self.setMinimumWidth(LEAST_PX)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 10)
        column.setSpacing(8)
        column.addLayout(self._heading())
        column.addWidget(self._search_box())
        column.addWidget(self._list(), 1)
        column.addWidget(self._stale())
        column.addWidget(self._opacity())
        column.addWidget(self._card())
        for signal in (workspace.structures_changed, workspace.selection_changed, workspace.display_changed):
            signal.connect(self._show_current)
        workspace.selection_changed.connect(self._show_row)
        workspace.position_changed.connect(self._show_facts)
        self._show_current()

    def rename_current(self) -> None:
        """Begin to edit the selected structure's name."""
        if self.list.currentIndex().isValid():
            self.list.edit(self.list.currentIndex())

    def _heading(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(14, 0, 4, 0)
        self._count = QLabel(tr("STRUCTURES"))
        self._count.setObjectName("heading")
        self._count.setWordWrap(True)
        self.sort = QToolButton()
        self.sort.setText(tr("By need"))
        self.sort.setCheckable(True)
        self.sort.setToolTip(tr("Sort by need for review and show why: findings, an uncertain network, not viewed"))
        self.sort.toggled.connect(self._sort_by_need)
        add = QToolButton()
        add.setText(tr("+ Add"))
        add.setToolTip(tr("Add a structure") + "  (A)")
        add.clicked.connect(self.add_asked)
        row.addWidget(self._count, 1)
        row.addWidget(self.sort)
        row.addWidget(add)
        return row

    def _search_box(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(12, 0, 12, 0)
        self.search = SearchBox(placeholderText=tr("Find a structure"), clearButtonEnabled=True)
        self.search.setAccessibleName(tr("Find a structure"))
        self.search.textChanged.connect(self._filter)
        row.addWidget(self.search)
        return holder

    def _list(self) -> QListView:
        self.list = KeyList()
        self.list.setModel(self.model)
        self.list.setItemDelegate(RowDelegate(self.workspace, self.model, self.list))
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.setAccessibleName(tr("Structures"))
        self.list.customContextMenuRequested.connect(lambda at: self.menu_asked.emit(self.list.mapToGlobal(at)))
        self.list.selectionModel().currentChanged.connect(self._select)
        self.list.doubleClicked.connect(lambda index: self.workspace.go_to_structure(self._number(index)))
        self.model.modelAboutToBeReset.connect(self._keep_place)
        self.model.modelReset.connect(self._return_to_place)
        return self.list

    def _keep_place(self) -> None:
        self._place = self.list.verticalScrollBar().value()

    def _show_row(self) -> None:
        """Scroll to the selected structure."""
        if self.list.currentIndex().isValid():
            self.list.scrollTo(self.list.currentIndex())

    def _return_to_place(self) -> None:
        """Show the rows that were shown before the list was sorted again."""
        self._show_current()
        self.list.doItemsLayout()
        self.list.verticalScrollBar().setValue(self._place)

    def _stale(self) -> QWidget:
        """Return the buttons that refresh what is out of date; hidden while nothing is."""
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(12, 0, 12, 0)
        self.refresh, self.refresh_all = QPushButton(tr("Refresh")), QPushButton()
        self.refresh.setToolTip(tr("Make the structure again by its recipe, after its sources changed") + "  (F6)")
        self.refresh_all.setToolTip(tr("Make all structures again whose sources changed") + "  (Shift+F6)")
        self.refresh.clicked.connect(self.refresh_asked)
        self.refresh_all.clicked.connect(self.refresh_all_asked)
        row.addWidget(self.refresh)
        row.addWidget(self.refresh_all)
        self._stale_row = holder
        return holder

    def _show_stale(self) -> None:
        statuses = self.workspace.recipe_statuses
        count = sum(status.is_stale for status in statuses.values())
        current = statuses.get(self.workspace.selected) if self.workspace.selected is not None else None
        self.refresh.setVisible(current is not None and current.is_stale)
        self.refresh_all.setText(tr("Refresh all ({count})", count=count))
        self._stale_row.setVisible(count > 0)

    def _opacity(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(14, 0, 14, 0)
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, 60)
        slider.setValue(round(100 * self.workspace.fill_opacity))
        slider.setAccessibleName(tr("Fill opacity"))
        slider.setToolTip(tr("How strongly structures are filled"))
        slider.valueChanged.connect(self._set_opacity)
        label = QLabel(tr("Fill"))
        label.setObjectName("muted")
        row.addWidget(label)
        row.addWidget(slider)
        self.opacity = slider
        return holder

    def _card(self) -> QWidget:
        holder = QWidget()
        outer = QVBoxLayout(holder)
        outer.setContentsMargins(12, 0, 12, 0)
        outer.setSpacing(8)
        self.facts = QLabel(wordWrap=True)
        self.facts.setObjectName("muted")
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        by_mouse, by_key = (
            Qt.TextInteractionFlag.LinksAccessibleByMouse,
            Qt.TextInteractionFlag.LinksAccessibleByKeyboard,
        )
        self.facts.setTextInteractionFlags(by_mouse | by_key)
        self.facts.linkActivated.connect(self._go_to_finding)
        self.approve = QPushButton(tr("Approve"))
        self.approve.setObjectName("good")
        self.approve.setToolTip(tr("Approve the structure, or withdraw the approval") + "  (Ctrl+Return)")
        self.approve.clicked.connect(self.approve_asked)
        self.next = QPushButton(tr("Next to review"))
        self.next.setToolTip(tr("Go to the structure that most needs review") + "  (N)")
        self.next.clicked.connect(self.next_asked)
        self.reject = QPushButton(tr("Reject"))
        self.reject.setToolTip(tr("Reject the structure with a reason, or withdraw the rejection") + "  (Alt+Return)")
        self.reject.clicked.connect(self.reject_asked)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.reject, 1)
        row.addWidget(self.approve, 2)
        outer.addWidget(self.facts)
        outer.addWidget(self.next)
        outer.addLayout(row)
        return holder

    def _show_current(self) -> None:
        items = self.workspace.state.items
        approved = sum(item.is_approved for item in items)
        self._count.setText(
            tr("{approved}/{count} approved", approved=approved, count=len(items)) if items else tr("STRUCTURES")
        )
        row = self.model.row_of(self.workspace.selected)
        self.list.selectionModel().blockSignals(True)
        self.list.setCurrentIndex(self.model.index(row))
        self.list.selectionModel().blockSignals(False)
        self.list.viewport().update()
        current = self.workspace.current
        self.approve.setEnabled(current is not None and bool(current.structure.contours))
        self.reject.setEnabled(current is not None)
        self.approve.setText(tr("Withdraw approval") if current and current.is_approved else tr("Approve"))
        self.next.setEnabled(any(not item.is_approved for item in items))
        self._show_stale()
        self._show_facts()

    def _show_facts(self) -> None:
        current = self.workspace.current
        words = self._description(current) if current else ""
        if words != self.facts.text():
            self.facts.setText(words)

    def _description(self, item: CaseStructure) -> str:
        findings = sorted(item.structure.findings, key=lambda finding: -finding.severity)
        lines = [_linked(index, finding) for index, finding in enumerate(findings[:FINDINGS_SHOWN])]
        source = item.structure.provenance
        if source and not findings:
            lines.append(escape(tr("Drawn by {name}", name=f"{source.algorithm} {source.version}")))
        need = assess_need(item, self.workspace.seen)
        if doubt := self.model.recipe_in_words(item):
            lines.insert(0, f"▲ {escape(capital(doubt))}")
        if need.is_open:
            lines.insert(0, f"<b>{escape(capital(need_in_words(need)))}</b>")
        if item.is_rejected:
            lines.insert(0, f"✕ {escape(capital(rejection_in_words(item)))}")
        if len(findings) > FINDINGS_SHOWN:
            lines.append(tr("and {count} more: see the tooltip in the list", count=len(findings) - FINDINGS_SHOWN))
        return "<br>".join(lines)

    def _go_to_finding(self, link: str) -> None:
        """Show the slices of a finding: the first place that was not shown, or the next one."""
        item = self.workspace.current
        if item is None:
            return
        finding = sorted(item.structure.findings, key=lambda finding: -finding.severity)[int(link)]
        places = runs(finding.slices)
        here = next((n for n, place in enumerate(places) if self.workspace.slice_index in place), -1)
        self.workspace.go_to_place(places[(here + 1) % len(places)])

    def _select(self, index: QModelIndex, _: QModelIndex) -> None:
        if index.isValid():
            self.workspace.select(self._number(index))
            if self.workspace.selected != self._number(index):
                self._show_current()  # a stroke is under way

    def _number(self, index: QModelIndex) -> int:
        return self.model.item(index).structure.number

    def _filter(self, words: str) -> None:
        self.model.words = words
        self.model.reload()
        self._show_row()

    def _sort_by_need(self, checked: bool) -> None:
        self.model.by_need = checked
        self.model.reload()
        self._show_row()

    def _set_opacity(self, percent: int) -> None:
        self.workspace.fill_opacity = percent / 100
        self.workspace.display_changed.emit()


def _linked(index: int, finding: Finding) -> str:
    """Return a finding as a line of the card; one that points at slices is a link to them."""
    sign = "▲" if finding.severity >= Severity.WARN else "·"
    words = f"{sign} {escape(in_window(finding))}"
    if not finding.slices:
        return words
    color = theme.current.accent
    return f'{words} <a href="{index}" style="color: {color}; text-decoration: none">{_named(finding)}</a>'


def _named(finding: Finding) -> str:
    """Return the slices of a finding as they are numbered in the views."""
    places = [f"{p[0] + 1}" if len(p) == 1 else f"{p[0] + 1}–{p[-1] + 1}" for p in runs(finding.slices)]
    more = " …" if len(places) > 3 else ""
    named = ", ".join(places[:3]) + more
    return (
        tr("slice&nbsp;{places}", places=named)
        if len(finding.slices) == 1
        else tr("slices&nbsp;{places}", places=named)
    )
