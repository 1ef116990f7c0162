"""What one run on the queue has claimed."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.base.files import remove_unfinished
from autocontour.base.lock import lock_handle
from autocontour.queue.database import Database, database_errors, describe, now
from autocontour.queue.record import OPEN, Content, Record, State

MOST_STARTS = 5
"""Starts of one series without an end, as when the program dies at it, after which it is not started again."""


class Claims:
    """The series that one run works on: until `close`, no other program takes up what this one has claimed."""

    def __init__(self, base: Database) -> None:
        self._base = base
        self.owner = uuid.uuid4().hex
        try:
            self._handle: int | None = os.open(self._base.lock_of(self.owner), os.O_RDWR | os.O_CREAT, 0o600)
            lock_handle(self._handle)
        except OSError as error:
            raise QueueError("AC-QU-003", reason=error.strerror or type(error).__name__) from error
        self._remove_unused()

    def close(self) -> None:
        """Release the lock."""
        if self._handle is not None:
            with suppress(OSError):
                self._base.lock_of(self.owner).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def take_up(self) -> list[int]:
        """Free the series of runs that have ended without finishing them; return their numbers."""
        with self._base.change():
            owners = {str(row["owner"]) for row in self._base.rows("owner != ''")} - {self.owner}
            dead = [owner for owner in owners if not self._base.is_alive(owner)]
            freed = []
            for row in [row for owner in dead for row in self._base.rows("owner = ?", owner)]:
                freed.append(int(row["number"]))
                self._free(row)
        for owner in dead:
            with suppress(OSError):
                self._base.lock_of(owner).unlink(missing_ok=True)
        return freed

    def _free(self, row: sqlite3.Row) -> None:
        state, number = State(row["state"]), row["number"]
        error = str(row["error"])
        if row["is_cancelling"] and state in OPEN and not self._is_delivered(row):
            state = State.CANCELLED
        elif state is State.RUNNING and row["starts"] >= MOST_STARTS:
            state, error = State.FAILED, json.dumps(describe(QueueError("AC-QU-008", count=row["starts"])))
        elif state is State.RUNNING:
            state = State.WAITING
        self._base.execute(
            "UPDATE series SET state=?, owner='', is_cancelling=0, error=? WHERE number=?", (state, error, number)
        )

    def _is_delivered(self, row: sqlite3.Row) -> bool:
        """Whether a run ended after it had copied the result to its place and before it could record that."""
        try:
            data = self._base.record(row).output.read_bytes() if row["state"] == State.CONTOURED else b""
        except OSError:
            return False
        return hashlib.sha256(data).hexdigest() == str(row["result_checksum"])

    def claim(self) -> Record | None:
        """Take the next series that may be worked on: contoured ones first, then by priority and arrival."""
        present = time.time()
        with self._base.change():
            row = self._base.execute(
                # A clock that was set back must not prolong a wait.
                "SELECT * FROM series WHERE owner='' AND state IN ('waiting', 'contoured')"
                " AND (? >= wait_from + wait_s OR ? < wait_from)"
                " ORDER BY state = 'contoured' DESC, priority DESC, number LIMIT 1",
                (present, present),
            ).fetchone()
            if row is None:
                return None
            is_new = row["state"] == State.WAITING
            self._base.execute(
                "UPDATE series SET owner=?, state=?, starts=starts+?, started=? WHERE number=?",
                (
                    self.owner,
                    State.RUNNING if is_new else State.CONTOURED,
                    int(is_new),
                    now() if is_new else row["started"],
                    row["number"],
                ),
            )
            return self._base.record(next(self._base.rows("number = ?", row["number"])))

    def keep_result(self, record: Record, staged: str, checksum: str, report: Mapping[str, Any]) -> bool:
        """Note that a claimed series is contoured, before the file is copied; False if it was taken away."""
        return self._end(
            record, State.CONTOURED, keep=True, staged=staged, result_checksum=checksum, report=json.dumps(report)
        )

    def finish(self, record: Record, result: Path) -> bool:
        """Note that the result is at its place, also if it was cancelled too late; False if it was taken away."""
        place = json.dumps(str(result))
        with self._base.change():
            self._base.execute(
                "UPDATE series SET is_cancelling=0 WHERE number=? AND owner=? AND state != 'replaced'",
                (record.number, self.owner),
            )
            return self._update(
                record,
                State.DONE,
                keep=False,
                result=place,
                finished=now(),
                staged="",
                error="{}",
                attempts=0,
                starts=0,
            )

    def fail(self, record: Record, error: AutoContourError, state: State, wait_s: float = 0.0) -> bool:
        """Note an error: the series is `state` now, and is not tried again before `wait_s` have passed."""
        is_open = state in OPEN
        return self._end(
            record,
            state,
            error=json.dumps(describe(error)),
            attempts=record.attempts + 1,
            starts=0,
            wait_from=time.time(),
            wait_s=wait_s,
            finished="" if is_open else now(),
        )

    def give_back(self, record: Record) -> bool:
        """Return a claimed series as it was, as when the time is up."""
        is_running = record.state is State.RUNNING
        return self._end(record, State.WAITING if is_running else State.CONTOURED, starts=0)

    def renew(self, record: Record, content: Content, wait_s: float) -> None:
        """Store the present files of a series whose files have changed, and let it wait.

        If another record has this content already, the series is that one, and this record is replaced.
        """
        with self._base.change():
            others = [row for row in self._base.rows("uid = ?", content.uid) if row["number"] != record.number]
            if any(row["checksum"] == content.checksum for row in others):
                self._update(record, State.REPLACED, keep=False, finished=now())
            elif self._update(record, State.WAITING, keep=False, starts=0, wait_from=time.time(), wait_s=wait_s):
                self._base.store_task(record.number, content, record.options)

    def is_cancelling(self, numbers: Collection[int]) -> list[int]:
        """Return those of `numbers` that are to be stopped."""
        with database_errors():
            return [int(row["number"]) for row in self._base.rows("is_cancelling = 1") if row["number"] in numbers]

    def release(self, record: Record) -> None:
        """Give up a series that was cancelled or replaced while it ran."""
        with self._base.change():
            self._base.execute(
                "UPDATE series SET owner='', is_cancelling=0, starts=0, staged='', state=CASE state WHEN 'replaced'"
                " THEN 'replaced' ELSE 'cancelled' END, finished=? WHERE number=? AND owner=?",
                (now(), record.number, self.owner),
            )

    def _end(self, record: Record, state: State, *, keep: bool = False, **values: object) -> bool:
        with self._base.change():
            return self._update(record, state, keep=keep, **values)

    def _update(self, record: Record, state: State, *, keep: bool, **values: object) -> bool:
        values = {"state": state, **values, **({} if keep else {"owner": ""})}
        marks = ", ".join(f"{name}=?" for name in values)
        cursor = self._base.execute(
            f"UPDATE series SET {marks} WHERE number=? AND owner=? AND is_cancelling=0"
            " AND state IN ('running', 'contoured')",
            (*values.values(), record.number, self.owner),
        )
        return cursor.rowcount == 1

    def _remove_unused(self) -> None:
        """Remove contoured files that no record names, of runs that have ended."""
        remove_unfinished(self._base.results)
        with database_errors():
            named = {row["staged"] for row in self._base.rows("staged != ''")}
        for path in self._base.results.glob("*.dcm"):
            owner = path.stem.partition("-")[2]
            if path.name not in named and not self._base.is_alive(owner):
                with suppress(OSError):
                    path.unlink()
