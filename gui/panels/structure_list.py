"""The list of structures: what each is called, how far its review is, and what needs a look."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPainterPath
from PySide6.QtWidgets import QCompleter, QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from autocontour.base.findings import Severity
from autocontour.case import CaseStructure, actions
from autocontour.case.need import Need, assess_need
from autocontour.gui.dialogs.review import rejection_in_words
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, sentence_of, tr
from autocontour.gui.state.workspace import Workspace
from autocontour.gui.views.derived import PerStructure
from autocontour.patient.nomenclature import known_names
from autocontour.patient.recipe import DERIVED
from autocontour.patient.structures import ReviewStatus, Structure

ROW_PX = 46
STATUS_WORDS = {
    ReviewStatus.AUTO: later("automatic"),
    ReviewStatus.EDITED: later("edited"),
    ReviewStatus.APPROVED: later("approved"),
    ReviewStatus.REJECTED: later("rejected"),
}
Index = QModelIndex | QPersistentModelIndex


class StructureList(QAbstractListModel):
    """The workspace's structures, filtered and ordered for the list."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self.words = ""
        self.by_need = False
        self._items: list[CaseStructure] = []
        self._volumes: PerStructure[float] = PerStructure(self._volume)
        workspace.ct_changed.connect(self._volumes.clear)
        workspace.structures_changed.connect(self._follow)
        for signal in (workspace.display_changed, workspace.selection_changed):
            signal.connect(self._repaint)

    def reload(self) -> None:
        """Take the structures as they stand, and draw every row anew."""
        if self._take():
            self._repaint()

    def _follow(self, changed: frozenset[int]) -> None:
        """Take the structures as they stand; where rows stay, only those of what changed are drawn anew."""
        if self._take():
            for row, item in enumerate(self._items):
                if item.structure.number in changed or item.recipe is not None:
                    self.dataChanged.emit(self.index(row), self.index(row))

    def _take(self) -> bool:
        """Take the structures as they stand; return whether the rows have stayed."""
        words = self.words.casefold()
        items = [item for item in self.workspace.state.items if words in item.structure.name.casefold()]
        if self.by_need:
            items.sort(key=lambda item: assess_need(item, self.workspace.seen).rank, reverse=True)
        is_same = [i.structure.number for i in items] == [i.structure.number for i in self._items]
        if is_same:
            self._items = items
        else:
            self.beginResetModel()
            self._items = items
            self.endResetModel()
        return is_same

    def item(self, index: Index) -> CaseStructure:
        """Return the structure of a row."""
        return self._items[index.row()]

    def row_of(self, number: int | None) -> int:
        """Return the row of a structure; -1 if it is not shown."""
        numbers = [item.structure.number for item in self._items]
        return numbers.index(number) if number in numbers else -1

    def volume(self, structure: Structure) -> float:
        """Return a structure's volume in cc."""
        return self._volumes(structure)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  (Qt's signature)
        """Return how many structures are shown."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401  (Qt's signature)
        """Return name, description for screen readers, or tooltip."""
        item = self.item(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.structure.name
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            return f"{item.structure.name}, {self.details(item)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(item)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401, ARG002
        """Rename; a TG-263 name brings its code with it."""
        name, item = str(value).strip(), self.item(index)
        if not name or name == item.structure.name:
            return False
        return self.workspace.apply(actions.rename(self.workspace.state, item.structure.number, name))

    def flags(self, index: Index) -> Qt.ItemFlag:  # noqa: ARG002  (Qt's signature)
        """Rows can be selected and renamed."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def details(self, item: CaseStructure) -> str:
        """Return status and volume in words."""
        words = tr(STATUS_WORDS[item.structure.status])
        doubt = self.recipe_in_words(item)
        if not item.structure.contours:
            return doubt or tr("empty")
        if item.is_rejected:
            is_current = item.structure.status is ReviewStatus.REJECTED
            reason = tr(item.reject_reason)
            words = tr("rejected: {reason}", reason=reason) if is_current else tr("rejected, edited since")
        elif item.is_approved and item.approved_by:
            words = tr("approved by {name}", name=item.approved_by)
        elif item.structure.description.startswith(DERIVED):
            source = item.structure.description.removeprefix(DERIVED)
            is_edited = item.structure.contours != item.automatic
            words = (
                tr("derived: {source}, edited", source=source) if is_edited else tr("derived: {source}", source=source)
            )
        elif item.structure.contours == item.automatic and item.structure.provenance is None:
            words = tr("from a file")
        elif item.structure.status is ReviewStatus.EDITED and not item.automatic:
            words = tr("drawn by hand")
        words = f"{doubt}   ·   {words}" if doubt else words
        return f"{self.volume(item.structure):.1f} cc   ·   {words}"

    def recipe_in_words(self, item: CaseStructure) -> str:
        """Return why a structure does not agree with its recipe; empty if it does, or has none."""
        status = self.workspace.recipe_statuses.get(item.structure.number)
        if status is None:
            return ""
        if status.replaced:
            return tr("{name} was deleted, another has its name", name=", ".join(status.replaced))
        if status.missing:
            names = ", ".join(status.missing)
            return tr("source {name} deleted", name=names) if status.is_made else tr("waits for {name}", name=names)
        if status.empty:
            return tr("source {name} is empty", name=", ".join(status.empty))
        if status.is_stale:
            names = ", ".join((*status.changed, *status.outdated))
            return tr("out of date: {name} changed", name=names) if names else tr("out of date: not made yet")
        return ""

    def line(self, item: CaseStructure) -> str:
        """Return the second line of a row: its details, or while sorted by need why it needs a look."""
        if self.recipe_in_words(item):
            return self.details(item)
        return (self.by_need and need_in_words(assess_need(item, self.workspace.seen))) or self.details(item)

    def _volume(self, structure: Structure) -> float:
        from autocontour.contouring import volume_cc

        ct = self.workspace.ct
        return volume_cc(structure.contours, ct.geometry) if ct else 0.0

    def _tooltip(self, item: CaseStructure) -> str:
        lines = [f"{item.structure.name}: {self.details(item)}"]
        lines += [f"✕ {rejection_in_words(item)}"] if item.is_rejected else []
        lines += [f"• {in_window(finding)}" for finding in item.structure.findings]
        return "\n".join(lines)

    def _repaint(self) -> None:
        if self._items:
            self.dataChanged.emit(self.index(0), self.index(len(self._items) - 1))


def need_in_words(need: Need) -> str:
    """Return why a structure needs a look, in the language of the window; empty if it does not."""
    return ", ".join(sentence_of(reason) for reason in need.reasons)


def is_by_hand(item: CaseStructure) -> bool:
    """Whether a structure has contours that drawing it again would not bring back: edited, drawn, or from a file."""
    is_changed = item.structure.contours != item.automatic or item.structure.provenance is None
    return bool(item.structure.contours) and is_changed


class RowDelegate(QStyledItemDelegate):
    """Draws a row: colour, eye, name, status and volume, findings, lock; eye and lock answer a click."""

    def __init__(self, workspace: Workspace, model: StructureList, parent: QWidget) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002  (Qt's signature)
        """Every row is as high."""
        return QSize(200, ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one structure."""
        item, box = self.model.item(index), QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.current.raised))
            painter.drawRoundedRect(box.adjusted(4, 2, -4, -2), 7, 7)
            painter.setBrush(QColor(theme.current.accent))
            painter.drawRoundedRect(QRectF(box.left() + 4, box.top() + 9, 3, ROW_PX - 18), 1.5, 1.5)
        is_shown = item.structure.number not in self.workspace.hidden
        _draw_swatch(painter, _swatch(box), item, is_shown=is_shown)
        self._draw_words(painter, box, item, is_shown=is_shown)
        _draw_lock(painter, _lock(box), is_locked=item.locked)
        _draw_status(painter, _status(box), item)
        painter.restore()

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Toggle visibility on the swatch and the lock on the lock."""
        if event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            item, box = self.model.item(index), QRectF(option.rect)
            number = item.structure.number
            if _swatch(box).adjusted(-6, -8, 6, 8).contains(event.position()):
                self.workspace.show(number, shown=number in self.workspace.hidden)
                return True
            if _lock(box).adjusted(-5, -8, 5, 8).contains(event.position()):
                self.workspace.apply(actions.set_locked(self.workspace.state, number, locked=not item.locked))
                return True
        return super().editorEvent(event, model, option, index)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        """Edit the name with TG-263's names at hand."""
        editor = QLineEdit(parent)
        completer = QCompleter(list(known_names()), editor)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        editor.setCompleter(completer)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: ARG002
        """Put the editor over the name."""
        box = QRectF(option.rect)
        editor.setGeometry(box.adjusted(40, 7, -70, -7).toRect())

    def _draw_words(self, painter: QPainter, box: QRectF, item: CaseStructure, *, is_shown: bool) -> None:
        font = QFont(painter.font())
        font.setPixelSize(14)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(theme.current.text if is_shown else theme.current.muted))
        words = QRectF(box.left() + 44, box.top() + 6, box.width() - 112, 18)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        name = painter.fontMetrics().elidedText(item.structure.name, Qt.TextElideMode.ElideMiddle, int(words.width()))
        painter.drawText(words, left, name)
        font.setPixelSize(12)
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        is_doubtful = bool(self.model.recipe_in_words(item))
        painter.setPen(QColor(theme.current.warn if is_doubtful else theme.current.muted))
        details = self.model.line(item)
        shown = painter.fontMetrics().elidedText(details, Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words.translated(0, 18), left, shown)


def _swatch(box: QRectF) -> QRectF:
    return QRectF(box.left() + 16, box.center().y() - 8, 16, 16)


def _lock(box: QRectF) -> QRectF:
    return QRectF(box.right() - 30, box.center().y() - 8, 16, 16)


def _status(box: QRectF) -> QRectF:
    return QRectF(box.right() - 56, box.center().y() - 9, 18, 18)


def _draw_swatch(painter: QPainter, box: QRectF, item: CaseStructure, *, is_shown: bool) -> None:
    color = QColor(*item.structure.color_rgb)
    pen = painter.pen()
    pen.setColor(color)
    pen.setWidthF(2)
    pen.setStyle(Qt.PenStyle.SolidLine)
    painter.setPen(pen)
    painter.setBrush(color if is_shown else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)


def _draw_lock(painter: QPainter, box: QRectF, *, is_locked: bool) -> None:
    color = QColor(theme.current.accent if is_locked else theme.current.line)
    pen = painter.pen()
    pen.setColor(color)
    pen.setWidthF(1.7)
    painter.setPen(pen)
    painter.setBrush(color if is_locked else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(box.left() + 2, box.top() + 7, 12, 8), 2, 2)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    arc = QPainterPath(QPointF(box.left() + 4.5, box.top() + 7))
    arc.arcTo(QRectF(box.left() + 4.5, box.top() + 1, 7, 9), 180, -180 if is_locked else -140)
    painter.drawPath(arc)


def _draw_status(painter: QPainter, box: QRectF, item: CaseStructure) -> None:
    """Draw a tick for approved, a cross for rejected, a number for Findings, nothing where nothing is to say."""
    worst = max((finding.severity for finding in item.structure.findings), default=Severity.INFO)
    if item.is_approved:
        color, words = QColor(theme.current.good), "✓"
    elif item.is_rejected:
        color, words = QColor(theme.current.bad), "✕"
    elif worst >= Severity.WARN:
        color = QColor(theme.current.bad if worst is Severity.BLOCK else theme.current.warn)
        words = str(sum(finding.severity >= Severity.WARN for finding in item.structure.findings))
    else:
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(box)
    font = QFont(painter.font())
    font.setPixelSize(11)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("#10151b"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
