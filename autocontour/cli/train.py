"""``autocontour train``: both stages of a model package from one configuration."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.models.training.config import TrainingConfig


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("train", help="train the networks of a model package")
    parser.add_argument(
        "config", type=Path, metavar="CONFIG", help="TOML file; see models/training/configs; with --plan the data set"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder of the run, continued if it exists; with --plan a file"
    )
    parser.add_argument("--data", type=Path, help="folder of the training data, instead of the configuration's")
    parser.add_argument("--stage", action="append", metavar="NAME", help="train only this stage (may be repeated)")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PACKAGE",
        help="start from the weights of this model package; with --package, use them for stages not in the run",
    )
    parser.add_argument("--fold", metavar="K/N", help="hold out part K, counted from 1, of N (cross-validation)")
    parser.add_argument(
        "--tensorboard", action="store_true", help="also write TensorBoard's event files, RUN/STAGE/tensorboard"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--curves", action="store_true", help="only draw the learning curves of the run")
    only.add_argument("--package", action="store_true", help="only write the model package of the run")
    only.add_argument("--plan", action="store_true", help="make a configuration from a data set, and train nothing")
    parser.add_argument("--name", default="mine", help="with --plan: name of the package")
    parser.add_argument("--minutes", type=float, default=480, help="with --plan: time for the training (default: 480)")
    parser.add_argument("--memory", type=float, default=8, metavar="GB", help="with --plan: memory (default: 8)")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, draw the curves and, once every stage has weights, write the package."""
    from autocontour.cli.console import print_json, progress_job
    from autocontour.models.package.library import find_package
    from autocontour.models.training import check_installation

    check_installation()
    if args.plan:
        return _plan(args)
    from autocontour.models.training.follow.run import is_follow_config

    if is_follow_config(args.config):
        return _follow(args)
    from autocontour.models.training.config import read_config
    from autocontour.models.training.curves import draw_curves
    from autocontour.models.training.packaging import package_run
    from autocontour.models.training.parallel import join_processes
    from autocontour.models.training.run import train_run

    config = _with_fold(read_config(args.config), args.fold)
    report: dict[str, object] = {}
    with progress_job(quiet=args.json) as job:
        source = find_package(args.source) if args.source else None
        if not args.curves and not args.package:
            options = {"data": args.data, "stages": args.stage, "source": source, "events": args.tensorboard}
            report |= train_run(config, args.output, job, **options)
            if not join_processes()[0].is_first:
                return 0
        if not args.curves and (args.package or not args.stage):
            report["package"] = str(package_run(config, args.output, job, data=args.data, source=source).path)
    if not args.package or any(args.output.glob("*/log.jsonl")):
        report["curves"] = str(draw_curves(args.output))
    if args.json:
        print_json(report)
    else:
        _print_report(report)
    return 0


def _print_report(report: dict[str, Any]) -> None:
    """Print a line on the patients, one on every stage, and one on every file written."""
    from autocontour.cli.console import console

    lines = []
    if "training" in report:
        counts = [f"{len(report[key])} patients for {key}" for key in ("training", "validation")]
        excluded = len(report["quarantined"])
        lines.append(", ".join([*counts, *([f"{excluded} excluded (see data.json)"] if excluded else [])]) + ".")
    elif "held_out" in report:
        lines.append(
            f"{report['patients']} patients for training, {len(report['held_out'])} held out, {report['steps']} steps."
        )
    if report.get("begun_with"):
        lines.append(f"Started from {report['begun_with']}.")
    for name, value in report.items():
        if isinstance(value, dict) and "patches_per_s" in value:
            rate = f"{value['patches_per_s']:g} patches per second on {value['device']}"
            done = f"{value['steps']} steps in {value['minutes']:g} minutes"
            lines.append(f"{name}: {done} ({rate}), validation score {value['score']:.3f}")
    lines += [f"{name}: {report[name]}" for name in ("package", "weights", "curves") if name in report]
    for line in lines:
        console().print(line, markup=False, soft_wrap=True)


def _follow(args: argparse.Namespace) -> int:
    """Train the network that follows corrected slices, or only write the weights of its run."""
    from autocontour.cli.console import print_json, progress_job
    from autocontour.models.training.follow.run import read_follow_config, train_follow, write_follow_weights

    config = read_follow_config(args.config)
    report: dict[str, object] = {}
    with progress_job(quiet=args.json) as job:
        if not args.package:
            report |= train_follow(config, args.output, job, data=args.data)
        else:
            config = replace(config, data=str(args.data)) if args.data else config
            report["weights"] = str(write_follow_weights(config, args.output))
    if args.json:
        print_json(report)
    else:
        _print_report(report)
    return 0


def _with_fold(config: TrainingConfig, fold: str | None) -> TrainingConfig:
    """Return the configuration with the fold given as ``K/N``."""
    from autocontour.base.errors import UsageError

    if fold is None:
        return config
    match = re.fullmatch(r"(\d{1,3})/(\d{1,3})", fold)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 100 or int(match[2]) < 2:
        raise UsageError("AC-US-053", value=fold)
    return replace(config, data=replace(config.data, folds=int(match[2]), fold=int(match[1]) - 1))


def _plan(args: argparse.Namespace) -> int:
    from autocontour.base.errors import OutputError, TrainingError
    from autocontour.base.files import write_atomically
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models.training.config import read_config
    from autocontour.models.training.planning import PlanRequest, plan_training

    if args.output.exists():
        raise OutputError("AC-OUT-002", file=args.output.name)
    with progress_job(quiet=args.json) as job:
        text = plan_training(PlanRequest(args.config.resolve(), args.name, args.minutes, args.memory), job)
    write_atomically(args.output, text.encode())
    try:
        read_config(args.output)
    except TrainingError:  # such as a time below zero: no file is left that no command can use
        args.output.unlink()
        raise
    if args.json:
        print_json({"config": str(args.output)})
    else:
        console().print(text, markup=False, soft_wrap=True, highlight=False)
        train = f"autocontour train {args.output} -o RUN"
        console().print(f"Wrote {args.output}. Train: {train}", markup=False, soft_wrap=True)
    return 0
