"""The queue on disk: an SQLite database, one row per series.

Every change of state is one transaction that names the state and the owner it expects, so that two programs never work
on one series and a run that lost a series cannot change it. A run holds a lock on a file in ``runs``; the series of a
run whose lock is free are taken up again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.base.files import remove_unfinished
from autocontour.base.folders import data_folder
from autocontour.base.lock import is_file_locked, lock_handle
from autocontour.queue.record import OPEN, Content, FileStamp, Options, Record, State

SCHEMA = 1
DATABASE = "queue.sqlite"
BUSY_S = 30.0
MOST_STARTS = 5
"""Starts of one series without an end, as when the program dies at it, after which it is not started again."""
_TABLE = """
CREATE TABLE IF NOT EXISTS series (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL, checksum TEXT NOT NULL,
    task TEXT NOT NULL, task_checksum TEXT NOT NULL,
    state TEXT NOT NULL, priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, starts INTEGER NOT NULL DEFAULT 0,
    wait_from REAL NOT NULL DEFAULT 0, wait_s REAL NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '', is_cancelling INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '{}', report TEXT NOT NULL DEFAULT '{}',
    staged TEXT NOT NULL DEFAULT '', result_checksum TEXT NOT NULL DEFAULT '', result TEXT NOT NULL DEFAULT '',
    replaces INTEGER NOT NULL DEFAULT 0,
    added TEXT NOT NULL, started TEXT NOT NULL DEFAULT '', finished TEXT NOT NULL DEFAULT '',
    UNIQUE (uid, checksum)
) STRICT
"""

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
        self.folder = folder
        self.results = folder / "results"
        self._runs = folder / "runs"
        self._handle: int | None = None
        self.owner = ""
        try:
            for one in (folder, self.results, self._runs):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise QueueError("AC-QU-003", reason=error.strerror or type(error).__name__) from error
        with _database_errors():
            self._base = sqlite3.connect(
                folder / DATABASE, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._base.row_factory = sqlite3.Row
            self._open()

    def _open(self) -> None:
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        version = int(self._base.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA:
            raise QueueError("AC-QU-004")
        if (check := self._base.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise QueueError("AC-QU-002", reason=str(check)[:100])
        if version < SCHEMA:
            with self._change():
                self._base.execute(_TABLE)
                self._base.execute("CREATE INDEX IF NOT EXISTS by_state ON series (state, priority, number)")
                self._base.execute("CREATE INDEX IF NOT EXISTS by_owner ON series (owner)")
                self._base.execute("CREATE INDEX IF NOT EXISTS by_end ON series (finished, number)")
                self._base.execute(f"PRAGMA user_version={SCHEMA}")

    def close(self) -> None:
        """Close the database, and release the lock of a run."""
        self._base.close()
        if self._handle is not None:
            with suppress(OSError):
                self._lock_of(self.owner).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Make one transaction of the block."""
        with _database_errors():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._base.execute("ROLLBACK")
                raise

    # Adding and looking

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
        with self._change():
            known = [self._record(row) for row in self._rows("uid = ?", content.uid)]
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
                    (State.REPLACED, _now(), record.number),
                )
            code = refusal or ("AC-QU-006" if has_conflict else "")
            number = self._insert(content, options, code, replaced[-1].number if replaced else 0)
            return Added(number, "conflict" if code else "replaces" if replaced else "added")

    def _add_known(self, record: Record, content: Content, options: Options, *, again: bool) -> Added:
        if again and record.state not in OPEN:
            self._store_task(record.number, content, options)
            self._reset(record.number)
            return Added(record.number, "added")
        if record.content.is_present or content.files == record.content.files:
            return Added(record.number, "known" if options == record.options else "options")
        self._store_task(record.number, content, record.options)
        return Added(record.number, "moved")

    def _insert(self, content: Content, options: Options, code: str, replaces: int) -> int:
        task = _task_text(content, options)
        state = State.REFUSED if code else State.WAITING
        error = json.dumps(_described(QueueError(code))) if code else "{}"
        columns = "uid, checksum, task, task_checksum, state, priority, error, replaces, added"
        values = (content.uid, content.checksum, task, _sum(task), state, options.priority, error, replaces, _now())
        marks = ", ".join("?" * len(values))
        cursor = self._base.execute(f"INSERT INTO series ({columns}) VALUES ({marks})", values)
        return int(cursor.lastrowid or 0)

    def _store_task(self, number: int, content: Content, options: Options) -> None:
        task = _task_text(content, options)
        self._base.execute(
            "UPDATE series SET uid=?, checksum=?, task=?, task_checksum=?, priority=? WHERE number=?",
            (content.uid, content.checksum, task, _sum(task), options.priority, number),
        )

    def records(self, states: Collection[State] = ()) -> list[Record]:
        """Return the records, in the order they came; of some states only."""
        with _database_errors():
            if not states:
                return [self._record(row) for row in self._rows("1")]
            marks = ", ".join("?" * len(states))
            return [self._record(row) for row in self._rows(f"state IN ({marks})", *states)]

    def recent(self, count: int) -> list[Record]:
        """Return the series that ended last, the last first."""
        sql = "SELECT * FROM series WHERE finished != '' ORDER BY finished DESC, number DESC LIMIT ?"
        with _database_errors(), closing(self._base.execute(sql, (count,))) as cursor:
            return [self._record(row) for row in cursor.fetchall()]

    def find(self, number: int) -> Record:
        """Return one record.

        Raises
        ------
        QueueError
            ``AC-QU-001`` if there is none.
        """
        with _database_errors():
            for row in self._rows("number = ?", number):
                return self._record(row)
        raise QueueError("AC-QU-001", number=number)

    def counts(self) -> dict[str, int]:
        """Return how many series are in each state."""
        with _database_errors():
            rows = self._base.execute("SELECT state, COUNT(*) FROM series GROUP BY state").fetchall()
        found = {str(state): int(count) for state, count in rows}
        return {state.value: found.get(state.value, 0) for state in State}

    def knows(self, uid: str, files: Collection[FileStamp]) -> bool:
        """Whether a record has exactly these files, so that they need not be read again."""
        with _database_errors():
            return any(set(self._record(row).content.files) == set(files) for row in self._rows("uid = ?", uid))

    def wrote(self, uid: str, checksum: str) -> bool:
        """Whether the queue wrote a file of this checksum for a series."""
        with _database_errors():
            return any(row["result_checksum"] == checksum for row in self._rows("uid = ?", uid))

    # A run

    def start_run(self) -> None:
        """Become an owner of series: until `close`, no other program takes up what this one has claimed."""
        self.owner = uuid.uuid4().hex
        try:
            self._handle = os.open(self._lock_of(self.owner), os.O_RDWR | os.O_CREAT, 0o600)
            lock_handle(self._handle)
        except OSError as error:
            raise QueueError("AC-QU-003", reason=error.strerror or type(error).__name__) from error
        self._remove_unused()

    def take_up(self) -> list[int]:
        """Free the series of runs that have ended without finishing them; return their numbers."""
        with self._change():
            owners = {str(row["owner"]) for row in self._rows("owner != ''")} - {self.owner}
            dead = [owner for owner in owners if not is_file_locked(self._lock_of(owner))]
            freed = []
            for row in [row for owner in dead for row in self._rows("owner = ?", owner)]:
                freed.append(int(row["number"]))
                self._free(row)
        for owner in dead:
            with suppress(OSError):
                self._lock_of(owner).unlink(missing_ok=True)
        return freed

    def _free(self, row: sqlite3.Row) -> None:
        state, number = State(row["state"]), row["number"]
        error = str(row["error"])
        if row["is_cancelling"] and state in OPEN and not self._is_delivered(row):
            state = State.CANCELLED
        elif state is State.RUNNING and row["starts"] >= MOST_STARTS:
            state, error = State.FAILED, json.dumps(_described(QueueError("AC-QU-008", count=row["starts"])))
        elif state is State.RUNNING:
            state = State.WAITING
        self._base.execute(
            "UPDATE series SET state=?, owner='', is_cancelling=0, error=? WHERE number=?", (state, error, number)
        )

    def _is_delivered(self, row: sqlite3.Row) -> bool:
        """Whether a run ended after it had copied the result to its place and before it could record that."""
        try:
            data = self._record(row).output.read_bytes() if row["state"] == State.CONTOURED else b""
        except OSError:
            return False
        return hashlib.sha256(data).hexdigest() == str(row["result_checksum"])

    def claim(self) -> Record | None:
        """Take the next series that may be worked on: contoured ones first, then by priority and arrival."""
        now = time.time()
        with self._change():
            row = self._base.execute(
                # A clock that was set back must not prolong a wait.
                "SELECT * FROM series WHERE owner='' AND state IN ('waiting', 'contoured')"
                " AND (? >= wait_from + wait_s OR ? < wait_from)"
                " ORDER BY state = 'contoured' DESC, priority DESC, number LIMIT 1",
                (now, now),
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
                    _now() if is_new else row["started"],
                    row["number"],
                ),
            )
            return self._record(next(self._rows("number = ?", row["number"])))

    def keep_result(self, record: Record, staged: str, checksum: str, report: Mapping[str, Any]) -> bool:
        """Note that a claimed series is contoured, before the file is copied; False if it was taken away."""
        return self._end(
            record, State.CONTOURED, keep=True, staged=staged, result_checksum=checksum, report=json.dumps(report)
        )

    def finish(self, record: Record, result: Path) -> bool:
        """Note that the result is at its place, also if it was cancelled too late; False if it was taken away."""
        place = json.dumps(str(result))
        with self._change():
            self._base.execute(
                "UPDATE series SET is_cancelling=0 WHERE number=? AND owner=? AND state != 'replaced'",
                (record.number, self.owner),
            )
            return self._update(
                record,
                State.DONE,
                keep=False,
                result=place,
                finished=_now(),
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
            error=json.dumps(_described(error)),
            attempts=record.attempts + 1,
            starts=0,
            wait_from=time.time(),
            wait_s=wait_s,
            finished="" if is_open else _now(),
        )

    def give_back(self, record: Record) -> bool:
        """Return a claimed series as it was, as when the time is up."""
        is_running = record.state is State.RUNNING
        return self._end(record, State.WAITING if is_running else State.CONTOURED, starts=0)

    def renew(self, record: Record, content: Content, wait_s: float) -> None:
        """Store the present files of a series whose files have changed, and let it wait.

        If another record has this content already, the series is that one, and this record is replaced.
        """
        with self._change():
            others = [row for row in self._rows("uid = ?", content.uid) if row["number"] != record.number]
            if any(row["checksum"] == content.checksum for row in others):
                self._update(record, State.REPLACED, keep=False, finished=_now())
            elif self._update(record, State.WAITING, keep=False, starts=0, wait_from=time.time(), wait_s=wait_s):
                self._store_task(record.number, content, record.options)

    def is_cancelling(self, numbers: Collection[int]) -> list[int]:
        """Return those of `numbers` that are to be stopped."""
        with _database_errors():
            return [int(row["number"]) for row in self._rows("is_cancelling = 1") if row["number"] in numbers]

    def release(self, record: Record) -> None:
        """Give up a series that was cancelled or replaced while it ran."""
        with self._change():
            self._base.execute(
                "UPDATE series SET owner='', is_cancelling=0, starts=0, staged='', state=CASE state WHEN 'replaced'"
                " THEN 'replaced' ELSE 'cancelled' END, finished=? WHERE number=? AND owner=?",
                (_now(), record.number, self.owner),
            )

    def _end(self, record: Record, state: State, *, keep: bool = False, **values: object) -> bool:
        with self._change():
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

    # Changes by the user

    def cancel(self, number: int) -> State:
        """Cancel a series: at once if it waits, at the next opportunity if it runs; return its new state."""
        with self._change():
            record = self._found(number)
            if record.state not in OPEN:
                return record.state
            if record.owner:
                self._base.execute("UPDATE series SET is_cancelling=1 WHERE number=?", (number,))
                return record.state
            self._base.execute(
                "UPDATE series SET state='cancelled', staged='', finished=? WHERE number=?", (_now(), number)
            )
            return State.CANCELLED

    def retry(self, number: int) -> State:
        """Let a series that failed, was refused or cancelled be tried again; return its new state.

        Raises
        ------
        QueueError
            ``AC-QU-005`` if it is replaced or done; contour it with ``queue add --again``.
        """
        with self._change():
            record = self._found(number)
            if record.state in (State.DONE, State.REPLACED):
                raise QueueError("AC-QU-005", number=number, state=record.state)
            if not record.owner:
                self._reset(number)
            return self._found(number).state

    def _reset(self, number: int) -> None:
        row = next(self._rows("number = ?", number))
        has_result = bool(row["staged"]) and (self.results / row["staged"]).is_file() and row["state"] != State.DONE
        self._base.execute(
            "UPDATE series SET state=?, attempts=0, starts=0, wait_s=0, wait_from=0, error='{}', finished='',"
            " staged=?, is_cancelling=0 WHERE number=?",
            (State.CONTOURED if has_result else State.WAITING, row["staged"] if has_result else "", number),
        )

    def forget_reports(self, days: float) -> None:
        """Remove the reports of series that ended more than `days` ago; the records stay, so that none is repeated."""
        limit = datetime.fromtimestamp(time.time() - days * 86_400, UTC).isoformat(timespec="seconds")
        with self._change():
            self._base.execute("UPDATE series SET report='{}' WHERE finished != '' AND finished < ?", (limit,))

    # Rows

    def _rows(self, condition: str, *values: object) -> Iterator[sqlite3.Row]:
        sql = f"SELECT * FROM series WHERE {condition} ORDER BY number"
        with closing(self._base.execute(sql, values)) as cursor:
            yield from cursor.fetchall()

    def _found(self, number: int) -> Record:
        for row in self._rows("number = ?", number):
            return self._record(row)
        raise QueueError("AC-QU-001", number=number)

    def _record(self, row: sqlite3.Row) -> Record:
        try:
            return _read_record(row)
        except (ValueError, KeyError, TypeError) as error:
            raise QueueError("AC-QU-002", reason=f"series {row['number']}") from error

    def _lock_of(self, owner: str) -> Path:
        return self._runs / f"{owner}.lock"

    def _remove_unused(self) -> None:
        """Remove contoured files that no record names, of runs that have ended."""
        remove_unfinished(self.results)
        with _database_errors():
            named = {row["staged"] for row in self._rows("staged != ''")}
        for path in self.results.glob("*.dcm"):
            owner = path.stem.partition("-")[2]
            if path.name not in named and not is_file_locked(self._lock_of(owner)):
                with suppress(OSError):
                    path.unlink()


