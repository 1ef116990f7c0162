"""Findings: the results of checks, with messages for the user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any

from autocontour.base import register

ACCEPTED = "AC-US-090"
"""Code of the sentence round a finding that blocked and that the user accepted."""


class Severity(IntEnum):
    """Severity of a Finding, in ascending order."""

    INFO = 0
    WARN = 1
    BLOCK = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check.

    Attributes
    ----------
    code
        Stable code of the case, such as ``AC-CT-003``.
    severity
        ``BLOCK`` stops the work unless the user accepts it explicitly.
    message
        One sentence, without any patient identity.
    where
        Its subject: a file, a series, a structure, a slice.
    remedy
        One sentence: what the user can do.
    slices
        Indices of the affected CT slices, ascending; empty if it does not concern particular slices.
    values
        (name, value) of each field of the code's sentences in the register, for other languages.
    accepted
        Whether it blocked and the user accepted it; the message states this, and there is no remedy.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    remedy: str = ""
    slices: tuple[int, ...] = ()
    values: tuple[tuple[str, register.Value], ...] = ()
    accepted: bool = False

    @classmethod
    def of(
        cls,
        code: str,
        where: str = "",
        slices: Iterable[int] = (),
        severity: Severity | None = None,
        **values: register.Value,
    ) -> Finding:
        """Create a Finding of a code in the register.

        Parameters
        ----------
        code
            A code of the register.
        where, slices
            As the attributes.
        severity
            Replaces the register's severity.
        **values
            Values of the fields in the register's sentences; never a patient's identity.
        """
        settled = Severity[register.read_register()[code].severity] if severity is None else severity
        message, remedy = register.sentence(code, values), register.remedy(code, values)
        return cls(code, settled, message, where, remedy, tuple(sorted({*slices})), tuple(values.items()))

    def accept(self) -> Finding:
        """Return the warning that the user accepted this blocking finding; any other finding as it is."""
        if self.severity is not Severity.BLOCK:
            return self
        message = register.sentence(ACCEPTED, {"finding": self.message})
        return replace(self, severity=Severity.WARN, message=message, remedy="", accepted=True)

    def in_language(self, language: str) -> tuple[str, str]:
        """Return the sentence and the remedy in `language`, such as ``ko``."""
        known = register.read_register().get(self.code)
        values = dict(self.values)
        if known is None or not register.fields_of(known.sentence["en"]) <= set(values):
            return self.message, self.remedy  # written by a version without the register
        sentence = register.sentence(self.code, values, language)
        if self.accepted:
            return register.sentence(ACCEPTED, {"finding": sentence}, language), ""
        return sentence, register.remedy(self.code, values, language)

    def to_json(self) -> dict[str, Any]:
        """Return the Finding as plain JSON values, the severity by its name.

        Whether it was accepted stands in the message alone: older versions refuse attributes that they do not know.
        """
        plain = {"severity": self.severity.name, "slices": list(self.slices), "values": dict(self.values)}
        record = {**asdict(self), **plain}
        del record["accepted"]
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Finding:
        """Return the Finding from the output of `to_json`, also of versions without slices or values."""
        return cls(
            **{
                **record,
                "severity": Severity[record["severity"]],
                "slices": tuple(record.get("slices", ())),
                "values": tuple(dict(record.get("values", {})).items()),
                "accepted": str(record.get("message", "")).startswith(register.sentence(ACCEPTED, {"finding": ""})),
            }
        )
