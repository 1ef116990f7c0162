"""``autocontour models ensemble``: packages joined into one, whose networks are averaged."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.base.findings import Finding
    from autocontour.models import ModelPackage


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``ensemble`` to the actions of ``models``."""
    parser = actions.add_parser("ensemble", help="join packages into one, whose networks are averaged")
    parser.add_argument("packages", nargs="+", metavar="PACKAGE", help="two or more: names, folders or zips")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACKAGE", help="the folder to write")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="STRUCTURE=W,W",
        help="weight of each package in the mean of a structure, 0: not run for it (default: 1; may be repeated)",
    )
    parser.add_argument(
        "--localizer", type=int, default=0, metavar="N", help="localizer of package N, counted from 1 (default: mean)"
    )
    parser.add_argument("--version", default="", help="of the result (default: the first one's, with -ensemble)")
    parser.add_argument("--note", default="", help="how packages and weights were chosen, for the model card")
    parser.add_argument(
        "--data", type=Path, help="data set for thresholds and limits: the patients held out from all trainings"
    )
    devices = ("auto", "cpu", "cuda", "torch-cpu")
    parser.add_argument("--device", choices=devices, default="auto", help="for the networks")
    parser.add_argument("--json", action="store_true", help="print JSON for scripts")
    parser.set_defaults(run=_ensemble)


def _ensemble(args: argparse.Namespace) -> int:
    from autocontour.base.errors import OutputError
    from autocontour.base.files import shown_path
    from autocontour.cli.console import console, print_json
    from autocontour.models import find_package, write_package
    from autocontour.models.package.ensemble import Joining, join_packages
    from autocontour.models.package.members import read_members

    if args.output.exists():
        raise OutputError("AC-OUT-002", file=shown_path(args.output))
    packages = [find_package(name) for name in args.packages]
    version = args.version or f"{packages[0].version}-ensemble"
    joining = Joining(packages, version, _weights(args.weights), args.localizer, args.note)
    texts = read_members(packages[0].path)
    licence = {"LICENSE": texts["LICENSE"].decode()} if "LICENSE" in texts else {}
    package = write_package(args.output, *join_packages(joining), licence)
    findings: tuple[Finding, ...] = ()
    if args.data:
        package, findings = _calibrate(package, args)
    if args.json:
        networks = {role: package.networks(role) for role in package.stages}
        thresholds = {name: one.threshold for name, one in package.structures.items()}
        report = {"package": str(package.path), "version": version, "networks": networks, "thresholds": thresholds}
        print_json(report | {"findings": [finding.to_json() for finding in findings]})
        return 0
    console().print(f"Wrote {package.name} {package.version}, {args.output}.", markup=False, soft_wrap=True)
    for finding in findings:
        line = f"{finding.severity.name} {finding.code} {finding.message} {finding.remedy}"
        console().print(line, markup=False, soft_wrap=True)
    console().print("Next: autocontour models gate", markup=False)
    return 0


def _calibrate(package: ModelPackage, args: argparse.Namespace) -> tuple[ModelPackage, tuple[Finding, ...]]:
    from autocontour.cli.console import progress_job
    from autocontour.models.package.package import rewrite_metadata
    from autocontour.models.training import check_installation

    check_installation()
    from autocontour.models.training.joined import calibrate_joined

    with progress_job(quiet=args.json) as job:
        metadata, findings = calibrate_joined(package, args.data, job, args.device)
    return rewrite_metadata(package, metadata), findings


def _weights(texts: list[str]) -> dict[str, list[float]]:
    """Return the weights of ``STRUCTURE=W,W`` texts."""
    from autocontour.base.errors import ModelError

    weights: dict[str, list[float]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            weights[name.strip()] = [float(value) for value in values.split(",")]
        except ValueError as error:
            raise ModelError("AC-MD-069", reason=f"{text!a} is not STRUCTURE=W,W") from error
    return weights
