"""kill −9 and full disks: ``python benchmarks/kills.py [KILLS] [SEED]``.

1. `contour` is killed at random moments: the result is complete or absent, and no file remains that a folder watcher
would take for DICOM or NIfTI.
2. `contour` writes to disks of many sizes (tmpfs as root, else a file size limit): an error with a code, and no
incomplete file.
3. A case is edited on such disks: a refused change is not made; changes that were made are on the disk after space is
freed.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "case"))

import scripted_run
import SimpleITK

from autocontour.base.errors import AutoContourError
from autocontour.base.jobs import Job
from autocontour.case import Case
from autocontour.cli import main
from autocontour.dicom import planning_cts, read_ct, scan_folder
from autocontour.dicom.series import write_ct_series
from autocontour.patient.volume import CTVolume
from autocontour.phantom import build_phantom
from autocontour.rtstruct import read_structure_set

STRUCTURES = ("External", "Lung_L", "Lung_R")
IMPORTED = (".dcm", ".nii", ".nii.gz", ".gz", ".nrrd", "")
"""Suffixes that a folder watcher may take."""


def prepare(root: Path) -> tuple[Path, Path]:
    """Write a small CT, as DICOM and as NIfTI."""
    phantom = build_phantom("thorax", 1, spacing_zyx_mm=(6.0, 4.0, 4.0), shape_zyx=(40, 120, 120))
    write_ct_series(phantom.hu, phantom.geometry, root / "CT")
    image = SimpleITK.GetImageFromArray(phantom.hu)
    image.SetSpacing((4.0, 4.0, 6.0))
    SimpleITK.WriteImage(image, str(root / "ct.nii.gz"))
    return root / "CT", root / "ct.nii.gz"


def contour(source: Path, output: Path) -> int:
    """Run the command without output and return its exit code."""
    with Path(os.devnull).open("w") as silence, redirect_stdout(silence), redirect_stderr(silence):
        return main(["contour", str(source), "-o", str(output), "--structures", *STRUCTURES, "--force"])


def forked(work: Callable[[], int]) -> int:
    """Start `work` in a separate process with all modules imported; return its number."""
    child = os.fork()
    if child == 0:
        os._exit(work())
    return child


def check_result(output: Path, ct: CTVolume) -> str:
    """Return whether the result is complete or absent; raise if it is neither, or if other files remain."""
    folder = output.parent if output.suffix else output
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    litter = [path.name for path in files if path.name.startswith(".") and path.suffix in IMPORTED]
    assert not litter, f"litter: {litter}"
    if output.suffix:
        if not output.exists():
            return "absent"
        assert read_structure_set(output, ct).names == STRUCTURES
        return "whole"
    masks = [path for path in files if path.name.endswith(".nii.gz")]
    assert all(SimpleITK.GetArrayViewFromImage(SimpleITK.ReadImage(str(path))).any() for path in masks)
    return "whole" if len(masks) == len(STRUCTURES) else f"{len(masks)} masks" if masks else "absent"


def kill_contour(source: Path, output: Path, ct: CTVolume, kills: int, rng: random.Random) -> Counter[str]:
    """Kill the command at random moments, every second time while it writes."""
    folder = output.parent if output.suffix else output
    start = time.perf_counter()
    os.waitpid(forked(lambda: contour(source, output)), 0)
    whole_s = time.perf_counter() - start
    check_result(output, ct)
    seen: Counter[str] = Counter()
    for count in range(kills):
        for path in folder.glob("*"):
            path.unlink()
        child = forked(lambda: contour(source, output))
        if count % 2:
            time.sleep(rng.uniform(0, 1.1 * whole_s))
        else:  # after the first file appears
            until = time.perf_counter() + 3 * whole_s
            while not any(folder.glob(".*")) and not any(folder.glob("*")) and time.perf_counter() < until:
                time.sleep(0.0005)
            time.sleep(rng.uniform(0, 0.05 * whole_s))
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        unfinished = any(folder.glob("*.part")) or any(folder.glob(".*.part"))
        seen[check_result(output, ct) + (", unfinished file beside" if unfinished else "")] += 1
    assert contour(source, output) == 0
    assert not list(folder.glob(".*.part")), "what was left is not swept"
    return seen


@contextmanager
def disk(root: Path, size: int) -> Iterator[Path]:
    """Provide a disk of `size` bytes; without permission to mount, a limit of the size of every file."""
    folder = root / "disk"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={max(size, 4096)}", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not is_mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if is_mounted:
            subprocess.run(["umount", str(folder)], check=True)


def make_room(folder: Path) -> None:
    """Make the disk large."""
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], capture_output=True, check=False)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def fill_by_contour(source: Path, name: str, ct: CTVolume, root: Path, sizes: range) -> Counter[str]:
    """Contour onto disks of every size."""
    seen: Counter[str] = Counter()
    for size in sizes:
        with disk(root, size) as folder:
            code = contour(source, folder / name)
            result = check_result(folder / name, ct)
            assert (code == 0) == (result == "whole"), (size, code, result)
            assert code in (0, 5), code
            seen[f"exit {code}, {result}"] += 1
            make_room(folder)
            assert contour(source, folder / name) == 0
            assert check_result(folder / name, ct) == "whole"
            assert not list(folder.rglob("*.part"))
    return seen


def fill_by_case(root: Path, sizes: range) -> Counter[str]:
    """Edit a case on disks of every size; the state in memory at the end must be on the disk after space is freed."""
    seen: Counter[str] = Counter()
    for size in sizes:
        with disk(root, size) as folder:
            seen[_edit_until_full(folder / "case")] += 1
    return seen


def _edit_until_full(folder: Path) -> str:
    try:
        case = Case(folder, scripted_run.KEY)
    except AutoContourError as error:
        make_room(folder.parent)
        Case(folder, scripted_run.KEY).close()
        return f"not begun, {error.code}"
    refused: Counter[str] = Counter()
    steps = 0
    try:
        scripted_run.begin(case)
        for step in range(scripted_run.STEPS):
            before = case.state
            try:
                scripted_run.step(case, step)
                steps += 1
            except AutoContourError as error:
                refused[error.code] += 1
                # The script takes a snapshot after some steps: only the snapshot may fail if the step is made.
                was_made = case.state is not before
                if was_made and error.code != "AC-OUT-001":
                    raise RuntimeError(f"step {step} was made and refused") from error
                if sum(refused.values()) > 3:
                    break
    except AutoContourError as error:
        refused[error.code] += 1
    state = case.state
    case._journal.close()  # as a killed program leaves it
    case._lock.release()
    on_full_disk = "opens on the full disk"
    try:
        again = Case(folder, scripted_run.KEY)
        assert again.state == state
        again.close()
    except AutoContourError as error:
        on_full_disk = f"refused on the full disk by {error.code}"
    make_room(folder.parent)
    again = Case(folder, scripted_run.KEY)
    assert again.state == state, "a change that was made is not there"
    again.close()
    return f"{', '.join(sorted(refused)) or 'no refusal'}; {on_full_disk}; with room again all is there"


def run(kills: int, seed: int) -> None:
    """Run all parts and print the outcomes."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        source, image = prepare(root)
        ct = read_ct(planning_cts(scan_folder(source, Job()))[0], Job())
        (root / "out").mkdir()
        (root / "masks").mkdir()
        _show(f"{kills} kills of contour, RTSTRUCT", kill_contour(source, root / "out" / "RS.dcm", ct, kills, rng))
        _show(f"{kills // 4} kills of contour, masks", kill_contour(image, root / "masks", ct, kills // 4, rng))
        whole = (root / "out" / "RS.dcm").stat().st_size
        sizes = range(0, whole + 65536, max(whole // 24, 4096))
        _show("full disk, RTSTRUCT", fill_by_contour(source, "RS.dcm", ct, root, sizes))
        _show("full disk, masks", fill_by_contour(image, "masks", ct, root, range(0, 40960, 4096)))
        _show("full disk, case", fill_by_case(root, range(4096, 1_000_000, 36864)))


def _show(title: str, seen: Counter[str]) -> None:
    print(f"{title}:")
    for what, count in sorted(seen.items()):
        print(f"  {count:4d}  {what}")
    sys.stdout.flush()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    run(*(given + [200, 1][len(given) :]))
