"""Output of commands: tables and progress for terminals, JSON for scripts."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autocontour.base.jobs import Job

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PIPE_WIDTH = 160


def console() -> Console:
    """Return a console on standard output; in a file or a pipe, lines are not wrapped."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def plain(text: object) -> str:
    """Return an external text for a terminal, without control characters and with rich's markup escaped."""
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text)))


def print_json(value: Any, *, indent: int | None = 2) -> None:  # noqa: ANN401
    """Print `value` as JSON on standard output, with escapes for characters outside its encoding.

    Without `indent` it is one line, as commands need that print one object per line.
    """
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, indent=indent, ensure_ascii=not is_unicode)
    # A lone surrogate, as in a path that is not UTF-8, is written as JSON's own escape.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


@contextmanager
def progress_job(*, quiet: bool = False) -> Iterator[Job]:
    """Yield a Job that shows its progress with the time left; Ctrl-C cancels it.

    Parameters
    ----------
    quiet
        Show nothing, as for ``--json`` or a log; without a terminal nothing is shown either.
    """
    if quiet or not sys.stderr.isatty():
        with ctrl_c_cancels(Job()) as job:
            yield job
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True)) as progress, ctrl_c_cancels(_ShownJob(progress)) as job:
        yield job


class _ShownJob(Job):
    """A Job drawn as one bar per stage."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def advance(self, stage: str, fraction: float) -> None:
        super().advance(stage, fraction)
        bar = self._bars.get(stage)
        if bar is None:
            bar = self._bars[stage] = self._progress.add_task(stage, total=1.0)
        self._progress.update(bar, completed=fraction)


@contextmanager
def ctrl_c_cancels(job: Job) -> Iterator[Job]:
    """Cancel at the first Ctrl-C (or SIGTERM), so that no file is left incomplete; a second one terminates."""

    def cancel(number: int, _frame: object) -> None:
        job.cancel()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield job
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
