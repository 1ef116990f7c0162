"""``autocontour evaluate``: comparison of two structure sets on one CT."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from autocontour.cli.inputs import add_ct_arguments, read_chosen_ct

if TYPE_CHECKING:
    from rich.table import Table

    from autocontour.qa import Comparison


WIDTH = 120


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="compare two structure sets drawn on one CT",
        description="Compares the structures of two sets that are matched by name: the same name, then the same name "
        "ignoring case, then the same TG-263 name. A name that occurs twice in one set is not matched.",
    )
    parser.add_argument("reference", type=Path, metavar="RS_A", help="the reference RTSTRUCT")
    parser.add_argument("judged", type=Path, metavar="RS_B", help="the RTSTRUCT to evaluate")
    add_ct_arguments(parser)
    parser.add_argument("--structures", nargs="+", metavar="NAME", help="only these, by own or TG-263 name")
    parser.add_argument("--tau", type=float, default=3.0, metavar="MM", help="tolerance of the surface DSC (default 3)")
    parser.add_argument(
        "--drawn-slices", action="store_true", help="compare only between the reference's first and last slice"
    )
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare and report."""
    from autocontour.base.errors import UsageError
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.qa import compare_sets
    from autocontour.rtstruct import read_structure_set

    if not 0 <= args.tau < math.inf:
        raise UsageError("AC-US-050")
    with progress_job(quiet=args.json) as job:
        ct = read_chosen_ct(args, job)
        reference, judged = (read_structure_set(path, ct) for path in (args.reference, args.judged))
        compared = compare_sets(
            reference,
            judged,
            ct.geometry,
            tau_mm=args.tau,
            names=args.structures,
            where_a_is_drawn=args.drawn_slices,
            job=job,
        )
    if args.json:
        print_json({**compared.to_json(), "drawn_slices": args.drawn_slices})
        return 0
    out = console()
    # Never cut a number to fit a narrow terminal.
    out.print(_table(compared, args.tau, drawn_slices=args.drawn_slices), width=max(out.width, WIDTH), crop=False)
    for line in _remarks(compared):
        out.print(line, markup=False, soft_wrap=True)
    return 0


def _table(compared: Comparison, tau_mm: float, *, drawn_slices: bool) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from autocontour.cli.console import plain

    caption = "B against the reference A; volumes in cm³, distances in mm"
    if drawn_slices:
        caption += "\nonly between the first and the last slice of A"
    table = Table(caption=caption, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("structure", no_wrap=True)
    for heading in ("DSC", f"sDSC\n{tau_mm:g} mm", "HD95", "HD", "mean", "APL", "vol. A", "vol. B", "centre"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in compared.rows:
        m = row.metrics
        name = row.name_a if row.name_a == row.name_b else f"{row.name_a} / {row.name_b}"
        shares = [_number(value, 3) for value in (m.dsc, m.surface_dsc)]
        lengths = [_number(v, 1) for v in (m.hd95_mm, m.hausdorff_mm)] + [_number(m.mean_surface_distance_mm, 2)]
        rest = (m.added_path_length_mm, 0), (m.volume_a_cc, 1), (m.volume_b_cc, 1), (m.centroid_distance_mm, 1)
        table.add_row(plain(name), *shares, *lengths, *(_number(value, digits) for value, digits in rest))
    return table


def _number(value: float, digits: int) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _remarks(compared: Comparison) -> list[str]:
    missing = [
        f"Only in {which}: {', '.join(names)}"
        for which, names in (("A", compared.only_a), ("B", compared.only_b))
        if names
    ]
    return missing + [
        f"{f.severity.name} {f.code} {f.where + ': ' if f.where else ''}{f.message}" for f in compared.findings
    ]
