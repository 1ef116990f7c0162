"""Which of the series in a folder: patients and their series with a picture and what counts of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFocusEvent, QIcon, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from autocontour.base.findings import Severity
from autocontour.dicom import Series
from autocontour.dicom.checks import ACCEPTABLE, blocking
from autocontour.dicom.wording import shown
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.previews import Preview, PreviewReader, preview_pixmap
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, tr, tr_count
from autocontour.patient.identity import iso_date
from autocontour.rtstruct.read.summary import StructureSetSummary

THUMBNAIL, PICTURE = 56, 180
COLUMNS = (later("Series"), later("Study"), later("Slices"), later("Spacing"), "")
FACTS = (
    *(later("Patient"), "ID", later("Born"), later("Study"), later("Series")),
    *(later("Slices"), later("Spacing"), later("Thickness"), later("Kernel")),
)
SETS_SHOWN = 3
USER = Qt.ItemDataRole.UserRole


class SeriesDialog(Dialog):
    """The series found, by patient; those that cannot be used say why.

    Parameters
    ----------
    found
        The planning CTs of a folder.
    structure_sets
        Those drawn on each of them.
    is_begun
        Whether a series has a case already.
    reader
        Reads the pictures, as far as they come into sight.
    """

    def __init__(
        self,
        parent: QWidget,
        found: Sequence[Series],
        structure_sets: Mapping[Series, Sequence[StructureSetSummary]],
        is_begun: Callable[[Series], bool],
        reader: PreviewReader,
    ) -> None:
        patients = {_patient(series) for series in found}
        words = tr(
            "{scans} of {patients}.",
            scans=tr_count(len(found), "{count} scan", "{count} scans"),
            patients=tr_count(len(patients), "{count} patient", "{count} patients"),
        )
        super().__init__(parent, tr("Choose a series"), words, tr("Open"), width=1060)
        self._sets, self._is_begun, self._reader = structure_sets, is_begun, reader
        self._previews: dict[Series, Preview] = {}
        self._rows: dict[Series, QTreeWidgetItem] = {}
        self._ticked: set[Path] = {sets[0].path for s, sets in structure_sets.items() if len(sets) == 1}
        self._ticked -= {one.path for s, sets in structure_sets.items() if is_begun(s) for one in sets}
        self.tree = self._build_tree(found)
        columns = QHBoxLayout()
        columns.setSpacing(18)
        columns.addWidget(self.tree, 1)
        columns.addWidget(self._build_details())
        self.body.addLayout(columns, 1)
        self.in_spite = QCheckBox(
            tr("Open anyway; every slice keeps its true position, and the exported file records it")
        )
        self.in_spite.toggled.connect(self._allow)
        self.body.addWidget(self.in_spite)
        self.finish()
        self.resize(1080, 640)
        reader.ready.connect(self._take_preview)
        self.finished.connect(self._stop_reading)
        self.tree.currentItemChanged.connect(self._follow)
        self.tree.itemDoubleClicked.connect(lambda *_: self.accept() if self.ok.isEnabled() else None)
        first = next((series for series in self._rows if series.is_sound), next(iter(self._rows)))
        self.tree.setCurrentItem(self._rows[first])
        self.tree.setFocus()

    # What was chosen ------------------------------------------------------------------------------------------------

    @property
    def series(self) -> Series | None:
        """The one chosen."""
        item = self.tree.currentItem()
        return item.data(0, USER) if item is not None else None

    @property
    def accepted_codes(self) -> frozenset[str]:
        """Codes of the blocking findings the user accepts: only those that can be."""
        return self._acceptable() if self.in_spite.isChecked() else frozenset()

    @property
    def structure_sets(self) -> tuple[Path, ...]:
        """The files ticked for the series chosen, in their order."""
        sets = self._sets.get(self.series, ()) if self.series else ()
        return tuple(one.path for one in sets if one.path in self._ticked)

    # Building -------------------------------------------------------------------------------------------------------

    def _build_tree(self, found: Sequence[Series]) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderLabels([tr(name) if name else "" for name in COLUMNS])
        tree.setRootIsDecorated(False)
        tree.setIndentation(10)
        tree.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        tree.setItemsExpandable(False)
        tree.setUniformRowHeights(False)
        tree.setAccessibleName(tr("Series"))
        for _, of_patient in groupby(sorted(found, key=_patient), key=_patient):
            several = list(of_patient)
            group = QTreeWidgetItem(tree, [_patient_line(several[0], "")])
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            group.setFirstColumnSpanned(True)
            font = group.font(0)
            font.setBold(True)
            group.setFont(0, font)
            for series in several:
                self._rows[series] = self._row(group, series)
        tree.expandAll()
        tree.header().setStretchLastSection(False)
        tree.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for moved in (tree.verticalScrollBar().valueChanged, tree.verticalScrollBar().rangeChanged):
            moved.connect(self._read_visible)
        return tree

    def _row(self, group: QTreeWidgetItem, series: Series) -> QTreeWidgetItem:
        state, color = self._state(series)
        words = [_series_line(series), iso_date(series.study_date), str(len(series)), _spacing(series), state]
        row = QTreeWidgetItem(group, words)
        row.setIcon(0, self._icon(None))
        row.setToolTip(0, words[0])
        row.setForeground(4, QColor(color))
        row.setData(0, USER, series)
        for column in (2, 3):
            row.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return row

    def _state(self, series: Series) -> tuple[str, str]:
        if not series.is_sound:
            return tr("cannot be used"), theme.current.bad
        if self._is_begun(series):
            return tr("in work"), theme.current.accent
        sets = len(self._sets.get(series, ()))
        if sets:
            return tr_count(sets, "{count} structure set", "{count} structure sets"), theme.current.muted
        return "", theme.current.muted

    def _build_details(self) -> QWidget:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 6, 0)
        self.picture = QLabel(alignment=Qt.AlignmentFlag.AlignHCenter)
        self.picture.setAccessibleName(tr("Middle slice"))
        form = QFormLayout()
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(2)
        self.facts = {name: _fact() for name in FACTS}
        for name, label in self.facts.items():
            heading = QLabel(tr(name))
            heading.setObjectName("muted")
            form.addRow(heading, label)
        self.note = QLabel(wordWrap=True)
        self.note.setObjectName("muted")
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self._sets_heading = QLabel(tr("STRUCTURE SETS DRAWN ON IT"))
        self._sets_heading.setObjectName("heading")
        self.sets_list = _Ticks()
        self.sets_list.setAccessibleName(tr("Structure sets to open with it"))
        self.sets_list.itemChanged.connect(self._tick)
        self._sets_note = QLabel(
            tr("The first ticked set is opened for editing, the others for comparison."), wordWrap=True
        )
        self._sets_note.setObjectName("muted")
        column.addWidget(self.picture)
        column.addLayout(form)
        for widget in (self.note, self._sets_heading, self.sets_list, self._sets_note):
            column.addWidget(widget)
        column.addStretch()
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFixedWidth(360)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inner)
        return area

    # Following the choice -------------------------------------------------------------------------------------------

    def _follow(self, item: QTreeWidgetItem | None, before: QTreeWidgetItem | None) -> None:
        if item is not None and item.data(0, USER) is None:
            self._step_over(item, before)
            return
        series = self.series
        if series is None:
            return
        self._reader.want(series)
        self._show_facts(series)
        self._show_sets(series)
        self.in_spite.setVisible(bool(self._acceptable()))
        self.in_spite.setChecked(False)
        findings = [f for f in series.findings if f.severity > Severity.INFO]
        lines = [f"{'●' if f.severity is Severity.BLOCK else '▲'} {in_window(f)}" for f in findings]
        if self._is_begun(series):
            lines.append(tr("There is a case of this scan; its structures are loaded when you open it."))
        self.note.setText("\n".join(lines))
        self.note.setVisible(bool(lines))
        self._allow()

    def _step_over(self, group: QTreeWidgetItem, before: QTreeWidgetItem | None) -> None:
        """Go on past a patient's line, which cannot be chosen."""
        above, below = self.tree.itemAbove(group), self.tree.itemBelow(group)
        target = above if before is below and above is not None else below
        if target is not None:
            QTimer.singleShot(0, self.tree, lambda: self.tree.setCurrentItem(target))

    def _show_facts(self, series: Series) -> None:
        preview = self._previews.get(series)
        ratio = self.devicePixelRatioF()
        self.picture.setPixmap(preview_pixmap(preview, PICTURE, ratio))
        thickness = preview.thickness_mm if preview else ""
        values = (
            *(_name(series), series.patient_id, iso_date(preview.birth_date) if preview else ""),
            *(iso_date(series.study_date), _series_line(series), str(len(series)), _spacing(series)),
            *(f"{thickness} mm" if thickness else "", preview.kernel if preview else ""),
        )
        for label, value in zip(self.facts.values(), values, strict=True):
            label.setText(value or "—")

    def _show_sets(self, series: Series) -> None:
        sets = self._sets.get(series, ())
        self.sets_list.blockSignals(True)
        self.sets_list.clear()
        for one in sets:
            item = QListWidgetItem(_set_line(one))
            item.setToolTip(shown(one.path))
            item.setData(USER, one.path)
            item.setCheckState(Qt.CheckState.Checked if one.path in self._ticked else Qt.CheckState.Unchecked)
            self.sets_list.addItem(item)
        self.sets_list.blockSignals(False)
        self.sets_list.setFixedHeight(min(len(sets), SETS_SHOWN) * max(self.sets_list.sizeHintForRow(0), 1) + 4)
        for widget in (self._sets_heading, self.sets_list, self._sets_note):
            widget.setVisible(bool(sets))

    def _tick(self, item: QListWidgetItem) -> None:
        is_ticked = item.checkState() is Qt.CheckState.Checked
        (self._ticked.add if is_ticked else self._ticked.discard)(item.data(USER))

    def _acceptable(self) -> frozenset[str]:
        blocks = frozenset(f.code for f in blocking(self.series.findings)) if self.series else frozenset()
        return blocks if blocks <= ACCEPTABLE else frozenset()

    def _allow(self) -> None:
        series = self.series
        self.ok.setEnabled(series is not None and (series.is_sound or bool(self.accepted_codes)))

    # Pictures -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Begin to read the pictures in sight."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._read_visible)

    def _read_visible(self) -> None:
        view = self.tree.viewport().rect()
        for series, row in self._rows.items():
            if view.intersects(self.tree.visualItemRect(row)):
                self._reader.want(series)

    def _take_preview(self, series: Series, preview: Preview) -> None:
        self._previews[series] = preview
        row = self._rows[series]
        row.setIcon(0, self._icon(preview))
        if (group := row.parent()) is not None:
            group.setText(0, _patient_line(series, preview.birth_date))
        if series is self.series:
            self._show_facts(series)
        self._read_visible()

    def _icon(self, preview: Preview | None) -> QIcon:
        pixmap = preview_pixmap(preview, THUMBNAIL, self.devicePixelRatioF())
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)  # or the selection would tint it
        return icon

    def _stop_reading(self) -> None:
        self._reader.stop()
        self._reader.ready.disconnect(self._take_preview)


