"""``autocontour timestudy``: minutes of drawing by hand and of correcting, from the records of the cases."""

from __future__ import annotations

import argparse
import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

DESCRIPTION = """Minutes per structure, drawn by hand from scratch and with automatic contours, and the minutes saved,
with their spread, from the cases of the editor. Only approved structures count. Each change by hand counts the time
since the change before it, at most 30 seconds; looking without changing anything is not recorded."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    about = "minutes by hand and with automatic contours"
    parser = commands.add_parser("timestudy", help=about, description=DESCRIPTION)
    parser.add_argument("cases", type=Path, nargs="*", metavar="CASES", help="folders of cases (default: this user's)")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="write times.html, .csv and .json here")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the tables, and write them if asked to."""
    from autocontour import __version__
    from autocontour.base.folders import cases_folder
    from autocontour.cli.console import print_json, progress_job
    from autocontour.qa.commissioning.routine.times import read_times, rows_as_json, summarize_times

    for folder in args.cases:
        next(folder.iterdir(), None)  # a folder that was asked for must exist
    with progress_job(quiet=args.json) as job:
        rows, skipped = read_times(args.cases or [cases_folder()], job)
    content = {
        "format": "autocontour time study",
        "program": __version__,
        **summarize_times(rows),
        "skipped": [one.to_json() for one in skipped],
        "rows": rows_as_json(rows),
    }
    if args.output:
        _write(args.output, content)
    if args.json:
        print_json(content)
    else:
        _print(content)
    return 0


def _write(output: Path, content: dict[str, Any]) -> None:
    from autocontour.base.files import write_atomically
    from autocontour.qa.commissioning.routine.page import write_times_page

    output.mkdir(parents=True, exist_ok=True)
    text = StringIO()
    writer = csv.DictWriter(text, ["case", "structure", "kind", "seconds", "drawn_by"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(content["rows"])
    write_atomically(output / "times.csv", text.getvalue().encode())
    write_atomically(output / "times.json", json.dumps(content, indent=1).encode())
    write_times_page(output / "times.html", content)


def _print(content: dict[str, Any]) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain
    from autocontour.qa.commissioning.routine.page import TIME_HEADS, time_rows

    out = console()
    table = Table(*TIME_HEADS)
    for row in time_rows(content):
        table.add_row(*(plain(cell) for cell in row))
    out.print(table)
    for one in content["skipped"][:20]:
        out.print(f"{one['code']} {one['name']}: {one['message']}", markup=False, soft_wrap=True)
