"""Structures drawn without training: agreement with clinical contours, seconds and peak memory.

``python benchmarks/rules.py DICOM_FOLDER [--slices 800] [--against CHECKOUT]`` uses every folder that contains ``ct/``
and ``rtstruct.dcm``. DSC is of areas over the slices that have a clinical contour. The seconds are followed by their
ratio to reading the same CT in the same run; with ``--against`` also the ratio to the rules of another checkout, in
processor time on the same CT. ``--slices`` repeats the first CT to that many slices and reports the peak memory of the
process.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import shapely

from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.structures import Contours
from autocontour.patient.volume import CTVolume
from autocontour.rtstruct import read_structure_set
from autocontour.rules import NAMES, draw_structures

ALSO_KNOWN_AS = {
    "Patient": "External",
    "Lung-Left": "Lung_L",
    "Lung L": "Lung_L",
    "LUNG_L": "Lung_L",
    "Lung-Right": "Lung_R",
    "Lung R": "Lung_R",
    "LUNG_R": "Lung_R",
    "Spinal cord": "SpinalCanal",
    "Spinal-Cord": "SpinalCanal",
}
"""ROI names of the public sets; the canal is compared with the cord, which it should contain."""

MEASURE = """
import sys, time
from pathlib import Path
from autocontour.base.jobs import Job
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.rules import NAMES, draw_structures
ct = read_ct(planning_cts(scan_folder(Path(sys.argv[1]), Job()))[0], Job())
start = time.process_time()
draw_structures(ct, NAMES, Job())
print(time.process_time() - start)
"""


def measure_in(checkout: Path, folder: Path) -> float:
    """Return the processor seconds that the rules of `checkout` take for the CT in `folder`."""
    command = [sys.executable, "-c", MEASURE, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, env=environment, cwd=checkout, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def compute_dsc(drawn: Contours, clinical: Contours) -> tuple[float, float]:
    """Return DSC over the slices with a clinical contour, and the fraction of the clinical area that was drawn."""
    theirs = {k: shapely.make_valid(shape) for k, shape in clinical.items()}
    shared = sum(drawn[k].intersection(shape).area for k, shape in theirs.items() if k in drawn)
    own = sum(drawn[k].area for k in theirs if k in drawn)
    area = sum(shape.area for shape in theirs.values())
    return 2 * shared / (own + area), shared / area


def run(folder: Path) -> CTVolume:
    start = time.perf_counter()
    ct = read_ct(planning_cts(scan_folder(folder / "ct", Job()))[0], Job())
    reading = time.perf_counter() - start
    start = time.perf_counter()
    drawn = draw_structures(ct, NAMES, Job())
    seconds = time.perf_counter() - start
    shape = "×".join(str(n) for n in ct.hu.shape)
    print(f"\n{folder.name}: {shape}, {len(drawn)} structures in {seconds:.1f} s, {seconds / reading:.1f} × reading it")
    for structure in read_structure_set(folder / "rtstruct.dcm", ct).structures:
        name = ALSO_KNOWN_AS.get(structure.name, structure.name)
        if name in drawn and structure.contours:
            dsc, covered = compute_dsc(drawn[name].contours, structure.contours)
            print(
                f"  {name:<12} against {structure.name:<12} DSC {dsc:.3f}   of the clinical area drawn: {covered:.3f}"
            )
    return ct


def repeat(ct: CTVolume, slices: int) -> CTVolume:
    """Repeat a CT along its axis, alternately mirrored."""
    there_and_back = np.concatenate([np.arange(len(ct.hu)), np.arange(len(ct.hu))[::-1]])
    hu = ct.hu[np.resize(there_and_back, slices)]
    return CTVolume(hu, VolumeGeometry.regular(hu.shape, ct.geometry.spacing_zyx_mm))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slices", type=int)
    parser.add_argument("--against", type=Path, help="another checkout, whose rules are timed on the same CTs")
    args = parser.parse_args()
    cases = sorted(path.parent for path in args.folder.glob("*/rtstruct.dcm") if (path.parent / "ct").is_dir())
    if not args.slices:
        for case in cases:
            run(case)
            if args.against:
                here, there = (measure_in(root, case / "ct") for root in (Path(__file__).parents[1], args.against))
                print(f"  processor: {here:.1f} s, {there:.1f} s in the other checkout, ratio {here / there:.2f}")
        return
    ct = read_ct(planning_cts(scan_folder(cases[0] / "ct", Job()))[0], Job())
    long = repeat(ct, args.slices)
    start = time.perf_counter()
    drawn = draw_structures(long, NAMES, Job())
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{args.slices} slices: {len(drawn)} structures, {time.perf_counter() - start:.1f} s, peak {peak_gb:.2f} GB")


if __name__ == "__main__":
    main()
