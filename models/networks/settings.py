"""Checks of a network's settings, which come from an untrusted file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from autocontour.models.networks.plan import Triple

MOST_LEVELS = 16
S = TypeVar("S")


def read_settings(kind: type[S], config: Mapping[str, Any]) -> S:
    """Return the settings of a network, made from its description; raises ValueError for one that is unknown."""
    given = {key: value for key, value in config.items() if key != "architecture"}
    if unknown := sorted(set(given) - {field.name for field in fields(kind)}):  # type: ignore[arg-type]
        raise ValueError(f"unknown setting {unknown[0]!r}")
    return kind(**given)


def check_whole(name: str, value: Any, low: int, high: int) -> None:  # noqa: ANN401
    """Raise ValueError unless `value` is a whole number within limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")


def check_wholes(name: str, values: Any, low: int, high: int, *, least: int = 1, most: int = MOST_LEVELS) -> None:  # noqa: ANN401
    """Raise ValueError unless `values` is a list of whole numbers within limits, neither too short nor too long."""
    if not isinstance(values, list | tuple) or not least <= len(values) <= most:
        raise ValueError(f"{name} must be a list of {least} to {most} whole numbers")
    for value in values:
        check_whole(name, value, low, high)


def check_stride(name: str, value: Any) -> None:  # noqa: ANN401
    """Raise ValueError unless `value` is a stride along z, y, x."""
    check_wholes(name, value, 1, 8, least=3, most=3)


def triple(values: Sequence[int]) -> Triple:
    """Return a list of three as a tuple."""
    z, y, x = values
    return z, y, x
