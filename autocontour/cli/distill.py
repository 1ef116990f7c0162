"""``autocontour models distill`` and ``prune``: a smaller package that learns from a larger one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.models.training.distill import Distillation
    from autocontour.qa.commissioning.smaller import Comparison

NARROWEST, WIDEST = 0.1, 0.95


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``distill`` and ``prune`` to the actions of ``models``."""
    distill = actions.add_parser("distill", help="train one network on the probabilities of a package")
    distill.add_argument(
        "--start",
        default="",
        metavar="N|mean|random",
        help="start from network N of the package, the mean of their weights, or random weights (default: the network "
        "with the largest part)",
    )
    distill.add_argument(
        "--width", type=float, metavar="W", help="a narrower network with this fraction of the channels, random weights"
    )
    prune = actions.add_parser("prune", help="remove the least important channels of a package's network")
    prune.add_argument("--keep", type=float, required=True, metavar="K", help="fraction of the channels kept, 0.7")
    prune.add_argument("--start", default="", metavar="N", help="network that is pruned (default: as of distill)")
    for parser, run in ((distill, _distill), (prune, _prune)):
        parser.add_argument("package", metavar="PACKAGE", help="the package to learn from: name, folder or zip")
        parser.add_argument("data", type=Path, metavar="DATASET", help="data set to learn from (split train)")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of the run")
        budget = parser.add_mutually_exclusive_group()
        budget.add_argument("--minutes", type=float, help="of training (default: 40)")
        budget.add_argument("--steps", type=int, help="training steps, instead of a time")
        parser.add_argument("--seed", type=int, default=1, help="of the patches, and of random weights")
        parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
        parser.set_defaults(run=run)


def _distill(args: argparse.Namespace) -> int:
    from autocontour.models.package.library import find_package
    from autocontour.models.training import check_installation

    check_installation()
    from autocontour.models.training.distill import MINUTES, Distillation, Start

    start: Start = "network"
    if args.width is not None:
        _check("--width", args.width, NARROWEST, WIDEST)
        if args.start not in ("", "random"):
            raise _refused("--start", args.start, "random, with --width")
        start = "random"
    elif args.start == "mean" or args.start == "random":
        start = args.start
    number = _number(args.start, "1, 2 …, mean, random") if start == "network" else None
    minutes, steps = _budget(args, MINUTES)
    package = find_package(args.package)
    plan = Distillation(package, args.data, start, number, args.width or 1.0, minutes, steps, args.seed)
    return _run(plan, args)


def _prune(args: argparse.Namespace) -> int:
    from autocontour.models.package.library import find_package
    from autocontour.models.training import check_installation

    check_installation()
    from autocontour.models.training.distill import MINUTES, Distillation

    _check("--keep", args.keep, NARROWEST, WIDEST)
    number = _number(args.start, "1, 2 …")
    minutes, steps = _budget(args, MINUTES)
    package = find_package(args.package)
    plan = Distillation(package, args.data, "channels", number, args.keep, minutes, steps, args.seed)
    return _run(plan, args)


def _run(plan: Distillation, args: argparse.Namespace) -> int:
    """Make the candidate, compare it with its teacher, and print both and how it comes into use."""
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models.training.distill import distill_package
    from autocontour.qa.commissioning.smaller import compare_packages

    with progress_job(quiet=args.json) as job:
        candidate = distill_package(plan, args.output, job)
        comparison = compare_packages(plan.package, candidate, plan.data, job)
    if args.json:
        summary = candidate.metadata["training"]["distilled"][-1]
        about = {"package": str(candidate.path), "version": candidate.version, "comparison": comparison.to_json()}
        print_json({**about, "learnt_from": summary})
        return 0
    out = console()
    out.print(f"{candidate.name} {candidate.version} in {candidate.path}.", markup=False)
    _print(comparison)
    gate = f"autocontour models gate {candidate.path} --against {args.package} --data FROZEN -o RECORD.json"
    out.print(f"It is not used until it has passed the gate:\n  {gate}", markup=False, soft_wrap=True)
    return 0


def _print(comparison: Comparison) -> None:
    """Print what was gained and what was lost."""
    from rich.table import Table

    from autocontour.cli.console import console, plain

    before, after = comparison.before, comparison.after
    sizes = Table("", "before", "after", "ratio")
    sizes.add_row("weights", f"{before.weights:,}", f"{after.weights:,}", f"{after.weights / before.weights:.2f}")
    windows = after.window_s.items()
    pairs = {f"processor s per window, {role}": (before.window_s[role], seconds) for role, seconds in windows}
    if before.patient_s is not None and after.patient_s is not None:
        pairs["processor s per patient, median"] = before.patient_s, after.patient_s
    for title, (first, second) in pairs.items():
        sizes.add_row(title, f"{first:.3f}", f"{second:.3f}", f"{second / first:.2f}" if first else "")
    console().print(sizes)
    if not comparison.patients:
        console().print("No patient was held out from the training: the contours were not compared.")
        return
    table = Table("structure", "n", "DSC before", "DSC after", "not drawn before", "not drawn after")
    for one in comparison.structures:
        cells = *(f"{value:.3f}" for value in one.dsc), *map(str, one.not_drawn)
        table.add_row(plain(one.structure), str(one.n), *cells)
    console().print(table)


def _budget(args: argparse.Namespace, minutes: float) -> tuple[float, int]:
    """Return minutes and steps, one of which counts."""
    if args.minutes is not None:
        _check("--minutes", args.minutes, 0.001, 1e6)
    if args.steps is not None:
        _check("--steps", args.steps, 1, 10**9)
    return args.minutes or minutes, args.steps or 0


def _number(text: str, allowed: str) -> int | None:
    """Return the number of a network, counted from 0; None if none is given."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise _refused("--start", text, allowed)
    return int(text) - 1


def _check(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _refused(option, f"{value:g}", f"{low:g} … {high:g}")


def _refused(option: str, value: str, allowed: str) -> Exception:
    from autocontour.base.errors import UsageError

    return UsageError("AC-US-068", option=option, value=value[:60], allowed=allowed)
