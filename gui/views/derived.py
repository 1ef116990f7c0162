"""What is derived from contours for the screen, computed once per structure and forgotten when it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from autocontour.patient.structures import Structure

Value = TypeVar("Value")


class PerStructure(Generic[Value]):
    """A value per structure, computed anew when its contours are another object."""

    def __init__(self, compute: Callable[[Structure], Value]) -> None:
        self._compute = compute
        self._known: dict[int, tuple[Mapping[int, object], Value]] = {}

    def __call__(self, structure: Structure) -> Value:
        """Return the value of `structure` as it stands."""
        known = self._known.get(structure.number)
        if known is None or known[0] is not structure.contours:
            known = (structure.contours, self._compute(structure))
            self._known[structure.number] = known
        return known[1]

    def clear(self) -> None:
        """Forget everything (another CT)."""
        self._known.clear()
