"""The QA room in the window: opening results, and showing one of them in the views."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QFileDialog

from autocontour.base.errors import AutoContourError, UsageError
from autocontour.base.files import shown_path
from autocontour.base.jobs import Job
from autocontour.case import actions
from autocontour.gui.look.language import tr
from autocontour.gui.qa_room.control_chart import LABELS
from autocontour.gui.qa_room.page import METRICS, STATUSES, QaRoomPage
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Prepared
from autocontour.gui.views.planes import body_voxels
from autocontour.patient.structures import Contours, GenerationAlgorithm, ReviewStatus, Structure

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow
    from autocontour.qa.commissioning.study.results import Result, StudyResults

VIEWED = "viewed"
REFERENCE = "reference"
REFERENCE_RGB, METHOD_RGB = (0, 220, 90), (255, 80, 60)
REFERENCE_NUMBER, METHOD_NUMBER = 1, 2


def read_folder(folder: Path) -> StudyResults | dict[str, Any]:
    """Return the results of a study, or the report of routine QA, of a time study or of a blind review.

    Raises
    ------
    UsageError
        ``AC-QA-240`` if the folder has none of them, ``AC-QA-243`` if it lacks values that are shown.
    """
    found = _read_any(folder)
    if isinstance(found, dict) and found.get("version", 1) != 1:
        raise UsageError("AC-QA-243", folder=shown_path(folder))
    try:
        _compute_shown(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError("AC-QA-243", folder=shown_path(folder)) from error
    return found


def _read_any(folder: Path) -> StudyResults | dict[str, Any]:
    from autocontour.qa.commissioning.study import results  # not needed to show the window

    for name, (kind, needed) in results.TABLE_REPORTS.items():
        if (folder / name).is_file():
            content = results.read_content(folder, name)
            if content.get("format") != kind or not needed <= content.keys():
                raise UsageError("AC-QA-240", folder=shown_path(folder))
            return content
    content = results.read_content(folder)
    if content.get("format") != results.ROUTINE_FORMAT:
        return results.read_results(folder)
    if not isinstance(content.get("structures"), list):
        raise UsageError("AC-QA-240", folder=shown_path(folder))
    return content


def _compute_shown(found: StudyResults | dict[str, Any]) -> None:
    """Compute everything that the page shows; it fails on a report of a version that has other values."""
    from autocontour.qa.commissioning.blind.report import review_tables
    from autocontour.qa.commissioning.routine.page import times_tables
    from autocontour.qa.commissioning.study.results import REVIEW_FORMAT, TIMES_FORMAT

    if not isinstance(found, dict):
        _ = found.tables, [found.box(*pair, metric) for pair in found.pairs for metric in METRICS]
    elif found["format"] == TIMES_FORMAT:
        times_tables(found)
    elif found["format"] == REVIEW_FORMAT:
        review_tables(found)
    else:
        for chart in found["structures"]:
            _ = STATUSES[chart["status"]], chart["structure"], chart["baseline"]["n"], chart["baseline"]["wanted"]
            _ = [len(chart[kind]) for kind in ("alarms", "changes", "signals")]
            _ = [(one["month"], one[metric]["mean"], one[metric]["standard_error"])
                 for one in chart["months"] for metric in LABELS]  # fmt: skip


class QaRoom:
    """The QA room of a window.

    Attributes
    ----------
    page
        What is shown; None until results were opened.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.page: QaRoomPage | None = None
        self._opening: Task | None = None

    def toggle(self) -> None:
        """Show the results; where they are shown, go back to the views; without any, ask for a folder."""
        if self.page is None:
            self.ask_folder()
        elif self._window.pages.currentWidget() is self.page:
            self.leave()
        else:
            self.show()

    def ask_folder(self) -> None:
        """Ask for the folder of a report and open it."""
        folder = QFileDialog.getExistingDirectory(self._window, tr("Open the folder of a report"))
        if folder:
            self.open_folder(Path(folder))

    def open_folder(self, folder: Path) -> None:
        """Read the results in a folder and show them."""
        task = Task(lambda _: read_folder(folder), self._window)
        task.done.connect(partial(self._take_in, folder))
        task.failed.connect(self._window.workspace.report_error)
        task.start()

    def _take_in(self, folder: Path, found: StudyResults | dict[str, Any]) -> None:
        from autocontour.qa.commissioning.study.results import REVIEW_FORMAT, TIMES_FORMAT

        page = self._built_page()
        if isinstance(found, dict) and found["format"] == TIMES_FORMAT:
            page.show_times(found, folder)
        elif isinstance(found, dict) and found["format"] == REVIEW_FORMAT:
            page.show_review(found, folder)
        elif isinstance(found, dict):
            page.show_routine(found, folder)
        else:
            page.show_study(found, folder)
        self.show()

    def _built_page(self) -> QaRoomPage:
        if self.page is None:
            self.page = QaRoomPage()
            self.page.opened.connect(self.open_result)
            self.page.folder_asked.connect(self.ask_folder)
            self.page.left.connect(self.leave)
            self._window.pages.addWidget(self.page)
        return self.page

    def show(self) -> None:
        """Show the page of results."""
        if self.page is not None:
            self._window.range_bar.shut()
            self._window.show_page(self.page)
            self.page.focus_first()

    def leave(self) -> None:
        """Go back to the case that is open, or to the start page."""
        self._window.show_views() if self._window.workspace.ct is not None else self._window.show_start()

    # One result in the views ------------------------------------------------------------------------------------------

    def open_result(self, result: Result, index: int | None) -> None:
        """Show a patient at a slice, with the contours of the reference and of the method."""
        results = self.page.results if self.page is not None else None
        if results is None or self._opening is not None:
            return
        case = self._window.workspace.case
        if case is not None and case.folder.parent == _root_of(results, result):
            self._show_result(result, index, None)
            return
        self._window.workspace.notify(tr("Opening {patient}…", patient=result.patient))
        task = self._opening = Task(partial(_prepare, results, result), self._window)
        task.done.connect(partial(self._show_result, result, index))
        task.failed.connect(self._fail)
        task.start()

    def _fail(self, error: AutoContourError) -> None:
        self._opening = None
        self._window.workspace.report_error(error)

    def _show_result(self, result: Result, index: int | None, prepared: Prepared | None) -> None:
        self._opening = None
        self._window.when_answered(partial(self._show_free, result, index, prepared))

    def _show_free(self, result: Result, index: int | None, prepared: Prepared | None) -> None:
        """Show it once no stroke is under way and no dialog is open."""
        space = self._window.workspace
        if prepared is not None:
            self._window.intake.show_prepared(prepared)
        self._window.show_views()
        chosen = REFERENCE_NUMBER if result.is_missing else METHOD_NUMBER
        space.select(chosen)
        if index is not None:
            space.go_to_place(range(index, index + 1))
        space.notify(tr("{patient}, {structure}: reference green, {method} red; key {key} goes back to the results.",
                        patient=result.patient, structure=result.structure, method=result.method,
                        key="Ctrl+G"))  # fmt: skip


