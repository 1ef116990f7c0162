"""The answers of one reviewer: a file that only grows, each line with the hash of the line before it.

A line is one JSON object in a fixed form (sorted keys, no blanks). ``hash`` is the SHA-256 of the line without it,
``previous`` that of the line before; the first line continues from a hash of the review and the reviewer. Beside the
private files a head keeps the number of lines and the last hash, so that missing last lines are found too. The hashes
find mistakes and careless changes; who can write both files could make others, so the last hash is also shown at the
end of a review.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.base.errors import UsageError
from autocontour.base.files import cannot_write, read_file, write_atomically
from autocontour.base.findings import Finding
from autocontour.base.lock import lock_handle

Entry = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """What was read of a file.

    Attributes
    ----------
    entries
        The complete lines, up to the first one that is not sound.
    problems
        What is wrong with the file; empty for a sound one.
    unfinished
        An incomplete last line, as a program that was killed leaves it.
    size
        Of the complete lines, in bytes.
    last_hash
        Of the last sound line.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Finding, ...]
    unfinished: bytes
    size: int
    last_hash: str


@dataclass(frozen=True)
class AnswerPlace:
    """Where the answers of a reviewer lie.

    Attributes
    ----------
    file, head
        The answers, and the number and hash of the last line.
    seed_hash
        What the first line continues from.
    """

    file: Path
    head: Path
    seed_hash: str = field(repr=False)

    def read(self) -> Answers:
        """Read and check the file; a missing one has no lines.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        content = read_file(self.file) if self.file.exists() else b""
        whole, _, unfinished = content.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        entries, problems, last = _check_lines(lines, self.seed_hash)
        problems += _check_head(self.head, entries, len(lines))
        size = len(content) - len(unfinished)
        return Answers(tuple(entries), tuple(problems), unfinished, size, last)


def hash_of(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an entry without its own hash."""
    return hashlib.sha256(encode({key: value for key, value in entry.items() if key != "hash"})).hexdigest()


def encode(entry: Mapping[str, Any]) -> bytes:
    """Return an entry in its fixed form."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _check_lines(lines: list[bytes], seed_hash: str) -> tuple[list[Entry], list[Finding], str]:
    """Return the sound lines, every problem, and the last sound hash."""
    entries: list[Entry] = []
    problems: list[Finding] = []
    last = known = seed_hash
    for number, line in enumerate(lines, 1):
        entry = _decode(line)
        if entry is None:
            problems.append(Finding.of("AC-QA-220", line=number))
            known = ""  # the next line can only be compared with itself
            continue
        if known and (entry.get("previous") != known or entry.get("line") != number):
            problems.append(Finding.of("AC-QA-221", line=number))
        known = str(entry["hash"])
        if not problems:
            entries.append(entry)
            last = known
    return entries, problems, last


def _decode(line: bytes) -> Entry | None:
    """Return the entry of a line; None if it is not exactly as it was written."""
    try:
        entry = json.loads(line)
        is_sound = isinstance(entry, dict) and entry.get("hash") == hash_of(entry) and encode(entry) == line
    except (ValueError, RecursionError):
        return None
    return entry if is_sound else None


def _check_head(head: Path, entries: list[Entry], lines: int) -> list[Finding]:
    """Compare with the head, which may be one line behind if the program was killed."""
    try:
        known = json.loads(head.read_bytes())
        count, last = int(known["lines"]), str(known["hash"])
    except FileNotFoundError:
        return [Finding.of("AC-QA-223")] if lines > 1 else []
    except (OSError, ValueError, TypeError, KeyError):
        return [Finding.of("AC-QA-223")]
    if lines < count:
        return [Finding.of("AC-QA-222", found=lines, written=count)]
    if count and len(entries) >= count and entries[count - 1]["hash"] != last:
        return [Finding.of("AC-QA-221", line=count)]
    return []


class AnswerWriter:
    """The only program that adds to a reviewer's answers.

    Parameters
    ----------
    place
        Of the file.

    Raises
    ------
    UsageError
        ``AC-QA-230`` if another program writes to it, ``AC-QA-231`` if it is not sound.
    OutputError
        If it cannot be written.
    """

    def __init__(self, place: AnswerPlace) -> None:
        self._place = place
        try:
            place.file.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(place.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise cannot_write(place.file, error) from error
        try:
            lock_handle(self._lock)
        except OSError as error:
            os.close(self._lock)
            raise UsageError("AC-QA-230", reviewer=place.file.stem) from error
        try:
            self._open()
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, OSError):
                raise cannot_write(place.file, error) from error
            raise

    def _open(self) -> None:
        place = self._place
        found = place.read()
        if found.problems:
            raise UsageError("AC-QA-231", found.problems, reviewer=place.file.stem)
        self.entries = list(found.entries)
        self._hash, self._size = found.last_hash, found.size
        self._handle = os.open(place.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if found.unfinished:
                os.ftruncate(self._handle, self._size)
                # What was lost is kept: it is part of the record, not of the answers.
                text = found.unfinished.decode("utf-8", "backslashreplace")
                self.append({"type": "unfinished", "bytes": len(found.unfinished), "text": text})
            elif self.entries:
                self._write_head()
        except BaseException:
            os.close(self._handle)
            raise

    @property
    def last_hash(self) -> str:
        """The hash of the last line."""
        return self._hash

    def append(self, values: Mapping[str, Any]) -> Entry:
        """Add a line; it is on the disk when this returns.

        Raises
        ------
        UsageError
            ``AC-QA-232`` if the file was changed since the last line.
        OutputError
            If it cannot be written; nothing was added then.
        """
        entry: Entry = {**values, "line": len(self.entries) + 1, "previous": self._hash}
        entry["hash"] = hash_of(entry)
        line = encode(entry) + b"\n"
        try:
            self._check_unchanged()
            self._write(line)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, self._size)  # a part of the line; the next start would remove it too
            raise cannot_write(self._place.file, error) from error
        self._size += len(line)
        self._hash = str(entry["hash"])
        self.entries.append(entry)
        self._write_head()
        return entry

    def close(self) -> None:
        """Release the file."""
        os.close(self._handle)
        os.close(self._lock)

    def _check_unchanged(self) -> None:
        here = os.fstat(self._handle)
        is_same = self._place.file.exists() and os.path.samestat(self._place.file.stat(), here)
        if here.st_size != self._size or not is_same:
            raise UsageError("AC-QA-232", reviewer=self._place.file.stem)

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self._handle, left) :]
        os.fsync(self._handle)

    def _write_head(self) -> None:
        head = {"lines": len(self.entries), "hash": self._hash}
        write_atomically(self._place.head, json.dumps(head).encode())


def final_answers(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return task → its last answer: an answer that was given again replaces the one before."""
    return {str(entry["task"]): entry for entry in entries if entry["type"] == "answer"}
