"""Limits of settings: conditions on values of the right type (see `autocontour.base.typed`)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from autocontour.base.findings import Finding

LONGEST_SHOWN = 60
_PLAIN_KEY = re.compile(r"[\w-]+")
_FILE_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_+.-]*(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


class Limit(Protocol):
    """A condition on values of the right type."""

    def problems(self, value: Any) -> Iterator[Finding]:  # noqa: ANN401
        """Yield the problems of `value`; paths are relative to it."""


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included."""

    low: float
    high: float

    def problems(self, value: float) -> Iterator[Finding]:
        """Yield ``AC-CFG-009`` for a value outside."""
        if not self.low <= value <= self.high:
            yield Finding.of("AC-CFG-009", low=f"{self.low:g}", high=f"{self.high:g}", value=shown(value))


@dataclass(frozen=True)
class OneOf:
    """One of several texts."""

    known: tuple[str, ...]

    def problems(self, value: str) -> Iterator[Finding]:
        """Yield ``AC-CFG-010`` for any other text."""
        if value not in self.known:
            yield Finding.of("AC-CFG-010", known=", ".join(map(shown, self.known)), value=shown(value))


@dataclass(frozen=True)
class Text:
    """A text of `least` to `most` printable characters, without backslashes unless it is a `path`."""

    most: int
    least: int = 1
    path: bool = False

    def problems(self, value: str) -> Iterator[Finding]:
        """Yield ``AC-CFG-011`` for a wrong length, ``AC-CFG-012`` for a character that is not allowed."""
        if not self.least <= len(value.strip()) or len(value) > self.most:
            yield Finding.of("AC-CFG-011", low=self.least, high=self.most, value=shown(value))
        elif not value.isprintable() or ("\\" in value and not self.path):
            yield Finding.of("AC-CFG-012", value=shown(value))


@dataclass(frozen=True)
class Pattern:
    """A text that matches a pattern, with the code of the problem if it does not."""

    form: str
    code: str

    def problems(self, value: str) -> Iterator[Finding]:
        """Yield the problem."""
        if not re.fullmatch(self.form, value):
            yield Finding.of(self.code, value=shown(value))


@dataclass(frozen=True)
class FileName:
    """A text that is a plain file name on every system: not a path, not hidden, not reserved."""

    def problems(self, value: str) -> Iterator[Finding]:
        """Yield ``AC-CFG-013``."""
        if len(value) > 64 or not _FILE_NAME.fullmatch(value) or _RESERVED.fullmatch(value):
            yield Finding.of("AC-CFG-013", value=shown(value))


@dataclass(frozen=True)
class Length:
    """A list or table of `least` to `most` entries."""

    least: int
    most: int

    def problems(self, value: Sequence[Any]) -> Iterator[Finding]:
        """Yield ``AC-CFG-014``, or ``AC-CFG-029`` where only one length is valid."""
        if self.least == self.most != len(value):
            yield Finding.of("AC-CFG-029", wanted=self.most, count=len(value))
        elif not self.least <= len(value) <= self.most:
            yield Finding.of("AC-CFG-014", low=self.least, high=self.most, count=len(value))


@dataclass(frozen=True)
class Unique:
    """A list in which no text, or no text under `key` of its tables, is repeated, ignoring case."""

    key: str = ""

    def problems(self, value: Sequence[Any]) -> Iterator[Finding]:
        """Yield ``AC-CFG-015`` at every repetition."""
        seen = set()
        for index, entry in enumerate(value):
            text = entry.get(self.key) if isinstance(entry, Mapping) else entry
            if isinstance(text, str):
                if text.casefold() in seen:
                    path = f"[{index}].{self.key}" if self.key else f"[{index}]"
                    yield Finding.of("AC-CFG-015", path, value=shown(text))
                seen.add(text.casefold())


@dataclass(frozen=True)
class Rising:
    """A list of numbers, each above the one before."""

    def problems(self, value: Sequence[Any]) -> Iterator[Finding]:
        """Yield ``AC-CFG-016``."""
        numbers = [entry for entry in value if isinstance(entry, int | float) and entry == entry]
        if any(low >= high for low, high in pairwise(numbers)):
            yield Finding.of("AC-CFG-016", value=shown(value))


@dataclass(frozen=True)
class Keys:
    """A table whose keys fulfil a limit."""

    limit: Limit

    def problems(self, value: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the problems of the limit, at the key."""
        for key in value:
            for problem in self.limit.problems(key):
                yield dataclasses.replace(problem, where=key_path(key))


def shown(value: object) -> str:
    """Return `value` for a message: short, and on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"{value:.1f}"
    try:
        text = repr(value)
    except ValueError:  # Python does not format integers of more than 4300 digits
        text = "…"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def join_path(*parts: str) -> str:
    """Return the path of a setting: ``join_path("stages", "segmenter", "[2]")`` is ``stages.segmenter[2]``."""
    path = ""
    for part in parts:
        path += f".{part}" if path and part and not part.startswith("[") else part
    return path


def key_path(key: str) -> str:
    """Return a key as a part of a path, quoted if it is not a plain word."""
    return key if _PLAIN_KEY.fullmatch(key) and key.isprintable() else shown(key)
