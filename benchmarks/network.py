"""The networks on a whole head-and-neck CT: seconds and memory of every stage, OpenVINO and torch.

python benchmarks/network.py [--package NAME] [--slices 134] [--devices cpu,torch-cpu]

The CT is a phantom of 512 × 512 voxels of 0.98 mm, 3 mm apart. Every device runs in a separate process, twice: the
second run corresponds to the second and later patients. Peak memory is the whole process with the CT in it.
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

from autocontour.base.jobs import Job
from autocontour.models import find_package, segment_structures
from autocontour.models.inference.runtime import open_runner
from autocontour.patient.geometry import VolumeGeometry
from autocontour.patient.volume import CTVolume

SPACING_ZYX_MM = (3.0, 0.9765625, 0.9765625)
REPEATS = 3
WINDOWS = 6  # one after the other, as over a patient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", default="head-and-neck")
    parser.add_argument("--slices", type=int, default=134)
    parser.add_argument("--devices", default="cpu,torch-cpu")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        run_child(args.package, args.devices, Path(args.child))
        return
    with tempfile.TemporaryDirectory() as folder:
        voxels = Path(folder) / "hu.npy"
        save_phantom(voxels, args.slices)
        for device in args.devices.split(","):
            report(device, json.loads(in_own_process(args.package, device, voxels)))
    compare_windows(args.package)


def save_phantom(path: Path, slices: int) -> None:
    """Save a phantom's voxels; more slices than the phantom has are made by repeating its ends."""
    from autocontour.phantom import build_phantom

    phantom = build_phantom("head-neck", 3, spacing_zyx_mm=SPACING_ZYX_MM, shape_zyx=(min(slices, 134), 512, 512))
    missing = slices - len(phantom.hu)
    np.save(path, np.pad(phantom.hu, ((missing, 0), (0, 0), (0, 0)), "edge") if missing > 0 else phantom.hu)


def in_own_process(package: str, device: str, voxels: Path) -> str:
    command = [sys.executable, __file__, "--package", package, "--devices", device, "--child", str(voxels)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def run_child(name: str, device: str, voxels: Path) -> None:
    hu = np.load(voxels)
    ct = CTVolume(hu, VolumeGeometry.regular(hu.shape, SPACING_ZYX_MM))
    package = find_package(name)
    runs = []
    for _ in range(2):
        start, cpu = time.perf_counter(), time.process_time()
        found = segment_structures(ct, package, job=Job(), device=device)
        total = time.perf_counter() - start
        runs.append({**found.seconds, "total": total, "processor": time.process_time() - cpu})
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"runs": runs, "peak_gb": peak_gb, "device": found.device, "drawn": list(found.drawings)}))


def report(device: str, result: dict) -> None:
    print(f"\n{device} ({result['device']}): peak {result['peak_gb']:.2f} GB; {', '.join(result['drawn'])}")
    for which, run in zip(("first", "second"), result["runs"], strict=True):
        print(f"  {which:7s}" + "  ".join(f"{stage} {seconds:.2f}" for stage, seconds in run.items()))


def compare_windows(name: str) -> None:
    """Time the windows of each stage, alternating between the runtimes, and print the ratio of the medians."""
    package = find_package(name)
    for role, stage in package.stages.items():
        shape = (WINDOWS, len(stage.intensity_windows_hu), *stage.window_zyx)
        windows = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        runners = {device: open_runner(package, role, device) for device in ("torch-cpu", "cpu")}
        seconds: dict[str, list[float]] = {device: [] for device in runners}
        for _ in range(REPEATS + 1):
            for device, runner in runners.items():
                start = time.perf_counter()
                for _found in runner(windows):
                    pass
                seconds[device].append((time.perf_counter() - start) / WINDOWS)
        torch, openvino = (float(np.median(seconds[device][1:])) for device in ("torch-cpu", "cpu"))
        print(f"\n{role} window: torch fp32 {torch:.3f} s, OpenVINO {openvino:.3f} s, {torch / openvino:.1f} × faster")


if __name__ == "__main__":
    main()
