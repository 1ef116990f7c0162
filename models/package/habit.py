"""Habits of a clinic: what its corrections always change in a structure, applied to what the network draws."""

# `annotations` is not imported from __future__: cattrs needs the limits.

from dataclasses import dataclass
from typing import Annotated

from autocontour.base.limits import Range

Millimetres = Annotated[float, Range(-60, 60)]
Margin = Annotated[float, Range(-10, 10)]


@dataclass(frozen=True)
class Habit:
    """Mean change of a structure in a clinic's corrected cases.

    Attributes
    ----------
    superior_mm, inferior_mm
        How much further its ends lie; negative where it ends earlier.
    margin_mm
        How much further its border lies in the slices.
    cases
        Number of cases that it was learnt from.
    """

    superior_mm: Millimetres = 0.0
    inferior_mm: Millimetres = 0.0
    margin_mm: Margin = 0.0
    cases: Annotated[int, Range(0, 1_000_000)] = 0

    @property
    def margins_mm(self) -> tuple[float, float, float, float, float, float]:
        """To the left, right, anterior, posterior, superior, inferior."""
        return (*(self.margin_mm,) * 4, self.superior_mm, self.inferior_mm)
