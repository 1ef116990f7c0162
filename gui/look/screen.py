"""Whether there is a screen: without one Qt ends the whole program."""

from __future__ import annotations

import os
import sys

from autocontour.base.errors import UsageError

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
"""Environment variables of which one is set where Qt can open a window, or is told how to do without."""


def require_screen() -> None:
    """Raise ``AC-US-069`` on Linux without a screen, before Qt ends the program with a message of its own."""
    if sys.platform == "linux" and not any(map(os.environ.get, SCREENS)):
        raise UsageError("AC-US-069")
