"""The command line: one module per command, each imported only to parse its arguments or to run."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from autocontour import __version__
from autocontour.base.errors import AutoContourError, OutputError, UsageError

COMMANDS = (
    *("contour", "gui", "case", "follow", "info", "evaluate", "check"),
    *("queue", "course", "models", "dataset", "train", "retrain", "learn", "adapt"),
    *("commission", "monitor", "timestudy", "dossier", "review"),
    *("phantom", "demo", "selftest"),
)

MAX_STANDARD_STREAM = 2  # the file number of standard error


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are JSON too where ``--json`` is among the arguments."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and end with the exit code of ``AC-US``."""
        if _Parser.as_json:
            self.print_usage(sys.stderr)
            raise SystemExit(_report(UsageError("AC-US-004", reason=message), as_json=True))
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = _Parser(
        prog="autocontour", description="Contours organs on planning CTs and writes a validated DICOM RTSTRUCT."
    )
    parser.add_argument("--version", action="version", version=f"autocontour {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"autocontour.cli.{name}").add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code; each error family has its own (see `autocontour.base.errors`)."""
    _open_closed_streams()
    _print_any_character()
    _Parser.as_json = "--json" in (sys.argv if argv is None else argv)
    args = build_parser().parse_args(argv)
    try:
        with _ended_by_sigterm(args.command):
            code: int = args.run(args)
        sys.stdout.flush()
    except AutoContourError as error:
        return _report(error, as_json=getattr(args, "json", False))
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    except BrokenPipeError:
        _give_up_output()
        return 141
    except OSError as error:  # without a code of its own, such as too long a name
        code = _report(_unusable(error), as_json=getattr(args, "json", False))
        _empty_output()
    return code


def _empty_output() -> None:
    """Write what is left in the buffer of standard output; Python would try again at exit, and fail."""
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_output()


def _give_up_output() -> None:
    """Stop writing to a closed standard output, including Python's buffer at exit."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (until the end)


def _unusable(error: OSError) -> AutoContourError:
    from autocontour.base.files import shown_path

    reason = error.strerror or type(error).__name__
    if isinstance(error.filename, str | bytes):
        return UsageError("AC-US-003", file=shown_path(Path(os.fsdecode(error.filename))), reason=reason)
    return OutputError("AC-OUT-008", reason=reason)


def _open_closed_streams() -> None:
    """Open the null device in place of standard streams that were closed (``>&-``), as by a service or a scheduler.

    Without it Python has no `sys.stdout`, and the next file that is opened receives its number: what a library prints
    there would be written into that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= MAX_STANDARD_STREAM:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (until the end)


def _print_any_character() -> None:
    """Escape characters that the terminal cannot show instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _ended_by_sigterm(command: str) -> Iterator[None]:
    """Turn SIGTERM into an exit that removes unfinished files; commands with a job cancel it instead.

    The viewer exits at once: every change of a case is already on the disk.
    """

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if command == "gui" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(error: AutoContourError, *, as_json: bool) -> int:
    """Print an error and return its exit code."""
    if as_json:
        from autocontour.cli.console import print_json

        report: dict[str, object] = {"code": error.code, "message": error.message, "remedy": error.remedy}
        if error.problems:
            report["problems"] = [problem.to_json() for problem in error.problems]
        try:
            print_json({"error": report}, indent=None)
            sys.stdout.flush()
        except OSError:
            _give_up_output()
    sys.stderr.write(f"{error}\n")
    return error.exit_code
