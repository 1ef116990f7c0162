"""Rules and their register.

A rule is one module with the names of its structures, the functions that find and draw them, its options and its
findings. `register_rule` registers it, also a rule from another package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.patient.structures import Contours
from autocontour.rules.anatomy import Anatomy


@dataclass(frozen=True)
class Rule:
    """A method to draw structures without training.

    Attributes
    ----------
    names
        TG-263 names of the structures it draws.
    draw
        Called with the anatomy, one of `names` and the job; returns the contours, empty if the structure is not in the
        scan.
    doubts
        Called with the anatomy, the name and the contours of `draw`; returns the findings about them. If the contours
        are empty: the reason, for a structure that may be in the scan.
    options
        Names of its switches, all off by default; `Anatomy.options` holds those that are on.
    """

    names: tuple[str, ...]
    draw: Callable[[Anatomy, str, Job], Contours]
    doubts: Callable[[Anatomy, str, Contours], Iterable[Finding]] = lambda _anatomy, _name, _contours: ()
    options: tuple[str, ...] = ()


RULES: dict[str, Rule] = {}
"""Structure name → the rule that draws it, in the order in which structures are drawn."""


def register_rule(rule: Rule) -> None:
    """Register a rule.

    Raises
    ------
    ValueError
        If another rule draws one of its structures.
    """
    if taken := [name for name in rule.names if name in RULES]:
        raise ValueError(f"another rule draws {', '.join(taken)}")
    RULES.update(dict.fromkeys(rule.names, rule))


def forget_rule(rule: Rule) -> None:
    """Remove a rule from the register."""
    for name in [name for name, one in RULES.items() if one is rule]:
        del RULES[name]
