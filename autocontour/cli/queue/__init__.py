"""``autocontour queue``: contouring of many series without anybody watching."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from autocontour.cli.queue import adding, listing, running

STATES = ("waiting", "running", "contoured", "done", "refused", "failed", "cancelled", "replaced")
"""Values of `autocontour.queue.record.State`, which is not imported only to parse arguments."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands' arguments."""
    parser = commands.add_parser("queue", help="contour many series without anybody watching")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", adding.add, "add the planning CTs of folders")
    add.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    add.add_argument("--again", action="store_true", help="also what was contoured, refused or cancelled before")
    _add_contouring(add)
    run = _action(actions, "run", running.run, "work until the queue is empty")
    _add_running(run)
    watch = _action(actions, "watch", running.watch, "add every series that arrives in a folder, and contour it")
    watch.add_argument("folder", type=Path)
    quiet_help = "time without change after which a series is complete"
    watch.add_argument("--quiet-seconds", type=float, default=60.0, help=quiet_help)
    watch.add_argument("--poll-seconds", type=float, default=5.0, help="how often the folder is read")
    watch.add_argument("--add-only", action="store_true", help="do not contour")
    _add_contouring(watch)
    _add_running(watch)
    _add_worker(actions)
    shown = _action(actions, "list", listing.list_series, "list the series")
    shown.add_argument("--state", nargs="+", default=[], choices=STATES, help="only those in these states")
    _action(actions, "show", listing.show, "show one series").add_argument("number", type=int)
    _add_rules(actions)
    cancel = _action(actions, "cancel", listing.cancel, "cancel series, also while they run")
    cancel.add_argument("numbers", type=int, nargs="+", metavar="NUMBER")
    retry = _action(actions, "retry", listing.retry, "try series again that failed, were refused or cancelled")
    retry.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="all that failed without a number")


def _add_worker(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    worker = actions.add_parser("worker", help="contour for the queues of other computers (Dask)")
    worker.add_argument("address", metavar="ADDRESS", help="of the Dask scheduler, such as tcp://host:8786")
    worker.add_argument("--memory-gb", type=float, default=0.0, help="memory at which it starts again (default: none)")
    worker.add_argument("--gpu", default="", metavar="NUMBER", help="its GPU (default: none)")
    worker.add_argument("--json", action="store_true", help="JSON on standard output, one object per line")
    worker.set_defaults(run=running.worker)


def _add_rules(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    rules = _action(actions, "rules", adding.rules, "check a file of rules, and explain what it does with a folder")
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
    parser.add_argument("--attempts", type=int, default=12, help="attempts for errors that may pass")
    parser.add_argument("--retry-seconds", type=float, default=60.0, help="pause after the first; it doubles each time")
    parser.add_argument("--least-free-gb", type=float, default=1.0, help="free space below which nothing is begun")
    parser.add_argument("--keep-days", type=float, default=365.0, help="reports of older results are removed")
    parser.add_argument("--status-port", type=int, metavar="PORT", help="serve a status page on http://127.0.0.1:PORT")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="contour on the workers of this Dask scheduler")
    worker_help = "longest time without a worker or scheduler"
    parser.add_argument("--worker-minutes", type=float, default=10.0, help=worker_help)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="for the networks")
