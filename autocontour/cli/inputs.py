"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
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
    return read_ct_of(args.ct, args.series, args.accept, job)


def read_ct_of(folder: Path, series_uid: str | None, accepted: Iterable[str], job: Job) -> CTVolume:
    """Read the CT in a folder, the series with that UID where there are several."""
    from autocontour.dicom import planning_cts, read_ct, scan_folder
    from autocontour.pipeline.sources import choose_series

    series = choose_series(planning_cts(scan_folder(folder, job)), series_uid)
    return read_ct(series, job, frozenset(accepted))
