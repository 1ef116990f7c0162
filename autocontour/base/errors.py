"""The exceptions of the program, in one hierarchy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType

from autocontour.base import register
from autocontour.base.findings import Finding

OWN = "autocontour."
WRONG_CALL = re.compile(r"\(\) (got an unexpected keyword|got multiple values|takes |missing \d)")
"""In the sentence of a TypeError: a function was called with other arguments than it has."""


class AutoContourError(Exception):
    """A refusal with a code, a sentence for the user and a remedy.

    Parameters
    ----------
    code
        A code of the register (`autocontour.base.register`), such as ``AC-CT-003``; the letters name the family.
    problems
        Every single problem, listed under the sentence; `Finding.where` is its position in a file.
    where
        What it is about, such as a file; in brackets after the sentence.
    **values
        Values of the fields in the register's sentences; never a patient's identity.
    """

    exit_code = 1

    def __init__(self, code: str, problems: Sequence[Finding] = (), where: str = "", **values: register.Value) -> None:
        super().__init__(code)
        self.code, self.problems, self.where, self.values = code, tuple(problems), where, values
        self.message, self.remedy = self.in_language("en")

    def in_language(self, language: str) -> tuple[str, str]:
        """Return the sentence and the remedy in `language`, such as ``ko``."""
        sentence = register.sentence(self.code, self.values, language)
        lines = (f"{one.where}: {one.in_language(language)[0]}".removeprefix(": ") for one in self.problems)
        whole = "\n  ".join((f"{sentence} [{self.where}]" if self.where else sentence, *lines))
        return whole, register.remedy(self.code, self.values, language)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.code, self.problems, self.where, self.values)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}{chr(10) if self.problems else ' '}{self.remedy}".rstrip()


class UsageError(AutoContourError):
    """The request itself cannot be carried out (``AC-US``)."""

    exit_code = 2


class CTError(AutoContourError):
    """A CT series that cannot be used as it is (``AC-CT``)."""

    exit_code = 3


class StructureSetError(AutoContourError):
    """A structure set that cannot be read or does not belong to the CT (``AC-RS``)."""

    exit_code = 4


class OutputError(AutoContourError):
    """A result that could not be written completely (``AC-OUT``)."""

    exit_code = 5


class ModelError(AutoContourError):
    """A model package that is damaged, unsupported or unsuitable (``AC-MD``)."""

    exit_code = 6


class CaseError(AutoContourError):
    """A case that cannot be opened or changed (``AC-CASE``)."""

    exit_code = 7


class TrainingError(AutoContourError):
    """A training run that cannot be started or continued (``AC-TR``)."""

    exit_code = 8


class TargetError(AutoContourError):
    """A structure that cannot be made by its recipe (``AC-TG``)."""

    exit_code = 9


class DatasetError(AutoContourError):
    """A data set that cannot be built or used (``AC-DS``)."""

    exit_code = 10


class AdaptError(AutoContourError):
    """A package for one patient that cannot be made (``AC-AD``)."""

    exit_code = 11


class QueueError(AutoContourError):
    """The queue cannot be used, or a series in it cannot be contoured (``AC-QU``)."""

    exit_code = 12


class FollowError(AutoContourError):
    """Corrected slices that cannot be carried to the others (``AC-FO``)."""

    exit_code = 13


class CourseError(AutoContourError):
    """A course that cannot be used, or a CT in it that cannot be contoured (``AC-CO``)."""

    exit_code = 15


class LearningError(AutoContourError):
    """Learning from approved cases that is switched off or cannot go on (``AC-LN``)."""

    exit_code = 14


class Cancelled(AutoContourError):  # noqa: N818  (not a fault)
    """The user asked to stop."""

    exit_code = 130

    def __init__(self, code: str = "AC-US-130") -> None:
        super().__init__(code)


def _again(
    kind: type[AutoContourError],
    code: str,
    problems: tuple[Finding, ...],
    where: str,
    values: dict[str, register.Value],
) -> AutoContourError:
    """Recreate an error received from another process."""
    error = kind.__new__(kind)
    AutoContourError.__init__(error, code, problems, where, **values)
    return error


def is_program_error(error: BaseException) -> bool:
    """Return whether an exception is a fault of the program, which no content of a file can cause.

    A name or module that does not exist, an attribute that a module or a class of the program does not have, or a call
    with other arguments than a function has. Where files are read under a guard, such an exception must not be reported
    as a damaged file. Any other TypeError or AttributeError may come from the file.
    """
    if isinstance(error, ImportError):
        return True
    if isinstance(error, AttributeError):
        owner = error.obj if isinstance(error.obj, ModuleType | type) else type(error.obj)
        return isinstance(owner, ModuleType) or owner.__module__.startswith(OWN)
    if isinstance(error, NameError) or (isinstance(error, TypeError) and WRONG_CALL.search(str(error))):
        return _raising_module(error).startswith(OWN)
    return False


def _raising_module(error: BaseException) -> str:
    """Return the name of the module in which an exception was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return str(place.tb_frame.f_globals.get("__name__", "")) if place else ""
