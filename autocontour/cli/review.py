"""``autocontour review``: blind review of contours, and structures drawn anew to measure automation bias."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.qa.commissioning.blind.prepare import PreparedReview

DESCRIPTION = """Shows contours to reviewers without their origin and analyses the answers. `prepare` makes the folder
REVIEW and, beside it, REVIEW.private with the origins; `show` opens the window of one reviewer, who may stop and go on
at any time; `verify` checks every line of the answers; `report` writes proportions, agreement and automation bias."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("review", help="blind review of contours", description=DESCRIPTION)
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_prepare(steps)
    show = steps.add_parser("show", help="open the window of a reviewer")
    show.add_argument("review", type=Path, metavar="REVIEW", help="folder of the review")
    show.add_argument("--reviewer", required=True, metavar="NAME", help="letters, digits, _ and -; not a patient")
    show.set_defaults(run=_show)
    verify = steps.add_parser("verify", help="check every line of the answers; exit code 1 if something was changed")
    verify.add_argument("review", type=Path, metavar="REVIEW", help="folder of the review")
    verify.add_argument("--json", action="store_true", help="result as JSON on standard output")
    verify.set_defaults(run=_verify)
    report = steps.add_parser("report", help="analyse the answers")
    report.add_argument("review", type=Path, metavar="REVIEW", help="folder of the review")
    report.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the report")
    report.add_argument("--json", action="store_true", help="report as JSON on standard output")
    report.set_defaults(run=_report)


def _add_prepare(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = steps.add_parser("prepare", help="make a review of contours whose origin is known")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder of CTs and structure sets")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REVIEW", help="a new or empty folder")
    sets = parser.add_argument_group("origins of structure sets, by file path or label (* and ? are allowed)")
    sets.add_argument("--manual", default="", metavar="PATTERN", help="drawn by hand")
    sets.add_argument("--automatic", default="", metavar="PATTERN", help="drawn by a program")
    sets.add_argument("--corrected", default="", metavar="PATTERN", help="automatic, corrected and approved")
    sets.add_argument(
        "--cases", type=Path, metavar="FOLDER", help="cases of the program: their approved structures, and the "
        "automatic contours before them"
    )  # fmt: skip
    parser.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--seed", type=int, default=1, help="of the choices and orders (default 1)")
    parser.add_argument(
        "--draw", type=float, default=0.2, metavar="SHARE", help="of the structures with an automatic contour: drawn "
        "from nothing before one is shown (default 0.2)"
    )  # fmt: skip
    parser.add_argument(
        "--repeat", type=float, default=0.1, metavar="SHARE", help="of the contours: shown twice (default 0.1)"
    )
    parser.add_argument(
        "--as-drawn", action="store_true", help="show outlines as they were drawn; without, all are shown as the "
        "outline of their voxels, because points and steps would give the origin away"
    )  # fmt: skip
    parser.add_argument(
        "--unpaired", action="store_true", help="also show structures that a patient has of one origin only; their "
        "names may give the origin away"
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="result as JSON on standard output")
    parser.set_defaults(run=_prepare)


def _prepare(args: argparse.Namespace) -> int:
    from autocontour.cli.console import print_json, progress_job
    from autocontour.qa.commissioning.blind.plan import Shares
    from autocontour.qa.commissioning.blind.prepare import prepare_review
    from autocontour.qa.commissioning.blind.request import ReviewRequest

    request = ReviewRequest(
        args.source, args.output, args.manual, args.automatic, args.corrected, args.cases, args.structures, args.seed,
        Shares(args.draw, args.repeat), args.as_drawn, args.unpaired,
    )  # fmt: skip
    with progress_job(quiet=args.json) as job:
        prepared = prepare_review(request, job)
    if args.json:
        print_json(_summary(prepared))
    else:
        _print_prepared(prepared, request.private)
    return 1 if prepared.left_out else 0


