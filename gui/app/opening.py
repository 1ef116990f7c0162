"""Opening a folder: scanning, choosing a series, reading it, off the window's thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QProgressDialog, QWidget

from autocontour.base.errors import AutoContourError, Cancelled, StructureSetError
from autocontour.base.jobs import Job
from autocontour.case import Edit, actions
from autocontour.dicom import Series, planning_cts, read_ct, read_image, scan_folder, with_value_findings
from autocontour.gui.dialogs.previews import PreviewReader
from autocontour.gui.dialogs.series import SeriesDialog
from autocontour.gui.look.language import tr
from autocontour.gui.look.phrases import as_sentence
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Prepared
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.pipeline.sources import no_planning_ct
from autocontour.qa.checks import checked
from autocontour.rtstruct import read_structure_set
from autocontour.rtstruct.read.summary import StructureSetSummary, read_summary

TOLD_FROM_SECONDS = 2.0
"""The time left is shown where a stage takes longer than this."""

__all__ = ["Opened", "Opening", "SeriesDialog"]


@dataclass(frozen=True)
class Opened:
    """What was opened.

    Attributes
    ----------
    structure_sets
        Those that were chosen with the CT and could be read.
    refusals
        Why others could not.
    prepared
        The CT with its case.
    edit
        What takes the first structure set into that case.
    """

    ct: CTVolume
    structure_sets: tuple[StructureSet, ...] = ()
    refusals: tuple[AutoContourError, ...] = ()
    prepared: Prepared | None = None
    edit: Edit | None = None


@dataclass
class _Found:
    """The planning CTs of a folder and the structure sets drawn on them."""

    series: list[Series]
    structure_sets: Mapping[Series, Sequence[StructureSetSummary]] = field(default_factory=dict)


class Opening(QObject):
    """One attempt to open a folder; ends in `opened` or in a sentence why not.

    Parameters
    ----------
    parent
        The window.
    path
        A folder, or a NIfTI or NRRD file.
    opened, failed
        Called with the result.
    is_begun
        Whether a series has a case already: then no structure sets are asked for.
    series_uid
        The series to open without asking.
    prepare
        Takes up the case of what was read, beside the window.
    locate
        Finds the folder or file where it is not known, beside the window; `path` is replaced by it.

    Attributes
    ----------
    path
        As the parameter.
    """

    def __init__(
        self,
        parent: QWidget,
        path: Path,
        opened: Callable[[Opened], None],
        failed: Callable[[AutoContourError], None],
        is_begun: Callable[[Series], bool] = lambda _: False,
        series_uid: str = "",
        prepare: Callable[[CTVolume], Prepared] | None = None,
        locate: Callable[[Job], Path] | None = None,
    ) -> None:
        super().__init__(parent)
        self._window = parent
        self.path = path
        self._locate = locate
        self._opened = opened
        self._failed = failed
        self._is_begun = is_begun
        self._series_uid = series_uid
        self._prepare = prepare
        self._task: Task | None = None
        self._is_over = False
        self._progress = QProgressDialog(tr("Looking for scans…"), tr("Cancel"), 0, 100, parent)
        self._progress.setWindowModality(Qt.WindowModality.WindowModal)
        self._progress.setMinimumDuration(400)
        self._progress.canceled.connect(self._cancel)

    def start(self) -> None:
        """Scan the folder, once it is found; a file is read as a NIfTI or NRRD volume."""
        if self._locate is not None:
            self._run(self._locate, self._start_at)
        elif self.path.is_dir():
            self._run(lambda job: _look(self.path, job), self._choose)
        else:
            self._run(lambda _: self._prepared(Opened(read_image(self.path))), self._finish)

    def give_up(self) -> None:
        """Read no further and say nothing more: the window closes, or something else is opened."""
        self._is_over = True
        self._progress.reset()
        self._cancel()

    def _run(self, function: Callable[[Job], object], then: Callable[[object], None]) -> None:
        self._task = Task(function, self)
        self._task.advanced.connect(self._advance)
        self._task.done.connect(lambda result: _let_go(result) if self._is_over else then(result))
        self._task.failed.connect(self._fail)
        self._task.start()

    def _start_at(self, path: object) -> None:
        assert isinstance(path, Path)  # what `locate` returns
        self.path, self._locate = path, None
        self.start()

    def _choose(self, found: object) -> None:
        assert isinstance(found, _Found)  # what _look returns
        series = found.series
        wanted = [one for one in series if one.series_instance_uid == self._series_uid and one.is_sound]
        only = series[0] if len(series) == 1 and series[0].is_sound else None
        if not series:
            self._fail(no_planning_ct())
        elif len(wanted) == 1:
            self._read(wanted[0])
        elif only and (not found.structure_sets or self._is_begun(only)):
            self._read(only)
        else:
            self._ask(found)

    def _ask(self, found: _Found) -> None:
        self._progress.reset()
        reader = PreviewReader(self)
        dialog = SeriesDialog(self._window, found.series, found.structure_sets, self._is_begun, reader)
        is_chosen = dialog.exec()
        if self._is_over:
            return
        if is_chosen and dialog.series is not None:
            self._read(dialog.series, dialog.accepted_codes, dialog.structure_sets)
        else:
            self._progress.close()

    def _read(self, series: Series, accepted: frozenset[str] = frozenset(), sets: Sequence[Path] = ()) -> None:
        self._run(lambda job: self._prepared(_read(series, job, accepted, sets)), self._finish)

    def _prepared(self, opened: Opened) -> Opened:
        """Take up the case, in the thread that has read the CT."""
        if not self._prepare:
            return opened
        prepared, edit = self._prepare(opened.ct), None
        if prepared.case is not None and opened.structure_sets:
            with suppress(AutoContourError):  # reported when it is taken in
                edit = actions.prepared_import(prepared.case, opened.structure_sets[0])[1]
        return replace(opened, prepared=prepared, edit=edit)

    def _finish(self, opened: object) -> None:
        self._progress.close()
        assert isinstance(opened, Opened)  # what was read
        self._opened(opened)

    def _fail(self, error: AutoContourError) -> None:
        if self._is_over:
            return
        self._progress.close()
        if not isinstance(error, Cancelled):
            self._failed(error)

    def _advance(self, stage: str, fraction: float, seconds_left: float) -> None:
        if self._is_over or self._progress.wasCanceled():
            return
        is_long = seconds_left > TOLD_FROM_SECONDS
        time_left = tr(" about {seconds} s left", seconds=math.ceil(seconds_left)) if is_long else ""
        self._progress.setLabelText(f"{as_sentence(stage)}…{time_left}")
        self._progress.setValue(round(99 * fraction))

    def _cancel(self) -> None:
        if self._task:
            self._task.job.cancel()


def _let_go(result: object) -> None:
    """Close the case of a scan that is no longer wanted."""
    if isinstance(result, Opened) and result.prepared is not None and result.prepared.case is not None:
        result.prepared.case.close()


def _look(folder: Path, job: Job) -> _Found:
    """Find the planning CTs of a folder and, for each, the structure sets drawn on it."""
    found = scan_folder(folder, job)
    files = [path for series in found if series.modality == "RTSTRUCT" for path in series.files]
    summaries = []
    for path in job.track(files, "reading the structure sets", len(files)) if files else ():
        with suppress(StructureSetError):  # a damaged one cannot be opened with any series
            summaries.append(read_summary(path))
    sets = {series: _drawn_on(series, summaries) for series in map(with_value_findings, planning_cts(found))}
    return _Found(list(sets), {series: several for series, several in sets.items() if several})


def _drawn_on(series: Series, summaries: Sequence[StructureSetSummary]) -> list[StructureSetSummary]:
    """Return the structure sets drawn on `series`, the newest first."""
    uids = series.series_instance_uid, series.frame_of_reference_uid
    by_label = sorted((one for one in summaries if one.belongs_to(*uids)), key=lambda one: one.label)
    return sorted(by_label, key=lambda one: one.date, reverse=True)


def _read(series: Series, job: Job, accepted: frozenset[str], sets: Sequence[Path]) -> Opened:
    ct = read_ct(series, job, accepted)
    read, refusals = [], []
    for path in job.track(sets, "reading the structure sets", len(sets)) if sets else ():
        try:
            read.append(checked(ct, read_structure_set(path, ct), job))
        except StructureSetError as error:
            refusals.append(error)
    return Opened(ct, tuple(read), tuple(refusals))
