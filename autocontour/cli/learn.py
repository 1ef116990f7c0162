"""``autocontour learn``: learning from approved cases without anybody watching; a person promotes."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocontour.base.jobs import Job, seconds_left

if TYPE_CHECKING:
    from autocontour.learning.settings import LearningSettings
    from autocontour.learning.work import Outcome

PROGRESS_S = 0.5


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("learn", help="retrain a package from approved cases, unattended; off by default")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    on = actions.add_parser("on", help="collect approved cases from now on; options that are not given stay")
    _add_common(on)
    on.add_argument("--package", help="the package in use (default: head-and-neck)")
    on.add_argument("--cases", type=Path, metavar="FOLDER", help="folder of the cases (default: your own)")
    on.add_argument("--when", type=int, metavar="N", help="retrain when there are N new cases (default: 10)")
    on.add_argument("--test-share", type=float, help="share of the patients put aside for the gate (default: 0.25)")
    on.add_argument("--quiet-minutes", type=float, help="how long a case must be unchanged (default: 30)")
    on.add_argument("--steps", type=int, help="training steps (default: by the number of cases)")
    on.add_argument("--replay", action="append", metavar="DATASET", help="earlier patients (may be repeated)")
    on.add_argument("--test", action="append", metavar="[SITE=]FOLDER[:SPLIT]", help="further test data for the gate")
    on.add_argument("--limits", type=Path, metavar="FILE", help="the gate's limits (default: the program's)")
    on.add_argument("--device", choices=("auto", "cpu", "cuda", "torch-cpu"), help="for the gate's contouring")
    on.set_defaults(run=_on)
    off = actions.add_parser("off", help="collect nothing; what was collected stays")
    _add_common(off)
    off.set_defaults(run=_off)
    run = actions.add_parser("run", help="collect, and retrain and test if there are enough new cases")
    _add_common(run)
    run.add_argument("--now", action="store_true", help="retrain with fewer new cases, at least one")
    run.add_argument("--every", type=float, default=0.0, metavar="MINUTES", help="go on, with this pause")
    run.set_defaults(run=_run)
    status = actions.add_parser("status", help="the cases, with what is not used and why, and the candidates")
    _add_common(status)
    status.set_defaults(run=_status)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, help="folder of the learning (default: your own)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line for run")


def _folder(args: argparse.Namespace) -> Path:
    from autocontour.learning.settings import learning_folder

    return args.folder or learning_folder()


def _on(args: argparse.Namespace) -> int:
    from autocontour.learning.settings import read_settings, write_settings
    from autocontour.models.package.library import find_package
    from autocontour.models.package.package import check_trainable
    from autocontour.qa.commissioning.gate import Site, read_limits

    folder = _folder(args)
    names = ("when", "test_share", "quiet_minutes", "steps", "device", "package")
    given: dict[str, Any] = {name: getattr(args, name) for name in names}
    given |= {name: str(getattr(args, name).resolve()) for name in ("cases", "limits") if getattr(args, name)}
    given["replay"] = tuple(str(Path(one).resolve()) for one in args.replay) if args.replay else None
    given["tests"] = tuple(str(Site.parse(one)) for one in args.test) if args.test else None
    chosen = {name: value for name, value in given.items() if value is not None}
    settings = replace(read_settings(folder), enabled=True, **chosen)
    check_trainable(find_package(settings.package))
    if settings.limits:
        read_limits(Path(settings.limits))
    _write(folder, settings, write_settings, read_settings)
    return _print_settings(args, settings)


def _off(args: argparse.Namespace) -> int:
    from autocontour.learning.settings import read_settings, write_settings

    settings = replace(read_settings(_folder(args)), enabled=False)
    _write(_folder(args), settings, write_settings, read_settings)
    return _print_settings(args, settings)


def _write(folder: Path, settings: LearningSettings, write: Any, read: Any) -> None:  # noqa: ANN401  (functions)
    """Write the settings after checking them as they would be read."""
    import tempfile

    with tempfile.TemporaryDirectory() as trial:
        write(Path(trial), settings)
        read(Path(trial))
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, settings)


def _print_settings(args: argparse.Namespace, settings: LearningSettings) -> int:
    from dataclasses import asdict

    from autocontour.cli.console import console, print_json

    if args.json:
        print_json({"folder": str(_folder(args)), **asdict(settings)})
    elif settings.enabled:
        text = f"On: autocontour learn run retrains {settings.package} when there are {settings.when} new cases."
        console().print(text, markup=False, soft_wrap=True)
    else:
        console().print("Off.")
    return 0


def _run(args: argparse.Namespace) -> int:
    from autocontour.base.errors import AutoContourError, Cancelled
    from autocontour.cli.console import ctrl_c_cancels
    from autocontour.learning.work import Learning
    from autocontour.models.inference.runtime import keep_runners
    from autocontour.models.training import check_installation

    check_installation()
    keep_runners()
    with ctrl_c_cancels(_EventJob(args)) as job:
        while True:
            code = 0
            try:
                learning = Learning(_folder(args), job, partial(_print_event, args))
                outcome = learning.work_once(now=args.now)
                _print_event(args, "end", _ended(outcome))
                result = outcome.round.result if outcome.round else None
                code = 1 if result and result.state == "failed" else 0
            except Cancelled:
                raise
            except AutoContourError as error:
                if not args.every:
                    raise
                code = error.exit_code
                _print_event(args, "error", {"code": error.code, "message": error.message})
            if not args.every:
                return code
            _pause(job, args.every * 60)


class _EventJob(Job):
    """Prints the progress as an event of its own, not too often."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        self._args, self._stage, self._began, self._sent = args, "", 0.0, 0.0

    def advance(self, stage: str, fraction: float) -> None:
        super().advance(stage, fraction)
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._sent = stage, now, 0.0
        if now - self._sent > PROGRESS_S or fraction >= 1:
            self._sent = now
            left = seconds_left(self._began, fraction)
            values = {"stage": stage, "fraction": round(fraction, 4)}
            _print_event(self._args, "progress", values | {"seconds_left": round(left) if left >= 0 else None})


