"""The queue on disk: what is in it, adding to it, and what a user changes.

Every change of state is one transaction that names the state and the owner it expects, so that two programs never work
on one series and a run that lost a series cannot change it. A run holds a lock on a file in ``runs``; the series of a
run whose lock is free are taken up again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from autocontour.base.errors import QueueError
from autocontour.base.folders import data_folder
from autocontour.queue.claims import Claims
from autocontour.queue.database import Database, checksum_of, database_errors, describe, now, task_text
from autocontour.queue.record import OPEN, Content, FileStamp, Options, Record, State

Outcome = Literal["added", "known", "options", "moved", "replaces", "fewer", "conflict"]


class Added(NamedTuple):
    """What became of a series that was added: the record's number, and how it compares with the known ones.

    ``options``: known, with other options, which stay; ``moved``: known, and its files are now elsewhere;
    ``replaces``: it has more slices than the known one; ``fewer``: it has fewer and was not added; ``conflict``: it has
    other slices or contents and is refused.
    """

    number: int
    outcome: Outcome


def queue_folder() -> Path:
    """Return the folder of the user's own queue."""
    return data_folder() / "queue"


class Store:
    """The queue in a folder.

    Parameters
    ----------
    folder
        Made if it does not exist; on a disk of this computer.

    Raises
    ------
    QueueError
        ``AC-QU-002`` if the database is damaged, ``AC-QU-003`` if it cannot be used, ``AC-QU-004`` if a newer version
        of the program made it.
    """

    def __init__(self, folder: Path) -> None:
        self._base = Database(folder)
        self.folder, self.results = folder, self._base.results
        self._claims: list[Claims] = []

    def start_run(self) -> Claims:
        """Return a new owner of series."""
        claims = Claims(self._base)
        self._claims.append(claims)
        return claims

    def close(self) -> None:
        """Close the database, and release the locks of runs."""
        self._base.close()
        for claims in self._claims:
            claims.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, content: Content, options: Options, *, again: bool = False, refusal: str = "") -> Added:
        """Add a series, unless the queue has it.

        Parameters
        ----------
        content, options
            The series and how it is contoured.
        again
            Contour it also if it was contoured, cancelled or refused before, or if its content has changed.
        refusal
            Code of an error for which the series is refused at once.
        """
        with self._base.change():
            known = [self._base.record(row) for row in self._base.rows("uid = ?", content.uid)]
            for record in known:
                if record.content.checksum == content.checksum:
                    return self._add_known(record, content, options, again=again)
            current = [record for record in known if record.state is not State.REPLACED]
            for record in current:
                if record.content.has_more_than(content) and not again:
                    return Added(record.number, "fewer")
            has_conflict = not again and not all(_is_obsolete(record, content) for record in current)
            replaced = [] if has_conflict else current
            for record in replaced:
                self._base.execute(
                    "UPDATE series SET state=?, is_cancelling=1, finished=? WHERE number=?",
                    (State.REPLACED, now(), record.number),
                )
            code = refusal or ("AC-QU-006" if has_conflict else "")
            number = self._insert(content, options, code, replaced[-1].number if replaced else 0)
            return Added(number, "conflict" if code else "replaces" if replaced else "added")

    def _add_known(self, record: Record, content: Content, options: Options, *, again: bool) -> Added:
        if again and record.state not in OPEN:
            self._base.store_task(record.number, content, options)
            self._reset(record.number)
            return Added(record.number, "added")
        if record.content.is_present or content.files == record.content.files:
            return Added(record.number, "known" if options == record.options else "options")
        self._base.store_task(record.number, content, record.options)
        return Added(record.number, "moved")

    def _insert(self, content: Content, options: Options, code: str, replaces: int) -> int:
        task = task_text(content, options)
        state = State.REFUSED if code else State.WAITING
        error = json.dumps(describe(QueueError(code))) if code else "{}"
        columns = "uid, checksum, task, task_checksum, state, priority, error, replaces, added"
        checksums = content.checksum, task, checksum_of(task)
        values = (content.uid, *checksums, state, options.priority, error, replaces, now())
        marks = ", ".join("?" * len(values))
        cursor = self._base.execute(f"INSERT INTO series ({columns}) VALUES ({marks})", values)
        return int(cursor.lastrowid or 0)

    def records(self, states: Collection[State] = ()) -> list[Record]:
        """Return the records, in the order they came; of some states only."""
        with database_errors():
            if not states:
                return [self._base.record(row) for row in self._base.rows("1")]
            marks = ", ".join("?" * len(states))
            return [self._base.record(row) for row in self._base.rows(f"state IN ({marks})", *states)]

    def recent(self, count: int) -> list[Record]:
        """Return the series that ended last, the last first."""
        sql = "SELECT * FROM series WHERE finished != '' ORDER BY finished DESC, number DESC LIMIT ?"
        with database_errors(), closing(self._base.execute(sql, (count,))) as cursor:
            return [self._base.record(row) for row in cursor.fetchall()]

    def find(self, number: int) -> Record:
        """Return one record.

        Raises
        ------
        QueueError
            ``AC-QU-001`` if there is none.
        """
        with database_errors():
            return self._base.find(number)

    def counts(self) -> dict[str, int]:
        """Return how many series are in each state."""
        with database_errors():
            rows = self._base.execute("SELECT state, COUNT(*) FROM series GROUP BY state").fetchall()
        found = {str(state): int(count) for state, count in rows}
        return {state.value: found.get(state.value, 0) for state in State}

    def knows(self, uid: str, files: Collection[FileStamp]) -> bool:
        """Whether a record has exactly these files, so that they need not be read again."""
        with database_errors():
            known = [self._base.record(row).content.files for row in self._base.rows("uid = ?", uid)]
            return any(set(one) == set(files) for one in known)

    def wrote(self, uid: str, checksum: str) -> bool:
        """Whether the queue wrote a file of this checksum for a series."""
        with database_errors():
            return any(row["result_checksum"] == checksum for row in self._base.rows("uid = ?", uid))

    # Changes by the user

    def cancel(self, number: int) -> State:
        """Cancel a series: at once if it waits, at the next opportunity if it runs; return its new state."""
        with self._base.change():
            record = self._base.find(number)
            if record.state not in OPEN:
                return record.state
            if record.owner:
                self._base.execute("UPDATE series SET is_cancelling=1 WHERE number=?", (number,))
                return record.state
            self._base.execute(
                "UPDATE series SET state='cancelled', staged='', finished=? WHERE number=?", (now(), number)
            )
            return State.CANCELLED

    def retry(self, number: int) -> State:
        """Let a series that failed, was refused or cancelled be tried again; return its new state.

        Raises
        ------
        QueueError
            ``AC-QU-005`` if it is replaced or done; contour it with ``queue add --again``.
        """
        with self._base.change():
            record = self._base.find(number)
            if record.state in (State.DONE, State.REPLACED):
                raise QueueError("AC-QU-005", number=number, state=record.state)
            if not record.owner:
                self._reset(number)
            return self._base.find(number).state

    def _reset(self, number: int) -> None:
        row = next(self._base.rows("number = ?", number))
        has_result = bool(row["staged"]) and (self.results / row["staged"]).is_file() and row["state"] != State.DONE
        self._base.execute(
            "UPDATE series SET state=?, attempts=0, starts=0, wait_s=0, wait_from=0, error='{}', finished='',"
            " staged=?, is_cancelling=0 WHERE number=?",
            (State.CONTOURED if has_result else State.WAITING, row["staged"] if has_result else "", number),
        )

    def forget_reports(self, days: float) -> None:
        """Remove the reports of series that ended more than `days` ago; the records stay, so that none is repeated."""
        limit = datetime.fromtimestamp(time.time() - days * 86_400, UTC).isoformat(timespec="seconds")
        with self._base.change():
            self._base.execute("UPDATE series SET report='{}' WHERE finished != '' AND finished < ?", (limit,))


def _is_obsolete(record: Record, content: Content) -> bool:
    """Whether `content` takes the place of a record: it has more slices, or the record's files exist no longer."""
    return content.has_more_than(record.content) or (record.state is not State.DONE and not record.content.is_present)
