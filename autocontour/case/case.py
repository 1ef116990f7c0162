"""A case: its structures now, the way back and forth, and the journal that outlives the program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autocontour.case.lock import CaseLock
from autocontour.case.records import decode_edit, decode_state, encode_edit, encode_state, pack, unpack
from autocontour.case.state import CaseState, CaseStructure, Edit, edit_between
from autocontour.errors import CaseError
from autocontour.files import write_atomically
from autocontour.journal import Journal, frame, read_records
from autocontour.structures import Structure, StructureSet

SNAPSHOTS_KEPT = 2
EDITS_PER_SNAPSHOT = 100


@dataclass(frozen=True)
class CaseKey:
    """The CT a case belongs to; no patient identity.

    Attributes
    ----------
    slices_checksum
        SHA-256 of which slices there are and where: contours are kept by slice index, so the same series with a slice
        more or less is another CT.
    """

    series_instance_uid: str
    frame_of_reference_uid: str
    slices_checksum: str = ""


@dataclass(frozen=True)
class Step:
    """A moment of the history: what was done and the state after it."""

    label: str
    state: CaseState


class Case:
    """The structures of one CT under review.

    Every change goes through `apply`, `undo` or `redo`, and is on the disk when these return.

    Parameters
    ----------
    folder
        Where the case is kept; made if missing.
    key
        The CT it belongs to.

    Raises
    ------
    CaseError
        If the case is open elsewhere or belongs to another CT.
    """

    def __init__(self, folder: Path, key: CaseKey) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.key = key
        self._lock = CaseLock(folder)
        try:
            _check_key(folder / "case.json", key)
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> None:
        path = self.folder / "journal.bin"
        sequence, state, seconds, offset = _read_snapshot(self.folder)
        self._journal = Journal(path, offset)
        self.seconds: dict[int, float] = seconds
        self._steps = [Step("", state)]
        self._index = 0
        self.sequence = sequence
        self.replayed = 0
        for record in read_records(path, offset):
            self._replay(record.sequence, unpack(record.payload))
        self.snapshot()

    @property
    def state(self) -> CaseState:
        """The structures as they stand."""
        return self._steps[self._index].state

    @property
    def bytes_lost(self) -> int:
        """Bytes of an unfinished record that were dropped when the case was opened."""
        return self._journal.bytes_lost

    @property
    def undo_label(self) -> str:
        """What `undo` would take back; empty if nothing."""
        return self._steps[self._index].label if self._index else ""

    @property
    def redo_label(self) -> str:
        """What `redo` would do again; empty if nothing."""
        return self._steps[self._index + 1].label if self._index + 1 < len(self._steps) else ""

    def apply(self, edit: Edit, seconds: float = 0.0) -> CaseState:
        """Carry out `edit` as one step of undo.

        Parameters
        ----------
        edit
            What changes.
        seconds
            How long the user worked on it, added to the time of every structure it touches.

        Raises
        ------
        CaseError
            If it may not change what it would; nothing is changed then.
        """
        state = self.state.after(edit)
        self._write("edit", edit, seconds)
        self._push(Step(edit.label, state))
        self._count(edit, seconds)
        if self.sequence % EDITS_PER_SNAPSHOT == 0:
            self.snapshot()
        return state

    def undo(self) -> CaseState:
        """Take the last step back; nothing happens at the start."""
        return self._move(-1, "undo") if self.undo_label else self.state

    def redo(self) -> CaseState:
        """Do the next step again; nothing happens at the end."""
        return self._move(1, "redo") if self.redo_label else self.state

    def importing(self, structure_set: StructureSet) -> Edit:
        """Return the edit that adds every structure of `structure_set`.

        Raises
        ------
        CaseError
            If the set belongs to another frame of reference (``AC-CASE-003``).
        """
        frame_uid = structure_set.frame_of_reference_uid
        if frame_uid and self.key.frame_of_reference_uid and frame_uid != self.key.frame_of_reference_uid:
            raise CaseError(
                "AC-CASE-003",
                "This structure set belongs to another scan.",
                "Open it with the CT it was drawn on.",
            )
        return Edit(f"Open {structure_set.label}", added=self.adopted(structure_set.structures))

    def adopted(self, structures: tuple[Structure, ...]) -> tuple[CaseStructure, ...]:
        """Return `structures` with numbers and names that are free in this case."""
        names = {structure.name.casefold() for structure in self.state.structures}
        taken = set(self.state.numbers)
        adopted = []
        for structure in structures:
            number = structure.number if structure.number not in taken else max(taken) + 1
            name = _free_name(structure.name, names)
            taken.add(number)
            names.add(name.casefold())
            adopted.append(CaseStructure(replace(structure, number=number, name=name), structure.contours))
        return tuple(adopted)

    def to_structure_set(self, label: str, numbers: frozenset[int] | None = None) -> StructureSet:
        """Return the structures, or those of `numbers`, as a set of their own."""
        chosen = tuple(s for s in self.state.structures if numbers is None or s.number in numbers)
        return StructureSet(label, chosen, self.key.series_instance_uid, self.key.frame_of_reference_uid)

    def snapshot(self) -> None:
        """Write the whole state; the last two snapshots are kept."""
        record = {
            "state": encode_state(self.state),
            "seconds": {str(number): value for number, value in self.seconds.items()},
            "offset": self._journal.end,
        }
        path = self.folder / f"snapshot-{self.sequence:08d}.bin"
        write_atomically(path, frame(self.sequence, pack(record)))
        for old in sorted(self.folder.glob("snapshot-*.bin"))[:-SNAPSHOTS_KEPT]:
            old.unlink()

    def close(self) -> None:
        """Write a snapshot and let go of the case."""
        self.snapshot()
        self._journal.close()
        self._lock.release()

    def _move(self, step: int, kind: str) -> CaseState:
        before, after = self.state, self._steps[self._index + step].state
        label = self._steps[self._index + (step > 0)].label
        self._write(kind, edit_between(label, before, after), 0.0)
        self._index += step
        return after

    def _push(self, step: Step) -> None:
        del self._steps[self._index + 1 :]
        self._steps.append(step)
        self._index += 1

    def _count(self, edit: Edit, seconds: float) -> None:
        for number in edit.numbers if seconds else ():
            self.seconds[number] = self.seconds.get(number, 0.0) + seconds

    def _write(self, kind: str, edit: Edit, seconds: float) -> None:
        record = {"kind": kind, "seconds": seconds, "edit": encode_edit(edit)}
        self._journal.append(self.sequence + 1, pack(record))
        self.sequence += 1

    def _replay(self, sequence: int, record: Mapping[str, Any]) -> None:
        edit = decode_edit(record["edit"])
        kind = record["kind"]
        if kind == "undo" and self._index:
            self._index -= 1
        elif kind == "undo":
            self._steps = [Step("", self.state.patched(edit)), Step(edit.label, self.state), *self._steps[1:]]
        elif kind == "redo" and self.redo_label:
            self._index += 1
        else:
            self._push(Step(edit.label, self.state.patched(edit)))
        self._count(edit, record["seconds"])
        self.sequence = sequence
        self.replayed += 1


def _free_name(name: str, taken: set[str]) -> str:
    candidate, count = name, 2
    while candidate.casefold() in taken:
        candidate, count = f"{name}_{count}", count + 1
    return candidate


def _check_key(path: Path, key: CaseKey) -> None:
    if not path.exists():
        write_atomically(path, json.dumps(asdict(key)).encode())
    elif json.loads(path.read_bytes()) != asdict(key):
        raise CaseError("AC-CASE-002", "This case belongs to another CT.", "Open it with its own CT series.")


def _read_snapshot(folder: Path) -> tuple[int, CaseState, dict[int, float], int]:
    """Return sequence, state, seconds per structure and journal offset of the newest snapshot that is whole.

    Without any the case starts empty and the whole journal is replayed.
    """
    for path in sorted(folder.glob("snapshot-*.bin"), reverse=True):
        for record in read_records(path):
            content = unpack(record.payload)
            seconds = {int(number): value for number, value in content["seconds"].items()}
            return record.sequence, decode_state(content["state"]), seconds, content["offset"]
    return 0, CaseState(), {}, 0
