"""Small and large screens: nothing is cut, dialogs fit, views can move to another window, Korean needs a font."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontDatabase, QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QTabBar,
    QToolButton,
    QWidget,
)

from autocontour.gui.app import app as app_module
from autocontour.gui.app import window as window_module
from autocontour.gui.app.window import MainWindow
from autocontour.gui.dialogs.auto import AutoContourDialog
from autocontour.gui.dialogs.export import ExportDialog
from autocontour.gui.dialogs.frame import Dialog
from autocontour.gui.dialogs.learning import LearningDialog
from autocontour.gui.dialogs.review import ApprovalDialog
from autocontour.gui.dialogs.shape import BooleanDialog, CropDialog, MarginDialog, MoveDialog
from autocontour.gui.dialogs.target import TargetDialog
from autocontour.gui.dialogs.threshold import ThresholdDialog
from autocontour.gui.look import theme
from autocontour.gui.look.fonts import can_show, has_korean
from autocontour.gui.look.language import use_language
from autocontour.gui.state import settings as settings_module
from autocontour.gui.state.settings import ViewerSettings
from autocontour.gui.views.detached import is_on_screen
from autocontour.gui.views.planes import Plane
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume, SeriesReference
from tests.gui.conftest import ball, disc, small_ct
from tests.gui.test_editing import press
from tests.gui.test_renderers import assert_views_same

KEY = Qt.Key
SMALL = [(1366, 768), (1024, 600), (960, 600), (800, 600)]
DIALOGS = {
    "auto": AutoContourDialog,
    "export": ExportDialog,
    "approve": ApprovalDialog,
    "margin": MarginDialog,
    "boolean": BooleanDialog,
    "crop": CropDialog,
    "move": MoveDialog,
    "threshold": ThresholdDialog,
    "target": TargetDialog,
}


@pytest.fixture(params=["en", "ko"])
def language(request, qapp):
    use_language(qapp, request.param)
    yield request.param
    use_language(qapp, "en")


def patient_ct():
    ct = small_ct()
    facts = {"PatientName": "ABERNATHY-SMITH^ELIZABETH", "PatientID": "0012345678", "PatientBirthDate": "19450203"}
    uids = tuple(f"1.2.{z}" for z in range(24))
    return CTVolume(ct.hu, ct.geometry, SeriesReference("1", "2", "3", "4", uids, {**facts, "PatientPosition": "HFS"}))


def cut_words(window):
    """The words of every visible label, button and tab that do not fit its place."""
    found = []
    for widget in [*window.findChildren(QLabel), *window.findChildren(QAbstractButton)]:
        if not widget.isVisibleTo(window) or not widget.text():
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            if widget.heightForWidth(widget.width()) > widget.height() + 1:
                found.append(widget.text())
        elif isinstance(widget, QToolButton) and widget.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly:
            continue
        elif widget.width() < widget.sizeHint().width() - (8 if isinstance(widget, QLabel) else 0):
            found.append(widget.text())
    for bar in window.findChildren(QTabBar):
        for index in range(bar.count()):
            words = bar.tabText(index)
            needed = QFontMetrics(bar.font()).horizontalAdvance(words)
            if bar.isVisibleTo(window) and bar.tabRect(index).width() < needed:
                found.append(words)
    return found


def overlapping(dialog):
    """Widgets of a dialog that cover one another, by their classes."""
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView, QProgressBar, QLabel)
    found = [one for one in dialog.findChildren(QWidget) if isinstance(one, kinds) and one.isVisibleTo(dialog)]
    parts = [one for one in found if not any(parent in found for parent in _parents(one, dialog))]
    places = [QRect(one.mapTo(dialog, QPoint(0, 0)), one.size()) for one in parts]
    pairs = combinations(zip(parts, places, strict=True), 2)
    return [(type(a).__name__, type(b).__name__) for (a, at), (b, there) in pairs if at.intersects(there)]


def _parents(widget, dialog):
    while (widget := widget.parentWidget()) is not dialog and widget is not None:
        yield widget


@pytest.mark.parametrize("look", [theme.DARK, theme.LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("size", SMALL, ids=str)
def test_no_words_are_cut_and_the_axial_view_keeps_its_share(qapp, qtbot, tmp_path, language, look, size):
    theme.use_theme(qapp, look)
    window = MainWindow(ViewerSettings(tmp_path / "viewer.ini"), tmp_path / "cases")
    qtbot.addWidget(window)
    window.show()
    window.show_ct(patient_ct())
    window.workspace.receive(ball())
    window.workspace.receive(Structure("Parotid_L", 2, {5: disc()}))
    window.resize(*size)
    qtbot.waitUntil(lambda: window.size() == QSize(*size))
    QTest.qWait(50)
    assert cut_words(window) == []
    if size[0] < 1000:
        assert window.views.axial.width() >= 0.6 * window.width()
        window.room.tabs.setCurrentIndex(1)
        QTest.qWait(20)
        assert all(view.isVisible() for view in window.views.slices.values())
        assert cut_words(window) == []
    assert window.width() == size[0]
    theme.use_theme(qapp, theme.DARK)


def test_the_first_window_is_no_larger_than_the_screen(monkeypatch, qtbot, tmp_path):
    monkeypatch.setattr(window_module, "FIRST_SIZE", QSize(9000, 7000))
    window = MainWindow(ViewerSettings(tmp_path / "viewer.ini"), tmp_path / "cases")
    qtbot.addWidget(window)
    room = window.screen().availableGeometry().size()
    assert window.size().boundedTo(room) == window.size()


def test_a_narrow_window_that_grows_shows_all_side_by_side_again(opened, qtbot):
    assert not opened.room.is_narrow
    opened.resize(900, 700)
    qtbot.waitUntil(lambda: opened.room.is_narrow)
    press(opened, KEY.Key_PageUp)
    opened.resize(1300, 800)
    qtbot.waitUntil(lambda: not opened.room.is_narrow)
    QTest.qWait(50)
    assert opened.panel.isVisible()
    assert all(view.isVisible() for view in opened.views.slices.values())
    assert opened.panel.x() > opened.views.width() - 5
    assert opened.views.axial.width() > 0.4 * opened.width()


def test_actions_without_room_are_in_a_menu_of_their_bar(opened, qtbot):
    opened.resize(800, 500)
    QTest.qWait(50)
    for bar in (opened.main_bar, opened.side_bar):
        (more,) = bar.findChildren(QToolButton, "qt_toolbar_ext_button")
        assert more.isVisible()
        assert not more.icon().isNull()
        hidden = [a for a in bar.actions() if not a.isSeparator() and not bar.widgetForAction(a).isVisible()]
        assert hidden
        assert {a.text() for a in hidden} <= {a.text() for a in more.menu().actions()}


@pytest.mark.parametrize("room", [(1366, 768), (1024, 600), (700, 420)], ids=str)
@pytest.mark.parametrize("name", DIALOGS)
def test_dialogs_fit_the_screen_with_their_buttons(window, qtbot, answer, monkeypatch, language, name, room):
    monkeypatch.setattr(Dialog, "room", QSize(*room))
    window.show_ct(patient_ct())
    window.workspace.receive(ball())
    window.workspace.receive(Structure("Liver", 2, {z: disc(40, 0, 15) for z in range(5, 15)}))
    seen = []

    def look(dialog):
        QTest.qWait(30)
        button = QRect(dialog.ok.mapTo(dialog, QPoint(0, 0)), dialog.ok.size())
        is_in_sight = dialog.rect().contains(button) and dialog.ok.isVisible()
        seen.append((dialog.size(), is_in_sight, cut_words(dialog), overlapping(dialog)))
        dialog.reject()

    answer(DIALOGS[name], look)
    window.action_set.trigger(name)
    if name == "target":  # it does not hold up the window
        look(window.target_desk.dialog)
    qtbot.waitUntil(lambda: bool(seen))
    size, has_button, cut, over = seen[0]
    assert size.width() <= room[0]
    assert size.height() <= room[1]
    assert has_button
    if room[0] > 1000:
        assert cut == []
        assert over == []


def test_the_progress_of_a_target_covers_nothing(opened, language):
    opened.action_set.trigger("target")
    dialog = opened.target_desk.dialog
    dialog.facts.setText("")
    dialog._fit()
    dialog.show_progress(0.5)
    QTest.qWait(30)
    over = overlapping(dialog)
    dialog.reject()
    assert over == []


def test_names_of_structures_to_draw_are_shown_whole(window, answer):
    window.show_ct(patient_ct())
    seen = []

    def look(dialog):
        QTest.qWait(30)
        longest = max(
            dialog._items(), key=lambda item: QFontMetrics(dialog.list.font()).horizontalAdvance(item.text(0))
        )
        dialog.list.scrollToItem(longest)
        name = QFontMetrics(dialog.list.font()).horizontalAdvance(longest.text(0))
        seen.append(dialog.list.columnWidth(0) - name)
        dialog.reject()

    answer(AutoContourDialog, look)
    window.action_set.trigger("auto")
    assert seen[0] >= 40  # the tick, its frame, and a margin at either side


def test_the_learning_dialog_fits_a_small_screen(window, tmp_path, monkeypatch):
    monkeypatch.setattr("autocontour.gui.dialogs.learning.room_on_screen", lambda _: QSize(1268, 680))
    dialog = LearningDialog(window, tmp_path / "learning", tmp_path / "cases")
    dialog.show()
    QTest.qWait(30)
    size = dialog.size()
    dialog.status._process.kill()
    dialog.status._process.waitForFinished()
    dialog.close()
    assert (size.width(), size.height()) == (1040, 680)


@pytest.mark.parametrize("language", ["en", "ko"], indirect=True)
def test_no_key_runs_into_its_description_on_the_sheet_of_keys(opened, language):
    opened.show_keys()
    sheet = opened.cheat_sheet
    font = QFont(sheet.font())
    font.setPixelSize(13)
    width = QFontMetrics(font).horizontalAdvance
    lines = [line for _, lines in sheet.sections for line in lines]
    assert all(width(keys) < sheet.key_px for keys, _ in lines)
    assert all(sheet.key_px + width(words) < sheet.column_px for _, words in lines)


def test_a_view_goes_to_a_window_of_its_own_and_back(opened, qtbot):
    views, space = opened.views, opened.workspace
    opened.action_set.detached["coronal"].trigger()
    own = views.detached["coronal"]
    coronal = views.slices[Plane.CORONAL]
    assert coronal.window() is own
    assert own.isVisible()
    qtbot.waitExposed(own)
    own.activateWindow()
    qtbot.waitUntil(own.isActiveWindow)
    z = space.slice_index
    QTest.keyClick(coronal, KEY.Key_PageUp)
    assert space.slice_index == z + 1
    QTest.keyClick(coronal, KEY.Key_2)  # a window preset
    assert space.window.width_hu == 1600
    QTest.keyClick(coronal, KEY.Key_B)
    assert opened.views.axial.tool is opened.tools["brush"]
    own.close()
    assert coronal.window() is opened
    assert coronal.isVisible()
    assert not opened.action_set.detached["coronal"].isChecked()


@pytest.mark.parametrize(
    ("direction", "title"), [(np.eye(3), "Sagittal"), (np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), "Coronal")]
)
def test_a_view_in_its_own_window_is_named_by_the_patient_also_on_the_side(window, direction, title):
    """HFDR: what cuts across the columns of the image is coronal; title, menu and accessible name agree."""
    window.detach_view("sagittal")
    ct = small_ct()
    window.show_ct(replace(ct, geometry=replace(ct.geometry, direction=direction)))
    assert window.views.detached["sagittal"].windowTitle() == f"autocontour — {title}"
    assert window.views.slices[Plane.SAGITTAL].accessibleName() == f"{title} view"
    assert window.action_set.detached["sagittal"].text() == title


def test_the_patient_stands_in_the_window_of_a_view(window, qtbot):
    window.show_ct(small_ct())
    window.detach_view("sagittal")
    window.show_ct(patient_ct())
    assert "ABERNATHY-SMITH ELIZABETH" in window.views.detached["sagittal"].banner._name.text()


def test_the_large_view_can_leave_and_the_last_one_stays(opened):
    views = opened.views
    opened.detach_view("axial")
    assert views.slices[Plane.AXIAL].window() is views.detached["axial"]
    for name in ("sagittal", "coronal", "3d"):
        opened.detach_view(name)
    assert len(views.detached) == 3
    left = next(name for name in views.holders if name not in views.detached)
    assert views.holders[left].window() is opened
    assert views.holders[left].isVisible()
    opened.detach_view("axial")
    assert views.slices[Plane.AXIAL].window() is opened
    views.enlarge(views.holders["axial"])
    assert views._large is views.holders["axial"]
    assert opened.workspace.state.items


def test_strokes_in_a_window_of_its_own_land_where_they_are_drawn(opened, qtbot):
    opened.detach_view("axial")
    axial = opened.views.axial
    own = opened.views.detached["axial"]
    qtbot.waitExposed(own)
    QTest.qWait(50)
    opened.take_tool("brush")
    before = opened.workspace.current.structure.contours[12].area
    at = axial.to_pixels(30.0, 0.0).toPoint()
    QTest.mousePress(axial, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseRelease(axial, Qt.MouseButton.LeftButton, pos=at)
    after = opened.workspace.current.structure.contours[12]
    assert after.area > before
    assert after.bounds[2] == pytest.approx(38, abs=1.5)


def test_a_stroke_under_way_ends_when_its_window_closes(opened, qtbot):
    opened.detach_view("axial")
    axial, own = opened.views.axial, opened.views.detached["axial"]
    qtbot.waitExposed(own)
    opened.take_tool("brush")
    QTest.mousePress(axial, Qt.MouseButton.LeftButton, pos=axial.to_pixels(30.0, 0.0).toPoint())
    assert opened.workspace.is_held
    own.close()
    assert not opened.workspace.is_held
    assert axial.window() is opened


def test_windows_of_views_are_remembered_and_a_missing_screen_loses_none(opened, another_window, qtbot):
    opened.detach_view("coronal")
    opened.views.detached["coronal"].setGeometry(100, 120, 500, 400)
    opened.close()
    again = another_window()
    again.detach_as_left()
    assert list(again.views.detached) == ["coronal"]
    assert again.views.detached["coronal"].size() == QSize(500, 400)
    again.detach_view("coronal")
    left = {"coronal": far_away(again), "of another version": QByteArray(b"x"), "3d": QByteArray()}
    again.settings.set_detached(left)
    again.detach_as_left()
    assert set(again.views.detached) == {"coronal", "3d"}
    assert all(is_on_screen(own.geometry()) for own in again.views.detached.values())


def far_away(window):
    """A geometry on a screen that is no longer there."""
    other = QWidget()
    other.setGeometry(9000, 200, 500, 400)
    assert not is_on_screen(other.geometry())
    return other.saveGeometry()


def test_both_renderers_follow_a_view_into_its_own_window(opened, qtbot):
    for name in ("axial", "coronal"):
        opened.detach_view(name)
    QTest.qWait(50)
    assert_views_same(opened)


def test_nothing_is_cut_and_both_renderers_agree_at_the_scale_of_the_screen(window, qtbot):
    window.resize(960, 600)
    window.show_ct(patient_ct())
    window.workspace.receive(ball())
    qtbot.waitUntil(lambda: window.room.is_narrow)
    QTest.qWait(50)
    assert window.devicePixelRatioF() == float(os.environ.get("QT_SCALE_FACTOR", "1"))
    assert cut_words(window) == []
    assert window.views.axial.width() >= 0.6 * window.width()
    assert window.views.axial.grab().size() == window.views.axial.size() * window.devicePixelRatioF()
    assert_views_same(window)


def test_at_twice_the_scale_nothing_is_cut_and_both_renderers_agree():
    name = "test_nothing_is_cut_and_both_renderers_agree_at_the_scale_of_the_screen"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gui", f"{__file__}::{name}"]
    environment = {**os.environ, "QT_SCALE_FACTOR": "2"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert "1 passed" in ended.stdout, ended.stdout


def test_korean_needs_a_font_with_its_characters(monkeypatch):
    monkeypatch.setattr(QFontDatabase, "families", lambda *_: [])
    assert not can_show("ko")
    assert can_show("en")
    monkeypatch.setattr(QFontDatabase, "families", lambda *_: ["Noto Sans CJK KR"])
    assert can_show("ko")
    assert has_korean("홍길동")
    assert not has_korean("HONG^GILDONG")


def test_the_lack_of_a_font_is_said_in_english(monkeypatch, qapp, tmp_path):
    shown = []
    monkeypatch.setattr(app_module, "can_show", lambda language: language != "ko")
    settings = ViewerSettings(tmp_path / "viewer.ini")
    settings.language = "ko"
    monkeypatch.setattr(app_module, "ViewerSettings", lambda: settings)

    class Started(MainWindow):
        def __init__(self, settings):
            super().__init__(settings, tmp_path / "cases")
            shown.append(self)
            self.sentences = []
            self.workspace.message.connect(lambda words, is_refusal: self.sentences.append((words, is_refusal)))

    monkeypatch.setattr(app_module, "MainWindow", Started)
    monkeypatch.setattr(type(qapp), "exec", lambda *_: 0)
    hook = sys.excepthook
    try:
        assert app_module.run_viewer(None, "qt") == 0
    finally:
        sys.excepthook = hook
    (window,) = shown
    assert window.sentences[0][1]
    assert "No font with Korean characters" in window.sentences[0][0]
    assert window.menuBar().actions()[0].text() == "File"
    window.close()


def test_a_korean_name_that_no_font_can_show_is_reported(window, monkeypatch):
    ct = patient_ct()
    said = []
    window.workspace.message.connect(lambda words, is_refusal: said.append(words) if is_refusal else None)
    monkeypatch.setattr("autocontour.gui.app.intake.can_show", lambda _: False)
    window.show_ct(CTVolume(ct.hu, ct.geometry, replace(ct.reference, header={"PatientName": "홍^길동"})))
    assert any("Korean" in words for words in said)


def test_damaged_sizes_of_tools_do_not_keep_the_window_from_opening(qapp, tmp_path, monkeypatch):
    """Of this version: a size that no tool has; of a version with another kind of file: no number."""
    path = tmp_path / "viewer.json"
    path.write_text('{"radius/brush": -5, "radius/eraser": 1e9, "radius/push": NaN, "geometry": "%", "detached": [3]}')
    window = MainWindow(ViewerSettings(path), tmp_path / "cases")
    window.detach_as_left()
    sizes = {name: window.tools[name].radius_mm for name in ("brush", "eraser", "push")}
    window.close()
    window.deleteLater()
    assert sizes == {"brush": 0.5, "eraser": 80.0, "push": 15.0}
    old = tmp_path / "viewer.ini"
    old.write_text("[General]\ntheme=light\n[radius]\nbrush=@Invalid()\neraser=4,5\npush=3.5\n")
    monkeypatch.setattr(settings_module, "settings_folder", lambda: tmp_path)
    monkeypatch.setattr("autocontour.base.settings.settings_folder", lambda: tmp_path)
    again = ViewerSettings()
    assert (again.theme, again.radius("brush", 8.0), again.radius("push", 8.0)) == ("light", 8.0, 3.5)
    assert again.radius("eraser", 8.0) == 8.0
