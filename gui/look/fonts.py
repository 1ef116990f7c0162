"""Whether the fonts of this computer have the characters of a language."""

from __future__ import annotations

from PySide6.QtGui import QFontDatabase

WRITING = {"ko": QFontDatabase.WritingSystem.Korean}
HANGUL = (("\u1100", "\u11ff"), ("\u3130", "\u318f"), ("\uac00", "\ud7a3"))


def can_show(language: str) -> bool:
    """Whether some font has the characters of a language."""
    writing = WRITING.get(language)
    return writing is None or bool(QFontDatabase.families(writing))


def has_korean(words: str) -> bool:
    """Whether Korean characters occur in `words`."""
    return any(first <= character <= last for character in words for first, last in HANGUL)
