"""``autocontour selftest``: check of this installation."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("selftest", help="contour two small phantoms and compare with the expected results")
    full = "also run the stress suite: positions, slice spacings, fields of view, value scales, damaged files (minutes)"
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the checks; exit code 1 if one fails."""
    from autocontour.cli.console import print_json, progress_job
    from autocontour.selftest.record import make_record

    with progress_job(quiet=args.json) as job:
        record = make_record(job, full=args.full)
    if args.json:
        print_json(record)
    else:
        _print(record)
    return 0 if record["passed"] else 1


def _print(record: dict[str, Any]) -> None:
    from autocontour.cli.console import console, plain
    from autocontour.selftest.stress import Outcome

    out = console()
    for check in record["checks"]:
        dsc, wanted = check["found_dsc"], check["expected_dsc"]
        found = "not drawn" if dsc is None else f"DSC {dsc:.3f}"
        expected = "not expected" if wanted is None else f"expected {wanted:.3f}"
        out.print(f"{_word(check)}  {check['site']:<10} {plain(check['structure']):<16} {found}, {expected}")
    for trip in record.get("round_trips", ()):
        out.print(f"{_word(trip)}  {trip['position']} {trip['profile']}: {trip['contours']} contours written and read")
    results = record.get("stress", ())
    for one in results:
        style = "red" if one["outcome"] == Outcome.SILENT else "default"
        out.print(f"[{style}]{one['outcome']:<8}[/] {one['group']:<9} {one['trial']:<46} {one['detail']}")
    if results:
        counts = [f"{sum(one['outcome'] == outcome for one in results)} {outcome.value}" for outcome in Outcome]
        out.print(f"{len(results)} trials: {', '.join(counts)}.")
    passes = record["passed"]
    out.print("[green]This installation passes.[/green]" if passes else "[red]This installation FAILS.[/red]")


def _word(one: dict[str, Any]) -> str:
    return "[green]pass[/green]" if one["passed"] else "[red]FAIL[/red]"
