"""The record of a gate: plan, data, limits and result in one sealed file.

It holds what a predetermined change control plan asks for (FDA guidance of December 2024, "Marketing Submission
Recommendations for a Predetermined Change Control Plan for Artificial Intelligence-Enabled Device Software Functions"):
which package was compared with which, on which data, within which limits, and with what result. The seal is a
checksum of the whole content: a record that was changed is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import UsageError
from autocontour.base.files import write_atomically
from autocontour.base.typed import SettingsError, read_json

FORMAT = "autocontour gate"


@dataclass(frozen=True)
class GateRecord:
    """A record.

    Attributes
    ----------
    content
        Plain values: ``candidate`` and ``against`` (name, version, checksum), ``sites`` (name, split, patients,
        checksum of their fingerprints), ``limits``, ``judgements``, ``passed``, ``created``, ``program``.
    """

    content: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the candidate may replace the package in use."""
        return bool(self.content["passed"])

    @property
    def candidate(self) -> str:
        """Checksum of the candidate."""
        return str(self.content["candidate"]["checksum"])

    @property
    def against(self) -> str:
        """Checksum of the package in use."""
        return str(self.content["against"]["checksum"])

    @property
    def seal(self) -> str:
        """SHA-256 of the content."""
        return seal_of(self.content)


def seal_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values, whatever the order of the keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_record(path: Path, record: GateRecord) -> None:
    """Write a record with its seal."""
    text = json.dumps({**record.content, "seal": record.seal}, indent=1, ensure_ascii=True, allow_nan=False)
    write_atomically(path, text.encode())


def read_record(path: Path) -> GateRecord:
    """Read a record and check its seal.

    Raises
    ------
    UsageError
        ``AC-QA-038`` if it is not a record, or was changed after it was written.
    """
    try:
        stored = read_json(path.read_bytes())
        seal = stored.pop("seal")
        record = GateRecord(stored)
        _ = record.candidate, record.against, record.passed
        unchanged = stored["format"] == FORMAT and record.seal == seal
    except (OSError, SettingsError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError("AC-QA-038", file=path.name, reason=type(error).__name__) from error
    if not unchanged:
        raise UsageError("AC-QA-038", file=path.name, reason="its seal does not fit its content")
    return record
