"""Make the pictures in docs/screenshots, on a synthetic patient.

``xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshots.py``. The organs that the rules draw are drawn by
them; the others are the phantom's own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydicom import dcmread
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog
from shapely.affinity import scale, translate

from autocontour.base.findings import Finding, Severity
from autocontour.base.jobs import Job
from autocontour.case import Case, Edit, actions
from autocontour.case.actions import adopted, approve_several, open_case, reject
from autocontour.case.export import remember_export
from autocontour.contouring import margin_contours
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.gui.app.exporting import ask_export
from autocontour.gui.app.reviewing import ask_approval
from autocontour.gui.app.window import MainWindow
from autocontour.gui.look import theme
from autocontour.gui.state.settings import ViewerSettings
from autocontour.patient.structures import StructureSet
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom, truth_structures

FOLDER = Path(__file__).parent / "screenshots"
LEFT = Qt.MouseButton.LeftButton


def wait(until: Callable[[], bool], seconds: float = 180) -> None:
    """Process events until a condition is true."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QTest.qWait(50)


def save(window: MainWindow, name: str, dialog: QDialog | None = None) -> None:
    """Save the window, with a dialog in front of it if there is one."""
    window.toast.hide()
    QTest.qWait(600)
    picture: QPixmap = window.grab()
    if dialog is not None:
        painter = QPainter(picture)
        painter.fillRect(picture.rect(), QColor(0, 0, 0, 120))
        shown = dialog.grab()
        at = QPoint((picture.width() - shown.width()) // 2, (picture.height() - shown.height()) // 2)
        painter.drawPixmap(at, shown)
        painter.end()
    picture.save(str(FOLDER / f"{name}.png"))


def target(window: MainWindow) -> None:
    """Make a PTV from a CTV: the dialog beside its preview."""
    space = window.workspace
    number, geometry = space.state.find("Larynx").structure.number, space.ct.geometry
    contours = margin_contours(space.state[number].structure.contours, geometry, (5.0, 5.0, 3.0, 6.0, 6.0, 6.0))
    ctv = space.add_structure(actions.new_structure("CTV_High", contours))
    space.show(number, shown=False)
    select(window, "CTV_High", 3.0)
    window.action_set.trigger("target")
    dialog = window.target_desk.dialog
    QTest.mouseClick(dialog.minus.add_button, LEFT)
    dialog.minus.rows[0][1].setCurrentText("SpinalCord")
    dialog.minus.rows[0][2].setValue(2)
    wait(lambda: not dialog._timer.isActive() and not window.target_desk.is_computing)
    window.toast.hide()
    QTest.qWait(600)
    picture: QPixmap = window.grab()
    painter = QPainter(picture)
    painter.drawPixmap(window.mapFromGlobal(dialog.pos()), dialog.grab())
    painter.end()
    picture.save(str(FOLDER / "target.png"))
    dialog.reject()
    space.apply(actions.remove(space.state, ctv))
    space.show(number, shown=True)


def with_dialog(window: MainWindow, name: str, ask: Callable[[], object], prepare: Callable[[QDialog], object]) -> None:
    """Open a dialog, prepare it, take its picture and close it."""

    def act() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QDialog)
        prepare(dialog)
        save(window, name, dialog)
        dialog.reject()

    QTimer.singleShot(500, act)
    ask()


def open_patient(window: MainWindow) -> None:
    """Open a phantom with its organs."""
    folder = Path(tempfile.mkdtemp()) / "CT"
    phantom = build_phantom("head-neck", 7)
    ct = write_ct_series(phantom.hu, phantom.geometry, folder)
    window.show_ct(ct, folder)
    window.auto_bar.start("", ("External", "SpinalCanal", "Trachea", "Lung_L", "Lung_R"))
    wait(lambda: not window.auto_bar.is_running)
    space = window.workspace
    names = {structure.name for structure in space.state.structures}
    others = [s for s in truth_structures(phantom, ct).structures if s.name not in names and s.name != "Bone"]
    space.apply(Edit("Open organs", added=adopted(space.state, others)))


def select(window: MainWindow, name: str, zoom: float) -> None:
    """Select a structure and zoom in on it."""
    space, view = window.workspace, window.views.axial
    number = space.state.find(name).structure.number
    space.select(number)
    space.go_to_structure(number)
    view.fit()
    outline = space.current.structure.contours[space.slice_index]
    view.zoom_at(view.to_pixels(outline.centroid.x, outline.centroid.y), zoom)
    wait(lambda: not window.views.surfaces.is_meshing)
    QTest.qWait(200)


def drag(window: MainWindow, start: QPoint, steps: list[QPoint], *, release: bool) -> None:
    """Draw with the left button."""
    view = window.views.axial
    QTest.mousePress(view, LEFT, pos=start)
    for step in steps:
        QTest.mouseMove(view, start + step)
        QTest.qWait(20)
    if release:
        QTest.mouseRelease(view, LEFT, pos=start + steps[-1])


def compare_with_observers(window: MainWindow) -> None:
    """Compare with two observers who draw a little larger and a little smaller."""
    for label, factor, shift_mm in (("Observer B", 1.06, 1.5), ("Observer C", 0.94, -1.0)):
        drawn = tuple(
            replace(s, contours={z: translate(scale(p, factor, factor), shift_mm) for z, p in s.contours.items()})
            for s in window.workspace.state.structures
        )
        window.comparison.add(StructureSet(label, drawn), label)
    wait(lambda: all(one.metrics or not one.contours for one in window.comparison.sets))


