"""``autocontour queue run`` and ``watch``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autocontour.cli.queue.adding import chooser
from autocontour.cli.queue.common import open_queue, print_line

if TYPE_CHECKING:
    from autocontour.queue.run import OnEvent, Run, Summary
    from autocontour.queue.store import Store
    from autocontour.queue.tasks import Workers


def run(args: argparse.Namespace) -> int:
    """Work until the queue is empty."""
    return _work(args, lambda _store, _on_event: lambda: False)


def watch(args: argparse.Namespace) -> int:
    """Add every series that arrives in a folder, and contour it."""
    from autocontour.queue.watch import Watcher, watch_only

    choose = chooser(args)
    if args.add_only:
        from autocontour.cli.console import progress_job

        with open_queue(args) as store, progress_job(quiet=True) as job:
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
    with open_queue(args) as store, _status_page(args, store), progress_job(quiet=True) as job:
        store.forget_reports(args.keep_days)
        on_event = _printer(args, store)
        working: Run = Run(store, options, on_event, job, _workers(args))
        summary: Summary = working.work(prepare(store, on_event))
        on_event("end", {"ended": summary.ended, "waiting": summary.waiting})
        if job.is_cancelled:
            raise Cancelled("AC-QU-030")
    if summary.is_time_up and summary.waiting and not summary.exit_code:
        raise QueueError("AC-QU-017", count=summary.waiting)
    return summary.exit_code


def _workers(args: argparse.Namespace) -> Workers | None:
    """Return the workers of the cluster; None for a process of this computer."""
    if args.scheduler is None:
        return None
    from autocontour.queue.cluster import ClusterWorkers

    return ClusterWorkers(args.scheduler, args.device, args.worker_minutes)


def worker(args: argparse.Namespace) -> int:
    """Contour for the queues of other computers."""
    from autocontour.queue.serve import WorkerOptions, serve

    def show(event: str, values: dict[str, Any]) -> None:
        text = f"{event}  " + ", ".join(f"{name} {value}" for name, value in values.items())
        print_line({"event": event, **values}, text, as_json=args.json)

    serve(WorkerOptions(args.address, args.memory_gb, args.gpu), show)
    return 0


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
        print_line({"event": event, **values}, text, as_json=args.json)

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
