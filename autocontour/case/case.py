"""A case: its structures, its history of edits, and the journal that survives a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from threading import Thread

from autocontour.base.errors import CaseError, OutputError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Severity
from autocontour.case.beyond import find_beyond, refuse_beyond
from autocontour.case.damage import find_damage, without_clashes
from autocontour.case.effort import write_efforts
from autocontour.case.history import Step, kept_steps
from autocontour.case.journal import Journal, Record
from autocontour.case.left import clear_mark
from autocontour.case.lock import CaseLock
from autocontour.case.need import still_seen
from autocontour.case.records import decode_edit, pack_change, unpack
from autocontour.case.snapshots import Place, read_newest, remove_older, write_snapshot
from autocontour.case.source import KEY
from autocontour.case.state import CaseState, Edit, edit_between
from autocontour.patient.identity import CaseKey
from autocontour.patient.structures import ReviewStatus, StructureSet

EDITS_PER_SNAPSHOT = 100


class Case:
    """The structures of one CT under review.

    Every change goes through `apply`, `undo` or `redo`, and is on the disk when these return.

    Parameters
    ----------
    folder
        Folder of the case; created if missing.
    key
        The CT it belongs to.
    slice_count
        How many slices the CT has; no contour may lie beyond them. None where that is not known.

    Raises
    ------
    CaseError
        If the case is open elsewhere or belongs to another CT.

    Attributes
    ----------
    recovered
        The changes after the last snapshot, in order, if the program was killed.
    findings
        Damage found when the case was opened, and its consequences.
    seen
        Number of every viewed structure → the slices that were shown while it was selected. It is stored with each
        snapshot; a structure that is contoured automatically again counts as not viewed.
    place
        Where the user was; it is stored with each snapshot. After a kill it is where the last change was made.
    """

    def __init__(self, folder: Path, key: CaseKey, slice_count: int | None = None) -> None:
        self.folder = folder
        self.key = key
        self.slice_count = slice_count
        self._writing: Thread | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = CaseLock(folder)
        except OSError as error:
            raise _unusable(error) from error
        try:
            _check_key(folder / KEY, key)
            self._open()
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                raise _unusable(error) from error
            raise

    def _open(self) -> None:
        snapshot = read_newest(self.folder)
        self._journal = Journal(self.folder / "journal.bin", snapshot.offset, snapshot.sequence)
        self.seconds: dict[int, float] = dict(snapshot.seconds)
        self.seen: dict[int, set[int]] = dict(snapshot.seen)
        self.place = snapshot.place
        self._steps, self._index = snapshot.steps, snapshot.index
        self._before_replay, self._packed = self.state, snapshot.packed
        self.sequence = self._sequence_kept = snapshot.sequence
        self._lost = 0
        self.recovered: tuple[str, ...] = tuple(self._replay(record) for record in self._journal.records)
        damage = find_damage(self.folder, snapshot, self._journal, self.sequence, self._lost)
        self.findings = (*damage, *find_beyond(self.state, self.slice_count))
        self._journal.records.clear()
        if self._journal.is_renewed:
            self.snapshot()  # the older ones belong to the previous journal
            remove_older(self.folder, self.sequence)
        elif self.recovered or any(finding.severity > Severity.INFO for finding in self.findings):
            self._try_snapshot()

    @property
    def state(self) -> CaseState:
        """The current structures."""
        return self._steps[self._index].state

    @property
    def bytes_lost(self) -> int:
        """Bytes of an unfinished record that were dropped when the case was opened."""
        return self._journal.bytes_lost

    @property
    def undo_label(self) -> str:
        """The step that `undo` would undo; empty if none."""
        return self._label(self._index) if self._index else ""

    @property
    def redo_label(self) -> str:
        """The step that `redo` would redo; empty if none."""
        return self._label(self._index + 1) if self._index + 1 < len(self._steps) else ""

    def apply(self, edit: Edit, seconds: float = 0.0) -> CaseState:
        """Apply `edit` as one undo step.

        Parameters
        ----------
        edit
            The change.
        seconds
            The user's working time, added to that of every structure it changes.

        Raises
        ------
        CaseError
            If the change is not permitted, is beyond the slices of the CT (``AC-CASE-017``), or cannot be written to
            the disk (``AC-CASE-005``); the state is then unchanged, in memory and on the disk.
        """
        state = self.state.after(edit)
        refuse_beyond(state, edit, self.slice_count)
        self._write("edit", edit, seconds, state)
        self.seen = still_seen(self.seen, self.state, state)
        self._push(Step(edit.label, state, run=edit.run))
        self._count(edit, seconds)
        if self.sequence - self._sequence_kept >= EDITS_PER_SNAPSHOT:
            self._snapshot_beside()
        decided = (ReviewStatus.APPROVED, ReviewStatus.REJECTED)
        if any(values.get("status") in decided for values in edit.fields.values()):
            write_efforts(self.folder, state, self.seconds)
        return state

    def undo(self) -> CaseState:
        """Undo the last step, or the last edits of one run; no effect at the start."""
        run = self._steps[self._index].run
        if self._index:
            self._move(-1, "undo")
        while run and self._index and self._steps[self._index].run == run:
            self._move(-1, "undo")
        return self.state

    def take_back_recovered(self) -> CaseState:
        """Return to the state before the recovered changes, as one undo step."""
        label, before = "Take back what was recovered", self._before_replay
        self._write("edit", edit_between(label, self.state, before), 0.0, before)
        self.seen = still_seen(self.seen, self.state, before)
        self._push(Step(label, before))
        return before

    def redo(self) -> CaseState:
        """Redo the next step, or the next edits of one run; no effect at the end."""
        following = self._steps[self._index + 1 :]
        run = following[0].run if following else ""
        for step in following:
            self._move(1, "redo")
            if not run or step is following[-1] or self._steps[self._index + 1].run != run:
                break
        return self.state

    def to_structure_set(self, label: str, numbers: frozenset[int] | None = None) -> StructureSet:
        """Return the structures, or those of `numbers`, with their approvals, as a structure set."""
        items = (item for item in self.state.items if numbers is None or item.structure.number in numbers)
        chosen = tuple(item.reviewed_structure for item in items)
        return StructureSet(label, chosen, self.key.series_instance_uid, self.key.frame_of_reference_uid)

    def look(self, number: int, slice_index: int) -> None:
        """Record that a structure was viewed on a slice."""
        self.seen.setdefault(number, set()).add(slice_index)

    def snapshot(self) -> None:
        """Write the whole state and the adjacent undo steps; the last two snapshots are kept."""
        self._end_writing()
        self._prepared_snapshot()()

    def _snapshot_beside(self) -> None:
        """Write a snapshot in a separate thread; if that fails, a later one is tried."""
        if self._writing is not None and self._writing.is_alive():
            return
        write = self._prepared_snapshot()

        def try_to_write() -> None:
            with suppress(OutputError):  # its content is in the journal as well
                write()

        self._writing = Thread(target=try_to_write, name="snapshot")
        self._writing.start()

    def _end_writing(self) -> None:
        if self._writing is not None:
            self._writing.join()
        self._writing = None

    def _prepared_snapshot(self) -> Callable[[], None]:
        """Return a function that writes the current state of the case, independent of later changes."""
        state, steps, index = self.state, list(self._steps), self._index
        sequence, end, place = self.sequence, self._journal.end, self.place
        seconds, seen = dict(self.seconds), {number: set(slices) for number, slices in self.seen.items()}

        def write() -> None:
            payloads = chain(self._packed.of(state), kept_steps(steps, index))
            write_snapshot(self.folder, sequence, end, state.reviews, seconds, seen, place, payloads)
            self._sequence_kept = sequence

        return write

    def _try_snapshot(self) -> bool:
        """Try to write a snapshot: its content is in the journal as well."""
        try:
            self.snapshot()
        except OutputError:
            return False
        return True

    def __enter__(self) -> Case:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write a snapshot and release the case.

        On a full disk only the journal contains the last changes; the case is then offered for recovery.
        """
        try:
            if self._try_snapshot():
                write_efforts(self.folder, self.state, self.seconds)
                clear_mark(self.folder)
        finally:
            self._journal.close()
            self._lock.release()

    def _move(self, step: int, kind: str) -> CaseState:
        before, after = self.state, self._steps[self._index + step].state
        done = self._steps[self._index + (step > 0)]
        self._write(kind, replace(edit_between(done.label, before, after), run=done.run), 0.0, after)
        self.seen = still_seen(self.seen, before, after)
        self._index += step
        return after

    def _label(self, index: int) -> str:
        """Return the name of a step: the run's name if adjacent steps belong to the same run."""
        run = self._steps[index].run
        beside = [step.run for step in (*self._steps[index - 1 : index], *self._steps[index + 1 : index + 2])]
        return run.partition("#")[0] if run and run in beside else self._steps[index].label

    def _push(self, step: Step) -> None:
        del self._steps[self._index + 1 :]
        self._steps.append(step)
        self._index += 1

    def _count(self, edit: Edit, seconds: float) -> None:
        for number in edit.numbers if seconds else ():
            self.seconds[number] = self.seconds.get(number, 0.0) + seconds

    def _write(self, kind: str, edit: Edit, seconds: float, state: CaseState) -> None:
        """Write a change to the journal; `state` is that after it."""
        self._journal.append(self.sequence + 1, pack_change(kind, seconds, edit, state.reviews))
        self.sequence += 1

    def _replay(self, record: Record) -> str:
        """Apply a journal record again; return a description of it."""
        content = unpack(record.payload)
        edit, kind = decode_edit(content["edit"]), content["kind"]
        before = self.state
        self._lost += record.lost
        if self._lost:  # the steps are no longer consecutive: each is replayed as the change it made
            twice = {item.structure.number for item in edit.added} & set(before.numbers)
            changed = before.patched(replace(edit, removed=(*edit.removed, *twice)))
            self._push(Step(edit.label, without_clashes(changed)))
        elif kind == "undo" and self._index:
            self._index -= 1
        elif kind == "undo":
            first = Step(edit.label, before, run=edit.run)
            self._steps = [Step("", before.patched(edit)), first, *self._steps[1:]]
        elif kind == "redo" and self.redo_label:
            self._index += 1
        else:
            self._push(Step(edit.label, before.patched(edit), run=edit.run))
        self.seen = still_seen(self.seen, before, self.state)
        self._count(edit, content["seconds"])
        self.sequence = record.sequence
        self.place = _place_of(edit, self.place)
        return {"undo": "Undo ", "redo": "Redo "}.get(kind, "") + _described(edit, before)


def _place_of(edit: Edit, before: Place | None) -> Place | None:
    """Return where a change was made; where the user was before if it draws nothing."""
    drawn = [(number, z) for number, changes in edit.contours.items() for z in changes]
    return Place(*drawn[-1]) if drawn else before


def _described(edit: Edit, before: CaseState) -> str:
    """Return the edit's label with the name of the one structure it changes."""
    changed = {*edit.contours, *(number for number, values in edit.fields.items() if values)}
    names = [before[number].structure.name for number in changed if number in before]
    is_told = len(names) != 1 or names[0] in edit.label
    return edit.label if is_told else f"{edit.label} {names[0]}"


def _check_key(path: Path, key: CaseKey) -> None:
    try:
        known = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # a new case, or a truncated file: the folder's name is the key as well
        write_atomically(path, json.dumps(asdict(key)).encode())
        return
    if known != asdict(key):
        raise CaseError("AC-CASE-002")


def _unusable(error: OSError) -> CaseError:
    return CaseError("AC-CASE-004", reason=error.strerror or type(error).__name__)