def find_fault(window: MainWindow, name: str) -> None:
    """Add a finding of certain slices to a structure, like one of a network."""
    structure = window.workspace.state.find(name).structure
    slices = tuple(sorted(structure.contours)[2:5])
    words = f"The network is unsure of {name} (mean probability 0.66)."
    finding = Finding("AC-MD-107", Severity.WARN, words, name, "Check every slice of it.", slices)
    window.workspace.apply(Edit("Finding", fields={structure.number: {"findings": (finding,)}}))


def show_worklist(folder: Path) -> None:
    """Show the start page with the cases of eight synthetic patients."""
    root, now = folder / "worklist", time.time()
    for number in range(8):
        site = ("head-neck", "thorax")[number % 2]
        phantom = build_phantom(site, number + 1, spacing_zyx_mm=(6.0, 5.0, 5.0), shape_zyx=(30, 90, 90))
        source = folder / f"scan{number}" / "CT"
        write_ct_series(phantom.hu, phantom.geometry, source)
        ct = name_patient(source, number)
        with open_case(ct, root, source) as case:
            organs = truth_structures(phantom, ct).structures
            case.apply(Edit("Open organs", added=adopted(case.state, organs)))
            review(case, number)
            if number in (2, 5):
                remember_export(case.folder, case.sequence - (number == 5), case.to_structure_set("SET"))
        os.utime(case.folder / "journal.bin", (now - 40_000 * number, now - 40_000 * number))
        if number == 6:
            source.rename(source.with_name("moved"))
    window = MainWindow(ViewerSettings(folder / "worklist.json"), root)
    window.resize(1600, 1000)
    window.show()
    wait(lambda: len(window.worklist.cases) == 8)
    window.toggle_cases()
    window.cases.table.selectRow(6)
    save(window, "worklist")
    window.close()


def name_patient(source: Path, number: int) -> CTVolume:
    """Give the files of a phantom the name of another synthetic patient, and read them."""
    for path in source.iterdir():
        dataset = dcmread(path)
        dataset.PatientName, dataset.PatientID = f"Phantom^No {number + 1}", f"PH-{1040 + 7 * number}"
        dataset.save_as(path)
    return read_ct(planning_cts(scan_folder(source, Job()))[0], Job())


def review(case: Case, number: int) -> None:
    """Review a part of the structures of a case."""
    numbers = list(case.state.numbers)
    approved = numbers if number in (2, 5) else numbers[: 2 * number % len(numbers)]
    if number in (1, 4):
        case.apply(reject(case.state, numbers[-1], "A. Physicist", "Too large"))
        approved = approved[:-1]
    for edited in numbers[len(approved) :][: number % 4]:
        z, outline = next(iter(case.state[edited].structure.contours.items()))
        case.apply(Edit("Brush", {edited: {z: outline.buffer(1)}}))
    if approved:
        case.apply(approve_several(case.state, approved, "A. Physicist"))


def rim(window: MainWindow) -> QPoint:
    """Return a point of the outline shown, on the screen: the one furthest to the patient's left."""
    outline = window.workspace.current.structure.contours[window.workspace.slice_index]
    u, v = max(outline.geoms[0].exterior.coords)
    return window.views.axial.to_pixels(u, v).toPoint()


def main() -> None:
    """Make all of them."""
    app = QApplication([])
    theme.use_theme(app, theme.DARK)
    folder = Path(tempfile.mkdtemp())
    window = MainWindow(ViewerSettings(folder / "viewer.ini"), folder / "cases")
    window.resize(1600, 1000)
    window.show()
    open_patient(window)
    space = window.workspace
    select(window, "Parotid_L", 1.0)
    save(window, "main")
    target(window)
    select(window, "Parotid_L", 2.6)
    window.take_tool("push")
    drag(window, rim(window), [QPoint(-3 * k, k) for k in range(10)], release=False)
    save(window, "push")
    QTest.mouseRelease(window.views.axial, LEFT)
    window.take_tool("brush")
    window.tools["brush"].radius_mm = 6
    drag(window, rim(window), [QPoint(-40, -30), QPoint(-70, -50), QPoint(-95, -40)], release=True)
    window.take_tool("navigate")
    compare_with_observers(window)
    save(window, "comparison")
    window.action_set.trigger("compare")
    find_fault(window, "Brainstem")
    for name in ("External", "SpinalCanal", "Brain"):
        space.approve(space.state.find(name).structure.number, "A. Physicist")
    window.settings.reviewer = "A. Physicist"
    select(window, "Brainstem", 1.6)
    window.panel.sort.click()
    with_dialog(window, "review", partial(ask_approval, window), lambda _: None)
    number = space.state.find("Glnd_Submand_L").structure.number
    space.apply(Edit("Rename", fields={number: {"name": "Submandibular_gland_L"}}))
    with_dialog(
        window,
        "preflight",
        partial(ask_export, window),
        lambda dialog: (
            dialog.profile_box.setCurrentIndex(dialog.profile_box.findData("eclipse")),
            dialog.path_edit.setText(Path(dialog.path_edit.text()).name),
        ),
    )
    select(window, "SpinalCord", 1.0)
    window.views.enlarge(window.views.surfaces)
    QTest.qWait(1500)
    window.views.surfaces.turn(35, 10)
    save(window, "3d")
    window.close()
    show_worklist(folder)


if __name__ == "__main__":
    main()
