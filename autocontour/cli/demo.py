"""``autocontour demo``: the whole job for a newcomer."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("demo", help="show the whole job on two phantoms, with pictures")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="new folder (default: demo)")
    parser.add_argument("--seed", type=int, default=7, help="which phantom patients")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo and say where its page is."""
    from autocontour.cli.console import console, progress_job
    from autocontour.selftest.demo import run_demo

    with progress_job() as job:
        page, rehearsals = run_demo(args.output, job, seed=args.seed)
    out = console()
    for rehearsal in rehearsals:
        out.print(f"\nPhantom [bold]{rehearsal.site}[/bold]: {args.output / rehearsal.site / 'RS.dcm'}")
        for row in rehearsal.compared:
            out.print(f"  {row.name:<16} DSC {row.metrics.dsc:.3f}   HD95 {row.metrics.hd95_mm:4.1f} mm")
    out.print(f"\nPictures and tables: [bold]{page.resolve().as_uri()}[/bold]", soft_wrap=True)
    return 0