def _root_of(results: StudyResults, result: Result) -> Path:
    """Return where the case of a result lies; another run of the patient has another one."""
    digest = hashlib.sha256(f"{result.structure}\0{result.method}".encode()).hexdigest()[:16]
    fingerprint = str(results.records[result.patient]["fingerprint"])[:12]
    return results.private / VIEWED / f"{result.patient}.{fingerprint}.{digest}"


def _prepare(results: StudyResults, result: Result, job: Job) -> Prepared:
    """Read the CT and store both contours in a case of their own, beside the report.

    Raises
    ------
    AutoContourError
        If CT or contours cannot be read.
    """
    reference, drawn = results.contours(result)
    ct = results.read_ct(result.patient, job)
    case = actions.open_case(ct, _root_of(results, result))
    try:
        if not case.state.items:
            own = (
                _shown(REFERENCE_NUMBER, " ".join((result.structure, REFERENCE)), reference, REFERENCE_RGB),
                _shown(METHOD_NUMBER, f"{result.structure} {result.method}", drawn, METHOD_RGB),
            )
            case.apply(actions.add(case.state, *own, label=result.structure))
            for one in own:
                case.apply(actions.set_locked(case.state, one.number, locked=True))
        return Prepared(ct, case, body_voxels(ct))
    except BaseException:
        case.close()
        raise


def _shown(number: int, name: str, contours: Contours, color_rgb: tuple[int, int, int]) -> Structure:
    manual, edited = GenerationAlgorithm.MANUAL, ReviewStatus.EDITED
    return Structure(name, number, dict(contours), color_rgb=color_rgb, generation=manual, status=edited)
