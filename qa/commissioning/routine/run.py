"""Routine QA: observe the cases, chart them, and write the report; baselines and observations are kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from autocontour import __version__
from autocontour.base.errors import CaseError, UsageError
from autocontour.base.files import foreign_names, shown_path, write_atomically
from autocontour.base.jobs import Job
from autocontour.base.typed import SettingsError, read_json
from autocontour.case.lock import CaseLock
from autocontour.qa.commissioning.routine.chart import (
    ALARM,
    DEFAULT_BASELINE,
    LEAST_BASELINE,
    MOST_BASELINE,
    Baseline,
    alarm_level,
    chart_all,
)
from autocontour.qa.commissioning.routine.observe import (
    FUTURE,
    NotObserved,
    Observation,
    check_times,
    name_of,
    observe_cases,
    observe_pairs,
)

STATE, REPORT, PAGE = "state.json", "report.json", "report.html"
KNOWN = frozenset({STATE, REPORT, PAGE, "lock"})


@dataclass(frozen=True)
class PairPatterns:
    """Where pairs of structure sets lie; see `autocontour.qa.commissioning.routine.observe.observe_pairs`."""

    folder: Path
    automatic: str
    approved: str


@dataclass(frozen=True)
class RoutineRequest:
    """What is watched.

    Attributes
    ----------
    cases
        Folders of the program's cases.
    output
        Of the report; baselines and observations are kept there.
    pairs
        Pairs of structure sets of any program.
    baseline
        Contours of each structure that make its baseline; None: as before, else `DEFAULT_BASELINE`.
    new_baseline
        Take new baselines, from contours of this day on.
    acknowledge
        The alarms up to this month (YYYY-MM) are acknowledged.
    note
        What was found.
    """

    cases: Sequence[Path]
    output: Path
    pairs: Sequence[PairPatterns] = ()
    baseline: int | None = None
    new_baseline: date | None = None
    acknowledge: str = ""
    note: str = ""


@dataclass
class _State:
    """What is kept between two runs."""

    wanted: int = DEFAULT_BASELINE
    since: str = ""
    acknowledged: list[dict[str, str]] = field(default_factory=list)
    baselines: dict[str, list[Observation]] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)


def run_routine(request: RoutineRequest, job: Job) -> dict[str, Any]:
    """Return the content of ``report.json``, and write it with the page.

    Raises
    ------
    UsageError
        ``AC-QA-317`` for a baseline out of range, ``AC-QA-318`` if the stored state is damaged, ``AC-QA-324`` if a
        month is acknowledged that has not begun, ``AC-QA-325`` for new baselines from a day in the future,
        ``AC-QA-073`` and ``-075`` as in a study.
    OutputError
        If the disk is full.
    """
    if request.baseline is not None and not LEAST_BASELINE <= request.baseline <= MOST_BASELINE:
        raise UsageError("AC-QA-317", least=LEAST_BASELINE, most=MOST_BASELINE)
    output = request.output
    if output.exists() and (not output.is_dir() or foreign_names(output, KNOWN)):
        raise UsageError("AC-QA-073", folder=shown_path(output))
    output.mkdir(parents=True, exist_ok=True)
    try:
        lock = CaseLock(output)
    except CaseError as error:
        raise UsageError("AC-QA-075") from error
    try:
        return _run(request, job)
    finally:
        lock.release()


def _run(request: RoutineRequest, job: Job) -> dict[str, Any]:
    from autocontour.qa.commissioning.routine.page import write_routine_page

    now = current_time()
    state = _read_state(request.output / STATE)
    _update(state, request, now)
    found: list[Observation] = []
    skipped: list[NotObserved] = []
    read: set[str] = set()
    for folder in request.cases:
        mine, others = observe_cases(folder, job)
        found, skipped = found + mine, skipped + others
        read |= {name_of(path.parent) for path in folder.glob("*/case.json")} - {one.name for one in others}
    for pairs in request.pairs:
        mine, others, replaced = observe_pairs(pairs.folder, pairs.automatic, pairs.approved, job)
        found, skipped = found + mine, skipped + others
        read |= replaced
    state.observations = merge(state.observations, found, read)
    impossible = list(check_times(state.observations, now))
    skipped += [one for _, one in impossible]
    gone = {one.key for one, _ in impossible}
    counted = [one for one in state.observations if one.at[:10] >= state.since and one.key not in gone]
    kept = {
        name: Baseline(name, mine[0].identity, tuple(mine), len(mine)) for name, mine in state.baselines.items() if mine
    }
    done = [(one["month"], one["at"][:10]) for one in state.acknowledged]
    charts = chart_all(counted, state.wanted, kept, done)
    _keep_complete(state, counted, charts)
    content = {
        "format": "autocontour routine QA",
        "version": 1,
        "program": __version__,
        "status": _worst(charts),
        "settings": {
            "baseline": state.wanted,
            "since": state.since or None,
            "level_of_a_test": alarm_level(sum(one["baseline"]["n"] >= one["baseline"]["wanted"] for one in charts)),
        },
        "cases": len({one.case for one in counted}),
        "observations": len(counted),
        "cases_now": len({one.case for one in found}),
        "first": min((one.at[:10] for one in counted), default=None),
        "last": max((one.at[:10] for one in counted), default=None),
        "acknowledged": state.acknowledged,
        "structures": charts,
        "skipped": [one.to_json() for one in skipped],
    }
    write_atomically(request.output / STATE, json.dumps(_to_json(state), indent=0).encode())
    write_atomically(request.output / REPORT, json.dumps(content, indent=1).encode())
    write_routine_page(request.output / PAGE, content, counted)
    return content


def current_time() -> datetime:
    """Return the time of the computer's clock."""
    return datetime.now(UTC)


