"""Working on the queue: claims series, hands them to the worker process, and puts the results at their place."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError, OutputError, QueueError
from autocontour.base.files import create_atomically, shown_path, write_atomically
from autocontour.base.jobs import Job
from autocontour.queue.intake import CHANGED, find_present
from autocontour.queue.places import check_mount
from autocontour.queue.record import OPEN, Record, State
from autocontour.queue.store import Store
from autocontour.queue.tasks import CRASH, GPU_ERRORS, Contoured, Failed, Notice, Progress, Returned, Task, Workers
from autocontour.queue.worker import LocalWorker

TEMPORARY = frozenset(
    {
        *("AC-CT-002", "AC-CT-007", "AC-CT-009", "AC-CT-043", "AC-CT-063"),  # share gone, no memory
        *("AC-OUT-001", "AC-OUT-005", "AC-OUT-008"),  # disk full or gone
        *("AC-MD-029", *GPU_ERRORS, "AC-MD-035", "AC-MD-036"),  # package replaced, GPU busy
        *("AC-QU-009", "AC-QU-011", "AC-QU-013", "AC-QU-015"),  # process ended, disk low
        *("AC-QU-024", "AC-QU-025", "AC-QU-029"),  # no worker can do it now, share gone
    }
)
"""Errors that may pass: the series is tried again."""
CHANGES = frozenset({"AC-CT-006", CHANGED})
"""Errors of a series whose files are not those that were added."""
RESULT_GONE = "AC-QU-015"
POLL_S = 0.25
LONGEST_WAIT_S = 3600.0
CANCEL_S = 20.0
"""A task that has not stopped by then is stopped with its process."""

OnEvent = Callable[[str, dict[str, Any]], None]
"""Called with the name and the values of an event; they contain no patient identity and no path."""


@dataclass(frozen=True)
class RunOptions:
    """How a run works.

    Attributes
    ----------
    minutes
        Time budget; 0 for none. No series is begun that is not expected to end in time, and what is not finished then
        is returned to the queue.
    series_minutes
        Longest time for one series.
    attempts, retry_s
        Attempts for errors that may pass, and the pause after the first; it doubles each time, up to one hour.
    quiet_s
        Pause before a series whose files have changed is read again.
    least_free_gb
        Free space below which nothing is begun, in the queue's folder and at the results' place.
    device
        For the networks.
    """

    minutes: float = 0.0
    series_minutes: float = 120.0
    attempts: int = 12
    retry_s: float = 60.0
    quiet_s: float = 60.0
    least_free_gb: float = 1.0
    device: str = "auto"


@dataclass
class _Active:
    """A series at the worker."""

    record: Record
    began: float
    cancelled: float = 0.0


@dataclass
class Summary:
    """What a run did: how many series ended in each state, the seconds of each result, the first error's exit code."""

    ended: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    exit_code: int = 0
    is_time_up: bool = False
    waiting: int = 0


