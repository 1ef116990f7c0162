"""Fonts of reports: DejaVu Sans, which comes with matplotlib and has no Hangul, and a Korean font of the computer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

KOREAN_FILES = ("malgun.ttf", "NanumGothic.ttf", "NanumBarunGothic.ttf", "UnDotum.ttf", "AppleGothic.ttf")


@cache
def find_korean() -> Path | None:
    """Return a Korean TrueType font of this computer; None if there is none of those known."""
    from matplotlib.font_manager import findSystemFonts

    found = {Path(path).name: Path(path) for path in sorted(findSystemFonts(fontext="ttf"))}
    return next((found[name] for name in KOREAN_FILES if name in found), None)


@contextmanager
def hangul_in_pictures() -> Iterator[None]:
    """Let matplotlib set the Hangul of names in a Korean font; other letters keep their font.

    Without a Korean font they are empty boxes, and the text of the report states the names.
    """
    from matplotlib import rc_context

    with rc_context({"font.family": ["DejaVu Sans", *_korean_families()]}):
        yield


@cache
def _korean_families() -> tuple[str, ...]:
    from matplotlib.font_manager import FontProperties, fontManager

    path = find_korean()
    if path is None:
        return ()
    fontManager.addfont(path)
    return (FontProperties(fname=path).get_name(),)
