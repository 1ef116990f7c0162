"""Starting the viewer."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import TracebackType

from PySide6.QtWidgets import QApplication

from autocontour.base.errors import AutoContourError
from autocontour.gui.app.window import MainWindow, use_software_threads
from autocontour.gui.look import theme
from autocontour.gui.look.fonts import can_show
from autocontour.gui.look.language import language_of, tr, use_language
from autocontour.gui.look.screen import require_screen
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.views.renderers import asked_for


def report_failure(
    window: MainWindow, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show a fault of the program, which would otherwise look as if nothing had happened."""
    sys.__excepthook__(kind, error, trace)
    if isinstance(error, AutoContourError):
        window.workspace.report_error(error)
    elif not issubclass(kind, KeyboardInterrupt):
        window.workspace.message.emit(
            tr("An error occurred ({fault}). Your contours are saved.", fault=kind.__name__), True
        )


def run_viewer(path: Path | None = None, renderer: str = "", results: Path | None = None) -> int:
    """Open the window; return the exit code.

    Parameters
    ----------
    path
        A CT to open.
    renderer
        What draws the slices (a key of `renderers.TITLES`); by default what the environment or the settings choose.
    results
        Folder of a report to open in the QA room.
    """
    require_screen()
    use_software_threads()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)  # a core application would have no window
    app.setApplicationName("autocontour")
    settings = ViewerSettings()
    wanted = language_of(settings.language)
    language = wanted if can_show(wanted) else "en"
    use_language(app, language)
    theme.use_theme(app, theme.THEMES.get(settings.theme, theme.DARK))
    window = MainWindow(settings)
    sys.excepthook = partial(report_failure, window)
    window.show()
    window.detach_as_left()
    if language != wanted:
        window.workspace.report_error(AutoContourError("AC-GUI-004"))
    window.intake.prepare_to_open(asked_for(settings.renderer, renderer))
    if path is not None:
        window.open_path(path)
    if results is not None:
        window.qa_room.open_folder(results)
    return app.exec()
