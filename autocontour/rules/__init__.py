"""Structures drawn on any CT without training, by intensity, shape and position of tissues."""

from __future__ import annotations

from autocontour.rules import bone, canal, external, lungs, trachea
from autocontour.rules.anatomy import Anatomy
from autocontour.rules.draw import draw_structures
from autocontour.rules.rule import RULES, Rule, forget_rule, register_rule

for _module in (external, lungs, trachea, canal, bone):
    register_rule(_module.RULE)
NAMES = tuple(RULES)
"""Structures of the program's own rules; `RULES` also contains rules of other packages."""

__all__ = ["NAMES", "RULES", "Anatomy", "Rule", "draw_structures", "forget_rule", "register_rule"]
