"""``autocontour queue add`` and ``rules``: which series are contoured, and how."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.cli.queue.common import open_queue, print_line

if TYPE_CHECKING:
    from autocontour.dicom import Series
    from autocontour.queue.intake import Chooser, Entry
    from autocontour.queue.record import Options
    from autocontour.queue.rules import Rules


def add(args: argparse.Namespace) -> int:
    """Add the planning CTs of the given folders."""
    from autocontour.base.errors import AutoContourError, Cancelled
    from autocontour.cli.console import progress_job
    from autocontour.queue.intake import add_folder

    exit_code = 0
    with open_queue(args) as store, progress_job(quiet=args.json) as job:
        choose = chooser(args)
        for path in args.paths:
            try:
                for entry in add_folder(store, path, choose, job, again=args.again):
                    exit_code = exit_code or _exit_code(entry)
                    _print_entry(entry, as_json=args.json)
            except Cancelled:
                raise
            except AutoContourError as error:
                exit_code = exit_code or error.exit_code
                print_line({"error": {"code": error.code, "message": error.message}}, str(error), as_json=args.json)
    return exit_code


def _exit_code(entry: Entry) -> int:
    from autocontour.base.errors import QueueError

    if entry.error:
        return entry.error.exit_code
    is_as_asked = entry.added is None or entry.added.outcome not in ("options", "fewer", "conflict")
    return 0 if is_as_asked else QueueError.exit_code


def _print_entry(entry: Entry, *, as_json: bool) -> None:
    values: dict[str, Any] = {"series": entry.uid, "slices": entry.slices}
    if entry.error:
        values["error"] = {"code": entry.error.code, "message": entry.error.message}
        text = f"{entry.uid}: {entry.error}"
    elif entry.added:
        values |= {"number": entry.added.number, "outcome": entry.added.outcome}
        text = f"{entry.added.number}  {OUTCOMES[entry.added.outcome]}  {entry.uid}, {entry.slices} slices"
    else:
        values["outcome"] = "skipped"
        text = f"skipped by the rules  {entry.uid}, {entry.slices} slices"
    print_line(values, text, as_json=as_json)


OUTCOMES = {
    "added": "added",
    "known": "already in the queue",
    "options": "already in the queue with other options, which stay (change them with --again)",
    "moved": "already in the queue, its files are now here",
    "replaces": "added, with more slices than before",
    "fewer": "not added, the queue has it with more slices",
    "conflict": "refused (AC-QU-006), the queue has other slices or contents of this series",
}


def chooser(args: argparse.Namespace) -> Chooser:
    """Return the options of the arguments, for every series, after checking template, package and structures."""
    from autocontour.dicom.content import read_attributes
    from autocontour.pipeline.plan import read_plan
    from autocontour.queue.record import Options
    from autocontour.queue.rules import ATTRIBUTES

    read_plan(args.template, args.structures, args.package)
    options = Options(
        template=_absolute(args.template),
        package=_absolute(args.package),
        structures=tuple(args.structures),
        accepted=tuple(args.accept),
        output=str(args.output.resolve()) if args.output else "",
        priority=args.priority,
    )
    if args.rules is None:
        return lambda _: options
    rules = _checked_rules(args.rules, options)

    def choose(series: Series) -> Options | None:
        rule = rules.choose(read_attributes(series, ATTRIBUTES), len(series))
        return None if rule is None or rule.skip else rule.options(options)

    return choose


def _checked_rules(path: Path, default: Options) -> Rules:
    """Read the rules, and check the templates, packages and structures that they name."""
    from autocontour.pipeline.plan import read_plan
    from autocontour.queue.rules import read_rules

    rules = read_rules(path)
    for rule in rules.rules:
        options = rule.options(default)
        read_plan(options.template, options.structures, options.package)
    return rules


def _absolute(name: str) -> str:
    """Return a path as absolute, for a run in another folder; a name stays."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name


def rules(args: argparse.Namespace) -> int:
    """Check a file of rules, and explain what it does with a folder."""
    from autocontour.cli.console import console, progress_job
    from autocontour.dicom import planning_cts, scan_folder
    from autocontour.dicom.content import read_attributes
    from autocontour.queue.record import Options
    from autocontour.queue.rules import ATTRIBUTES

    rules = _checked_rules(args.rules, Options())
    if args.explain is None:
        print_line({"rules": len(rules.rules)}, f"{len(rules.rules)} rules, no problems.", as_json=args.json)
        return 0
    with progress_job(quiet=args.json) as job:
        found = planning_cts(scan_folder(args.explain, job))
    for series in found:
        attributes = read_attributes(series, ATTRIBUTES)
        explained = list(_explain(rules, attributes, len(series)))
        chosen = rules.choose(attributes, len(series))
        name = chosen.name if chosen else None
        if args.json:
            values = {"series": series.series_instance_uid, "rule": name, "skip": chosen is None or chosen.skip}
            print_line({**values, "explained": explained}, "", as_json=True)
            continue
        out = console()
        out.print(f"{series.series_instance_uid}, {len(series)} slices", markup=False, soft_wrap=True)
        for one in explained:
            for line in _lines(one):
                out.print(line, markup=False, soft_wrap=True)
        out.print(f"  → {name or 'no rule fits: not contoured'}", markup=False, soft_wrap=True)
    return 0


def _explain(rules: Rules, attributes: Mapping[str, str], slices: int) -> Iterator[dict[str, Any]]:
    """Yield each rule up to the one that is used, with its conditions and what it does."""
    for rule in rules.rules:
        conditions = [asdict(one) for one in rule.conditions(attributes, slices)]
        done = {"skip": rule.skip, "template": rule.template, "package": rule.package, "output": rule.output}
        yield {"rule": rule.name, "fits": rule.fits(attributes, slices), "conditions": conditions, **done}
        if rule.fits(attributes, slices):
            return


def _lines(explained: dict[str, Any]) -> Iterator[str]:
    yield f"  {explained['rule']}: {'fits' if explained['fits'] else 'does not fit'}"
    for one in explained["conditions"]:
        mark = "yes" if one["holds"] else "no "
        yield f"    {mark}  {one['attribute']}: {one['wanted']} (is: {one['present'] or 'empty'})"
    if explained["fits"]:
        names = ("template", "package", "output")
        stated = ", ".join(f"{name} {explained[name]}" for name in names if explained[name])
        yield f"    {'not contoured' if explained['skip'] else stated or 'the usual options'}"
