"""``autocontour commission``: contours of packages, rules and other programs against manual ones, with statistics."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.qa.commissioning.study.request import SetRole, StudyRequest
    from autocontour.qa.commissioning.study.run import StudyReport

DESCRIPTION = """Compares contours with the reference contours of a folder of patients and writes a report: HTML, CSV
and JSON. The first run writes the names of all structures to a file in the folder FOLDER.private; a person confirms
them, and the next run uses the confirmed ones. A run that was stopped is continued. Exit code 0: report complete; 1:
report written, but patients or structure sets were left out (see the report)."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "commission", help="measure packages, rules and other programs on a cohort", description=DESCRIPTION
    )
    parser.add_argument("cohort", type=Path, nargs="?", metavar="COHORT", help="folder of CTs and structure sets")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the report; continued if it exists")
    sets = parser.add_argument_group("structure sets, by file path or label (* and ? are allowed)")
    sets.add_argument(
        "--reference", default="", metavar="PATTERN", help="the reference; without: a CT's only set without a role"
    )
    sets.add_argument(
        "--observer", action="append", default=[], metavar="NAME=PATTERN", help="a further observer (may be repeated)"
    )
    sets.add_argument(
        "--other", action="append", default=[], metavar="NAME=PATTERN", help="another program (may be repeated)"
    )
    sets.add_argument(
        "--accept", nargs="+", default=[], choices=("AC-DS-034",), metavar="CODE",
        help="use sets although they reference images that are not in the CT (AC-DS-034): each is stated",
    )  # fmt: skip
    methods = parser.add_argument_group("methods that contour the CTs; the program as in use if none is stated")
    methods.add_argument("--package", action="append", default=[], help="a model package (may be repeated)")
    methods.add_argument("--rules", action="store_true", help="the rules alone")
    methods.add_argument("--program", action="store_true", help="the program as in use")
    methods.add_argument("--no-contouring", action="store_true", help="compare only structure sets that exist")
    atlas = parser.add_argument_group("atlas: contoured patients registered with each CT, as a further method")
    atlas.add_argument(
        "--atlas", type=Path, metavar="FOLDER", help="contoured patients; COHORT itself: each with the others"
    )
    atlas.add_argument("--atlas-nearest", type=int, default=5, metavar="N", help="atlases for each CT (default 5)")
    atlas.add_argument(
        "--atlas-fusion", choices=("weighted", "majority", "staple"), default="weighted", help="of their contours"
    )
    parser.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these, by TG-263 name")
    parser.add_argument("--tolerances", type=Path, metavar="TOML", help="tolerances per structure, with sources")
    parser.add_argument("--names", type=Path, metavar="MAP.toml", help="file of names, instead of FOLDER.private's")
    parser.add_argument("--pictures", type=int, default=3, metavar="N", help="worst cases of each method (default 3)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "torch-cpu"), default="auto", help="for networks")
    plan = parser.add_argument_group("before the study: how many patients it needs")
    plan.add_argument("--plan", action="store_true", help="print the number of patients; no cohort is read")
    plan.add_argument("--sd", type=float, help="expected standard deviation over patients")
    plan.add_argument("--half-width", type=float, help="half of the wanted 95 %% interval of the mean")
    plan.add_argument("--margin", type=float, help="margin of non-inferiority; --sd is that of paired differences")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan or run a study."""
    from autocontour.base.errors import UsageError

    if args.plan:
        return _plan(args)
    if args.cohort is None or args.output is None:
        raise UsageError("AC-US-060")
    from autocontour.cli.console import print_json, progress_job
    from autocontour.qa.commissioning.study.run import run_study

    request = _request(args)
    with progress_job(quiet=args.json) as job:
        report = run_study(request, job)
    if args.json:
        print_json(report.content)
    else:
        _print(report, request)
    return 0 if report.is_complete else 1


def _request(args: argparse.Namespace) -> StudyRequest:
    from autocontour.base.errors import UsageError
    from autocontour.qa.commissioning.study.request import StudyRequest

    chosen = bool(args.package or args.rules or args.program or args.atlas)
    if args.atlas and args.atlas_nearest < 3:
        raise UsageError("AC-US-067", least=3)
    if args.no_contouring and (chosen or (not args.other and not args.observer)):
        raise UsageError("AC-US-061")
    return StudyRequest(
        args.cohort,
        args.output,
        reference=args.reference,
        observers=[_role(text) for text in args.observer],
        others=[_role(text) for text in args.other],
        packages=args.package,
        with_rules=args.rules,
        with_program=args.program or not (chosen or args.no_contouring),
        structures=args.structures,
        tolerances=args.tolerances,
        names=args.names,
        device=args.device,
        pictures=max(0, args.pictures),
        atlas=args.atlas,
        atlas_nearest=args.atlas_nearest,
        atlas_fusion=args.atlas_fusion,
        with_dangling="AC-DS-034" in args.accept,
    )


def _role(text: str) -> SetRole:
    from autocontour.base.errors import UsageError
    from autocontour.qa.commissioning.study.request import SetRole

    name, equals, pattern = text.partition("=")
    if not (name.strip() and equals and pattern):
        raise UsageError("AC-US-062", value=text)
    return SetRole(name.strip(), pattern)


def _plan(args: argparse.Namespace) -> int:
    """Print how many patients a study needs."""
    from autocontour.base.errors import UsageError
    from autocontour.cli.console import console, print_json
    from autocontour.qa.intervals import patients_for_interval, patients_for_non_inferiority

    stated = [value for value in (args.sd, args.half_width, args.margin) if value is not None]
    if args.sd is None or len(stated) < 2 or not all(0 < value < math.inf for value in stated):
        raise UsageError("AC-US-063")
    content: dict[str, Any] = {"sd": args.sd}
    lines = []
    if args.half_width is not None:
        n = patients_for_interval(args.sd, args.half_width)
        content["interval"] = {"half_width": args.half_width, "confidence": 0.95, "patients": n}
        lines.append(f"{n} patients for a mean ± {args.half_width:g} (95 % t interval, SD {args.sd:g})")
    if args.margin is not None:
        n = patients_for_non_inferiority(args.sd, args.margin)
        content["non_inferiority"] = {"margin": args.margin, "confidence": 0.95, "power": 0.8, "patients": n}
        lines.append(f"{n} patients for non-inferiority by {args.margin:g} (one-sided 95 %, power 80 %)")
    if args.json:
        print_json(content)
    else:
        for line in lines:
            console().print(line, markup=False, soft_wrap=True)
    return 0


def _print(report: StudyReport, request: StudyRequest) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain

    out = console()
    table = Table("structure", "method", "n", "failures", "DSC mean ± SD", "DSC median", "HD95 mm median")
    for row in report.content["results"]:
        dsc, distance = row["metrics"]["dsc"], row["metrics"]["hd95_mm"]
        cells = (row["structure"], row["method"], row["n"], row["failures"], f"{_text(dsc['mean'], 3)} ± "
                 f"{_text(dsc['sd'], 3)}", _text(dsc["median"], 3), _text(distance["median"], 1))  # fmt: skip
        table.add_row(*(plain(cell) for cell in cells))
    out.print(table)
    left_out = report.content["left_out"]
    out.print(
        f"{len(report.records)} patients ({report.reused} unchanged); {len(left_out)} entries left out, "
        f"{report.content['waiting_names']} names wait for confirmation.",
        markup=False,
    )
    for one in left_out[:20]:
        where = " ".join(text for text in (one["patient"], one["subject"], one["structure"]) if text)
        out.print(f"{one['severity']} {one['code']} {where}: {one['message']}", markup=False, soft_wrap=True)
    out.print(f"Report: {request.output / 'report.html'}; names: {request.names_file}", markup=False, soft_wrap=True)


def _text(value: float | str | None, digits: int) -> str:
    if value is None:
        return "–"
    return "∞" if isinstance(value, str) else f"{value:.{digits}f}"
