"""``autocontour follow``: correct a few slices of a structure, and the others follow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.pipeline.follow import FollowReport


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "follow",
        help="carry corrected slices of a structure to its other slices",
        description="Writes a new RTSTRUCT in which the other slices of the structure follow the corrected ones. "
        "Corrected slices and all other structures are written as they are; the sources are not changed.",
    )
    parser.add_argument("ct", type=Path, metavar="CT", help="folder of the CT")
    parser.add_argument("structures", type=Path, metavar="RS", help="the RTSTRUCT with the corrected slices")
    add_corrections(parser)
    before = parser.add_mutually_exclusive_group()
    before.add_argument(
        "--automatic",
        type=Path,
        metavar="RS",
        help="RTSTRUCT with the contours before the correction (default: the other slices of RS)",
    )
    before.add_argument(
        "--nothing", action="store_true", help="draw the structure from the corrected slices alone, and ignore others"
    )
    parser.add_argument("--series", metavar="UID", help="the CT series where the folder holds several")
    parser.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="use the CT despite these findings")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def add_corrections(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that state what was corrected, and where the result goes."""
    parser.add_argument("--structure", required=True, metavar="NAME", help="the structure to follow")
    parser.add_argument(
        "--corrected",
        type=float,
        nargs="+",
        required=True,
        metavar="Z",
        help="positions in mm of the corrected slices (the z of Image Position (Patient)); a slice without a contour "
        "is one that the structure is not on",
    )
    parser.add_argument(
        "--ends",
        action="store_true",
        help="the outermost corrected slices with a contour are the first and the last one of the structure",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the RTSTRUCT to write")


def run(args: argparse.Namespace) -> int:
    """Follow, write, and report."""
    from autocontour.cli.console import progress_job
    from autocontour.pipeline.follow import FollowRequest, follow_file

    request = FollowRequest(
        args.ct,
        args.structures,
        args.output,
        args.structure,
        tuple(args.corrected),
        args.automatic,
        args.nothing,
        args.series,
        frozenset(args.accept),
        args.ends,
    )
    with progress_job(quiet=args.json) as job:
        report = follow_file(request, job)
    return print_report(report, as_json=args.json)


def print_report(report: FollowReport, *, as_json: bool) -> int:
    """Print what was written; return the exit code."""
    from autocontour.cli.console import console, print_json

    if as_json:
        print_json(report.to_json())
        return 0
    out = console()
    for one in report.changed:
        what = "outline moved" if one["before"] and one["after"] else "contour added" if one["after"] else "removed"
        out.print(f"z {one['z_mm']:.1f} mm: {what} ({one['moved_mm']:.1f} mm)", markup=False, soft_wrap=True)
    for finding in report.findings:
        line = f"{finding.severity.name.lower()}  {finding.code}  {finding.message} {finding.remedy}".rstrip()
        out.print(line, markup=False, soft_wrap=True)
    count = len(report.changed)
    out.print(f"{report.structure}: {count} slices changed, written to {report.output}", markup=False, soft_wrap=True)
    return 0
