"""Structures drawn on any CT without training, by what tissues look like and where they lie."""

from __future__ import annotations

from autocontour.rules.draw import NAMES, draw_structures

__all__ = ["NAMES", "draw_structures"]