def merge(before: Sequence[Observation], now: Sequence[Observation], read: Collection[str] = ()) -> list[Observation]:
    """Return the observations of both, sorted; those of a case that was read again replace its earlier ones.

    Observations of cases that no longer exist are kept. Of two with one case and structure the later decision counts.

    Parameters
    ----------
    before, now
        Kept from earlier, and found now.
    read
        Cases that were read now, also those without an observation.
    """
    again = {one.case for one in now} | set(read)
    found: dict[tuple[str, str], Observation] = {one.key: one for one in before if one.case not in again}
    for one in sorted(now, key=lambda one: one.at):
        found[one.key] = one
    return sorted(found.values(), key=lambda one: (one.at, one.case, one.structure))


def read_report(output: Path) -> dict[str, Any] | None:
    """Return the content of the last report; None if there is none."""
    try:
        content = json.loads((output / REPORT).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("format") == "autocontour routine QA" else None


def _update(state: _State, request: RoutineRequest, now: datetime) -> None:
    """Apply what the person asked for."""
    if request.acknowledge > now.isoformat()[:7]:  # it would silence alarms that nobody has seen
        raise UsageError("AC-QA-324", month=request.acknowledge)
    if request.new_baseline and request.new_baseline > (now + FUTURE).date():  # nothing would be watched until then
        raise UsageError("AC-QA-325", day=request.new_baseline.isoformat())
    state.wanted = request.baseline or state.wanted
    if request.new_baseline:
        state.since, state.baselines = request.new_baseline.isoformat(), {}
    elif request.baseline:
        complete = {name: mine for name, mine in state.baselines.items() if len(mine) == request.baseline}
        state.baselines = complete
    if request.acknowledge:
        at = now.isoformat(timespec="seconds")
        state.acknowledged.append({"month": request.acknowledge, "note": request.note, "at": at})


def _keep_complete(state: _State, counted: Sequence[Observation], charts: Sequence[dict[str, Any]]) -> None:
    """Keep complete baselines, so that later changes of old cases do not move the limits."""
    from autocontour.qa.commissioning.routine.chart import take_baseline

    for chart in charts:
        name = chart["structure"]
        if name not in state.baselines and chart["baseline"]["n"] >= chart["baseline"]["wanted"]:
            mine = [one for one in counted if one.structure == name]
            state.baselines[name] = list(take_baseline(name, mine, state.wanted).observations)


def _worst(charts: Sequence[dict[str, Any]]) -> str:
    statuses = {one["status"] for one in charts}
    order = (ALARM, "signal", "stable", "collecting")
    return next((status for status in order if status in statuses), "collecting")


def _to_json(state: _State) -> dict[str, Any]:
    return {
        "wanted": state.wanted,
        "since": state.since,
        "acknowledged": state.acknowledged,
        "baselines": {name: [one.to_json() for one in mine] for name, mine in state.baselines.items()},
        "observations": [one.to_json() for one in state.observations],
    }


def _read_state(path: Path) -> _State:
    if not path.exists():
        return _State()
    try:
        content = read_json(path.read_bytes())
        return _State(
            int(content["wanted"]),
            str(content["since"]),
            [{key: str(one[key]) for key in ("month", "note", "at")} for one in content["acknowledged"]],
            {str(name): [Observation(**one) for one in mine] for name, mine in content["baselines"].items()},
            [Observation(**one) for one in content["observations"]],
        )
    except (OSError, SettingsError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError("AC-QA-318", file=path.name) from error
