"""``autocontour dataset``: data sets for training from an archive of CTs and structure sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autocontour.archive.build import BuildReport, BuildRequest
    from autocontour.base.findings import Finding

SHOWN = 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("dataset", help="build, check and show data sets for training")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_build(actions)
    check = actions.add_parser(
        "check",
        help="check files, entries and splits of a data set",
        description="Exit code 0: nothing found; 1: findings.",
    )
    check.add_argument("dataset", type=Path, metavar="DATASET")
    check.add_argument("--against", type=Path, nargs="+", default=[], metavar="DATASET", help="must share no patient")
    check.add_argument("--json", action="store_true", help="report as JSON on standard output")
    check.set_defaults(run=_check)
    show = actions.add_parser("show", help="structures, volumes and what was set aside")
    show.add_argument("dataset", type=Path, metavar="DATASET")
    show.add_argument("--json", action="store_true", help="report as JSON on standard output")
    show.set_defaults(run=_show)


def _add_build(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    build = actions.add_parser(
        "build",
        help="build a data set from an archive of DICOM files",
        description="Reads planning CTs and structure sets from a folder of any layout. The first run writes the names "
        "of all structures to a file; a person confirms them, and the next run uses the confirmed ones. Key, names, "
        "decisions and sources lie in the folder DATASET.private, which is not part of the data set.",
    )
    build.add_argument("archive", type=Path, metavar="ARCHIVE", help="folder of DICOM files, with all subfolders")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="DATASET", help="continued if it exists")
    build.add_argument("--site", metavar="SITE", help="only the structures of this site: a name, or a TOML file")
    build.add_argument("--names", type=Path, metavar="MAP.toml", help="file of names, instead of DATASET.private's")
    build.add_argument("--decisions", type=Path, metavar="TOML", help="file of decisions, instead of the same folder's")
    build.add_argument("--key", type=Path, metavar="FILE", help="key, to share one between data sets")
    build.add_argument("--cases", type=Path, metavar="FOLDER", help="also approved cases of the program")
    build.add_argument(
        "--spacing", type=float, nargs=3, metavar=("Z", "Y", "X"), help="voxels in mm; without: those of each CT"
    )
    build.add_argument("--test", type=float, default=0.0, metavar="SHARE", help="fraction of patients for a test split")
    build.add_argument("--json", action="store_true", help="report as JSON on standard output")
    build.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> int:
    from autocontour.archive.build import BuildRequest, build_dataset
    from autocontour.base.errors import UsageError
    from autocontour.cli.console import print_json, progress_job
    from autocontour.site.site import read_site

    if not 0 <= args.test < 1:
        raise UsageError("AC-US-051", value=f"{args.test:g}")
    if args.spacing and not all(0.2 <= step <= 20 for step in args.spacing):
        raise UsageError("AC-US-052")
    request = BuildRequest(
        args.archive,
        args.output,
        names=args.names,
        decisions=args.decisions,
        key=args.key,
        site=read_site(args.site) if args.site else None,
        cases=args.cases,
        spacing_zyx_mm=tuple(args.spacing) if args.spacing else None,
        test_share=args.test,
    )
    with progress_job(quiet=args.json) as job:
        report = build_dataset(request, job)
    if args.json:
        print_json(_build_json(report))
    else:
        _print_build(report, request)
    return 0


def _build_json(report: BuildReport) -> dict[str, Any]:
    return {
        "patients": len(report.index["patients"]),
        "reused": report.reused,
        "structures": _rows(report.index),
        "quarantine": report.index["quarantine"],
        "waiting_names": list(report.waiting),
        "findings": [finding.to_json() for finding in report.findings],
    }


def _print_build(report: BuildReport, request: BuildRequest) -> None:
    from autocontour.cli.console import console

    out = console()
    _print_table(report.index)
    count = len(report.index["patients"])
    out.print(f"{count} patients ({report.reused} unchanged), {len(report.excluded)} set aside.", markup=False)
    _print_quarantine(report.index)
    for finding in report.findings:
        line = f"{finding.severity.name} {finding.code} {finding.message} {finding.remedy}"
        out.print(line, markup=False, soft_wrap=True)
    places = f"Inspection: {request.output / 'inspection.html'}; names and decisions: {request.private}"
    out.print(places, markup=False, soft_wrap=True)


def _check(args: argparse.Namespace) -> int:
    from autocontour.archive.check import check_dataset
    from autocontour.cli.console import console, print_json, progress_job

    with progress_job(quiet=args.json) as job:
        found = check_dataset(args.dataset, job, args.against)
    if args.json:
        print_json({"findings": [finding.to_json() for finding in found]})
    else:
        _print_findings(found)
        console().print("Nothing found." if not found else f"{len(found)} findings.")
    return 1 if found else 0


def _print_findings(found: Sequence[Finding]) -> None:
    from autocontour.cli.console import console

    for finding in found:
        line = f"{finding.severity.name:<5} {finding.code} {finding.message} {finding.remedy}".rstrip()
        console().print(line, markup=False, soft_wrap=True)


def _show(args: argparse.Namespace) -> int:
    from autocontour.archive.check import read_dataset_index
    from autocontour.cli.console import console, print_json

    index = read_dataset_index(args.dataset)
    patients = index["patients"]
    splits = {split: sum(e["split"] == split for e in patients) for split in sorted({e["split"] for e in patients})}
    if args.json:
        print_json({"patients": splits, "structures": _rows(index), "quarantine": index["quarantine"]})
        return 0
    _print_table(index)
    counts = ", ".join(f"{split}: {count}" for split, count in splits.items())
    console().print(f"{len(patients)} patients ({counts}), {len(index['quarantine'])} set aside.", markup=False)
    _print_quarantine(index)
    return 0


def _rows(index: dict[str, Any]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from autocontour.archive.summary import summarize_structures

    rows = [asdict(one) for one in summarize_structures(index)]
    return [{key: None if value != value else value for key, value in row.items()} for row in rows]


def _print_table(index: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from autocontour.archive.summary import summarize_structures
    from autocontour.cli.console import console, plain

    table = Table(caption="volumes in cm³, of structures inside the scan", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("structure", no_wrap=True)
    for heading in ("patients", "set aside", "median", "IQR", "smallest", "largest", "at scan end"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in summarize_structures(index):
        volumes = (one.median_cc, one.iqr_cc, one.smallest_cc, one.largest_cc)
        cells = [f"{value:.1f}" if value == value else "–" for value in volumes]
        table.add_row(plain(one.name), str(one.count), str(one.set_aside), *cells, str(one.cut))
    console().print(table, crop=False)


def _print_quarantine(index: dict[str, Any]) -> None:
    from autocontour.cli.console import console

    out = console()
    for one in index["quarantine"][:SHOWN]:
        out.print(f"  {one['patient']} {one['code']}: {one['message']}", markup=False, soft_wrap=True)
    if (more := len(index["quarantine"]) - SHOWN) > 0:
        out.print(f"  … and {more} more; see inspection.html.", markup=False)
