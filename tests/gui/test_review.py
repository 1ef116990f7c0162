"""She draws automatically, reviews, approves, compares and exports."""

import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest

from autocontour.base.errors import CaseError
from autocontour.base.jobs import Job
from autocontour.case import Edit
from autocontour.case.actions import case_folder
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.gui.app.app import report_failure
from autocontour.gui.app.drawing import rerun_current
from autocontour.gui.app.exporting import ask_export
from autocontour.gui.app.opening import SeriesDialog
from autocontour.gui.app.structure_sets import open_structure_set
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.gui.dialogs.shape import MarginDialog
from autocontour.patient.identity import case_key
from autocontour.patient.structures import GenerationAlgorithm, ReviewStatus
from autocontour.phantom import build_phantom
from autocontour.rtstruct import read_structure_set

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier
SHAPE = (40, 128, 128)


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "CT"
    phantom = build_phantom("thorax", 3, spacing_zyx_mm=(6.0, 3.5, 3.5), shape_zyx=SHAPE)
    write_ct_series(phantom.hu, phantom.geometry, folder)
    return folder


@pytest.fixture
def patient(window, qtbot, phantom_folder):
    """The window with the phantom opened as she opens it."""
    window.open_path(phantom_folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    return window


def drawn(patient, qtbot, names=("External", "Lung_L", "Lung_R")):
    patient.auto_bar.start("", names)
    qtbot.waitUntil(lambda: not patient.auto_bar.is_running, timeout=90_000)
    return patient.workspace.state


def activate(window, qtbot):
    """Bring the window forward, as a window manager would after a dialog."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def test_the_banner_names_the_patient_everywhere(patient, answer):
    words = patient.banner.accessibleDescription()
    assert "PHANTOM" in words
    seen = []

    def act(dialog):
        seen.append(dialog.findChild(type(patient.banner)).accessibleDescription())
        dialog.reject()

    answer(ExportDialog, act)
    ask_export(patient)
    assert seen == [words]


def test_auto_contour_review_approve_export_reopen(patient, qtbot, tmp_path, answer):
    state = drawn(patient, qtbot)
    assert {"External", "Lung_L", "Lung_R"} <= {s.name for s in state.structures}
    assert all(s.generation is GenerationAlgorithm.AUTOMATIC for s in state.structures)
    space = patient.workspace
    seen = set()
    for _ in state.items:
        activate(patient, qtbot)
        QTest.keyClick(patient, KEY.Key_N)
        seen.add(space.selected)
        answer(ApprovalDialog, lambda dialog: (dialog.name.setText("A. Physicist"), dialog.accept()))
        QTest.keyClick(patient, KEY.Key_Return, CONTROL)
    assert seen == set(state.numbers)
    assert all(item.is_approved and item.approved_by == "A. Physicist" for item in space.state.items)
    path = tmp_path / "out.dcm"
    answer(ExportDialog, lambda dialog: (dialog.path_edit.setText(str(path)), dialog.ok.click()))
    activate(patient, qtbot)
    QTest.keyClick(patient, KEY.Key_E, CONTROL)
    qtbot.waitUntil(lambda: not space.background.is_running)
    assert path.exists(), patient.toast.text()
    back = read_structure_set(path, space.ct)
    for item in space.state.items:
        was, now = item.structure.contours, back[item.structure.name].contours
        assert was.keys() == now.keys()
        worst = max(was[z].symmetric_difference(now[z]).area / was[z].length for z in was)
        assert worst < 0.01  # mm: what rounding to the file's digits may move
    import pydicom

    assert pydicom.dcmread(path).ApprovalStatus == "APPROVED"


def test_what_is_not_approved_is_asked_about_and_never_called_approved(patient, qtbot, tmp_path, answer):
    drawn(patient, qtbot, ("Lung_L",))
    path = tmp_path / "out.dcm"

    def act(dialog):
        assert not dialog.ok.isEnabled()
        dialog.sure.setChecked(True)
        dialog.path_edit.setText(str(path))
        dialog.ok.click()

    answer(ExportDialog, act)
    ask_export(patient)
    qtbot.waitUntil(lambda: not patient.workspace.background.is_running)
    import pydicom

    assert pydicom.dcmread(path).ApprovalStatus == "UNAPPROVED"


def test_the_check_before_export_mends_long_names(patient, qtbot, answer):
    drawn(patient, qtbot, ("Lung_L",))
    index = patient.panel.model.index(0)
    patient.panel.model.setData(index, "Lung_L_as_seen_by_the_clinic")

    def act(dialog):
        dialog.profile_box.setCurrentIndex(dialog.profile_box.findData("eclipse"))
        assert not dialog.ok.isEnabled()
        dialog.fix_all.click()
        dialog.leave_out.setChecked(True)
        dialog.reject()

    answer(ExportDialog, act)
    ask_export(patient)
    name = patient.workspace.state.structures[0].name
    assert len(name) <= 16
    patient.workspace.undo()
    assert patient.workspace.state.structures[0].name == "Lung_L_as_seen_by_the_clinic"


def test_a_label_that_is_too_long_is_mended_in_its_field(patient, qtbot, tmp_path, answer):
    drawn(patient, qtbot, ("Lung_L",))
    patient.workspace.approve(1, "A. Physicist")
    path = tmp_path / "out.dcm"

    def act(dialog):
        dialog.label_edit.setText("Planning CT of the second course")
        dialog.check()
        assert not dialog.ok.isEnabled()
        dialog.fix_all.click()
        dialog.path_edit.setText(str(path))
        dialog.ok.click()

    answer(ExportDialog, act)
    ask_export(patient)
    qtbot.waitUntil(lambda: not patient.workspace.background.is_running)
    assert read_structure_set(path, patient.workspace.ct).label == "Planning CT of t"


def test_a_killed_worker_loses_nothing_and_is_said(patient, qtbot):
    drawn(patient, qtbot, ("Lung_L",))
    before = patient.workspace.state
    patient.auto_bar.start("", ("Lung_L", "Lung_R"))
    qtbot.waitUntil(lambda: patient.auto_bar.process_id > 0)
    os.kill(patient.auto_bar.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not patient.auto_bar.is_running, timeout=10_000)
    assert patient.workspace.state is before
    assert "unexpectedly" in patient.toast.text()


def test_auto_contouring_can_be_stopped_at_once(patient, qtbot):
    patient.auto_bar.start("", ("External",))
    qtbot.waitUntil(lambda: patient.auto_bar.process_id > 0)
    process_id = patient.auto_bar.process_id
    patient.auto_bar.cancel.click()
    assert not patient.auto_bar.isVisible()
    assert not patient.auto_bar.is_running
    assert "stopped" in patient.toast.text()
    qtbot.waitUntil(lambda: not Path(f"/proc/{process_id}/exe").exists(), timeout=5_000)
    assert patient.workspace.state.items == ()
    assert threading.active_count() < 20


def test_interpolation_by_key_fills_the_gaps(opened, qtbot):
    space = opened.workspace
    whole = space.current.structure.contours
    for z in (11, 12, 13):
        space.go_to_slice(z)
        QTest.keyClick(opened, KEY.Key_Delete)
    QTest.keyClick(opened, KEY.Key_I)
    qtbot.waitUntil(lambda: not space.background.is_running)
    now = space.current.structure.contours
    assert list(now) == list(whole)
    assert now[12].area == pytest.approx(whole[12].area, rel=0.05)  # a ball is blunter than the cone between its slices


def test_a_margin_makes_a_new_structure(opened, qtbot, answer):
    answer(MarginDialog, lambda dialog: (dialog.boxes[0].setValue(6), dialog.accept()))
    QTest.keyClick(opened, KEY.Key_M)
    qtbot.waitUntil(lambda: len(opened.workspace.state.items) == 2, timeout=20_000)
    structures = opened.workspace.state.structures
    assert [s.name for s in structures] == ["Heart", "Heart_PRV06"]
    low, high = (max(p.bounds[2] for p in s.contours.values()) for s in structures)
    assert high - low == pytest.approx(6, abs=0.2)


def test_everything_is_there_after_the_window_was_closed(patient, qtbot, phantom_folder):
    drawn(patient, qtbot, ("Lung_L",))
    patient.workspace.approve(1, "A. Physicist")
    state = patient.workspace.state
    patient.workspace.close()
    patient.open_path(phantom_folder)
    qtbot.waitUntil(lambda: patient.workspace.case is not None, timeout=20_000)
    assert patient.workspace.state == state
    assert patient.workspace.state[1].structure.status is ReviewStatus.APPROVED


def test_the_cheat_sheet_comes_and_goes(opened, qtbot):
    QTest.keyClick(opened, "?")
    sheet = opened.cheat_sheet
    assert sheet.isVisible()
    assert any("B" in keys for _, rows in sheet.sections for keys, _ in rows)
    QTest.keyClick(sheet, KEY.Key_Escape)
    qtbot.waitUntil(lambda: not any(type(child) is type(sheet) for child in opened.children()))


def test_real_ct_opens_and_its_structure_set_comes_back_unchanged(window, qtbot, dicom_data, tmp_path, answer):
    root = dicom_data / "pancreas-ct-cb-001"
    (series,) = [s for s in planning_cts(scan_folder(root, Job())) if s.is_sound][:1]
    ct = read_ct(series, Job())
    window.show_ct(ct)
    files = [p for p in sorted(root.rglob("*.dcm")) if b"RTSTRUCT" in p.read_bytes()[:4000]]
    open_structure_set(window, files[0])
    qtbot.waitUntil(lambda: bool(window.workspace.state.items), timeout=20_000)
    state = window.workspace.state
    assert len(state.items) >= 3
    path = tmp_path / "out.dcm"

    def act(dialog):
        dialog.fix_all.click()
        dialog.sure.setChecked(True)
        dialog.path_edit.setText(str(path))
        dialog.ok.click()

    answer(ExportDialog, act)
    ask_export(window)
    qtbot.waitUntil(lambda: not window.workspace.background.is_running)
    assert path.exists(), window.toast.text()
    back = read_structure_set(path, ct)
    for structure in state.structures:
        again = back[structure.name]
        assert {z: [c.data for c in items] for z, items in structure.imported.items()} == {
            z: [c.data for c in items] for z, items in again.imported.items()
        }


def test_a_structure_is_drawn_again_under_its_own_name(patient, qtbot):
    drawn(patient, qtbot, ("Lung_L",))
    space = patient.workspace
    automatic = space.current.structure.contours
    patient.panel.model.setData(patient.panel.model.index(0), "Lunge links")
    space.apply(Edit("Delete", {1: dict.fromkeys(automatic)}))
    space.apply(Edit("Name", fields={1: {"tg263_name": "Lung_L"}}))
    rerun_current(patient)
    qtbot.waitUntil(lambda: not patient.auto_bar.is_running, timeout=90_000)
    (item,) = space.state.items
    assert item.structure.name == "Lunge links"
    assert item.structure.contours == automatic
    assert item.structure.status is ReviewStatus.AUTO


def test_a_series_with_a_missing_slice_opens_only_when_that_is_accepted(
    window, qtbot, phantom_folder, tmp_path, answer
):
    folder = tmp_path / "CT"
    shutil.copytree(phantom_folder, folder)
    headers = planning_cts(scan_folder(folder, Job()))[0].slices
    headers[20].path.unlink()
    seen = []

    def act(dialog):
        seen.append((dialog.ok.isEnabled(), dialog.note.text()))
        dialog.in_spite.setChecked(True)
        dialog.ok.click()

    answer(SeriesDialog, act)
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    ((was_open, words),) = seen
    assert not was_open
    assert words
    assert window.workspace.ct.hu.shape[0] == SHAPE[0] - 1
    assert window.workspace.ct.findings
    assert window.workspace.case.folder != case_folder(case_key(read_whole(phantom_folder)), window.intake.case_root)


def read_whole(folder):
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


def test_a_folder_is_dropped_in(window, qtbot, phantom_folder):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(phantom_folder))])
    at, none = QPointF(300, 300), Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none))
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert window.settings.recent == [str(phantom_folder.resolve())]


def test_a_folder_without_a_scan_is_refused_in_words(window, qtbot, tmp_path):
    window.open_path(tmp_path)
    qtbot.waitUntil(window.toast.isVisible, timeout=10_000)
    assert "No DICOM" in window.toast.text()


def test_a_fault_of_the_program_is_said(opened, capsys):
    report_failure(opened, ZeroDivisionError, ZeroDivisionError("x"), None)
    assert opened.toast.isVisible()
    assert "ZeroDivisionError" in opened.toast.text()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_error_with_a_code_is_said_with_its_remedy(opened, capsys):
    """Not as a fault of the program after which all is saved: a full disk is the contrary."""
    report_failure(opened, CaseError, CaseError("AC-CASE-005", reason="disk full"), None)
    assert "could not be saved" in opened.toast.text()
    assert "Your contours are saved" not in opened.toast.text()
    assert "AC-CASE-005" in capsys.readouterr().err
