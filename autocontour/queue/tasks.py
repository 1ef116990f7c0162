"""Tasks: one series to contour, what happens to it, and the steps of the work."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autocontour.base.errors import AutoContourError, Cancelled, CTError, QueueError
from autocontour.base.jobs import Job
from autocontour.queue.record import Content, Options

if TYPE_CHECKING:
    from autocontour.patient.structures import StructureSet
    from autocontour.patient.volume import CTVolume

PROGRESS_S = 0.5
"""Longest time between two reports of one stage."""
CRASH = "AC-QU-009"
"""The process that contoured a series ended."""
GPU_ERRORS = frozenset({"AC-MD-034", "AC-MD-038"})
"""After them the process starts anew: a GPU frees its memory then, and an error may stay until then."""
WRITING = "writing the structure set"
"""Stage after which the next series may be contoured."""


@dataclass(frozen=True, slots=True)
class Task:
    """A series to contour.

    Attributes
    ----------
    number
        Its number in the queue.
    content, options
        Its files, and how it is contoured.
    output
        Path of the file to write, in the queue's folder.
    device
        For the networks.
    alone
        Whether a process ended at it before.
    """

    number: int
    content: Content = field(repr=False)  # Dask may print a task
    options: Options = field(repr=False)
    output: Path = field(repr=False)
    device: str = "auto"
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A task has advanced."""

    number: int
    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Contoured:
    """The file of a task is written: its SHA-256, and the report."""

    number: int
    checksum: str
    report: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A task has ended without a file."""

    number: int
    error: AutoContourError


@dataclass(frozen=True, slots=True)
class Returned:
    """A task has ended without a file, for a reason that is not in its series: it goes back to the queue."""

    number: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to report, with its values."""

    name: str
    values: Mapping[str, Any]


Event = Progress | Contoured | Failed | Returned | Notice


class Workers(Protocol):
    """What contours the series: a process of this computer, or the workers of a cluster.

    Attributes
    ----------
    places
        How many series are contoured at the same time.
    """

    @property
    def places(self) -> int:
        """See the class."""
        ...

    def has_place(self) -> bool:
        """Whether another series may be sent."""
        ...

    def takes(self, task: Task) -> bool:
        """Whether this series may be sent now."""
        ...

    def send(self, task: Task) -> str:
        """Send a task, which ends with `Contoured`, `Failed` or `Returned`; return the worker's name, if any."""
        ...

    def cancel(self, number: int) -> None:
        """Stop a task at its next step; it ends with `Failed`."""
        ...

    def end(self, number: int) -> None:
        """Stop a task at once, without an event of its own; tasks that are stopped with it are returned."""
        ...

    def poll(self, timeout_s: float) -> Iterator[Event]:
        """Yield what has happened; wait up to `timeout_s` for something to happen."""
        ...

    def require(self) -> None:
        """Raise if nothing can contour, although a series waits."""
        ...

    def stop(self) -> None:
        """Stop everything at once, without events."""
        ...


class TaskJob(Job):
    """Sends the progress of a task, not too often."""

    def __init__(self, number: int, send: Callable[[Event], None]) -> None:
        super().__init__()
        self._number, self._send, self._stage, self._sent = number, send, "", 0.0

    def advance(self, stage: str, fraction: float) -> None:
        """Note the progress, and send it if the stage is new or some time has passed."""
        super().advance(stage, fraction)
        now = time.monotonic()
        if stage != self._stage or now - self._sent > PROGRESS_S:
            self._stage, self._sent = stage, now
            self._send(Progress(self._number, stage, fraction))


def read_task(task: Task, job: Job) -> tuple[CTVolume, dict[str, float]]:
    """Read the CT of a task; return it and the seconds."""
    from autocontour.dicom.ct import read_ct
    from autocontour.queue.intake import find_content

    start = time.perf_counter()
    if job.is_cancelled:
        raise Cancelled
    ct = read_ct(find_content(task.content, job), job, frozenset(task.options.accepted))
    return ct, {"reading": time.perf_counter() - start}


def contour_task(
    task: Task, job: Job, ct: CTVolume, seconds: Mapping[str, float]
) -> tuple[StructureSet, dict[str, float]]:
    """Contour the CT of a task; return the structure set and the seconds of all stages."""
    from autocontour.pipeline.contour import check_drawn, contour_ct
    from autocontour.pipeline.plan import read_plan

    plan = read_plan(task.options.template, task.options.structures, task.options.package)
    contoured = contour_ct(ct, plan, device=task.device, job=job)
    check_drawn(contoured.structure_set, plan)
    return contoured.structure_set, {**seconds, **contoured.seconds}


def write_task(
    task: Task, job: Job, ct: CTVolume, structure_set: StructureSet, seconds: Mapping[str, float]
) -> Contoured:
    """Write the structure set of a task and read it back."""
    from autocontour.pipeline.report import build_report
    from autocontour.rtstruct import write_structure_set

    start = time.perf_counter()
    write_structure_set(structure_set, ct, task.output, job=job)
    checksum = hashlib.sha256(task.output.read_bytes()).hexdigest()
    seconds = {**seconds, "writing": time.perf_counter() - start}
    report = build_report(task.content.uid, task.output, structure_set, ct.geometry, seconds)
    return Contoured(task.number, checksum, {**report.to_json(), "output": None})


def error_of(error: Exception) -> AutoContourError:
    """Return any error as one with a code, so that no series stops the others."""
    if isinstance(error, AutoContourError):
        return error
    if isinstance(error, MemoryError):
        return CTError("AC-CT-043")
    if isinstance(error, OSError):
        return QueueError("AC-QU-011", reason=error.strerror or type(error).__name__)
    return QueueError("AC-QU-012", reason=type(error).__name__)
