"""Exporting twice, beside another patient's file, and some structures only; contouring automatically again."""

from dataclasses import replace
from datetime import date

import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from autocontour.base.jobs import Job
from autocontour.case import Edit
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.gui.app.exporting import default_name, free_path
from autocontour.gui.dialogs import auto
from autocontour.gui.dialogs.auto import AutoContourDialog
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.models import find_package
from autocontour.models.package.patient import PatientBinding
from autocontour.patient.identity import PatientFacts
from autocontour.patient.provenance import Provenance
from autocontour.patient.structures import ReviewStatus
from autocontour.phantom import build_phantom
from autocontour.rtstruct import read_structure_set
from tests.gui.conftest import ball, disc
from tests.gui.test_review import activate

KEY, NONE, CONTROL = Qt.Key, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


def write_patient(folder, seed, name, patient_id):
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=(6.0, 3.5, 3.5), shape_zyx=(24, 128, 128))
    write_ct_series(phantom.hu, phantom.geometry, folder, SeriesDescription(name, patient_id, uid_seed=patient_id))
    return folder


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Two patients side by side."""
    root = tmp_path_factory.mktemp("clinic")
    return write_patient(root / "CT1", 1, "DOE^JANE", "P1"), write_patient(root / "CT2", 2, "ROE^RICHARD", "P/2")


def read_whole(folder):
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


@pytest.fixture
def patient(window, qtbot, clinic, tmp_path):
    """The first patient with two structures; files are written to a folder of the test's own."""
    window.show_ct(read_whole(clinic[0]), tmp_path / "CT")
    for structure in (ball(), ball(2, "Liver", (0, 200, 255))):
        window.workspace.receive(replace(structure, provenance=Provenance("rules", "1")))
    activate(window, qtbot)
    return window


def export(window, qtbot, answer, path=None, act=lambda dialog: None):
    """Export by key; `act` changes the dialog before."""

    def accept(dialog):
        dialog.sure.setChecked(True)
        if path is not None:
            dialog.path_edit.setText(str(path))
        act(dialog)
        QTest.mouseClick(dialog.ok, LEFT)

    activate(window, qtbot)
    answer(ExportDialog, accept)
    QTest.keyClick(window, KEY.Key_E, CONTROL)
    qtbot.waitUntil(lambda: not window.workspace.background.is_running, timeout=20_000)


def press_button(words):
    """Answer a question by clicking a button, and return what it asked."""
    seen = []

    def act(box):
        seen.append((box.text(), box.informativeText(), box.defaultButton().text()))
        (button,) = [button for button in box.buttons() if button.text() == words]
        QTest.mouseClick(button, LEFT)

    return seen, act


def test_b4_a_second_export_replaces_the_first(patient, qtbot, answer, tmp_path):
    path = tmp_path / "out.dcm"
    export(patient, qtbot, answer, path)
    first = path.read_bytes()
    patient.workspace.redraw("Brush", {12: disc(0, 0, 11)}, 1)
    seen, act = press_button("Replace")
    answer(QMessageBox, act)
    export(patient, qtbot, answer, path)
    assert path.read_bytes() != first
    ((question, told, default),) = seen
    assert "out.dcm exists" in question
    assert "this patient" in told
    assert "DOE JANE" in told
    assert "ID P1" in told
    assert default == "Replace"
    (heart, _) = read_structure_set(path, patient.workspace.ct).structures
    assert heart.contours[12].area == pytest.approx(disc(0, 0, 11).area, rel=1e-3)


def test_b4_the_old_file_stays_where_the_answer_is_no(patient, qtbot, answer, tmp_path):
    path = tmp_path / "out.dcm"
    export(patient, qtbot, answer, path)
    first = path.read_bytes()
    _, act = press_button("Cancel")
    answer(QMessageBox, act)
    export(patient, qtbot, answer, path)
    assert path.read_bytes() == first
    assert not patient.workspace.background.is_running