class _Ticks(QListWidget):
    """A list to tick; what Space would tick is marked only while the keyboard is there."""

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Mark it."""
        super().focusInEvent(event)
        self.setCurrentRow(max(self.currentRow(), 0))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Mark nothing."""
        super().focusOutEvent(event)
        self.clearSelection()


def _fact() -> QLabel:
    label = QLabel(wordWrap=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _patient(series: Series) -> tuple[str, str]:
    return series.patient_name, series.patient_id


def _name(series: Series) -> str:
    return series.patient_name.replace("^", " ").strip() or tr("No name")


def _patient_line(series: Series, birth_date: str) -> str:
    facts = [_name(series)]
    facts += [f"ID {series.patient_id}"] if series.patient_id else []
    facts += [tr("born {date}", date=iso_date(birth_date))] if birth_date else []
    return "   ·   ".join(facts)


def _series_line(series: Series) -> str:
    return f"{series.number}  {series.description or tr('no description')}".strip()


def _spacing(series: Series) -> str:
    """Return the distance between slices in mm; from the smallest to the largest where it varies."""
    if series.geometry is None or len(series) < 2:
        return ""
    steps = np.diff(series.geometry.slice_positions_mm)
    if series.geometry.is_evenly_spaced:
        return f"{np.median(steps):.3g} mm"
    return f"{steps.min():.3g}–{steps.max():.3g} mm"


def _set_line(one: StructureSetSummary) -> str:
    facts = [
        iso_date(one.date),
        tr_count(one.structures, "{count} structure", "{count} structures"),
        tr("approved") if one.is_approved else "",
    ]
    return f"{one.label or shown(one.path)}\n" + "  ·  ".join(fact for fact in facts if fact)
