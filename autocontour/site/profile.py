"""Reading export profiles: TOML files, each rule with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import UsageError
from autocontour.base.findings import Severity

FOLDER = Path(__file__).parent / "profiles"
CHECKS = frozenset({
    "name_length", "name_characters", "unique_names", "interpreted_type", "empty", "unapproved",
    "label_length", "decimal_strings",
})  # fmt: skip
HOLES = frozenset({"keyhole", "nested", "xor"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a system refuses.

    Attributes
    ----------
    check
        Which of `CHECKS`.
    severity
        ``BLOCK`` where the system would refuse the file, ``WARN`` where the user should be asked.
    source
        Where it is documented.
    limit
        A number the check needs.
    """

    check: str
    severity: Severity
    source: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """What one planning system takes.

    Attributes
    ----------
    name
        Of its file, without ``.toml``.
    holes
        How holes are written: ``keyhole``, ``nested`` or ``xor``.
    """

    name: str
    title: str
    holes: str
    rules: tuple[Rule, ...]


def list_profiles() -> list[str]:
    """Return the names of the profiles the program carries, the general one first."""
    return sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda name: (name != "generic", name))


def read_profile(name_or_path: str) -> Profile:
    """Read a profile of the program by its name, or any by its path.

    Raises
    ------
    UsageError
        ``AC-US-040`` if there is none, ``AC-US-041`` if it is not a sound profile.
    """
    path = FOLDER / f"{name_or_path}.toml"
    path = path if path.is_file() else Path(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return _parse_profile(path.stem, content)
    except OSError as error:
        known = ", ".join(list_profiles())
        raise UsageError("AC-US-040", f"There is no export profile {path.name}.", f"Known: {known}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"The export profile {path.name} is not sound: {error}."
        raise UsageError("AC-US-041", message, "Correct the file and try again.") from error


def _parse_profile(name: str, content: dict[str, Any]) -> Profile:
    if unknown := set(content) - {"title", "holes", "rules"}:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    holes = content.get("holes", "keyhole")
    if holes not in HOLES:
        raise ValueError(f"holes is one of {sorted(HOLES)}")
    return Profile(name, str(content["title"]), holes, tuple(_parse_rule(rule) for rule in content.get("rules", [])))


def _parse_rule(entry: dict[str, Any]) -> Rule:
    if unknown := set(entry) - {"check", "severity", "source", "limit"}:
        raise ValueError(f"unknown keys {sorted(unknown)} in a rule")
    if entry["check"] not in CHECKS:
        raise ValueError(f"check is one of {sorted(CHECKS)}")
    if not str(entry["source"]).strip():
        raise ValueError(f"the rule {entry['check']} names no source")
    return Rule(entry["check"], Severity[entry["severity"]], str(entry["source"]), int(entry.get("limit", 0)))
