"""Words for messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return ``1 slice``, ``3 slices``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
