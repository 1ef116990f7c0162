"""Opening a folder: scanning, choosing a series, reading it, off the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QCheckBox, QLabel, QProgressDialog, QTreeWidget, QTreeWidgetItem, QWidget

from autocontour.batch import no_planning_ct
from autocontour.dicom import Series, planning_cts, read_ct, read_image, scan_folder
from autocontour.dicom.checks import ACCEPTABLE, blocking
from autocontour.errors import AutoContourError, Cancelled
from autocontour.findings import Severity
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.tasks import ThreadTask
from autocontour.jobs import Job
from autocontour.volume import CTVolume


class Opening(QObject):
    """One attempt to open a folder; ends in `opened` or in a sentence why not."""

    def __init__(
        self,
        parent: QWidget,
        path: Path,
        opened: Callable[[CTVolume], None],
        failed: Callable[[AutoContourError], None],
        series_uid: str = "",
    ) -> None:
        super().__init__(parent)
        self._window = parent
        self._path = path
        self._opened = opened
        self._failed = failed
        self._series_uid = series_uid
        self._task: ThreadTask | None = None
        self._progress = QProgressDialog("Looking for scans…", "Cancel", 0, 100, parent)
        self._progress.setWindowModality(Qt.WindowModality.WindowModal)
        self._progress.setMinimumDuration(400)
        self._progress.canceled.connect(self._cancel)

    def start(self) -> None:
        """Scan the folder; a file is read as a NIfTI or NRRD volume."""
        if self._path.is_dir():
            self._run(lambda job: scan_folder(self._path, job), self._choose)
        else:
            self._run(lambda _: read_image(self._path), self._finish)

    def _run(self, function: Callable[[Job], object], then: Callable[[object], None]) -> None:
        self._task = ThreadTask(function, self)
        self._task.advanced.connect(self._advance)
        self._task.done.connect(then)
        self._task.failed.connect(self._fail)
        self._task.start()

    def _choose(self, found: object) -> None:
        assert isinstance(found, list)  # what scan_folder returns
        series = planning_cts(found)
        wanted = [one for one in series if one.series_instance_uid == self._series_uid and one.is_sound]
        if len(wanted) == 1:
            self._read(wanted[0])
        elif not series:
            self._fail(no_planning_ct())
        elif len(series) == 1 and series[0].is_sound:
            self._read(series[0])
        else:
            self._progress.reset()
            dialog = SeriesDialog(self._window, series)
            if dialog.exec() and dialog.series is not None:
                self._read(dialog.series, dialog.accepted_codes)
            else:
                self._progress.close()

    def _read(self, series: Series, accepted: frozenset[str] = frozenset()) -> None:
        self._run(lambda job: read_ct(series, job, accepted), self._finish)

    def _finish(self, ct: object) -> None:
        self._progress.close()
        assert isinstance(ct, CTVolume)  # what was read
        self._opened(ct)

    def _fail(self, error: AutoContourError) -> None:
        self._progress.close()
        if not isinstance(error, Cancelled):
            self._failed(error)

    def _advance(self, stage: str, fraction: float) -> None:
        if not self._progress.wasCanceled():
            self._progress.setLabelText(f"{stage[:1].upper()}{stage[1:]}…")
            self._progress.setValue(round(99 * fraction))

    def _cancel(self) -> None:
        if self._task:
            self._task.job.cancel()


class SeriesDialog(Dialog):
    """Which of several series; those that cannot be used say why."""

    def __init__(self, parent: QWidget, found: list[Series]) -> None:
        super().__init__(parent, "Choose a series", "Several scans are in this folder.", "Open", width=760)
        self._found = found
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Patient", "Date", "Series", "Slices", ""])
        self.tree.setRootIsDecorated(False)
        self.tree.setMinimumHeight(180)
        self.tree.setAccessibleName("Series")
        self.note = QLabel(wordWrap=True)
        self.note.setObjectName("muted")
        self.in_spite = QCheckBox(
            "Open it in spite of this; every slice keeps its true position, and the file will say so"
        )
        self.in_spite.toggled.connect(self._explain)
        for series in found:
            self.tree.addTopLevelItem(_row(series))
        self.tree.currentItemChanged.connect(self._explain)
        self.tree.itemDoubleClicked.connect(lambda *_: self.accept() if self.ok.isEnabled() else None)
        for column in range(5):
            self.tree.resizeColumnToContents(column)
        self.body.addWidget(self.tree)
        self.body.addWidget(self.note)
        self.body.addWidget(self.in_spite)
        self.tree.setCurrentIndex(self.tree.model().index(0, 0))
        self.finish()

    @property
    def series(self) -> Series | None:
        """The one chosen."""
        row = self.tree.currentIndex().row()
        return self._found[row] if row >= 0 else None

    @property
    def accepted_codes(self) -> frozenset[str]:
        """Codes of the blocking findings the user accepts: only those that can be."""
        return self._acceptable() if self.in_spite.isChecked() else frozenset()

    def _acceptable(self) -> frozenset[str]:
        blocks = frozenset(f.code for f in blocking(self.series.findings)) if self.series else frozenset()
        return blocks if blocks <= ACCEPTABLE else frozenset()

    def _explain(self) -> None:
        series = self.series
        self.in_spite.setVisible(bool(self._acceptable()))
        self.ok.setEnabled(series is not None and (series.is_sound or bool(self.accepted_codes)))
        findings = [f for f in series.findings if f.severity > Severity.INFO] if series else []
        self.note.setText(
            "\n".join(f"{'●' if f.severity is Severity.BLOCK else '▲'} {f.message} {f.remedy}" for f in findings)
        )


def _row(series: Series) -> QTreeWidgetItem:
    name = series.patient_name.replace("^", " ").strip() or "No name"
    sound = "" if series.is_sound else "cannot be used"
    return QTreeWidgetItem([name, series.study_date, f"{series.number} {series.description}", str(len(series)), sound])
