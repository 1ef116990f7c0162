"""A recipe as a case stores it: bound to structures of the case, with what the result was computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autocontour.patient.recipe import Recipe


@dataclass(frozen=True)
class CaseRecipe:
    """How a structure of a case is made from others.

    Attributes
    ----------
    recipe
        What is done; it names structures by their present names.
    numbers
        Name in the recipe → ROI number of the structure; empty until it is first made.
    inputs
        Name in the recipe → hash of the contours that the result was computed from (`Structure.contour_hash`).
    result
        Hash of the computed contours; empty until it is first made.
    """

    recipe: Recipe
    numbers: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    result: str = ""

    def with_names(self, names: Mapping[int, str]) -> CaseRecipe:
        """Return the recipe after structures were renamed: ROI number → new name."""
        new = {name: names[number] for name, number in self.numbers.items() if names.get(number, name) != name}
        if not new:
            return self
        numbers = {new.get(name, name): number for name, number in self.numbers.items()}
        inputs = {new.get(name, name): digest for name, digest in self.inputs.items()}
        return replace(self, recipe=self.recipe.renamed(new), numbers=numbers, inputs=inputs)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {
            "recipe": self.recipe.to_json(),
            "numbers": dict(self.numbers),
            "inputs": dict(self.inputs),
            "result": self.result,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CaseRecipe:
        """Return the recipe from the output of `to_json`."""
        numbers = {str(name): int(number) for name, number in record["numbers"].items()}
        return cls(Recipe.from_json(record["recipe"]), numbers, dict(record["inputs"]), record["result"])
