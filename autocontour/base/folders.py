"""Folders of the user's data and settings."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """Return the user's own data folder of the program: cases, model packages and caches."""
    return Path(platformdirs.user_data_dir("autocontour", appauthor=False))


def settings_folder() -> Path:
    """Return the folder of the program's settings."""
    return Path(platformdirs.user_config_dir("autocontour", appauthor=False))


def cases_folder() -> Path:
    """Return where the user's cases are kept, each in a folder of its own (`CaseKey.folder_name`)."""
    return data_folder() / "cases"
