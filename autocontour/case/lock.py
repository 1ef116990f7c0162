"""One program at a time on a case; the operating system releases the lock when the program ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autocontour.base.errors import CaseError


class CaseLock:
    """An exclusive lock on a case's folder.

    Raises
    ------
    CaseError
        If another window holds it (``AC-CASE-001``).
    """

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._handle)
        except OSError:
            os.close(self._handle)
            raise CaseError("AC-CASE-001") from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
