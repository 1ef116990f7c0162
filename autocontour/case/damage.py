"""Damage in a case's folder found on opening, and its consequences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autocontour.base.findings import Finding
from autocontour.case.effort import FILE as EFFORT
from autocontour.case.exported import FILE as EXPORTED
from autocontour.case.journal import Journal
from autocontour.case.left import MARK
from autocontour.case.snapshots import Snapshot, is_snapshot
from autocontour.case.source import KEY, SOURCE
from autocontour.case.state import CaseState, CaseStructure
from autocontour.patient.matching import folded_name

MOST_BETWEEN = 1000
"""Changes that can lie between a snapshot and the last record of the journal; a snapshot of more is not of the case."""
FILES_NAMED = 3
_OWN = re.compile(
    "|".join(map(re.escape, (KEY, SOURCE, MARK, EFFORT, EXPORTED, "lock", "journal.bin")))
    + r"|journal(\.\d+)?\.damaged|\..*"
)


def find_damage(folder: Path, snapshot: Snapshot, journal: Journal, sequence: int, lost: int) -> Iterator[Finding]:
    """Report the damage on the disk and the lost changes.

    Parameters
    ----------
    folder
        The case's.
    snapshot, journal
        As read.
    sequence
        Of the last record that was replayed.
    lost
        Number of records in the middle of the journal that could not be read.
    """
    claimed = [number for number in snapshot.unreadable if number - sequence <= MOST_BETWEEN]
    missing = max(claimed, default=0) - sequence
    if missing > 0:
        yield Finding.of("AC-CASE-023", count=missing)
    elif claimed:
        yield Finding.of("AC-CASE-020")
    elif journal.is_renewed:
        yield Finding.of("AC-CASE-021")
    if lost:
        yield Finding.of("AC-CASE-024", count=lost)
    if journal.bytes_lost and not journal.is_renewed:
        yield Finding.of("AC-CASE-022")
    strays = find_strays(folder, [number for number in snapshot.unreadable if number not in claimed])
    if strays:
        shown = ", ".join(strays[:FILES_NAMED]) + (" …" if len(strays) > FILES_NAMED else "")
        yield Finding.of("AC-CASE-025", count=len(strays), files=shown)


def find_strays(folder: Path, foreign_snapshots: Sequence[int]) -> list[str]:
    """Return the names of files that are not part of a case, such as copies made by a synchronised drive."""
    foreign = {f"snapshot-{number:08d}.bin" for number in foreign_snapshots}
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name in foreign or not (_OWN.fullmatch(name) or is_snapshot(name))]


def without_clashes(state: CaseState) -> CaseState:
    """Return a state with unique names; a lost change may have left two structures with the same name."""
    names: set[str] = set()
    items: list[CaseStructure] = []
    for item in state.items:
        name, count = item.structure.name, 2
        while folded_name(name) in names:
            name, count = f"{item.structure.name}_{count}", count + 1
        names.add(folded_name(name))
        is_same = name == item.structure.name
        items.append(item if is_same else replace(item, structure=replace(item.structure, name=name)))
    return CaseState(tuple(items))
