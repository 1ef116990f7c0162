"""Every error the program raises on purpose, in one tree."""

from __future__ import annotations


class AutoContourError(Exception):
    """A refusal with a code, a sentence for the user and a remedy.

    Parameters
    ----------
    code
        Stable code of the case, such as ``AC-CT-003``; the letters name the family.
    message
        One sentence that says what is wrong, without any patient identity.
    remedy
        One sentence that says what the user can do about it.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}".rstrip()


class UsageError(AutoContourError):
    """The request itself cannot be carried out (``AC-US``)."""

    exit_code = 2


class CTError(AutoContourError):
    """A CT series that cannot be used as it is (``AC-CT``)."""

    exit_code = 3


class StructureSetError(AutoContourError):
    """A structure set that cannot be read or does not belong here (``AC-RS``)."""

    exit_code = 4


class OutputError(AutoContourError):
    """A result that could not be written whole (``AC-OUT``)."""

    exit_code = 5


class ModelError(AutoContourError):
    """A model package that is damaged, foreign or does not fit (``AC-MD``)."""

    exit_code = 6


class CaseError(AutoContourError):
    """A case that cannot be opened or changed (``AC-CASE``)."""

    exit_code = 7


class TrainingError(AutoContourError):
    """A training run that cannot start or go on (``AC-TR``)."""

    exit_code = 8


class Cancelled(AutoContourError):  # noqa: N818  (not a fault)
    """The user asked to stop."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("AC-US-130", "Stopped at your request; nothing was written.")
