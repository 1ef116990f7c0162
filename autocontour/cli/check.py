"""``autocontour check``: plausibility checks of any structure set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from autocontour.cli.inputs import add_ct_arguments, read_chosen_ct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autocontour.base.findings import Finding
    from autocontour.base.jobs import Job
    from autocontour.patient.structures import StructureSet
    from autocontour.patient.volume import CTVolume


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "check",
        help="check a structure set: volumes, sides, places, overlaps, targets, pieces, names, own contours",
        description="Exit code 0: nothing found; 1: warnings.",
    )
    parser.add_argument("structure_set", type=Path, metavar="RS", help="the RTSTRUCT")
    add_ct_arguments(parser)
    parser.add_argument("--no-draw", action="store_true", help="do not compare with automatic contours")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and report; 1 if there is a warning."""
    from autocontour.base.findings import Severity
    from autocontour.cli.console import progress_job
    from autocontour.qa.checks import check_set
    from autocontour.rtstruct import read_structure_set

    with progress_job(quiet=args.json) as job:
        ct = read_chosen_ct(args, job)
        structure_set = read_structure_set(args.structure_set, ct)
        drawn = None if args.no_draw else _draw_same(ct, structure_set, job)
        found = check_set(ct, structure_set, drawn, job=job)
    as_read = [*ct.findings, *structure_set.findings, *(f for s in structure_set.structures for f in s.findings)]
    found = sorted({*as_read, *found}, key=lambda finding: (-finding.severity, finding.where, finding.code))
    _report(structure_set, ct, found, as_json=args.json)
    return 1 if any(finding.severity >= Severity.WARN for finding in found) else 0


def _draw_same(ct: CTVolume, structure_set: StructureSet, job: Job) -> StructureSet:
    """Draw the structures of the set that have a rule or network, and External, which must contain all others."""
    from autocontour.models import available_packages
    from autocontour.patient.matching import tg263_name
    from autocontour.pipeline.contour import contour_ct
    from autocontour.pipeline.plan import build_plan, list_drawable

    wanted = {tg263_name(structure) for structure in structure_set.structures} | {"External"}
    names = [one.name for one in list_drawable(available_packages()) if one.name in wanted and one.by_default]
    return contour_ct(ct, build_plan(names=names), job=job).structure_set


def _report(structure_set: StructureSet, ct: CTVolume, found: Sequence[Finding], *, as_json: bool) -> None:
    from autocontour.cli.console import console, print_json
    from autocontour.contouring import volume_cc

    rows = [(s.name, volume_cc(s.contours, ct.geometry), len(s.contours)) for s in structure_set.structures]
    if as_json:
        table = [{"name": name, "volume_cc": round(cc, 3), "slices": slices} for name, cc, slices in rows]
        print_json({"structures": table, "findings": [finding.to_json() for finding in found]})
        return
    out = console()
    for name, cc, slices in rows:
        out.print(f"{name:<24} {cc:10.1f} cm³ {slices:4} slices", markup=False)
    for finding in found:
        where = f"{finding.where}: " if finding.where else ""
        at = f" Slices {_ranges(finding.slices)}." if finding.slices else ""
        text = f"{finding.severity.name:<5} {finding.code} {where}{finding.message}{at} {finding.remedy}"
        out.print(text.rstrip(), markup=False, soft_wrap=True)
    out.print("Nothing found." if not found else f"{len(found)} findings.")


def _ranges(slices: Sequence[int]) -> str:
    """Return slice numbers, counted from 1, as ``3-7, 9``."""
    parts: list[list[int]] = []
    for number in slices:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a + 1}" if a == b else f"{a + 1}-{b + 1}" for a, b in parts)
