"""Site templates: which structures to draw, and what the clinic calls them. Files a physicist edits.

A template is a TOML file::

    title = "Head and neck"
    smallest_island_cc = 0.1        # pieces smaller than this are dropped, unless a structure says otherwise

    [[structures]]
    name = "Hirnstamm"              # the clinic's own name, as written to the file
    tg263 = "Brainstem"             # what to draw; the name itself where it is missing
    color = "#00ffff"               # where missing: the usual colour
    type = "ORGAN"                  # RT ROI Interpreted Type; where missing: the usual one

    [[structures]]
    name = "External"
    with_mask = true                # take in a thermoplastic mask; where missing: External lies on the skin

    [[structures]]
    name = "Hirnstamm_PRV03"
    tg263 = "Brainstem_PRV03"
    margin_of = "Hirnstamm"         # drawn from another structure of the template
    margin_mm = 3                   # or [left, right, anterior, posterior, superior, inferior]
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import UsageError

FOLDER = Path(__file__).parent / "templates"
STRUCTURE_KEYS = {"name", "tg263", "color", "type", "smallest_island_cc", "margin_of", "margin_mm", "with_mask"}
TEMPLATE_KEYS = {"title", "smallest_island_cc", "structures"}
Margins = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class TemplateStructure:
    """One structure a template asks for.

    Attributes
    ----------
    name
        The clinic's own name, written as ROI Name.
    tg263_name
        Its TG-263 name: what the rules and networks know it by.
    color_rgb, interpreted_type
        None where the usual ones apply.
    smallest_island_cc
        Pieces of a smaller volume are dropped.
    margin_of, margins_mm
        Name of the structure it is grown from, and how far to the patient's left, right, anterior, posterior,
        superior and inferior.
    with_mask
        Whether External takes in a thermoplastic mask.
    """

    name: str
    tg263_name: str
    color_rgb: tuple[int, int, int] | None = None
    interpreted_type: str | None = None
    smallest_island_cc: float = 0.0
    margin_of: str | None = None
    margins_mm: Margins = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    with_mask: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """The structures to draw at one site.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    checksum
        SHA-256 of the file, recorded in every structure drawn by it.
    """

    name: str
    title: str
    checksum: str
    structures: tuple[TemplateStructure, ...]

    @property
    def identity(self) -> str:
        """Name and the checksum's start, as provenance records it."""
        return f"{self.name}@{self.checksum[:12]}"


def list_templates() -> list[str]:
    """Return the names of the templates the program carries."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_template(name_or_path: str) -> Template:
    """Read a template of the program by its name, or any by its path.

    Raises
    ------
    UsageError
        ``AC-US-010`` if there is none, ``AC-US-011`` if it is not a sound template.
    """
    path = FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    try:
        raw = path.read_bytes()
        content = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        known = ", ".join(list_templates())
        raise UsageError("AC-US-010", f"There is no template {name_or_path}.", f"Known: {known}; or a path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unsound(path, str(error)) from error
    structures = _parse_structures(content, path)
    return Template(path.stem, str(content.get("title", path.stem)), hashlib.sha256(raw).hexdigest(), structures)


def _parse_structures(content: dict[str, Any], path: Path) -> tuple[TemplateStructure, ...]:
    if unknown := set(content) - TEMPLATE_KEYS:
        raise _unsound(path, f"unknown keys {sorted(unknown)}")
    island = content.get("smallest_island_cc", 0.0)
    entries = content.get("structures", [])
    if not isinstance(entries, list) or not entries:
        raise _unsound(path, "it names no structures")
    structures = tuple(_parse_structure(entry, island, path) for entry in entries)
    names = [structure.name for structure in structures]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _unsound(path, f"named twice: {sorted(twice)}")
    for index, structure in enumerate(structures):
        if structure.margin_of is not None and structure.margin_of not in names[:index]:
            raise _unsound(path, f"{structure.name} grows {structure.margin_of}, which must stand before it")
    return structures


def _parse_structure(entry: Any, island: float, path: Path) -> TemplateStructure:  # noqa: ANN401  (raw TOML)
    if not isinstance(entry, dict) or not str(entry.get("name", "")).strip():
        raise _unsound(path, "a structure without a name")
    if unknown := set(entry) - STRUCTURE_KEYS:
        raise _unsound(path, f"unknown keys {sorted(unknown)} in {entry['name']}")
    try:
        color = entry.get("color")
        return TemplateStructure(
            name=str(entry["name"]),
            tg263_name=str(entry.get("tg263", entry["name"])),
            color_rgb=None if color is None else _parse_color(color),
            interpreted_type=entry.get("type"),
            smallest_island_cc=float(entry.get("smallest_island_cc", island)),
            margin_of=entry.get("margin_of"),
            margins_mm=_parse_margins(entry.get("margin_mm", 0.0)),
            with_mask=_parse_flag(entry.get("with_mask", False)),
        )
    except (TypeError, ValueError) as error:
        raise _unsound(path, f"{entry['name']}: {error}") from error


def _parse_color(text: str) -> tuple[int, int, int]:
    if len(text) != 7 or text[0] != "#":
        raise ValueError(f"colour {text} is not of the form #rrggbb")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("with_mask is true or false")
    return value


def _parse_margins(value: float | list[float]) -> Margins:
    six = [float(margin) for margin in (value if isinstance(value, list) else [value] * 6)]
    if len(six) != 6:
        raise ValueError("margin_mm is one number or six: left, right, anterior, posterior, superior, inferior")
    return six[0], six[1], six[2], six[3], six[4], six[5]


def _unsound(path: Path, why: str) -> UsageError:
    return UsageError("AC-US-011", f"The template {path.name} is not sound: {why}.", "Correct the file and try again.")