class Run:
    """One run on the queue; several may work on one queue at the same time."""

    def __init__(
        self, store: Store, options: RunOptions, on_event: OnEvent, job: Job, workers: Workers | None = None
    ) -> None:
        self._store, self._options, self._on_event, self._job = store, options, on_event, job
        self._claims = store.start_run()
        self._workers = workers or LocalWorker()
        self._active: dict[int, _Active] = {}
        self._started = time.monotonic()
        self._checked = 0.0
        self.summary = Summary()

    def work(self, each_turn: Callable[[], bool] = lambda: False) -> Summary:
        """Work until nothing is left, the time is up or the job is cancelled.

        Parameters
        ----------
        each_turn
            Called regularly; as long as it returns True, the run waits for further series.
        """
        try:
            while not self._job.is_cancelled and not self._is_time_up():
                goes_on = each_turn()
                self._claim()
                self._check_cancelled()
                self._receive()
                if not self._active and not self._goes_on(is_watching=goes_on):
                    break
        finally:
            self._stop()
        self.summary.waiting = self._count_open()
        return self.summary

    def _goes_on(self, *, is_watching: bool) -> bool:
        """Whether something is left; nothing is being contoured."""
        if self._count_open():
            self._workers.require()
            return True
        return is_watching

    # Claiming

    def _claim(self) -> None:
        """Take up what dead runs left, and series while the workers have a place for them."""
        for number in self._claims.take_up():
            self._on_event("taken up", {"number": number})
        while self._workers.has_place() and self._has_time_for_another():
            record = self._claims.claim()
            if record is None:
                return
            if record.state is State.CONTOURED:
                self._deliver(record)
            elif self._is_disk_low(record):
                continue
            elif self._workers.takes(task := self._task_of(record)):
                self._begin(record, task)
            else:
                self._claims.give_back(record)
                return

    def _task_of(self, record: Record) -> Task:
        alone = record.error.get("code") == CRASH
        output = self._staged(record)
        return Task(record.number, record.content, record.options, output, self._options.device, alone)

    def _staged(self, record: Record) -> Path:
        """Return the path of the contoured file in the queue's folder."""
        return self._store.results / f"{record.number}-{self._claims.owner}.dcm"

    def _begin(self, record: Record, task: Task) -> None:
        with suppress(OSError):
            task.output.unlink(missing_ok=True)  # of an attempt that was not recorded
        self._active[record.number] = _Active(record, time.monotonic())
        worker = self._workers.send(task)
        values = {"number": record.number, "series": record.content.uid}
        self._on_event("started", {**values, "worker": worker} if worker else values)

    def _is_disk_low(self, record: Record) -> bool:
        for folder in (self._store.folder, _existing(record.output.parent)):
            try:
                free = shutil.disk_usage(folder).free
            except OSError:
                continue  # writing will report it
            if free < self._options.least_free_gb * 1e9:
                self._fail(record, QueueError("AC-QU-013", free=free / 1e9, least=self._options.least_free_gb))
                return True
        return False

    def _has_time_for_another(self) -> bool:
        if not self._options.minutes:
            return True
        seconds = sorted(self.summary.seconds) or self._known_seconds()
        before = 1 + len(self._active) // self._workers.places
        expected = seconds[len(seconds) // 2] * before if seconds else 0.0
        return self._seconds_left() > expected

    def _known_seconds(self) -> list[float]:
        """Return the seconds of the series that earlier runs contoured."""
        reports = [record.report for record in self._store.recent(50) if record.state is State.DONE]
        return sorted(sum(report["seconds"].values()) for report in reports if report.get("seconds"))

    def _seconds_left(self) -> float:
        return self._options.minutes * 60 - (time.monotonic() - self._started)

    def _is_time_up(self) -> bool:
        is_over = bool(self._options.minutes) and self._seconds_left() <= 0
        is_idle = not self._active and not self._has_time_for_another()
        self.summary.is_time_up = self.summary.is_time_up or is_over or is_idle
        return self.summary.is_time_up

    def _count_open(self) -> int:
        """Return how many series are not finished: also those that wait, or that another run works on."""
        counts = self._store.counts()
        return sum(counts[state] for state in OPEN)

    # Events of the worker

    def _receive(self) -> None:
        for event in self._workers.poll(POLL_S):
            if isinstance(event, Notice):
                self._on_event(event.name, dict(event.values))
            elif active := self._active.get(event.number):
                self._handle(event, active)

    def _handle(self, event: Progress | Contoured | Failed | Returned, active: _Active) -> None:
        if isinstance(event, Progress):
            values = {"number": event.number, "stage": event.stage, "fraction": round(event.fraction, 3)}
            self._on_event("progress", {**values, "seconds_left": self._estimate()})
            return
        del self._active[event.number]
        if active.cancelled:
            self._release(active.record)
        elif isinstance(event, Returned):
            self._claims.give_back(active.record)
        elif isinstance(event, Failed):
            self._fail(active.record, event.error)
        elif self._claims.keep_result(active.record, self._staged(active.record).name, event.checksum, event.report):
            now = time.monotonic()
            self.summary.seconds.append(now - active.began)
            if self._workers.places == 1:
                for one in self._active.values():
                    one.began = now  # it waited for this series
            self._deliver(self._store.find(event.number))
        else:
            self._release(active.record)

    def _release(self, record: Record) -> None:
        """End a series that was cancelled or replaced while it ran."""
        self._claims.release(record)
        self._end(record, State.CANCELLED)

    def _estimate(self) -> float | None:
        """Return the seconds until the queue is empty, from the median of this run; None while unknown."""
        seconds = sorted(self.summary.seconds)
        if not seconds:
            return None
        return round(seconds[len(seconds) // 2] * self._count_open() / self._workers.places)

    def _deliver(self, record: Record) -> None:
        """Copy the contoured file to its place; what is there is only replaced if the queue wrote it."""
        staged, output = self._store.results / record.staged, record.output
        try:
            check_mount(output.parent, record.mount)
            data = _read_result(staged, record.result_checksum)
            present = _checksum_at(output)
            if present is None:
                create_atomically(output, data)
            elif present != record.result_checksum:
                if not self._store.wrote(record.content.uid, present):
                    raise QueueError("AC-QU-014", file=shown_path(output))
                write_atomically(output, data)
            check_mount(output.parent, record.mount)  # also if it was unmounted meanwhile
            if _checksum_at(output) != record.result_checksum:
                raise OutputError("AC-OUT-005", file=shown_path(output))
        except AutoContourError as error:
            self._fail(record, error)
            return
        except OSError as error:
            self._fail(record, OutputError("AC-OUT-001", file=shown_path(output), reason=error.strerror or "OSError"))
            return
        if self._claims.finish(record, output):
            with suppress(OSError):
                staged.unlink(missing_ok=True)
            self._end(record, State.DONE)
            self._report_earlier(record)
        else:
            self._release(record)

    def _report_earlier(self, record: Record) -> None:
        """Report the result with fewer slices if it remains at another place, where somebody may still use it."""
        if not record.replaces:
            return
        earlier = self._store.find(record.replaces)
        if earlier.result and Path(earlier.result) != record.output and Path(earlier.result).exists():
            self._on_event("earlier result remains", {"number": earlier.number, "series": earlier.content.uid})

    def _fail(self, record: Record, error: AutoContourError) -> None:
        """Let a series wait for its next attempt, or end it."""
        options = self._options
        if error.code in CHANGES and record.attempts < options.attempts:
            self._renew(record, error)
            return
        if error.code in TEMPORARY and record.attempts + 1 < options.attempts:
            wait_s = min(options.retry_s * 2**record.attempts, LONGEST_WAIT_S)
            has_result = record.state is State.CONTOURED and error.code != RESULT_GONE
            state = State.CONTOURED if has_result else State.WAITING
            self._claims.fail(record, error, state, wait_s)
            values = {"number": record.number, "series": record.content.uid, "code": error.code}
            self._on_event("waits", {**values, "seconds": round(wait_s, 1)})
            return
        state = State.FAILED if error.code in TEMPORARY | CHANGES else State.REFUSED
        if self._claims.fail(record, error, state):
            self.summary.exit_code = self.summary.exit_code or error.exit_code
            self._end(record, state, error)
        else:
            self._release(record)

    def _renew(self, record: Record, error: AutoContourError) -> None:
        content = find_present(record.content, self._job)
        if content is None or content.checksum == record.content.checksum:
            self._claims.fail(record, error, State.WAITING, self._options.quiet_s)
        else:
            self._claims.renew(record, content, self._options.quiet_s)
        self._on_event("changed", {"number": record.number, "series": record.content.uid, "code": error.code})

    def _end(self, record: Record, state: State, error: AutoContourError | None = None) -> None:
        self.summary.ended[state.value] = self.summary.ended.get(state.value, 0) + 1
        values: dict[str, Any] = {"number": record.number, "series": record.content.uid}
        if error:
            values["code"] = error.code
        if state is State.DONE:
            values["seconds"] = round(sum(self._store.find(record.number).report.get("seconds", {}).values()), 2)
        self._on_event(state.value, values)

    # Stopping

    def _check_cancelled(self) -> None:
        """Stop what the user cancelled, and a process that does not stop or takes too long."""
        now = time.monotonic()
        if now - self._checked < POLL_S:
            return
        self._checked = now
        for number in self._claims.is_cancelling(self._active):
            active = self._active[number]
            if not active.cancelled:
                active.cancelled = now
                self._workers.cancel(number)
        limit = self._options.series_minutes * 60
        active_ones = list(self._active.values())
        late = [one for one in active_ones if one.cancelled and now - one.cancelled > CANCEL_S]
        slow = [one for one in active_ones if not one.cancelled and now - one.began > limit]
        for active in (late or slow)[: self._workers.places]:
            del self._active[active.record.number]
            self._workers.end(active.record.number)
            if active.cancelled:
                self._release(active.record)
            else:
                self._fail(active.record, QueueError("AC-QU-016", minutes=f"{self._options.series_minutes:g}"))

    def _stop(self) -> None:
        """Return everything unfinished to the queue."""
        self._workers.stop()
        with suppress(QueueError):
            for active in self._active.values():
                if active.cancelled:
                    self._release(active.record)
                else:
                    self._claims.give_back(active.record)
            self._active.clear()


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next((one for one in (folder, *folder.parents) if one.is_dir()), folder)


def _read_result(path: Path, checksum: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise QueueError(RESULT_GONE) from error
    if hashlib.sha256(data).hexdigest() != checksum:
        raise QueueError(RESULT_GONE)
    return data


def _checksum_at(path: Path) -> str | None:
    """Return the checksum of what is at a path; None if nothing is."""
    try:
        path.lstat()
    except FileNotFoundError:
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
