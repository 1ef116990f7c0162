"""She goes on after a crash, a restart, or beside another program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from autocontour.case import Case, CaseKey, Edit, ScanFacts, mark_open
from autocontour.patient.identity import PatientFacts
from tests.gui.conftest import ball, disc
from tests.gui.test_opening import read_whole, write_phantom

KEY = Qt.Key
OTHER_PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from autocontour.case import Edit
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.app.window import MainWindow
from conftest import ball, disc
app = QApplication([])
folder = Path(sys.argv[2])
window = MainWindow(ViewerSettings(folder / "other.ini"), folder / "cases")
window.show()
window.open_path(Path(sys.argv[3]))
while window.workspace.ct is None:
    QTest.qWait(20)
space = window.workspace
space.receive(ball())
space.case.snapshot()
for line in sys.stdin:
    space.apply(Edit("Brush", {1: {len(line): disc(5)}}))
    print(space.case.sequence, flush=True)
"""


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp("phantom") / "CT", 3)


def opened_in(window, qtbot, folder):
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    return window.workspace


@pytest.fixture
def other_program(tmp_path, phantom_folder):
    """Another real program that has the phantom open; `step` makes it draw a stroke."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", OTHER_PROGRAM, here, str(tmp_path), str(phantom_folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)

    def step(count):
        process.stdin.write("x" * count + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    process.step = step
    yield process
    process.kill()
    process.communicate()


def test_two_programs_on_one_case_then_a_kill(another_window, other_program, qtbot, phantom_folder, tmp_path):
    other_program.step(4)
    window = another_window()
    assert not window.welcome.left.isVisible()
    window.open_path(phantom_folder)
    qtbot.waitUntil(window.toast.isVisible, timeout=20_000)
    assert window.toast.text() == (
        "This case is open in another window. Close it there first, so that no correction is lost."
    )
    assert window.workspace.ct is None
    assert other_program.step(6) == 3
    window.close()
    other_program.kill()
    other_program.wait()

    window = another_window()
    qtbot.waitUntil(window.welcome.left.isVisible)
    words = " ".join(label.text() for label in window.welcome.left.findChildren(type(window.welcome._heading)))
    assert "1 structure   ·   3 changes" in words
    (mark,) = (tmp_path / "cases").glob("*/open.json")
    patient = PatientFacts.of(read_whole(phantom_folder))
    for secret in (patient.name, patient.patient_id):
        assert secret
        assert secret not in words
        assert secret not in mark.read_text()
    go_on = window.welcome.left.findChild(QPushButton, "primary")
    qtbot.waitUntil(lambda: QApplication.focusWidget() is go_on)
    QTest.keyClick(go_on, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    space = window.workspace
    recovered = space.state
    assert {5, 7} <= set(recovered[1].structure.contours)
    assert window.recovery_bar.isVisible()
    words = window.recovery_bar.words.text()
    assert words.startswith("2 changes recovered after the program had ended unexpectedly: Brush Heart (×2)")
    QTest.mouseClick(window.recovery_bar.take_back, Qt.MouseButton.LeftButton)
    assert not window.recovery_bar.isVisible()
    assert space.state[1].structure.contours == ball().contours
    activate(window, qtbot)
    QTest.keyClick(window, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert space.state == recovered
    for _ in range(3):
        QTest.keyClick(window, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert space.state.numbers == ()
    QTest.keyClick(window, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert space.state.numbers == (1,)


def activate(window, qtbot):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def left_behind(root, name, source, changes):
    """A case as a killed program leaves it."""
    case = Case(root / name, CaseKey(name, "1"))
    mark_open(case.folder, ScanFacts(source, name, "2026-11-02", "2 Thorax"), case.sequence)
    for step in range(changes):
        case.apply(Edit(f"Brush {step}"))
    case._journal.close()
    case._lock.release()


def test_what_is_not_wanted_now_is_not_offered_again(another_window, qtbot, tmp_path):
    for name, changes in (("1.1", 2), ("1.2", 1), ("1.3", 0)):
        left_behind(tmp_path / "cases", name, tmp_path, changes)
    window = another_window()
    qtbot.waitUntil(window.welcome.left.isVisible)
    assert len(window.welcome.offered) == 2
    for expected in (1, 0):
        button = next(b for b in window.welcome.left.findChildren(QPushButton) if b.text() == "Not now")
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        QTest.qWait(20)
        assert len(window.welcome.offered) == expected
    assert not window.welcome.left.isVisible()
    window.close()
    assert not (tmp_path / "cases" / "1.1" / "open.json").exists()


def test_undo_goes_on_after_a_restart(another_window, qtbot, phantom_folder):
    space = opened_in(another_window(), qtbot, phantom_folder)
    space.receive(ball())
    space.apply(Edit("Brush", {1: {12: disc(5)}}))
    drawn = space.state
    assert not space.case.recovered
    space.close()
    window = another_window()
    assert not window.welcome.left.isVisible()
    space = opened_in(window, qtbot, phantom_folder)
    assert space.state == drawn
    assert not window.recovery_bar.isVisible()
    assert window.action_set.by_name["undo"].isEnabled()
    QTest.keyClick(window, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert space.state[1].structure.contours == ball().contours
    assert window.toast.text() == "Undone: Brush"


def test_a_repaired_case_is_reported(another_window, qtbot, phantom_folder):
    space = opened_in(another_window(), qtbot, phantom_folder)
    space.receive(ball())
    folder, drawn = space.case.folder, space.state
    space.case.snapshot()
    space.close()
    max(folder.glob("snapshot-*.bin")).write_bytes(b"torn")
    window = another_window()
    assert opened_in(window, qtbot, phantom_folder).state == drawn
    assert window.recovery_bar.isVisible()
    assert "damaged" in window.recovery_bar.words.text()
    assert "Nothing is lost" in window.recovery_bar.words.text()


def test_the_same_scan_opened_again_stays_open(another_window, qtbot, phantom_folder):
    window = another_window()
    space = opened_in(window, qtbot, phantom_folder)
    space.receive(ball())
    window.open_path(phantom_folder)
    qtbot.waitUntil(lambda: window.toast.text() == "This scan is open already.", timeout=20_000)
    assert space.state.numbers == (1,)
