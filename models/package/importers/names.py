"""Structure names of the labels of published models: TG-263, from the tables shipped as data or the user's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from autocontour.base.errors import ModelError
from autocontour.base.limits import shown
from autocontour.patient.nomenclature import find_term, match_name

SIDE_WORDS = {"left": "L", "l": "L", "right": "R", "r": "R"}
MOST_MAP_BYTES = 1 << 20


@dataclass(frozen=True)
class Names:
    """Structure names of labels.

    Attributes
    ----------
    own
        Label → structure name, as the user gave them; they come first.
    """

    own: Mapping[str, str] = field(default_factory=dict)

    def of(self, label: str) -> str:
        """Return the structure name of a label; the label itself if it is in no table.

        Raises
        ------
        ModelError
            ``AC-MD-143`` if the label cannot be a name, ``AC-MD-048`` if the name's side is not the label's.
        """
        name = self.own.get(label) or known_names().get(label) or match_name(label) or label
        if not _can_be_name(name):
            raise ModelError("AC-MD-143", label=shown(label))
        of_label, of_name = side_of(label), side_of(name)
        if of_label and of_name and of_label != of_name:
            raise ModelError("AC-MD-048", label=shown(label), name=shown(name))
        return name


def read_names(path: Path) -> Names:
    """Read the user's own names: a TOML file of ``label = "TG-263 name"``.

    Raises
    ------
    ModelError
        ``AC-MD-050``.
    """
    try:
        if path.stat().st_size > MOST_MAP_BYTES:
            raise ModelError("AC-MD-050", file=shown(path.name))
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError("AC-MD-050", file=shown(path.name)) from error
    if not all(isinstance(name, str) and _can_be_name(name.strip()) for name in content.values()):
        raise ModelError("AC-MD-050", file=shown(path.name))
    return Names({label: name.strip() for label, name in content.items()})


def _can_be_name(name: str) -> bool:
    """Return whether a text can be the name of a structure (LO of DICOM: no backslash, no control character)."""
    return 0 < len(name) <= 64 and name.isprintable() and "\\" not in name


def side_of(name: str) -> str:
    """Return ``L`` or ``R`` if one word of a name is a side, else an empty text.

    Examples
    --------
    >>> side_of("kidney_left"), side_of("Lung_R"), side_of("Liver"), side_of("rib_left_3"), side_of("left_right")
    ('L', 'R', '', 'L', '')
    """
    found = {SIDE_WORDS[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SIDE_WORDS}
    return found.pop() if len(found) == 1 else ""


def is_known(name: str) -> bool:
    """Return whether a structure name is in the nomenclature."""
    return find_term(name).known


@cache
def known_names() -> Mapping[str, str]:
    """Return label → TG-263 name of the published models in the tables."""
    table: dict[str, str] = _table("names.toml")["names"]
    return table


@cache
def combined_names() -> Mapping[str, tuple[str, ...]]:
    """Return structure → the structures it consists of, such as a lung of its lobes."""
    return {name: tuple(parts) for name, parts in _table("names.toml")["combined"].items()}


def _table(file: str) -> dict[str, Any]:
    text = files("autocontour.models.package.importers").joinpath("tables", file).read_text(encoding="utf-8")
    return tomllib.loads(text)
