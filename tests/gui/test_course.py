"""A patient's course beside the case: the right CT under the right date, linked by position, contours taken over."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from autocontour.case.state import Edit
from autocontour.course import read_trend
from autocontour.course.trend import read_limits
from autocontour.gui.app.courses import open_course, show_course
from autocontour.gui.panels.course_curve import MEASURES, build_curve
from autocontour.patient.structures import ReviewStatus
from tests.course.conftest import contoured, followup, patient_folder, phantom  # noqa: F401
from tests.gui.conftest import small_ct

LEFT = Qt.MouseButton.LeftButton
SECONDS = 60_000


@pytest.fixture
def course(window, qtbot, contoured):  # noqa: F811
    """The window with the course beside it; nothing is open."""
    open_course(window, contoured.folder)
    qtbot.waitUntil(lambda: window.course.desk.loaded is not None, timeout=SECONDS)
    yield window.course
    window.course.desk.stop()


@pytest.fixture
def working(window, qtbot, course):
    """The later CT is opened from the course's window by a double click."""
    double_click(course, 1)
    qtbot.waitUntil(lambda: course.desk.own is not None, timeout=SECONDS)
    return window


def place_of(course, row) -> QPoint:
    return course.dates.visualItemRect(course.dates.item(row)).center()


def click(course, row) -> None:
    QTest.mouseClick(course.dates.viewport(), LEFT, pos=place_of(course, row))


def double_click(course, row) -> None:
    click(course, row)
    QTest.mouseDClick(course.dates.viewport(), LEFT, pos=place_of(course, row))


def look(course, qtbot, row) -> None:
    click(course, row)
    wanted, reference = course.desk.cts[row], course.desk.reference
    qtbot.waitUntil(lambda: reference.loaded is not None and reference.loaded.ct is wanted, timeout=SECONDS)


def select(window, name) -> int:
    number = window.workspace.state.find(name).structure.number
    window.workspace.select(number)
    return number


def lps(volume, voxel_zyx) -> np.ndarray:
    geometry = volume.geometry
    step_v, step_u = geometry.pixel_spacing_vu_mm
    z, y, x = voxel_zyx
    return geometry.slice_origins_lps_mm[z] + geometry.direction[:, :2] @ (x * step_u, y * step_v)


def test_the_ct_shown_has_its_own_date(course, qtbot) -> None:
    titles = [course.dates.item(row).text().split("\n")[0] for row in range(2)]
    assert titles == ["Planning CT, 2026-01-05", "2026-01-15"]
    look(course, qtbot, 1)
    assert course.heading.text() == "2026-01-15"
    look(course, qtbot, 0)
    assert course.heading.text() == "Planning CT, 2026-01-05"
    assert course.desk.reference.ct.reference.series_instance_uid == course.desk.cts[0].series_instance_uid


def test_of_two_clicks_the_last_counts(course, qtbot) -> None:
    """The first CT may be read later than the second: its pixels must not come under the other's date."""
    click(course, 1)
    click(course, 0)
    qtbot.waitUntil(lambda: not course.desk.is_reading, timeout=SECONDS)
    QTest.qWait(200)
    assert course.heading.text() == "Planning CT, 2026-01-05"
    assert course.desk.reference.ct.reference.series_instance_uid == course.desk.cts[0].series_instance_uid


def test_a_ct_opened_from_the_course_gets_its_contours_with_their_warnings(working, course) -> None:
    names = {structure.name for structure in working.workspace.state.structures}
    assert {"Parotid_L", "CTV_54"} <= names
    target = working.workspace.state.find("CTV_54").structure
    assert {"AC-CO-043"} <= {finding.code for finding in target.findings}
    assert not any(item.is_approved for item in working.workspace.state.items)
    assert "open in the main window" in course.dates.item(1).text()
    assert {one.label for one in working.comparison.sets[1:]} >= {"Propagated from the planning CT"}
    assert not working.comparison.is_shown


def test_slices_are_linked_by_position_through_the_registration(working, course, qtbot) -> None:
    look(course, qtbot, 0)
    desk = course.desk
    working.workspace.go_to((30, 75, 75))
    here = lps(working.workspace.ct, (30, 75, 75))
    expected = desk.own.rigid.pull(here[None])[0]
    beside = lps(desk.reference.ct, desk.reference.position_zyx)
    spacing = np.array([3.0, 3.0, 5.0])
    assert np.all(np.abs(beside - expected) <= spacing / 2 + 1e-3)
    assert np.linalg.norm(expected - here) > 3  # the patient lies elsewhere in the later CT
    desk.reference.step(next(iter(course.views)), 3)  # scrolled beside
    back = desk.own.rigid.push(lps(desk.reference.ct, desk.reference.position_zyx)[None])[0]
    assert np.all(np.abs(lps(working.workspace.ct, working.workspace.position_zyx) - back) <= spacing / 2 + 1e-3)
    assert "Linked with 2026-01-15" in course.link.text()


