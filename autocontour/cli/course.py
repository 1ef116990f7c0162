"""``autocontour course``: a patient followed from the planning CT through later CTs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.cli.follow import add_corrections, print_report

if TYPE_CHECKING:
    from autocontour.course.contour import DateReport
    from autocontour.course.record import Course
    from autocontour.course.trend import Trend, TrendDate


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands' arguments."""
    parser = commands.add_parser("course", help="follow a patient from the planning CT through later CTs")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", _add, "add a patient's folder: planning CT, its structure set, later CTs")
    add.add_argument("source", type=Path, metavar="PATIENT_FOLDER")
    add.add_argument("-o", "--output", type=Path, metavar="COURSE", help="folder of the course (default: beside it)")
    add.add_argument("--structures", type=Path, metavar="RS", help="the planning CT's structure set, of several")
    add.add_argument("--unapproved", action="store_true", help="use it although it is not approved")
    add.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="accept these findings, on every CT")
    contour = _action(actions, "contour", _contour, "contour the later CTs by every method")
    _add_course(contour)
    contour.add_argument("--dates", nargs="+", default=[], metavar="DATE", help="only these")
    contour.add_argument("--methods", type=Path, metavar="FILE", help="table of methods (docs/course.md)")
    contour.add_argument("--limits", type=Path, metavar="FILE", help="limits of the trend (docs/course.md)")
    contour.add_argument("--template", default="", help="site template whose recipes make the targets")
    contour.add_argument("--only-propagated", action="store_true", help="without rules and networks")
    contour.add_argument("--again", action="store_true", help="also dates that are done or were changed")
    contour.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the networks")
    show = _action(actions, "show", _show, "show the dates and the trend, and write the page")
    _add_course(show)
    show.add_argument("--limits", type=Path, metavar="FILE", help="limits of the trend (docs/course.md)")
    show.add_argument("--no-page", action="store_true", help="do not write index.html")
    follow = _action(actions, "follow", _follow, "carry corrected slices on a later CT to the structure's other slices")
    _add_course(follow)
    follow.add_argument("date", metavar="DATE", help="date or name of the later CT")
    follow.add_argument("structures", type=Path, metavar="RS", help="RTSTRUCT on that CT with the corrected slices")
    add_corrections(follow)
    phases = _action(actions, "phases", _phases, "contour the phases of a 4D CT from one of them")
    phases.add_argument("source", type=Path, metavar="FOLDER", help="folder with all phases")
    phases.add_argument("-o", "--output", type=Path, required=True, help="new folder for the structure sets")
    phases.add_argument("--from", dest="start", default="", metavar="PHASE", help="with contours (default: the first)")
    phases.add_argument("--structures", type=Path, metavar="RS", help="its structure set (default: rules draw)")
    phases.add_argument("--names", nargs="+", default=[], metavar="NAME", help="only these structures")
    phases.add_argument("--itv", nargs="+", default=[], metavar="NAME", help="unite these over all phases")
    phases.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="accept these findings")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)
    return parser


def _add_course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("course", type=Path, metavar="COURSE", help="folder of the course, or the patient's folder")


