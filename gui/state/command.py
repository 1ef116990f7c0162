"""A command of the program in a process of its own, so that the window never waits for it."""

from __future__ import annotations

import json
import sys
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

STOP_MS = 15_000
"""How long a command has to end after it was asked to."""


class Command(QObject):
    """One run of ``autocontour …``.

    Signals
    -------
    printed
        A JSON object that it printed on a line.
    ended
        It has ended: exit code, everything it printed on standard output, and on standard error.
    """

    printed = Signal(dict)
    ended = Signal(int, str, str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._end)
        self._process.errorOccurred.connect(self._fail)
        self._line, self._output = b"", b""

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, *arguments: str) -> None:
        """Start it; a command that is running is left alone."""
        if self.is_running:
            return
        self._line, self._output = b"", b""
        own = [] if getattr(sys, "frozen", False) else ["-m", "autocontour.cli"]
        self._process.start(sys.executable, [*own, *arguments])

    def stop(self) -> None:
        """Ask it to end; it is killed if it does not."""
        self._process.terminate()
        QTimer.singleShot(STOP_MS, self._process, self._process.kill)

    def _read(self) -> None:
        data = bytes(self._process.readAllStandardOutput().data())
        self._output += data
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if (values := _object(line)) is not None:
                self.printed.emit(values)

    def _end(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        error = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        died = status != QProcess.ExitStatus.NormalExit
        self.ended.emit(-1 if died else code, self._output.decode("utf-8", "replace"), error)

    def _fail(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.ended.emit(-1, "", self._process.errorString())


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
