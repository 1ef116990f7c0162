"""Exclusive locks on files; the operating system releases them when the program ends, in whatever way."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def lock_handle(handle: int) -> None:
    """Lock an open file without waiting.

    Raises
    ------
    OSError
        If another program holds the lock.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_file_locked(path: Path) -> bool:
    """Whether a program holds the lock on a file; nothing is written."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False  # never locked, or not by this user
    try:
        lock_handle(handle)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
