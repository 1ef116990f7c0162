"""``autocontour models habits``: a package calibrated to what a clinic always changes."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.qa.commissioning.habits import Estimate, StructureHabits


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action to those of ``models``."""
    habits = actions.add_parser("habits", help="learn end levels and margins that this clinic always changes")
    habits.add_argument("package", help="name, folder or zip")
    habits.add_argument("data", type=Path, metavar="DATASET", help="data set of corrected cases; five are enough")
    habits.add_argument("--split", default="train", help="of the data set (default: train)")
    habits.add_argument("-o", "--output", type=Path, metavar="PACKAGE", help="write the package with the habits here")
    devices = ("auto", "cpu", "cuda", "torch-cpu")
    habits.add_argument("--device", choices=devices, default="auto", help="for the networks")
    habits.add_argument("--json", action="store_true", help="print JSON for scripts")
    habits.set_defaults(run=_habits)


def _habits(args: argparse.Namespace) -> int:
    from autocontour.base.errors import OutputError, UsageError
    from autocontour.cli.console import console, print_json, progress_job
    from autocontour.models import find_package
    from autocontour.qa.commissioning.habits import find_habits, with_habits

    package = find_package(args.package)
    if any(structure.habit for structure in package.structures.values()):
        raise UsageError("AC-QA-046", package=f"{package.name} {package.version}")
    if args.output and args.output.exists():
        raise OutputError("AC-OUT-002", file=args.output.name)
    with progress_job(quiet=args.json) as job:
        found = find_habits(package, args.data, args.split, job, device=args.device)
    if args.json:
        print_json([_to_json(one) for one in found])
    else:
        console().print(_table(found))
    if args.output:
        _write(package, with_habits(package, found), args.output)
        if not args.json:
            console().print(f"Wrote {args.output}. Next: autocontour models gate", markup=False, soft_wrap=True)
    return 0


def _write(package: Any, metadata: dict[str, Any], output: Path) -> None:  # noqa: ANN401  (a package)
    from autocontour.models import write_package

    count = max((entry["habit"]["cases"] for entry in metadata["structures"] if "habit" in entry), default=0)
    version = f"{package.version}-habits"
    changelog = {**metadata.get("changelog", {}), version: f"end levels and margins of a clinic, from {count} cases"}
    metadata = {key: value for key, value in metadata.items() if key != "validation"}
    weights = {role: package.read_weights(role) for role in package.stages}
    write_package(output, metadata | {"version": version, "changelog": changelog}, weights)


def _table(found: list[StructureHabits]) -> Any:  # noqa: ANN401  (rich is imported only here)
    from rich.table import Table

    from autocontour.cli.console import plain

    table = Table("structure", "superior end", "inferior end", "border in the slices")
    for one in found:
        table.add_row(plain(one.structure), *(_cell(part) for part in (one.superior, one.inferior, one.margin)))
    table.caption = "Median change in mm (95 % interval, cases); bold: a habit, applied to what the package draws."
    return table


def _cell(one: Estimate) -> str:
    if not one.n:
        return "–"
    text = f"{one.median_mm:+.1f} ({one.low_mm:+.1f} … {one.high_mm:+.1f}, n {one.n})"
    return f"[bold]{text}[/bold]" if one.is_habit else text


def _to_json(one: StructureHabits) -> dict[str, Any]:
    parts = {"superior": one.superior, "inferior": one.inferior, "margin": one.margin}
    return {
        "structure": one.structure,
        **{name: {**asdict(part), "is_habit": part.is_habit} for name, part in parts.items() if part.n},
        "habit": asdict(one.habit) if one.habit else None,
    }
