"""The SQLite database of the queue: one row per series, and one transaction for each change."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.base.lock import is_file_locked
from autocontour.queue.places import mount_of
from autocontour.queue.record import Content, FileStamp, Options, Record, State, output_folder

SCHEMA = 1
DATABASE = "queue.sqlite"
BUSY_S = 30.0
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


class Database:
    """The database in the queue's folder, with the folders of contoured files and of the locks of runs.

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
        try:
            for one in (folder, self.results, self._runs):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise QueueError("AC-QU-003", reason=error.strerror or type(error).__name__) from error
        with database_errors():
            self._connection = sqlite3.connect(
                folder / DATABASE, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._open()

    def _open(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA:
            raise QueueError("AC-QU-004")
        if (check := self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise QueueError("AC-QU-002", reason=str(check)[:100])
        if version < SCHEMA:
            with self.change():
                self._connection.execute(_TABLE)
                self._connection.execute("CREATE INDEX IF NOT EXISTS by_state ON series (state, priority, number)")
                self._connection.execute("CREATE INDEX IF NOT EXISTS by_owner ON series (owner)")
                self._connection.execute("CREATE INDEX IF NOT EXISTS by_end ON series (finished, number)")
                self._connection.execute(f"PRAGMA user_version={SCHEMA}")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make one transaction of the block."""
        with database_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        return self._connection.execute(sql, values)

    def rows(self, condition: str, *values: object) -> Iterator[sqlite3.Row]:
        """Yield the rows that fulfil a condition, in the order in which they came."""
        sql = f"SELECT * FROM series WHERE {condition} ORDER BY number"
        with closing(self._connection.execute(sql, values)) as cursor:
            yield from cursor.fetchall()

    def find(self, number: int) -> Record:
        """Return one record.

        Raises
        ------
        QueueError
            ``AC-QU-001`` if there is none.
        """
        for row in self.rows("number = ?", number):
            return self.record(row)
        raise QueueError("AC-QU-001", number=number)

    def record(self, row: sqlite3.Row) -> Record:
        """Return a row as a record, after comparing its checksum."""
        try:
            return _read_record(row)
        except (ValueError, KeyError, TypeError) as error:
            raise QueueError("AC-QU-002", reason=f"series {row['number']}") from error

    def lock_of(self, owner: str) -> Path:
        """Return the file that a run locks as long as it exists."""
        return self._runs / f"{owner}.lock"

    def is_alive(self, owner: str) -> bool:
        """Whether a run has not ended."""
        return is_file_locked(self.lock_of(owner))

    def store_task(self, number: int, content: Content, options: Options) -> None:
        """Store the files and options of a record."""
        task = task_text(content, options)
        self._connection.execute(
            "UPDATE series SET uid=?, checksum=?, task=?, task_checksum=?, priority=? WHERE number=?",
            (content.uid, content.checksum, task, checksum_of(task), options.priority, number),
        )


def _read_record(row: sqlite3.Row) -> Record:
    text = str(row["task"])
    if checksum_of(text) != row["task_checksum"]:
        raise ValueError("task")
    task = json.loads(text)
    files = tuple(FileStamp(*one) for one in task["files"])
    content = Content(task["uid"], task["slices"], files, tuple(task["findings"]))
    lists = {name: tuple(task["options"][name]) for name in ("structures", "accepted")}
    options = Options(**{**task["options"], **lists})
    same = ("attempts", "starts", "owner", "staged", "result_checksum", "replaces")
    return Record(
        number=row["number"],
        content=content,
        options=options,
        mount=task.get("mount", ""),
        state=State(row["state"]),
        is_cancelling=bool(row["is_cancelling"]),
        error=json.loads(row["error"]),
        report=json.loads(row["report"]),
        result=json.loads(row["result"] or '""'),  # escaped: a path need not be UTF-8
        **{name: row[name] for name in (*same, "added", "started", "finished")},
    )


def task_text(content: Content, options: Options) -> str:
    """Return the files and options as stored in a row, with the disk on which the result belongs now."""
    files = [[one.path, one.size, one.modified_ns] for one in content.files]
    series = {"uid": content.uid, "slices": dict(content.slices), "files": files, "findings": content.findings}
    mount = mount_of(output_folder(content, options))
    return json.dumps({**series, "options": asdict(options), "mount": mount}, sort_keys=True)


def checksum_of(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def describe(error: AutoContourError) -> dict[str, str]:
    """Return an error as stored in a row."""
    return {"code": error.code, "message": error.message, "remedy": error.remedy}


def now() -> str:
    """Return the present time as stored in a row: UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the errors of SQLite into those of the queue."""
    try:
        yield
    except sqlite3.OperationalError as error:  # full disk, no permission, locked for too long
        code = "AC-QU-002" if "decode" in str(error) else "AC-QU-003"
        raise QueueError(code, reason=str(error)[:100]) from error
    except sqlite3.Error as error:
        raise QueueError("AC-QU-002", reason=str(error)[:100]) from error
