"""Starting the window of a blind review."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import TracebackType

from PySide6.QtWidgets import QApplication

from autocontour.gui.blind.window import BlindWindow
from autocontour.gui.look import theme
from autocontour.gui.look.fonts import can_show
from autocontour.gui.look.language import language_of, tr, use_language
from autocontour.gui.look.screen import require_screen
from autocontour.gui.state.settings import ViewerSettings
from autocontour.qa.commissioning.blind.files import read_review
from autocontour.qa.commissioning.blind.session import Session


def show_review(folder: Path, reviewer: str) -> int:
    """Open the window of a reviewer; return the exit code.

    Raises
    ------
    UsageError
        If the review or the reviewer's answers cannot be used (see `Session`).
    """
    require_screen()
    session = Session(read_review(folder), reviewer)
    try:
        app = QApplication.instance() or QApplication(sys.argv[:1])
        assert isinstance(app, QApplication)  # a core application would have no window
        app.setApplicationName("autocontour")
        settings = ViewerSettings()
        wanted = language_of(settings.language)
        use_language(app, wanted if can_show(wanted) else "en")
        theme.use_theme(app, theme.THEMES.get(settings.theme, theme.DARK))
        window = BlindWindow(session)
    except BaseException:
        session.close()
        raise

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        if not issubclass(kind, KeyboardInterrupt):
            window.workspace.refuse(tr("An error occurred ({fault}). Your answers are saved.", fault=kind.__name__))

    sys.excepthook = report
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends at once: every answer is on the disk already
    window.show()
    return app.exec()
