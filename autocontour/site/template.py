"""Site templates: the structures to draw and the clinic's names for them, in files that a physicist can edit.

A template is a TOML file::

    title = "Head and neck"
    smallest_island_cc = 0.1        # pieces smaller than this are dropped, unless set for a structure

    [[structures]]
    name = "Hirnstamm"              # the clinic's own name, as written to the file
    tg263 = "Brainstem"             # what to draw; the name itself where it is missing
    color = "#00ffff"               # where missing: the usual colour
    type = "ORGAN"                  # RT ROI Interpreted Type; where missing: the usual one
    drawn_by = ["my-package", "rules"]  # tried in this order, no others; where missing: rules, then the packages

    [[structures]]
    name = "External"
    with_mask = true                # include a thermoplastic mask; where missing: External lies on the skin

    [[structures]]
    name = "Hirnstamm_PRV03"
    tg263 = "Brainstem_PRV03"
    margin_of = "Hirnstamm"         # drawn from another structure of the template
    margin_mm = 3                   # or [left, right, anterior, posterior, superior, inferior]

    [[recipes]]                     # made from structures that are drawn, imported or made by another recipe
    name = "PTV_High"
    sources = ["CTV_High"]          # united
    margin_mm = 5                   # as above; negative values shrink
    plus = []                       # united with the sources after their margin
    inside = "External"             # the result is kept inside it …
    inside_mm = 3                   # … by this distance
    minus = [{ name = "SpinalCord", gap_mm = 2 }]
    type = "PTV"                    # where missing: the usual one
    color = "#ff6347"
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
from autocontour.patient.matching import folded_name
from autocontour.patient.recipe import Margins, Minus, NamedRecipe, Recipe, find_cycle

FOLDER = Path(__file__).parent / "templates"

Name = Annotated[str, Text(64)]
Millimetres = Annotated[float, Range(-200, 200)]
Distance = Annotated[float, Range(0, 200)]
Volume = Annotated[float, Range(0, 1e6)]
Color = Annotated[str, Pattern("#[0-9A-Fa-f]{6}", "AC-CFG-020")]
Type = Annotated[str, Pattern("[A-Z0-9_ ]{0,16}", "AC-CFG-031")]
MarginSetting = Millimetres | tuple[Millimetres, Millimetres, Millimetres, Millimetres, Millimetres, Millimetres]


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
    drawn_by
        ``rules`` and names of packages in the order in which they are tried; empty for the usual order.
    """

    name: str
    tg263_name: str
    color_rgb: tuple[int, int, int] | None = None
    interpreted_type: str | None = None
    smallest_island_cc: float = 0.0
    margin_of: str | None = None
    margins_mm: Margins = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    with_mask: bool = False
    drawn_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """The structures to draw at one site.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    checksum
        SHA-256 of the file, recorded in every structure drawn by it.
    recipes
        Structures that are made from others; none is made from itself.
    """

    name: str
    title: str
    checksum: str
    structures: tuple[TemplateStructure, ...]
    recipes: tuple[NamedRecipe, ...] = ()

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
    recipes = tuple(entry.build() for entry in content.recipes)
    return Template(path.stem, content.title or path.stem, hashlib.sha256(raw).hexdigest(), structures, recipes)


@dataclass(frozen=True)
class _StructureEntry:
    """A structure in the file."""

    name: Name
    tg263: Name | None = None
    color: Color | None = None
    type: Type | None = None
    smallest_island_cc: Volume | None = None
    margin_of: Name | None = None
    margin_mm: MarginSetting = 0.0
    with_mask: bool = False
    drawn_by: Annotated[tuple[Name, ...], Length(0, 20), Unique()] = ()

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-026`` for a margin without the structure it grows, which would silently not be drawn.

        ``AC-CFG-038`` for drawers of a structure that is grown from another one.
        """
        if self.margin_of is None and self.margin_mm != 0:
            yield Finding.of("AC-CFG-026", "margin_mm", other="margin_of")
        if self.margin_of is not None and self.drawn_by:
            yield Finding.of("AC-CFG-038", "drawn_by", other="margin_of")

    def build(self, smallest_island_cc: float) -> TemplateStructure:
        """Return the structure of the template; `smallest_island_cc` is the default of the template."""
        return TemplateStructure(
            name=self.name,
            tg263_name=self.tg263 or self.name,
            color_rgb=_rgb(self.color),
            interpreted_type=self.type,
            smallest_island_cc=smallest_island_cc if self.smallest_island_cc is None else self.smallest_island_cc,
            margin_of=self.margin_of,
            margins_mm=_margins(self.margin_mm),
            with_mask=self.with_mask,
            drawn_by=self.drawn_by,
        )


@dataclass(frozen=True)
class _MinusEntry:
    """A structure that a recipe takes away."""

    name: Name
    gap_mm: Distance = 0.0


@dataclass(frozen=True)
class _RecipeEntry:
    """A recipe in the file."""

    name: Name
    sources: Annotated[tuple[Name, ...], Length(1, 20), Unique()]
    margin_mm: MarginSetting = 0.0
    plus: Annotated[tuple[Name, ...], Length(0, 20), Unique()] = ()
    inside: Name | None = None
    inside_mm: Distance = 0.0
    minus: Annotated[tuple[_MinusEntry, ...], Length(0, 20), Unique("name")] = ()
    color: Color | None = None
    type: Type | None = None

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-026`` for a distance without the structure it refers to."""
        if self.inside is None and self.inside_mm:
            yield Finding.of("AC-CFG-026", "inside_mm", other="inside")

    def build(self) -> NamedRecipe:
        """Return the recipe."""
        minus = tuple(Minus(one.name, one.gap_mm) for one in self.minus)
        recipe = Recipe(self.sources, _margins(self.margin_mm), self.plus, self.inside or "", self.inside_mm, minus)
        return NamedRecipe(self.name, recipe, self.type or "", _rgb(self.color))


@dataclass(frozen=True)
class _TemplateFile:
    """The content of the file."""

    structures: Annotated[tuple[_StructureEntry, ...], Length(1, 500), Unique("name")]
    title: Annotated[str, Text(200)] | None = None
    smallest_island_cc: Volume = 0.0
    recipes: Annotated[tuple[_RecipeEntry, ...], Length(0, 100), Unique("name")] = ()

    def find_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-025`` for a margin of a structure that is not listed before, and problems of recipes."""
        for index, structure in enumerate(self.structures):
            names = [earlier.name for earlier in self.structures[:index]]
            if structure.margin_of is not None and structure.margin_of not in names:
                yield Finding.of("AC-CFG-025", f"structures[{index}].margin_of", value=shown(structure.margin_of))
        yield from self._find_recipe_problems()

    def _find_recipe_problems(self) -> Iterator[Finding]:
        """Yield ``AC-CFG-015`` for a name that a structure has, ``AC-CFG-033`` for a cycle."""
        drawn = {folded_name(structure.name) for structure in self.structures}
        for index, entry in enumerate(self.recipes):
            if folded_name(entry.name) in drawn:
                yield Finding.of("AC-CFG-015", f"recipes[{index}].name", value=shown(entry.name))
        if cycle := find_cycle({entry.name: entry.build().recipe for entry in self.recipes}):
            yield Finding.of("AC-CFG-033", "recipes", chain=" ← ".join(cycle))


def _rgb(color: str | None) -> tuple[int, int, int] | None:
    if color is None:
        return None
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def _margins(setting: float | Margins) -> Margins:
    return setting if isinstance(setting, tuple) else (setting, setting, setting, setting, setting, setting)
