"""Intermediate results of one CT, shared by the rules."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from autocontour.patient.volume import CTVolume
from autocontour.rules.grid import Grid

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A CT on cells, with the results of finders.

    Attributes
    ----------
    ct
        The volume.
    options
        Names of the rules' options that are on.
    """

    ct: CTVolume
    options: frozenset[str] = frozenset()
    _found: dict[Hashable, Any] = field(default_factory=dict)

    @cached_property
    def grid(self) -> Grid:
        """The cells."""
        return Grid(self.ct)

    def find(self, finder: Callable[[Anatomy], Found]) -> Found:
        """Return the result of `finder` in this CT; it is called once."""
        return self.keep(finder, lambda: finder(self))

    def keep(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """Return the result of `make`, cached under `key`; it is called once."""
        if key not in self._found:
            self._found[key] = make()
        return cast("Found", self._found[key])