def _is_obsolete(record: Record, content: Content) -> bool:
    """Whether `content` takes the place of a record: it has more slices, or the record's files exist no longer."""
    return content.has_more_than(record.content) or (record.state is not State.DONE and not record.content.is_present)


def _read_record(row: sqlite3.Row) -> Record:
    task_text = str(row["task"])
    if _sum(task_text) != row["task_checksum"]:
        raise ValueError("task")
    task = json.loads(task_text)
    files = tuple(FileStamp(*one) for one in task["files"])
    content = Content(task["uid"], task["slices"], files, tuple(task["findings"]))
    lists = {name: tuple(task["options"][name]) for name in ("structures", "accepted")}
    options = Options(**{**task["options"], **lists})
    same = ("attempts", "starts", "owner", "staged", "result_checksum", "replaces")
    return Record(
        number=row["number"],
        content=content,
        options=options,
        state=State(row["state"]),
        is_cancelling=bool(row["is_cancelling"]),
        error=json.loads(row["error"]),
        report=json.loads(row["report"]),
        result=json.loads(row["result"] or '""'),  # escaped: a path need not be UTF-8
        **{name: row[name] for name in (*same, "added", "started", "finished")},
    )


def _task_text(content: Content, options: Options) -> str:
    files = [[one.path, one.size, one.modified_ns] for one in content.files]
    series = {"uid": content.uid, "slices": dict(content.slices), "files": files, "findings": content.findings}
    return json.dumps({**series, "options": asdict(options)}, sort_keys=True)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _described(error: AutoContourError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "remedy": error.remedy}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:  # full disk, no permission, locked for too long
        code = "AC-QU-002" if "decode" in str(error) else "AC-QU-003"
        raise QueueError(code, reason=str(error)[:100]) from error
    except sqlite3.Error as error:
        raise QueueError("AC-QU-002", reason=str(error)[:100]) from error
