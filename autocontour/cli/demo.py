"""``autocontour demo``: the main job on two real patients."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    text = "contour two real head-and-neck patients and compare with their clinical contours, with pictures"
    parser = commands.add_parser("demo", help=text)
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="new folder (default: demo)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo and print the figures and where its page is."""
    from autocontour.cli.console import console, progress_job
    from autocontour.selftest.demo import run_demo

    with progress_job() as job:
        page, patients = run_demo(args.output, job)
    out = console()
    for patient in patients:
        out.print(f"\nPatient [bold]{patient.name}[/bold]: {args.output / patient.name / 'RS.dcm'}")
        for row in patient.compared:
            out.print(f"  {row.name:<16} DSC {row.metrics.dsc:.2f}   HD95 {row.metrics.hd95_mm:4.1f} mm")
    out.print(f"\nPictures and tables: [bold]{page.resolve().as_uri()}[/bold]", soft_wrap=True)
    out.print(
        "DSC: overlap, 1 is complete. HD95: distance of the outlines. Where cord and esophagus end is a convention."
    )
    out.print(f"Open one in the viewer: {sys.argv[0]} gui {args.output / patients[0].name / 'CT'}", soft_wrap=True)
    return 0
