"""Append-only files of records with checksums: what was written and synced can be read after a crash.

A record is a magic word, its length, its sequence number and the CRC-32 of both number and payload, then the payload.
In a journal, reading goes on at the next sound record behind a damaged one; what follows the last sound record was
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
    """One record: its sequence number, its payload and where it ends in the file.

    Attributes
    ----------
    lost
        How many records before it could not be read.
    """

    sequence: int
    payload: bytes
    end: int
    lost: int = 0


class Journal:
    """The append-only journal of a case.

    A torn or damaged tail behind the last sound record is cut off when the journal is opened; what was cut is kept
    beside it as ``*.damaged``. So is the whole of a journal that ends before `start`: it has lost what was written to
    it. Damage in the middle stays where it is, and the sound records behind it are read.

    Parameters
    ----------
    path
        The file; made if missing.
    start
        The byte to read on from.
    after
        Sequence number of the record before `start`.

    Attributes
    ----------
    records
        Those behind `start`, in order.
    bytes_lost
        How many bytes were cut off.
    is_renewed
        Whether the journal ended before `start` and was begun anew.
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
        """Write one record through to the disk.

        Raises
        ------
        CaseError
            If the disk does not take it whole (``AC-CASE-005``); the journal is as before then.
        """
        try:
            if _size(self.path) > self.end:  # an earlier failure left a partial record that could not be removed
                self._file.truncate(self.end)
            rest = memoryview(frame(sequence, payload))
            while rest:  # a disk that is nearly full takes a part without an error
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
    """Yield every whole record from byte `start` on; stop without an error at the first that is not."""
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
    """Yield the records behind byte `start` that follow record `after`; damaged ones are passed over and counted."""
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
    """Return where the next sound record behind damage begins that follows record `last`; None if there is none."""
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
    """Cut off what lies behind byte `end`, once it is set aside; return how many bytes."""
    size = _size(path)
    if size <= end:
        return 0
    with path.open("r+b") as file:
        file.seek(end)
        _set_aside(path, file.read())
        file.truncate(end)
    return size - end


def _set_aside(path: Path, data: bytes) -> None:
    """Keep `data` beside `path`, under a name that nothing was kept under before."""
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
