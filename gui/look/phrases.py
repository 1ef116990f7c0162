"""Phrases that reach the window in English, said in its language.

The core knows no Qt: it says in English what needs a look, what a review took, and how far it is. Steps of undo are
kept with their case in English, so that a case may be opened in another language.
"""

from __future__ import annotations

import re
from functools import cache

from autocontour.gui.look.language import later, tr

PHRASES = (
    # steps of undo; those that are called like their action stand in the table of actions
    later("Copy to next slice"),
    later("Margin"),
    later("Boolean"),
    later("Crop"),
    later("Move"),
    later("Colour"),
    later("Threshold"),
    later("Fix for export"),
    later("Take back what was recovered"),
    later("Delete {name}"),
    later("Add structures of {name}"),
    later("Add {name}"),
    later("Type of {name}"),
    later("Rename {name}"),
    later("Lock {name}"),
    later("Unlock {name}"),
    later("Approve {name}"),
    later("Withdraw approval of {name}"),
    later("Auto-contour {name}"),
    later("Fix {name}"),
    later("Open {name}"),
    later("Open structure set"),
    # what needs a look
    later("{number} finding"),
    later("{number} findings"),
    later("network unsure ({number})"),
    later("never looked at"),
    later("{number} place not looked at"),
    later("{number} places not looked at"),
    later("nothing drawn"),
    later("looked at, not approved"),
    # what a review took
    later("as it first came, nothing changed"),
    later("{minutes} min {seconds} s"),
    later("{seconds} s"),
    later("{length} mm of new outline on {number} slice"),
    later("{length} mm of new outline on {number} slices"),
    # ranges
    later("any HU"),
    later("below {number} HU"),
    later("above {number} HU"),
    later("{low} to {high} HU"),
    # how far it is
    later("scanning the folder"),
    later("reading"),
    later("reading the CT"),
    later("reading the structure sets"),
    later("preparing the networks (slow only the first time)"),
    later("contouring the organs"),
    later("contouring beyond the box"),
    later("Starting…"),
    later("computing"),
    later("growing"),
    later("shrinking"),
    later("interpolating"),
    later("looking for the range"),
    later("drawing"),
    later("drawing {name}"),
    later("slices"),
    later("joining"),
    later("cropping"),
    later("looking for {name}"),
    later("drawing the contours"),
    later("writing the structure set"),
)


def in_words(english: str) -> str:
    """Return a phrase in the language of the window; what is not known stays as it is.

    Parts that are joined by commas are said one by one.
    """
    whole = _said(english)
    return whole if whole != english else ", ".join(_said(part) for part in english.split(", "))


def as_sentence(english: str) -> str:
    """Return a phrase in the language of the window, with a capital."""
    words = in_words(english)
    return words[:1].upper() + words[1:]


def step_in_words(english: str) -> str:
    """Return a recovered step: a label, perhaps undone or done again, perhaps with the structure it changed."""
    kind, _, rest = english.partition(" ")
    if rest and kind in ("Undo", "Redo"):
        step = step_in_words(rest)
        return tr("Undo {step}", step=step) if kind == "Undo" else tr("Redo {step}", step=step)
    label, _, name = english.rpartition(" ")
    is_named = tr(label) != label and f"{label} {{name}}" not in PHRASES
    return f"{tr(label)} {name}" if is_named else in_words(english)


def _said(english: str) -> str:
    words = tr(english) if english else ""
    if words != english:
        return words
    for template, pattern in _patterns():
        if english not in PHRASES and (match := pattern.fullmatch(english)):
            return tr(template, **match.groupdict())
    return words


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the phrases with places to fill: a name is anything, all else a number."""
    found = []
    for template in (phrase for phrase in PHRASES if "{" in phrase):
        escaped = re.sub(r"\\{(\w+)\\}", lambda m: _field(m[1]), re.escape(template))
        found.append((template, re.compile(escaped)))
    return tuple(found)


def _field(name: str) -> str:
    return f"(?P<{name}>.+)" if name == "name" else rf"(?P<{name}>-?[\d.]+)"
