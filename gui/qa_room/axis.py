"""A linear axis with round steps, and the colours of curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtGui import QColor

SERIES_RGB = ((63, 167, 255), (255, 138, 76), (70, 197, 139), (214, 120, 214), (242, 181, 60), (120, 200, 210))
"""Colours of methods, which can be distinguished with the common colour blindness."""


@dataclass(frozen=True)
class Axis:
    """Values along pixels.

    Attributes
    ----------
    low, high
        Values at the ends.
    start_px, end_px
        Where the ends lie.
    """

    low: float
    high: float
    start_px: float
    end_px: float

    @classmethod
    def around(cls, values: list[float], start_px: float, end_px: float, *, whole: tuple[float, float] | None) -> Axis:
        """Return an axis that shows all finite values, and `whole` if it is given."""
        finite = [value for value in values if math.isfinite(value)]
        low = min([*finite, whole[0]] if whole else finite, default=0.0)
        high = max([*finite, whole[1]] if whole else finite, default=1.0)
        if low == high:
            low, high = low - 0.5, high + 0.5
        room = 0.03 * (high - low)
        return cls(low - room, high + room, start_px, end_px)

    def pixel(self, value: float) -> float:
        """Return where a value lies; an infinite one at its end."""
        if not math.isfinite(value):
            return self.end_px if value > 0 else self.start_px
        share = (value - self.low) / (self.high - self.low)
        return self.start_px + share * (self.end_px - self.start_px)

    @property
    def ticks(self) -> list[float]:
        """Five to ten round values."""
        span = self.high - self.low
        rough = span / 6
        power = 10 ** math.floor(math.log10(rough))
        step = power * min((m for m in (1, 2, 5, 10) if m * power >= rough), default=10)
        first = math.ceil(self.low / step)
        return [round(n * step, 10) for n in range(first, math.floor(self.high / step) + 1)]


def series_color(number: int) -> QColor:
    """Return the colour of the series of a number."""
    return QColor(*SERIES_RGB[number % len(SERIES_RGB)])
