"""One whole case on a real scan, with the mouse and the keys, from the folder to the file and back."""

import shutil
import subprocess
import sys
from pathlib import Path

from pydicom import dcmread
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from autocontour.gui.app.structure_sets import open_structure_set
from autocontour.gui.dialogs.auto import AutoContourDialog
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.patient.structures import GenerationAlgorithm
from autocontour.rtstruct import check_structure_set, read_structure_set
from tests.gui.conftest import Hand
from tests.gui.test_review import activate

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton
ORGAN = "Lung_L"
COPIED_WARNINGS = ("Retired Person Name form", "Study ID")
"""What dciodvfy says of values that are copied unchanged from the CT."""


def choose_organ(dialog):
    """Take all ticks away, tick one organ by key, and draw."""
    (none,) = [button for button in dialog.findChildren(type(dialog.ok)) if button.text() == "None"]
    QTest.mouseClick(none, LEFT)
    assert not dialog.ok.isEnabled()
    (item,) = dialog.list.findItems(ORGAN, Qt.MatchFlag.MatchExactly)
    dialog.list.setCurrentItem(item)
    QTest.keyClick(dialog.list, KEY.Key_Space)
    assert dialog.names == (ORGAN,)
    QTest.mouseClick(dialog.ok, LEFT)


def sign(dialog):
    QTest.keyClicks(dialog.name, "A. Physicist")
    QTest.mouseClick(dialog.ok, LEFT)


def dciodvfy(path):
    """What the checker finds; nothing where it is not installed."""
    tool = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")
    if tool is None:
        return []
    done = subprocess.run([tool, path], check=False, capture_output=True, text=True)
    return [line for line in done.stderr.splitlines() if line.startswith(("Error", "Warning"))]


def assert_same(contours, others):
    assert contours.keys() == others.keys()
    for z, outline in contours.items():
        assert outline.symmetric_difference(others[z]).area < 0.01 * outline.length  # digits of the file


def test_a_whole_case_on_a_real_scan(window, qtbot, dicom_data, tmp_path, answer):
    folder = dicom_data / "lung1-001" / "ct"
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=60_000)
    space, hand, opened = window.workspace, Hand(window), window.workspace.state

    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(window, key, modifier)
        qtbot.waitUntil(lambda: not space.background.is_running, timeout=60_000)

    # Auto-contour by its key and dialog.
    activate(window, qtbot)
    answer(AutoContourDialog, choose_organ)
    press(KEY.Key_F5)
    qtbot.waitUntil(lambda: bool(space.state.items) and not window.auto_bar.is_running, timeout=60_000)
    activate(window, qtbot)
    drawn = space.state
    (item,) = drawn.items
    assert (item.structure.name, item.structure.generation) == (ORGAN, GenerationAlgorithm.AUTOMATIC)

    # Brush on five slices, leafing by key.
    middle = sorted(item.structure.contours)[len(item.structure.contours) // 2]
    press(KEY.Key_Space)
    while space.slice_index != middle:
        press(KEY.Key_Up if space.slice_index < middle else KEY.Key_Down)
    press(KEY.Key_B)
    for z in range(middle, middle + 5):
        assert space.slice_index == z
        u, v = max(space.current.structure.contours[z].geoms[0].exterior.coords)
        hand.stroke([(u, v), (u - 2, v + 3), (u - 4, v + 6)])
        assert space.current.structure.contours[z] != item.structure.contours[z]
        press(KEY.Key_Up)

    # Push, then take a slice out and interpolate it.
    press(KEY.Key_P)
    u, v = max(space.current.structure.contours[middle + 5].geoms[0].exterior.coords)
    hand.stroke([(u, v), (u + 2, v), (u + 5, v)])
    assert space.current.structure.contours[middle + 5].bounds[2] > item.structure.contours[middle + 5].bounds[2] + 2
    for _ in range(3):
        press(KEY.Key_Up)
    press(KEY.Key_Delete)
    assert middle + 8 not in space.current.structure.contours
    press(KEY.Key_I)
    assert middle + 8 in space.current.structure.contours
    edited = space.state

    # Undo to the start, redo to the end.
    for _ in range(8):
        assert space.state is not drawn
        press(KEY.Key_Z, CONTROL)
    assert space.state is drawn
    press(KEY.Key_Z, CONTROL)
    assert space.state is opened
    assert not window.action_set.by_name["undo"].isEnabled()
    for _ in range(9):
        press(KEY.Key_Y, CONTROL)
    assert space.state is edited

    # Approve and export.
    answer(ApprovalDialog, sign)
    press(KEY.Key_Return, CONTROL)
    assert space.state.items[0].approved_by == "A. Physicist"
    path = tmp_path / "lung.dcm"
    answer(ExportDialog, lambda dialog: (dialog.path_edit.setText(str(path)), QTest.mouseClick(dialog.ok, LEFT)))
    activate(window, qtbot)
    press(KEY.Key_E, CONTROL)
    assert path.exists(), window.toast.text()
    dataset = dcmread(path)
    assert dataset.ApprovalStatus == "APPROVED"
    assert check_structure_set(dataset, space.ct) == []
    assert not [line for line in dciodvfy(path) if not any(words in line for words in COPIED_WARNINGS)]

    # Reopen: the file beside the scan, then the case as it was left, and the file in a fresh case.
    contours = space.state.structures[0].contours
    (again,) = read_structure_set(path, space.ct).structures
    assert_same(contours, again.contours)
    left = space.state
    for case_root, file in ((window.intake.case_root, None), (tmp_path / "other cases", path)):
        space.close()
        window.intake.case_root = case_root
        window.open_path(folder)
        qtbot.waitUntil(lambda: space.case is not None, timeout=60_000)
        if file is None:
            assert space.state == left
        else:
            open_structure_set(window, file)
            qtbot.waitUntil(lambda: bool(space.state.items), timeout=20_000)
            assert_same(contours, space.state.find(ORGAN).structure.contours)
