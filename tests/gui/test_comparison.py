"""Several observers' structure sets against the structure she works on, live."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton
from shapely.affinity import translate

from autocontour.dicom.series import write_ct_series
from autocontour.gui.panels.comparison_strip import PENDING
from autocontour.gui.state.comparison import AUTOMATIC, STYLES, Overlap
from autocontour.patient.structures import StructureSet
from autocontour.phantom import build_phantom
from autocontour.qa import compare_sets
from autocontour.rtstruct import write_structure_set
from tests.gui.conftest import ball, disc

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier


def shifted(structure, mm, **values):
    contours = {z: translate(shape, mm) for z, shape in structure.contours.items()}
    return replace(structure, contours=contours, **values)


def texts(window, row):
    return [cell.text() for cell in window.comparison_strip.cells[row]]


def settled(window, qtbot):
    """Wait until the exact figures are there."""
    sets = window.comparison.sets
    qtbot.waitUntil(lambda: all(one.metrics or not one.contours for one in sets), timeout=20_000)


@pytest.fixture
def compared(opened):
    """The window with the heart against two observers, one of whom calls it otherwise and has no liver."""
    opened.comparison.add(StructureSet("Observer A", (shifted(ball(), 4, name="HEART", tg263_name=""),)), "a.dcm")
    opened.comparison.add(StructureSet("Observer B", (shifted(ball(), -7, name="Herz", tg263_name="Heart"),)), "b.dcm")
    return opened


def test_the_automatic_contour_is_one_of_the_sets(opened, qtbot):
    QTest.keyClick(opened, KEY.Key_C)
    assert opened.comparison_strip.isVisible()
    assert texts(opened, 0)[:2] == ["≈ 1.000", PENDING]
    settled(opened, qtbot)
    assert texts(opened, 0)[:3] == ["1.000", "0.0 mm", "0 mm"]
    QTest.keyClick(opened, KEY.Key_Delete)
    assert texts(opened, 0)[1] == PENDING
    assert texts(opened, 0)[4] == "1 slice"
    assert opened.views.slider.differing == (12,)
    settled(opened, qtbot)
    assert texts(opened, 0)[0] < "1.000"
    QTest.keyClick(opened, KEY.Key_C)
    assert not opened.comparison_strip.isVisible()
    assert opened.views.slider.differing == ()


def test_every_set_has_its_row_its_line_and_its_figures(compared, qtbot, hand):
    settled(compared, qtbot)
    labels = {label.text() for label in compared.comparison_strip.findChildren(QLabel)}
    assert {AUTOMATIC, "Observer A", "Observer B", "Heart against"} <= labels
    rows = [texts(compared, row) for row in range(3)]
    assert float(rows[0][0]) > float(rows[1][0]) > float(rows[2][0])
    assert rows[2][3].startswith(f"{compared.comparison.sets[2].volume_cc:.1f} cc")
    view = compared.views.axial.grab().toImage()
    seen = {view.pixelColor(x, y).rgb() & 0xFFFFFF for x in range(view.width()) for y in range(0, view.height(), 2)}
    for style in STYLES[:3]:
        red, green, blue = style.color_rgb
        assert red << 16 | green << 8 | blue in seen


def test_figures_follow_a_stroke_and_wait_for_its_end(compared, qtbot, hand):
    settled(compared, qtbot)
    before = texts(compared, 1)
    QTest.keyClick(compared, KEY.Key_B)
    view = compared.views.axial
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=hand.pixel(30, 0))
    assert texts(compared, 1) == before
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=hand.pixel(30, 0))
    assert texts(compared, 1)[0].startswith("≈")
    assert texts(compared, 1)[1] == PENDING
    settled(compared, qtbot)
    assert texts(compared, 1)[2] != before[2]


def test_a_set_without_the_structure_says_so_and_a_set_can_go(compared, qtbot):
    compared.workspace.receive(replace(ball(2, "Liver"), tg263_name="Liver"))
    compared.workspace.select(compared.workspace.state.find("Liver").structure.number)
    assert texts(compared, 1)[0] == "not in this set"
    buttons = [b for b in compared.comparison_strip.findChildren(QToolButton) if b.text() == "×"]
    QTest.mouseClick(buttons[0], Qt.MouseButton.LeftButton)
    assert [one.label for one in compared.comparison.sets] == [AUTOMATIC, "Observer B"]
    assert len(compared.comparison_strip.cells) == 2


def test_only_slices_that_changed_are_worked_out_again(opened):
    geometry, whole = opened.workspace.ct.geometry, ball().contours
    overlap = Overlap()
    overlap.update(whole, {z: disc(r=10) for z in whole}, geometry)
    rows = dict(overlap._known)
    overlap.update({**whole, 12: disc(r=5)}, {**whole, 12: disc(r=10)}, geometry)
    first = overlap._known[12]
    overlap.update({**whole, 12: first[0]}, {**whole, 12: first[1]}, geometry)
    assert overlap._known[12] is first
    assert rows[12] is not first


@pytest.fixture(scope="module")
def observers(tmp_path_factory):
    """A phantom's CT, two observers' files on it, and a file on another scan."""
    root = tmp_path_factory.mktemp("observers")
    phantom = build_phantom("thorax", 3, spacing_zyx_mm=(6.0, 3.5, 3.5), shape_zyx=(40, 128, 128))
    scans = [write_ct_series(phantom.hu, phantom.geometry, root / name) for name in ("CT", "other")]
    paths = [root / name for name in ("a.dcm", "b.dcm", "other.dcm")]
    for path, mm, ct in zip(paths, (3, -6, 0), (scans[0], scans[0], scans[1]), strict=True):
        write_structure_set(StructureSet("Observer", (shifted(ball(), mm),)), ct, path)
    return root / "CT", paths


def test_files_of_observers_are_taken_and_those_of_another_scan_refused(window, qtbot, observers, monkeypatch):
    folder, paths = observers
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.workspace.ct is not None, timeout=20_000)
    window.workspace.receive(ball())
    monkeypatch.setattr(
        "autocontour.gui.app.structure_sets.QFileDialog.getOpenFileNames",
        lambda *_: ([str(path) for path in paths], ""),
    )
    QTest.keyClick(window, KEY.Key_C, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: not window.workspace.background.is_running)
    assert [one.label for one in window.comparison.sets] == [AUTOMATIC, "Observer", "Observer (b.dcm)"]
    assert window.toast.isVisible()
    settled(window, qtbot)
    ct, mine = window.workspace.ct, window.workspace.case.to_structure_set("MINE")
    for one in window.comparison.sets[1:]:
        (row,) = compare_sets(mine, one.structures, ct.geometry)
        assert one.metrics == row.metrics
    window.workspace.close()
    window.show_ct(ct)
    assert not window.comparison.is_shown
    assert len(window.comparison.sets) == 1
