"""``autocontour monitor``: routine QA of approved contours, month by month."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from autocontour.qa.commissioning.routine.run import PairPatterns

DESCRIPTION = """Watches how much the automatic contours are corrected before they are approved: added path length and
DSC of every structure, month by month, against a baseline of the first cases. Reports a structure that drifts, and
another model package, also one with the same version. Baselines are kept in the folder of the report. Exit code 0: no
open alarm; 1: a structure has an alarm that is not acknowledged (see --acknowledge)."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "monitor", help="watch how much approved contours were corrected, month by month", description=DESCRIPTION
    )
    parser.add_argument("cases", type=Path, nargs="*", metavar="CASES", help="folders of cases (default: this user's)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the report; kept")
    parser.add_argument("--baseline", type=int, metavar="N", help="contours of a baseline: 50 to 150 (default 100)")
    parser.add_argument("--new-baseline", metavar="YYYY-MM-DD", help="new baselines, from contours of this day on")
    parser.add_argument("--acknowledge", metavar="YYYY-MM", help="acknowledge the alarms up to this month")
    parser.add_argument("--note", default="", help="what was found; kept with --acknowledge")
    pairs = parser.add_argument_group("pairs of structure sets of any program, instead of cases")
    pairs.add_argument("--pairs", type=Path, metavar="FOLDER", help="folder with both sets of every patient")
    pairs.add_argument("--automatic", metavar="PATTERN", help="path below FOLDER, or label (* and ? are allowed)")
    pairs.add_argument("--approved", metavar="PATTERN", help="path below FOLDER, or label (* and ? are allowed)")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report; 1 if there is an open alarm."""
    from autocontour.base.folders import cases_folder
    from autocontour.cli.console import print_json, progress_job
    from autocontour.qa.commissioning.routine.chart import ALARM
    from autocontour.qa.commissioning.routine.run import RoutineRequest, run_routine

    pairs = _pairs(args)
    for folder in args.cases:
        next(folder.iterdir(), None)  # a folder that was asked for must exist
    request = RoutineRequest(
        args.cases or ([] if pairs else [cases_folder()]),
        args.output,
        pairs,
        args.baseline,
        _day(args.new_baseline),
        _month(args.acknowledge),
        args.note,
    )
    with progress_job(quiet=args.json) as job:
        content = run_routine(request, job)
    if args.json:
        print_json(content)
    else:
        _print(content, args.output)
    return 1 if content["status"] == ALARM else 0


def _pairs(args: argparse.Namespace) -> list[PairPatterns]:
    from autocontour.base.errors import UsageError
    from autocontour.qa.commissioning.routine.run import PairPatterns

    given = [one is not None for one in (args.pairs, args.automatic, args.approved)]
    if any(given) and not all(given):
        raise UsageError("AC-US-064")
    if not all(given):
        return []
    next(args.pairs.iterdir(), None)
    return [PairPatterns(args.pairs, args.automatic, args.approved)]


def _day(text: str | None) -> date | None:
    from datetime import date

    from autocontour.base.errors import UsageError

    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError("AC-US-065", value=text or "") from error


def _month(text: str | None) -> str:
    if text:
        _day(f"{text}-01")
    return text or ""


def _print(content: dict[str, Any], output: Path) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain
    from autocontour.qa.commissioning.routine.page import TESTS

    out = console()
    table = Table("structure", "status", "baseline", "DSC of it", "last month", "contours", "DSC")
    for chart in content["structures"]:
        first, last = chart["baseline"], (chart["months"] or [None])[-1]
        month = (last["month"], last["n"], _text(last["dsc"]["mean"])) if last else ("–", "–", "–")
        cells = (chart["structure"], chart["status"], f"{first['n']} of {first['wanted']}", _text(first["dsc"]["mean"]))
        table.add_row(*(plain(cell) for cell in (*cells, *month)))
    out.print(table)
    for chart in content["structures"]:
        for one in chart["changes"]:
            if not one["acknowledged"]:
                same = ", same version" if one["same_version"] else ""
                line = f"ALARM {chart['structure']}: another package since {one['at']}{same}: {one['after']}"
                out.print(line, markup=False, soft_wrap=True)
        for one in chart["alarms"]:
            if not one["acknowledged"]:
                line = f"ALARM {chart['structure']} {one['month']}: {one['metric']}, corrected {one['direction']} than "
                out.print(f"{line}before ({TESTS[one['test']]}, p {one['p']:.1e})", markup=False, soft_wrap=True)
    for one in content["skipped"][:20]:
        out.print(f"{one['code']} {one['name']}: {one['message']}", markup=False, soft_wrap=True)
    count = f"{content['cases']} cases ({content['cases_now']} read now), {content['observations']} contours"
    out.print(f"{count}: {content['status']}. Report: {output / 'report.html'}", markup=False, soft_wrap=True)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
