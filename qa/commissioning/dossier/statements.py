"""What only the clinic can state, in a TOML file: use, limits, roles."""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import UsageError
from autocontour.base.limits import Text
from autocontour.base.typed import SettingsError, read_file, read_toml

Line = Annotated[str, Text(1000)]
Short = Annotated[str, Text(200)]


@dataclass(frozen=True)
class Statements:
    """The clinic's statements; what is empty is shown as not stated.

    Attributes
    ----------
    clinic
        Its name.
    intended_use, decision
        What the method is used for here, and what was decided.
    scanners, protocols
        For which it is accepted.
    exclusions, limits, triggers
        Patients and scans for which it is not used; known limits; what makes another commissioning necessary.
    roles
        Task → who does it.
    signatures
        The roles of those who sign.
    """

    clinic: Short = ""
    intended_use: Line = ""
    decision: Line = ""
    scanners: tuple[Line, ...] = ()
    protocols: tuple[Line, ...] = ()
    exclusions: tuple[Line, ...] = ()
    limits: tuple[Line, ...] = ()
    triggers: tuple[Line, ...] = ()
    roles: dict[str, Line] = field(default_factory=dict)
    signatures: tuple[Short, ...] = ("Physicist", "Radiation oncologist")


def read_statements(path: Path | None) -> Statements:
    """Read a file of statements; empty ones without a file.

    Raises
    ------
    UsageError
        ``AC-QA-330`` with every problem of the file.
    """
    if path is None:
        return Statements()
    try:
        return read_toml(Statements, read_file(path))
    except OSError as error:
        raise UsageError("AC-QA-330", file=path.name, reason=error.strerror or type(error).__name__) from error
    except SettingsError as error:
        raise UsageError("AC-QA-330", file=path.name, reason=str(error).rstrip("."), problems=error.problems) from error
