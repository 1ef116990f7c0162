"""One program at a time on a case; the operating system releases the lock when the program ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

from autocontour.base.errors import CaseError
from autocontour.base.lock import is_file_locked, lock_handle

TRIES, PAUSE_S = 4, 0.05
"""A list of cases holds each lock for a moment, to see whether it is free."""


class CaseLock:
    """An exclusive lock on a case's folder.

    Raises
    ------
    CaseError
        If another window holds it (``AC-CASE-001``).
    """

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        for left in reversed(range(TRIES)):
            try:
                lock_handle(self._handle)
            except OSError:
                if not left:
                    os.close(self._handle)
                    raise CaseError("AC-CASE-001") from None
                time.sleep(PAUSE_S)
            else:
                return

    def release(self) -> None:
        """Release the lock."""
        os.close(self._handle)


def is_locked(folder: Path) -> bool:
    """Whether a program has the case in `folder` open; nothing is written."""
    return is_file_locked(folder / "lock")
