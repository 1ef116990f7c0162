"""``autocontour models``: the model packages of this installation."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.cli import commissioning, distill, ensemble, gate, habits, importing

if TYPE_CHECKING:
    from autocontour.models import ModelPackage
    from autocontour.models.package.library import Entry

MOST_LISTED = 8


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("models", help="list, import, verify, install, measure, compare or promote packages")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    commissioning.add_actions(actions)
    gate.add_actions(actions)
    habits.add_actions(actions)
    ensemble.add_actions(actions)
    distill.add_actions(actions)
    importing.add_actions(actions)
    for action, run, help_text in (
        ("list", _list, "list the packages of the program and those installed"),
        ("show", _show, "show a package's structures, training and validation results"),
        ("verify", _verify, "check packages completely: files, checksums, weights, networks"),
        ("install", _install, "verify a package folder or zip and install it for this user"),
        ("remove", _remove, "remove an installed package"),
    ):
        sub = actions.add_parser(action, help=help_text)
        sub.set_defaults(run=run)
        if action == "verify":
            sub.add_argument("package", nargs="*", help="name, folder or zip (default: all packages)")
            importing.add_test_arguments(sub)
        elif action == "install":
            sub.add_argument("path", type=Path, help="the package's folder or zip")
            sub.add_argument(
                "--replace", action="store_true", help="replace the package of the same name in use, which is kept"
            )
        elif action != "list":
            sub.add_argument("package", help="name, folder or zip" if action == "show" else "name")
        if action in ("install", "remove"):
            sub.add_argument("--reason", default="", help="kept in the history")
            sub.add_argument("--by", default="", metavar="NAME", help="who decided, kept in the history")
        sub.add_argument("--json", action="store_true", help="print JSON for scripts")


def _list(args: argparse.Namespace) -> int:
    from rich.table import Table

    from autocontour.cli.console import console, plain, print_json
    from autocontour.models.package.library import read_library

    rows = [_row(entry) for entry in read_library()]
    if args.json:
        print_json(rows)
        return 0
    table = Table("package", "version", "body site", "structures", "from")
    for row in rows:
        source = "the program" if row["bundled"] else "installed"
        if expires := row.get("expires"):
            source += f", for one patient until {expires}"
        drawn = plain(", ".join(row.get("drawn", []))) or _not_drawn(row)
        if row["hidden"]:
            drawn = f"[red]not used: another package has the same name[/red] {drawn}"
        table.add_row(*(plain(row.get(key, "")) for key in ("name", "version", "body_site")), drawn, source)
    console().print(table if rows else "There are no model packages. Install one: autocontour models install PATH")
    return 0


def _not_drawn(row: dict[str, Any]) -> str:
    """Return what is shown of a package that draws nothing by default: what it draws if asked, or why it cannot."""
    from autocontour.cli.console import plain

    if "damage" in row:
        return f"[red]{plain(row['damage'])}[/red]"
    names = row["structures"]
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"if asked: {plain(', '.join(names[:MOST_LISTED]))}{more}"


def _row(entry: Entry) -> dict[str, Any]:
    used = {"used": entry.package is not None and entry.rival is None, "hidden": entry.rival is not None}
    if entry.package is not None:
        return _summary(entry.package) | used
    return {"name": entry.name, "bundled": entry.bundled, "damage": str(entry.error)} | used


def _show(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, plain, print_json
    from autocontour.models import find_package

    package = find_package(args.package)
    if args.json:
        print_json(_summary(package) | {"metadata": package.metadata})
        return 0
    out = console()
    name, site, licence = plain(f"{package.name} {package.version}"), plain(package.body_site), plain(package.license)
    out.print(f"[bold]{name}[/bold]  {site}  {licence}")
    if package.patient is not None:
        out.print(f"made for one patient on {package.patient.made or '–'}, used until {package.patient.expires}")
    if package.procedure is not None:
        sides = package.sides
        proven = f"left and right tested on {sides.date[:10]} {sides.proof}" if sides else "left and right not tested"
        out.print(f"published model: profile {package.procedure.profile}, {plain(proven)}")
        unmeasured = sum(name not in package.measured_names for name in package.structures)
        out.print(f"measured here: {len(package.structures) - unmeasured} of {len(package.structures)} structures")
    for key in ("description", "intended_use", "data_source", "authors", "references"):
        if text := package.metadata.get(key):
            out.print(f"{key.replace('_', ' ')}: {plain(text)}")
    out.print(f"checksum: {package.checksum}")
    for role, stage in package.stages.items():
        spacing = "×".join(f"{mm:g}" for mm in stage.spacing_zyx_mm)
        out.print(f"{role}: {plain(stage.network.get('architecture'))} on {spacing} mm (z, y, x)")
        for member in stage.members:
            left_out = ", ".join(name for name in package.structures if not member.weight(name))
            out.print(f"  averaged: {plain(member.name)}" + (f", not for {plain(left_out)}" if left_out else ""))
    out.print(_structures_table(package))
    return 0


def _structures_table(package: ModelPackage) -> Any:  # noqa: ANN401  (rich is imported only here)
    """Return a table of the structures, with the validation figures that the package states."""
    from rich.table import Table

    from autocontour.cli.console import plain

    validation = package.metadata.get("validation", {})
    figures = validation.get("structures", {}) if isinstance(validation, dict) else {}
    figures = figures if isinstance(figures, dict) else {}
    figures = {name: row for name, row in figures.items() if isinstance(row, dict)}
    keys = [key for key in dict.fromkeys(key for row in figures.values() for key in row) if not _is_detail(key)]
    labels = package.procedure.labels if package.procedure else {}
    own = ["label of the model"] if labels else []
    table = Table("structure", *own, "drawn", *(plain(key).replace("_", " ") for key in keys))
    for name, structure in package.structures.items():
        row = figures.get(name, {})
        values = [f"{row[key]:.3g}" if isinstance(row.get(key), float) else plain(row.get(key, "")) for key in keys]
        label = [plain(labels.get(name, ""))] if labels else []
        table.add_row(plain(name), *label, "yes" if structure.drawn else "if asked", *values)
    return table


def _is_detail(key: str) -> bool:
    """Return whether a value is shown only on the model card."""
    return key.endswith(("_mean", "_sd"))


def _verify(args: argparse.Namespace) -> int:
    from autocontour.base.errors import ModelError
    from autocontour.cli.console import console, plain, print_json
    from autocontour.models import find_package, read_package
    from autocontour.models.package.library import read_library

    if args.ct:
        return importing.verify_on_ct(args)
    if args.package:
        results = {name: _verdict(partial(find_package, name)) for name in args.package}
    else:
        results = {_label(entry): _verdict(partial(read_package, entry.folder)) for entry in read_library()}
    if args.json:
        print_json(results)
    else:
        for name, result in results.items():
            console().print(f"{plain(name)}: {plain(result)}")
    return 0 if all(result == "sound" for result in results.values()) else ModelError.exit_code


def _verdict(find: Callable[[], ModelPackage]) -> str:
    from autocontour.base.errors import ModelError
    from autocontour.models.package.package import verify_package

    try:
        verify_package(find())
    except ModelError as error:
        return str(error)
    return "sound"


def _label(entry: Entry) -> str:
    """Return the folder's name, with its location if another package of the same name is used instead."""
    if entry.rival is None:
        return entry.folder.name
    return f"{entry.folder.name} ({'came with the program' if entry.bundled else 'installed'}, not used)"


