"""Append-only files of checked records: what was written and synced is read back, whatever happened since.

A record is a magic word, its length, its sequence number and the CRC-32 of both number and payload, then the payload.
Reading stops at the first record that is not whole, which is where the power went.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from autocontour.base.errors import CaseError

HEADER = struct.Struct("<4sIQI")
MAGIC = b"ACJ1"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its sequence number, its payload and where it ends in the file."""

    sequence: int
    payload: bytes
    end: int


class Journal:
    """The append-only journal of a case.

    A torn or damaged tail behind byte `start` is cut off when the journal is opened; what was cut is kept beside it
    as ``*.damaged``. So is the whole of a journal that ends before `start`: it has lost what was written to it.

    Parameters
    ----------
    path
        The file; made if missing.
    start
        The byte to read on from.
    after
        Sequence number of the record before `start`; each record must follow the one before it.

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
        self.records = [] if self.is_renewed else _in_sequence(read_records(path, start), after)
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
            self._file.write(frame(sequence, payload))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self.end)
            raise CaseError(
                "AC-CASE-005",
                f"The change could not be saved: {error.strerror}.",
                "Make room on the disk that holds your cases, then do it again.",
            ) from error
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


def _checksum(sequence: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(sequence.to_bytes(8, "little")))


def _in_sequence(records: Iterator[Record], after: int) -> list[Record]:
    """Return the records up to the first that does not follow the one before it."""
    return [record for _, record in takewhile(lambda pair: pair[0] == pair[1].sequence, enumerate(records, after + 1))]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cut_tail(path: Path, end: int) -> int:
    size = _size(path)
    if size <= end:
        return 0
    with path.open("r+b") as file:
        file.seek(end)
        path.with_suffix(".damaged").write_bytes(file.read())
        file.truncate(end)
    return size - end