def _summary(prepared: PreparedReview) -> dict[str, Any]:
    """Return what was prepared, without the origin of any single contour."""
    tasks = Counter(task["kind"] for task in prepared.content["tasks"])
    return {
        "items": prepared.counts,
        "tasks": {kind: tasks[kind] for kind in ("judge", "draw", "correct")},
        "repeated": tasks["judge"] - sum(prepared.counts.values()),
        "seed": prepared.content["seed"],
        "draw_share": prepared.content["draw_share"],
        "repeat_share": prepared.content["repeat_share"],
        "outlines": prepared.content["outlines"],
        "shown_against_drawn_dsc": prepared.evened_dsc,
        "form": prepared.forms,
        "left_out": [one.to_json() for one in prepared.left_out],
        "remarks": [one.to_json() for one in prepared.remarks],
    }


def _print_prepared(prepared: PreparedReview, private: Path) -> None:
    from autocontour.cli.console import console

    found = _summary(prepared)
    out = console()
    counts = ", ".join(f"{count} {kind}" for kind, count in found["items"].items())
    tasks = found["tasks"]
    lines = [
        f"{counts} contours; {tasks['judge']} judgements ({found['repeated']} of a contour shown before), "
        f"{tasks['draw']} structures to draw from nothing, {tasks['correct']} to correct.",
        f"Outlines {found['outlines']}: DSC of the shown and the drawn ones, lowest "
        f"{prepared.evened_dsc['lowest']:.3f}, median {prepared.evened_dsc['median']:.3f}.",
        f"The origins are in {private}: keep reviewers away from it.",
    ]
    for label, some in (("Not used", prepared.left_out), ("Remark", prepared.remarks)):
        for one in some[:20]:
            where = " ".join(text for text in (one.patient, one.subject, one.finding.where) if text)
            lines.append(f"{label}: {one.finding.code} {where}: {one.finding.message}")
        if len(some) > 20:
            lines.append(f"{label}: {len(some) - 20} more, see --json or the report.")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _show(args: argparse.Namespace) -> int:
    from autocontour.base.errors import UsageError

    try:
        from autocontour.gui.blind.start import show_review
    except ImportError as error:
        raise UsageError("AC-US-042") from error
    return show_review(args.review, args.reviewer)


def _verify(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.qa.commissioning.blind.files import read_review
    from autocontour.qa.commissioning.blind.verify import check_review

    problems, states = check_review(read_review(args.review))
    is_sound = not problems and all(state.is_sound for state in states)
    if args.json:
        print_json({
            "sound": is_sound, "contours": [one.to_json() for one in problems],
            "reviewers": [state.to_json() for state in states],
        })  # fmt: skip
        return 0 if is_sound else 1
    out = console()
    for one in problems:
        out.print(f"{one.code} {one.message}", markup=False, soft_wrap=True)
    for state in states:
        end = ", finished" if state.is_finished else ""
        word = "sound" if state.is_sound else "NOT SOUND"
        tasks = f"{len(state.entries)} lines, {state.answered} of {state.tasks} tasks{end}"
        line = f"{state.reviewer}: {word}; {tasks}; last hash {state.last_hash}"
        out.print(line, markup=False, soft_wrap=True)
        for one in state.problems:
            out.print(f"  {one.code} {one.message}", markup=False, soft_wrap=True)
    if not states:
        out.print("No answers.", markup=False)
    return 0 if is_sound else 1


def _report(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, plain, print_json, progress_job
    from autocontour.qa.commissioning.blind.files import read_review
    from autocontour.qa.commissioning.blind.report import PAGE, report_review, share_text

    with progress_job(quiet=args.json) as job:
        content = report_review(read_review(args.review), args.output, job)
    if args.json:
        print_json(content)
        return 0
    from rich.table import Table

    table = Table("structure", "source", "reviewer", "n", "no", "minor", "major", "taken for human")
    for one in content["proportions"]:
        shares = (share_text(one[key]) for key in ("no", "minor", "major", "taken_for_human"))
        table.add_row(*(plain(cell) for cell in (one["structure"], one["source"], one["reviewer"], one["n"], *shares)))
    out = console()
    out.print(table)
    out.print(f"Report: {args.output / PAGE}", markup=False, soft_wrap=True)
    return 0
