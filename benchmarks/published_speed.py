"""Published networks: seconds and memory of the profiles against nnU-Net v2's own predictor, at its default size.

A network of 31 M random weights with 24 labels, windows of 128³ at 1.5 mm, on a whole CT; mirroring is off for both.
The windows of nnU-Net are timed on a part of the CT that needs a few of them, and multiplied (``--windows 0`` runs
all); everything else of both is run whole. Times are those of the processor, which depend less on other load.
With ``--repeat`` only the first window of ours is run and its result repeated: the memory is the same.
``two-stage`` is given the boxes of six organs of usual size and place: random weights find none. ``whole`` is one run
of that profile as in the program, for six organs that the localizer of a package of this program finds on the CT, up to
their probabilities (what random weights draw has no outlines to time); the voxels of a CT of 128 × 128 are divided into
512 × 512 first. Needs a separate environment:

    python -m venv nnunet && nnunet/bin/pip install nnunetv2 -e ".[train]"
    nnunet/bin/python benchmarks/published_speed.py --ct FOLDER [--only theirs fast two-stage]
    nnunet/bin/python benchmarks/published_speed.py --ct HEAD_AND_NECK_CT --only whole
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from published import predict, write_model

from autocontour.base.jobs import Job
from autocontour.dicom.ct import read_ct
from autocontour.dicom.scan import planning_cts, scan_folder
from autocontour.models.inference.localizer import find_patient
from autocontour.models.inference.published import boxes, segment, tiles
from autocontour.models.inference.published.coarse import find_boxes
from autocontour.models.inference.published.segment import probabilities_in_boxes
from autocontour.models.inference.published.tiles import window_starts
from autocontour.models.inference.runtime import Channels, Runner
from autocontour.models.package.importers.names import Names
from autocontour.models.package.importers.nnunet import import_nnunet
from autocontour.models.package.importers.writing import write_imported
from autocontour.models.package.package import ModelPackage, read_package
from autocontour.patient.geometry import Box, VolumeGeometry
from autocontour.patient.volume import CTVolume

FEATURES = (32, 64, 128, 256, 320, 320)
LABELS = {"background": 0, **{f"label_{k}": k for k in range(1, 25)}}
WINDOW, SPACING_MM = [128, 128, 128], [1.5, 1.5, 1.5]
ORGANS_MM = (
    ((0.30, 0.55, 0.30), (110, 60, 60)),
    ((0.30, 0.55, 0.70), (110, 60, 60)),
    ((0.35, 0.40, 0.35), (60, 40, 40)),
    ((0.32, 0.45, 0.50), (60, 60, 140)),
    ((0.38, 0.50, 0.38), (30, 30, 30)),
    ((0.38, 0.50, 0.62), (30, 30, 30)),
)
"""Centre, as fractions of the body along z, y, x, and size of six organs of the upper abdomen."""


FOUND = ("Brainstem", "SpinalCord", "Parotid_R", "Parotid_L", "Larynx", "Bone_Mandible")
"""Names of the first six labels, which a localizer of this program looks for."""
PIXELS = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct", type=Path, required=True, help="folder of a CT series")
    parser.add_argument("--only", nargs="+", default=["theirs", "fast", "two-stage"], metavar="WHAT")
    parser.add_argument("--windows", type=int, default=8, help="of nnU-Net that are timed; 0: all")
    parser.add_argument("--repeat", action="store_true", help="run one window only, to measure the memory")
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.model:
        run(args.only[0], args.ct, args.model, args.windows, repeat=args.repeat)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder), labels=LABELS, spacing=SPACING_MM, patch=WINDOW, features=FEATURES)
        names = Names({f"label_{k}": name for k, name in enumerate(FOUND, 1)})
        write_imported(import_nnunet(model, orientation="LPS", names=names), Path(folder) / "package")
        for what in args.only:  # a process each: the peak of its memory is its own
            command = [sys.executable, __file__, "--ct", str(args.ct), "--model", str(model), "--only", what]
            repeat = ["--repeat"] if args.repeat else []
            subprocess.run([*command, "--windows", str(args.windows), *repeat], check=True)


def run(what: str, folder: Path, model: Path, most: int, *, repeat: bool) -> None:
    ct = read_ct(planning_cts(scan_folder(folder, Job()))[0], Job())
    if what == "whole":
        print(whole(in_full_resolution(ct), read_package(model.parents[1] / "package")), flush=True)
    elif what == "theirs":
        print(theirs(ct, model, most), flush=True)
    else:
        package = read_package(model.parents[1] / "package")
        print(ours(ct, package, two_stage=what == "two-stage", repeat=repeat), flush=True)


def theirs(ct: CTVolume, model: Path, most: int) -> str:
    """Time nnU-Net: a part of the CT that needs few windows, then the whole with windows that cost nothing."""
    shape = [round(n * mm / 1.5) for n, mm in zip(ct.hu.shape, ct.geometry.spacing_zyx_mm, strict=True)]
    count = len(window_starts(shape, WINDOW, 0.5))
    if not most:
        started = time.process_time()
        predict(model, ct, 0.5)
        seconds = time.process_time() - started
        return f"theirs: processor {seconds:.0f} s, all {count} windows; {peak_gb():.1f} GB"
    cut = (128, 128, 128 + 64 * (most - 1))
    side = [int(n * 1.5 / mm) for n, mm in zip(cut, ct.geometry.spacing_zyx_mm, strict=True)]
    start = [max(0, (n - size) // 2) for n, size in zip(ct.hu.shape, side, strict=True)]
    stop = [min(a + size, n) for a, size, n in zip(start, side, ct.hu.shape, strict=True)]
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    part = CTVolume(ct.hu[box.slices].copy(), ct.geometry.cropped(box))
    part_shape = [round(n * mm / 1.5) for n, mm in zip(part.hu.shape, part.geometry.spacing_zyx_mm, strict=True)]
    timed = len(window_starts([max(n, 128) for n in part_shape], WINDOW, 0.5))
    import torch

    spent = [0.0]

    def count_time(network: torch.nn.Module) -> None:
        plain = network.forward

        def forward(image: torch.Tensor) -> torch.Tensor:
            started = time.process_time()
            found: torch.Tensor = plain(image)
            spent[0] += time.process_time() - started
            return found

        network.forward = forward  # type: ignore[method-assign]

    predict(model, part, 0.5, count_time)
    in_network = spent[0] / timed

    def skip(network: torch.nn.Module) -> None:
        nothing = torch.zeros((1, len(LABELS), *WINDOW))
        network.forward = lambda _: nothing.clone()  # type: ignore[method-assign]

    started = time.process_time()
    predict(model, ct, 0.5, skip)
    around = time.process_time() - started
    total = in_network * count + around
    return (
        f"theirs: processor {total:.0f} s = {count} windows × {in_network:.1f} s (of {timed}) + {around:.0f} s around "
        f"them; {peak_gb():.1f} GB"
    )


def ours(ct: CTVolume, package: ModelPackage, *, two_stage: bool, repeat: bool) -> str:
    """Time the CT to the probabilities in boxes, of all structures or of six organs."""
    if repeat:
        open_plain = segment.open_logits
        segment.open_logits = lambda *given: Repeating(open_plain(*given))  # type: ignore[assignment]
    names, edges = list(package.structures), None
    if two_stage:
        names, edges = names[:6], organ_edges(ct)
    windows = counted_windows()
    probabilities_in_boxes(ct, package, [], Job(), "cpu", [])  # translates the network
    started, processor = time.perf_counter(), time.process_time()
    found = probabilities_in_boxes(ct, package, names, Job(), "cpu", edges)
    drawn = sum(1 for _ in found.parts)
    seconds, busy = time.perf_counter() - started, time.process_time() - processor
    what = "two-stage" if two_stage else "fast"
    return (
        f"{what}: processor {busy:.0f} s ({seconds:.0f} s by the clock) by {found.device}, {len(windows)} windows, "
        f"{drawn} structures; {peak_gb():.1f} GB"
    )


def counted_windows() -> list[tuple[int, int, int]]:
    """Return a list to which every window that is run from now on is added."""
    windows: list[tuple[int, int, int]] = []
    plain = tiles.starts_over

    def counted(wanted: Sequence[Box], shape: Sequence[int], window: Sequence[int], step: float) -> Any:  # noqa: ANN401
        windows.extend(found := plain(wanted, shape, window, step))
        return found

    boxes.starts_over = counted
    return windows


def in_full_resolution(ct: CTVolume) -> CTVolume:
    """Return the CT with its voxels divided in the slices, as many as a clinical CT has."""
    times = max(1, PIXELS // ct.hu.shape[2])
    z, y, x = ct.geometry.spacing_zyx_mm
    hu = np.ascontiguousarray(ct.hu.repeat(times, axis=1).repeat(times, axis=2))
    return CTVolume(hu, VolumeGeometry.regular(hu.shape, (z, y / times, x / times)))


def whole(ct: CTVolume, package: ModelPackage) -> str:
    """Time one run of ``two-stage``: the localizer, and the windows over its boxes."""
    probabilities_in_boxes(ct, package, [], Job(), "cpu", [])  # translates the network
    windows = counted_windows()
    started, processor = time.perf_counter(), time.process_time()
    places = find_boxes(ct, package, FOUND, Job(), "cpu")
    finding = time.process_time() - processor
    edges = list(places.edges_mm.values())
    found = probabilities_in_boxes(ct, package, list(places.edges_mm), Job(), "cpu", edges)
    drawn = sum(1 for _ in found.parts)
    seconds, busy = time.perf_counter() - started, time.process_time() - processor
    shape = [round(n * mm / 1.5) for n, mm in zip(ct.hu.shape, ct.geometry.spacing_zyx_mm, strict=True)]
    count = len(window_starts(shape, WINDOW, 0.5))
    finders = ", ".join(places.finders)
    return (
        f"whole: {ct.hu.shape} voxels, processor {busy:.0f} s ({seconds:.0f} s by the clock), {finding:.0f} s of it by "
        f"{finders} for {len(edges)} boxes; {found.device}, {len(windows)} windows (nnU-Net: {count}), "
        f"{drawn} structures; {peak_gb():.1f} GB"
    )


class Repeating:
    """Runs a network on one window, and gives its result for all others too."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self.device = runner, runner.device

    def __call__(self, windows: Iterable[Channels]) -> Iterator[Channels]:
        """Yield the results of inputs."""
        waiting = iter(windows)
        results = self._runner(itertools.islice(waiting, 1))
        found = next(results)  # in the network's own memory, which stays as it is: nothing else is run
        yield found
        for _ in waiting:
            yield found


def organ_edges(ct: CTVolume) -> Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    patient = find_patient(ct)
    if patient is None:
        raise SystemExit("no body in this CT")
    low, high = np.asarray(patient.low_zyx_mm), np.asarray(patient.high_zyx_mm)
    organs = []
    for centre, size in ORGANS_MM:
        middle = low + np.asarray(centre) * (high - low)
        half = np.asarray(size) / 2 + 15.0
        organs.append((middle - half, middle + half))
    return organs


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
