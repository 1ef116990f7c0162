"""A window on a screen (Xvfb), with its own settings and cases."""

import gc
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the viewer's libraries are not installed")

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from shapely import MultiPolygon, Point

from autocontour.gui.app.window import MainWindow
from autocontour.gui.look import theme
from autocontour.gui.state.settings import ViewerSettings
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume


def pytest_collection_modifyitems(items):
    has_screen = sys.platform != "linux" or os.environ.get("DISPLAY")
    for item in items:
        if "tests/gui/" in item.path.as_posix():
            item.add_marker(pytest.mark.gui)
            if not has_screen:
                item.add_marker(pytest.mark.skip(reason="needs a screen: run under xvfb-run"))


def small_ct():
    """A body of water with a bright ball: 24 slices of 120 × 140 voxels, 2 × 2 × 3 mm."""
    geometry = VolumeGeometry.regular((24, 120, 140), (3.0, 2.0, 2.0), (-139.0, -119.0, -36.0))
    z, y, x = np.ogrid[:24, :120, :140]
    hu = np.full((24, 120, 140), -1000, np.int16)
    hu[np.broadcast_to(((x - 70) / 55) ** 2 + ((y - 60) / 45) ** 2 <= 1, hu.shape)] = 20
    hu[((x - 70) * 2) ** 2 + ((y - 60) * 2) ** 2 + ((z - 12) * 3) ** 2 <= 20**2] = 300
    return CTVolume(hu, geometry)


def disc(u=0.0, v=0.0, r=20.0):
    return MultiPolygon([Point(u, v).buffer(r, quad_segs=24)])


def ball(number=1, name="Heart", color=(255, 0, 0)):
    contours = {z: disc(r=float(np.sqrt(30**2 - ((z - 12) * 3) ** 2))) for z in range(3, 22)}
    return Structure(name, number, contours, color_rgb=color, tg263_name="Heart")


@pytest.fixture
def window(qtbot, qapp, tmp_path):
    theme.use_theme(qapp, theme.DARK)
    made = MainWindow(ViewerSettings(tmp_path / "viewer.ini"), tmp_path / "cases")
    made.resize(1400, 900)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    yield made
    made.close()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


@pytest.fixture
def another_window(qtbot, tmp_path):
    """Make a window such as the program has at its next start."""
    made = []

    def start():
        window = MainWindow(ViewerSettings(tmp_path / "viewer.ini"), tmp_path / "cases")
        window.resize(1280, 800)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        made.append(window)
        return window

    yield start
    for window in made:
        window.close()
        window.deleteLater()


@pytest.fixture
def answer():
    """Answer the next dialog of a kind as soon as it is shown; who waits in vain waits no longer than the test."""
    timers = []

    def wait_for(kind, act):
        timer = QTimer(interval=30)

        def look():
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, kind):
                timer.stop()
                try:
                    act(dialog)
                except BaseException:
                    dialog.reject()  # or the test would wait for an answer for ever
                    raise

        timer.timeout.connect(look)
        timer.start()
        timers.append(timer)

    yield wait_for
    for timer in timers:
        timer.stop()


@pytest.fixture
def opened(window, qtbot):
    """The window with the small CT and one structure of 19 slices."""
    window.show_ct(small_ct())
    window.workspace.receive(replace(ball()))
    window.workspace.go_to_slice(12)
    qtbot.waitUntil(lambda: window.views.axial.width() > 300)
    return window


class Hand:
    """The mouse on the axial view, in mm."""

    def __init__(self, window):
        self.view = window.views.axial

    def pixel(self, u, v) -> QPoint:
        return self.view.to_pixels(u, v).toPoint()

    def stroke(self, points, modifier=Qt.KeyboardModifier.NoModifier, button=Qt.MouseButton.LeftButton):
        pixels = [self.pixel(*point) for point in points]
        QTest.mouseMove(self.view, pixels[0])
        QTest.mousePress(self.view, button, modifier, pixels[0])
        for pixel in pixels[1:]:
            QTest.mouseMove(self.view, pixel)
            # QTest's moves carry no held button under some platforms; the view asks only whether a stroke is under way.
        QTest.mouseRelease(self.view, button, modifier, pixels[-1])

    def color_at(self, u, v):
        image = self.view.grab().toImage()
        ratio = image.devicePixelRatio()
        at = self.view.to_pixels(u, v) * ratio
        color = image.pixelColor(QPointF(at).toPoint())
        return color.red(), color.green(), color.blue()


@pytest.fixture
def hand(opened):
    return Hand(opened)
