"""Time study: minutes of drawing by hand and of correcting, per structure, from the records of the cases.

The editor records, for each change by hand, the time since the change before it, at most
`autocontour.case.effort.IDLE_SECONDS`; looking at a structure without changing it is not recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autocontour.archive.find import as_finding
from autocontour.base.errors import AutoContourError
from autocontour.base.findings import Finding
from autocontour.base.jobs import Job
from autocontour.case.closed import ReadCase, read_case
from autocontour.case.effort import IDLE_SECONDS
from autocontour.case.state import CaseStructure
from autocontour.case.summary import UNREADABLE
from autocontour.patient.matching import tg263_name
from autocontour.patient.structures import GenerationAlgorithm
from autocontour.qa.commissioning.routine.observe import NotObserved, find_cases, name_of
from autocontour.qa.intervals import CONFIDENCE, LEAST_FOR_INTERVAL, RESAMPLES, SEED, bootstrap_interval
from autocontour.qa.statistics import summarize

MANUAL, CORRECTED, UNEDITED, REPLACED = "manual", "corrected", "unedited", "replaced"
"""Drawn by hand from scratch; automatic and edited; automatic and approved as it was; automatic, rejected, and drawn by
hand instead (the time of both)."""
AUTOMATIC = (CORRECTED, UNEDITED, REPLACED)
Json = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TimedStructure:
    """An approved structure of a case, with the time that was spent on it.

    Attributes
    ----------
    case
        Folder name of the case.
    structure
        TG-263 name, or its own name if it has none.
    kind
        ``manual``, ``corrected``, ``unedited`` or ``replaced``.
    seconds
        Time of drawing on it.
    drawn_by
        The algorithm with its version, of one that was replaced that of the rejected contours; empty if drawn by hand.
    """

    case: str
    structure: str
    kind: str
    seconds: float
    drawn_by: str = ""


def read_times(roots: Sequence[Path], job: Job) -> tuple[list[TimedStructure], list[NotObserved]]:
    """Return the times of all cases in some folders, and what could not be read.

    Raises
    ------
    OSError
        If a folder cannot be read.
    """
    found: list[TimedStructure] = []
    folders, skipped = find_cases(roots)
    for folder in job.track(folders, "reading the cases"):
        try:
            found += time_case(name_of(folder), read_case(folder))
        except AutoContourError as error:
            skipped.append(NotObserved(folder.name, as_finding(error)))
        except UNREADABLE as error:
            finding = Finding.of("AC-CASE-043", folder.name, reason=type(error).__name__)
            skipped.append(NotObserved(folder.name, finding))
    return found, skipped


def time_case(name: str, case: ReadCase) -> Iterator[TimedStructure]:
    """Yield the times of a case's approved structures.

    A structure that is drawn by hand counts only with a recorded time: without one it was copied or came from a script.
    """
    items = list(case.state.items)
    rejected = {_name(item): item for item in items if _is_automatic(item) and item.is_rejected}
    for item in (item for item in items if item.is_approved):
        own, seconds = _name(item), case.seconds.get(item.structure.number, 0.0)
        drawn_by = _drawn_by(item)
        if _is_automatic(item):
            is_edited = item.structure.contours != item.automatic
            yield TimedStructure(name, own, CORRECTED if is_edited else UNEDITED, round(seconds, 1), drawn_by)
        elif _is_manual(item) and seconds > 0:
            before = rejected.get(own)
            if before is None:
                yield TimedStructure(name, own, MANUAL, round(seconds, 1))
            else:
                total = seconds + case.seconds.get(before.structure.number, 0.0)
                yield TimedStructure(name, own, REPLACED, round(total, 1), _drawn_by(before))


def _drawn_by(item: CaseStructure) -> str:
    source = item.structure.provenance
    return f"{source.algorithm} {source.version}".strip() if source else ""


def _name(item: CaseStructure) -> str:
    return tg263_name(item.structure) or item.structure.name


def _is_automatic(item: CaseStructure) -> bool:
    return item.origin is GenerationAlgorithm.AUTOMATIC and bool(item.automatic) and item.recipe is None


def _is_manual(item: CaseStructure) -> bool:
    return item.origin is GenerationAlgorithm.MANUAL and not item.automatic and item.recipe is None


def summarize_times(rows: Sequence[TimedStructure]) -> Json:
    """Return the tables of a time study, in minutes.

    Returns
    -------
    tables
        ``structures``: per structure the minutes by hand and with automatic contours, and the saved minutes: the
        difference of the means with a bootstrap interval over cases, and that of the cases that have both.
        ``cases``: per case the minutes with automatic contours, and those by hand as the means of the same structures;
        only structures that were drawn by hand at least `LEAST_FOR_INTERVAL` times count.
    """
    structures = [_summarize(name, rows) for name in sorted({row.structure for row in rows})]
    by_hand = {
        one["structure"]: one["manual"]["mean"] for one in structures if one["manual"]["n"] >= LEAST_FOR_INTERVAL
    }
    cases = list(_cases(rows, by_hand))
    return {
        "idle_seconds": IDLE_SECONDS,
        "confidence": CONFIDENCE,
        "structures": structures,
        "cases": cases,
        "saved_per_case": _describe([one["saved"] for one in cases]),
    }


def _minutes(rows: Sequence[TimedStructure], name: str, kinds: Sequence[str]) -> dict[str, float]:
    """Return case → minutes; of several in one case the sum."""
    found: Counter[str] = Counter()
    for row in rows:
        if row.structure == name and row.kind in kinds:
            found[row.case] += row.seconds / 60  # type: ignore[assignment]  # a Counter of floats
    return dict(found)


def _summarize(name: str, rows: Sequence[TimedStructure]) -> Json:
    manual, automatic = _minutes(rows, name, (MANUAL,)), _minutes(rows, name, AUTOMATIC)
    kinds = Counter(row.kind for row in rows if row.structure == name)
    both = sorted(set(manual) & set(automatic))
    paired = [manual[case] - automatic[case] for case in both]
    by_hand, with_it = (np.array(list(mine.values())) for mine in (manual, automatic))
    return {
        "structure": name,
        "manual": _describe(by_hand),
        "automatic": _describe(with_it),
        "corrected": _describe(list(_minutes(rows, name, (CORRECTED,)).values())),
        "counts": {kind: kinds[kind] for kind in (MANUAL, *AUTOMATIC)},
        "saved": _difference(by_hand, with_it),
        "paired": _describe(paired),
    }


def _describe(values: Sequence[float] | Floats) -> Json:
    found, interval = summarize(values), bootstrap_interval(values)
    return {
        "n": found.n,
        "mean": _known(found.mean),
        "sd": _known(found.sd),
        "median": _known(found.median),
        "lower_quartile": _known(found.lower_quartile),
        "upper_quartile": _known(found.upper_quartile),
        "interval": [interval.low, interval.high] if interval else None,
    }


def _difference(first: Floats, second: Floats) -> Json | None:
    """Return the difference of the means of two groups of cases with its percentile bootstrap interval."""
    if not (len(first) and len(second)):
        return None
    found: Json = {"mean": float(first.mean() - second.mean()), "interval": None}
    if min(len(first), len(second)) >= LEAST_FOR_INTERVAL:
        rng = np.random.default_rng(SEED)
        means = [values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
                 for values in (first, second)]  # fmt: skip
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(means[0] - means[1], [tail, 1 - tail])
        found["interval"] = [float(low), float(high)]
    return found


def _cases(rows: Sequence[TimedStructure], by_hand: Mapping[str, float]) -> Iterator[Json]:
    for case in sorted({row.case for row in rows}):
        mine = [row for row in rows if row.case == case and row.kind in AUTOMATIC and row.structure in by_hand]
        if mine:
            spent = sum(row.seconds for row in mine) / 60
            expected = sum(by_hand[name] for name in {row.structure for row in mine})
            yield {"case": case, "structures": len(mine), "automatic": spent, "manual": expected,
                   "saved": expected - spent}  # fmt: skip


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def rows_as_json(rows: Sequence[TimedStructure]) -> list[Json]:
    """Return the rows as plain values."""
    return [asdict(row) for row in rows]
