"""Where results go: folders that may lie on a share, which may not be mounted."""

from __future__ import annotations

import os
from pathlib import Path

from autocontour.base.errors import QueueError


def mount_of(folder: Path) -> str:
    """Return the mount point that a folder lies below, or would; also of a folder that does not exist."""
    return next(str(one) for one in (folder, *folder.parents) if os.path.ismount(one) or one == one.parent)


def check_mount(folder: Path, mount: str) -> None:
    """Raise if a folder lay on another disk than now: what is written below an empty mount point is hidden later.

    Parameters
    ----------
    folder
        Where a result is to be written.
    mount
        Its mount point when the series was added; empty if unknown.

    Raises
    ------
    QueueError
        ``AC-QU-029``
    """
    if len(mount) > len(mount_of(folder)):
        raise QueueError("AC-QU-029", folder=Path(mount).name)
