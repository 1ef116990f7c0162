"""The command line: one module per command, each imported only to parse its arguments or to run."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from autocontour import __version__
from autocontour.base.errors import AutoContourError

COMMANDS = ("contour", "gui", "info", "evaluate", "check", "models", "train", "phantom", "demo", "selftest")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="autocontour", description="Contours organs on planning CTs and writes a validated DICOM RTSTRUCT."
    )
    parser.add_argument("--version", action="version", version=f"autocontour {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"autocontour.cli.{name}").add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code; each error family has its own (see `autocontour.base.errors`)."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except AutoContourError as error:
        _report(error, as_json=getattr(args, "json", False))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    except BrokenPipeError:
        return 141
    return code


def _report(error: AutoContourError, *, as_json: bool) -> None:
    if as_json:
        from autocontour.cli.console import print_json

        report: dict[str, object] = {"code": error.code, "message": error.message, "remedy": error.remedy}
        if error.problems:
            report["problems"] = [problem.to_json() for problem in error.problems]
        print_json({"error": report})
    sys.stderr.write(f"{error}\n")
