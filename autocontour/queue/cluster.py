"""Contouring on other computers: the workers of a Dask cluster.

The queue remains with the run that owns it. Each series is sent to one worker, which returns the structure set; only
the run writes. So a series that is contoured twice, as when a worker that was lost comes back, is written once.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.base.files import write_atomically
from autocontour.queue.installation import describe_installation
from autocontour.queue.remote import DIFFERS, OTHER_PLAN, Result, cancel_remotely, contour_remotely
from autocontour.queue.tasks import (
    CRASH,
    GPU_ERRORS,
    Contoured,
    Event,
    Failed,
    Notice,
    Progress,
    Returned,
    Task,
    error_of,
)

if TYPE_CHECKING:
    from distributed import Client, Future

RESOURCE, GPU = "autocontour", "GPU"
"""Dask resources of a worker: one series at a time, and a GPU."""
UNSEEN = "AC-QU-024"
FILES = frozenset({"AC-CT-002", "AC-CT-006", "AC-CT-007", "AC-CT-063", "AC-CT-100", "AC-QU-010"})
"""Errors of a worker that does not see the files of a series as they were added."""
LOOK_S, CONNECT_S, RESTART_S, ANSWER_S = 1.0, 2.0, 10.0, 60.0
REFUSED_S, LONGEST_REFUSED_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """A task at a worker."""

    task: Task
    key: str
    worker: str
    future: Future[Result]


@dataclass(slots=True)
class _Refused:
    """A worker whose installation differs, until which time, and the last pause."""

    until: float
    pause_s: float


class ClusterWorkers:
    """The workers of a cluster that may contour for this queue.

    Parameters
    ----------
    address
        Of the Dask scheduler, such as ``tcp://host:8786`` or ``tls://host:8786``.
    device
        ``cuda`` sends series only to workers with a GPU.
    minutes
        How long to wait for the scheduler, and for workers.
    """

    def __init__(self, address: str, device: str = "auto", minutes: float = 10.0) -> None:
        self._address, self._device, self._wait_s = address, device, minutes * 60
        self._topic = f"autocontour-{uuid.uuid4().hex}"
        self._client: Client | None = None
        self._workers: list[str] = []
        self._refused: dict[str, _Refused] = {}
        self._excluded: dict[int, set[str]] = {}  # number → workers that cannot do this series
        self._sent: dict[int, _Sent] = {}
        self._events: SimpleQueue[tuple[str, Event | None]] = SimpleQueue()
        self._notices: list[Event] = []
        self._looked = self._tried = -1e9
        self._last_usable = time.monotonic()
        self._reason = ""
        self._is_blocked = False
        for name in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they print tasks, with the paths of files

    # Sending

    @property
    def places(self) -> int:
        """How many series are contoured at the same time."""
        return max(1, len(self._usable()))

    def _usable(self) -> list[str]:
        now = time.monotonic()
        return [one for one in self._workers if one not in self._refused or now >= self._refused[one].until]

    def _free(self) -> list[str]:
        busy = {sent.worker for sent in self._sent.values()}
        return [one for one in self._usable() if one not in busy]

    def has_place(self) -> bool:
        """Whether a worker is free."""
        return not self._is_blocked and bool(self._free())

    def takes(self, task: Task) -> bool:
        """Whether a worker is free that may contour this series."""
        excluded = self._excluded.get(task.number, set())
        if excluded >= set(self._usable()):  # those that might have done it are gone
            self._excluded.pop(task.number, None)
        self._is_blocked = not self._workers_for(task)
        return not self._is_blocked

    def _workers_for(self, task: Task) -> list[str]:
        excluded = self._excluded.get(task.number, set())
        return [one for one in self._free() if one not in excluded]

    def send(self, task: Task) -> str:
        """Send a task to a free worker; return its host and port."""
        assert self._client is not None
        worker = self._workers_for(task)[0]
        key = f"autocontour-{task.number}-{uuid.uuid4().hex}"
        resources = {RESOURCE: 1, **({GPU: 1} if self._device == "cuda" else {})}
        try:
            expected = describe_installation(task.options)
            future = self._client.submit(
                contour_remotely,
                *(task, key, self._topic, expected),
                key=key,
                workers=[worker],
                resources=resources,
                pure=False,
            )
        except AutoContourError as error:  # of the template or package here
            self._notices.append(Failed(task.number, error))
            return _shown(worker)
        except (OSError, RuntimeError):
            self._notices.append(Returned(task.number))
            self._lose()
            return _shown(worker)
        self._sent[task.number] = _Sent(task, key, worker, future)
        future.add_done_callback(lambda _: self._events.put((key, None)))
        return _shown(worker)

    def cancel(self, number: int) -> None:
        """Stop a task at its next step."""
        sent = self._sent.get(number)
        if sent and self._client:
            with suppress(OSError, RuntimeError):
                self._client.run(cancel_remotely, sent.key, workers=[sent.worker], wait=False, on_error="ignore")

    def end(self, number: int) -> None:
        """Stop a task with its worker, which starts again; one that cannot be restarted gets nothing for some time."""
        sent = self._sent.get(number)
        if sent is None:
            return
        self.cancel(number)
        self._forget(sent)
        if not self._restart(sent.worker):
            self._refused[sent.worker] = _Refused(time.monotonic() + REFUSED_S, REFUSED_S)

    def _restart(self, worker: str) -> bool:
        if self._client is None:
            return False
        try:
            found = self._client.restart_workers([worker], timeout=RESTART_S, raise_for_error=False)
        except (OSError, RuntimeError, ValueError):  # ValueError: nothing supervises it
            return False
        return bool(found.get(worker) == "OK")

    # Events

    def poll(self, timeout_s: float) -> Iterator[Event]:
        """Yield what has happened: progress, ends, and workers that came or went."""
        self._look()
        events, self._notices = self._notices, []
        yield from events
        wait_s = 0.0 if events else timeout_s
        with suppress(Empty):
            while True:
                key, event = self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait()
                wait_s = 0.0
                sent = next((one for one in self._sent.values() if one.key == key), None)
                if sent is not None:
                    yield from self._ended(sent) if event is None else [event]

    def _ended(self, sent: _Sent) -> Iterator[Event]:
        """Yield how a task has ended, and write its file."""
        from distributed import KilledWorker

        self._forget(sent)
        number = sent.task.number
        try:
            result = sent.future.result(timeout=ANSWER_S)
        except KilledWorker:
            yield Failed(number, QueueError(CRASH))
        except (OSError, TimeoutError, CancelledError):  # the connection broke
            yield Returned(number)
        except Exception as error:  # noqa: BLE001  (the worker could not even begin: other versions)
            yield from self._refuse(sent, QueueError(DIFFERS, parts=type(error).__name__))
        else:
            yield from self._accept(sent, result)

    def _accept(self, sent: _Sent, result: Result) -> Iterator[Event]:
        event = result.event
        if isinstance(event, Contoured):
            try:
                write_atomically(sent.task.output, result.data)
            except (AutoContourError, OSError) as error:
                yield Failed(event.number, error_of(error))
                return
            yield replace(event, report={**event.report, "worker": _shown(sent.worker)})
        elif event.error.code == DIFFERS:
            yield from self._refuse(sent, event.error)
        elif event.error.code == OTHER_PLAN:
            yield from self._exclude(sent, event.error)
        elif event.error.code in FILES and sent.task.content.is_present:
            yield from self._exclude(sent, QueueError(UNSEEN, worker=_shown(sent.worker)))
        else:
            yield event
            if event.error.code in GPU_ERRORS:
                self._restart(sent.worker)

    def _refuse(self, sent: _Sent, error: AutoContourError) -> Iterator[Event]:
        """Send a worker nothing for some time, twice as long each time."""
        known = self._refused.get(sent.worker)
        pause_s = min(2 * known.pause_s, LONGEST_REFUSED_S) if known else REFUSED_S
        self._refused[sent.worker] = _Refused(time.monotonic() + pause_s, pause_s)
        self._reason = error.message
        yield _refusal(sent, error)
        yield Returned(sent.task.number)

    def _exclude(self, sent: _Sent, error: AutoContourError) -> Iterator[Event]:
        """Send a series to other workers; if none is left, it waits for its next attempt."""
        number = sent.task.number
        self._excluded.setdefault(number, set()).add(sent.worker)
        yield _refusal(sent, error)
        if self._excluded[number] >= set(self._usable()):
            del self._excluded[number]
            yield Failed(number, error)
        else:
            yield Returned(number)

    def _forget(self, sent: _Sent) -> None:
        self._sent.pop(sent.task.number, None)
        self._is_blocked = False

    # The cluster

    def _look(self) -> None:
        """Note which workers there are; what a worker that is gone was contouring has failed."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if self._client is None and not self._connect():
            return
        found = self._ask()
        if found is None:
            self._lose()
            return
        workers = [address for address, worker in found.items() if self._fits(worker)]
        if workers != self._workers:
            self._notices.append(Notice("workers", {"count": len(workers)}))
            self._workers, self._is_blocked = workers, False
        self._refused = {one: refused for one, refused in self._refused.items() if one in found}
        for sent in [one for one in self._sent.values() if one.worker not in found]:
            self._forget(sent)
            sent.future.cancel(force=True)
            self._notices.append(Failed(sent.task.number, QueueError(CRASH)))
        if self._usable():
            self._last_usable = now

    def _ask(self) -> Mapping[str, Any] | None:
        """Return the workers by address; None if the scheduler does not answer."""
        if self._client is None or self._client.status != "running":
            return None
        try:
            found: Mapping[str, Any] = self._client.scheduler_info()["workers"]
        except (OSError, RuntimeError, TimeoutError):
            return None
        return found

    def _fits(self, worker: Mapping[str, Any]) -> bool:
        resources = worker.get("resources", {})
        wanted = (RESOURCE, GPU) if self._device == "cuda" else (RESOURCE,)
        return worker.get("status") == "running" and all(resources.get(name, 0) >= 1 for name in wanted)

    def _connect(self) -> bool:
        now = time.monotonic()
        if now - self._tried < CONNECT_S:
            return False
        self._tried = now
        try:
            from distributed import Client
        except ImportError as error:
            raise QueueError("AC-QU-028") from error
        try:
            self._client = Client(self._address, timeout=CONNECT_S, set_as_default=False, name="autocontour")
        except (OSError, TimeoutError) as error:
            self._reason = str(error)[:100] or type(error).__name__
            return False
        except ValueError as error:
            raise QueueError("AC-QU-026", address=self._address, reason=str(error)[:100]) from error
        self._client.subscribe_topic(self._topic, self._note_progress)
        return True

    def _note_progress(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Receive the progress of a task, in a thread of Dask."""
        values = event[1]
        number = int(values["key"].split("-")[1])
        self._events.put((values["key"], Progress(number, values["stage"], values["fraction"])))

    def _lose(self) -> None:
        """Return everything to the queue: the scheduler is gone, and with it all that it knew."""
        self._notices.append(Notice("scheduler lost", {}))
        self._notices += [Returned(number) for number in self._sent]
        self._sent.clear()
        self._workers, self._is_blocked = [], False
        self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, RuntimeError, TimeoutError):
                client.close(timeout=CONNECT_S)

    def require(self) -> None:
        """Raise if no worker has been there for too long, although a series waits.

        Raises
        ------
        QueueError
            ``AC-QU-026`` if the scheduler cannot be reached, ``AC-QU-027`` without a worker that may be used.
        """
        if time.monotonic() - self._last_usable <= self._wait_s:
            return
        if self._client is None:
            raise QueueError("AC-QU-026", address=self._address, reason=self._reason or "connection lost")
        raise QueueError("AC-QU-027", minutes=self._wait_s / 60, reason=self._reason or "no worker is connected")

    def stop(self) -> None:
        """Stop all tasks, and leave the cluster."""
        for number in list(self._sent):
            self.cancel(number)
        with suppress(OSError, RuntimeError):
            for sent in self._sent.values():
                sent.future.cancel(force=True)
        self._sent.clear()
        self._close()


def _refusal(sent: _Sent, error: AutoContourError) -> Notice:
    values = {"number": sent.task.number, "worker": _shown(sent.worker), "code": error.code, "reason": error.message}
    return Notice("worker refused", values)


def _shown(address: str) -> str:
    """Return a worker's host and port."""
    return address.partition("://")[2] or address