def test_b10_the_default_name_carries_patient_and_date(patient, clinic, qtbot, answer, tmp_path):
    export(patient, qtbot, answer)
    (path,) = tmp_path.glob("RTSTRUCT*.dcm")
    date = pydicom.dcmread(next(clinic[0].iterdir())).SeriesDate
    assert path.name == f"RTSTRUCT_P1_{date[:4]}-{date[4:6]}-{date[6:]}.dcm"
    assert default_name(read_whole(clinic[1])).startswith("RTSTRUCT_P_2_")


def test_b10_another_patients_file_is_never_the_default_and_is_named(patient, clinic, qtbot, answer, tmp_path):
    ct, other = patient.workspace.ct, read_whole(clinic[1])
    path = tmp_path / default_name(ct)
    export(patient, qtbot, answer, path)
    assert free_path(path, ct) == path
    assert free_path(path, other) == path.with_stem(path.stem + "_2")
    before = path.read_bytes()
    patient.show_ct(other, tmp_path / "CT")
    patient.workspace.receive(ball())
    seen, act = press_button("Cancel")
    answer(QMessageBox, act)
    export(patient, qtbot, answer, path)
    ((_, told, default),) = seen
    assert "another patient" in told
    assert "DOE JANE" in told
    assert default == "Cancel"
    assert path.read_bytes() == before


def test_b10_a_file_that_is_no_structure_set_is_not_replaced_by_enter(patient, qtbot, answer, tmp_path):
    path = tmp_path / "notes.dcm"
    path.write_text("not DICOM")
    seen = []
    answer(QMessageBox, lambda box: (seen.append(box.informativeText()), QTest.keyClick(box, KEY.Key_Return)))
    export(patient, qtbot, answer, path)
    assert "not a structure set" in seen[0]
    assert path.read_text() == "not DICOM"


def test_a_tick_per_structure(patient, qtbot, answer, tmp_path):
    path = tmp_path / "out.dcm"
    export(
        patient, qtbot, answer, path, lambda dialog: dialog.structures.item(0).setCheckState(Qt.CheckState.Unchecked)
    )
    assert [s.name for s in read_structure_set(path, patient.workspace.ct).structures] == ["Liver"]


def test_b18_the_file_names_who_approved_and_when(patient, qtbot, answer, tmp_path):
    space, path = patient.workspace, tmp_path / "out.dcm"
    for number, at in ((2, "2024-05-02T10:00:00+00:00"), (1, "2024-05-01T09:00:00+00:00")):
        values = {"status": ReviewStatus.APPROVED, "approved_by": "A. Physicist", "approved_at": at}
        space.apply(Edit("Approve", fields={number: values}))
    export(patient, qtbot, answer, path)
    dataset = pydicom.dcmread(path)
    assert dataset.ApprovalStatus == "APPROVED"
    assert str(dataset.ReviewerName) == "A. Physicist"
    assert dataset.ReviewDate == "20240502"


def test_b13_an_approval_is_not_withdrawn_unasked(patient, qtbot, answer):
    space = patient.workspace
    space.approve(1, "A. Physicist")
    seen, act = press_button("Cancel")
    answer(QMessageBox, act)
    QTest.keyClick(patient, KEY.Key_Return, CONTROL)
    assert space.state[1].is_approved
    assert "Heart" in seen[0][0]
    assert "A. Physicist" in seen[0][1]
    assert seen[0][2] == "Cancel"
    _, act = press_button("Withdraw")
    answer(QMessageBox, act)
    activate(patient, qtbot)
    QTest.keyClick(patient, KEY.Key_Return, CONTROL)
    assert not space.state[1].is_approved


def draw(window, qtbot, answer, act):
    activate(window, qtbot)
    answer(AutoContourDialog, lambda dialog: (act(dialog), QTest.mouseClick(dialog.ok, LEFT)))
    QTest.keyClick(window, KEY.Key_F5)
    qtbot.waitUntil(lambda: not window.auto_bar.is_running, timeout=90_000)


