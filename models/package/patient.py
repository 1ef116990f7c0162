"""A package for one patient: whom it is for, and until when.

The patient is not named: the package holds a random salt and the salted checksum of Patient ID and birth date.
"""

# `annotations` is not imported from __future__: cattrs needs the limits.

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from autocontour.base.limits import Pattern
from autocontour.patient.identity import PatientFacts

Hexadecimal = Annotated[str, Pattern("[0-9a-f]{64}", "AC-CFG-035")]
MaybeHexadecimal = Annotated[str, Pattern("([0-9a-f]{64})?", "AC-CFG-035")]
Day = Annotated[str, Pattern(r"\d{4}-\d{2}-\d{2}", "AC-CFG-036")]
MaybeDay = Annotated[str, Pattern(r"(\d{4}-\d{2}-\d{2})?", "AC-CFG-036")]


@dataclass(frozen=True)
class PatientBinding:
    """Entry ``patient`` of a package's metadata.

    Attributes
    ----------
    salt, key
        See `patient_key`.
    expires
        First day on which it is no longer used, YYYY-MM-DD.
    made
        The day on which it was made; empty in packages of earlier versions.
    planning
        Salted checksum of the Series Instance UID of its planning CT; empty in packages of earlier versions.
    """

    salt: Hexadecimal
    key: Hexadecimal
    expires: Day
    made: MaybeDay = ""
    planning: MaybeHexadecimal = ""

    @classmethod
    def of(cls, facts: PatientFacts, days: int, today: date, series_uid: str = "") -> "PatientBinding":
        """Bind to a patient for some days from `today`; `series_uid` is the planning CT's Series Instance UID."""
        salt = secrets.token_hex(32)
        expires = (today + timedelta(days=days)).isoformat()
        planning = _salted(salt, series_uid) if series_uid else ""
        return cls(salt, patient_key(facts, salt), expires, today.isoformat(), planning)

    def is_for(self, facts: PatientFacts) -> bool:
        """Return whether the facts are those of its patient."""
        return bool(facts.patient_id) and patient_key(facts, self.salt) == self.key

    def is_expired(self, today: date) -> bool:
        """Return whether it is no longer used."""
        return today.isoformat() >= self.expires

    def is_from(self, series_uid: str) -> bool:
        """Return whether it was made from the planning CT with this Series Instance UID."""
        return bool(series_uid) and _salted(self.salt, series_uid) == self.planning


def patient_key(facts: PatientFacts, salt: str) -> str:
    """Return the salted SHA-256 of Patient ID and birth date; blanks around them do not count."""
    return _salted(salt, facts.patient_id, facts.birth_date)


def _salted(salt: str, *values: str) -> str:
    return hashlib.sha256("\n".join((salt, *(value.strip() for value in values))).encode()).hexdigest()
