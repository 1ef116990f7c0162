"""Contouring in a Dask worker: what runs on the other computer."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autocontour.base.errors import AutoContourError, QueueError
from autocontour.queue.installation import Installation, describe_installation, describe_program, differences
from autocontour.queue.tasks import (
    WRITING,
    Contoured,
    Event,
    Failed,
    Progress,
    Task,
    TaskJob,
    contour_task,
    error_of,
    read_task,
    write_task,
)

DIFFERS, OTHER_PLAN = "AC-QU-023", "AC-QU-025"
"""The program is another one; the packages or the template of this series are others."""
_jobs: dict[str, TaskJob] = {}


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker returns: how a task ended, and the file that it wrote."""

    event: Contoured | Failed
    data: bytes = field(default=b"", repr=False)


def contour_remotely(task: Task, key: str, topic: str, expected: Installation) -> Result:
    """Contour a series in this worker; nothing remains on its disk.

    Parameters
    ----------
    task
        The series. Its output is the path on the computer of the queue, and is not used.
    key
        Identifies the attempt, to cancel it.
    topic
        Of Dask events, to which the progress is sent.
    expected
        The installation of the computer of the queue; with another one nothing is contoured (``AC-QU-023``).
    """
    from distributed import get_worker

    worker = get_worker()

    def send(event: Event) -> None:
        if isinstance(event, Progress):
            worker.log_event(topic, {"key": key, "stage": event.stage, "fraction": event.fraction})

    job = _jobs[key] = TaskJob(task.number, send)
    try:
        check_installation(task, expected)
        with tempfile.TemporaryDirectory(dir=worker.local_directory) as folder:
            return _contour(replace(task, output=Path(folder) / "RS.dcm"), job, send)
    except Exception as error:  # noqa: BLE001  (any error is the end of this task alone)
        return Result(Failed(task.number, error_of(error)))
    finally:
        del _jobs[key]


def check_installation(task: Task, expected: Installation) -> None:
    """Raise if this installation differs from that of the computer of the queue.

    Raises
    ------
    QueueError
        ``AC-QU-023`` if the program differs, ``AC-QU-025`` if only the packages or the template do.
    """
    if different := differences(describe_program(), expected.program):
        raise QueueError(DIFFERS, parts=", ".join(different)[:200])
    try:
        different = differences(describe_installation(task.options).plan, expected.plan)
    except AutoContourError as error:
        different = [error.code]
    if different:
        raise QueueError(OTHER_PLAN, parts=", ".join(different)[:200])


def _contour(task: Task, job: TaskJob, send: Callable[[Event], None]) -> Result:
    ct, seconds = read_task(task, job)
    structure_set, seconds = contour_task(task, job, ct, seconds)
    send(Progress(task.number, WRITING, 0.0))
    event = write_task(task, job, ct, structure_set, seconds)
    data = task.output.read_bytes()
    if hashlib.sha256(data).hexdigest() != event.checksum:
        raise QueueError("AC-QU-015")
    return Result(event, data)


def cancel_remotely(key: str) -> None:
    """Stop an attempt in this worker at its next step."""
    with suppress(KeyError):
        _jobs[key].cancel()


def dask_setup(worker: Any) -> None:  # noqa: ANN401
    """Load what each series needs, and keep the networks; Dask calls this when a worker starts."""
    from autocontour.models.inference.runtime import keep_runners

    del worker
    keep_runners()
