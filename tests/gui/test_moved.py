"""She goes on with a case whose CT was moved: it is searched for beside the window, and else asked for."""

import shutil

import numpy as np
import pytest
from pydicom import dcmread
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QProgressDialog, QPushButton

from autocontour.case.source import read_source
from autocontour.dicom.series import SeriesDescription
from autocontour.gui.app import intake
from tests.gui.conftest import ball
from tests.gui.test_opening import write_phantom
from tests.gui.test_recovery import opened_in

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def case(another_window, qtbot, tmp_path):
    """A closed case with a structure, and the folder of its CT."""
    folder = write_phantom(tmp_path / "store" / "CT", 3)
    window = another_window()
    space = opened_in(window, qtbot, folder)
    space.receive(ball())
    case_folder = space.case.folder
    window.close()
    return case_folder, folder


def click_moved(window, qtbot):
    """Click the only recent folder, which is gone."""
    recent = window.welcome.recent
    qtbot.waitUntil(lambda: recent.count() == 1 and recent.isVisible())
    assert "CT not found here" in recent.item(0).text()
    QTest.mouseClick(recent.viewport(), LEFT, pos=recent.visualItemRect(recent.item(0)).center())


def choose(folder):
    """Type a folder in the dialog that asks for one."""

    def act(dialog):
        assert dialog.windowTitle() == "Choose the folder that holds the CT of this case"
        dialog.selectFile(str(folder))
        QTest.keyClick(dialog, Qt.Key.Key_Return)

    return act


@pytest.fixture(autouse=True)
def dialog_of_qt(monkeypatch):
    """The dialog that Qt draws itself, which real keys reach on every platform."""

    def ask(parent, title, start):
        dialog = QFileDialog(parent, title, start)
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        return dialog.selectedFiles()[0] if dialog.exec() else ""

    monkeypatch.setattr(intake.QFileDialog, "getExistingDirectory", ask)


def test_a_recent_folder_that_was_renamed_is_found_beside_where_it_was(another_window, qtbot, case):
    case_folder, folder = case
    moved = folder.rename(folder.with_name("archived"))
    window = another_window()
    click_moved(window, qtbot)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert (window.workspace.case.folder, window.workspace.state.numbers) == (case_folder, (1,))
    assert read_source(case_folder).path == moved
    window.close()
    again = another_window()
    qtbot.waitUntil(lambda: again.welcome.recent.count() == 1)
    assert again.welcome.recent.item(0).data(Qt.ItemDataRole.UserRole) == str(moved)


def test_it_is_found_in_a_recent_folder(another_window, qtbot, case, tmp_path):
    case_folder, folder = case
    (tmp_path / "elsewhere").mkdir()
    shutil.move(folder, tmp_path / "elsewhere" / "deep" / "CT")
    window = another_window()
    window.settings.remember(tmp_path / "elsewhere")
    window.close()
    window = another_window()
    recent = window.welcome.recent
    qtbot.waitUntil(lambda: recent.count() == 2)
    assert "CT not found here" in recent.item(1).text()
    QTest.mouseClick(recent.viewport(), LEFT, pos=recent.visualItemRect(recent.item(1)).center())
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert window.workspace.case.folder == case_folder


def test_what_is_not_found_is_asked_for_and_other_content_is_refused(another_window, qtbot, case, answer, tmp_path):
    case_folder, folder = case
    far = tmp_path / "far" / "CT"
    shutil.move(folder, far)
    other = write_phantom(tmp_path / "other" / "CT", 4, SeriesDescription(uid_seed="other"))
    window = another_window()
    answer(QFileDialog, choose(other))
    click_moved(window, qtbot)
    qtbot.waitUntil(lambda: window.toast.text().startswith("The folder does not contain the CT"), timeout=20_000)
    assert window.workspace.ct is None
    assert read_source(case_folder).path == folder

    answer(QFileDialog, choose(far))
    click_moved(window, qtbot)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert window.workspace.case.folder == case_folder


def test_a_moved_ct_with_other_values_is_refused(another_window, qtbot, case):
    _, folder = case
    path = sorted(folder.iterdir())[5]
    dataset = dcmread(path)
    dataset.PixelData = np.add(dataset.pixel_array, 1).astype(dataset.pixel_array.dtype).tobytes()
    dataset.save_as(path)
    folder.rename(folder.with_name("archived"))
    window = another_window()
    click_moved(window, qtbot)
    qtbot.waitUntil(lambda: window.toast.text().startswith("The CT of this case has changed"), timeout=20_000)
    assert window.workspace.ct is None


def test_the_search_is_cancelled_with_the_mouse(another_window, qtbot, case, monkeypatch):
    _, folder = case
    folder.rename(folder.with_name("archived"))

    def endless(_folder, _roots, job):
        while True:
            job.advance("looking for the CT", 0.3)
            QTest.qSleep(10)

    monkeypatch.setattr(intake, "find_case_ct", endless)
    window = another_window()
    click_moved(window, qtbot)

    def progress():
        dialog = QApplication.activeModalWidget()
        return dialog if isinstance(dialog, QProgressDialog) and dialog.isVisible() else None

    qtbot.waitUntil(lambda: progress() is not None)
    QTest.mouseClick(progress().findChild(QPushButton), LEFT)
    task = window.intake._opening._task
    qtbot.waitUntil(lambda: not task.is_running)
    assert (window.workspace.ct, progress()) == (None, None)
    assert not window.toast.isVisible()


def test_a_case_that_was_left_is_offered_though_its_ct_was_moved(another_window, qtbot, tmp_path):
    folder = write_phantom(tmp_path / "store" / "CT", 3)
    window = another_window()
    space = opened_in(window, qtbot, folder)
    space.receive(ball())
    case_folder = space.case.folder
    space.case._journal.close()  # as a killed program leaves it
    space.case._lock.release()
    space.case = None
    window.close()
    moved = folder.rename(folder.with_name("archived"))
    again = another_window()
    qtbot.waitUntil(again.welcome.left.isVisible)
    words = " ".join(label.text() for label in again.welcome.left.findChildren(QLabel))
    assert "The CT is no longer where it was" in words
    go_on = again.welcome.left.findChild(QPushButton, "primary")
    qtbot.waitUntil(lambda: QApplication.focusWidget() is go_on)
    QTest.keyClick(go_on, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: again.workspace.ct is not None, timeout=20_000)
    assert (again.workspace.case.folder, again.workspace.state.numbers) == (case_folder, (1,))
    assert again.recovery_bar.isVisible()
    assert read_source(case_folder).path == moved
