"""A patient's CT with its structures under review: frozen states, undo, and a journal that survives a crash."""

from autocontour.case.case import Case
from autocontour.case.left import MARK, LeftCase, ScanFacts, clear_mark, left_cases, mark_open
from autocontour.case.state import CaseState, CaseStructure, Edit
from autocontour.patient.identity import CaseKey

__all__ = [
    "MARK",
    "Case",
    "CaseKey",
    "CaseState",
    "CaseStructure",
    "Edit",
    "LeftCase",
    "ScanFacts",
    "clear_mark",
    "left_cases",
    "mark_open",
]
