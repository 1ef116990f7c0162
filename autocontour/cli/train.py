"""``autocontour train``: both stages of a model package from one configuration."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("train", help="train the networks of a model package")
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file; see models/training/configs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the run (continued if it exists)")
    parser.add_argument("--data", type=Path, help="folder of the training data, instead of the configuration's")
    parser.add_argument("--stage", action="append", metavar="NAME", help="train only this stage (may be repeated)")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PACKAGE",
        help="start from the weights of this model package; with --package, use them for stages not in the run",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--curves", action="store_true", help="only draw the learning curves of the run")
    only.add_argument("--package", action="store_true", help="only write the model package of the run")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, draw the curves and, once every stage has weights, write the package."""
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models.package.library import find_package
    from autocontour.models.training import check_installation

    check_installation()
    from autocontour.models.training.config import read_config
    from autocontour.models.training.curves import draw_curves
    from autocontour.models.training.packaging import package_run
    from autocontour.models.training.run import train_run

    config = read_config(args.config)
    report: dict[str, object] = {}
    with progress_job(quiet=args.json) as job:
        source = find_package(args.source) if args.source else None
        if not args.curves and not args.package:
            report |= train_run(config, args.output, job, data=args.data, stages=args.stage, source=source)
        if not args.curves and (args.package or not args.stage):
            report["package"] = str(package_run(config, args.output, job, data=args.data, source=source).path)
    if not args.package or any(args.output.glob("*/log.jsonl")):
        report["curves"] = str(draw_curves(args.output))
    if args.json:
        print_json(report)
    else:
        for name, value in report.items():
            console().print(f"{name}: {value}", markup=False)
    return 0
