"""``autocontour gui``: the viewer."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("gui", help="open the viewer to review and correct contours")
    parser.add_argument("ct", type=Path, nargs="?", metavar="CT_FOLDER", help="folder of a CT series, NIfTI or NRRD")
    parser.add_argument(
        "--results", type=Path, metavar="REPORT", help="folder of `commission` or `monitor`, to open in the QA room"
    )
    parser.add_argument(
        "--renderer",
        choices=("auto", "qt", "vtk"),
        default="",
        help="what draws the slices: Qt on the processor, VTK with OpenGL, or VTK where OpenGL runs on a graphics "
        "processor (auto; also AUTOCONTOUR_RENDERER)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Open the window."""
    try:
        from autocontour.gui.app.app import run_viewer
    except ImportError as error:
        from autocontour.base.errors import UsageError

        raise UsageError("AC-US-042") from error
    return run_viewer(args.ct, args.renderer, args.results)
