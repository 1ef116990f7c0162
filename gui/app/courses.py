"""A patient's course beside the case that is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from autocontour.gui.look.language import tr
from autocontour.patient.structures import StructureSet

if TYPE_CHECKING:
    from autocontour.course.record import CourseCT
    from autocontour.gui.app.window import MainWindow
    from autocontour.gui.panels.course_window import CourseWindow
    from autocontour.gui.state.course import CourseDesk


def show_course(window: MainWindow) -> None:
    """Show the window of the course that is open, or ask for one."""
    if window.course is None or window.course.desk.loaded is None:
        ask_course(window)
    elif window.course.isVisible() and window.course.isActiveWindow():
        window.course.hide()
    else:
        bring_up(window.course)


def ask_course(window: MainWindow) -> None:
    """Ask for the folder of a course, or of its patient, and open it."""
    start = str(window.workspace.folder or (window.settings.recent or [str(Path.home())])[0])
    folder = QFileDialog.getExistingDirectory(window, tr("Open a course"), start)
    if folder:
        open_course(window, Path(folder))


def open_course(window: MainWindow, folder: Path) -> None:
    """Open a course in its window."""
    if window.course is None:
        window.course = _make(window)
    window.course.desk.open(folder)
    bring_up(window.course)


def bring_up(course: CourseWindow) -> None:
    """Show the window in front."""
    course.show()
    course.raise_()
    course.activateWindow()


def _make(window: MainWindow) -> CourseWindow:
    from autocontour.gui.panels.course_window import CourseWindow
    from autocontour.gui.state.course import CourseDesk

    desk = CourseDesk(window.workspace, window)
    course = CourseWindow(window, desk)
    course.open_asked.connect(lambda ct: open_ct(window, desk, ct))
    course.folder_asked.connect(lambda: ask_course(window))
    course.key_changed.connect(window.show_modifier)
    desk.own_loaded.connect(lambda: compare_methods(window, desk))
    return course


def open_ct(window: MainWindow, desk: CourseDesk, ct: CourseCT) -> None:
    """Open a CT of the course in the main window, with the course's contours if its case has none."""
    desk.will_take_in(ct)
    window.open_path(Path(ct.files[0]).parent, ct.series_instance_uid)


def compare_methods(window: MainWindow, desk: CourseDesk) -> None:
    """Let the comparison show what each method drew, dashed in the main window."""
    from autocontour.gui.panels.course_window import METHOD_NAMES

    if desk.own is None:
        return
    was_shown = window.comparison.is_shown
    for method, title in METHOD_NAMES.items():
        drawn = [one.structure for found in desk.own.alternatives.values() for one in found if one.method == method]
        if drawn:
            window.comparison.add(StructureSet(tr(title), tuple(drawn)), method)
    window.comparison.show(shown=was_shown)
