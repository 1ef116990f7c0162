"""A published model taken in: what it is, its names and licence, and the test of left and right on the open CT."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from autocontour.base.errors import AutoContourError, Cancelled, ModelError
from autocontour.gui.dialogs.ask import ask
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.running import Running
from autocontour.gui.look import theme
from autocontour.gui.look.language import in_window, later, tr, tr_count
from autocontour.gui.panels.progress_strip import ProgressStrip
from autocontour.gui.state.tasks import Task, try_beside
from autocontour.models.inference.published.profiles import record
from autocontour.models.package.history import install_package
from autocontour.models.package.importers.look import Candidate, named_labels, read_candidate
from autocontour.models.package.importers.writing import Imported, write_imported
from autocontour.models.package.library import install_folder, read_library
from autocontour.models.package.package import ModelPackage
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.trial import THIS_CASE, TrialOrder, Tried, picture_of

NOT_STATED, UNKNOWN_ORIENTATION = "not stated", "AC-MD-045"
ORIENTATIONS = (
    (later("As its files state"), ""),
    (later("LPS: indices grow to the left, back and head"), "LPS"),
    (later("RAS: indices grow to the right, front and head"), "RAS"),
)
PICTURE_PX, VERDICTS_PX = 800, 84


class ImportModelDialog(Dialog):
    """Choose a model of those found, read it, test it on the open CT and install it.

    Parameters
    ----------
    candidates
        What was found at the path chosen.
    ct
        The open CT.
    drawn
        Structure → contours on it by others, for a model that draws nothing with a side.
    """

    def __init__(
        self, parent: QWidget, candidates: list[Candidate], ct: CTVolume, drawn: Mapping[str, Contours]
    ) -> None:
        words = tr("Nothing of the model is executed. It is installed once it is shown that its left is the patient's.")
        super().__init__(parent, tr("Import a published model"), words, tr("Install"), width=860)
        self._ct, self._drawn = ct, drawn
        self._draft: Path | None = None
        self._imported: Imported | None = None
        self._package: ModelPackage | None = None
        self._tried: Tried | None = None
        self.answer: ModelPackage | None = None
        self.model = _combo(tr("Model"), [(one.title, one) for one in candidates])
        self.orientation = _combo(tr("Orientation of the training images"), [(tr(t), v) for t, v in ORIENTATIONS])
        self.licence = QLineEdit()
        self.licence.setAccessibleName(tr("Licence"))
        self.agreed = QCheckBox()
        self.names = self._build_names()
        self.test = QPushButton(tr("Test on this CT"))
        self.progress = ProgressStrip(tr("Progress of the test"))
        self.running = Running(self.progress, self._follow, self._fail)
        self.verdict = QLabel(wordWrap=True)
        self.verdicts = QListWidget()
        self.verdicts.setAccessibleName(tr("Comparisons with the patient's anatomy"))
        self.picture = QLabel()
        self.picture.setAccessibleName(tr("Picture of what the model drew"))
        self.looked = QLineEdit()
        self.looked.setPlaceholderText(tr("Your name: I have looked at the picture, and left is left"))
        self.looked.setAccessibleName(tr("Confirmed by"))
        self._lay_out()
        self.finish()
        self.model.currentIndexChanged.connect(self._read)
        self.orientation.currentIndexChanged.connect(self._read)
        self.test.clicked.connect(self._test)
        self.progress.cancel.clicked.connect(self._stop)
        for changed in (self.agreed.toggled, self.licence.textChanged, self.looked.textChanged):
            changed.connect(self._follow)
        self.finished.connect(self._clean_up)
        self._read()

    # Building -------------------------------------------------------------------------------------------------------

    def _build_names(self) -> QTreeWidget:
        found = QTreeWidget()
        found.setHeaderLabels([tr("Label of the model"), tr("Structure")])
        found.setRootIsDecorated(False)
        found.setUniformRowHeights(True)
        found.setMinimumHeight(150)
        found.setAccessibleName(tr("Names"))
        found.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        return found

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Model"), self.model)
        form.addRow(tr("Orientation"), self.orientation)
        form.addRow(tr("Licence"), self.licence)
        self.body.addLayout(form)
        self.body.addWidget(self.agreed)
        self._naming = QLabel(wordWrap=True)
        self._naming.setObjectName("muted")
        self.body.addWidget(self.names)
        self.body.addWidget(self._naming)
        row = QHBoxLayout()
        row.addWidget(self.test)
        row.addWidget(self.verdict, 1)
        self.body.addLayout(row)
        self.body.addWidget(self.progress)
        self.verdicts.setMaximumHeight(VERDICTS_PX)
        self.body.addWidget(self.verdicts)
        self.body.addWidget(self.picture)
        self.body.addWidget(self.looked)
        for widget in (self.verdicts, self.looked, self.picture):
            widget.hide()

    # Reading --------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the chosen model beside the window; a test before it no longer counts."""
        self._stop()
        self._forget()
        candidate, orientation = self.model.currentData(), self.orientation.currentData()
        task = Task(lambda _: read_candidate(candidate, orientation))
        self.running.start(task, self._take_model, tr("Reading the model"))

    def _take_model(self, imported: Imported) -> None:
        try:
            labels = named_labels(imported)
        except AutoContourError as error:
            self._fail(error)
            return
        self._imported = imported
        is_stated = imported.license != NOT_STATED
        self.licence.setText(imported.license if is_stated else "")
        self.licence.setReadOnly(is_stated)
        self.licence.setPlaceholderText(tr("Its files state none: enter the licence you have it under"))
        limited = self.model.currentData().non_commercial
        self.agreed.setText(
            tr("My use is non-commercial, as the licence demands") if limited else tr("I may use it under this licence")
        )
        for one in labels:
            item = QTreeWidgetItem(self.names, [one.label, one.name])
            if not one.is_known:
                item.setText(1, tr("{name}   (not in the nomenclature)", name=one.name))
                item.setForeground(1, QColor(theme.current.warn))
        words = [tr_count(len(labels), "{count} label", "{count} labels")]
        if unknown := sum(not one.is_known for one in labels):
            words.append(tr_count(unknown, "{count} keeps its own name", "{count} keep their own names"))
        self.agreed.show()
        if crop := imported.procedure.get("crop"):
            box = {"structures": ", ".join(crop["structures"]), "finder": crop["finder"]}
            words.append(tr("run only in the box of {structures}, which {finder} finds: import that as well", **box))
        self._naming.setText(", ".join(words))
        self.verdict.setText(tr("Read. Agree to the licence, then test it."))
        self._follow()

    # Testing --------------------------------------------------------------------------------------------------------

    def _test(self) -> None:
        """Write the package to a draft and test it in a process of its own."""
        imported = self._imported
        if imported is None:
            return
        self._tried = None
        self.licence.setReadOnly(True)  # what is tested is what is installed
        self._remove_draft()
        try:
            install_folder().mkdir(parents=True, exist_ok=True)
            self._draft = Path(tempfile.mkdtemp(prefix=".trial-", dir=install_folder()))
            stated = replace(imported, license=self.licence.text().strip())
            self._package, _ = write_imported(stated, self._draft / "package")
        except AutoContourError as error:
            self._fail(error)
            return
        except OSError as error:
            self._fail(ModelError("AC-MD-027", name=imported.name, reason=error.strerror or type(error).__name__))
            return
        others = {name: one for name, one in self._drawn.items() if name in self._package.structures}
        order = TrialOrder(self._package.path, (), others, THIS_CASE)
        self.running.start(try_beside(self._ct, order), self._take_trial, tr("Testing on this CT"))

    def _take_trial(self, tried: Tried) -> None:
        self._tried = tried
        self.verdicts.clear()
        for one in tried.sides.verdicts:
            mark = ("✓" if one.holds else "✗") if tried.sides.counts(one) else "–"
            self.verdicts.addItem(f"{mark}  {one.what}")
        self.verdicts.setVisible(bool(tried.sides.verdicts))
        self.looked.setVisible(not tried.sides.is_proven and tried.sides.may_be_confirmed)
        self.verdict.setText(self._words(tried))
        self._follow()
        drawings, title = dict(tried.sides.drawings), tried.sides.package.name
        if drawings:
            task = Task(lambda _: picture_of(drawings, self._ct, title))
            self.running.start(task, self._show_picture, tr("Drawing the picture"))

    def _words(self, tried: Tried) -> str:
        if tried.sides.other_organs:
            return in_window(tried.sides.other_organs)
        if tried.sides.wrong:
            return tr("It draws structures where they cannot be: it cannot be installed with this orientation.")
        if tried.sides.is_proven:
            return tr("Left is left on this CT.")
        if tried.sides.may_be_confirmed:
            return tr("It has only structures of the midline: look at the picture, and confirm it with your name.")
        return tr("This CT shows no structure whose side is known: use another CT.")

    def _show_picture(self, png: bytes) -> None:
        shown = QPixmap()
        shown.loadFromData(png)
        mode = Qt.TransformationMode.SmoothTransformation
        self.picture.setPixmap(shown.scaledToWidth(PICTURE_PX, mode))
        self.picture.show()
        self.looked.setEnabled(True)
        self._follow()

    # Installing -----------------------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Record the test in the package and install it."""
        if self._tried is None or self._package is None:
            return
        try:
            checked = record(self._package, self._tried.sides.check(self.looked.text()))
            is_there = any(not one.bundled and one.name == checked.name for one in read_library())
            words = tr("A package called {name} is installed. Replace it?", name=checked.name)
            if is_there and not ask(self, tr("Import a published model"), words, "", tr("Replace")):
                return
            self.answer = install_package(checked.path, replace=is_there)
        except AutoContourError as error:
            self._fail(error)
            return
        super().accept()

    # Running --------------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Stop what is running; nothing of it counts."""
        if self.running.stop():
            self.verdict.setText(tr("Stopped."))

    def _fail(self, error: AutoContourError) -> None:
        if error.code == UNKNOWN_ORIENTATION:
            words = tr("Its files do not state how its images were oriented: choose the orientation above.")
            self.verdict.setText(words)
        elif not isinstance(error, Cancelled):
            self.verdict.setText(in_window(error))
        self._follow()

    def _follow(self) -> None:
        """Enable what makes sense now."""
        is_agreed = self.agreed.isChecked() and bool(self.licence.text().strip())
        is_idle = self.running.is_idle
        self.agreed.setEnabled(self._imported is not None)
        self.test.setEnabled(self._imported is not None and is_agreed and is_idle)
        sides = self._tried.sides if self._tried else None
        is_looked_at = bool(self.looked.text().strip()) and not self.picture.isHidden()
        may = sides is not None and (sides.is_proven or (sides.may_be_confirmed and is_looked_at))
        self.ok.setEnabled(may and is_agreed and is_idle)

    def _forget(self) -> None:
        self._imported = self._tried = self._package = None
        self.names.clear()
        self.verdicts.clear()
        self.agreed.setChecked(False)
        self.looked.clear()
        for widget in (self.agreed, self.verdicts, self.looked, self.picture):
            widget.hide()

    def _remove_draft(self) -> None:
        if self._draft is not None:
            shutil.rmtree(self._draft, ignore_errors=True)
            self._draft = None

    def _clean_up(self) -> None:
        self.running.stop()
        self._remove_draft()


def _combo(name: str, entries: list[tuple[str, Any]]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for title, value in entries:
        box.addItem(title, value)
    return box
