"""Observations: what a person changed of each structure that was drawn automatically.

From the program's cases, or from pairs of structure sets: the automatic one and the approved one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import shapely

from autocontour.archive.find import as_finding
from autocontour.base.errors import AutoContourError, StructureSetError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.case.closed import ReadCase, read_case
from autocontour.case.source import read_key
from autocontour.case.state import CaseStructure
from autocontour.case.summary import UNREADABLE
from autocontour.edits import added_path_length_mm
from autocontour.patient.matching import folded_name, match_structures, tg263_name
from autocontour.patient.structures import Contours, GenerationAlgorithm, Structure
from autocontour.qa.commissioning.exchanged import find_exchanged
from autocontour.rtstruct.read.without_ct import FileFacts, read_facts, read_sets_without_ct

APPROVED, REJECTED = "approved", "rejected"
EARLIEST = "2000-01-01"
"""No contour that is watched was approved before: such a time is that of a clock that was not set."""
FUTURE = timedelta(days=1)
"""How far a time may lie ahead of the clock: DICOM states local time without its zone."""


@dataclass(frozen=True)
class Observation:
    """One structure that was drawn automatically, and what became of it.

    Attributes
    ----------
    case
        Folder name of the case, or a hash of the series that a pair was drawn on; no patient identity.
    structure
        TG-263 name, or its own name if it has none.
    at
        When it was approved or rejected (ISO 8601).
    decision
        ``approved`` or ``rejected``.
    dsc
        Of the automatic and the approved contours; 0 if rejected.
    added_path_length_mm
        Outline of the approved contours that is not on the automatic ones; None if rejected.
    edited_slices, drawn_slices
        Slices that differ, and slices on which the approved structure is drawn.
    seconds
        Editing time; None where it is not recorded.
    viewed
        Fraction of the drawn slices that were shown while it was selected; None where it is not recorded.
    algorithm, version, checksum
        What drew it; the checksum is empty for code and for most other programs.
    """

    case: str
    structure: str
    at: str
    decision: str
    dsc: float
    added_path_length_mm: float | None
    edited_slices: int
    drawn_slices: int
    seconds: float | None
    viewed: float | None
    algorithm: str
    version: str
    checksum: str

    @property
    def key(self) -> tuple[str, str]:
        """Case and structure: one observation counts for both."""
        return self.case, self.structure

    @property
    def identity(self) -> str:
        """What drew it, with version and checksum."""
        return " ".join(part for part in (self.algorithm, self.version, self.checksum) if part)

    @property
    def month(self) -> str:
        """YYYY-MM."""
        return self.at[:7]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class NotObserved:
    """A case or file that is not used, and why."""

    name: str
    finding: Finding

    def to_json(self) -> dict[str, str]:
        """Return plain values."""
        return {"name": self.name, "code": self.finding.code, "message": self.finding.message}


def contour_dsc(first: Contours, second: Contours) -> float:
    """Return the DSC of two sets of contours on one CT, from the areas on every slice; all slices weigh the same.

    nan if both are empty.

    Examples
    --------
    >>> square, half = (shapely.MultiPolygon([shapely.box(0, 0, width, 10)]) for width in (10, 5))
    >>> round(contour_dsc({0: square, 1: square}, {0: half, 1: square}), 4)
    0.8571
    """
    both = sum(float(shapely.intersection(shape, second[k]).area) for k, shape in first.items() if k in second)
    total = sum(float(shape.area) for mine in (first, second) for shape in mine.values())
    return 2 * both / total if total else float("nan")


def observe_cases(root: Path, job: Job) -> tuple[list[Observation], list[NotObserved]]:
    """Return the observations of all cases in a folder; cases that cannot be read are listed.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    found: list[Observation] = []
    skipped: list[NotObserved] = []
    folders, copies = find_cases([root])
    skipped += copies
    for folder in job.track(folders, "reading the cases"):
        try:
            mine = list(observe_case(name_of(folder), read_case(folder)))
            found += [one for one in mine if one.at]
            skipped += [_without_time(one) for one in mine if not one.at]
        except AutoContourError as error:
            skipped.append(NotObserved(name_of(folder), as_finding(error)))
        except UNREADABLE as error:
            reason = type(error).__name__
            skipped.append(NotObserved(name_of(folder), Finding.of("AC-CASE-043", folder.name, reason=reason)))
    return found, skipped


