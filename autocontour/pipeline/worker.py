"""Contouring in a child process: it can be stopped at once, and the program survives its crash.

The caller of a `ContourProcess` receives its events, from a timer of a window (`poll`) or in a loop (`events`)::

    for event in ContourProcess(ct, Order(template_name="thorax")).events():
        if isinstance(event, Drawn):
            case.apply(receive(case.state, event.structure))
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job, seconds_left
from autocontour.patient.structures import Structure
from autocontour.patient.volume import CTVolume

STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to draw (see `autocontour.pipeline.plan.read_plan`), on which device, and whether by every drawer."""

    template_name: str = ""
    names: tuple[str, ...] = ()
    package_name: str = ""
    device: str = "auto"
    compare: bool = False


@dataclass(frozen=True, slots=True)
class Advanced:
    """Progress; seconds left are below zero while unknown."""

    stage: str
    fraction: float
    seconds_left: float = -1.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A structure is ready."""

    structure: Structure


@dataclass(frozen=True, slots=True)
class Done:
    """All are drawn.

    Attributes
    ----------
    findings
        About the whole.
    of_structures
        Structure name → all its findings, including those that depend on the other structures.
    """

    findings: tuple[Finding, ...]
    of_structures: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended without a result."""

    error: AutoContourError


Event = Advanced | Drawn | Done | Failed


class ChildProcess:
    """One piece of work in a child process; what is neither `Advanced` nor `Drawn` is its last event.

    Parameters
    ----------
    work
        Called in the process with the end of the pipe that it sends its events to, and `arguments`.
    """

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        # A fresh interpreter: a fork would inherit the window's connection and the threads' locks.
        context = multiprocessing.get_context("spawn")
        self._pipe, self._other = context.Pipe()
        self._process = context.Process(target=_begin, args=(self._other, work), daemon=True)
        self._arguments = arguments
        self._started = 0.0
        self.is_running = False

    @property
    def process_id(self) -> int | None:
        """Process identifier, for monitoring."""
        return self._process.pid

    def start(self) -> None:
        """Begin."""
        self._started, self.is_running = time.monotonic(), True
        self._process.start()
        self._other.close()
        # Not as arguments of the process: Python waits for ever if it ends before it has read them. `poll` reports it.
        with suppress(OSError):
            self._pipe.send(self._arguments)

    def poll(self, timeout_s: float = 0.0) -> Iterator[Any]:
        """Yield what has happened since; wait up to `timeout_s` for something to happen."""
        try:
            while self.is_running and self._pipe.poll(timeout_s):
                event = self._pipe.recv()
                if isinstance(event, Advanced):
                    event = Advanced(event.stage, event.fraction, seconds_left(self._started, event.fraction))
                elif not isinstance(event, Drawn):
                    self.stop()
                yield event
                timeout_s = 0.0
        except (EOFError, OSError):  # a pipe whose other end is closed is ready, and then only returns end of file
            self.stop()
            yield Failed(AutoContourError("AC-PL-010"))

    def events(self) -> Iterator[Any]:
        """Start, and yield all events until the end."""
        self.start()
        try:
            while self.is_running:
                yield from self.poll(timeout_s=1.0)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop at once; structures drawn so far were yielded."""
        if not self.is_running:
            return
        self.is_running = False
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._pipe.close()


class ContourProcess(ChildProcess):
    """One run in a child process; `Done` or `Failed` is its last event."""

    def __init__(self, ct: CTVolume, order: Order) -> None:
        super().__init__(_contour, ct, order)


class SendingJob(Job):
    """A job that sends its progress."""

    def __init__(self, sender: Connection) -> None:
        super().__init__()
        self._sender = sender

    def advance(self, stage: str, fraction: float) -> None:
        """Send how far it is."""
        self._sender.send(Advanced(stage, fraction))
        super().advance(stage, fraction)


def _begin(pipe: Connection, work: Callable[..., None]) -> None:
    """Receive the arguments of `work`, and do it."""
    work(pipe, *pipe.recv())


def _contour(sender: Connection, ct: CTVolume, order: Order) -> None:
    """Contour `ct` and send the events."""
    try:
        from autocontour.pipeline.contour import contour_ct
        from autocontour.pipeline.plan import read_plan

        # A case makes the targets of recipes itself, from its own structures.
        plan = read_plan(order.template_name, order.names, order.package_name)
        plan = replace(plan, recipes=(), compare=order.compare)
        job = SendingJob(sender)
        drawn = contour_ct(ct, plan, device=order.device, job=job, on_structure=lambda s: sender.send(Drawn(s)))
        of_structures = {structure.name: structure.findings for structure in drawn.structure_set.structures}
        sender.send(Done(drawn.structure_set.findings, of_structures))
    except AutoContourError as error:
        sender.send(Failed(error))
    except Exception as error:  # noqa: BLE001  (a process must not die in silence)
        sender.send(Failed(AutoContourError("AC-PL-011", reason=f"{type(error).__name__}: {error}")))
    sender.close()
