"""Loading a CT folder: comparison with SimpleITK's ImageSeriesReader and with reading the bytes only.

    python benchmarks/load_ct.py CT_FOLDER [--repeats 7]

All take turns on the same files in one run; the figures are medians and their ratios. The last line is the fraction of
loading spent in the checks of voxels, in processor time, which is independent of other load.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import SimpleITK

from autocontour.base.jobs import Job
from autocontour.dicom import read_ct, scan_folder
from autocontour.dicom.field import find_outside_field
from autocontour.dicom.values import check_values, sample_slices


def load_ours(folder: Path) -> None:
    (series,) = [s for s in scan_folder(folder, Job()) if s.is_planning_ct]
    read_ct(series, Job())


def check_share(folder: Path, repeats: int) -> float:
    """Return the fraction of the processor time of loading a folder that is spent in the checks of voxels."""
    loading, checking = [], []
    for _ in range(repeats):
        start = time.process_time()
        (series,) = [s for s in scan_folder(folder, Job()) if s.is_planning_ct]
        ct = read_ct(series, Job())
        loaded = time.process_time()
        indices = sample_slices(len(ct.hu))
        planes = [ct.hu[index] for index in indices]
        list(check_values(indices, planes, find_outside_field(planes)))
        loading.append(loaded - start)
        checking.append(time.process_time() - loaded)
    return median(checking) / median(loading)


def load_simpleitk(folder: Path) -> None:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reader.Execute()


def load_simpleitk_sorted(files: list[str]) -> None:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.Execute()


def read_plainly(files: list[str]) -> None:
    for file in files:
        Path(file).read_bytes()


def seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    files = list(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(args.folder)))
    actions: dict[str, Callable[[], None]] = {
        "ours, folder to volume": lambda: load_ours(args.folder),
        "SimpleITK, folder to volume": lambda: load_simpleitk(args.folder),
        "SimpleITK, sorted files to volume": lambda: load_simpleitk_sorted(files),
        "plain read of the bytes": lambda: read_plainly(files),
    }
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(args.repeats):
        for name, action in actions.items():
            times[name].append(seconds(action))
    ours = median(times["ours, folder to volume"])
    size = sum(Path(file).stat().st_size for file in files)
    print(f"{len(files)} slices, {size / 1e6:.0f} MB, median of {args.repeats}")
    for name, values in times.items():
        print(f"{name:36s} {1000 * median(values):7.0f} ms   ours / this = {ours / median(values):.2f}")
    print(f"checks of voxels: {100 * check_share(args.folder, args.repeats):.1f} % of our loading")


if __name__ == "__main__":
    main()
