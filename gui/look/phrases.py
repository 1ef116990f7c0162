"""Steps of undo and stages of a computation in the language of the window.

Both are kept in English: a case may be opened in another language, and computations have no window. Findings,
errors and the reasons of a review come from the register of codes in every language.
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
    later("Target"),
    later("Refresh"),
    later("Refresh targets"),
    later("Refresh {name}"),
    later("Recipe of {name}"),
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
    later("Withdraw rejection of {name}"),
    later("Reject {name}"),
    later("Auto-contour {name}"),
    later("Fix {name}"),
    later("Keep {name}"),
    later("Open {name}"),
    later("Take {name}"),
    later("Open structure set"),
    later("Connect to a click server"),
    # how far it is
    later("scanning the folder"),
    later("reading"),
    later("reading the CT"),
    later("reading the structure sets"),
    later("preparing the networks (slow only the first time)"),
    later("contouring the organs"),
    later("contouring beyond the box"),
    later("contouring exactly"),
    later("resampling to the CT"),
    later("Starting…"),
    later("computing"),
    later("growing"),
    later("shrinking"),
    later("interpolating"),
    later("searching the range"),
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
    """Return a phrase in the language of the window; what is not known stays as it is."""
    words = tr(english) if english else ""
    if words != english or english in PHRASES:
        return words
    for template, pattern in _patterns():
        if match := pattern.fullmatch(english):
            return tr(template, **match.groupdict())
    return words


def as_sentence(english: str) -> str:
    """Return a phrase in the language of the window, with a capital."""
    return capital(in_words(english))


def capital(words: str) -> str:
    """Return `words` with a capital at the front."""
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


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the phrases with a name in them."""
    named = [phrase for phrase in PHRASES if "{name}" in phrase]
    return tuple((phrase, re.compile(re.escape(phrase).replace(r"\{name\}", "(?P<name>.+)"))) for phrase in named)
