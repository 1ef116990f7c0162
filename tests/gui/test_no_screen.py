"""Commands with a window, where there is no screen."""

import pytest

from autocontour.base.errors import UsageError
from autocontour.gui.look import screen


def test_without_a_screen_a_window_is_refused_by_code(monkeypatch):
    """Qt would end the program with an advice to install it again."""
    monkeypatch.setattr(screen.sys, "platform", "linux")
    for name in screen.SCREENS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="AC-US-069"):
        screen.require_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    screen.require_screen()


def test_a_screen_that_does_not_answer_is_refused_by_code(monkeypatch):
    """DISPLAY of a connection that has ended: Qt would abort the program with a core file."""
    ctypes = pytest.importorskip("ctypes")
    try:
        ctypes.CDLL("libxcb.so.1")
    except OSError:
        pytest.skip("no libxcb")
    for name in screen.SCREENS[1:]:
        monkeypatch.delenv(name, raising=False)
    screen.require_screen()  # that of the tests
    monkeypatch.setenv("DISPLAY", ":4055")
    with pytest.raises(UsageError, match="AC-US-073: The screen :4055 cannot be opened"):
        screen.require_screen()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    screen.require_screen()
