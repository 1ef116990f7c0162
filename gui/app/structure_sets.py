"""Structure sets of other files: opened to be worked on, or compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from autocontour.base.errors import AutoContourError, Cancelled
from autocontour.base.jobs import Job
from autocontour.case import CaseState, Edit, actions
from autocontour.gui.look.language import in_window, tr, tr_count
from autocontour.patient.structures import StructureSet

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.state.workspace import Workspace

FILTER = "RTSTRUCT (*.dcm *);;All (*)"


def ask_structure_set(window: MainWindow) -> None:
    """Ask for an RTSTRUCT and add its structures."""
    path, _ = QFileDialog.getOpenFileName(window, tr("Open a structure set"), _folder(window), FILTER)
    if path:
        open_structure_set(window, Path(path))


def open_structure_set(window: MainWindow, path: Path) -> None:
    """Add the structures of an RTSTRUCT of this scan."""
    space = window.workspace
    case, made = space.case, dict[Path, tuple[CaseState, Edit]]()

    def prepare(path: Path, found: StructureSet) -> None:
        if case is not None:
            made[path] = actions.prepared_import(case, found)

    _read_sets(space, "Open structure set", [path], lambda path, found: _import(space, found, made.get(path)), prepare)


def ask_comparison(window: MainWindow) -> None:
    """Ask for other observers' RTSTRUCTs, one or several, and show them against this one."""
    paths, _ = QFileDialog.getOpenFileNames(window, tr("Compare with"), _folder(window), FILTER)
    compare_with(window, [Path(path) for path in paths])


def compare_with(window: MainWindow, paths: Iterable[Path]) -> None:
    """Show structure sets of this scan against this one; one of another scan is refused."""

    def add(path: Path, found: StructureSet) -> None:
        window.comparison.add(found, path.name)

    _read_sets(window.workspace, "Compare with", list(paths), add)


def _folder(window: MainWindow) -> str:
    return str(window.workspace.folder or Path.home())


def _import(space: Workspace, found: StructureSet, made: tuple[CaseState, Edit] | None) -> None:
    """Add the structures of a set; `made` is the edit that was prepared, and the state it is for."""
    if space.case is None:
        return
    try:
        edit = made[1] if made and made[0] is space.state else actions.import_structures(space.case, found)
    except AutoContourError as error:
        space.report_error(error)
        return
    if space.apply(edit):
        notes = f" {in_window(found.findings[0])}" if found.findings else ""
        count = len(found.structures)
        space.notify(tr_count(count, "{count} structure opened.", "{count} structures opened.") + notes)


def _read_sets(
    space: Workspace,
    label: str,
    paths: Sequence[Path],
    take: Callable[[Path, StructureSet], None],
    prepare: Callable[[Path, StructureSet], None] = lambda *_: None,
) -> None:
    """Read structure sets of this scan beside the window and take in each; one of another scan is refused."""
    from autocontour.qa.checks import checked
    from autocontour.rtstruct import read_structure_set

    ct = space.ct
    if ct is None or not paths:
        return

    def read(job: Job) -> list[tuple[Path, StructureSet | AutoContourError]]:
        found: list[tuple[Path, StructureSet | AutoContourError]] = []
        for path in job.track(paths, "reading the structure sets", len(paths)):
            try:
                one = checked(ct, read_structure_set(path, ct), job)
                prepare(path, one)
                found.append((path, one))
            except Cancelled:
                raise
            except AutoContourError as error:
                found.append((path, error))
        return found

    def take_in(found: list[tuple[Path, StructureSet | AutoContourError]]) -> None:
        for path, one in found:
            if isinstance(one, AutoContourError):
                space.report_error(one)
            else:
                take(path, one)

    space.background.run(label, (), read, take_in)
