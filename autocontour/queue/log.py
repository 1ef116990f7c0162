"""The log of the queue: one JSON object per line, without patient identity and without paths."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MOST_BYTES, KEPT = 10_000_000, 4


class Log:
    """A log file in a folder; the oldest part is removed when it grows. A full disk does not stop a run."""

    def __init__(self, folder: Path, name: str = "queue.log") -> None:
        self.path = folder / name

    def write(self, event: str, values: dict[str, Any]) -> None:
        """Append an event with its time (UTC)."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **values})
        with suppress(OSError):
            if self.path.exists() and self.path.stat().st_size > MOST_BYTES:
                self._shift()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _shift(self) -> None:
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{number}") for number in range(1, KEPT + 1))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
