"""``autocontour retrain``: a package trained on with a clinic's own cases."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("retrain", help="train a model package on with cases of this clinic")
    parser.add_argument("package", metavar="PACKAGE", help="the package in use: name, folder or zip")
    parser.add_argument("data", type=Path, metavar="DATASET", help="data set of the new cases (split train)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run (continued if it exists)")
    parser.add_argument(
        "--replay",
        action="append",
        type=Path,
        default=[],
        metavar="DATASET",
        help="earlier patients, against forgetting (may be repeated)",
    )
    parser.add_argument(
        "--add", action="append", default=[], metavar="STRUCTURE", help="learn this structure too (may be repeated)"
    )
    parser.add_argument("--steps", type=int, default=0, help="training steps (default: by the number of cases)")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Retrain and print where the candidate is and how it comes into use."""
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models.package.library import find_package
    from autocontour.models.training import check_installation

    check_installation()
    from autocontour.models.training.retrain import Retraining, about_retraining, retrain_package

    plan = Retraining(find_package(args.package), args.data, tuple(args.replay), tuple(args.add), args.steps)
    with progress_job(quiet=args.json) as job:
        candidate = retrain_package(plan, args.output, job)
    learnt, found = candidate.metadata["training"]["retrained"][-1], list(about_retraining(plan, candidate))
    if args.json:
        findings = [finding.to_json() for finding in found]
        report = {"package": str(candidate.path), "version": candidate.version, "learnt_from": learnt}
        print_json(report | {"findings": findings})
        return 0
    out = console()
    counts = f"{len(learnt['cases'])} new and {learnt['replayed']} earlier patients"
    structures = ", ".join(learnt["structures"])
    out.print(f"{candidate.name} {candidate.version} in {candidate.path}.", markup=False)
    out.print(f"Learnt from {counts}; contoured in the new ones: {structures}.", markup=False, soft_wrap=True)
    for finding in found:
        line = f"{finding.severity.name:<5} {finding.code} {finding.message} {finding.remedy}".rstrip()
        out.print(line, markup=False, soft_wrap=True)
    gate = f"autocontour models gate {candidate.path} --against {args.package} --data FROZEN -o RECORD.json"
    out.print(f"It is not used until it has passed the gate:\n  {gate}", markup=False, soft_wrap=True)
    return 0