def find_cases(roots: Sequence[Path]) -> tuple[list[Path], list[NotObserved]]:
    """Return the folders of the cases in some folders, and those that are copies of another one.

    Two folders with the key of one case are copies, as of a backup or a synchronized drive: they count once. That with
    the name of the key counts, else the first one.
    """
    by_name: dict[str, list[Path]] = {}
    for folder in sorted({path.parent for root in roots for path in root.glob("*/case.json")}):
        by_name.setdefault(name_of(folder), []).append(folder)
    kept, copies = [], []
    for name, folders in by_name.items():
        folders.sort(key=lambda one: (one.name != name, one))
        kept.append(folders[0])
        copies += [NotObserved(one.name, Finding.of("AC-CASE-044", name=folders[0].name)) for one in folders[1:]]
    return sorted(kept), copies


def name_of(folder: Path) -> str:
    """Return the name of the case in a folder, from its key; that of the folder if it has none."""
    key = read_key(folder)
    return key.folder_name if key is not None else folder.name


def check_times(observations: Sequence[Observation], now: datetime) -> Iterator[tuple[Observation, NotObserved]]:
    """Yield the observations whose time cannot be right, with the reason: their month is not known."""
    latest = (now + FUTURE).astimezone(UTC).isoformat(timespec="seconds")
    for one in observations:
        if not EARLIEST <= one.at <= latest:
            code = "AC-QA-321" if one.at > latest else "AC-QA-322"
            yield one, NotObserved(f"{one.case} {one.structure}", Finding.of(code, date=one.at[:10]))


def _without_time(one: Observation) -> NotObserved:
    return NotObserved(f"{one.case} {one.structure}", Finding.of("AC-QA-316"))


def observe_case(name: str, case: ReadCase) -> Iterator[Observation]:
    """Yield the observations of a case: approved and rejected structures that were drawn automatically."""
    items = [item for item in case.state.items if _is_automatic(item) and (item.is_approved or item.is_rejected)]
    names = Counter(tg263_name(item.structure) for item in items)
    for item in items:
        number, standard = item.structure.number, tg263_name(item.structure)
        structure = standard if standard and names[standard] == 1 else item.structure.name
        seconds, seen = case.seconds.get(number, 0.0), case.seen.get(number, set())
        yield _observe_item(name, structure, item, seconds, seen)


def _is_automatic(item: CaseStructure) -> bool:
    return item.origin is GenerationAlgorithm.AUTOMATIC and bool(item.automatic) and item.recipe is None


def _observe_item(case: str, structure: str, item: CaseStructure, seconds: float, seen: set[int]) -> Observation:
    drawn, first, source = item.structure.contours, item.automatic, item.structure.provenance
    at = item.approved_at if item.is_approved else item.rejected_at
    return Observation(
        case,
        structure,
        normalized_at(at),
        **_edit_load(first, drawn, is_approved=item.is_approved),
        seconds=round(seconds, 1),
        viewed=round(len(seen & set(drawn)) / len(drawn), 3) if drawn else 0.0,
        algorithm=source.algorithm if source else "",
        version=source.version if source else "",
        checksum=source.checksum if source else "",
    )


def _edit_load(first: Contours, drawn: Contours, *, is_approved: bool) -> dict[str, Any]:
    edited = [k for k in {*first, *drawn} if first.get(k) is not drawn.get(k) and not _equal(first, drawn, k)]
    length = sum(added_path_length_mm(first.get(k), drawn.get(k)) for k in edited)
    return {
        "decision": APPROVED if is_approved else REJECTED,
        "dsc": round(contour_dsc(first, drawn), 6) if is_approved and edited else float(is_approved),
        "added_path_length_mm": round(length, 1) if is_approved else None,
        "edited_slices": len(edited),
        "drawn_slices": len(drawn),
    }


def _equal(first: Contours, drawn: Contours, k: int) -> bool:
    return k in first and k in drawn and bool(first[k].equals_exact(drawn[k], 1e-6))


