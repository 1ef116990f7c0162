"""Files of a model that is imported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.base.typed import SettingsError, read_json


def read_table(path: Path, most_bytes: int) -> Mapping[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    ModelError
        ``AC-MD-043`` if the file is too large, unreadable or something else.
    """
    try:
        if path.stat().st_size > most_bytes:
            raise ModelError("AC-MD-043", file=path.name, reason="too large")
        content = read_json(path.read_bytes())
    except (SettingsError, OSError) as error:
        raise ModelError("AC-MD-043", file=path.name, reason=shown(str(error))) from error
    if not isinstance(content, dict):
        raise ModelError("AC-MD-043", file=path.name, reason="not a table")
    return content


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
