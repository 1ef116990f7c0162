"""How long the window does not answer: the longest time between two turns of its event loop."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 5


class PauseMeter(QObject):
    """Measures pauses from its start to its end; to be used as a context manager.

    Attributes
    ----------
    longest_s
        The longest pause by the clock; on a busy machine others' work is in it.
    longest_computed_s
        The most processor time that the window's own thread spent in one turn.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.longest_s = self.longest_computed_s = 0.0
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> PauseMeter:
        self._last = (time.perf_counter(), time.thread_time())
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        self.longest_s = max(self.longest_s, now[0] - self._last[0])
        self.longest_computed_s = max(self.longest_computed_s, now[1] - self._last[1])
        self._last = now
