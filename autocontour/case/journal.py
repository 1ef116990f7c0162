"""Append-only files of records with checksums: written and synchronised records can be read after a crash.

A record is a magic word, its length, its sequence number and the CRC-32 of both number and payload, then the payload.
In a journal, reading continues at the next intact record after a damaged one; data after the last intact record were
being written when the program or the computer stopped.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from autocontour.base.errors import CaseError

HEADER = struct.Struct("<4sIQI")
MAGIC = b"ACJ1"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its sequence number, its payload and its end in the file.

    Attributes
    ----------
    lost
        Number of unreadable records before it.
    """

    sequence: int
    payload: bytes
    end: int
    lost: int = 0


class Journal:
    """The append-only journal of a case.

    When the journal is opened, an incomplete or damaged end after the last intact record is truncated and stored next
    to it as ``*.damaged``. The same is done with the whole of a journal that ends before `start`, as it has lost
    records. Damage in the middle is left in place, and the intact records after it are read.

    Parameters
    ----------
    path
        The file; created if missing.
    start
        The byte at which reading starts.
    after
        Sequence number of the record before `start`.

    Attributes
    ----------
    records
        Those after `start`, in order.
    bytes_lost
        Number of truncated bytes.
    is_renewed
        Whether the journal ended before `start` and was replaced by a new one.
    """

    def __init__(self, path: Path, start: int = 0, after: int = 0) -> None:
        self.path = path
        self.is_renewed = _size(path) < start
        self.end = 0 if self.is_renewed else start
        self.records = [] if self.is_renewed else list(read_journal(path, start, after))
        if self.records:
            self.end = self.records[-1].end
        self.bytes_lost = _cut_tail(path, self.end)
        self._file = path.open("ab", buffering=0)

    def append(self, sequence: int, payload: bytes) -> None:
        """Write one record and synchronise it to the disk.

        Raises
        ------
        CaseError
            If it cannot be written completely (``AC-CASE-005``); the journal is then unchanged.
        """
        try:
            if _size(self.path) > self.end:  # an earlier failure left a partial record that could not be removed
                self._file.truncate(self.end)
            rest = memoryview(frame(sequence, payload))
            while rest:  # on a nearly full disk a part is written without an error
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self.end)
            raise CaseError("AC-CASE-005", reason=error.strerror or type(error).__name__) from error
        self.end += HEADER.size + len(payload)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def frame(sequence: int, payload: bytes) -> bytes:
    """Return `payload` as a record."""
    return HEADER.pack(MAGIC, len(payload), sequence, _checksum(sequence, payload)) + payload


def read_records(path: Path, start: int = 0) -> Iterator[Record]:
    """Yield every whole record from byte `start` on; stop without an error at the first incomplete one."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        while len(header := file.read(HEADER.size)) == HEADER.size:
            magic, length, sequence, checksum = HEADER.unpack(header)
            if magic != MAGIC or length > os.fstat(file.fileno()).st_size:
                return
            payload = file.read(length)
            if len(payload) < length or _checksum(sequence, payload) != checksum:
                return
            yield Record(sequence, payload, file.tell())


def read_journal(path: Path, start: int = 0, after: int = 0) -> Iterator[Record]:
    """Yield the records after byte `start` that follow record `after`; damaged ones are skipped and counted."""
    last, end = after, start
    while True:
        for record in read_records(path, end):
            end = record.end
            if record.sequence > last:
                yield Record(record.sequence, record.payload, record.end, record.sequence - last - 1)
                last = record.sequence
        sound = _next_sound(path, end, last)
        if sound is None:
            return
        end = sound


def _next_sound(path: Path, start: int, last: int) -> int | None:
    """Return the position of the next intact record after damage that follows record `last`; None if there is none."""
    if _size(path) <= start:
        return None
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    at = data.find(MAGIC, 1)
    while at >= 0:
        header = data[at : at + HEADER.size]
        if len(header) == HEADER.size:
            _, length, sequence, checksum = HEADER.unpack(header)
            payload = data[at + HEADER.size : at + HEADER.size + length]
            if sequence > last and len(payload) == length and _checksum(sequence, payload) == checksum:
                return start + at
        at = data.find(MAGIC, at + 1)
    return None


def _checksum(sequence: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(sequence.to_bytes(8, "little")))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut_tail(path: Path, end: int) -> int:
    """Truncate the file at byte `end`, after storing the rest; return the number of bytes removed."""
    size = _size(path)
    if size <= end:
        return 0
    with path.open("r+b") as file:
        file.seek(end)
        _set_aside(path, file.read())
        file.truncate(end)
    return size - end


def _set_aside(path: Path, data: bytes) -> None:
    """Store `data` next to `path`, under an unused name."""
    names = (path.with_suffix(".damaged" if number == 1 else f".{number}.damaged") for number in count(1))
    free = next(name for name in names if not name.exists())
    try:
        with free.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        free.unlink(missing_ok=True)
        raise
