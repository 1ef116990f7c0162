"""``autocontour case``: the cases on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.case.summary import CaseSummary

COLUMNS = ("case", "patient ID", "CT", "structures", "approved", "rejected", "edited", "last change", "exported", "")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("case", help="list the cases with the state of their review")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    sub = actions.add_parser("list", help="list the cases, the one changed last first, without patients' names")
    sub.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="folder of cases (default: this user's)")
    sub.add_argument("--json", action="store_true", help="print JSON for scripts")
    sub.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List the cases; exit code 0 regardless of their problems."""
    from autocontour.base.folders import cases_folder
    from autocontour.case.summary import CaseList
    from autocontour.cli.console import print_json, progress_job

    if args.folder is not None:
        next(args.folder.iterdir(), None)  # a folder that was asked for must exist
    with progress_job(quiet=args.json) as job:
        found = CaseList(args.folder or cases_folder()).read(job)
    if args.json:
        print_json([summary.to_json() for summary in found])
    else:
        _show(found)
    return 0


def _show(found: list[CaseSummary]) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain

    if not found:
        console().print("There are no cases.")
        return
    table = Table(*COLUMNS)
    for one in found:
        counts = (one.structures, one.approved, one.rejected, one.edited)
        notes = ["open"] if one.is_open else []
        notes += [problem.code for problem in one.problems]
        exported = f"{one.exported_at.astimezone():%Y-%m-%d}" if one.exported_at else ""
        exported += ", changed since" if one.is_changed_since_export else ""
        changed = f"{one.changed_at.astimezone():%Y-%m-%d %H:%M}" if one.changed_at else ""
        row = (one.folder.name[:8], one.facts.patient_id, one.facts.scan_date, *counts, changed, exported)
        table.add_row(*map(plain, row), plain(" ".join(notes)))
    console().print(table)
    for problem in dict.fromkeys(problem for one in found for problem in one.problems):
        console().print(f"{problem.code} {problem.where[:8]} {problem.message} {problem.remedy}".rstrip(), markup=False)
