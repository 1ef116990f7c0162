"""``autocontour models gate``, ``promote``, ``history``, ``rollback`` and ``accept``: how a package comes into use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.qa.commissioning.gate import GateRecord


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the actions to those of ``models``."""
    gate = actions.add_parser("gate", help="compare a candidate with the package in use on unseen patients")
    gate.add_argument("candidate", help="name, folder or zip")
    gate.add_argument("--against", required=True, metavar="PACKAGE", help="the package in use: name, folder or zip")
    gate.add_argument(
        "--data",
        required=True,
        action="append",
        metavar="[SITE=]FOLDER[:SPLIT]",
        help="data set of patients that no training has seen; each site is judged apart (may be repeated)",
    )
    gate.add_argument("--limits", type=Path, help="TOML file of the margins (default: the program's)")
    gate.add_argument("-o", "--output", type=Path, help="write the record to this JSON file")
    gate.add_argument("--device", choices=("auto", "cpu", "cuda", "torch-cpu"), default="auto", help="for the networks")
    gate.add_argument("--json", action="store_true", help="print the record as JSON")
    gate.set_defaults(run=_gate)
    promote = actions.add_parser("promote", help="use a candidate that has passed the gate; the old one is kept")
    promote.add_argument("candidate", type=Path, help="folder or zip")
    promote.add_argument("--record", type=Path, required=True, help="the gate's record")
    promote.add_argument("--override", default="", metavar="REASON", help="use it although it has not passed")
    promote.add_argument("--by", default="", metavar="NAME", help="who decided to override")
    promote.add_argument("--json", action="store_true", help="print JSON for scripts")
    promote.set_defaults(run=_promote)
    history = actions.add_parser("history", help="list which versions of the packages were in use")
    history.add_argument("package", nargs="?", default="", help="name (default: all packages)")
    history.add_argument("--json", action="store_true", help="print JSON for scripts")
    history.set_defaults(run=_history)
    rollback = actions.add_parser("rollback", help="use the version that was in use before")
    rollback.add_argument("package", help="name")
    rollback.add_argument("--to", default="", metavar="VERSION", help="this version instead of the last one replaced")
    rollback.add_argument("--reason", required=True, help="kept in the history")
    rollback.add_argument("--by", required=True, metavar="NAME", help="who decided")
    rollback.add_argument("--json", action="store_true", help="print JSON for scripts")
    rollback.set_defaults(run=_rollback)
    accept = actions.add_parser("accept", help="record the package in use that the history does not state")
    accept.add_argument("package", help="name")
    accept.add_argument("--reason", required=True, help="kept in the history")
    accept.add_argument("--by", required=True, metavar="NAME", help="who decided")
    accept.add_argument("--json", action="store_true", help="print JSON for scripts")
    accept.set_defaults(run=_accept)


