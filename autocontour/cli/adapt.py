"""``autocontour adapt``: a package for one patient's later CTs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from autocontour.cli.inputs import read_ct_of

if TYPE_CHECKING:
    from autocontour.patient.structures import StructureSet


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "adapt",
        help="make a model package for one patient's later CTs",
        description="Trains the package on with the planning CT and its approved contours. The result is bound to the "
        "patient and expires; install it with: autocontour models install.",
    )
    parser.add_argument("ct", type=Path, metavar="CT", help="folder of the planning CT")
    parser.add_argument("structures", type=Path, metavar="RS", help="its approved RTSTRUCT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACKAGE", help="folder of the new package")
    parser.add_argument("--series", metavar="UID", help="the CT series where the folder holds several")
    parser.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="use the CT despite these findings")
    parser.add_argument("--package", default="head-and-neck", help="the general package (default: head-and-neck)")
    parser.add_argument("--add", action="append", default=[], metavar="STRUCTURE", help="learn it too, such as a CTV")
    parser.add_argument("--days", type=int, default=60, help="how long it is used (default: 60)")
    parser.add_argument("--steps", type=int, default=150, help="training steps (default: 150)")
    parser.add_argument("--unapproved", action="store_true", help="learn from structures that are not approved, too")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Adapt and print where the package is."""
    from autocontour.base.errors import AdaptError
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models import find_package
    from autocontour.models.training import check_installation
    from autocontour.rtstruct import read_structure_set

    if not 1 <= args.days <= 3650 or args.steps < 1:
        raise AdaptError("AC-AD-006")
    check_installation()
    from autocontour.course.adapt import Adaptation, adapt_package, unused_structures

    if args.output.exists():
        raise AdaptError("AC-AD-007", package=args.output.name)
    general = find_package(args.package)
    with progress_job(quiet=args.json) as job:
        ct = read_ct_of(args.ct, args.series, args.accept, job)
        contours = _approved(read_structure_set(args.structures, ct), args.structures)
        plan = Adaptation(ct, contours, general, tuple(args.add), args.days, args.unapproved, args.steps)
        package = adapt_package(plan, args.output, job)
    unused = list(unused_structures(plan))
    learnt = package.metadata["training"]["retrained"][-1]["structures"]
    if args.json:
        print_json(
            {
                "package": str(package.path),
                "name": package.name,
                "expires": package.patient.expires if package.patient else "",
                "learnt": learnt,
                "findings": [{"code": one.code, "message": one.message} for one in unused],
            }
        )
        return 0
    out = console()
    out.print(f"{package.name} in {package.path}, learnt from {', '.join(learnt)}.", markup=False, soft_wrap=True)
    for finding in unused:
        out.print(f"{finding.code}: {finding.message}", markup=False, soft_wrap=True)
    out.print(f"Use it for this patient: autocontour models install {package.path}", markup=False, soft_wrap=True)
    return 0


def _approved(structure_set: StructureSet, path: Path) -> StructureSet:
    """Return the set with its structures approved where the file is: its Approval Status is that of all of them."""
    from dataclasses import replace

    from autocontour.patient.structures import ReviewStatus
    from autocontour.rtstruct.read.summary import read_summary

    if not read_summary(path).is_approved:
        return structure_set
    structures = tuple(replace(one, status=ReviewStatus.APPROVED) for one in structure_set.structures)
    return replace(structure_set, structures=structures)
