"""Progress and cancellation of a long task, independent of what displays them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from threading import Event
from typing import TypeVar

from autocontour.base.errors import Cancelled

Item = TypeVar("Item")


class Job:
    """A task that reports its progress and can be cancelled.

    Long functions take a ``job`` and call `advance`; a program that shows progress overrides `advance`.
    Stage names are shown to the user ("reading the CT").
    """

    def __init__(self) -> None:
        self._cancel = Event()

    def cancel(self) -> None:
        """Ask the task to stop; the next `advance` in it raises `Cancelled`."""
        self._cancel.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancel.is_set()

    def advance(self, stage: str, fraction: float) -> None:  # noqa: ARG002  (used by subclasses)
        """Report that `stage` is done to `fraction` (0 to 1).

        Raises
        ------
        Cancelled
            If `cancel` was called.
        """
        self.raise_if_cancelled()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` if `cancel` was called."""
        if self.is_cancelled:
            raise Cancelled

    def track(self, items: Iterable[Item], stage: str, total: int | None = None) -> Iterator[Item]:
        """Yield `items`, advancing `stage` after each."""
        count = total if total is not None else len(items) if isinstance(items, Sized) else 0
        self.advance(stage, 0.0)
        for done, item in enumerate(items, 1):
            yield item
            self.advance(stage, done / count if count else 1.0)


class InnerJob(Job):
    """A job inside another one: it shows no progress, and stops when the outer one is cancelled."""

    def __init__(self, outer: Job) -> None:
        super().__init__()
        self._outer = outer

    @property
    def is_cancelled(self) -> bool:
        """Whether the outer job was cancelled."""
        return self._outer.is_cancelled

    def advance(self, stage: str, fraction: float) -> None:  # noqa: ARG002
        """Raise `Cancelled` if the outer job was cancelled."""
        self.raise_if_cancelled()


def seconds_left(started: float, fraction: float) -> float:
    """Return the seconds that a task begun at `started` (`time.monotonic`) still takes; below zero if not known."""
    passed = time.monotonic() - started
    return passed * (1 - fraction) / fraction if fraction > 0.05 else -1.0
