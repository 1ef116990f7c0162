"""The table of methods: whose contours are chosen for a structure, and when propagated ones are doubtful."""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, TypeVar

from autocontour.base.errors import CourseError
from autocontour.base.files import shown_path
from autocontour.base.limits import Length, OneOf, Range, Text, Unique
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.registration.propagate import Trust

PATIENT, GENERAL, PROPAGATED = "patient", "general", "propagated"
METHODS = (PATIENT, GENERAL, PROPAGATED)
SUFFIX = {PATIENT: "^own", GENERAL: "^net", PROPAGATED: "^prop"}
"""Added to a structure's name where the contours of every method are kept."""
BUNDLED = Path(__file__).with_name("methods.toml")

Kind = TypeVar("Kind")
Pattern_ = Annotated[str, Text(100)]
Method = Annotated[str, OneOf(METHODS)]
Positive = Annotated[float, Range(0, 1000)]


@dataclass(frozen=True)
class Doubtful:
    """Limits beyond which a propagated structure is doubtful; see `Trust`."""

    error_over_thickness: Positive = 0.5
    inconsistency_mm: Positive = 4.0
    lowest_jacobian: Annotated[float, Range(-10, 1)] = 0.35
    highest_jacobian: Annotated[float, Range(1, 100)] = 2.5
    smallest_volume_ratio: Annotated[float, Range(0, 1)] = 0.6
    largest_volume_ratio: Annotated[float, Range(1, 100)] = 1.5

    def reasons(self, trust: Trust) -> Iterator[str]:
        """Yield why a structure is doubtful."""
        if trust.inconsistency_mm > self.inconsistency_mm:
            yield f"there and back differ by {trust.inconsistency_mm:.1f} mm"
        if trust.error_over_thickness > self.error_over_thickness:
            off, thick = trust.inconsistency_mm + trust.residual_mm, trust.thickness_mm
            yield f"the surface may be {off:.1f} mm off at a thickness of {thick:.1f} mm"
        if trust.lowest_jacobian < self.lowest_jacobian:
            yield f"Jacobian {trust.lowest_jacobian:.2f}"
        if trust.highest_jacobian > self.highest_jacobian:
            yield f"Jacobian {trust.highest_jacobian:.2f}"
        whole = trust.cut_later < 0.02 and not trust.cut_earlier
        if whole and not self.smallest_volume_ratio <= trust.volume_ratio <= self.largest_volume_ratio:
            yield f"volume times {trust.volume_ratio:.2f}"


@dataclass(frozen=True)
class Choice:
    """The order of methods for some structures."""

    structures: Annotated[tuple[Pattern_, ...], Length(1, 200), Unique()]
    methods: Annotated[tuple[Method, ...], Length(1, 3), Unique()]


@dataclass(frozen=True)
class Table:
    """The content of the file."""

    choices: Annotated[tuple[Choice, ...], Length(1, 200)]
    doubtful: Doubtful = Doubtful()
    least_dsc: Annotated[float, Range(0, 1)] = 0.7

    def order_for(self, *names: str) -> tuple[str, ...]:
        """Return the methods for a structure with these names, best first; none if no entry fits."""
        for choice in self.choices:
            if any(fits(name, choice.structures) for name in names if name):
                return choice.methods
        return ()

    def choose(self, names: Collection[str], drawn: Collection[str], doubted: Collection[str]) -> str:
        """Return the method whose contours are chosen; empty if no method of the table drew the structure.

        Parameters
        ----------
        names
            Of the structure.
        drawn, doubted
            Methods that drew it, and those of them whose contours are doubtful.

        Examples
        --------
        >>> table = read_table()
        >>> table.choose(["Brainstem"], ["general", "propagated"], ["propagated"])
        'general'
        >>> table.choose(["CTV_High"], ["general", "propagated"], ["propagated"])
        'propagated'
        """
        order = [method for method in self.order_for(*names) if method in drawn]
        return next((method for method in order if method not in doubted), order[0] if order else "")


def fits(name: str, patterns: Collection[str]) -> bool:
    """Whether a name fits one of the patterns, case ignored."""
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


def read_table(path: Path | None = None) -> Table:
    """Read a table of methods; by default the program's own.

    Raises
    ------
    CourseError
        ``AC-CO-005`` if it is not valid, ``AC-CO-006`` if it cannot be read.
    """
    return read_settings(Table, path or BUNDLED)


def read_settings(kind: type[Kind], path: Path) -> Kind:
    """Read a TOML file of the course as `kind`; errors as `read_table`."""
    try:
        return read_toml(kind, read_file(path))
    except OSError as error:
        raise CourseError("AC-CO-006", file=shown_path(path), reason=error.strerror or type(error).__name__) from error
    except SettingsError as error:
        problems = error.problems
        raise CourseError("AC-CO-005", problems=problems, file=shown_path(path), count=len(problems)) from error
