"""Reading export profiles: TOML files, each rule with its source."""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding, Severity
from autocontour.base.limits import Length, OneOf, Range, Text, shown
from autocontour.base.typed import SettingsError, read_file, read_toml

FOLDER = Path(__file__).parent / "profiles"
LIMITED_CHECKS = ("name_length", "label_length", "decimal_strings")
CHECKS = (*LIMITED_CHECKS, "name_characters", "unique_names", "interpreted_type", "empty", "unapproved")
HOLES = ("keyhole", "nested", "xor")


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit of a planning system.

    Attributes
    ----------
    check
        Which of `CHECKS`.
    severity
        ``BLOCK`` where the system would refuse the file, ``WARN`` where the user should decide.
    source
        Its documentation.
    limit
        A number the check needs.
    """

    check: str
    severity: Severity
    source: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """The limits of one planning system.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    holes
        How holes are written: ``keyhole``, ``nested`` or ``xor``.
    """

    name: str
    title: str
    holes: str
    rules: tuple[Rule, ...]


def list_profiles() -> list[str]:
    """Return the names of the profiles in the program, the general one first."""
    return sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda name: (name != "generic", name))


def read_profile(name_or_path: str) -> Profile:
    """Read a profile of the program by its name, or any by its path.

    Raises
    ------
    UsageError
        ``AC-US-040`` if it does not exist, ``AC-US-041`` if it is not valid.
    """
    path = FOLDER / f"{name_or_path}.toml" if name_or_path in list_profiles() else Path(name_or_path)
    try:
        content = read_toml(_ProfileFile, read_file(path))
    except OSError as error:
        raise UsageError("AC-US-040", name=shown(name_or_path), known=", ".join(list_profiles())) from error
    except SettingsError as error:
        raise UsageError("AC-US-041", problems=error.problems, name=path.name, count=len(error.problems)) from error
    rules = tuple(Rule(rule.check, Severity[rule.severity], rule.source, rule.limit or 0) for rule in content.rules)
    return Profile(path.stem, content.title, content.holes, rules)


@dataclass(frozen=True)
class _RuleEntry:
    """A rule in the file."""

    check: Annotated[str, OneOf(CHECKS)]
    severity: Annotated[str, OneOf(tuple(Severity.__members__))]
    source: Annotated[str, Text(2000)]
    limit: Annotated[int, Range(8, 1024)] | None = None

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-017`` if a required limit is missing, ``AC-CFG-032`` if the check has no limit."""
        if self.check in LIMITED_CHECKS and self.limit is None:
            yield Finding.of("AC-CFG-017", "limit")
        if self.check not in LIMITED_CHECKS and self.limit is not None:
            yield Finding.of("AC-CFG-032", "limit", check=self.check)


@dataclass(frozen=True)
class _ProfileFile:
    """The content of the file."""

    title: Annotated[str, Text(200)]
    rules: Annotated[tuple[_RuleEntry, ...], Length(1, 200)]
    holes: Annotated[str, OneOf(HOLES)] = "keyhole"
