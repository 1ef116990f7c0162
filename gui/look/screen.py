"""Whether there is a screen: without one Qt ends the whole program."""

from __future__ import annotations

import ctypes
import os
import sys

from autocontour.base.errors import UsageError

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
"""Environment variables of which one is set where Qt can open a window, or is told how to do without."""


def require_screen() -> None:
    """Find out on Linux whether Qt can open a window, before it ends the program with a message of its own.

    Raises
    ------
    UsageError
        If no screen is named (``AC-US-069``), or the X server that is named cannot be reached (``AC-US-073``).
    """
    if sys.platform != "linux":
        return
    if not any(map(os.environ.get, SCREENS)):
        raise UsageError("AC-US-069")
    display = os.environ.get("DISPLAY", "")
    is_x11 = display and not os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("QT_QPA_PLATFORM")
    if is_x11 and not _can_connect(display):
        raise UsageError("AC-US-073", display=display)


def _can_connect(display: str) -> bool:
    """Whether the X server answers and lets this user in (`xcb_connect`, which Qt calls too)."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # it is not known; Qt will report what is missing
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(os.fsencode(display), None)
    error = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not error
