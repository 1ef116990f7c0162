"""The exceptions of the program, in one hierarchy."""

from __future__ import annotations

from collections.abc import Sequence

from autocontour.base import register
from autocontour.base.findings import Finding


class AutoContourError(Exception):
    """A refusal with a code, a sentence for the user and a remedy.

    Parameters
    ----------
    code
        A code of the register (`autocontour.base.register`), such as ``AC-CT-003``; the letters name the family.
    message, remedy
        Sentences of a code that is not in the register yet.
    problems
        Every single problem, listed under the sentence; `Finding.where` is its position in a file.
    **values
        Values of the fields in the register's sentences; never a patient's identity.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str = "",
        remedy: str = "",
        problems: Sequence[Finding] = (),
        **values: register.Value,
    ) -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.values = values
        self.problems = tuple(problems)
        self.message = message or _with_problems(register.sentence(code, values), self.problems, "en")
        self.remedy = remedy if message else register.remedy(code, values)

    def in_language(self, language: str) -> tuple[str, str]:
        """Return the sentence and the remedy in `language`, such as ``ko``."""
        if self.code not in register.read_register():
            return self.message, self.remedy
        sentence = register.sentence(self.code, self.values, language)
        return _with_problems(sentence, self.problems, language), register.remedy(self.code, self.values, language)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.code, self.message, self.remedy, self.problems, self.values)

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


class Cancelled(AutoContourError):  # noqa: N818  (not a fault)
    """The user asked to stop."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("AC-US-130")


def _with_problems(sentence: str, problems: Sequence[Finding], language: str) -> str:
    """Return the sentence and, on a line each, the problems that it counts."""
    lines = (f"{problem.where}: {problem.in_language(language)[0]}".removeprefix(": ") for problem in problems)
    return "\n  ".join((sentence, *lines))


def _again(
    kind: type[AutoContourError],
    code: str,
    message: str,
    remedy: str,
    problems: tuple[Finding, ...],
    values: dict[str, register.Value],
) -> AutoContourError:
    """Recreate an error received from another process."""
    error = kind.__new__(kind)
    AutoContourError.__init__(error, code, message, remedy, problems)
    error.values = values
    return error
