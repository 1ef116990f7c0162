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
Day = Annotated[str, Pattern(r"\d{4}-\d{2}-\d{2}", "AC-CFG-036")]


@dataclass(frozen=True)
class PatientBinding:
    """Entry ``patient`` of a package's metadata.

    Attributes
    ----------
    salt, key
        See `patient_key`.
    expires
        First day on which it is no longer used, YYYY-MM-DD.
    """

    salt: Hexadecimal
    key: Hexadecimal
    expires: Day

    @classmethod
    def of(cls, facts: PatientFacts, days: int, today: date) -> "PatientBinding":
        """Bind to a patient for some days from `today`."""
        salt = secrets.token_hex(32)
        return cls(salt, patient_key(facts, salt), (today + timedelta(days=days)).isoformat())

    def is_for(self, facts: PatientFacts) -> bool:
        """Return whether the facts are those of its patient."""
        return bool(facts.patient_id) and patient_key(facts, self.salt) == self.key

    def is_expired(self, today: date) -> bool:
        """Return whether it is no longer used."""
        return today.isoformat() >= self.expires


def patient_key(facts: PatientFacts, salt: str) -> str:
    """Return the salted SHA-256 of Patient ID and birth date; blanks around them do not count."""
    text = "\n".join((salt, facts.patient_id.strip(), facts.birth_date.strip()))
    return hashlib.sha256(text.encode()).hexdigest()
