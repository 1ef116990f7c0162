"""What a check noticed, in words for the user."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How much a Finding matters, in rising order."""

    INFO = 0
    WARN = 1
    BLOCK = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check noticed.

    Attributes
    ----------
    code
        Stable code of the case, such as ``AC-CT-003``.
    severity
        ``BLOCK`` stops the work unless the user accepts it explicitly.
    message
        One sentence, without any patient identity.
    where
        What it is about: a file, a series, a structure, a slice.
    remedy
        One sentence that says what the user can do.
    slices
        Indices of the CT's slices to look at, ascending; empty where it is about no slice in particular.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    remedy: str = ""
    slices: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the Finding as plain JSON values, the severity by its name."""
        return {**asdict(self), "severity": self.severity.name, "slices": list(self.slices)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Finding:
        """Return the Finding that `to_json` made, also of a program that knew of no slices."""
        values = {"severity": Severity[record["severity"]], "slices": tuple(record.get("slices", ()))}
        return cls(**{**record, **values})
