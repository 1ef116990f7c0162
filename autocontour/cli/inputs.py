"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autocontour.base.jobs import Job
    from autocontour.patient.volume import CTVolume


def add_ct_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the CT of a structure set."""
    parser.add_argument("--ct", type=Path, required=True, metavar="FOLDER", help="folder of the CT series")
    parser.add_argument("--series", metavar="UID", help="the CT series where the folder holds several")
    parser.add_argument("--accept", nargs="+", default=[], metavar="CODE", help="use the CT despite these findings")


def read_chosen_ct(args: argparse.Namespace, job: Job) -> CTVolume:
    """Read the CT given by the arguments."""
    from autocontour.dicom import planning_cts, read_ct, scan_folder
    from autocontour.pipeline.sources import choose_series

    series = choose_series(planning_cts(scan_folder(args.ct, job)), args.series)
    return read_ct(series, job, frozenset(args.accept))