def _pause(job: Job, seconds: float) -> None:
    """Wait, but not after Ctrl-C or SIGTERM."""
    from autocontour.base.errors import Cancelled

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if job.is_cancelled:
            raise Cancelled
        time.sleep(min(0.5, seconds))


def _print_event(args: argparse.Namespace, event: str, values: dict[str, Any]) -> None:
    """Print an event: one JSON object, or a line; progress is shown on a terminal only."""
    if event == "progress" and not args.json:
        if sys.stderr.isatty():
            left = "" if values["seconds_left"] is None else f", about {values['seconds_left'] // 60} min left"
            sys.stderr.write(f"\r\x1b[K{values['stage']} {values['fraction']:.0%}{left}\r")
            sys.stderr.flush()
        return
    lines = [json.dumps({"event": event, **values})] if args.json else list(_event_lines(event, values))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _event_lines(event: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield an event for a person; the end of a pass as in the status."""
    if event != "end":
        shown = {name: ", ".join(value) if isinstance(value, list) else value for name, value in values.items()}
        yield f"{event}: " + "; ".join(f"{name} {value}" for name, value in shown.items() if value not in (None, ""))
    elif values["waiting"]:
        yield f"Waiting. {_counts(values)}"
    else:
        yield from _round_lines(values)


def _ended(outcome: Outcome) -> dict[str, Any]:
    values: dict[str, Any] = {
        "new": outcome.new,
        "wanted": outcome.wanted,
        "tests": outcome.tests,
        "wanted_tests": outcome.wanted_tests,
    }
    if outcome.round is None:
        return {"waiting": True, **values}
    return {"waiting": False, **outcome.round.to_json()}


def _status(args: argparse.Namespace) -> int:
    from autocontour.cli.console import console, print_json
    from autocontour.learning.work import read_status

    status = read_status(_folder(args))
    if args.json:
        print_json(status)
        return 0
    out = console()
    for line in _lines(status):
        out.print(line, markup=False, soft_wrap=True)
    return 0


def _lines(status: dict[str, Any]) -> Iterator[str]:
    """Yield the status for a person."""
    yield f"{status['package']}: learning is {'on' if status['enabled'] else 'off'}."
    states = ", ".join(f"{count} {state}" for state, count in status["states"].items())
    yield f"Cases: {states or 'none read yet'}."
    yield _counts(status)
    for case in status["cases"]:
        if case["code"]:
            yield f"  {case['name']}: {case['code']}: {case['message']}"
    if any(case["code"] == "AC-LN-012" for case in status["cases"]):
        yield f"Confirm the names in {status['names']}."
    for one in status["rounds"]:
        yield from _round_lines(one)


def _counts(found: dict[str, Any]) -> str:
    tests = f"{found['tests']} of at least {found['wanted_tests']}"
    return f"New for the training: {found['new']} of {found['wanted']}; in the test: {tests}."


def _round_lines(one: dict[str, Any]) -> Iterator[str]:
    about = f"Round {one['round']}: {one['cases']} cases, {one['tests']} in the test, {one['earlier']} repeated"
    if one["state"] != "candidate":
        reason = f" ({one['code']}: {one['message']})" if one.get("code") else ""
        yield f"{about}: {one['state']}{reason}."
        return
    verdict = "is in use" if one.get("in_use") else "passed the gate" if one["passed"] else "did not pass the gate"
    yield f"{about}: candidate {one['version']} {verdict}."
    if changed := one.get("changed_since"):
        yield f"  {len(changed)} of its cases were changed or withdrawn since: {', '.join(changed)}."
    if not one["passed"] and not one.get("in_use"):
        yield f"  The reasons are in {one['record']}."
    elif not one.get("in_use"):
        yield f"  autocontour models promote {one['candidate']} --record {one['record']}"
