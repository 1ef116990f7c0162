"""Opening the dialog of learning from approved cases: one for a window, which keeps its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autocontour.gui.dialogs.learning import LearningDialog
from autocontour.learning.settings import learning_folder

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow


def show_learning(window: MainWindow) -> None:
    """Show the dialog; closing it stops nothing."""
    dialog = window.findChild(LearningDialog)
    if dialog is None:
        dialog = LearningDialog(window, learning_folder(), window.worklist.root)
    elif not dialog.work.is_running:
        dialog.ask_status()
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
