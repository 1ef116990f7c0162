"""Snapshots: the whole state of a case in one file, with the adjacent undo steps. The last two are kept.

The first record describes the following ones: the structures, a record each, then the steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from autocontour.base.files import write_atomically
from autocontour.case.history import Step, restored_steps
from autocontour.case.journal import frame, read_records
from autocontour.case.records import decode_item, encode_item, pack, unpack
from autocontour.case.state import CaseState, CaseStructure

SNAPSHOTS_KEPT = 2
Reviews = dict[int, tuple[str, bool]]
"""As `CaseState.reviews`."""
_NAME = re.compile(r"snapshot-\d{8,19}\.bin")


class PackedStructures:
    """Structures as payloads; unchanged structures are packed once."""

    def __init__(self, known: Mapping[bytes, CaseStructure] | None = None) -> None:
        # By identity: states share unchanged structures, and the references held here keep their identity.
        self._known = {id(item): (item, payload) for payload, item in (known or {}).items()}

    def of(self, state: CaseState) -> list[bytes]:
        """Return the structures of `state`, packed."""
        self._known = {id(item): self._known.get(id(item)) or (item, pack(encode_item(item))) for item in state.items}
        return [payload for _, payload in self._known.values()]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the user was in a case: the selected structure, and the axial slice shown."""

    number: int | None
    slice_index: int


@dataclass(frozen=True)
class Snapshot:
    """The content of a snapshot.

    Attributes
    ----------
    sequence
        Of the last journal record it includes; 0 for a case without any snapshot.
    offset
        Position of the next record in the journal.
    steps, index
        The history around the state, and the index of its step.
    seconds
        Structure number → seconds of work.
    seen
        Structure number → viewed slices.
    place
        Where the user was; None if unknown.
    packed
        The structures of the state as read.
    unreadable
        Sequences in the names of newer snapshot files that could not be read.
    """

    sequence: int = 0
    offset: int = 0
    steps: list[Step] = field(default_factory=lambda: [Step("", CaseState())])
    index: int = 0
    seconds: Mapping[int, float] = field(default_factory=dict)
    seen: Mapping[int, set[int]] = field(default_factory=dict)
    place: Place | None = None
    packed: PackedStructures = field(default_factory=PackedStructures)
    unreadable: tuple[int, ...] = ()


def write_snapshot(
    folder: Path,
    sequence: int,
    offset: int,
    reviews: Reviews,
    seconds: Mapping[int, float],
    seen: Mapping[int, set[int]],
    place: Place | None,
    payloads: Iterator[bytes],
) -> None:
    """Write a snapshot atomically, and remove all but the last two.

    Parameters
    ----------
    folder
        The case's.
    sequence, offset, seconds, seen, place
        As in `Snapshot`.
    reviews
        Of the structures, in their order.
    payloads
        The structures, packed, then the steps around the state.
    """
    record = {
        "structures": list(reviews),
        "reviews": reviews,
        "place": place and {"structure": place.number, "slice": place.slice_index},
        "seconds": {str(number): value for number, value in seconds.items()},
        "seen": {str(number): sorted(slices) for number, slices in seen.items()},
        "offset": offset,
    }
    content = b"".join(frame(sequence, payload) for payload in (pack(record), *payloads))
    write_atomically(_path(folder, sequence), content)
    for old in [path for path in _files(folder) if _sequence(path) <= sequence][SNAPSHOTS_KEPT:]:
        old.unlink()


def read_newest(folder: Path) -> Snapshot:
    """Return the newest complete snapshot; without one the case starts empty and its whole journal is replayed."""
    unreadable: list[int] = []
    for path in _files(folder):
        if snapshot := _read(path, tuple(unreadable)):
            return snapshot
        unreadable.append(_sequence(path))
    return Snapshot(unreadable=tuple(unreadable))


def peek_newest(folder: Path) -> tuple[int, int, list[int]]:
    """Return sequence, journal offset and structure numbers of the newest snapshot that can be read."""
    for path in _files(folder):
        for record in islice(read_records(path), 1):
            if record.sequence != _sequence(path):
                break
            content = unpack(record.payload)
            return record.sequence, content["offset"], content["structures"]
    return 0, 0, []


@dataclass(frozen=True)
class Peek:
    """What is known of a case without reading its contours.

    Attributes
    ----------
    sequence, offset
        As in `Snapshot`.
    reviews
        As `CaseState.reviews`.
    unreadable
        Sequences in the names of newer snapshot files that could not be read.
    """

    sequence: int = 0
    offset: int = 0
    reviews: Reviews = field(default_factory=dict)
    unreadable: tuple[int, ...] = ()


def peek_reviews(folder: Path) -> Peek:
    """Return what the newest snapshot that can be read holds of the reviews; contours are checked, not decoded."""
    unreadable: list[int] = []
    for path in _files(folder):
        records = (record.payload for record in read_records(path) if record.sequence == _sequence(path))
        content = unpack(first) if (first := next(records, None)) else {}
        payloads = list(islice(records, len(content.get("structures", ()))))
        if "structures" in content and len(payloads) == len(content["structures"]):
            reviews = content.get("reviews") or _reviews_of(payloads)
            return Peek(_sequence(path), content["offset"], decode_reviews(reviews), tuple(unreadable))
        unreadable.append(_sequence(path))
    return Peek(unreadable=tuple(unreadable))


def decode_reviews(record: Mapping[str, list[Any]]) -> Reviews:
    """Return the reviews from their JSON values."""
    return {int(number): (str(status), bool(is_rejected)) for number, (status, is_rejected) in record.items()}


def _reviews_of(payloads: list[bytes]) -> dict[str, list[Any]]:
    """Return the reviews of structures, in a snapshot of a version that did not list them."""
    items = [unpack(payload) for payload in payloads]
    return {str(item["number"]): [item["status"], bool(item["review"].get("rejected_at"))] for item in items}


def remove_older(folder: Path, sequence: int) -> None:
    """Remove every snapshot older than that of `sequence`."""
    for old in _files(folder):
        if _sequence(old) < sequence:
            old.unlink()


def is_snapshot(name: str) -> bool:
    """Whether a file's name is that of a snapshot."""
    return _NAME.fullmatch(name) is not None


def _read(path: Path, unreadable: tuple[int, ...]) -> Snapshot | None:
    payloads = [record.payload for record in read_records(path) if record.sequence == _sequence(path)]
    content = unpack(payloads[0]) if payloads else {}
    end = 1 + len(content.get("structures", ()))
    if "structures" not in content or len(payloads) < end:
        return None
    known = {payload: decode_item(unpack(payload)) for payload in payloads[1:end]}
    steps, index = restored_steps(CaseState(tuple(known.values())), payloads[end:])
    seconds = {int(number): value for number, value in content["seconds"].items()}
    seen = {int(number): set(slices) for number, slices in content.get("seen", {}).items()}
    place = Place(content["place"]["structure"], content["place"]["slice"]) if content.get("place") else None
    packed = PackedStructures(known)
    return Snapshot(_sequence(path), content["offset"], steps, index, seconds, seen, place, packed, unreadable)


def _files(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if is_snapshot(path.name)), key=_sequence, reverse=True)


def _path(folder: Path, sequence: int) -> Path:
    return folder / f"snapshot-{sequence:08d}.bin"


def _sequence(path: Path) -> int:
    return int(path.stem.partition("-")[2])
