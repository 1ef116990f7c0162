"""The state of a case for evaluation: the case itself is not touched, and may be open in a window."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocontour.base.errors import CaseError
from autocontour.case.case import Case
from autocontour.case.source import read_key
from autocontour.case.state import CaseState
from autocontour.patient.identity import CaseKey

LOST = frozenset({"AC-CASE-021", "AC-CASE-023", "AC-CASE-024"})
"""Findings about damage after which changes are missing."""


@dataclass(frozen=True)
class ReadCase:
    """A case as it was when it was read.

    Attributes
    ----------
    key
        The CT it belongs to.
    state
        Its structures.
    seconds
        Structure number → seconds of work.
    seen
        Structure number → viewed slices.
    """

    key: CaseKey
    state: CaseState
    seconds: Mapping[int, float]
    seen: Mapping[int, set[int]]


def read_case(folder: Path) -> ReadCase:
    """Read the case in `folder` from a copy, so that nothing is written into it.

    Raises
    ------
    CaseError
        If there is no case, it cannot be read, or changes of it are lost: its contours may not be those approved.
    """
    key = read_key(folder)
    if key is None:
        raise CaseError("AC-CASE-045")
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "case")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("lock"))
        case = Case(copy, key)
        try:
            for finding in case.findings:
                if finding.code in LOST:
                    values: dict[str, Any] = dict(finding.values)
                    raise CaseError(finding.code, **values)
            return ReadCase(key, case.state, dict(case.seconds), {n: set(s) for n, s in case.seen.items()})
        finally:
            case.close()