def _gate(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models import find_package
    from autocontour.models.inference.runtime import keep_runners
    from autocontour.qa.commissioning.gate import Site, read_limits, run_gate, write_record

    keep_runners()
    limits = read_limits(args.limits) if args.limits else read_limits()
    candidate, against = find_package(args.candidate), find_package(args.against)
    with progress_job(quiet=args.json) as job:
        record = run_gate(candidate, against, [Site.parse(one) for one in args.data], limits, job, device=args.device)
    if args.output:
        write_record(args.output, record)
    if args.json:
        print_json({**record.content, "seal": record.seal})
    else:
        _print_record(record)
        if args.output:
            console().print(f"Wrote {args.output}.", markup=False)
    return 0 if record.passed else 1


def _print_record(record: GateRecord) -> None:
    from rich.table import Table

    from autocontour.cli.console import console, plain

    out = console()
    for site in record.content["sites"]:
        bound = "lower bound"
        table = Table("structure", "n", "DSC", bound, "surface DSC", bound, "worst cases", "missing", "")
        for row in record.content["judgements"]:
            if row["site"] == site["name"]:
                table.add_row(*_cells(row))
        out.print(f"[bold]{plain(site['name'])}[/bold]: {site['patients']} patients of {plain(site['split'])}")
        out.print(table)
    for row in record.content["judgements"]:
        for problem in row["problems"]:
            out.print(f"{row['site']}: {problem['code']}: {problem['message']}", markup=False, soft_wrap=True)
    for row in record.content["judgements"]:
        _print_power(row)
    out.print("Passed: not inferior to the package in use." if record.passed else "[red]Not passed.[/red]")


def _print_power(row: dict[str, Any]) -> None:
    """Print how probable a pass was for an equally good candidate, where the interval alone speaks against this one."""
    from autocontour.base.findings import Finding
    from autocontour.cli.console import console

    if not any(problem["code"] == "AC-QA-034" for problem in row["problems"]):
        return
    known = [row[metric] for metric in ("dsc", "surface_dsc") if row[metric]["needed"] is not None]
    needed = max((one["needed"] for one in known), default=0)
    if needed > row["n"]:
        power = min(one["power"] for one in known)
        values = {"structure": row["structure"], "power": power, "count": row["n"], "needed": needed}
        note = Finding.of("AC-QA-049", **values)
        console().print(f"{row['site']}: {note.code}: {note.message} {note.remedy}", markup=False, soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    from autocontour.cli.console import plain

    dsc, surface = row["dsc"], row["surface_dsc"]
    return [
        plain(row["structure"]),
        str(row["n"]),
        f"{dsc['before']:.3f} → {dsc['after']:.3f}",
        f"{dsc['lower_bound']:+.3f}",
        f"{surface['before']:.3f} → {surface['after']:.3f}",
        f"{surface['lower_bound']:+.3f}",
        f"{row['worst_before']:.3f} → {row['worst_after']:.3f}",
        f"{row['lost_before']} → {row['lost_after']}",
        "[red]not passed[/red]" if row["problems"] else "passed",
    ]


def _promote(args: argparse.Namespace) -> int:
    from autocontour.base.errors import UsageError
    from autocontour.cli.console import console, print_json
    from autocontour.models import find_package, read_package
    from autocontour.models.package.history import promote_package
    from autocontour.qa.commissioning.gate import read_record

    record = read_record(args.record)
    candidate = read_package(args.candidate)
    if record.candidate != candidate.checksum:
        raise UsageError("AC-QA-042", package=f"{candidate.name} {candidate.version}")
    if record.against != find_package(candidate.name).checksum:
        raise UsageError("AC-QA-043", package=candidate.name)
    if not record.passed and not (args.override.strip() and args.by.strip()):
        raise UsageError("AC-QA-044", package=f"{candidate.name} {candidate.version}")
    package = promote_package(args.candidate, record=record.seal, reason=args.override.strip(), by=args.by.strip())
    if args.json:
        print_json({"package": package.name, "version": package.version, "checksum": package.checksum})
    else:
        console().print(f"{package.name} {package.version} is now in use.", markup=False)
    return 0


def _history(args: argparse.Namespace) -> int:
    from rich.table import Table

    from autocontour.cli.console import console, plain, print_json
    from autocontour.models import available_packages, check_history
    from autocontour.models.package.history import read_history

    changes = read_history(args.package)
    if args.json:
        print_json([change.__dict__ for change in changes])
        return 0
    table = Table("time", "package", "version", "", "replaced", "reason", "by")
    for one in changes:
        row = (one.time, one.package, one.version, one.action, one.replaced.get("version", ""), one.reason, one.by)
        table.add_row(*(plain(value) for value in row))
    console().print(table if changes else "No package was installed, promoted, rolled back or removed.")
    for finding in check_history([one for one in available_packages() if args.package in ("", one.name)]):
        console().print(f"{finding.code}: {finding.message} {finding.remedy}", markup=False, soft_wrap=True)
    return 0


def _accept(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.models.package.history import accept_package

    package = accept_package(args.package, reason=args.reason.strip(), by=args.by.strip())
    if args.json:
        print_json({"package": package.name, "version": package.version, "checksum": package.checksum})
    else:
        console().print(f"Recorded: {package.name} {package.version} is in use.", markup=False)
    return 0


def _rollback(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.models.package.history import rollback_package

    package = rollback_package(args.package, args.to, reason=args.reason.strip(), by=args.by.strip())
    if args.json:
        print_json({"package": package.name, "version": package.version, "checksum": package.checksum})
    else:
        console().print(f"{package.name} {package.version} is in use again.", markup=False)
    return 0
