"""What a check noticed, in words for the user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from autocontour.base import register


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
    values
        (name, value) of each field of the code's sentences in the register, for saying them in another language.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    remedy: str = ""
    slices: tuple[int, ...] = ()
    values: tuple[tuple[str, register.Value], ...] = ()

    @classmethod
    def of(
        cls,
        code: str,
        where: str = "",
        slices: Iterable[int] = (),
        severity: Severity | None = None,
        **values: register.Value,
    ) -> Finding:
        """Make the Finding that the register describes.

        Parameters
        ----------
        code
            A code of the register.
        where, slices
            As the attributes.
        severity
            In place of the register's.
        **values
            What the register's sentences are filled with; never a patient's identity.
        """
        settled = Severity[register.read_register()[code].severity] if severity is None else severity
        message, remedy = register.sentence(code, values), register.remedy(code, values)
        return cls(code, settled, message, where, remedy, tuple(sorted({*slices})), tuple(values.items()))

    def in_language(self, language: str) -> tuple[str, str]:
        """Return the sentence and the remedy in `language`, such as ``ko``."""
        known = register.read_register().get(self.code)
        values = dict(self.values)
        if known is None or not register.fields_of(known.sentence["en"]) <= set(values):
            return self.message, self.remedy  # written by a version that knew no register
        return register.sentence(self.code, values, language), register.remedy(self.code, values, language)

    def to_json(self) -> dict[str, Any]:
        """Return the Finding as plain JSON values, the severity by its name."""
        plain = {"severity": self.severity.name, "slices": list(self.slices), "values": dict(self.values)}
        return {**asdict(self), **plain}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Finding:
        """Return the Finding that `to_json` made, also of a program that knew of no slices or values."""
        return cls(
            **{
                **record,
                "severity": Severity[record["severity"]],
                "slices": tuple(record.get("slices", ())),
                "values": tuple(dict(record.get("values", {})).items()),
            }
        )
