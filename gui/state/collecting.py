"""Python's cyclic garbage is collected on the window's thread alone.

The collector runs in whatever thread happens to allocate: a reading thread would then destroy Qt and VTK objects, which
may be destroyed only on the thread they live in; elsewhere the program crashes. Whoever starts a thread calls
`collect_on_gui_thread` first (`Task`).
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QCoreApplication, QObject, QTimer

INTERVAL_MS = 500


class Collector(QObject):
    """Collects in the program's own thread, a generation at a time, as Python itself would."""

    def __init__(self, app: QCoreApplication) -> None:
        super().__init__(app)
        gc.disable()
        gc.freeze()  # to examine what the imported libraries hold takes 0.4 s, in which the window does not answer
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """Collect the oldest generation that is due."""
        counts, limits = gc.get_count(), gc.get_threshold()
        due = [generation for generation in range(3) if counts[generation] > limits[generation]]
        if due:
            gc.collect(due[-1])


def collect_on_gui_thread() -> None:
    """Switch the automatic collector off and collect on the thread of the window, once for the program."""
    app = QCoreApplication.instance()
    if app is not None and app.findChild(Collector) is None:
        Collector(app)