def only(*names):
    """Tick these structures alone."""

    def act(dialog):
        for item in dialog._items():
            on = item.text(0) in names
            item.setCheckState(0, Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    return act


def test_b5_f5_ticks_only_what_is_missing(patient, qtbot, answer):
    space = patient.workspace
    for name in ("Lung_L", "Lung_R", "SpinalCanal"):
        space.receive(replace(ball(name=name), tg263_name=name, provenance=Provenance("rules", "1")))
    space.redraw("Brush", {12: disc(0, 0, 11)}, space.state.find("Lung_L").structure.number)
    patient.panel.model.setData(patient.panel.model.index(4), "Our name for it")
    space.apply(Edit("Name", fields={space.state.items[4].structure.number: {"tg263_name": "SpinalCanal"}}))
    ticked = {}

    def look(dialog):
        ticked.update({i.text(0): (i.checkState(0), i.text(1)) for i in dialog._items()})
        dialog.reject()

    answer(AutoContourDialog, look)
    QTest.keyClick(patient, KEY.Key_F5)
    for name, words in (("Lung_L", "edited"), ("Lung_R", "there already"), ("SpinalCanal", "there already")):
        assert ticked[name][0] is Qt.CheckState.Unchecked
        assert ticked[name][1].startswith(words)
    assert ticked["External"][0] is Qt.CheckState.Checked


def test_b5_an_edited_structure_is_named_and_asked_about(window, clinic, qtbot, answer):
    window.show_ct(read_whole(clinic[0]))
    draw(window, qtbot, answer, only("External", "Lung_L"))
    space = window.workspace
    number = space.state.find("Lung_L").structure.number
    z = next(iter(space.state[number].structure.contours))
    space.redraw("Brush", {z: disc(0, 0, 11)}, number)
    edited = space.state
    seen, act = press_button("Cancel")
    answer(QMessageBox, act)
    draw(window, qtbot, answer, only("External", "Lung_L"))
    assert space.state is edited
    assert "Lung_L" in seen[0][1]
    assert "External" not in seen[0][1]
    assert seen[0][2] == "Cancel"
    space.select(number)
    seen, act = press_button("Cancel")
    answer(QMessageBox, act)
    activate(window, qtbot)
    QTest.keyClick(window, KEY.Key_R, CONTROL)
    assert "Lung_L" in seen[0][1]
    assert not window.auto_bar.is_running


def test_b5_one_run_is_one_step_of_undo(window, clinic, qtbot, answer):
    window.show_ct(read_whole(clinic[0]))
    draw(window, qtbot, answer, only("External", "Lung_L", "Lung_R"))
    space = window.workspace
    assert len(space.state.items) >= 2
    assert space.case.undo_label == "Auto-contour"
    activate(window, qtbot)
    QTest.keyClick(window, KEY.Key_Z, CONTROL)
    assert space.state.items == ()
    QTest.keyClick(window, KEY.Key_Y, CONTROL)
    assert len(space.state.items) >= 2


def test_another_patients_package_is_not_offered_and_names_are_whole(opened, monkeypatch, qtbot):
    general = find_package("head-and-neck")
    binding = PatientBinding.of(PatientFacts(patient_id="P1"), 60, date(2026, 1, 1))
    bound = replace(general, name="head-and-neck-of-one-patient-825d53c8", patient=binding)
    monkeypatch.setattr(auto, "available_packages", lambda: [bound, general])
    for patient, offered in (("P1", [bound.name, general.name]), ("P2", [general.name])):
        dialog = AutoContourDialog(opened, opened.workspace.state, PatientFacts(patient_id=patient), "", bound.name)
        qtbot.addWidget(dialog)
        dialog.show()
        assert [dialog.package.itemData(row) for row in range(1, dialog.package.count())] == offered
        assert any(bound.name in item.text(1) for item in dialog._items()) is (patient == "P1")
        assert dialog.package_name == (bound.name if patient == "P1" else "")
        column, metrics = dialog.list.columnWidth(0), dialog.list.fontMetrics()
        assert column > max(metrics.horizontalAdvance(item.text(0)) for item in dialog._items())
