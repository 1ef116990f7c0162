"""``autocontour queue``: contouring of many series without anybody watching."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocontour.dicom import Series
    from autocontour.queue.intake import Chooser, Entry
    from autocontour.queue.record import Options, Record
    from autocontour.queue.rules import Rules
    from autocontour.queue.run import OnEvent, Run, Summary
    from autocontour.queue.store import Store

STATES = ("waiting", "running", "contoured", "done", "refused", "failed", "cancelled", "replaced")
"""Values of `autocontour.queue.record.State`, which is not imported only to parse arguments."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands' arguments."""
    parser = commands.add_parser("queue", help="contour many series without anybody watching")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", _add, "add the planning CTs of folders")
    add.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    add.add_argument("--again", action="store_true", help="also what was contoured, refused or cancelled before")
    _add_contouring(add)
    run = _action(actions, "run", _run, "work until the queue is empty")
    _add_running(run)
    watch = _action(actions, "watch", _watch, "add every series that arrives in a folder, and contour it")
    watch.add_argument("folder", type=Path)
    quiet_help = "time without change after which a series is complete"
    watch.add_argument("--quiet-seconds", type=float, default=60.0, help=quiet_help)
    watch.add_argument("--poll-seconds", type=float, default=5.0, help="how often the folder is read")
    watch.add_argument("--add-only", action="store_true", help="do not contour")
    _add_contouring(watch)
    _add_running(watch)
    listing = _action(actions, "list", _list, "list the series")
    listing.add_argument("--state", nargs="+", default=[], choices=STATES, help="only those in these states")
    _action(actions, "show", _show, "show one series").add_argument("number", type=int)
    _add_rules(actions)
    cancel = _action(actions, "cancel", _cancel, "cancel series, also while they run")
    cancel.add_argument("numbers", type=int, nargs="+", metavar="NUMBER")
    retry = _action(actions, "retry", _retry, "try series again that failed, were refused or cancelled")
    retry.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="all that failed without a number")


def _add_rules(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rules = _action(actions, "rules", _rules, "check a file of rules, and explain what it does with a folder")
    rules.add_argument("rules", type=Path, metavar="RULES.toml")
    rules.add_argument("--explain", type=Path, metavar="CT_FOLDER", help="show which rule each series gets, and why")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("--queue", type=Path, metavar="FOLDER", help="folder of the queue (default: the user's own)")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, one object per line")
    parser.set_defaults(run=run)
    return parser


def _add_contouring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="for the results (default: beside the CT)")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="rules that choose these options (docs/queue.md)")
    parser.add_argument("--template", default="", help="site template, by name or path")
    parser.add_argument("--package", default="", help="model package, by name or path")
    parser.add_argument("--structures", nargs="+", default=[], metavar="NAME", help="only these (TG-263 names)")
    parser.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="contour despite these findings")
    parser.add_argument("--priority", type=int, default=0, help="higher numbers come first")


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=0.0, help="time budget (default: none)")
    parser.add_argument("--series-minutes", type=float, default=120.0, help="longest time for one series")
    parser.add_argument("--attempts", type=int, default=6, help="attempts for errors that may pass")
    parser.add_argument("--retry-seconds", type=float, default=60.0, help="pause after the first; it doubles each time")
    parser.add_argument("--least-free-gb", type=float, default=1.0, help="free space below which nothing is begun")
    parser.add_argument("--keep-days", type=float, default=365.0, help="reports of older results are removed")
    parser.add_argument("--status-port", type=int, metavar="PORT", help="serve a status page on http://127.0.0.1:PORT")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the networks")


def _open(args: argparse.Namespace) -> Store:
    from autocontour.base.errors import QueueError
    from autocontour.base.files import shown_path
    from autocontour.queue.store import DATABASE, Store, queue_folder

    if args.queue and args.action not in ("add", "watch") and not (args.queue / DATABASE).is_file():
        raise QueueError("AC-QU-022", folder=shown_path(args.queue))  # not a new, empty queue for a mistyped name
    return Store(args.queue or queue_folder())


def _chooser(args: argparse.Namespace) -> Chooser:
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


