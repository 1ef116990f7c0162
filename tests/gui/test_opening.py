"""She opens scans: chooses a series with a picture, brings structure sets along, chooses who draws."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QPushButton
from shiboken6 import isValid

from autocontour.base.jobs import Job
from autocontour.case import Edit
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.pixels import read_slice
from autocontour.dicom.series import SeriesDescription, write_ct_series
from autocontour.gui.app.drawing import ask_auto_contour
from autocontour.gui.app.opening import SeriesDialog
from autocontour.gui.app.reviewing import ask_approval
from autocontour.gui.app.structure_sets import compare_with
from autocontour.gui.app.window import MainWindow
from autocontour.gui.dialogs import previews
from autocontour.gui.dialogs.auto import AutoContourDialog
from autocontour.gui.state.settings import ViewerSettings
from autocontour.models import find_package
from autocontour.models.package import library
from autocontour.patient.identity import PatientFacts, case_key, series_key
from autocontour.patient.structures import StructureSet
from autocontour.phantom import build_phantom, truth_structures
from autocontour.rtstruct import write_structure_set
from autocontour.rtstruct.read.summary import read_summary
from tests.gui.conftest import ball
from tests.pipeline.test_pipeline import install_copy

KEY = Qt.Key
SHAPE = (24, 64, 64)


@pytest.fixture(scope="module")
def phantom_folder(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp("phantom") / "CT", 3)


def write_phantom(folder, seed, description=None):
    phantom = build_phantom("thorax", seed, spacing_zyx_mm=(12.0, 7.0, 7.0), shape_zyx=SHAPE)
    write_ct_series(phantom.hu, phantom.geometry, folder, description)
    return folder


def read_whole(folder):
    return read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())


@pytest.fixture(scope="module")
def department(tmp_path_factory):
    """Two patients; the first with two series, of which one has two structure sets and one a slice cut short."""
    root = tmp_path_factory.mktemp("department")
    first = SeriesDescription("DOE^JANE", "P1", text="Plan", uid_seed="plan")
    write_phantom(root / "a", 1, first)
    write_phantom(root / "b", 2, SeriesDescription("DOE^JANE", "P1", text="Cut short", uid_seed="cut"))
    write_phantom(root / "c", 3, SeriesDescription("ROE^RICHARD", "P2", text="Other", uid_seed="other"))
    cut = planning_cts(scan_folder(root / "b", Job()))[0].slices[SHAPE[0] // 2].path
    cut.write_bytes(cut.read_bytes()[:-2000])
    ct = read_whole(root / "a")
    for name, structure in (("ONE", ball()), ("TWO", ball(name="Liver"))):
        reference = ct.reference
        drawn = StructureSet(name, (structure,), reference.series_instance_uid, reference.frame_of_reference_uid)
        write_structure_set(drawn, ct, root / f"RS_{name}.dcm")
    (root / "damaged.dcm").write_bytes((root / "RS_ONE.dcm").read_bytes()[:900])
    return root


def rows(dialog):
    return {series.description: row for series, row in dialog._rows.items()}


def shown_grey(label):
    """The picture as grey values, on the grid of the slice."""
    size = label.pixmap().size().scaled(SHAPE[2], SHAPE[1], Qt.AspectRatioMode.IgnoreAspectRatio)
    image = label.pixmap().toImage().scaled(size, mode=Qt.TransformationMode.SmoothTransformation)
    return np.array([[image.pixelColor(x, y).red() for x in range(SHAPE[2])] for y in range(SHAPE[1])])


def test_patients_and_series_are_browsed_with_the_keyboard(another_window, qtbot, department, monkeypatch, answer):
    read = []
    monkeypatch.setattr(previews, "read_slice", lambda header, hu: (read.append(header.path), read_slice(header, hu)))
    window = another_window()
    seen = {}

    def act(dialog):
        qtbot.waitUntil(lambda: len(dialog._previews) == 3, timeout=10_000)
        assert dialog.tree.topLevelItemCount() == 2
        seen["patients"] = [dialog.tree.topLevelItem(k).text(0) for k in range(2)]
        seen["order"] = []
        QTest.keyClick(dialog.tree, KEY.Key_Home)
        QTest.qWait(30)
        for _ in range(3):
            seen["order"].append(dialog.series.description)
            seen[dialog.series.description] = (
                {name: label.text() for name, label in dialog.facts.items()},
                [dialog.sets_list.item(k).text() for k in range(dialog.sets_list.count())],
            )
            QTest.keyClick(dialog.tree, KEY.Key_Down)
            QTest.qWait(30)
        plan, cut = dialog._previews[rows_series(dialog, "Plan")], rows_series(dialog, "Cut short")
        assert plan.grey.shape == SHAPE[1:]
        assert plan.grey.max() > 100 > plan.grey.min()
        assert dialog._previews[cut].grey is None
        dialog.tree.setCurrentItem(rows(dialog)["Plan"])
        assert np.abs(shown_grey(dialog.picture) - plan.grey.astype(float)).mean() < 8
        assert dialog.height() <= 700
        assert dialog.width() <= 1240
        dialog.sets_list.setFocus()
        QTest.keyClick(dialog.sets_list, KEY.Key_Space)
        QTest.keyClick(dialog.sets_list, KEY.Key_Down)
        QTest.keyClick(dialog.sets_list, KEY.Key_Space)
        assert [path.name for path in dialog.structure_sets] == ["RS_ONE.dcm", "RS_TWO.dcm"]
        dialog.tree.setFocus()
        QTest.keyClick(dialog.tree, KEY.Key_Return)

    answer(SeriesDialog, act)
    window.open_path(department)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=30_000)
    assert seen["patients"] == ["DOE JANE   ·   ID P1", "ROE RICHARD   ·   ID P2"]
    assert set(seen["order"]) == {"Plan", "Cut short", "Other"}
    facts, sets = seen["Plan"]
    assert (facts["Patient"], facts["ID"], facts["Slices"], facts["Spacing"]) == ("DOE JANE", "P1", "24", "12 mm")
    assert facts["Thickness"] == "12 mm"
    assert [line.splitlines()[0] for line in sets] == ["ONE", "TWO"]
    assert seen["Other"][1] == []
    assert len(read) == len(set(read)) == 3
    qtbot.waitUntil(lambda: window.workspace.state.numbers == (1,))
    assert window.workspace.state.structures[0].name == "Heart"
    assert PatientFacts.of(window.workspace.ct).name == "DOE JANE"
    qtbot.waitUntil(lambda: [one.label for one in window.comparison.sets] == ["original contours", "TWO"])
    assert window.comparison.is_shown


def rows_series(dialog, description):
    return next(series for series in dialog._rows if series.description == description)


def test_a_single_scan_offers_its_structure_set_once(another_window, qtbot, department, tmp_path, answer):
    folder = tmp_path / "one"
    shutil.copytree(department / "a", folder / "CT")
    shutil.copy(department / "RS_TWO.dcm", folder)
    window = another_window()
    ticked = []
    answer(SeriesDialog, lambda dialog: (ticked.extend(dialog.structure_sets), dialog.ok.click()))
    window.open_path(folder)
    qtbot.waitUntil(lambda: bool(window.workspace.state.numbers), timeout=20_000)
    assert [path.name for path in ticked] == ["RS_TWO.dcm"]
    assert [s.name for s in window.workspace.state.structures] == ["Liver"]
    before = window.workspace.state
    window.workspace.close()
    window.open_path(folder)  # begun: nobody is asked again
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert window.workspace.state == before


def test_a_set_with_exchanged_sides_is_opened_with_a_finding(another_window, qtbot, tmp_path, answer):
    phantom = build_phantom("thorax", 4, spacing_zyx_mm=(12.0, 7.0, 7.0), shape_zyx=SHAPE)
    ct = write_ct_series(phantom.hu, phantom.geometry, tmp_path / "CT")
    truth, names = truth_structures(phantom, ct), {"Lung_L": "Lung_R", "Lung_R": "Lung_L"}
    lungs = tuple(replace(truth[a], name=b, tg263_name=b) for a, b in names.items())
    write_structure_set(replace(truth, structures=lungs), ct, tmp_path / "RS.dcm")
    window = another_window()
    answer(SeriesDialog, lambda dialog: dialog.ok.click())
    window.open_path(tmp_path)
    qtbot.waitUntil(lambda: bool(window.workspace.state.numbers), timeout=20_000)
    for item in window.workspace.state.structures:
        assert "AC-QA-103" in {finding.code for finding in item.findings}


def test_a_structure_set_says_what_it_is_drawn_on(department):
    summary = read_summary(department / "RS_ONE.dcm")
    (series,) = planning_cts(scan_folder(department / "a", Job()))
    assert (summary.label, summary.structures, summary.is_approved) == ("ONE", 1, False)
    assert summary.belongs_to(series.series_instance_uid, series.frame_of_reference_uid)
    assert not summary.belongs_to("1.2", series.frame_of_reference_uid)
    assert not summary.belongs_to(series.series_instance_uid, "1.2")
    assert series_key(series, series.geometry) == case_key(read_whole(department / "a"))


def test_a_damaged_structure_set_does_not_keep_the_scan_from_opening(
    another_window, qtbot, department, tmp_path, answer
):
    folder = tmp_path / "one"
    shutil.copytree(department / "a", folder / "CT")
    path = Path(shutil.copy(department / "RS_TWO.dcm", folder))
    window = another_window()

    def act(dialog):
        path.write_bytes(path.read_bytes()[:-300])
        dialog.ok.click()

    answer(SeriesDialog, act)
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None or window.toast.isVisible(), timeout=20_000)
    assert "damaged" in window.toast.text()
    assert window.workspace.state.numbers == ()


def test_files_to_compare_with_are_read_beside_the_window(another_window, qtbot, department, tmp_path):
    window = another_window()
    window.open_path(department / "a")
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    damaged = tmp_path / "RS_DAMAGED.dcm"
    damaged.write_bytes((department / "RS_TWO.dcm").read_bytes()[:-300])
    compare_with(window, [department / "RS_ONE.dcm", damaged, department / "RS_TWO.dcm"])
    qtbot.waitUntil(lambda: len(window.comparison.sets) >= 2, timeout=20_000)
    assert [one.label for one in window.comparison.sets][-2:] == ["ONE", "TWO"]
    assert "damaged" in window.toast.text()
    assert window.workspace.state.numbers == ()


@pytest.fixture
def two_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "user_data_path", lambda _: tmp_path / "data")
    install_copy("our-thorax", withheld=("Larynx",))


def lines(dialog):
    return {item.text(0): item for item in dialog._items()}


@pytest.mark.usefixtures("two_packages")
def test_she_chooses_the_package_and_it_is_remembered(opened, qtbot, answer):
    opened.workspace.apply(Edit("Lock", fields={1: {"name": "Trachea", "locked": True}}))
    seen = []

    def choose(dialog):
        dialog.template.setCurrentIndex(0)
        assert dialog.package.isVisible()
        assert dialog.package.currentText() == "Automatic (matching site)"
        before = lines(dialog)
        assert before["Lung_L"].text(1) == "rules or our-thorax 2.0.0"
        assert before["Brainstem"].text(1) == f"head-and-neck {find_package('head-and-neck').version}"
        assert before["Trachea"].text(1) == "protected"
        dialog.package.setFocus()
        QTest.keyClick(dialog.package, KEY.Key_Down)
        assert dialog.package_name == "our-thorax"
        after = lines(dialog)
        assert after["Lung_L"].text(1) == "our-thorax 2.0.0"
        assert "Brainstem" not in after
        withheld = after["Larynx"]
        assert withheld.checkState(0) is Qt.CheckState.Unchecked
        assert "accuracy is below the limit" in withheld.toolTip(0)
        assert "Larynx" not in dialog.names
        assert "Trachea" not in dialog.names
        seen.append(dialog.names)
        next(b for b in dialog.findChildren(QPushButton) if b.text() == "None").click()
        assert dialog.names == ()
        assert not dialog.ok.isEnabled()
        withheld.setCheckState(0, Qt.CheckState.Checked)
        seen.append(dialog.names)
        dialog.ok.click()

    started = []
    opened.auto_bar.start = lambda *values, **named: started.append((values, named))
    answer(AutoContourDialog, choose)
    ask_auto_contour(opened)
    assert started == [(("", ("Larynx",)), {"package": "our-thorax", "compare": False})]
    assert "Lung_L" in seen[0]
    answer(AutoContourDialog, lambda dialog: (seen.append(dialog.package_name), dialog.reject()))
    ask_auto_contour(opened)
    assert seen[-1] == "our-thorax"


def test_the_choice_reaches_the_worker(opened, qtbot):
    opened.auto_bar.start("", ("External",), package="gone")
    qtbot.waitUntil(lambda: not opened.auto_bar.is_running, timeout=60_000)
    assert "There is no model package 'gone'" in opened.toast.text()


def test_a_slice_dropped_in_opens_its_folder(another_window, qtbot, phantom_folder):
    window = another_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in sorted(phantom_folder.iterdir())[:3]])
    at, none = QPointF(300, 300), Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none))
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    assert window.settings.recent == [str(phantom_folder.resolve())]


@pytest.mark.parametrize("pause_ms", [0, 5, 30, 150])
def test_a_window_closed_while_it_opens_is_gone(qtbot, tmp_path, department, pause_ms, answer):
    window = MainWindow(ViewerSettings(tmp_path / "viewer.ini"), tmp_path / "cases")
    window.show()
    window.intake.prepare_to_open()
    window.open_path(department)
    answer(SeriesDialog, lambda dialog: dialog.reject())
    QTest.qWait(pause_ms)
    window.close()
    assert window.workspace.ct is None
    window.deleteLater()
    QTest.qWait(300)  # what the threads still have to say arrives, and must not find the window
    assert not isValid(window)


def test_a_scan_that_is_read_while_a_dialog_is_open_waits_for_its_answer(window, qtbot, department, answer):
    """The dialog belongs to the case that it was opened on; a view in its own window opens one while a scan is read."""
    window.open_path(department / "a")
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    first = window.workspace.ct
    window.workspace.receive(ball())
    window.workspace.approve(1, "Dr Doe")
    seen = []

    def act(box):
        window.open_path(department / "c")
        opening = window.intake._opening
        qtbot.waitUntil(lambda: opening._task is not None and not opening._task.is_running, timeout=20_000)
        qtbot.waitUntil(lambda: not opening._progress.isVisible() and bool(window._unanswered), timeout=20_000)
        seen.append(window.workspace.ct is first)
        box.buttons()[0].click()

    case = window.workspace.case
    answer(QMessageBox, act)
    ask_approval(window)
    assert seen == [True]
    assert not case.state[1].is_approved
    qtbot.waitUntil(lambda: window.workspace.ct is not first, timeout=20_000)
    assert PatientFacts.of(window.workspace.ct).patient_id == "P2"
