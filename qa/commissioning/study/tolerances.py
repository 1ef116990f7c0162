"""Tolerances per structure, in a file in which every number has a source."""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding
from autocontour.base.limits import Range, Text, shown
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.patient.nomenclature import SIDES, known_names
from autocontour.site.site import Agreement, list_sites, read_site

TOLERANCES = Path(__file__).with_name("tolerances.toml")


@dataclass(frozen=True)
class Tolerance:
    """The tolerances of a structure; None where none is stated (see ``tolerances.toml``)."""

    source: Annotated[str, Text(100)]
    tau_mm: Annotated[float, Range(0, 50)] | None = None
    dsc: Annotated[float, Range(0, 1)] | None = None
    hd95_mm: Annotated[float, Range(0, 200)] | None = None
    dsc_margin: Annotated[float, Range(0, 1)] | None = None
    where_drawn: bool | None = None


@dataclass(frozen=True)
class Tolerances:
    """The content of a file."""

    default: Tolerance
    structures: dict[str, Tolerance] = field(default_factory=dict)
    sources: dict[str, Annotated[str, Text(1000)]] = field(default_factory=dict)

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-010`` for sources that the file does not list, ``AC-CFG-019`` for a default without tau."""
        for name, one in {"default": self.default, **self.structures}.items():
            if one.source not in self.sources:
                known = ", ".join(map(shown, self.sources))
                yield Finding.of("AC-CFG-010", f"{name}.source", known=known, value=shown(one.source))
        if self.default.tau_mm is None:
            yield Finding.of("AC-QA-071", "default.tau_mm")

    def of(self, structure: str) -> Tolerance | None:
        """Return what the file states for a structure: its own entry before that of both sides; None for neither."""
        return self.structures.get(structure) or self.structures.get(without_side(structure))

    def unknown(self, structures: Collection[str]) -> list[str]:
        """Return the names that are neither of a structure in `structures` nor in the program's nomenclature."""
        known = {*structures, *known_names()}
        known |= set(map(without_side, known))
        return sorted(self.structures.keys() - known)

    def tau_mm(self, structure: str) -> float:
        """Return the tolerance of the surface DSC."""
        own = self.of(structure)
        tau = own.tau_mm if own and own.tau_mm is not None else self.default.tau_mm
        assert tau is not None  # see find_problems
        return tau

    def limit(self, structure: str, name: str) -> float | None:
        """Return a limit: the structure's, else the default's; None if neither states it."""
        own = self.of(structure)
        value = getattr(own, name) if own else None
        found: float | None = getattr(self.default, name) if value is None else value
        return found

    def source(self, structure: str, name: str) -> str:
        """Return where a number is from."""
        own = self.of(structure)
        return self.sources[(own if own and getattr(own, name) is not None else self.default).source]


def without_side(structure: str) -> str:
    """Return a name without its side.

    Examples
    --------
    >>> without_side("Parotid_L"), without_side("Brainstem")
    ('Parotid', 'Brainstem')
    """
    base, _, side = structure.rpartition("_")
    return base if side in SIDES else structure


def read_tolerances(path: Path | None = None) -> Tolerances:
    """Read a file of tolerances; the program's if None.

    Raises
    ------
    UsageError
        ``AC-QA-070`` with every problem of the file.
    """
    path = path or TOLERANCES
    try:
        return read_toml(Tolerances, read_file(path))
    except OSError as error:
        raise UsageError("AC-QA-070", file=path.name, reason=error.strerror or type(error).__name__) from error
    except SettingsError as error:
        reason = str(error).lstrip(": ").rstrip(".")  # the whole file has no path of a setting
        raise UsageError("AC-QA-070", file=path.name, reason=reason, problems=error.problems) from error


def published_agreement(structure: str) -> tuple[Agreement, str] | None:
    """Return the published agreement of two humans on a structure with its source; None if the program has none."""
    for name in list_sites():
        site = read_site(name)
        for one in site.structures:
            if structure in one.names and one.between_observers:
                return one.between_observers, site.sources[one.between_observers.source]
    return None
