"""How scans and cases come in: folders and files are opened, dropped or gone on with, and become a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl
from PySide6.QtWidgets import QFileDialog

from autocontour.base import folders
from autocontour.base.errors import AutoContourError, CaseError
from autocontour.base.findings import Severity
from autocontour.base.jobs import Job
from autocontour.base.register import read_register
from autocontour.case import MARK, CaseKey, LeftCase, actions, clear_mark, left_cases
from autocontour.case.source import cases_of, find_case_ct, read_key, read_source
from autocontour.case.summary import CaseSummary
from autocontour.gui.app.structure_sets import open_structure_set
from autocontour.gui.look.fonts import can_show, has_korean
from autocontour.gui.look.language import in_window, tr, tr_count
from autocontour.gui.state.tasks import Task
from autocontour.gui.state.workspace import Prepared
from autocontour.gui.views.renderers import AUTO
from autocontour.patient.identity import PatientFacts, case_key
from autocontour.patient.volume import CTVolume

if TYPE_CHECKING:
    from autocontour.dicom import Series
    from autocontour.gui.app.opening import Opened, Opening
    from autocontour.gui.app.window import MainWindow

NOT_FOUND = "AC-CASE-031"
SURFACE_MODULES = ("vtkmodules.vtkRenderingOpenGL2", "vtkmodules.vtkFiltersCore", "vtkmodules.util.numpy_support")


class Intake(QObject):
    """Opens scans and their cases in a window.

    Parameters
    ----------
    window
        Where they are shown.
    case_root
        Folder of all cases; the user's own place if None.
    """

    def __init__(self, window: MainWindow, case_root: Path | None) -> None:
        super().__init__(window)
        self.case_root = case_root
        self._window, self.workspace = window, window.workspace
        self._opening: Opening | None = None

    def prepare_to_open(self, renderer: str = AUTO) -> None:
        """Import beside the window what reads DICOM and draws in 3D, so that the first scan opens as fast as the next.

        Only the modules are imported here; VTK is used on the window's own thread alone. When it has been started, what
        draws the slices is chosen (`renderer`, a key of `renderers.TITLES`).
        """
        names = ("autocontour.pipeline.request", "autocontour.rtstruct", *SURFACE_MODULES)
        task = Task(lambda _: (read_register(), [import_module(name) for name in names]), self)
        task.done.connect(lambda _: self._window.choose_renderer(renderer))
        task.start()

    def open_path(self, path: Path, series_uid: str = "") -> None:
        """Open a CT folder (or a NIfTI or NRRD file); of several series the one of `series_uid` without asking.

        For any other file the folder it lies in is opened.
        """
        from autocontour.dicom.image import SUFFIXES  # pydicom, not needed to show the window

        path = path.parent if path.is_file() and not path.name.endswith(SUFFIXES) else path
        self._open(path, series_uid, self.workspace.report_error)

    def _open(
        self,
        path: Path,
        series_uid: str,
        failed: Callable[[AutoContourError], None],
        key: CaseKey | None = None,
        locate: Callable[[Job], Path] | None = None,
    ) -> None:
        """Begin to open `path`, or what `locate` finds; where a `key` is given, no CT of another case."""
        from autocontour.gui.app.opening import Opening  # pydicom, not needed to show the window

        def opened(found: Opened) -> None:
            self._window.when_answered(partial(self._take_in, found, source=opening.path))

        def prepare(ct: CTVolume) -> Prepared:
            if key is not None and case_key(ct) != key:
                raise CaseError("AC-CASE-033")
            return self.workspace.prepare(ct, self.case_root, opening.path)

        self.stop_opening()
        opening = Opening(self._window, path, opened, failed, self._is_begun, series_uid, prepare, locate)
        self._opening = opening
        opening.start()

    def open_moved(self, folder: Path) -> None:
        """Open the case in `folder`, whose CT is no longer where it was: it is searched for, and else asked for."""
        source = read_source(folder)
        path = source.path if source else None
        parents = [path.parent] if path and path.parent not in (Path(path.anchor), Path.home()) else []
        roots = [*parents, *map(Path, self._window.settings.recent)]

        def failed(error: AutoContourError) -> None:
            self.workspace.report_error(error)
            if error.code == NOT_FOUND:
                self._ask_for_ct(folder)

        self._search(folder, roots, failed)

    def _search(self, folder: Path, roots: Sequence[Path], failed: Callable[[AutoContourError], None]) -> None:
        """Open the CT of the case in `folder` from where it is found below `roots`."""
        key = read_key(folder)
        uid = key.series_instance_uid if key else ""
        self._open(folder, uid, failed, key, lambda job: find_case_ct(folder, roots, job))

    def _ask_for_ct(self, folder: Path) -> None:
        """Ask where the CT of the case in `folder` lies; what does not hold it is refused."""
        key, start = read_key(folder), self._start_folder()
        if key and key.series_instance_uid:
            title = tr("Choose the folder that holds the CT of this case")
            chosen = QFileDialog.getExistingDirectory(self._window, title, start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self._window, tr("Choose the image file of this case"), start)

        def failed(error: AutoContourError) -> None:
            self.workspace.report_error(CaseError("AC-CASE-033") if error.code == NOT_FOUND else error)

        if chosen:
            self._search(folder, [Path(chosen)], failed)

    def stop_opening(self) -> None:
        """Give up a scan that is still being read."""
        if self._opening is not None:
            self._opening.give_up()

    def _is_begun(self, series: Series) -> bool:
        """Whether there is a case of `series` with something in it."""
        from autocontour.patient.identity import series_key

        journal = actions.case_folder(series_key(series, series.geometry), self.case_root) / "journal.bin"
        return journal.exists() and journal.stat().st_size > 0

    def _take_in(self, opened: Opened, source: Path) -> None:
        """Show what was opened: the first structure set to be worked on, the others to compare with."""
        assert opened.prepared is not None  # _prepare has seen to it
        self._show(opened.prepared, source)
        case = self.workspace.case
        if case is None or self.workspace.ct is not opened.ct:
            return
        for structure_set in opened.structure_sets[:1]:
            if self.workspace.apply(opened.edit or actions.import_structures(case, structure_set)):
                self.workspace.notify(
                    tr_count(
                        len(structure_set.structures),
                        "{count} structure of {name} opened.",
                        "{count} structures of {name} opened.",
                        name=structure_set.label,
                    )
                )
        for count, structure_set in enumerate(opened.structure_sets[1:], 2):
            self._window.comparison.add(structure_set, tr("set {count}", count=count))
        for error in opened.refusals:
            self.workspace.report_error(error)

    def show_ct(self, ct: CTVolume, source: Path | None = None) -> None:
        """Show a CT that is in memory and take up its case."""
        try:
            prepared = self.workspace.prepare(ct, self.case_root, source)
        except AutoContourError as error:
            self.workspace.report_error(error)
            return
        self._show(prepared, source)

    def show_prepared(self, prepared: Prepared) -> None:
        """Show a CT with a case that does not lie among the user's own."""
        self._show(prepared, None)

    def _show(self, prepared: Prepared, source: Path | None) -> None:
        ct = prepared.ct
        self.workspace.open(prepared, source)
        self._window.show_views()
        if source is not None:
            self._window.settings.remember(source)
        if has_korean(PatientFacts.of(ct).name) and not can_show("ko"):
            self.workspace.report_error(AutoContourError("AC-GUI-005"))
        noticed = [finding for finding in ct.findings if finding.severity >= Severity.WARN]
        if noticed:
            self.workspace.notify(" ".join(in_window(finding) for finding in noticed[:3]))

    def look_for_left_cases(self) -> None:
        """Offer what a killed program left, as soon as it is found."""
        root = self.case_root or folders.cases_folder()
        if next(root.glob(f"*/{MARK}"), None) is not None:
            self._looking = Task(lambda _: left_cases(root), self)
            self._looking.done.connect(self._window.welcome.offer)
            self._looking.start()
        moved = {Path(path) for path in self._window.settings.recent_moved}
        if moved:
            self._looking_for_moved = Task(lambda _: cases_of(root, moved), self)
            self._looking_for_moved.done.connect(self._window.welcome.show_moved)
            self._looking_for_moved.start()

    def go_on_with(self, left: LeftCase) -> None:
        """Open the scan of a case that was left."""
        if left.is_moved:
            self.open_moved(left.folder)
        else:
            self.open_path(left.scan.source, left.scan.series_instance_uid)

    def open_listed(self, case: CaseSummary) -> None:
        """Open a case of the list with its CT, which is searched for if it is not where it was."""
        if not case.is_usable or case.key is None:
            self.workspace.refuse(" ".join(map(in_window, case.problems)))
        elif case.is_ct_there and case.source is not None:
            self._open(case.source, case.key.series_instance_uid, self.workspace.report_error, case.key)
        else:
            self.open_moved(case.folder)

    def dismiss(self, left: LeftCase) -> None:
        """Offer a case that was left no more; nothing of it is lost."""
        clear_mark(left.folder)
        self._window.welcome.offer([case for case in self._window.welcome.offered if case is not left])

    def ask_folder(self) -> None:
        """Ask for a folder and open it."""
        folder = QFileDialog.getExistingDirectory(self._window, tr("Open a CT folder"), self._start_folder())
        if folder:
            self.open_path(Path(folder))

    def _start_folder(self) -> str:
        """Return where a dialog that asks for a folder begins."""
        return self._window.settings.recent[0] if self._window.settings.recent else str(Path.home())

    def open_dropped(self, urls: Sequence[QUrl]) -> None:
        """Open a folder, or the structure set that was dropped on its scan."""
        for path in [Path(url.toLocalFile()) for url in urls][:1]:
            is_set = path.is_file() and path.suffix.lower() == ".dcm" and self.workspace.ct is not None
            if is_set:
                self._window.show_views()
                open_structure_set(self._window, path)
            else:
                self.open_path(path)
