"""Site templates: the structures to draw and the clinic's names for them, in files that a physicist can edit.

A template is a TOML file::

    title = "Head and neck"
    smallest_island_cc = 0.1        # pieces smaller than this are dropped, unless set for a structure

    [[structures]]
    name = "Hirnstamm"              # the clinic's own name, as written to the file
    tg263 = "Brainstem"             # what to draw; the name itself where it is missing
    color = "#00ffff"               # where missing: the usual colour
    type = "ORGAN"                  # RT ROI Interpreted Type; where missing: the usual one

    [[structures]]
    name = "External"
    with_mask = true                # include a thermoplastic mask; where missing: External lies on the skin

    [[structures]]
    name = "Hirnstamm_PRV03"
    tg263 = "Brainstem_PRV03"
    margin_of = "Hirnstamm"         # drawn from another structure of the template
    margin_mm = 3                   # or [left, right, anterior, posterior, superior, inferior]
"""

# `annotations` is not imported from __future__: cattrs needs the limits (see `autocontour.base.typed`).

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from autocontour.base.errors import UsageError
from autocontour.base.findings import Finding
from autocontour.base.limits import Length, Pattern, Range, Text, Unique, shown
from autocontour.base.typed import SettingsError, read_file, read_toml

FOLDER = Path(__file__).parent / "templates"
Margins = tuple[float, float, float, float, float, float]

Name = Annotated[str, Text(64)]
Millimetres = Annotated[float, Range(-200, 200)]
Volume = Annotated[float, Range(0, 1e6)]


@dataclass(frozen=True, slots=True)
class TemplateStructure:
    """One structure of a template.

    Attributes
    ----------
    name
        The clinic's own name, written as ROI Name.
    tg263_name
        Its TG-263 name, used by the rules and networks.
    color_rgb, interpreted_type
        None where the usual ones apply.
    smallest_island_cc
        Pieces of a smaller volume are dropped.
    margin_of, margins_mm
        Name of the structure it is grown from, and how far to the patient's left, right, anterior, posterior,
        superior and inferior.
    with_mask
        Whether External includes a thermoplastic mask.
    """

    name: str
    tg263_name: str
    color_rgb: tuple[int, int, int] | None = None
    interpreted_type: str | None = None
    smallest_island_cc: float = 0.0
    margin_of: str | None = None
    margins_mm: Margins = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    with_mask: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """The structures to draw at one site.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    checksum
        SHA-256 of the file, recorded in every structure drawn by it.
    """

    name: str
    title: str
    checksum: str
    structures: tuple[TemplateStructure, ...]

    @property
    def identity(self) -> str:
        """Name and the checksum's start, as provenance records it."""
        return f"{self.name}@{self.checksum[:12]}"


def list_templates() -> list[str]:
    """Return the names of the templates in the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_template(name_or_path: str) -> Template:
    """Read a template of the program by its name, or any by its path.

    Raises
    ------
    UsageError
        ``AC-US-010`` if it does not exist, ``AC-US-011`` if it is not valid.
    """
    path = FOLDER / f"{name_or_path}.toml" if name_or_path in list_templates() else Path(name_or_path)
    try:
        raw = read_file(path)
        content = read_toml(_TemplateFile, raw)
    except OSError as error:
        raise UsageError("AC-US-010", name=shown(name_or_path), known=", ".join(list_templates())) from error
    except SettingsError as error:
        raise UsageError("AC-US-011", problems=error.problems, name=path.name, count=len(error.problems)) from error
    structures = tuple(entry.build(content.smallest_island_cc) for entry in content.structures)
    return Template(path.stem, content.title or path.stem, hashlib.sha256(raw).hexdigest(), structures)


@dataclass(frozen=True)
class _StructureEntry:
    """A structure in the file."""

    name: Name
    tg263: Name | None = None
    color: Annotated[str, Pattern("#[0-9A-Fa-f]{6}", "AC-CFG-020")] | None = None
    type: Annotated[str, Pattern("[A-Z0-9_ ]{0,16}", "AC-CFG-031")] | None = None
    smallest_island_cc: Volume | None = None
    margin_of: Name | None = None
    margin_mm: Millimetres | tuple[Millimetres, Millimetres, Millimetres, Millimetres, Millimetres, Millimetres] = 0.0
    with_mask: bool = False

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-026`` for a margin without the structure it grows, which would silently not be drawn."""
        if self.margin_of is None and self.margin_mm != 0:
            yield Finding.of("AC-CFG-026", "margin_mm", other="margin_of")

    def build(self, smallest_island_cc: float) -> TemplateStructure:
        """Return the structure of the template; `smallest_island_cc` is the default of the template."""
        color = None
        if self.color is not None:
            red, green, blue = bytes.fromhex(self.color[1:])
            color = red, green, blue
        margins = self.margin_mm if isinstance(self.margin_mm, tuple) else (self.margin_mm,) * 6
        return TemplateStructure(
            name=self.name,
            tg263_name=self.tg263 or self.name,
            color_rgb=color,
            interpreted_type=self.type,
            smallest_island_cc=smallest_island_cc if self.smallest_island_cc is None else self.smallest_island_cc,
            margin_of=self.margin_of,
            margins_mm=margins,
            with_mask=self.with_mask,
        )


@dataclass(frozen=True)
class _TemplateFile:
    """The content of the file."""

    structures: Annotated[tuple[_StructureEntry, ...], Length(1, 500), Unique("name")]
    title: Annotated[str, Text(200)] | None = None
    smallest_island_cc: Volume = 0.0

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-025`` for a margin of a structure that is not listed before."""
        for index, structure in enumerate(self.structures):
            names = [earlier.name for earlier in self.structures[:index]]
            if structure.margin_of is not None and structure.margin_of not in names:
                yield Finding.of("AC-CFG-025", f"structures[{index}].margin_of", value=shown(structure.margin_of))
