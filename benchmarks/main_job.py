"""Folder to validated RTSTRUCT: seconds per stage and peak memory.

``python benchmarks/main_job.py CT_FOLDER [--slices 800] [contour's own options]``; with ``--slices`` the series is
first repeated along its axis, as a real DICOM series in a temporary folder, to that many slices.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def repeat_series(source: Path, folder: Path, slices: int) -> None:
    """Write a series of `slices` slices: the source's voxels, mirrored up and down along its axis."""
    from autocontour.base.jobs import Job
    from autocontour.dicom.ct import read_ct
    from autocontour.dicom.scan import planning_cts, scan_folder
    from autocontour.dicom.series import write_ct_series
    from autocontour.patient.geometry import VolumeGeometry

    ct = read_ct(planning_cts(scan_folder(source, Job()))[0], Job())
    there_and_back = np.concatenate([np.arange(len(ct.hu)), np.arange(len(ct.hu))[::-1]])
    order = np.resize(there_and_back, slices)
    geometry = VolumeGeometry.regular(
        (slices, *ct.hu.shape[1:]),
        ct.geometry.spacing_zyx_mm,
        ct.geometry.slice_origins_lps_mm[0],
        ct.geometry.direction,
    )
    write_ct_series(ct.hu[order], geometry, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ct", type=Path)
    parser.add_argument("--slices", type=int)
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.ct
        if args.slices:
            folder = Path(scratch) / "ct"
            repeat_series(args.ct, folder, args.slices)
        command = ["contour", str(folder), "-o", f"{scratch}/RS.dcm", "--json", *options]
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "autocontour.cli", *command], check=True, capture_output=True)
        total = time.perf_counter() - start
    report = json.loads(done.stdout)[0]
    for stage, seconds in report["seconds"].items():
        print(f"{stage:<32} {seconds:6.2f} s")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{'from start to end':<32} {total:6.2f} s   peak memory {peak:.2f} GB")
    print(f"{len(report['structures'])} structures: {', '.join(s['name'] for s in report['structures'])}")


if __name__ == "__main__":
    main()