def _add(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.course.intake import Intake, add_course

    intake = Intake(args.source, args.output, args.structures, args.unapproved, frozenset(args.accept))
    with progress_job(quiet=args.json) as job:
        course, findings = add_course(intake, job)
    if args.json:
        dates = [{"name": ct.name, "date": ct.date, "series": ct.series_instance_uid} for ct in course.dates]
        print_json(
            {
                "course": str(course.folder),
                "planning": {"date": course.planning.date, "series": course.planning.series_instance_uid},
                "structures": str(course.structures),
                "is_approved": course.is_approved,
                "dates": dates,
                "findings": [finding.to_json() for finding in findings],
            }
        )
        return 0
    out = console()
    out.print(f"Course {course.folder}", markup=False, soft_wrap=True)
    approved = "approved" if course.is_approved else "NOT approved"
    out.print(f"planning CT  {course.planning.date or 'no date'}  contours {approved}", markup=False)
    for ct in course.dates:
        out.print(f"later CT     {ct.date or 'no date'}  {ct.name}", markup=False)
    for finding in findings:
        out.print(f"{finding.severity.name.lower()}  {finding.code}  {finding.message}", markup=False, soft_wrap=True)
    return 0


def _contour(args: argparse.Namespace) -> int:
    from autocontour.cli.console import print_json, progress_job
    from autocontour.course.contour import Options, contour_course
    from autocontour.course.intake import find_course
    from autocontour.course.trend import read_limits, read_trend

    limits = read_limits(args.limits)
    course = find_course(args.course)
    options = Options(args.methods, args.template, args.device, args.only_propagated, args.again, tuple(args.dates))
    with progress_job(quiet=args.json) as job:
        reports = contour_course(course, options, job)
    trend = read_trend(course, limits)
    if args.json:
        print_json([_report_json(course, report, trend) for report in reports])
    else:
        for report in reports:
            _print_date(next(one for one in trend.dates if one.ct == report.ct), report)
    return next((report.error.exit_code for report in reports if report.error), 0)


def _report_json(course: Course, report: DateReport, trend: Trend) -> dict[str, Any]:
    error = report.error
    date = next(one for one in trend.to_json()["dates"] if one["name"] == report.ct.name)
    folder = course.folder_of(report.ct)
    return {
        **date,
        "state": report.state,
        "error": {"code": error.code, "message": error.message, "remedy": error.remedy} if error else None,
        "folder": str(folder),
    }


def _print_date(date: TrendDate, report: DateReport | None = None) -> None:
    from rich.table import Table
    from rich.text import Text

    from autocontour.base.findings import Severity
    from autocontour.cli.console import console

    out = console()
    title = f"{date.ct.date or date.ct.name}  {report.state if report else date.state}"
    if report and report.error:
        out.print(f"{title}  {report.error}", markup=False, soft_wrap=True)
        return
    if date.error[0] and not date.points:
        out.print(f"{title}  {date.error[0]}: {date.error[1]}", markup=False, soft_wrap=True)
        return
    if not date.points:
        out.print(title, markup=False)
        return
    table = Table("structure", "method", "volume cc", "change", "moved mm", "check", title=Text(title))
    for name, point in date.points.items():
        warned = [one for one in date.findings if one.where == name and one.severity > Severity.INFO]
        change, moved = "cut", ""
        if point.volume_change is not None:
            change, moved = f"{100 * point.volume_change:+.0f} %", f"{point.distance_mm:.1f}"
        cells = (name, point.method, f"{point.volume_cc:.1f}", change, moved)
        table.add_row(*map(Text, (*cells, "\n".join(f"{one.code} {one.message}" for one in warned))))
    out.print(table)
    for finding in date.findings:
        if finding.where not in date.points:
            line = f"{finding.severity.name.lower()}  {finding.code}  {finding.message} {finding.remedy}".rstrip()
            out.print(line, markup=False, soft_wrap=True)


def _show(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.course.intake import find_course
    from autocontour.course.page import write_course_page
    from autocontour.course.trend import read_limits, read_trend

    course = find_course(args.course)
    trend = read_trend(course, read_limits(args.limits))
    page = None
    if not args.no_page:
        with progress_job(quiet=args.json) as job:
            page = write_course_page(course, trend, job)
    if args.json:
        print_json({"course": str(course.folder), "page": str(page) if page else None, **trend.to_json()})
        return 0
    for date in trend.dates:
        _print_date(date)
    if page:
        console().print(f"Page: {page}", markup=False, soft_wrap=True)
    return 0


def _follow(args: argparse.Namespace) -> int:
    from autocontour.cli.console import progress_job
    from autocontour.course.follow import follow_date
    from autocontour.course.intake import find_course

    course = find_course(args.course)
    with progress_job(quiet=args.json) as job:
        report = follow_date(
            course, args.date, args.structures, args.output, args.structure, args.corrected, job, ends=args.ends
        )
    return print_report(report, as_json=args.json)


def _phases(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.course.phases import PhaseRequest, contour_phases

    request = PhaseRequest(
        args.source, args.output, args.start, args.structures, tuple(args.names), tuple(args.itv),
        frozenset(args.accept),
    )  # fmt: skip
    with progress_job(quiet=args.json) as job:
        done = contour_phases(request, job)
    if args.json:
        print_json([phase.to_json() for phase in done])
        return 0
    out = console()
    for phase in done:
        volumes = ", ".join(f"{name} {cc:.1f} cc" for name, cc in phase.volumes_cc.items())
        out.print(f"phase {phase.name}  {phase.output.name}  {volumes}", markup=False, soft_wrap=True)
        for finding in phase.findings:
            out.print(f"    {finding.code}  {finding.message}", markup=False, soft_wrap=True)
    return 0
