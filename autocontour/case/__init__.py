"""A patient's CT with its structures under review: frozen states, undo, and a journal that survives a crash."""

from autocontour.case.case import Case, CaseKey
from autocontour.case.state import CaseState, CaseStructure, Edit

__all__ = ["Case", "CaseKey", "CaseState", "CaseStructure", "Edit"]
