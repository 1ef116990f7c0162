"""A blind review from the viewer's menu: the review's own window, while the viewer is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QInputDialog

from autocontour.base.errors import AutoContourError
from autocontour.gui.look.language import tr

if TYPE_CHECKING:
    from autocontour.gui.app.window import MainWindow


def ask_review(window: MainWindow) -> None:
    """Ask for the folder of a review and the reviewer's name, and open it."""
    folder = QFileDialog.getExistingDirectory(window, tr("Open the folder of a blind review"))
    if not folder:
        return
    words = tr("Your name in the review (letters, digits, _ and -; not a patient's):")
    name, is_accepted = QInputDialog.getText(window, tr("Blind review"), words)
    if is_accepted:
        open_review(window, Path(folder), name.strip())


def open_review(window: MainWindow, folder: Path, reviewer: str) -> None:
    """Show the tasks of a reviewer; the viewer is hidden until the review is paused or finished.

    The viewer could show the origin of the same contours, and its list of cases the patients.
    A review that cannot be used is reported in the viewer.
    """
    from autocontour.gui.blind.window import BlindWindow  # not needed to show the viewer
    from autocontour.qa.commissioning.blind.files import read_review
    from autocontour.qa.commissioning.blind.session import Session

    try:
        session = Session(read_review(folder), reviewer)
    except AutoContourError as error:
        window.workspace.report_error(error)
        return
    try:
        window.review = BlindWindow(session)
    except BaseException:
        session.close()
        raise
    window.review.closed.connect(window.show)
    window.review.show()
    window.hide()
