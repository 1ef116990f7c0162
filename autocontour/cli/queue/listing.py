"""``autocontour queue list``, ``show``, ``cancel`` and ``retry``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from autocontour.cli.queue.common import open_queue, print_line

if TYPE_CHECKING:
    from autocontour.queue.record import Record


def list_series(args: argparse.Namespace) -> int:
    """List the series."""
    from autocontour.queue.record import State

    with open_queue(args) as store:
        records = store.records([State(name) for name in args.state])
    if args.json:
        for record in records:
            print_line(record.to_json(), "", as_json=True)
    else:
        _print_table(records)
    return 0


def _print_table(records: Iterable[Record]) -> None:
    from rich.table import Table
    from rich.text import Text

    from autocontour.cli.console import console

    table = Table("number", "state", "series", "slices", "template", "attempts", "error", "seconds")
    for record in records:
        row = record.to_json()
        error = row["error"]["code"] if row["error"] else ""
        cells = (row["number"], row["state"], row["series"], row["slices"], row["template"], row["attempts"], error)
        table.add_row(*(Text(str(cell)) for cell in (*cells, row["seconds"] or "")))
    console().print(table)


def show(args: argparse.Namespace) -> int:
    """Show one series."""
    from autocontour.cli.console import console, plain, print_json

    with open_queue(args) as store:
        record = store.find(args.number).to_json(whole=True)
    if args.json:
        print_json(record)
        return 0
    for name, value in record.items():
        if name == "report":
            continue
        console().print(f"{name}: {plain(value)}", soft_wrap=True)
    for structure in (record["report"] or {}).get("structures", ()):
        notes = " ".join(finding["message"] for finding in structure["findings"] if finding["severity"] != "INFO")
        console().print(f"  {plain(structure['name'])}  {structure['volume_cc']} cc  {plain(notes)}", soft_wrap=True)
    return 0


def cancel(args: argparse.Namespace) -> int:
    """Cancel series."""
    with open_queue(args) as store:
        for number in args.numbers:
            state = store.cancel(number)
            text = f"{number}: {'is being cancelled' if state in ('running', 'contoured') else state}"
            print_line({"number": number, "state": state}, text, as_json=args.json)
    return 0


def retry(args: argparse.Namespace) -> int:
    """Let series be tried again."""
    from autocontour.queue.record import State

    with open_queue(args) as store:
        for number in args.numbers or [record.number for record in store.records([State.FAILED])]:
            state = store.retry(number)
            print_line({"number": number, "state": state}, f"{number}: {state}", as_json=args.json)
    return 0
