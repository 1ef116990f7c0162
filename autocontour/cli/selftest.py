"""``autocontour selftest``: check of this installation."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("selftest", help="contour two small phantoms and compare with the expected results")
    full = "also run the stress suite: positions, slice spacings, fields of view, value scales, damaged files (minutes)"
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the checks; exit code 1 if one fails."""
    from autocontour.cli.console import console, plain, print_json, progress_job
    from autocontour.selftest.round_trip import run_round_trips
    from autocontour.selftest.selftest import run_selftest
    from autocontour.selftest.stress import Outcome, run_stress

    with progress_job(quiet=args.json) as job:
        checks = run_selftest(job)
        trips = run_round_trips(job) if args.full else []
        results = run_stress(job) if args.full else []
    passed = all(one.passed for one in checks) and all(one.passed for one in trips)
    passed = passed and all(result.outcome is not Outcome.SILENT for result in results)
    if args.json:
        report: dict[str, object] = {"passed": passed, "checks": [check.to_json() for check in checks]}
        if args.full:
            report["round_trips"] = [trip.to_json() for trip in trips]
            report["stress"] = [result.to_json() for result in results]
        print_json(report)
        return 0 if passed else 1
    out = console()
    for check in checks:
        word = "[green]pass[/green]" if check.passed else "[red]FAIL[/red]"
        found = "not drawn" if check.found_dsc is None else f"DSC {check.found_dsc:.3f}"
        expected = "not expected" if check.expected_dsc is None else f"expected {check.expected_dsc:.3f}"
        out.print(f"{word}  {check.site:<10} {plain(check.structure):<16} {found}, {expected}")
    for trip in trips:
        word = "[green]pass[/green]" if trip.passed else "[red]FAIL[/red]"
        out.print(f"{word}  {trip.position} {trip.profile}: {trip.contours} contours written and read")
    for result in results:
        style = "red" if result.outcome is Outcome.SILENT else "default"
        out.print(f"[{style}]{result.outcome.value:<8}[/] {result.group:<9} {result.name:<46} {result.detail}")
    if results:
        counts = [f"{sum(r.outcome is one for r in results)} {one.value}" for one in Outcome]
        out.print(f"{len(results)} trials: {', '.join(counts)}.")
    out.print("[green]This installation passes.[/green]" if passed else "[red]This installation FAILS.[/red]")
    return 0 if passed else 1
