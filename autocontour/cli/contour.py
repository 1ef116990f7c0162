"""``autocontour contour``: the main job."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.base.findings import Finding
    from autocontour.pipeline.report import Report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("contour", help="contour a planning CT and write its RTSTRUCT")
    parser.add_argument("ct", type=Path, metavar="CT_FOLDER", help="folder of a CT series, or a NIfTI or NRRD file")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="the RTSTRUCT to write; a folder with --all, and for NIfTI or NRRD (one mask per structure)",
    )
    parser.add_argument(
        "--template", default="", help="site template, by name or path; `autocontour info --templates` lists them"
    )
    parser.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these (TG-263 names)")
    parser.add_argument(
        "--package",
        default="",
        metavar="NAME",
        help="the model package to use, by name or path (default: the rules first, then every package whose "
        "body site is in the scan)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--series", metavar="UID", help="the series to contour where the folder holds several")
    which.add_argument("--all", action="store_true", help="contour every planning CT in the folder")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--append", action="store_true", help="add to the existing structure set")
    existing.add_argument("--replace", action="store_true", help="add to it, replacing structures of the same name")
    existing.add_argument("--force", action="store_true", help="overwrite the existing file")
    parser.add_argument(
        "--accept", nargs="+", default=[], metavar="CODE", help="accept these findings, such as AC-CT-032"
    )
    parser.add_argument(
        "--compare", action="store_true", help="also draw each structure by every further package that can (NAME^2)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the networks")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Contour, write, and report."""
    from autocontour.cli.console import print_json, progress_job
    from autocontour.pipeline.request import Request, contour_path

    request = Request(
        args.ct,
        args.output,
        template_name=args.template,
        names=tuple(args.structures),
        package_name=args.package,
        series=args.series,
        all_series=args.all,
        existing=next((mode for mode in ("append", "replace", "force") if getattr(args, mode)), "refuse"),
        accepted=frozenset(args.accept),
        device=args.device,
        compare=args.compare,
    )
    with progress_job(quiet=args.json) as job:
        reports = contour_path(request, job)
    if args.json:
        print_json([report.to_json() for report in reports])
    else:
        for report in reports:
            _show(report)
    return next((report.error.exit_code for report in reports if report.error), 0)


def _show(report: Report) -> None:
    """Print the result of one series as tables."""
    from rich.table import Table
    from rich.text import Text

    from autocontour.base.findings import Severity
    from autocontour.cli.console import console, plain

    if report.error:
        console().print(f"{report.series}: {report.error}", soft_wrap=True, markup=False)
        return
    table = Table("structure", "volume cc", "slices", "drawn by", "check", title=Text(str(report.output)))
    for structure in report.structures:
        notes = "\n".join(f.message for f in structure.findings if f.severity > Severity.INFO)
        cells = (structure.name, f"{structure.volume_cc:.1f}", str(structure.slices), structure.drawn_by, notes)
        table.add_row(*map(Text, cells))
    out = console()
    out.print(table)
    for finding in _grouped(report.findings):
        line = f"{finding.severity.name.lower()}  {finding.code}  {finding.message} {finding.remedy}".rstrip()
        out.print(line, markup=False, soft_wrap=True)
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items())
    out.print(f"[dim]{plain(stages)}[/dim]")


def _grouped(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the findings, with all structures not found in one."""
    from autocontour.base.findings import Finding
    from autocontour.pipeline.plan import NOT_FOUND

    missing = [finding.where for finding in findings if finding.code == NOT_FOUND]
    yield from (finding for finding in findings if finding.code != NOT_FOUND)
    if missing:
        yield Finding.of(NOT_FOUND, structure=", ".join(missing))