def observe_pairs(
    folder: Path, automatic: str, approved: str, job: Job
) -> tuple[list[Observation], list[NotObserved], set[str]]:
    """Return the observations of pairs of structure sets below a folder; no CT is needed.

    A pair are the set that matches `automatic` and the one that matches `approved` (patterns of the path below the
    folder, or of the label) on one series.

    Parameters
    ----------
    folder
        Searched with all its subfolders.
    automatic, approved
        Patterns; ``*`` and ``?`` are allowed.
    job
        Reports progress; may cancel.

    Returns
    -------
    observations, skipped
        Those of every pair, and what is not used.
    replaced
        The cases whose earlier observations do not count any more.
    """
    groups: dict[tuple[str, str], dict[str, list[FileFacts]]] = {}
    skipped: list[NotObserved] = []
    for path in job.track(sorted(one for one in folder.rglob("*") if one.is_file()), "reading the structure sets"):
        shown = path.relative_to(folder).as_posix()
        try:
            facts = read_facts(path)
        except StructureSetError as error:
            if error.code != "AC-RS-002" and path.suffix.lower() in ("", ".dcm"):
                skipped.append(NotObserved(shown, as_finding(error)))
            continue
        roles = [role for role, pattern in (("automatic", automatic), ("approved", approved))
                 if any(fnmatchcase(text, pattern) for text in (shown, facts.label))]  # fmt: skip
        if len(roles) != 1:
            skipped.append(NotObserved(shown, Finding.of("AC-QA-310" if roles else "AC-QA-311")))
            continue
        group = groups.setdefault((facts.patient_id, facts.series_uid or facts.frame_uid), {})
        group.setdefault(roles[0], []).append(facts)
    found: list[Observation] = []
    replaced: set[str] = set()
    for group in job.track(list(groups.values()), "comparing the pairs"):
        try:
            mine, exchanged = _observe_pair(group, folder)
            found += mine
            skipped += exchanged
            # An older version named a case after its approved set, which has another UID when it is approved again.
            replaced |= {facts.anonymous_name for facts in group["approved"]} | {group["approved"][0].case_name}
        except AutoContourError as error:
            path = next(iter(group.values()))[0].path
            skipped.append(NotObserved(path.relative_to(folder).as_posix(), as_finding(error)))
    return found, skipped, replaced


def _observe_pair(
    group: Mapping[str, Sequence[FileFacts]], folder: Path
) -> tuple[list[Observation], list[NotObserved]]:
    if set(group) != {"automatic", "approved"}:
        raise StructureSetError("AC-QA-312", roles=", ".join(group))
    first, last = group["automatic"], group["approved"]
    if len({one.sop_instance_uid for one in first}) > 1:
        raise StructureSetError("AC-QA-313", count=len(first))
    newest = max(last, key=lambda one: (one.at, one.sop_instance_uid))
    if not newest.at:
        raise StructureSetError("AC-QA-314", file=newest.path.relative_to(folder).as_posix())
    earliest = max(first[0].at[:10], newest.study_date)
    if newest.at[:10] < earliest:
        raise StructureSetError("AC-QA-323", date=newest.at[:10], earliest=earliest)
    before, after = read_sets_without_ct(first[0].path, newest.path)
    pairs = match_structures(before, after)
    kept = {name for one in after.structures for name in _names(one)}
    gone = [one for one in before.structures if one.contours and not kept & _names(one)]
    rows = [(a, b.contours) for a, b in pairs if a.contours] + [(one, {}) for one in gone]
    exchanged = find_exchanged(*({tg263_name(p[k]): p[k].contours for p in pairs if p[k].contours} for k in (0, 1)))
    shown = newest.path.relative_to(folder).as_posix()
    skipped = [NotObserved(shown, Finding.of("AC-QA-319", n, structure=n)) for n in sorted(exchanged)]
    return [
        Observation(
            newest.case_name,
            tg263_name(a) or a.name,
            normalized_at(newest.at),
            **_edit_load(a.contours, drawn, is_approved=bool(drawn)),
            seconds=None,
            viewed=None,
            algorithm=a.provenance.algorithm if a.provenance else first[0].program,
            version=a.provenance.version if a.provenance else first[0].version,
            checksum=a.provenance.checksum if a.provenance else "",
        )
        for a, drawn in rows
        if tg263_name(a) not in exchanged
    ], skipped


def _names(structure: Structure) -> set[str]:
    return {folded_name(structure.name), tg263_name(structure)} - {""}


def normalized_at(text: str) -> str:
    """Return an ISO 8601 time in UTC; empty if it is not one.

    Examples
    --------
    >>> normalized_at("2026-01-02T01:00:00+02:00"), normalized_at("soon")
    ('2026-01-01T23:00:00+00:00', '')
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds")
