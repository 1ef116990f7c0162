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
