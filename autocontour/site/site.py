"""Sites: the structures of a body site, as data: TG-263 names, neighbours, agreement between humans.

A site is a TOML file; codes and colours of the structures are those of `autocontour.patient.nomenclature`, plausible
volumes those of ``qa/checks/anatomy.toml``::

    title = "Thorax, organs at risk"

    [sources]
    observers = "…"

    [[structures]]
    name = "Heart"                  # TG-263; with sides = true it stands for NAME_L and NAME_R
    neighbours = ["Esophagus"]      # without side

    [structures.between_observers]  # agreement of two humans
    dsc = 0.90
    hd95_mm = 2.6
    surface_dsc_3mm = 0.97
    source = "observers"
"""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import DatasetError
from autocontour.base.findings import Finding
from autocontour.base.limits import FileName, Length, Range, Text, Unique, shown
from autocontour.base.typed import SettingsError, read_file, read_toml
from autocontour.patient.nomenclature import SIDES

FOLDER = Path(__file__).parent / "sites"

Fraction = Annotated[float, Range(0, 1)]
Name = Annotated[str, FileName()]


@dataclass(frozen=True)
class Agreement:
    """Agreement of two humans on a structure, median over patients.

    Attributes
    ----------
    dsc, hd95_mm, surface_dsc_3mm
        Of one human's contours against the other's; None where not published.
    source
        Key of the file's ``sources``.
    """

    source: Annotated[str, Text(100)]
    dsc: Fraction | None = None
    hd95_mm: Annotated[float, Range(0, 200)] | None = None
    surface_dsc_3mm: Fraction | None = None


@dataclass(frozen=True)
class SiteStructure:
    """One structure of a site.

    Attributes
    ----------
    name
        TG-263 name, without side if `sides`.
    sides
        Whether it stands for both its left and its right structure.
    neighbours
        Names without side of structures of the site that touch it or lie close.
    between_observers
        How well two humans agree; None if unknown.
    """

    name: Name
    sides: bool = False
    neighbours: Annotated[tuple[Name, ...], Length(0, 50), Unique()] = ()
    between_observers: Agreement | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its names with sides."""
        return tuple(f"{self.name}_{side}" for side in SIDES) if self.sides else (self.name,)


@dataclass(frozen=True)
class _SiteFile:
    """The content of the file."""

    title: Annotated[str, Text(200)]
    structures: Annotated[tuple[SiteStructure, ...], Length(1, 1000), Unique("name")]
    sources: dict[str, Annotated[str, Text(1000)]] = field(default_factory=dict)

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-019`` for a neighbour, or ``AC-CFG-010`` for a source, that the file does not list."""
        names = {structure.name for structure in self.structures}
        for index, structure in enumerate(self.structures):
            for neighbour in structure.neighbours:
                if neighbour not in names:
                    yield Finding.of("AC-CFG-019", f"structures[{index}].neighbours", value=shown(neighbour))
            agreement = structure.between_observers
            if agreement and agreement.source not in self.sources:
                where = f"structures[{index}].between_observers.source"
                known = ", ".join(map(shown, self.sources))
                yield Finding.of("AC-CFG-010", where, known=known, value=shown(agreement.source))


@dataclass(frozen=True)
class Site:
    """The structures of a body site.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    sources
        Key → where figures are from.
    """

    name: str
    title: str
    structures: tuple[SiteStructure, ...]
    sources: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Every structure with its sides, in the order of the file."""
        return tuple(name for structure in self.structures for name in structure.names)


def list_sites() -> list[str]:
    """Return the names of the sites in the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_site(name_or_path: str) -> Site:
    """Read a site of the program by its name, or any by its path.

    Raises
    ------
    DatasetError
        ``AC-DS-007`` if it does not exist, ``AC-DS-008`` if it is not valid.

    Examples
    --------
    >>> read_site("thorax").names[:3]
    ('External', 'Lung_L', 'Lung_R')
    """
    path = FOLDER / f"{name_or_path}.toml" if name_or_path in list_sites() else Path(name_or_path)
    try:
        content = read_toml(_SiteFile, read_file(path))
    except OSError as error:
        raise DatasetError("AC-DS-007", name=shown(name_or_path), known=", ".join(list_sites())) from error
    except SettingsError as error:
        raise DatasetError("AC-DS-008", error.problems, name=path.name, count=len(error.problems)) from error
    return Site(path.stem, content.title, content.structures, dict(content.sources))