def test_what_is_outside_the_other_ct_is_not_shown_as_its_last_slice(working, course, qtbot) -> None:
    click(course, 1)
    look(course, qtbot, 0)
    desk = course.desk
    last = working.workspace.ct.geometry.shape_zyx[0] - 1
    working.workspace.go_to_slice(last)
    reaches = desk.own.rigid.pull(lps(working.workspace.ct, (last, 75, 75))[None])[0, 2]
    if reaches <= desk.reference.ct.geometry.slice_positions_mm[-1] + 2.5:
        working.workspace.go_to_slice(0)
    assert desk.place.is_inside is (course._stack.currentWidget() is not course.cover)
    desk.place = type(desk.place)(desk.place.voxel_zyx, False, 40.0)
    course._follow_place()
    assert course._stack.currentWidget() is course.cover
    assert "outside this CT: Planning CT, 2026-01-05" in course.cover.text()


def test_a_method_is_taken_as_one_step_with_its_origin(working, course) -> None:
    number = select(working, "External")
    space = working.workspace
    chosen = next(one for one in course.desk.alternatives if one.is_chosen)
    other = next(one for one in course.desk.alternatives if not one.is_chosen)
    before = space.state[number]
    QTest.mouseClick(course.take_buttons[other.method][0], LEFT)
    after = space.state[number]
    assert after.structure.contours == other.structure.contours
    assert after.structure.provenance == other.structure.provenance != chosen.structure.provenance
    assert after.automatic == other.structure.contours
    space.undo()
    assert space.state[number].structure.contours == before.structure.contours
    assert space.state[number].structure.provenance == before.structure.provenance


def test_a_slice_of_a_method_is_taken_alone(working, course) -> None:
    number = select(working, "External")
    space = working.workspace
    other = next(one for one in course.desk.alternatives if not one.is_chosen)
    before = space.state[number].structure.contours
    z = next(z for z in other.structure.contours if z in before and before[z] != other.structure.contours[z])
    space.go_to_slice(z)
    QTest.mouseClick(course.take_buttons[other.method][1], LEFT)
    after = space.state[number].structure.contours
    assert {k for k in {*before, *after} if before.get(k) != after.get(k)} == {z}
    assert after[z] == other.structure.contours[z]
    QTest.mouseClick(course.take_buttons[other.method][1], LEFT)  # the same again
    assert space.case.undo_label.startswith("Take External")
    space.undo()
    assert space.state[number].structure.contours == before


@pytest.mark.parametrize("protection", ["approved", "locked"])
def test_a_protected_structure_is_not_replaced(protection, working, course) -> None:
    number = select(working, "External")
    space = working.workspace
    if protection == "approved":
        space.approve(number, "Dr. Kim")
    else:
        space.apply(Edit("Lock", fields={number: {"locked": True}}))
    before = space.state[number]
    said = []
    space.message.connect(lambda words, refused: said.append((words, refused)))
    for buttons in course.take_buttons.values():
        for button in buttons:
            QTest.mouseClick(button, LEFT)
    assert space.state[number] is before
    assert protection in said[0][0]
    assert said[0][1]
    assert (space.state[number].structure.status is ReviewStatus.APPROVED) is (protection == "approved")


def test_nothing_is_offered_or_linked_for_another_ct(working, course, qtbot) -> None:
    look(course, qtbot, 0)
    select(working, "External")
    kept = course.desk.alternatives[0]
    working.show_ct(small_ct())
    assert course.desk.own is None
    assert course.desk.alternatives == ()
    assert not course.desk.take(kept, only_slice=False)
    assert "Not linked" in course.link.text()
    assert course.take_buttons == {}


def test_the_curve_has_the_dates_limits_and_what_crosses_them(working, course, contoured) -> None:  # noqa: F811
    select(working, "Parotid_L")
    curve = course.curve.curve
    trend = read_trend(contoured)
    expected = [value for _, value in trend.curve("Parotid_L", "volume_cc")]
    assert [one.value for one in curve.points] == pytest.approx(expected)
    assert [one.title for one in curve.points] == ["Planning CT, 2026-01-05", "2026-01-15"]
    assert curve.limits == pytest.approx([expected[0] * 0.8, expected[0] * 1.2])
    change = trend.dates[0].points["Parotid_L"].volume_change
    assert curve.points[1].is_crossed is (change is not None and abs(change) > 0.2)
    assert course.curve.current == "2026-01-15"
    assert "Parotid" not in course.curve.accessibleDescription()
    assert "cc" in course.curve.accessibleDescription()
    course.measures.setCurrentIndex(1)
    assert course.curve.curve.measure.unit == "mm"
    assert len(course.curve.positions()) == 2
    assert build_curve(trend, read_limits(), "Nowhere", MEASURES[0], "").points == ()
    course.curve.repaint()


def test_the_key_shows_and_hides_the_window(window, course, qtbot) -> None:
    qtbot.waitUntil(course.isVisible)
    course.close()
    assert not course.isVisible()
    show_course(window)
    qtbot.waitUntil(course.isVisible)
    for index in range(3):
        course.planes.setCurrentIndex(index)


def test_a_folder_without_a_course_is_refused(window, qtbot, tmp_path) -> None:
    said = []
    window.workspace.message.connect(lambda words, refused: said.append(words))
    open_course(window, tmp_path)
    qtbot.waitUntil(lambda: bool(said), timeout=SECONDS)
    assert window.course.desk.loaded is None
    assert "course" in said[0].lower()