def _rules(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, progress_job
    from autocontour.dicom import planning_cts, scan_folder
    from autocontour.dicom.content import read_attributes
    from autocontour.queue.record import Options
    from autocontour.queue.rules import ATTRIBUTES

    rules = _checked_rules(args.rules, Options())
    if args.explain is None:
        _print_line({"rules": len(rules.rules)}, f"{len(rules.rules)} rules, no problems.", as_json=args.json)
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
            _print_line({**values, "explained": explained}, "", as_json=True)
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


def _absolute(name: str) -> str:
    """Return a path as absolute, for a run in another folder; a name stays."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name


def _add(args: argparse.Namespace) -> int:
    from autocontour.base.errors import AutoContourError, Cancelled
    from autocontour.cli.console import progress_job
    from autocontour.queue.intake import add_folder

    exit_code = 0
    with _open(args) as store, progress_job(quiet=args.json) as job:
        choose = _chooser(args)
        for path in args.paths:
            try:
                for entry in add_folder(store, path, choose, job, again=args.again):
                    exit_code = exit_code or _exit_code(entry)
                    _print_entry(entry, as_json=args.json)
            except Cancelled:
                raise
            except AutoContourError as error:
                exit_code = exit_code or error.exit_code
                _print_line({"error": {"code": error.code, "message": error.message}}, str(error), as_json=args.json)
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
    _print_line(values, text, as_json=as_json)


OUTCOMES = {
    "added": "added",
    "known": "already in the queue",
    "options": "already in the queue with other options, which stay (change them with --again)",
    "moved": "already in the queue, its files are now here",
    "replaces": "added, with more slices than before",
    "fewer": "not added, the queue has it with more slices",
    "conflict": "refused (AC-QU-006), the queue has other slices or contents of this series",
}


def _run(args: argparse.Namespace) -> int:
    return _work(args, lambda _store, _on_event: lambda: False)


def _watch(args: argparse.Namespace) -> int:
    from autocontour.queue.watch import Watcher, watch_only

    choose = _chooser(args)
    if args.add_only:
        from autocontour.cli.console import progress_job

        with _open(args) as store, progress_job(quiet=True) as job:
            times = {"quiet_s": args.quiet_seconds, "poll_s": args.poll_seconds}
            watch_only(Watcher(store, args.folder, choose, _printer(args, store), job, **times), args.minutes, job)
        return 0

    def prepare(store: Store, on_event: OnEvent) -> Callable[[], bool]:
        watcher = Watcher(store, args.folder, choose, on_event, quiet_s=args.quiet_seconds, poll_s=args.poll_seconds)
        return watcher.turn

    return _work(args, prepare)


def _work(args: argparse.Namespace, prepare: Callable[[Store, OnEvent], Callable[[], bool]]) -> int:
    from autocontour.base.errors import Cancelled, QueueError
    from autocontour.cli.console import progress_job
    from autocontour.queue.run import Run, RunOptions

    options = RunOptions(
        minutes=args.minutes,
        series_minutes=args.series_minutes,
        attempts=args.attempts,
        retry_s=args.retry_seconds,
        least_free_gb=args.least_free_gb,
        device=args.device,
    )
    with _open(args) as store, _status_page(args, store), progress_job(quiet=True) as job:
        store.forget_reports(args.keep_days)
        on_event = _printer(args, store)
        run: Run = Run(store, options, on_event, job)
        summary: Summary = run.work(prepare(store, on_event))
        on_event("end", {"ended": summary.ended, "waiting": summary.waiting})
        if job.is_cancelled:
            raise Cancelled
    if summary.is_time_up and summary.waiting and not summary.exit_code:
        raise QueueError("AC-QU-017", count=summary.waiting)
    return summary.exit_code


@contextmanager
def _status_page(args: argparse.Namespace, store: Store) -> Iterator[None]:
    from autocontour.queue.status import StatusServer

    if args.status_port is None:
        yield
        return
    server = StatusServer(store.folder, args.status_port)
    try:
        yield
    finally:
        server.close()


def _printer(args: argparse.Namespace, store: Store) -> OnEvent:
    """Return what shows an event and logs it; progress is not logged."""
    from autocontour.queue.log import Log

    log = Log(store.folder)

    def show(event: str, values: dict[str, Any]) -> None:
        if event != "progress":
            log.write(event, values)
        elif not args.json:
            _print_progress(values)
            return
        text = f"{event}  " + ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
        _print_line({"event": event, **values}, text, as_json=args.json)

    return show


def _print_progress(values: dict[str, Any]) -> None:
    """Show the progress on the last line of a terminal; nothing in a file."""
    if not sys.stderr.isatty():
        return
    left = values["seconds_left"]
    time_left = "" if left is None else f", about {left // 60:.0f} min left in all"
    text = f"{values['number']}  {values['stage']} {values['fraction']:.0%}{time_left}"
    sys.stderr.write(f"\r\x1b[K{text}\r")
    sys.stderr.flush()


def _list(args: argparse.Namespace) -> int:
    from autocontour.queue.record import State

    with _open(args) as store:
        records = store.records([State(name) for name in args.state])
    if args.json:
        for record in records:
            _print_line(record.to_json(), "", as_json=True)
    else:
        _print_table(records)
    return 0


def _print_table(records: Iterable[Record]) -> None:
    from rich.table import Table
    from rich.text import Text

    from autocontour.cli.console import console

    table = Table("number", "state", "series", "slices", "template", "attempts", "error", "seconds")
    for record in records:
        row = record.to_json()
        error = row["error"]["code"] if row["error"] else ""
        cells = (row["number"], row["state"], row["series"], row["slices"], row["template"], row["attempts"], error)
        table.add_row(*(Text(str(cell)) for cell in (*cells, row["seconds"] or "")))
    console().print(table)


def _show(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, plain, print_json

    with _open(args) as store:
        record = store.find(args.number).to_json(whole=True)
    if args.json:
        print_json(record)
        return 0
    for name, value in record.items():
        if name == "report":
            continue
        console().print(f"{name}: {plain(value)}", soft_wrap=True)
    for structure in (record["report"] or {}).get("structures", ()):
        notes = " ".join(finding["message"] for finding in structure["findings"] if finding["severity"] != "INFO")
        console().print(f"  {plain(structure['name'])}  {structure['volume_cc']} cc  {plain(notes)}", soft_wrap=True)
    return 0


def _cancel(args: argparse.Namespace) -> int:
    with _open(args) as store:
        for number in args.numbers:
            state = store.cancel(number)
            text = f"{number}: {'is being cancelled' if state in ('running', 'contoured') else state}"
            _print_line({"number": number, "state": state}, text, as_json=args.json)
    return 0


def _retry(args: argparse.Namespace) -> int:
    from autocontour.queue.record import State

    with _open(args) as store:
        for number in args.numbers or [record.number for record in store.records([State.FAILED])]:
            state = store.retry(number)
            _print_line({"number": number, "state": state}, f"{number}: {state}", as_json=args.json)
    return 0


def _print_line(values: dict[str, Any], text: str, *, as_json: bool) -> None:
    line = json.dumps(values) if as_json else text
    sys.stdout.write(line.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    sys.stdout.flush()
