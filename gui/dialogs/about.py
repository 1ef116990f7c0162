"""What runs: versions, and what draws the views."""

from __future__ import annotations

from PySide6.QtCore import qVersion
from PySide6.QtWidgets import QMessageBox, QWidget

from autocontour import __version__
from autocontour.gui.look.language import tr
from autocontour.gui.views.renderers import TITLES, Choice


def about_lines(choice: Choice) -> list[str]:
    """Return the facts, one a line."""
    from vtkmodules.vtkCommonCore import vtkVersion

    drawn = tr(TITLES[choice.name]) + ("" if choice.asked != "auto" else f"   ({tr('chosen automatically')})")
    return [
        f"autocontour {__version__}",
        f"Qt {qVersion()}   VTK {vtkVersion.GetVTKVersion()}",
        f"OpenGL: {choice.opengl or tr('not known')}",
        tr("Slices drawn by: {renderer}", renderer=drawn),
        *([tr("VTK drew a test picture wrongly with this graphics driver.")] if choice.is_faulty else []),
    ]


def show_about(parent: QWidget, choice: Choice) -> None:
    """Show the facts."""
    QMessageBox.about(parent, tr("About autocontour"), "\n".join(about_lines(choice)))
