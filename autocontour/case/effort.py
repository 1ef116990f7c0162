"""Review effort of each structure: time and length of new outline. Without patient identity.

Stored in the case's folder as ``review.json``, for evaluation of the automatic contours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.base.errors import OutputError
from autocontour.base.files import write_atomically
from autocontour.base.findings import Finding
from autocontour.case.state import CaseState, CaseStructure

if TYPE_CHECKING:
    from shapely import MultiPolygon

FILE = "review.json"
IDLE_SECONDS = 30.0
"""Each change counts the time since the change before it, at most this long: a longer pause is not work on it."""


@dataclass(frozen=True)
class Effort:
    """Review effort of one structure so far.

    Attributes
    ----------
    name, tg263_name
        Its names.
    status
        ``auto``, ``edited``, ``approved`` or ``rejected``.
    editing_seconds
        Time of drawing on it; pauses do not count.
    new_outline_mm
        Outline further than 0.5 mm from the original contour: the added path length of Vaassen et
        al. (Phys Imaging Radiat Oncol 2020;13:1), measured on the polygons.
    edited_slices, drawn_slices
        Slices that differ from it, and slices on which the structure is drawn.
    followed_slices
        Slices whose contours followed corrected ones; they are not counted in `new_outline_mm` and `edited_slices`.
    drawn_by
        The algorithm that drew it, with its version; empty if drawn by hand.
    confidence
        See `Provenance`.
    approved_at
        When it was approved (ISO 8601, UTC); empty if it is not.
    """

    name: str
    tg263_name: str
    status: str
    editing_seconds: float
    new_outline_mm: float
    edited_slices: int
    drawn_slices: int
    drawn_by: str
    confidence: float | None
    approved_at: str
    followed_slices: int = 0

    def summary(self) -> Finding:
        """Return time and outline as a phrase of the register: "2 min 10 s, 84 mm of new outline on 6 slices"."""
        minutes, seconds = divmod(round(self.editing_seconds), 60)
        if not self.edited_slices:
            return Finding.of("AC-RV-010")
        length, count = self.new_outline_mm, self.edited_slices
        if minutes:
            return Finding.of("AC-RV-011", minutes=minutes, seconds=seconds, length=length, count=count)
        return Finding.of("AC-RV-012", seconds=seconds, length=length, count=count)


def measure_effort(item: CaseStructure, editing_seconds: float) -> Effort:
    """Return the review effort of a structure, from its current and its original contours."""
    from autocontour.edits import added_path_length_mm

    structure, first, now = item.structure, item.automatic, item.structure.contours
    edited = [z for z in {*first, *now} if z not in item.followed and differ(first.get(z), now.get(z))]
    source = structure.provenance
    return Effort(
        name=structure.name,
        tg263_name=structure.tg263_name,
        status=str(structure.status),
        editing_seconds=round(editing_seconds, 1),
        new_outline_mm=round(sum(added_path_length_mm(first.get(z), now.get(z)) for z in edited), 1),
        edited_slices=len(edited),
        drawn_slices=len(now),
        drawn_by=f"{source.algorithm} {source.version}" if source else "",
        confidence=source.confidence if source else None,
        approved_at=item.approved_at,
        followed_slices=len(item.followed),
    )


def write_efforts(folder: Path, state: CaseState, seconds: Mapping[int, float]) -> None:
    """Write the review effort of every structure into the case's folder; a full disk is reported by the case itself."""
    rows = [asdict(measure_effort(item, seconds.get(item.structure.number, 0.0))) for item in state.items]
    with suppress(OutputError):  # the next approval, or the end, writes it again
        write_atomically(folder / FILE, json.dumps({"structures": rows}, indent=1, ensure_ascii=False).encode())


def read_efforts(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the folder name of every case under `root` with each of its structures.

    The rows are as written, possibly by an older version; for damaged files see `find_damaged_efforts`.

    Raises
    ------
    OSError
        If the folder exists and may not be read.
    """
    for path in _files(root):
        yield from ((path.parent.name, row) for row in _read(path) or () if isinstance(row, dict))


def find_damaged_efforts(root: Path) -> list[Finding]:
    """Return ``AC-CASE-048`` for every case under `root` whose review effort cannot be read."""
    return [Finding.of("AC-CASE-048", path.parent.name) for path in _files(root) if _read(path) is None]


def _files(root: Path) -> list[Path]:
    folders = sorted(root.iterdir()) if root.exists() else []
    return [folder / FILE for folder in folders if (folder / FILE).exists()]


def _read(path: Path) -> list[Any] | None:
    """Return the rows of a file; None if it is damaged."""
    try:
        rows = json.loads(path.read_bytes())["structures"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if isinstance(rows, list) else None


def differ(one: MultiPolygon | None, other: MultiPolygon | None) -> bool:
    """Whether two contours of a slice differ; None is a slice without one."""
    if one is None or other is None:
        return one is not other
    return one is not other and not one.equals_exact(other)
