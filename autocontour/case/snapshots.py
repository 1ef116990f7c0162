"""Snapshots: the whole state of a case in one file, with the steps around it. The last two are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autocontour.case.history import Step, restored_steps
from autocontour.case.records import Json, decode_state, encode_state, pack, unpack
from autocontour.case.state import CaseState
from autocontour.files import write_atomically
from autocontour.journal import frame, read_records

SNAPSHOTS_KEPT = 2


@dataclass(frozen=True)
class Snapshot:
    """A case as it was read back.

    Attributes
    ----------
    sequence
        Of the last journal record it includes; 0 for a case without any snapshot.
    offset
        Where in the journal the next record begins.
    steps, index
        The history around the state, and which step the state is.
    seconds
        Structure number → seconds of work.
    newest
        Sequence of the newest snapshot file, sound or not: larger than `sequence` if that one could not be read.
    """

    sequence: int = 0
    offset: int = 0
    steps: list[Step] = field(default_factory=lambda: [Step("", CaseState())])
    index: int = 0
    seconds: Mapping[int, float] = field(default_factory=dict)
    newest: int = 0


def write_snapshot(
    folder: Path, sequence: int, offset: int, state: CaseState, seconds: Mapping[int, float], steps: Iterator[bytes]
) -> None:
    """Write a snapshot whole or not at all, and remove all but the last two."""
    record = {
        "state": encode_state(state),
        "seconds": {str(number): value for number, value in seconds.items()},
        "offset": offset,
    }
    payloads = (pack(record), *steps)
    write_atomically(_path(folder, sequence), b"".join(frame(sequence, payload) for payload in payloads))
    for old in _files(folder)[SNAPSHOTS_KEPT:]:
        old.unlink()


def read_newest(folder: Path) -> Snapshot:
    """Return the newest snapshot that is whole; without any the case starts empty and its whole journal is replayed."""
    files = _files(folder)
    newest = _sequence(files[0]) if files else 0
    for path in files:
        payloads = [record.payload for record in read_records(path)]
        if payloads:
            content = unpack(payloads[0])
            steps, index = restored_steps(decode_state(content["state"]), payloads[1:])
            seconds = {int(number): value for number, value in content["seconds"].items()}
            return Snapshot(_sequence(path), content["offset"], steps, index, seconds, newest)
    return Snapshot(newest=newest)


def peek_newest(folder: Path) -> tuple[int, int, list[Json]]:
    """Return sequence, journal offset and undecoded structures of the newest snapshot that is whole."""
    for path in _files(folder):
        for record in read_records(path):
            content = unpack(record.payload)
            return record.sequence, content["offset"], content["state"]
    return 0, 0, []


def remove_older(folder: Path) -> None:
    """Remove every snapshot but the newest."""
    for old in _files(folder)[1:]:
        old.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("snapshot-*.bin"), key=_sequence, reverse=True)


def _path(folder: Path, sequence: int) -> Path:
    return folder / f"snapshot-{sequence:08d}.bin"


def _sequence(path: Path) -> int:
    return int(path.stem.partition("-")[2])
