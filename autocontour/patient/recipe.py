"""Recipes of targets: which structures a structure is made from, and how.

The steps are carried out in this order:

1. the sources are united,
2. the margin is added, in six directions of the patient,
3. the structures of `plus` are united with the result,
4. the result is kept inside one structure (External), by a distance,
5. the structures of `minus` are taken away, each grown by its own gap.

A result is therefore never outside the structure of step 4 and never overlaps one of step 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from autocontour.patient.matching import folded_name
from autocontour.patient.nomenclature import find_term, match_name

Margins = tuple[float, float, float, float, float, float]
DIRECTIONS = ("L", "R", "A", "P", "S", "I")
"""The patient's left, right, anterior, posterior, superior and inferior: the order of margins."""
DERIVED = "derived: "
"""Start of the ROI Description of a structure that was computed from others; what it is made from follows."""
LONGEST_DESCRIPTION = 1000
NO_MARGIN: Margins = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
GROWS_INTO = {"GTV": "CTV", "CTV": "PTV"}
"""What a target with a margin is called, and its RT ROI Interpreted Type."""


@dataclass(frozen=True, slots=True)
class Minus:
    """A structure that is taken away, grown by `gap_mm`."""

    name: str
    gap_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a structure is made from others; structures are given by their names.

    Attributes
    ----------
    sources
        The structures that are united and grown.
    margins_mm
        To the patient's left, right, anterior, posterior, superior and inferior; negative ones shrink.
    plus
        Structures that are united with the grown sources.
    inside
        The structure that the result is kept inside, such as External; empty for none.
    inside_mm
        Distance from its surface.
    minus
        The structures that are taken away.
    """

    sources: tuple[str, ...]
    margins_mm: Margins = NO_MARGIN
    plus: tuple[str, ...] = ()
    inside: str = ""
    inside_mm: float = 0.0
    minus: tuple[Minus, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all structures it needs, each once."""
        inside = (self.inside,) if self.inside else ()
        return tuple(dict.fromkeys((*self.sources, *self.plus, *inside, *(one.name for one in self.minus))))

    @property
    def text(self) -> str:
        """The recipe in words.

        Examples
        --------
        >>> Recipe(("CTV",), (5.0,) * 6, inside="External", inside_mm=3, minus=(Minus("SpinalCord", 2),)).text
        'CTV + 5 mm, 3 mm inside External, minus (SpinalCord + 2 mm)'
        """
        united = " or ".join(self.sources)
        margin = margin_text(self.margins_mm)
        grown = f"({united}) {margin}" if margin and len(self.sources) > 1 else f"{united} {margin}".rstrip()
        parts = [" or ".join(([f"({grown})"] if margin else [grown]) + list(self.plus)) if self.plus else grown]
        if self.inside:
            parts.append(f"{self.inside_mm:g} mm inside {self.inside}" if self.inside_mm else f"inside {self.inside}")
        parts += [
            f"minus ({one.name} + {one.gap_mm:g} mm)" if one.gap_mm else f"minus {one.name}" for one in self.minus
        ]
        return ", ".join(parts)

    @property
    def description(self) -> str:
        """ROI Description (3006,0038) of the result, which may have 1024 characters."""
        text = f"{DERIVED}{self.text}"
        return text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION]} …"

    def renamed(self, names: Mapping[str, str]) -> Recipe:
        """Return the recipe with new names of structures, by their old ones."""

        def new(name: str) -> str:
            return names.get(name, name)

        return replace(
            self,
            sources=tuple(map(new, self.sources)),
            plus=tuple(map(new, self.plus)),
            inside=new(self.inside),
            minus=tuple(Minus(new(one.name), one.gap_mm) for one in self.minus),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Recipe:
        """Return the recipe from the output of `to_json`."""
        left, right, anterior, posterior, superior, inferior = map(float, record["margins_mm"])
        return cls(
            tuple(record["sources"]),
            (left, right, anterior, posterior, superior, inferior),
            tuple(record["plus"]),
            str(record["inside"]),
            float(record["inside_mm"]),
            tuple(Minus(str(one["name"]), float(one["gap_mm"])) for one in record["minus"]),
        )


@dataclass(frozen=True, slots=True)
class NamedRecipe:
    """A recipe of a template.

    Attributes
    ----------
    name
        Of the result.
    recipe
        How it is made.
    interpreted_type, color_rgb
        Empty and None where the usual ones apply.
    """

    name: str
    recipe: Recipe
    interpreted_type: str = ""
    color_rgb: tuple[int, int, int] | None = None


def margin_text(margins_mm: Margins) -> str:
    """Return margins in words: one number where all are equal, else with the patient's directions; empty for none.

    Examples
    --------
    >>> margin_text((5.0,) * 6), margin_text((-3.0,) * 6), margin_text((5, 5, 7, 3, 6, 6))
    ('+ 5 mm', '− 3 mm', '+ (L 5, R 5, A 7, P 3, S 6, I 6) mm')
    """
    if not any(margins_mm):
        return ""
    if len(set(margins_mm)) == 1:
        return f"{'+' if margins_mm[0] > 0 else '−'} {abs(margins_mm[0]):g} mm"
    sides = ", ".join(f"{side} {mm:g}" for side, mm in zip(DIRECTIONS, margins_mm, strict=True))
    return f"+ ({sides}) mm"


def suggested_name(recipe: Recipe) -> tuple[str, str]:
    """Return a name for the result, and its RT ROI Interpreted Type (PS3.3 C.8.8.8.1).

    A CTV grows into a PTV and a GTV into a CTV, with the rest of the name (AAPM TG-263 names targets so); another
    structure into its planning organ at risk volume. A ring around its source is for control of the dose optimisation.

    Examples
    --------
    >>> suggested_name(Recipe(("CTV_54",), (5.0,) * 6))
    ('PTV_54', 'PTV')
    >>> suggested_name(Recipe(("PTV",), (20.0,) * 6, minus=(Minus("PTV"),)))
    ('Ring_PTV', 'CONTROL')
    """
    if not recipe.sources:
        return "", ""
    source = recipe.sources[0]
    kind = find_term(match_name(source) or source).interpreted_type
    if any(one.name in recipe.sources for one in recipe.minus):
        return f"Ring_{source}", "CONTROL"
    largest = round(max(recipe.margins_mm)) if max(recipe.margins_mm) > 0 else round(min(recipe.margins_mm))
    target = next((key for key in GROWS_INTO if source.upper().startswith(key)), "")
    if target and largest >= 0:
        return GROWS_INTO[target] + source[len(target) :], GROWS_INTO[target]
    if largest > 0:
        return f"{source}_PRV{largest:02d}", kind
    return f"{source}-{-largest:02d}", kind


def find_cycle(recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """Return the names of structures that are made from one another in a circle; empty if there is none.

    Parameters
    ----------
    recipes
        Name of a result → its recipe; case and surrounding blanks of names are ignored.

    Examples
    --------
    >>> find_cycle({"A": Recipe(("B",)), "B": Recipe(("a",))})
    ('A', 'B', 'A')
    """
    by_name = {folded_name(name): (name, recipe) for name, recipe in recipes.items()}
    done: set[str] = set()

    def walk(key: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if key in path:
            yield tuple(by_name[one][0] for one in (*path[path.index(key) :], key))
        elif key in by_name and key not in done:
            for name in by_name[key][1].names:
                yield from walk(folded_name(name), (*path, key))
            done.add(key)

    return next((cycle for key in by_name for cycle in walk(key, ())), ())


def in_order(recipes: Mapping[str, Recipe]) -> list[str]:
    """Return the names of results in an order in which each comes after those it is made from.

    Raises
    ------
    ValueError
        If there is a cycle.
    """
    if find_cycle(recipes):
        raise ValueError("the recipes have a cycle")
    by_name = {folded_name(name): name for name in recipes}
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered:
            return
        for needed in recipes[name].names:
            if folded_name(needed) in by_name:
                add(by_name[folded_name(needed)])
        ordered.append(name)

    for name in recipes:
        add(name)
    return ordered