def _install(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.models.package.history import install_package, read_history

    lines = len(read_history())
    why = {"reason": args.reason.strip(), "by": args.by.strip()}
    package = install_package(args.path, replace=args.replace, **why)
    replaced = read_history()[-1].replaced if len(read_history()) > lines else {}
    if args.json:
        print_json(_summary(package) | {"replaced": dict(replaced)})
        return 0
    console().print(f"Installed {package.name} {package.version}.", markup=False)
    if replaced:
        before = replaced["version"] or "a damaged package, whose files are kept"
        back = f"autocontour models rollback {package.name} --reason REASON --by NAME"
        kept = ", which is kept" if replaced["version"] else ""
        console().print(f"It replaces {before}{kept}. No gate compared them.", markup=False, soft_wrap=True)
        if replaced["version"]:
            console().print(f"To use that again: {back}", markup=False, soft_wrap=True)
    return 0


def _remove(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.models.package.history import damaged_copies, remove_package

    before = damaged_copies(args.package)
    in_use = remove_package(args.package, reason=args.reason.strip(), by=args.by.strip())
    if args.json:
        print_json({"removed": args.package, "in_use": in_use.version if in_use else ""})
    else:
        damaged = [path for path in damaged_copies(args.package) if path not in before]
        kept = f"it was damaged, its files are in {damaged[0]}" if damaged else "it is kept among the earlier versions."
        console().print(f"Removed {args.package}; {kept}", markup=False, soft_wrap=True)
        if in_use:
            console().print(f"{in_use.name} {in_use.version} is in use from now on.", markup=False)
    return 0


def _summary(package: ModelPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "body_site": package.body_site,
        "license": package.license,
        "structures": list(package.structures),
        "drawn": list(package.drawn_names),
        "checksum": package.checksum,
        "bundled": package.bundled,
        "expires": package.patient.expires if package.patient else None,
    }
