"""Phrases of messages."""

from __future__ import annotations

from pathlib import Path


def counted(number: int, noun: str) -> str:
    """Return ``1 slice``, ``3 slices``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(path: Path, folder: Path | None = None) -> str:
    """Return a file's name, or its path inside `folder`, in characters that can be printed anywhere."""
    name = str(path.relative_to(folder)) if folder and path.is_relative_to(folder) else path.name
    return name.encode("utf-8", "replace").decode("utf-8")
