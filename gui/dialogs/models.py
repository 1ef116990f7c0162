"""The model packages of this installation: what they draw, whether left is left, their profile; import and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.import_model import ImportModelDialog
from autocontour.gui.dialogs.running import Running
from autocontour.gui.look.language import in_window, later, tr, tr_count
from autocontour.gui.panels.progress_strip import ProgressStrip
from autocontour.gui.state.tasks import Task, try_beside
from autocontour.models.inference.published.profiles import record
from autocontour.models.package.importers.look import Candidate, look_at
from autocontour.models.package.library import Entry, read_library
from autocontour.models.package.package import ModelPackage
from autocontour.models.package.procedure import PROFILES
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.trial import THIS_CASE, TrialOrder, Tried

COLUMNS = (
    later("Package"),
    later("From"),
    later("Structures"),
    later("Left and right"),
    later("Profile"),
    later("Measured here"),
)


class ModelsDialog(Dialog):
    """The packages in a list; a published one can be tested on the open CT and given a profile.

    Parameters
    ----------
    ct
        The open CT; None if there is none: then nothing can be tested.
    drawn
        Structure → contours on it by others.
    """

    def __init__(self, parent: QWidget, ct: CTVolume | None, drawn: Mapping[str, Contours]) -> None:
        words = tr("Order of drawing: rules, packages of this program, then published models, the finer grid first.")
        super().__init__(parent, tr("Models"), words, tr("Close"), width=900)
        self._ct, self._drawn = ct, drawn
        self._entries: list[Entry] = []
        self.list = self._build_list()
        self.folder, self.zip = QPushButton(tr("Import a folder…")), QPushButton(tr("Import a zip…"))
        self.profile = QComboBox()
        self.profile.setAccessibleName(tr("Profile"))
        for name in PROFILES:
            self.profile.addItem(name)
        self.use, self.verify = QPushButton(tr("Use this profile")), QPushButton(tr("Verify on this CT"))
        self.progress = ProgressStrip(tr("Progress of the test"))
        self.running = Running(self.progress, self._follow, self._fail)
        self.report = QPlainTextEdit(readOnly=True)
        self.report.setAccessibleName(tr("About the package"))
        self.report.setMinimumHeight(150)
        self._lay_out()
        self.finish()
        for button in self.buttons.buttons():  # there is nothing to cancel but a test, which has a button of its own
            button.setVisible(button is self.ok)
        self.list.currentItemChanged.connect(self._show)
        self.folder.clicked.connect(self._ask_folder)
        self.zip.clicked.connect(self._ask_zip)
        self.use.clicked.connect(self._use)
        self.verify.clicked.connect(self._verify)
        self.progress.cancel.clicked.connect(self._stop)
        self.finished.connect(self._stop)
        self.fill()

    # The list -------------------------------------------------------------------------------------------------------

    def _build_list(self) -> QTreeWidget:
        found = QTreeWidget()
        found.setHeaderLabels([tr(name) for name in COLUMNS])
        found.setRootIsDecorated(False)
        found.setUniformRowHeights(True)
        found.setMinimumHeight(180)
        found.setAccessibleName(tr("Model packages"))
        found.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        found.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        return found

    def _lay_out(self) -> None:
        self.body.addWidget(self.list)
        row = QHBoxLayout()
        row.addWidget(self.folder)
        row.addWidget(self.zip)
        row.addStretch()
        row.addWidget(QLabel(tr("Profile")))
        row.addWidget(self.profile)
        row.addWidget(self.use)
        row.addWidget(self.verify)
        self.body.addLayout(row)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.report)

    def fill(self, chosen: str = "") -> None:
        """Read the library again and select a package by its name."""
        self.list.blockSignals(True)  # the current item must not be asked for while it is removed
        self._entries = read_library()
        self.list.clear()
        for number, entry in enumerate(self._entries):
            item = QTreeWidgetItem(self.list, _row(entry))
            if number == 0 or entry.name == chosen:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        self._show()

    @property
    def package(self) -> ModelPackage | None:
        """The package selected; None if it is damaged."""
        item = self.list.currentItem()
        row = self.list.indexOfTopLevelItem(item) if item is not None else -1
        return self._entries[row].package if 0 <= row < len(self._entries) else None

    def _show(self) -> None:
        package = self.package
        if package is not None and package.procedure is not None:
            self.profile.setCurrentText(package.procedure.profile)
        if package is not None and self.running.is_idle:
            self.report.setPlainText("\n".join(_about(package)))
        self._follow()

    def _follow(self) -> None:
        package, is_idle = self.package, self.running.is_idle
        is_published = package is not None and package.procedure is not None and not package.bundled
        self.profile.setEnabled(is_published and is_idle)
        self.use.setEnabled(is_published and is_idle)
        self.verify.setEnabled(is_published and is_idle and self._ct is not None)
        for widget in (self.folder, self.zip):
            widget.setEnabled(is_idle and self._ct is not None)
            widget.setToolTip("" if self._ct is not None else tr("Open a CT first: a model is tested on it."))
        self.list.setEnabled(is_idle)

    # Import ---------------------------------------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Import a published model"), str(Path.home()))
        if folder:
            self.import_from(Path(folder))

    def _ask_zip(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("Import a published model"), str(Path.home()), "ZIP (*.zip)")
        if path:
            self.import_from(Path(path))

    def import_from(self, path: Path) -> None:
        """Look at a path beside the window and ask what to do with what is there."""
        # A dialog within the task's own signal would outlive the task.
        later_on = lambda found: QTimer.singleShot(0, self, lambda: self._ask_import(found))  # noqa: E731
        self._run(Task(lambda _: look_at(path)), later_on, tr("Looking for models"))

    def _ask_import(self, candidates: list[Candidate]) -> None:
        if self._ct is None:
            return
        dialog = ImportModelDialog(self, candidates, self._ct, self._drawn)
        if dialog.exec() and dialog.answer is not None:
            self.fill(dialog.answer.name)

    # Profiles -------------------------------------------------------------------------------------------------------

    def _use(self) -> None:
        """Run the package with this profile from now on."""
        if self.package is not None:
            try:
                self.fill(record(self.package, profile=self.profile.currentText()).name)
            except AutoContourError as error:
                self._fail(error)

    def _verify(self) -> None:
        """Test left and right on the open CT, and compare the profile with ``exact``."""
        package = self.package
        if package is None or self._ct is None:
            return
        others = {name: one for name, one in self._drawn.items() if name in package.structures}
        order = TrialOrder(package.path, (self.profile.currentText(),), others, THIS_CASE)
        take = lambda tried: self._take_trial(package, tried)  # noqa: E731
        self._run(try_beside(self._ct, order), take, tr("Verifying on this CT"))

    def _take_trial(self, package: ModelPackage, tried: Tried) -> None:
        """Record what was measured; a test that fails is shown, and changes nothing."""
        if tried.sides.other_organs:
            self._fail(tried.sides.other_organs)
            self._follow()
            return
        if tried.sides.wrong:
            self.report.setPlainText(tr("Not passed:") + "\n" + "\n".join(f"✗ {one}" for one in tried.sides.wrong))
            self._follow()
            return
        try:
            sides = tried.sides.check() if tried.sides.is_proven else None
            chosen = self.profile.currentText()
            self.fill(record(package, sides, tried.measured).name)
            self.profile.setCurrentText(chosen)
        except AutoContourError as error:
            self._fail(error)

    # Running --------------------------------------------------------------------------------------------------------

    def _run(self, task: Task, take: Callable[[Any], None], words: str) -> None:
        self.report.setPlainText("")
        self.running.start(task, take, words)

    def _stop(self) -> None:
        """Stop what is running; nothing has changed."""
        if self.running.stop():
            self.report.setPlainText(tr("Stopped; nothing has changed."))

    def _fail(self, error: AutoContourError) -> None:
        if not isinstance(error, Cancelled):
            self.report.setPlainText(in_window(error))


def _row(entry: Entry) -> list[str]:
    package = entry.package
    source = tr("the program") if entry.bundled else tr("installed")
    if package is None:
        return [entry.name, source, "", in_window(entry.error) if entry.error else "", "", ""]
    count = str(len(package.structures))
    name = f"{package.name} {package.version}"
    if entry.rival is not None:
        return [name, tr("not used: another has the same name"), count, "", "", ""]
    procedure = package.procedure
    if procedure is None:
        return [name, source, count, "", "", ""]
    measured = sum(structure in package.measured_names for structure in package.structures)
    proven = tr("checked") if package.sides else tr("not checked")
    return [name, tr("published model"), count, proven, procedure.profile, f"{measured} / {count}"]


def _about(package: ModelPackage) -> list[str]:
    """Return what is known about a package, and what was measured here."""
    lines = [tr("Licence: {licence}", licence=package.license)]
    for title, key in ((tr("Data"), "data_source"), (tr("References"), "references")):
        lines.append(f"{title}: {package.metadata.get(key, tr('not stated'))}")
    procedure = package.procedure
    if procedure is None:
        return lines
    if package.sides:
        how = {"anatomy": tr("by the anatomy"), "reference": tr("compared with other contours"), "person": ""}
        by = how[package.sides.method] or tr("confirmed by {name}", name=package.sides.by)
        lines.append(tr("Left and right: checked on {date}, {how}", date=package.sides.date[:10], how=by))
    for name, one in procedure.measured.items():
        lowest = min(one.dsc.values(), default=1.0)
        seconds, dsc = f"{one.seconds:.0f}", f"{lowest:.3f}"
        lines.append(tr("{name}: {seconds} s, lowest DSC with exact {dsc}", name=name, seconds=seconds, dsc=dsc))
    missing = [name for name in package.structures if name not in package.measured_names]
    if missing:
        count = len(missing)
        words = tr_count(count, "{count} structure is not measured here", "{count} structures are not measured here")
        lines.append(f"{words}: {', '.join(missing[:8])}{' …' if len(missing) > 8 else ''}")
    return lines
