"""Bone and skin, the cut, pictures and films of the 3D view."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from autocontour.base.errors import AutoContourError, OutputError
from autocontour.base.files import write_atomically
from autocontour.gui.look.language import tr
from autocontour.gui.state.tasks import Task
from autocontour.gui.views.film import SIGNATURE, animated, as_png
from autocontour.gui.views.volume import Tissue

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow

FRAME_MS = 50
PICTURE, FILM = "autocontour-3d.png", "autocontour-3d-film.png"


def next_tissue(window: MainWindow) -> None:
    """Show the next of nothing, bone, bone and skin in 3D."""
    view = window.views.surfaces
    view.show_tissue(view.tissue.following)
    window.workspace.notify(tr("3D: {tissue}", tissue=tr(view.tissue.value)))


def toggle_cut(window: MainWindow) -> None:
    """Cut the 3D view at the axial slice, or show all of it."""
    view = window.views.surfaces
    view.cut_at_slice(on=not view.is_cut)
    window.workspace.notify(tr("3D: cut at the axial slice") if view.is_cut else tr("3D: not cut"))


def save_picture(window: MainWindow) -> None:
    """Ask for a file and write the 3D view into it."""
    if _is_ready(window) and (path := ask_png(window, tr("Save 3D picture"), PICTURE)) is not None:
        _write(window, path, as_png(window.views.surfaces.picture()))


def save_film(window: MainWindow) -> None:
    """Ask for a file and write one turn about the patient into it, while work goes on."""
    if not _is_ready(window) or (path := ask_png(window, tr("Save 3D film"), FILM)) is None:
        return
    window.workspace.notify(tr("The film is being recorded; a click in the 3D view cancels it."))
    window.views.surfaces.record_turn(lambda pictures: _write_film(window, path, pictures))


def ask_png(window: MainWindow, title: str, name: str) -> Path | None:
    """Ask for a PNG file; nothing else is ever replaced. The proposed name contains nothing of the patient."""
    proposed = str(Path.home() / name)
    chosen, _ = QFileDialog.getSaveFileName(window, title, proposed, "PNG (*.png)")
    if not chosen:
        return None
    path = Path(chosen) if chosen.lower().endswith(".png") else Path(f"{chosen}.png")
    try:
        with path.open("rb") as file:
            is_other = file.read(len(SIGNATURE)) != SIGNATURE
    except FileNotFoundError:
        return path
    except OSError as error:
        window.workspace.report_error(OutputError("AC-OUT-001", file=path.name, reason=error.strerror or ""))
        return None
    if is_other:
        window.workspace.report_error(AutoContourError("AC-GUI-003", file=path.name))
        return None
    return path


def _is_ready(window: MainWindow) -> bool:
    if window.views.surfaces.is_meshing or not window.views.surfaces.isVisible():
        window.workspace.refuse(tr("The 3D view is not complete yet. Try again in a moment."))
        return False
    return True


def _write_film(window: MainWindow, path: Path, pictures: list[bytes]) -> None:
    if not pictures:
        window.workspace.refuse(tr("The film was cancelled; no file was written."))
        return
    task = Task(lambda _: write_atomically(path, animated(pictures, FRAME_MS)), window)
    task.done.connect(lambda _: _say_written(window, path))
    task.failed.connect(window.workspace.report_error)
    task.start()


def _write(window: MainWindow, path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OutputError as error:
        window.workspace.report_error(error)
    else:
        _say_written(window, path)


def _say_written(window: MainWindow, path: Path) -> None:
    if window.views.surfaces.tissue is Tissue.BONE_AND_SKIN:
        window.workspace.notify(tr("{file} written. The patient's face may be recognisable in it.", file=path.name))
    else:
        window.workspace.notify(tr("{file} written.", file=path.name))
